"""The page's addresses: what each answers, as HTML from the templates beside this file or as JSON for the script.

Every string that reaches HTML is made visible by `finalize` and then escaped; strings in JSON are made visible here and reach the
page as text nodes only.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import jinja2
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from markupsafe import Markup

from pipeline.errors import InputError, UsageError, WinnowError
from pipeline.inspect import diff, listing, review, why
from pipeline.inspect.judge import judged
from pipeline.inspect.output import Output, open_output_of
from pipeline.inspect.page import shown
from pipeline.inspect.page.guard import Application, guarded
from pipeline.inspect.thresholds.slider import MOST_SCORED, Histogram, Slider
from pipeline.output import reviews
from pipeline.plan.load import overridden
from pipeline.report import numbers, publish
from pipeline.report.page import charts, svg
from pipeline.report.page.page import breakable
from pipeline.report.visible import visible
from pipeline.store.store import Store, open_store

HERE = Path(__file__).parent
MOST_SAID = 2_000
"""Characters of an error; it may quote what was asked for."""
SAVED = "# Thresholds chosen in `python -m flows.inspect browse`; use: python -m flows.curate THIS_FILE --output NEW_FOLDER\n"
SAMPLE = 100
"""Documents of a review that is started from the page; the command takes -n."""


class Site:
    """An output and what was loaded of it so far; opened anew where a run has committed meanwhile."""

    def __init__(self, output: Output, work: str | None, save_plan: Path | None) -> None:
        self.save_plan = save_plan
        self._work = work or output.store.path(".work")
        self._lock = threading.RLock()
        self.templates = _templates()
        self._take(output)

    def _take(self, output: Output) -> None:
        self._output, self._manifests = output, output.store.names("manifests")
        self._slider: Slider | None = None
        self.facets = shown.facets(output)
        choices = [*self.facets.languages, *self.facets.sources, *(c for found in self.facets.reasons.values() for c in found)]
        self._written = {visible(choice.value): choice.value for choice in choices}
        self._samples: dict[str, list[review.Candidate]] = {}

    def sample(self, reason: str) -> list[review.Candidate]:
        """Documents to judge, the same ones each time."""
        with self._lock:
            output = self.output
            if reason not in self._samples:
                self._samples[reason] = review.sample(output, reason, n=SAMPLE, seed=output.plan.seed)
            return self._samples[reason]

    @property
    def output(self) -> Output:
        """As it is now."""
        with self._lock:
            if self._output.store.names("manifests") != self._manifests:
                self._take(open_output_of(self._output.store.root))
            return self._output

    @property
    def work(self) -> Store:
        return open_store(self._work, create=False)

    def slider(self) -> Slider:
        """Raises InputError where the work directory is gone."""
        with self._lock:
            output = self.output
            if self._slider is None:
                self._slider = Slider(output, self.work)
            return self._slider

    def written(self, name: str) -> str:
        """A source, language or reason as the tables hold it, from how a form shows it."""
        return self._written.get(name, name)

    @property
    def remake(self) -> str:
        """The command that makes the work directory again."""
        root = self.output.store.root
        work = [] if self._work == self.output.store.path(".work") else ["--work", self._work]
        return shlex.join(["python", "-m", "flows.curate", f"{root}/plan.resolved.yaml", "--output", root, *work, "--replace"])

    def page(self, name: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
        output = self.output
        html = self.templates.get_template(name).render(site=self, output=output, totals=self.facets.views, **values)
        return HTMLResponse(html.encode("utf-8", "replace"), status)


def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (numbers.count, numbers.size, numbers.percent, why.number, visible, breakable):
        made.filters[function.__name__] = function
    made.globals |= {"document": shown.document, "query": shown.query, "address": shown.address}
    return made


def _harmless(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def application(output: Output, *, token: str, port: int, work: str | None = None, save_plan: Path | None = None) -> Application:
    """The page of an output, for a server on `port` of the loopback address."""
    site = Site(output, work, save_plan)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=HERE / "static"))

    def failed(request: Request, error: Exception) -> Response:
        known = isinstance(error, WinnowError | RequestValidationError)
        said, status = (str(error), 400) if known else (f"{type(error).__name__}: {error}", 500)
        if "json" in request.headers.get("accept", ""):
            return JSONResponse({"error": visible(said, limit=MOST_SAID)}, status)
        return site.page("error.html", status=status, title="That did not work", said=visible(said, limit=MOST_SAID), gone=None)

    for kind in (WinnowError, RequestValidationError, OSError, Exception):
        app.add_exception_handler(kind, failed)
    _documents(app, site)
    _thresholds(app, site)
    _review(app, site)
    return guarded(app, token=token, port=port)


def _documents(app: FastAPI, site: Site) -> None:
    @app.get("/")
    @app.get("/documents")
    def documents(request: Request) -> Response:
        asked = request.query_params
        wanted = listing.Wanted(
            view=asked.get("view", "kept"),
            low=_number(asked, "low"),
            high=_number(asked, "high"),
            **{name: site.written(asked.get(name, "")) for name in ("reason", "language", "source")},
            **{name: asked.get(name, "") for name in ("score", "text", "copies")},
        )
        after, before = (listing.place_of(asked.get(name, "")) for name in ("after", "before"))
        found = listing.page(site.output, wanted, after=after, before=before)
        folder = listing.folder_of(site.output, wanted)
        return site.page(
            "documents.html",
            wanted=wanted,
            found=found,
            facets=site.facets,
            scores=listing.SCORES,
            folder=folder,
            share=site.output.plan.output.rejected if wanted.view == "dropped" else "full",
            later=shown.address(wanted, after=found.last) if found.more and found.last else None,
            earlier=shown.address(wanted, before=found.first) if found.less and found.first else None,
            paged=after or before,
        )

    @app.get("/document")
    def document(name: str, generation: int | None = None) -> Response:
        found = why.find(site.output, name)
        chosen = [one for one in found if generation in (None, one.row["generation"])] or found
        return site.page("document.html", name=name, found=[_facts(site.output, one) for one in chosen])


def _number(asked: Mapping[str, str], name: str) -> float | None:
    text = asked.get(name, "").strip()
    try:
        return float(text) if text else None
    except ValueError as error:
        raise UsageError(f"{name}: expected a number, got {text!r}") from error


def _facts(output: Output, found: why.Found) -> dict[str, object]:
    """One document, for its template."""
    made, fault = None, None
    if found.text is not None:
        try:
            made = judged(output.recipe, found.text)
        except WinnowError as error:
            fault = str(error)
    rules = sorted(made.rules, key=lambda rule: (not rule.fails, not rule.near)) if made else []
    left = found.survivor.text if found.survivor is not None else None
    both = diff.side_by_side(found.text, left) if found.text is not None and left is not None else None
    lines, out = shown.text_lines(found.text or "")
    return {
        "row": found.row,
        "file": found.file,
        "lines": lines,
        "out": out,
        "has_text": found.text is not None,
        "survivor": found.survivor,
        "rules": rules,
        "signals": [] if made is None else [(n, v) for n, v in made.signals if not any(r.filter == n for r in made.rules)],
        "fault": fault,
        "diff": None if both is None else both,
        "sides": None if both is None else (_runs(both, "left"), _runs(both, "right")),
        "notes": why.notes(output, found.row) if made else [],
    }


def _runs(both: diff.Diff, side: str) -> list[tuple[bool, list[str]]]:
    """Pieces of one side: whether both have it, and its lines. White space behind a difference is no part of it."""
    made: list[tuple[bool, list[str]]] = []
    for run in both.runs:
        text = getattr(run, side)
        body = text if run.same else text.rstrip()
        made += [(same, shown.text_lines(part)[0]) for same, part in ((run.same, body), (True, text[len(body) :])) if part]
    return made


def _thresholds(app: FastAPI, site: Site) -> None:
    def overrides(request: Request) -> dict[str, str]:
        """`set=KEY=VALUE`, each threshold once: the last counts."""
        return dict(text.partition("=")[::2] for text in request.query_params.getlist("set"))

    def gone(error: InputError) -> Response:
        return site.page("error.html", title="The signals are not there", said=str(error), gone=site.remake)

    @app.get("/thresholds")
    def thresholds(request: Request) -> Response:
        try:
            slider = site.slider()
        except InputError as error:
            return gone(error)
        chosen = overrides(request)
        return site.page("thresholds.html", thresholds=list(slider.thresholds.values()), chosen=chosen, sets=_sets(chosen))

    @app.get("/threshold")
    def threshold(request: Request, key: str) -> Response:
        try:
            slider = site.slider()
        except InputError as error:
            return gone(error)
        slider.recipe({key: "0"} if key not in slider.thresholds else {})
        chosen = overrides(request)
        return site.page(
            "threshold.html",
            it=slider.thresholds[key],
            chosen=chosen,
            sets=_sets(chosen),
            counted=slider.counted,
            models=[f.filter.name for f in site.output.recipe.filters if f.filter.tier.value == "model"],
            dedup=site.output.plan.dedup is not None,
            most=MOST_SCORED,
        )

    @app.get("/range")
    def range_(key: str, wide: bool = True) -> Response:
        slider = site.slider()
        slider.recipe({key: "0"} if key not in slider.thresholds else {})
        found = slider.thresholds[key]
        histograms = {name: {**asdict(one), **_drawing(name, one, wide=wide)} for name, one in slider.histograms(key).items()}
        return JSONResponse({"value": found.value, "whole": found.whole, "stops": slider.stops(key), "histograms": histograms})

    @app.get("/effect")
    def effect(request: Request) -> Response:
        return JSONResponse(asdict(site.slider().effect(overrides(request))))

    @app.get("/samples")
    def samples(request: Request, key: str) -> Response:
        slider = site.slider()
        slider.recipe({key: "0"} if key not in slider.thresholds else {})
        found = slider.samples(overrides(request), key)
        return JSONResponse(
            {
                side: [
                    {
                        "id": visible(one.id, limit=80),
                        "ref": visible(one.source_ref, limit=120),
                        "address": shown.document(one.source_ref),
                        "values": ["-" if value is None else why.number(value) for value in one.values],
                        "text": visible(" ".join(one.text.split()), limit=300),
                    }
                    for one in rows
                ]
                for side, rows in found.items()
            }
        )

    @app.post("/score")
    def score(request: Request) -> Response:
        return JSONResponse({"scored": site.slider().score(overrides(request))})

    def plan_file(request: Request) -> bytes:
        chosen = overrides(request)
        site.slider().recipe(chosen)
        plan = overridden(site.output.newest.plan, [f"{key}={value}" for key, value in chosen.items()])
        return (SAVED + publish.yaml(plan.model_dump(mode="json"))).encode("utf-8", "backslashreplace")

    @app.get("/plan.yaml")
    def plan(request: Request) -> Response:
        headers = {"content-disposition": 'attachment; filename="plan.yaml"'}
        return Response(plan_file(request), media_type="application/yaml", headers=headers)

    @app.post("/save")
    def save(request: Request) -> Response:
        if site.save_plan is None:
            raise UsageError("start `flows.inspect browse` with --save-plan FILE to write a file, or download the plan")
        content = plan_file(request)
        if site.save_plan.exists() and not site.save_plan.read_bytes().startswith(SAVED.encode()):
            raise UsageError(f"{site.save_plan}: is there and was not written by this page; name another file with --save-plan")
        site.save_plan.write_bytes(content)
        return JSONResponse({"file": visible(str(site.save_plan))})


def _sets(chosen: dict[str, str]) -> str:
    return shown.query([("set", f"{key}={value}") for key, value in chosen.items()])


def _review(app: FastAPI, site: Site) -> None:
    @app.get("/review")
    def page(reason: str = "", skipped: Annotated[int, Query(ge=0)] = 0, again: str = "", last: str = "") -> Response:
        found = left = []
        if reason:
            found = site.sample(reason)
            left = review.unlabelled(site.output, found)
        now = left[skipped] if skipped < len(left) else None
        now = next((one for one in found if again and visible(one.source_ref) == visible(again)), now)
        facts = None
        if now is not None:
            rows = [one for one in why.find(site.output, now.source_ref) if one.row["generation"] == now.generation]
            facts = _facts(site.output, rows[0]) if rows else None
        return site.page(
            "review.html",
            reason=reason,
            reasons=site.facets.reasons["dropped"],
            now=now,
            facts=facts,
            done=len(found) - len(left),
            of=len(found),
            skipped=skipped,
            last=last,
            results=reviews.precision(site.output.store),
        )

    @app.post("/label")
    def label(reason: str, generation: int, ref: str, answer: str) -> Response:
        if answer not in ("right", "wrong"):
            raise UsageError(f"answer {answer!r}: expected right or wrong")
        for candidate in site.sample(reason):
            if (candidate.generation, visible(candidate.source_ref)) == (generation, visible(ref)):
                review.label(site.output, candidate, answer)
                return JSONResponse({"label": answer})
        raise UsageError("that document is not in this review's sample; load the page again")


def _drawing(signal: str, found: Histogram, *, wide: bool) -> dict[str, object]:
    """The chart that the page's script lays the threshold over, and where its axes lie."""
    drawn = charts.decided(signal, found.edges, found.counts, found.left, whole=found.whole, growing=found.log, wide=wide)
    frame = svg.frame(svg.WIDE if wide else svg.LARGE)
    return {"drawn": drawn, "frame": frame, "beside": charts.BESIDE}
