"""Verdicts of the filters' rules: judgements over signals, remade in seconds when a threshold changes.

`reason` is the first rule that failed, in `FILTERS` order; `failed` is every rule that failed among the tiers that scored
the row. A filter with `action: annotate` fails nobody.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from filters.contract import ContractError, Tier, judge
from pipeline.errors import BrokenContract
from pipeline.recipe import Recipe

VERDICT = pl.Schema([("stage", pl.String()), ("reason", pl.String()), ("failed", pl.List(pl.String())), ("scored", pl.Boolean())])
"""Columns of a unit's verdicts: all null / empty where the filters keep the row; `scored`: by the model tier."""


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


def fails(failed: pl.DataFrame, n: int) -> pl.Series:
    """Which of n rows fail some rule."""
    return failed.select(pl.any_horizontal(pl.all())).to_series() if failed.width else pl.Series([False] * n, dtype=pl.Boolean)


def spread(failed: pl.DataFrame, rows: np.ndarray, n: int) -> pl.DataFrame:
    """Judgements of these rows, over all n rows of the unit: the others fail nothing."""
    nobody = pl.Series([False] * n, dtype=pl.Boolean)
    return pl.DataFrame({c: nobody.clone().scatter(rows, failed[c]) for c in failed.columns})


def verdicts(empty: pl.Series, failed: dict[Tier, pl.DataFrame], scored: dict[Tier, pl.Series]) -> pl.DataFrame:
    """`VERDICT` columns for a unit.

    `empty`: rows without text. `failed[tier]`: Boolean columns over all rows (false where not scored);
    `scored[tier]`: which rows that tier scored, none of them empty.
    """
    n = len(empty)
    no_rules = pl.Series("failed", [[]], dtype=pl.List(pl.String)).new_from_index(0, n)
    lists = no_rules
    stage = pl.Series("stage", [None] * n, dtype=pl.String)
    for tier in (Tier.CHEAP, Tier.MODEL):
        frame = failed.get(tier)
        if frame is None or frame.width == 0:
            continue
        names = frame.select(
            pl.concat_list([pl.when(pl.col(c)).then(pl.lit(c)) for c in frame.columns]).list.drop_nulls().alias("failed")
        )["failed"]
        names = names.zip_with(scored[tier], no_rules)
        newly = (names.list.len() > 0) & stage.is_null()
        stage = pl.Series([{"cheap": "filter", "model": "model"}[tier.value]] * n).zip_with(newly, stage)
        lists = pl.DataFrame({"a": lists, "b": names}).select(pl.concat_list("a", "b").alias("failed"))["failed"]
    reason = lists.list.first()
    normalise = pl.Series(["normalise"] * n, dtype=pl.String)
    return pl.DataFrame(
        {
            "stage": normalise.zip_with(empty, stage).cast(pl.String),
            "reason": pl.Series(["empty"] * n, dtype=pl.String).zip_with(empty, reason).cast(pl.String),
            "failed": lists,
            "scored": scored.get(Tier.MODEL, pl.Series([False] * n, dtype=pl.Boolean)),
        },
        schema=VERDICT,
    )
