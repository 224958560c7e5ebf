"""A text that is no document of an output, through the plan's edits and filters: for `inspect why --text`.

Dedup and selection compare documents and are not part of it; scores joined from elsewhere (`annotations`) are null.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from filters.contract import TextBatch, Tier
from pipeline.inspect.margins import Measured, measured
from pipeline.inspect.weighed import Reasons, reasons
from pipeline.plan import scores
from pipeline.plan.recipe import Recipe
from pipeline.stages.unit import signals, verdicts
from pipeline.text import final, normalise


@dataclass(frozen=True)
class TextVerdict:
    """`text`: final; `edits`: those that changed the text; `reason`: the first that drops it, None where the filters keep it."""

    text: str
    edits: tuple[str, ...]
    reason: str | None
    measured: Measured
    columns: dict[str, pa.Array]  # signal → one value
    reasons: tuple[Reasons, ...] = ()


def judge_text(recipe: Recipe, text: str) -> TextVerdict:
    """Judge `text` as a run with this recipe would. Model filters are asked even where a cheap one drops it."""
    source = normalise.normalise(pa.array([text], pa.large_string()))
    finished = final.finish(source, recipe.steps)
    ended = final.texts(source, finished)
    batches = {"source": TextBatch(source)}
    batches["final"] = TextBatch(ended, batches["source"]) if final.edited(finished).any() else batches["source"]
    columns = _columns(recipe, batches)
    found = measured(recipe, columns)
    without = {view: final.text_hash(batch.text[0].as_py()) == final.EMPTY for view, batch in batches.items()}
    edits, ended_text = tuple(finished["edits"][0].as_py()), ended[0].as_py()
    weighed = reasons(recipe, found, ended_text, edited=bool(edits))
    return TextVerdict(ended_text, edits, _reason(recipe, found, without), found, columns, weighed)


def _columns(recipe: Recipe, batches: dict[str, TextBatch]) -> dict[str, pa.Array]:
    """The signals that the plan's filters give for `batches` (view → texts), by column."""
    columns: dict[str, pa.Array] = {}
    for item in sorted(recipe.filters, key=lambda item: item.filter.tier is Tier.MODEL):
        if item.filter.name != scores.NAME:
            made = signals.run_filter(item, recipe.known, batches[item.reads], columns=columns)
            columns |= dict(zip(made.schema.names, made.columns, strict=True))
    return columns


def _reason(recipe: Recipe, found: Measured, without: dict[str, bool]) -> str | None:
    """The first reason that drops a text; as in a run, a filter is asked where the text that it reads is there. `without`: view →
    whether it is empty."""
    if without["source"]:
        return verdicts.EMPTY
    asked = {item.filter.name for item in recipe.filters if item.action == "drop" and not without[item.reads]}
    failed = (rule.name for rule in found.rules if rule.fails and rule.filter in asked)
    return next(failed, verdicts.EMPTIED if without["final"] else None)
