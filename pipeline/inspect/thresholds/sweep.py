"""`inspect sweep`: what other thresholds would keep, from the signals that a run stored.

Exact for the filters' verdicts before dedup, which a run with that threshold would remake from the same signals. Dedup, selection
and models come later: documents that a threshold lets in and that a model has not scored are counted as such.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

import numpy as np
import polars as pl

from pipeline.errors import UsageError
from pipeline.inspect.output import Output
from pipeline.inspect.thresholds.stored_signals import Rows, rethresholded, units_of
from pipeline.report.table import Said, table
from pipeline.text import numbers

MOST_VALUES = 200
EVERYTHING = "all"
_COUNTED = ("documents", "bytes", "enter", "leave", "unscored")


@dataclass(frozen=True)
class Line:
    """What one value keeps, in one group (`EVERYTHING`, or a language)."""

    value: str
    group: str
    documents: int
    n_bytes: int
    enter: int  # kept by it, and not by the plan that the output was made with
    leave: int
    unscored: int  # of those that enter: not yet scored by the plan's models


_LARGEST = Decimal("1e15")


def values(text: str) -> list[str]:
    """`from:to:step`, both ends included, or a comma-separated list. Raises UsageError."""
    if ":" not in text:
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        first, last, step = (Decimal(part) for part in text.split(":"))
        if not all(number.is_finite() and abs(number) < _LARGEST for number in (first, last, step)):
            raise InvalidOperation
    except (InvalidOperation, ValueError) as error:
        raise UsageError(f"{text}: expected from:to:step, such as 0.1:0.5:0.1, or a list of values") from error
    if not step or (last - first) / step < 0 or (last - first) / step >= MOST_VALUES:
        raise UsageError(f"{text}: expected a step that leads from {first} to {last} in at most {MOST_VALUES} values")
    return [f"{(first + k * step).normalize():f}" for k in range(int((last - first) / step) + 1)]


def sweep(output: Output, key: str, wanted: Sequence[str], *, by_language: bool, work: str | None = None) -> list[Line]:
    """Lines for each value, over all live generations. `key`: of a filter's threshold. Raises UsageError for another key,
    InputError where the signals are gone."""
    recipes = [rethresholded(output, [f"{key}={value}"]) for value in wanted]
    store = (replace(output, work_at=work) if work else output).work
    counts: list[Counter[tuple[str, str]]] = [Counter() for _ in wanted]
    for unit in units_of(output, store):
        seen = Rows(store, output.recipe, [unit])
        before = seen.kept(output.recipe)
        for recipe, counted in zip(recipes, counts, strict=True):
            _count(counted, seen, before, now=seen.kept(recipe), by_language=by_language)
    return [_line(value, group, counted) for value, counted in zip(wanted, counts, strict=True) for group in _groups(counted)]


def _count(counted: Counter[tuple[str, str]], unit: Rows, before: np.ndarray, *, now: np.ndarray, by_language: bool) -> None:
    frame = pl.DataFrame(
        {
            "group": unit.languages if by_language else pl.Series([EVERYTHING]).new_from_index(0, len(now)),
            "documents": now,
            "bytes": np.where(now, unit.n_bytes, 0),
            "enter": now & ~before,
            "leave": before & ~now,
            "unscored": now & ~before & ~unit.scored if unit.models else np.zeros(len(now), bool),
        }
    )
    for row in (
        frame.group_by("group").agg(pl.col("documents", "bytes", "enter", "leave", "unscored").sum()).iter_rows(named=True)
    ):
        for name in ("documents", "bytes", "enter", "leave", "unscored"):
            counted[row["group"], name] += row[name]


def _groups(counted: Counter[tuple[str, str]]) -> list[str]:
    groups = {group for group, _ in counted}
    return sorted(groups, key=lambda group: (-counted[group, "documents"], group))


def _line(value: str, group: str, counted: Counter[tuple[str, str]]) -> Line:
    return Line(value, group, *(counted[group, name] for name in _COUNTED))


def sweep_text(key: str, lines: Sequence[Line], *, now: str) -> Said:
    """A table for a terminal; `now`: what the plan has."""
    models = any(line.unscored for line in lines)
    changed = {line.group for line in lines if line.enter or line.leave}
    still = {line.group for line in lines} - changed - {EVERYTHING}
    rows = []
    for line in lines:
        if line.group in still:
            continue
        counts = [numbers.count(n) for n in (line.enter, line.leave, *([line.unscored] if models else []))]
        rows.append((line.value, line.group, numbers.count(line.documents), numbers.size(line.n_bytes), *counts))
    head = ("value", "group", ">kept", ">bytes", ">enter", ">leave", *([">not yet scored"] if models else []))
    none = [f"no value changes anything in {numbers.counted(len(still), 'other group')} (--json lists them)"] if still else []
    return [f"{key} is {now}; kept by the filters, before dedup and selection", table(head, rows), *none]
