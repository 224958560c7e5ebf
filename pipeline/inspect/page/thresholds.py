"""The thresholds of the plan: pages with sliders, the figures that the sliders ask for, and the plan with other values."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from pipeline.errors import InputError, UsageError
from pipeline.inspect.margins import worded
from pipeline.inspect.page import template_data
from pipeline.inspect.page.site import Site
from pipeline.inspect.thresholds.slider import MOST_SCORED, Histogram, Sample
from pipeline.plan.load import overridden
from pipeline.report import publish
from pipeline.report.page import charts, svg
from pipeline.text.visible import folded, visible

SAVED = "# Thresholds chosen in `winnow inspect browse`; use: winnow curate THIS_FILE --output NEW_FOLDER\n"


def add(app: FastAPI, site: Site) -> None:
    """Answer the addresses of thresholds."""
    _add_pages(app, site)
    _add_figures(app, site)
    _add_plan(app, site)


def _add_pages(app: FastAPI, site: Site) -> None:
    @app.get("/thresholds")
    def thresholds(request: Request) -> Response:
        try:
            slider = site.slider()
        except InputError as error:
            return _gone(site, error)
        chosen = _overrides(request)
        lines = [(filter_, list(members)) for filter_, members in groupby(slider.thresholds.values(), lambda one: one.filter)]
        lines.sort(key=lambda line: -sum(slider.dropped[one.key].first for one in line[1]))
        for _, members in lines:
            members.sort(key=lambda one: (-slider.dropped[one.key].first, -slider.dropped[one.key].any))
        return site.page("thresholds.html", lines=lines, dropped=slider.dropped, chosen=chosen, sets=_assignments(chosen))

    @app.get("/threshold")
    def threshold(request: Request, key: str) -> Response:
        try:
            slider = site.slider()
        except InputError as error:
            return _gone(site, error)
        slider.recipe({key: "0"} if key not in slider.thresholds else {})
        chosen = _overrides(request)
        return site.page(
            "threshold.html",
            it=slider.thresholds[key],
            dropped=slider.dropped[key],
            chosen=chosen,
            sets=_assignments(chosen),
            counted=slider.counted,
            models=[f.filter.name for f in site.output.recipe.filters if f.filter.tier.value == "model"],
            dedup=site.output.plan.dedup is not None,
            most=MOST_SCORED,
        )


def _add_figures(app: FastAPI, site: Site) -> None:
    @app.get("/range")
    def range_(key: str, wide: bool = True) -> Response:
        slider = site.slider()
        slider.recipe({key: "0"} if key not in slider.thresholds else {})
        found = slider.thresholds[key]
        histograms = {name: {**asdict(one), **_drawing(name, one, wide=wide)} for name, one in slider.histograms(key).items()}
        said = {"line": found.line, "now": found.now, "by": found.by, "kind": found.kind}
        return JSONResponse(
            {**said, **asdict(slider.dropped[key]), "whole": found.whole, "stops": slider.stops(key), "histograms": histograms}
        )

    @app.get("/effect")
    def effect(request: Request) -> Response:
        return JSONResponse(asdict(site.slider().effect(_overrides(request))))

    @app.get("/samples")
    def samples(request: Request, key: str) -> Response:
        slider = site.slider()
        slider.recipe({key: "0"} if key not in slider.thresholds else {})
        found = slider.samples(_overrides(request), key)
        return JSONResponse({side: [_sample(one) for one in rows] for side, rows in found.items()})

    @app.post("/score")
    def score(request: Request) -> Response:
        return JSONResponse({"scored": site.slider().score(_overrides(request))})


def _add_plan(app: FastAPI, site: Site) -> None:
    @app.get("/plan.yaml")
    def plan(request: Request) -> Response:
        headers = {"content-disposition": 'attachment; filename="plan.yaml"'}
        return Response(_plan_file(site, request), media_type="application/yaml", headers=headers)

    @app.post("/save")
    def save(request: Request) -> Response:
        if site.save_plan is None:
            raise UsageError("start `flows.inspect browse` with --save-plan FILE to write a file, or download the plan")
        content = _plan_file(site, request)
        if site.save_plan.exists() and not site.save_plan.read_bytes().startswith(SAVED.encode()):
            raise UsageError(f"{site.save_plan}: is there and was not written by this page; name another file with --save-plan")
        site.save_plan.write_bytes(content)
        return JSONResponse({"file": visible(str(site.save_plan))})


def _overrides(request: Request) -> dict[str, str]:
    """`set=KEY=VALUE`, each threshold once: the last counts."""
    return dict(text.partition("=")[::2] for text in request.query_params.getlist("set"))


def _gone(site: Site, error: InputError) -> Response:
    return site.page("error.html", title="The signals are not there", said=str(error), gone=site.remake)


def _plan_file(site: Site, request: Request) -> bytes:
    """The output's plan with the chosen thresholds, as YAML."""
    chosen = _overrides(request)
    site.slider().recipe(chosen)
    plan = overridden(site.output.newest.plan, [f"{key}={value}" for key, value in chosen.items()])
    return (SAVED + publish.yaml(plan.model_dump(mode="json"))).encode("utf-8", "backslashreplace")


def _sample(one: Sample) -> dict[str, object]:
    return {
        "id": visible(one.id, limit=80),
        "ref": visible(one.source_ref, limit=120),
        "address": template_data.document(one.source_ref),
        "values": [worded(value) for value in one.values],
        "text": folded(one.text, limit=300),
    }


def _assignments(chosen: dict[str, str]) -> str:
    return template_data.query([("set", f"{key}={value}") for key, value in chosen.items()])


def _drawing(signal: str, found: Histogram, *, wide: bool) -> dict[str, object]:
    """The chart that the page's script lays the threshold over, and where its axes lie."""
    drawn = charts.decided(signal, found.edges, found.counts, alone=found.left, whole=found.whole, growing=found.log, wide=wide)
    frame = svg.frame(svg.WIDE if wide else svg.LARGE)
    return {"drawn": drawn, "frame": frame, "beside": charts.BESIDE}
