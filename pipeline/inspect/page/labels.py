"""The review: documents of a reason one after the other, and the answers to them."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse, Response

from pipeline.errors import UsageError
from pipeline.inspect import review, why
from pipeline.inspect.output import value_of
from pipeline.inspect.page.documents import facts as facts_of
from pipeline.inspect.page.site import Site
from pipeline.output import reviews
from pipeline.text.visible import visible


def add(app: FastAPI, site: Site) -> None:
    """Answer the addresses of the review."""

    @app.get("/review")
    def page(
        reason: str = "",
        skipped: Annotated[int, Query(ge=0)] = 0,
        again: str = "",
        *,
        last: str = "",
        order: review.Order = "uncertain",
    ) -> Response:
        found = left = []
        if reason:
            found = site.sample(reason, order)
            left = review.unlabelled(site.output, found)
        now = left[skipped] if skipped < len(left) else None
        now = next((one for one in found if again and visible(one.source_ref) == visible(again)), now)
        facts = None
        if now is not None:
            rows = [one for one in why.find_rows(site.output, now.source_ref) if one.row["generation"] == now.generation]
            facts = facts_of(rows[0]) if rows else None
        return site.page(
            "review.html",
            reason=reason,
            order=order,
            scored=bool(value_of(site.output, "filters.quality")),
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
    def label(reason: str, generation: int, ref: str, *, answer: str, order: review.Order = "uncertain") -> Response:
        if answer not in ("right", "wrong"):
            raise UsageError(f"answer {answer!r}: expected right or wrong")
        found = site.sample(reason, order)
        for candidate in found:
            if (candidate.generation, visible(candidate.source_ref)) == (generation, visible(ref)):
                review.label(site.output, candidate, answer, of=found)
                return JSONResponse({"label": answer})
        raise UsageError("that document is not in this review's sample; load the page again")
