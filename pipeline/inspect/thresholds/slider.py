"""The thresholds of an output's plan, and at once what another value of one would keep: the numbers of `inspect sweep`.

Rows are held in blocks of a million (see `pipeline.inspect.thresholds.stored_signals`), so that a value is answered without a
file being read. Scores of the model tier that a value asks for are computed on demand by the function that a run uses, and stay
in memory: the work directory is not written to. Whether documents that enter are duplicates, only a run decides: they are counted
as not compared.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import ValidationError

from filters.contract import Tier
from pipeline.errors import UsageError
from pipeline.inspect.output import Output
from pipeline.inspect.thresholds.plan_thresholds import Threshold, thresholds
from pipeline.inspect.thresholds.stored_signals import Rows, rethresholded, units_of
from pipeline.machine.meter import Meter
from pipeline.plan.recipe import ActiveFilter, Recipe
from pipeline.report.compute import ledger
from pipeline.stages.unit import signals
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.refs import ref
from pipeline.stages.unit.tables import UnitText, texts_at
from pipeline.store.store import Store

BLOCK_ROWS = 1_000_000
"""Rows judged at a time; chosen because a million keep every library call large and a filter's column at 8 MB."""
BINS = 60
STOPS = 200
"""Values that the slider can rest on, besides the plan's own; chosen because a finger on a phone does not hit more."""
SAMPLES = 5
EXCERPT = 600
"""Characters of a sample that are read; the page cuts further."""
MOST_SCORED = 20_000
"""Documents that one press of the button scores; chosen because shipped models take some seconds for as many web pages."""
_LOG_FROM = 50
"""Largest value / median from which an axis is logarithmic; chosen because the median then lies in the first bins."""


@dataclass(frozen=True)
class Dropped:
    """Documents that a threshold's rules drop: that they are the `first` to, that fail `any`, that fail `only` such."""

    first: int
    any: int
    only: int


@dataclass(frozen=True)
class Effect:
    """What some values keep before dedup and selection, and what changes against the output's plan.

    Sizes are bytes of final text. `unscored`: of those that enter, not yet scored by the plan's models, and counted as kept.
    """

    documents: int
    n_bytes: int
    tokens: int
    before: int
    bytes_before: int
    tokens_before: int
    enter: int
    leave: int
    unscored: int


@dataclass(frozen=True)
class Histogram:
    """Documents by value of a signal. `left`: those that no other rule drops, so this threshold decides them alone."""

    edges: list[float]
    counts: list[int]
    left: list[int]
    nulls: int
    log: bool
    whole: bool


@dataclass(frozen=True)
class Sample:
    """A document that crosses a threshold: where it is, its values of the signals, the beginning of its final text."""

    id: str
    source_ref: str
    values: tuple[float | str | None, ...]
    text: str


