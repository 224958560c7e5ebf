"""The limits of the rules that drop and compare numbers, for the report's charts and near misses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from filters.rules import Rule
from pipeline.plan.recipe import Recipe


@dataclass(frozen=True)
class RuleLimit:
    """A rule of a filter. `value`: the limit of a document of which nothing is known, as exact as the signal; None: no limit."""

    filter: str
    rule: Rule
    value: float | None

    @property
    def reason(self) -> str:
        return f"{self.filter}.{self.rule.reason}"


def rule_limits(recipe: Recipe) -> tuple[RuleLimit, ...]:
    """The limits of all rules that drop."""
    types = {field.name: field.type for known in recipe.known for field in known.signals}
    return tuple(
        RuleLimit(item.filter.name, rule, _exact(rule.figure, types[rule.signal]))
        for item in recipe.filters
        if item.action == "drop"
        for rule in item.rules
        if isinstance(rule, Rule) and rule.on and rule.numeric
    )


def _exact(value: float | None, kind: pa.DataType) -> float | None:
    return value if value is None else float(np.float32(value) if pa.types.is_float32(kind) else value)
