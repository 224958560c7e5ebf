"""What the rules ask of one document: the signal, its value, what passes, and how far the one is from the other.

Where a document's signals come from is another module's matter: a run (`pipeline.inspect.values`), or a text that is judged now
(`pipeline.inspect.verdict`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl
import pyarrow as pa

from filters.contract import Tier, judge
from filters.rules import AnyRule, Rule
from pipeline.plan.recipe import ActiveFilter, Recipe
from pipeline.text import numbers
from pipeline.text.visible import visible

NEAR = 0.1
"""A value within this share of the limit is a near miss."""
BY_EXPRESSION = "(expression)"
Value: TypeAlias = float | str | bool | None
_PASSES = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True)
class RuleMargin:
    """One rule of one document. `limit`: of this document; None where it has none, or where the rule compares no numbers."""

    filter: str
    rule: AnyRule
    action: str
    fails: bool
    value: Value
    limit: float | None

    @property
    def reason(self) -> str:
        return self.rule.reason

    @property
    def name(self) -> str:
        """As the ledger names it."""
        return f"{self.filter}.{self.rule.reason}"

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
    def said(self) -> str:
        """The value with three digits, or as many more as tell it from the limit."""
        if self.limit is None or isinstance(self.value, bool) or not isinstance(self.value, int | float):
            return worded(self.value)
        return numbers.apart(self.value, self.limit)[0]

    @property
    def off(self) -> float | None:
        """How far the value is from the limit, as a share of the larger of the two; None where there is no limit."""
        if self.limit is None or not isinstance(self.value, int | float):
            return None
        return abs(self.value - self.limit) / (max(abs(self.limit), abs(self.value)) or 1.0)

    @property
    def near(self) -> bool:
        return self.off is not None and self.off <= NEAR

    @property
    def told(self) -> bool:
        """Whether it says something of the document's fate: it failed, or only just passed."""
        return self.fails or self.near


@dataclass(frozen=True)
class Measured:
    """One document's `rules` that are on, in the order of reasons (cheap ones first), and its `signals`: filter → column → value;
    None where nothing was measured."""

    rules: tuple[RuleMargin, ...]
    signals: tuple[tuple[str, dict[str, Value]], ...]
    evidence: tuple[str, ...] = ()
    """Signals that say more than a rule's value does, such as where in the text something is."""

    @property
    def beside_rules(self) -> list[tuple[str, dict[str, Value]]]:
        """The signals of filters without rules, and evidence of the others where there is some."""
        ruled = {rule.filter for rule in self.rules}
        compared = {rule.signal for rule in self.rules}
        found: list[tuple[str, dict[str, Value]]] = []
        for name, values in self.signals:
            more: dict[str, Value] = {
                key: v for key, v in values.items() if key in self.evidence and key not in compared and v is not None
            }
            found.append((name, more if name in ruled else values))
        return [(name, values) for name, values in found if values]


def measured(recipe: Recipe, columns: Mapping[str, pa.Array], *, unknown: Collection[str] = ()) -> Measured:
    """`columns`: signals of one document, arrays of one value each; one that is not there is null. The rules of filters in
    `unknown` are not asked: their signals are not there because no one has them, not because the filter gave none."""
    types = {field.name: field.type for known in recipe.known for field in known.signals}
    rules: list[RuleMargin] = []
    shown = []
    for item in sorted(recipe.filters, key=lambda item: item.filter.tier is Tier.MODEL):
        wanted = (*item.filter.signals.names, *item.filter.needs)
        row = pl.DataFrame({c: pl.from_arrow(columns[c] if c in columns else pa.nulls(1, types[c])) for c in wanted})
        rules += rule_margins(item, row, asked=item.filter.name not in unknown)
        shown.append((item.filter.name, {name: row[name].item() for name in item.filter.signals.names}))
    evidence = tuple(name for item in recipe.filters for name in item.filter.evidence)
    return Measured(tuple(rules), tuple(shown), evidence)


def rule_margins(item: ActiveFilter, signals: pl.DataFrame, *, asked: bool = True) -> list[RuleMargin]:
    """Every rule of a filter that is on, for the one row of `signals` (own and needed columns); none fails unless `asked`."""
    rules = [rule for rule in item.rules if rule.on]
    fails = judge(item.filter, rules, signals).row(0) if asked and rules else (False,) * len(rules)
    limits = {rule.reason: rule.row_limit.alias(rule.reason) for rule in rules if isinstance(rule, Rule) and rule.numeric}
    limit_of = dict(zip(limits, signals.select(*limits.values()).row(0), strict=True)) if limits else {}
    values = [signals[rule.signal].item() if isinstance(rule, Rule) else None for rule in rules]
    return [
        RuleMargin(item.filter.name, rule, item.action, bool(failed), value, limit_of.get(rule.reason))
        for rule, failed, value in zip(rules, fails, values, strict=True)
    ]


def worded(value: object) -> str:
    """A signal's value as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return visible(value, limit=80)
    return numbers.signal(value if isinstance(value, int | float) else None)
