"""A rule, as data: the signal that it compares, the limit, the rows that it is for, and the plan's thresholds that decide it.

What a rule says is derived from these fields and nowhere guessed: which rows fail (`drop`), the limit of each row (`row_limit`),
the lines in report and slider, the margins of `why`. A row whose signal is null was not scored, and passes.

Limits are as exact as signals: 1 word in 10 is 0.1 in float32, which is more than 0.1 in float64. Polars compares a column with a
number in the column's own type.
"""

from __future__ import annotations

import operator
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Literal, TypeAlias

import polars as pl


@dataclass(frozen=True)
class Among:
    """Rows whose `column` holds one of `values`; with `also`, those of them for which that holds too."""

    column: str
    values: tuple[str, ...]
    also: Among | None = None

    def reads(self, columns: Collection[str]) -> bool:
        """Whether one of these columns decides it."""
        return self.column in columns or (self.also is not None and self.also.reads(columns))


@dataclass(frozen=True)
class ByRow:
    """A limit that depends on the row: the figure of the first rows that it is among, else `otherwise`; float32. None: no
    limit."""

    figures: tuple[tuple[Among, float | None], ...]
    otherwise: float | None

    def without(self, absent: Collection[str]) -> ByRow | float | None:
        """The limit where these columns are not there."""
        known = tuple((rows, figure) for rows, figure in self.figures if not rows.reads(absent))
        return ByRow(known, self.otherwise) if known else self.otherwise


Comparison = Literal["<", "<=", ">", ">=", "is", "not in"]
Limit: TypeAlias = float | ByRow | tuple[Among, ...] | None
"""A number, a number by row, a flag (`is`), or a list of what passes (`not in`). None: the rule is switched off."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One way to fail: `signal` `fails` `limit`, such as `words < 50`. At its limit a row passes `<` and `>`, and fails the rest.

    A rule that the plan switches off is listed all the same, with the limit None.
    """

    reason: str
    """What is wrong with the document, in words."""
    signal: str
    """A column of the filter's own, or a needed one."""
    fails: Comparison
    limit: Limit
    keys: tuple[str, ...]
    """Fields of `thresholds`: the one that the limit is the value of, then others that decide the limit or where it applies."""
    where: tuple[Among, ...] = ()
    """The rows that the rule is for, those of any entry; all rows without one."""

    @property
    def on(self) -> bool:
        return self.limit is not None

    @property
    def numeric(self) -> bool:
        """Whether it compares numbers."""
        return self.fails not in ("is", "not in")

    @property
    def least(self) -> bool:
        """Whether the limit is a least value, and larger ones pass."""
        return self.fails in ("<", "<=")

    @property
    def by(self) -> tuple[str, ...]:
        """The columns that the limit depends on."""
        return tuple(sorted(set(self._limit.meta.root_names()))) if self.numeric else ()

    @property
    def figure(self) -> float | None:
        """The limit of a row of which nothing is known; None where that has none, or where it is no number."""
        limit = self.limit.otherwise if isinstance(self.limit, ByRow) else self.limit
        return None if isinstance(limit, tuple) or not self.numeric else limit

    @cached_property
    def row_limit(self) -> pl.Expr:
        """The limit of each row, null where it has none; of a rule whose limit is no list."""
        made = self._limit
        return pl.when(_among(self.where)).then(made) if self.where else made

    @cached_property
    def drop(self) -> pl.Expr:
        """True on the rows that fail, false on the others."""
        limit = self.limit
        failed = ~_among(limit) if isinstance(limit, tuple) else _COMPARED[self.fails](pl.col(self.signal), self._limit)
        return (failed & _among(self.where) if self.where else failed).fill_null(False)

    def without(self, absent: Collection[str]) -> Rule:
        """The rule where these columns are not there: nothing is known of a row that they would have told."""
        where = tuple(rows for rows in self.where if not rows.reads(absent))
        limit = self.limit
        if isinstance(limit, ByRow):
            limit = limit.without(absent)
        elif isinstance(limit, tuple) and any(rows.reads(absent) for rows in limit):
            limit = None
        off = self.signal in absent or (bool(self.where) and not where)
        return replace(self, where=where, limit=None if off else limit)

    @property
    def _limit(self) -> pl.Expr:
        assert not isinstance(self.limit, tuple)
        return _by_row(self.limit) if isinstance(self.limit, ByRow) else pl.lit(self.limit)


_COMPARED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "is": operator.eq, "not in": operator.ne}


def _by_row(limit: ByRow) -> pl.Expr:
    columns = {rows.column for rows, _ in limit.figures}
    if len(columns) == 1 and not any(rows.also for rows, _ in limit.figures):
        figures = {value: figure for rows, figure in reversed(limit.figures) for value in rows.values}
        named = pl.col(*columns).cast(pl.String).fill_null("")
        return named.replace_strict(figures, default=limit.otherwise, return_dtype=pl.Float32)
    made = pl.lit(limit.otherwise, pl.Float32)
    for rows, figure in reversed(limit.figures):
        made = pl.when(_among((rows,))).then(pl.lit(figure, pl.Float32)).otherwise(made)
    return made


def _among(entries: tuple[Among, ...]) -> pl.Expr:
    """Whether a row is of any of the entries."""
    return reduce(operator.or_, map(_of, entries))


def _of(rows: Among) -> pl.Expr:
    found = pl.col(rows.column).is_in(rows.values)
    return found & _of(rows.also) if rows.also else found


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpressionRule:
    """A rule that no comparison can say: `drop` is true on the rows that fail, and never null. It is shown without a limit."""

    reason: str
    drop: pl.Expr
    keys: tuple[str, ...] = ()
    """Fields of `thresholds` that decide it."""
    on = True


AnyRule: TypeAlias = Rule | ExpressionRule


def rule_columns(rule: AnyRule) -> set[str]:
    """Names of the columns that a rule reads."""
    return set(rule.drop.meta.root_names())
