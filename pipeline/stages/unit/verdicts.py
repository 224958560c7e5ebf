"""Verdicts of the filters' rules: judgements over signals, remade in seconds when a threshold changes.

`reason` is the first rule that failed, in `FILTERS` order; `failed` is every rule that failed among the tiers that scored
the row. A filter with `action: annotate` fails nobody. Of a row whose text was emptied by edits only rules that read the source
text are asked: what is left of it says nothing about the page.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from filters.contract import ContractError, Tier, judge
from pipeline.errors import BrokenContract
from pipeline.plan.recipe import Recipe
from pipeline.stages.unit import withhold

VERDICT = pa.schema([("stage", pa.string()), ("reason", pa.string()), ("failed", pa.list_(pa.string())), ("scored", pa.bool_())])
"""Columns of a unit's verdicts: all null / empty where the filters keep the row; `scored`: by the model tier."""
EMPTY, EMPTIED = "empty", "emptied_by_edits"
"""Reasons of rows without text: none was read; there was some, no rule that read it failed, and edits left nothing."""
_STAGES = pa.array([None, "filter", "model", "normalise", "edit"], pa.string())


def failures(recipe: Recipe, tier: Tier, signals: pl.DataFrame) -> pl.DataFrame:
    """One Boolean column `<filter>.<reason>` per rule of the tier's filters that drop, in `FILTERS` order."""
    columns = []
    for item in recipe.filters:
        if item.filter.tier is not tier or item.action != "drop":
            continue
        try:
            columns.append(judge(item.filter, list(item.rules), signals))
        except (ContractError, pl.exceptions.PolarsError) as error:
            raise BrokenContract(f"filter {item.filter.name}: {error}") from error
    return pl.concat(columns, how="horizontal") if columns else pl.DataFrame()


def of_source(recipe: Recipe, failed: pl.DataFrame, emptied: np.ndarray) -> pl.DataFrame:
    """The failures without those of rows in `emptied` (bool[n]) under rules that read the final text."""
    final = {item.filter.name for item in recipe.filters if item.reads == "final"}
    if not emptied.any():
        return failed
    there = pl.Series(~emptied)
    return failed.with_columns(failed[name] & there for name in failed.columns if name.partition(".")[0] in final)


def fails(failed: pl.DataFrame, n: int) -> pl.Series:
    """Which of n rows fail some rule."""
    return failed.select(pl.any_horizontal(pl.all())).to_series() if failed.width else pl.Series([False] * n, dtype=pl.Boolean)


def spread(failed: pl.DataFrame, rows: np.ndarray, n: int) -> pl.DataFrame:
    """Judgements of these rows, over all n rows of the unit: the others fail nothing."""
    nobody = pl.Series([False] * n, dtype=pl.Boolean)
    return pl.DataFrame({c: nobody.clone().scatter(rows, failed[c]) for c in failed.columns})


def taken_down(verdicts: pa.Table, positions: Sequence[int]) -> pa.Table:
    """The verdicts with these rows taken down. Other rules that they failed are not recorded."""
    gone = np.isin(np.arange(verdicts.num_rows), positions)
    told = {"stage": withhold.STAGE, "reason": withhold.REASON, "failed": [], "scored": False}
    return withhold.emptied(verdicts, gone, told) if gone.any() else verdicts


def verdicts(
    failed: dict[Tier, pl.DataFrame], scored: dict[Tier, pl.Series], *, blank: np.ndarray, emptied: np.ndarray
) -> pa.Table:
    """`VERDICT` columns for a unit.

    `failed[tier]`: Boolean columns over all rows (false where not scored); `scored[tier]`: which rows that tier scored, none of
    them blank. `blank`: bool[n], rows that never had text; `emptied`: those that edits left without.
    """
    n = len(blank)
    names: list[str] = []
    columns: list[np.ndarray] = []
    stage = np.zeros(n, np.int8)
    for number, tier in enumerate((Tier.CHEAP, Tier.MODEL), start=1):
        frame = failed.get(tier)
        if frame is None or frame.width == 0:
            continue
        judged = scored[tier].to_numpy() & ~blank
        names += frame.columns
        columns += [column.to_numpy() & judged for column in frame]
        stage[(stage == 0) & np.any(columns[-frame.width :], axis=0)] = number
    fails = np.array(columns, np.bool_).reshape(len(columns), n)
    rows, rules = np.nonzero(fails.T)
    ends = np.append(0, np.cumsum(np.count_nonzero(fails, axis=0)))
    reasons = pa.array([*names, EMPTY, EMPTIED], pa.string())
    first = np.full(n, -1, np.int64)
    first[rows[::-1]] = rules[::-1]
    for number, without in enumerate((blank, emptied)):
        left = without & (first < 0)
        first[left], stage[left] = len(names) + number, 3 + number
    lists = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), reasons.take(pa.array(rules)))
    return pa.table(
        {
            "stage": _STAGES.take(pa.array(stage, mask=stage == 0)),
            "reason": reasons.take(pa.array(first, mask=first < 0)),
            "failed": lists,
            "scored": pa.array(scored[Tier.MODEL].to_numpy() if Tier.MODEL in scored else np.zeros(n, bool)),
        },
        schema=VERDICT,
    )
