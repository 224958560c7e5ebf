"""One text through the plan's edits and filters, as a run would judge it: for `inspect why`.

Dedup and selection compare documents and are not part of it; scores joined from elsewhere (`annotations`) are null.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from filters.contract import TextBatch, Tier
from pipeline.inspect.margins import RuleMargin, rule_margins
from pipeline.plan import scores
from pipeline.plan.recipe import ActiveFilter, Recipe
from pipeline.stages.unit import signals
from pipeline.text import final, normalise


@dataclass(frozen=True)
class TextVerdict:
    """`text`: final; `rules` in the order of reasons; `signals`: filter → column → value; `edits` that changed the text."""

    source_text: str
    text: str
    edits: tuple[str, ...]
    rules: tuple[RuleMargin, ...]
    signals: tuple[tuple[str, dict[str, object]], ...]

    @property
    def reason(self) -> str | None:
        """The first reason that drops it; as in a run, models count only where no cheap filter fails; none for no text."""
        if final.text_hash(self.text) == final.EMPTY:
            return "empty"
        return next((f"{rule.filter}.{rule.reason}" for rule in self.rules if rule.fails and rule.action == "drop"), None)


def judge_text(recipe: Recipe, text: str) -> TextVerdict:
    """Judge `text` as a run with this recipe would. Model filters are asked even where a cheap one drops it."""
    source = normalise.normalise(pa.array([text], pa.large_string()))
    finished = final.finish(source, recipe.steps)
    ended = final.texts(source, finished)
    batches = {"source": TextBatch(source)}
    batches["final"] = TextBatch(ended, batches["source"]) if final.edited(finished).any() else batches["source"]
    columns: dict[str, pa.Array] = {}
    rules: list[RuleMargin] = []
    shown = []
    for item in sorted(recipe.filters, key=lambda item: item.filter.tier is Tier.MODEL):
        if item.filter.name == scores.NAME:
            made = pa.RecordBatch.from_arrays([pa.nulls(1, f.type) for f in item.filter.signals], schema=item.filter.signals)
        else:
            made = signals.run_filter(item, recipe.known, batches[item.reads], columns=columns)
        columns |= dict(zip(made.schema.names, made.columns, strict=True))
        frame = pl.DataFrame({name: pl.from_arrow(column) for name, column in columns.items()})
        rules += rule_margins(item, _with_needed(item, frame, recipe))
        shown.append((item.filter.name, {name: column[0].as_py() for name, column in zip(made.schema.names, made, strict=True)}))
    edits = finished["edits"][0].as_py()
    return TextVerdict(source[0].as_py(), ended[0].as_py(), tuple(edits), tuple(rules), tuple(shown))


def _with_needed(item: ActiveFilter, frame: pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
    """The filter's own and needed columns; null where the plan has the filter that gives them off."""
    types = {field.name: field.type for known in recipe.known for field in known.signals}
    wanted = [*item.filter.signals.names, *item.filter.needs]
    missing = {name: pl.Series(name, pl.from_arrow(pa.nulls(1, types[name]))) for name in wanted if name not in frame.columns}
    return frame.with_columns(**missing).select(wanted)
