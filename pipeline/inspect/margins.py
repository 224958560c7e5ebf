"""What the rules ask of one document: the signal, its value, what passes, and how far the one is from the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from filters.contract import judge
from filters.rules import AnyRule, Rule
from pipeline.plan.recipe import ActiveFilter
from pipeline.text import numbers
from pipeline.text.visible import visible

NEAR = 0.1
"""A value within this share of the limit is a near miss."""
BY_EXPRESSION = "(expression)"
_PASSES = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True)
class RuleMargin:
    """One rule of one document. `limit`: of this document; None where it has none, or where the rule compares no numbers."""

    filter: str
    rule: AnyRule
    action: str
    fails: bool
    value: float | str | None
    limit: float | None

    @property
    def reason(self) -> str:
        return self.rule.reason

    @property
    def signal(self) -> str | None:
        return self.rule.signal if isinstance(self.rule, Rule) else None

    @property
    def passes(self) -> str | None:
        """What passes: `>= 50`, `false`, `as listed`; None where the rule does not apply."""
        if not isinstance(self.rule, Rule):
            return BY_EXPRESSION
        if not self.rule.numeric:
            return "as listed" if self.rule.fails == "not in" else worded(not self.rule.limit)
        return None if self.limit is None else f"{_PASSES[self.rule.fails]} {worded(self.limit)}"

    @property
    def off(self) -> float | None:
        """How far the value is from the limit, as a share of the larger of the two; None where there is no limit."""
        if self.limit is None or not isinstance(self.value, int | float):
            return None
        return abs(self.value - self.limit) / (max(abs(self.limit), abs(self.value)) or 1.0)

    @property
    def near(self) -> bool:
        return self.off is not None and self.off <= NEAR


def rule_margins(item: ActiveFilter, signals: pl.DataFrame) -> Iterator[RuleMargin]:
    """Every rule of a filter that is on, for the one row of `signals` (own and needed columns)."""
    for rule in (rule for rule in item.rules if rule.on):
        fails = bool(judge(item.filter, [rule], signals).item())
        value = signals[rule.signal].item() if isinstance(rule, Rule) else None
        limit = signals.select(rule.row_limit).item() if isinstance(rule, Rule) and rule.numeric else None
        yield RuleMargin(item.filter.name, rule, item.action, fails, value, limit)


def worded(value: object) -> str:
    """A signal's value as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return visible(value, limit=20)
    return numbers.signal(value if isinstance(value, int | float) else None)
