"""What the filters keep under other thresholds, from the signals that a run stored: behind `sweep` and the page's slider.

Exact for the filters' verdicts before dedup and selection: the rules that changed are asked again, the same ones that a run would
ask, of the same signals. Of a row that no model has scored, the models' rules drop nothing.

Held in memory for a row: a bit for each rule, its size (8 bytes), and the columns that moving rules read (4 to 8 bytes each, at
most `MOST_COLUMNS` of them): some 60 MB for a million rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
import polars as pl
import pyarrow as pa

from filters.contract import ContractError, Tier, judge
from filters.rules import AnyRule, ExpressionRule, rule_columns
from pipeline.errors import BrokenContract, InputError, UsageError
from pipeline.inspect.output import Output
from pipeline.plan.load import overridden
from pipeline.plan.recipe import ActiveFilter, Recipe
from pipeline.report.metrics.tally import NO_LANGUAGE
from pipeline.stages.unit import generations, signals, verdicts
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.tables import without_text
from pipeline.store.store import Store

MOST_COLUMNS = 8
"""Columns of signals held at a time; chosen because a threshold moves at most three rules, which read at most three each."""


def units_of(output: Output, work: Store) -> Iterator[Annotated]:
    """The units of all live generations. Raises InputError where the work directory does not know them any more."""
    for made in output.live:
        units = generations.load_generation(work, made)
        if units is None or not all(work.has(name) for unit in units for name in unit.names.signals):
            raise InputError(
                f"{work.root}: the signals of generation {made.generation} are not all there (--clean removes them, a take-down"
                " those that hold strings); run `winnow curate` with the same plan and --replace, or name the work directory with"
                " --work"
            )
        yield from units


def rethresholded(output: Output, assignments: Sequence[str]) -> Recipe:
    """The output's recipe with other thresholds or actions, `KEY=VALUE` each; no model file is read again.

    Raises PlanError for a wrong key or value, UsageError for one that changes more than a threshold.
    """
    old = output.recipe  # first: it refuses plugins of an output that is not trusted
    plan = overridden(output.newest.plan, assignments)
    keys = " ".join(text.partition("=")[0].strip() for text in assignments)
    if plan.model_copy(update={"filters": old.plan.filters}) != old.plan:
        raise _not_only_thresholds(keys)
    filters = []
    for item in old.filters:
        chosen = plan.filter_plan(item.filter)
        if chosen is None or chosen[0] != item.params:
            raise _not_only_thresholds(keys)
        params, thresholds, action = chosen
        rules = item.rules if thresholds == item.thresholds else tuple(item.filter.rules(params, thresholds))
        filters.append(replace(item, thresholds=thresholds, action=action, rules=rules))
    off = [f for f in old.known if f.name not in {item.filter.name for item in filters} and plan.filter_plan(f) is not None]
    if off:
        raise _not_only_thresholds(keys)
    return replace(old, plan=plan, filters=tuple(filters))


def _not_only_thresholds(keys: str) -> UsageError:
    return UsageError(
        f"{keys}: changes what is measured, not only a threshold; run `winnow curate` with --set {keys}=… and --replace"
    )


def same_rule(one: AnyRule, other: AnyRule) -> bool:
    if isinstance(one, ExpressionRule) and isinstance(other, ExpressionRule):
        return one.reason == other.reason and one.drop.meta.eq(other.drop)
    return one == other


class Rows:
    """The rows of some units, in their order: sizes, languages, signals, who fails which rule. Tables are read when needed."""

    def __init__(self, work: Store, recipe: Recipe, units: Sequence[Annotated]) -> None:
        self._work, self.recipe, self.units = work, recipe, tuple(units)
        self._place = {f.name: place for place, item in enumerate(recipe.filters) for f in item.filter.signals}
        self._columns: dict[str, pl.Series] = {}
        self._added: dict[str, list[tuple[np.ndarray, pl.Series]]] = {}
        self._ruled: dict[str, np.ndarray] = {}
        self.starts = np.concatenate([[0], np.cumsum([unit.rows for unit in units], dtype=np.int64)])
        finals = [work.read_table(unit.names.final, ["n_bytes"]) for unit in units]
        self.n_bytes = np.concatenate([np.zeros(0, np.int64), *(table["n_bytes"].to_numpy() for table in finals)])
        without = [without_text(work, unit.names) for unit in units]
        self.blank = np.concatenate([np.zeros(0, bool), *(blank for blank, _ in without)])
        self.emptied = np.concatenate([np.zeros(0, bool), *(emptied for _, emptied in without)])
        self.empty = self.blank | self.emptied
        self.scored = self._scored()

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def models(self) -> bool:
        """Whether the plan has filters of the model tier."""
        return any(item.filter.tier is Tier.MODEL for item in self.recipe.filters)

    @cached_property
    def tokens(self) -> np.ndarray | None:
        """int64[n]: tokens of each row as counted; None where the plan names no tokenizer."""
        names = [unit.names.tokens for unit in self.units]
        if not all(names):
            return None
        parts = [self._work.read_table(str(name), ["token_count"])["token_count"].to_numpy() for name in names]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    def _scored(self) -> np.ndarray:
        """bool[n]: rows that all of the plan's models scored."""
        scored = np.ones(len(self), bool)
        for place, item in enumerate(self.recipe.filters):
            if item.filter.tier is Tier.MODEL:
                for unit, start in zip(self.units, self.starts, strict=False):
                    table = self._work.read_table(unit.names.signals[place], [signals.SCORED])
                    scored[start : start + unit.rows] &= table[signals.SCORED].to_numpy()
        return scored

    @property
    def languages(self) -> pl.Series:
        """Labels; `NO_LANGUAGE` everywhere where the plan has no language filter."""
        if "language" in self._place:
            return self.column("language")
        return pl.Series("language", [NO_LANGUAGE]).new_from_index(0, len(self))

    def column(self, name: str) -> pl.Series:
        """A signal of all rows."""
        return self._held(name, partial(self._read, name))

    def _held(self, key: str, make: Callable[[], pl.Series]) -> pl.Series:
        if key not in self._columns:
            made = make()
            while len(self._columns) >= MOST_COLUMNS:
                self._columns.pop(next(iter(self._columns)))
            self._columns[key] = made
        return self._columns[key]

    def _read(self, name: str) -> pl.Series:
        parts = [self._work.read_frame(unit.names.signals[self._place[name]], [name])[name] for unit in self.units]
        made = pl.concat(parts).rechunk() if parts else pl.Series(name, [], pl.Float32)
        for rows, values in self._added.get(name, ()):
            made = made.scatter(rows, values.cast(made.dtype))
        return made

    def kept(self, recipe: Recipe) -> np.ndarray:
        """bool[n]: rows that the filters keep under `recipe`, which has the same filters as the rows'."""
        old, new = self.recipe.dropping, recipe.dropping
        dropped = np.packbits(self.empty)
        moved = self.empty  # shares memory: it is not written to
        for name, (item, rule) in new.items():
            if name in old and same_rule(old[name][1], rule):
                dropped |= self._answers(name, item, rule)
            else:
                moved = moved | self._fail(item, rule)
        return ~(np.unpackbits(dropped, count=len(self)).view(bool) | moved)

    def failing(self) -> Iterator[tuple[str, np.ndarray]]:
        """`<filter>.<reason>` → bool[n]: rows that are asked and fail a rule of the rows' own recipe, in the order of reasons."""
        for name, (item, rule) in self.recipe.dropping.items():
            yield name, np.unpackbits(self._answers(name, item, rule), count=len(self)).view(bool) & ~self._unasked(item)

    def dropped(self, *, but: Collection[str] = ()) -> np.ndarray:
        """bool[n]: rows that the rows' own recipe drops for other rules than these."""
        return np.logical_or.reduce([self.empty, *(rows for name, rows in self.failing() if name not in but)])

    def first_reasons(self, recipe: Recipe, rows: np.ndarray) -> list[str]:
        """The first reason for which `recipe` drops each of `rows`; "" where it does not drop one."""
        found = np.full(len(rows), "", dtype=object)
        found[self.blank[rows]] = verdicts.EMPTY
        for name, (item, rule) in recipe.dropping.items():
            if not (open_ := found == "").any():
                break
            found[open_ & (self._fail(item, rule) & ~self._unasked(item))[rows]] = name
        found[(found == "") & self.emptied[rows]] = verdicts.EMPTIED
        return found.tolist()

    def _unasked(self, item: ActiveFilter) -> np.ndarray:
        """bool[n]: rows without the text that the filter reads."""
        return self.blank if item.reads == "source" else self.empty

    def _answers(self, name: str, item: ActiveFilter, rule: AnyRule) -> np.ndarray:
        """A bit for each row: it fails this rule of the rows' own recipe. Asked once."""
        if name not in self._ruled:
            self._ruled[name] = np.packbits(self._fail(item, rule))
        return self._ruled[name]

    def _fail(self, item: ActiveFilter, rule: AnyRule) -> np.ndarray:
        """bool[n]: rows that fail a rule; a model's rules are asked of scored rows only."""
        some = item.filter.tier is Tier.MODEL and not self.scored.all()
        names = sorted(rule_columns(rule))
        try:
            if not some:
                frame = pl.DataFrame({name: self._needed(name) for name in names})
                return np.broadcast_to(judge(item.filter, [rule], frame).to_series().to_numpy(), len(self))
            frame = pl.DataFrame({name: self._held(f"{name} scored", partial(self._of_scored, name)) for name in names})
            failed = np.zeros(len(self), bool)
            failed[self.scored] = judge(item.filter, [rule], frame).to_series().to_numpy()
            return failed
        except (ContractError, pl.exceptions.PolarsError) as error:
            raise BrokenContract(f"filter {item.filter.name}: {error}") from error

    def _of_scored(self, name: str) -> pl.Series:
        return self._needed(name).filter(pl.Series(self.scored))

    def _needed(self, name: str) -> pl.Series:
        """A column that a rule reads; null where the plan has the filter that gives it off."""
        if name in self._place:
            return self.column(name)
        kind = next(field.type for known in self.recipe.known for field in known.signals if field.name == name)
        return pl.Series(name, pl.from_arrow(pa.nulls(len(self), kind)))

    def add_scores(self, rows: np.ndarray, made: dict[str, pa.Array]) -> None:
        """Signals of the model tier for `rows`, in memory only: column → Arrow array, row by row with `rows`."""
        for name, values in made.items():
            self._added.setdefault(name, []).append((rows, pl.Series(pl.from_arrow(values))))
        self.scored[rows] = True
        models = {item.filter.name for item in self.recipe.filters if item.filter.tier is Tier.MODEL}
        self._ruled = {name: bits for name, bits in self._ruled.items() if name.partition(".")[0] not in models}
        self._columns.clear()
