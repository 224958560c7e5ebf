"""What a rule asks of one document: the signal that it reads, its value, and the limit at which the verdict changes.

A limit may come from the plan, a profile or the document's language, so it is found by asking the rule itself: the signal is
varied, everything else kept, and the change is bisected. Invariant: `limit` is a value that passes, and the verdict at the
document's own value is the rule's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from filters.contract import Rule, judge, rule_columns
from pipeline.plan.recipe import ActiveFilter

NEAR = 0.1
"""A value within this share of the limit is a near miss."""
_GRID = np.concatenate([[0.0], np.geomspace(1e-7, 1e10, 341)])
_STEPS = 32


@dataclass(frozen=True)
class RuleMargin:
    """One rule of one document. `signal`, `value` and `limit` are None where the rule reads several signals, or a text."""

    filter: str
    reason: str
    action: str
    fails: bool
    signal: str | None
    value: float | None
    limit: float | None
    least: bool  # the limit is the least value that passes, else the largest

    @property
    def off(self) -> float | None:
        """How far the value is from the limit, as a share of the larger of the two; None where there is no limit."""
        if self.value is None or self.limit is None:
            return None
        return abs(self.value - self.limit) / (max(abs(self.limit), abs(self.value)) or 1.0)

    @property
    def near(self) -> bool:
        return self.off is not None and self.off <= NEAR


def rule_margins(item: ActiveFilter, signals: pl.DataFrame) -> Iterator[RuleMargin]:
    """Every rule of a filter, for the one row of `signals` (own and needed columns)."""
    for rule in item.rules:
        fails = bool(judge(item.filter, [rule], signals).to_series()[0])
        own = [name for name in sorted(rule_columns(rule) & set(item.filter.signals.names)) if signals[name].dtype.is_numeric()]
        signal = own[0] if len(own) == 1 else None
        value = None if signal is None else signals[signal][0]
        limit, least = (
            (None, False) if signal is None or value is None else _limit(item, rule, signals, signal=signal, value=float(value))
        )
        yield RuleMargin(item.filter.name, rule.reason, item.action, fails, signal, value, limit, least)


def _limit(item: ActiveFilter, rule: Rule, row: pl.DataFrame, *, signal: str, value: float) -> tuple[float | None, bool]:
    """The passing value next to the change of verdict that is nearest to `value`, and whether larger values pass."""
    dtype = row[signal].dtype

    def fails(values: np.ndarray) -> np.ndarray:
        frame = row.drop(signal).select(pl.all().repeat_by(len(values)).explode()) if row.width > 1 else pl.DataFrame()
        frame = frame.with_columns(pl.Series(signal, values).cast(dtype, strict=False))
        return judge(item.filter, [rule], frame).to_series().to_numpy()

    points = _points(np.sort(np.append(_GRID, value)), dtype)
    changes = np.flatnonzero(np.diff(fails(points).astype(np.int8)))
    if not len(changes):
        return None, False
    at = changes[np.argmin(np.abs(points[changes] - value))]
    low, high = points[at], points[at + 1]
    while True:
        points = _points(np.linspace(low, high, _STEPS), dtype)
        verdicts = fails(points)
        at = int(np.flatnonzero(np.diff(verdicts.astype(np.int8)))[0])
        if len(points) < 3 or (points[at], points[at + 1]) == (low, high):
            break
        low, high = points[at], points[at + 1]
    least = bool(verdicts[at])
    return float(points[at + 1] if least else points[at]), least


def _points(values: np.ndarray, dtype: Any) -> np.ndarray:
    """The values as the signal's type holds them, each once."""
    if dtype.is_integer():
        values = np.clip(np.round(values), 0, 2**31 - 1)
    elif dtype == pl.Float32:
        values = values.astype(np.float32).astype(np.float64)
    return np.unique(values)
