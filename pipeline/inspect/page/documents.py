"""The list of documents, and one document with its rules and what it is a copy of."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.responses import Response

from pipeline.errors import UsageError
from pipeline.inspect import listing, why
from pipeline.inspect.page import template_data
from pipeline.inspect.page.site import Site
from pipeline.text import diff


def add(app: FastAPI, site: Site) -> None:
    """Answer the addresses of documents."""

    @app.get("/")
    @app.get("/documents")
    def documents(request: Request) -> Response:
        asked = request.query_params
        wanted = listing.DocumentQuery(
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
            hits=site.hits(wanted),
            share=site.output.plan.output.rejected if wanted.view == "dropped" else "full",
            later=template_data.address(wanted, after=found.last) if found.more and found.last else None,
            earlier=template_data.address(wanted, before=found.first) if found.less and found.first else None,
            paged=after or before,
        )

    @app.get("/document")
    def document(name: str, generation: int | None = None) -> Response:
        found = why.find_rows(site.output, name)
        chosen = [one for one in found if generation in (None, one.row["generation"])] or found
        return site.page("document.html", name=name, found=[facts(one) for one in chosen])


def _number(asked: Mapping[str, str], name: str) -> float | None:
    text = asked.get(name, "").strip()
    try:
        return float(text) if text else None
    except ValueError as error:
        raise UsageError(f"{name}: expected a number, got {text!r}") from error


def facts(found: why.Found) -> dict[str, object]:
    """One document, for its template."""
    made = None if found.values is None else found.values.measured
    text = None if found.kept is None else found.kept.text
    left = found.survivor.text if found.survivor is not None else None
    both = diff.side_by_side(text, left) if text is not None and left is not None else None
    rules = [] if made is None else why.in_order(made)
    lines, out = template_data.text_lines(text or "")
    return {
        "row": found.row,
        "decisive": next(
            (r for r in rules if r.name == found.row["reason"] and r.signal and r.passes not in (None, why.BY_EXPRESSION)), None
        ),
        "nearest": min((r for r in rules if r.near and not r.fails), key=lambda r: r.off or 0.0, default=None),
        "unread": None if found.unread is None else found.unread.detail,
        "file": None if found.kept is None else found.kept.file,
        "lines": lines,
        "out": out,
        "has_text": text is not None,
        "survivor": found.survivor,
        "rules": rules,
        "signals": [] if made is None else made.beside_rules,
        "reasons": [(one.filter, [(w.feature, w.value, f"{w.weight:+.2f}") for w in one.features]) for one in found.reasons],
        "diff": both,
        "sides": None if both is None else (_runs(both, "left"), _runs(both, "right")),
        "notes": [] if found.values is None else found.notes,
        "fault": found.fault,
    }


def _runs(both: diff.Diff, side: str) -> list[tuple[bool, list[str]]]:
    """Pieces of one side: whether both have it, and its lines. White space behind a difference is no part of it."""
    made: list[tuple[bool, list[str]]] = []
    for run in both.runs:
        text = getattr(run, side)
        body = text if run.same else text.rstrip()
        made += [
            (same, template_data.text_lines(part)[0]) for same, part in ((run.same, body), (True, text[len(body) :])) if part
        ]
    return made
