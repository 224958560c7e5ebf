"""The limit of a rule: the signal that it compares, the value, and the side that fails. Read off the rule's own expression.

A limit may depend on the row (FineWeb-2's figures by language), so it stays an expression. Invariant: nothing is guessed; a
rule that is no comparison of one signal with a limit (`~listed`, a flag) has no limit here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pipeline.plan.recipe import ActiveFilter, Recipe


@dataclass(frozen=True)
class RuleLimit:
    """One rule. `least`: values below the limit fail, else values above it; `passes`: the limit itself does not fail."""

    filter: str
    reason: str  # `<filter>.<reason>`
    signal: str
    limit: pl.Expr  # over columns of the row, in the signal's type
    value: float  # the limit of a row of which nothing is known: the same for every row unless `by_row`
    by_row: bool
    least: bool
    passes: bool


def rule_limits(recipe: Recipe) -> tuple[RuleLimit, ...]:
    """The limits of all rules that drop."""
    types = {
        name: kind for f in recipe.known for name, kind in pl.DataFrame(pl.from_arrow(f.signals.empty_table())).schema.items()
    }
    active = [item for item in recipe.filters if item.action == "drop"]
    return tuple(limit for item in active for limit in _limits(item, types))


def _limits(item: ActiveFilter, types: Mapping[str, pl.DataType]) -> Iterator[RuleLimit]:
    for rule in item.rules:
        reason = f"{item.filter.name}.{rule.reason}"
        found = [limit for node in _nodes(rule.drop) if (limit := _limit(item, reason, node, types=types)) is not None]
        if len(found) == 1 and ".not()" not in str(rule.drop):
            yield found[0]


def _nodes(expr: pl.Expr) -> Iterator[pl.Expr]:
    yield expr
    for part in expr.meta.pop():
        yield from _nodes(part)


def _limit(item: ActiveFilter, reason: str, node: pl.Expr, *, types: Mapping[str, pl.DataType]) -> RuleLimit | None:
    parts = node.meta.pop()
    own = [part for part in parts if part.meta.is_column()]
    if len(parts) != 2 or len(own) != 1:
        return None
    signal = own[0].meta.root_names()[0]
    other = parts[1] if parts[0] is own[0] else parts[0]
    needed = other.meta.root_names()
    if signal not in item.filter.signals.names or not types[signal].is_numeric() or signal in needed:
        return None
    kind = types[signal] if types[signal].is_float() else pl.Float64()
    limit = other.cast(kind)
    row = pl.DataFrame({name: pl.Series([None], dtype=types[name]) for name in needed})
    default = row.select(limit).item()
    if default is None:
        return None
    asked = pl.DataFrame({signal: pl.Series(_around(default, types[signal]), dtype=types[signal])})
    asked = asked.with_columns(pl.lit(None, types[name]).alias(name) for name in needed)
    sides = _SIDES.get(tuple(asked.select(node).to_series().to_list()))
    return None if sides is None else RuleLimit(item.filter.name, reason, signal, limit, float(default), bool(needed), *sides)


_SIDES = {
    (True, False, False): (True, True),
    (True, True, False): (True, False),
    (False, False, True): (False, True),
    (False, True, True): (False, False),
}
"""Whether just below, at and just above the limit fails → `(least, passes)`."""


def _around(value: float, dtype: Any) -> list[float]:
    if dtype.is_integer():
        return [int(value) - 1, int(value), int(value) + 1]
    width = np.float32 if dtype == pl.Float32 else np.float64
    return [float(np.nextafter(width(value), width(to))) for to in (-np.inf, value, np.inf)]