def plan_lines(overrides: dict[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in overrides.items()]


class Slider:
    """The rows of an output, ready to be judged. One request at a time works on them."""

    def __init__(self, output: Output, work: Store) -> None:
        """Raises InputError where the work directory does not hold the signals."""
        self.output, self._work = output, work
        self.thresholds = {found.key: found for found in thresholds(output)}
        self._lock = threading.Lock()
        self._blocks = [Rows(work, output.recipe, units) for units in _blocks(list(units_of(output, work)))]
        self._before = [block.kept(output.recipe) for block in self._blocks]
        counts = np.zeros((len(self.thresholds), 3), np.int64)
        for block in self._blocks:
            counts += _dropped(block, list(self.thresholds.values()))
        self.dropped = {key: Dropped(*line) for key, line in zip(self.thresholds, counts.tolist(), strict=True)}
        self._histograms: dict[tuple[str, tuple[str, ...]], Histogram] = {}

    @property
    def counted(self) -> bool:
        """Whether tokens are counted; else they are estimated from bytes."""
        return all(block.tokens is not None for block in self._blocks)

    def recipe(self, overrides: dict[str, str]) -> Recipe:
        """Raises UsageError or PlanError for a key that is no threshold, or a wrong value."""
        for key in overrides:
            if key not in self.thresholds:
                raise UsageError(f"{key}: not a threshold of this output's plan; there are {', '.join(self.thresholds)}")
        return rethresholded(self.output, plan_lines(overrides))

    def effect(self, overrides: dict[str, str]) -> Effect:
        """The documents that these values would keep."""
        recipe = self.recipe(overrides)
        with self._lock:
            sums = np.zeros(9, np.int64)
            for block, before in zip(self._blocks, self._before, strict=True):
                now = block.kept(recipe)
                enter, leave = now & ~before, before & ~now
                unscored = int(np.count_nonzero(enter & ~block.scored)) if block.models else 0
                sums += np.array(
                    [*self._sizes(block, now), *self._sizes(block, before), enter.sum(), leave.sum(), unscored], np.int64
                )
            documents, n_bytes, tokens, old, old_bytes, old_tokens, *rest = (int(n) for n in sums)
        if not self.counted:
            ratio = self.output.plan.compute.bytes_per_token
            tokens, old_tokens = ledger.estimate(n_bytes, ratio), ledger.estimate(old_bytes, ratio)
        return Effect(documents, n_bytes, tokens, old, old_bytes, old_tokens, *rest)

    @staticmethod
    def _sizes(block: Rows, rows: np.ndarray) -> tuple[int, int, int]:
        tokens = 0 if block.tokens is None else int(block.tokens[rows].sum())
        return int(np.count_nonzero(rows)), int(block.n_bytes[rows].sum()), tokens

    def samples(self, overrides: dict[str, str], key: str) -> dict[str, list[Sample]]:
        """`enter` and `leave`: a few documents that cross, evenly spread in the output's order, with what `key`'s rules read."""
        names = self.thresholds[key].signals
        recipe = self.recipe(overrides)
        with self._lock:
            sides: dict[str, list[tuple[int, int]]] = {"enter": [], "leave": []}
            for number, (block, before) in enumerate(zip(self._blocks, self._before, strict=True)):
                now = block.kept(recipe)
                for side, rows in (("enter", now & ~before), ("leave", before & ~now)):
                    sides[side] += [(number, int(row)) for row in _spread(np.flatnonzero(rows))]
            chosen = {side: [found[k] for k in _spread(np.arange(len(found)))] for side, found in sides.items()}
            return {side: [self._sample(*place, names) for place in found] for side, found in chosen.items()}

    def _sample(self, number: int, row: int, names: Sequence[str]) -> Sample:
        block = self._blocks[number]
        place = int(np.searchsorted(block.starts, row, side="right")) - 1
        unit, at = block.units[place], np.array([row - block.starts[place]])
        document = self._work.take(unit.names.documents, ["id", "row"], at)
        text = texts_at(self._work, unit.names, at)[0].as_py()
        values = tuple(block.column(name)[row] for name in names)
        return Sample(document["id"][0].as_py(), ref(unit.names, document["row"][0].as_py()), values, text[:EXCERPT])

    def histograms(self, key: str) -> dict[str, Histogram]:
        """The histogram of each signal that a threshold's rules read."""
        found = self.thresholds[key]
        with self._lock:
            for name in [(signal, found.rules) for signal in found.signals]:
                if name not in self._histograms:
                    self._histograms[name] = self._histogram(*name)
        return {signal: self._histograms[signal, found.rules] for signal in found.signals}

    def _histogram(self, signal: str, rules: tuple[str, ...]) -> Histogram:
        parts = [(_counted(block.column(signal)), ~block.dropped(but=rules)) for block in self._blocks]
        whole = parts[0][0].dtype.is_integer() if parts else False
        values = pl.concat([column for column, _ in parts]).drop_nulls().to_numpy() if parts else np.zeros(0)
        edges, log = _edges(values, whole=whole)
        counts, left = np.zeros(len(edges) - 1, np.int64), np.zeros(len(edges) - 1, np.int64)
        for column, others in parts:
            there = column.is_not_null().to_numpy()
            counts += np.histogram(column.drop_nulls().to_numpy(), edges)[0]
            left += np.histogram(column.filter(pl.Series(there & others)).to_numpy(), edges)[0]
        nulls = sum(column.null_count() for column, _ in parts)
        return Histogram([float(e) for e in edges], counts.tolist(), left.tolist(), nulls, log, whole)

    def stops(self, key: str) -> list[float] | list[bool | str]:
        """Values for a slider, only ones that a plan may have: the choices; or numbers over the signal's range with the line
        among them, ascending."""
        found, seen = self.thresholds[key], list(self.histograms(key).values())
        if found.kind != "number":
            return list(found.choices)
        low = min((one.edges[0] for one in seen), default=0.0)
        high = max((one.edges[-1] for one in seen), default=1.0)
        log = any(one.log for one in seen)
        if found.line is not None:
            log |= found.line > 10 * high > 0
            low, high = min(low, found.line), max(high, found.line)
        low = max(low, 0.0) if found.whole else low
        if log and low >= 0:
            made = np.concatenate([[low], np.geomspace(max(low, 1.0 if found.whole else high / 1e6), high, STOPS)])
        else:
            made = np.linspace(low, high, STOPS + 1)
        values = {round(v) for v in made.tolist()} if found.whole else {float(f"{v:.4g}") for v in made}
        values |= set() if found.line is None else {found.line}
        item = next(item for item in self.output.recipe.filters if found.key.startswith(f"filters.{item.filter.name}."))
        return sorted(v for v in values if _accepted(item, found.name, v))

    def score(self, overrides: dict[str, str], *, most: int = MOST_SCORED) -> int:
        """Have the plan's models score documents that these values let in; how many were scored. At most `most` at a time."""
        recipe, done = self.recipe(overrides), 0
        with self._lock:
            for block, before in zip(self._blocks, self._before, strict=True):
                missing = np.flatnonzero(block.kept(recipe) & ~before & ~block.scored)[: most - done]
                for place, unit in enumerate(block.units):
                    start, stop = block.starts[place], block.starts[place + 1]
                    rows = missing[(missing >= start) & (missing < stop)]
                    if len(rows):
                        block.add_scores(rows, self._scores(block, unit, int(start), rows=rows - start))
                done += len(missing)
        return done

    def _scores(self, block: Rows, unit: Annotated, start: int, *, rows: np.ndarray) -> dict[str, pa.Array]:
        recipe = self.output.recipe
        cheap = {f.name for item in recipe.filters if item.filter.tier is Tier.CHEAP for f in item.filter.signals}
        needed = {name for item in recipe.filters if item.filter.tier is Tier.MODEL for name in item.filter.needs} & cheap
        types = {f.name: f.type for known in recipe.known for f in known.signals}
        columns = {name: block.column(name).slice(start, unit.rows).to_arrow().cast(types[name]) for name in needed}
        text = UnitText(self._work, unit.names)
        return signals.model(
            self._work, recipe, unit.names, text=text, columns=columns, rows=rows, meter=Meter(), n=unit.rows, keep=False
        )


def _dropped(block: Rows, thresholds: Sequence[Threshold]) -> np.ndarray:
    """int64[thresholds, 3]: the columns of `Dropped`, over a block's rows."""
    failing, failed, first = dict(block.failing()), np.zeros(len(block), np.int16), Counter[str]()
    for name, rows in failing.items():
        first[name] = int(np.count_nonzero(rows & (failed == 0)))
        failed += rows
    counts = np.zeros((len(thresholds), 3), np.int64)
    for k, one in enumerate(thresholds):
        own = np.zeros(len(block), np.int16)
        for name in one.rules:
            own += failing.get(name, False)
        counts[k] = sum(first[name] for name in one.rules), np.count_nonzero(own), np.count_nonzero((own > 0) & (own == failed))
    return counts


def _counted(column: pl.Series) -> pl.Series:
    """Flags as 0 and 1."""
    return column.cast(pl.Int8) if column.dtype == pl.Boolean else column


def _accepted(item: ActiveFilter, name: str, value: float) -> bool:
    """Whether a plan may have this value."""
    try:
        item.filter.thresholds.model_validate({**item.thresholds.model_dump(), name: value})
    except ValidationError:
        return False
    return True


def _blocks(units: Sequence[Annotated]) -> Iterator[list[Annotated]]:
    block: list[Annotated] = []
    for unit in units:
        block.append(unit)
        if sum(one.rows for one in block) >= BLOCK_ROWS:
            yield block
            block = []
    if block:
        yield block


def _spread(found: np.ndarray) -> list[int]:
    """At most SAMPLES of them, evenly spread."""
    return found[np.unique(np.linspace(0, len(found) - 1, min(SAMPLES, len(found))).astype(np.int64))].tolist()


def _edges(values: np.ndarray, *, whole: bool) -> tuple[np.ndarray, bool]:
    """Edges of bins over all values, and whether they grow by a factor. Whole numbers have edges half-way between."""
    if not len(values):
        return np.array([0.0, 1.0]), False
    low, high, middle = float(values.min()), float(values.max()), float(np.median(values))
    if whole and high - low < BINS:
        return np.arange(low - 0.5, high + 1), False
    if low >= 0 and high > _LOG_FROM * max(middle, 1 if whole else 0) and high > 1:
        first = max(low, 1.0) if whole else max(float(np.quantile(values, 0.01)), high / 1e6)
        edges = np.unique(np.concatenate([[0.0], np.geomspace(first, high, BINS)]))
        edges[-1] = high  # rounding must not lose the largest
        return edges, True
    return np.linspace(low, high if high > low else low + 1, BINS + 1), False
