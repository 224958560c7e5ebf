"""The contract between Winnow and a filter: the one file that a filter's author must read.

A filter is two pure functions and the schema between them:

- `annotate` turns a batch of texts into **signals**, one row per text. Signals are facts: they depend on the text and on
  `params`, never on a threshold, and are stored and never computed again.
- `rules` turns `thresholds` into **rules**, comparisons of a signal with a limit. Rules are judgements, remade in seconds.

A filter touches no file, clock, network or random number. `check` and `check_rules` hold every batch to this contract;
a breach is a bug in the filter and stops the run (`ContractError`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from filters.kernels import buffers
from filters.kernels.lines import gopher, segments
from filters.kernels.lines import lines as line_kernels
from filters.kernels.models import bags
from filters.kernels.ngrams import ngrams
from filters.kernels.words import facts as fact_kernels
from filters.kernels.words import tokens, word_lists
from filters.rules import Among as Among
from filters.rules import AnyRule, rule_columns
from filters.rules import ByRow as ByRow
from filters.rules import Comparison as Comparison
from filters.rules import ExpressionRule as ExpressionRule
from filters.rules import Rule as Rule


class ContractError(Exception):
    """A filter broke its contract: wrong rows, schema, NaN, null, or a rule that is not true or false on every row."""


class Tier(Enum):
    """Which rows a filter scores: all of them, or only those that the cheap tier left."""

    CHEAP = "cheap"
    MODEL = "model"


class Settings(BaseModel):
    """Base of `params` and `thresholds`: frozen, unknown keys refused, a description on every field."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NoParams(Settings):
    """For filters whose signals depend on nothing but the text."""


class TextBatch:
    """Rows of text, and the facts about them that filters share: each is computed on first use, once for all filters.

    `text`: large_string array without nulls (slices and offsets allowed). `source`: the same rows before the edits, None where
    nothing was edited or where `text` is the source text. `urls`: gives the address of each row, for the few filters that ask.
    """

    def __init__(
        self, text: pa.Array | pa.ChunkedArray, source: TextBatch | None = None, *, urls: Callable[[], pa.Array] | None = None
    ) -> None:
        if isinstance(text, pa.ChunkedArray):
            text = text.combine_chunks()
        if text.type != pa.large_string():
            text = text.cast(pa.large_string())
        if text.null_count:
            raise ContractError(f"TextBatch takes text without nulls, got {text.null_count} nulls in {len(text)} rows")
        self.text: pa.LargeStringArray = text
        self._source, self._urls = source, urls
        if len(self.source) != len(self):
            raise ContractError(f"{len(self)} final texts of {len(self.source)} source texts")
        self._repetition: dict[int, ngrams.Repetition] = {}
        self._segments: dict[int, segments.Segments] = {}
        self._windows: dict[int, bags.Windows] = {}
        self._parts: dict[bytes, TextBatch] = {}

    def __len__(self) -> int:
        return len(self.text)

    @property
    def source(self) -> TextBatch:
        """The same rows before the edits; this batch itself where there is no difference."""
        return self if self._source is None else self._source

    @cached_property
    def urls(self) -> pa.Array:
        """The address of each row as the input gave it, null where there is none; texts that are no documents have none."""
        if self._source is not None:
            return self._source.urls
        return pa.nulls(len(self), pa.string()) if self._urls is None else self._urls()

    def rows(self, wanted: pa.Array, text: pa.Array, source: TextBatch | None = None) -> TextBatch:
        """Rows of this batch, whose texts are `text`."""
        return TextBatch(text, source, urls=lambda: self.urls.take(wanted))

    @cached_property
    def buffers(self) -> tuple[np.ndarray, np.ndarray]:
        """`(offsets int64[n + 1], data uint8[:])`: row i is `data[offsets[i]:offsets[i + 1]]`, UTF-8."""
        return buffers.views(self.text)

    @cached_property
    def facts(self) -> fact_kernels.TextFacts:
        """Word, line and character-class statistics of each row: columns of length n."""
        return fact_kernels.text_facts(*self.buffers)

    @cached_property
    def lines(self) -> line_kernels.Lines:
        """Lines as `text.split("\\n")` gives them: hashes, characters, words, sentences."""
        return line_kernels.lines(*self.buffers)

    @cached_property
    def tokens(self) -> tokens.TokenFacts:
        """Words with punctuation apart, counted; without stop words."""
        no_lists = word_lists.compile_lists([])
        return tokens.token_facts(*self.buffers, np.full(len(self), -1, np.int16), no_lists)

    @cached_property
    def gopher_lines(self) -> gopher.Lines:
        """Bullets and ellipses of lines, as the profiles of Gopher's rules count them."""
        return gopher.lines(*self.buffers)

    def repetition(self, kind: int) -> ngrams.Repetition:
        """Repeated n-grams of words: `ngrams.SPLIT`, `tokens.DATATROVE` or `tokens.DCLM`."""
        if kind not in self._repetition:
            self._repetition[kind] = ngrams.repetition(*self.buffers, kind=kind, scan=kind == tokens.DATATROVE)
        return self._repetition[kind]

    @property
    def repetition_kinds(self) -> frozenset[int]:
        """Kinds of `repetition` that were asked for."""
        return frozenset(self._repetition)

    def segments(self, kind: int) -> segments.Segments:
        """Repeated lines or paragraphs: a kind of `filters.kernels.lines.segments`."""
        if kind not in self._segments:
            self._segments[kind] = segments.segments(*self.buffers, kind=kind)
        return self._segments[kind]

    def windows(self, size: int) -> bags.Windows:
        """Windows of about `size` words, and their different words."""
        if size not in self._windows:
            self._windows[size] = bags.Windows(*self.buffers, size)
        return self._windows[size]

    def part(self, wanted: np.ndarray) -> TextBatch:
        """The final texts of the rows where `wanted` is true, the same batch for all filters that ask for them."""
        if wanted.all():
            return self
        key = wanted.tobytes()
        if key not in self._parts:
            self._parts[key] = TextBatch(self.text.filter(pa.array(wanted)))
        return self._parts[key]


class Weighed(NamedTuple):
    """What one feature did to the score of a text: what it is in words, its value, and by how much it raised the score (or
    lowered it, below 0), on a scale on which a filter's features add up."""

    feature: str
    value: float
    weight: float


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A filter, as data. Plan keys, `--help`, resume, reasons and contract tests follow from these fields."""

    name: str
    """Its key under `filters:` in a plan."""
    version: int
    """Raise it when `annotate` gives other signals for the same text: stored signals of the old version are not used."""
    tier: Tier
    reads: Literal["source", "final"]
    """Source text (after normalise) or final text (after edits). A filter whose params have a field `reads` leaves it to the
    plan: this is then the field's default, and `needs` may name only columns of filters that read source."""
    needs: tuple[str, ...] = ()
    """Columns of filters earlier in `FILTERS`. A filter that reads source may need only such filters' columns."""
    params: type[Settings] = NoParams
    """The plan keys that change signals, such as a profile or a model's path."""
    signals: pa.Schema
    """Columns that `annotate` returns, exactly. A nullable field may hold null, which means "not scored"."""
    evidence: tuple[str, ...] = ()
    """Signals that stand in data/, rejected/ and ledger/ too where the plan has the filter; all may be null there."""
    thresholds: type[Settings]
    """The plan keys that do not change signals."""
    files: Callable[[Any], tuple[Path, ...]] | None = None
    """Files that `load` reads for these params (`files(params)`); their sha256 enters the keys of the signals."""
    load: Callable[[Any], Any] | None = None
    """`load(params)`: what `annotate` needs in memory (a model); called once per process, None without one."""
    refuse: Callable[[Any, Any], None] | None = None
    """`refuse(thresholds, loaded)` raises ValueError for thresholds that what was loaded gives no meaning: languages that it does
    not know. Called once, before a run."""
    annotate: Callable[[TextBatch, pa.RecordBatch, Any, Any], pa.RecordBatch]
    """`annotate(batch, needed, params, loaded)`; `needed` has the columns of `needs`, row by row with `batch`."""
    weigh: Callable[[TextBatch, Any], list[list[Weighed]]] | None = None
    """`weigh(batch, loaded)`: of each text the few features that weighed most in its score, the heaviest first; shown by `inspect
    why`, and no part of any fact. Empty where what was loaded cannot say it; None of filters that never can."""
    rules: Callable[[Any, Any], Sequence[AnyRule]]
    """`rules(params, thresholds)`, in the order in which reasons are listed; those that the plan switches off with limit None."""


def check(filter_: Filter, *, rows: int, signals: pa.RecordBatch) -> None:
    """Raise ContractError unless `signals` has `rows` rows, the declared schema, no NaN, and null only where declared."""
    who = f"filter {filter_.name} (version {filter_.version})"
    if not isinstance(signals, pa.RecordBatch):
        raise ContractError(f"{who}: annotate must return a pyarrow.RecordBatch, got {type(signals).__name__}")
    if signals.num_rows != rows:
        raise ContractError(f"{who}: annotate got {rows} texts and returned {signals.num_rows} rows")
    if not signals.schema.equals(filter_.signals, check_metadata=False):
        raise ContractError(f"{who}: annotate returned\n{signals.schema}\nbut declares\n{filter_.signals}")
    for field, column in zip(filter_.signals, signals.columns, strict=True):
        if column.null_count and not field.nullable:
            raise ContractError(f"{who}: {column.null_count} nulls in {field.name}, which is not declared nullable")
        if pa.types.is_floating(field.type) and pc.any(pc.is_nan(column), skip_nulls=True).as_py():
            raise ContractError(f"{who}: NaN in {field.name}; return null for what is not scored")


def check_rules(filter_: Filter, rules: Iterable[AnyRule]) -> None:
    """Raise ContractError if a rule names a column that is neither own nor needed or a threshold that is not there, or if two
    rules share a reason."""
    known, thresholds = {*filter_.signals.names, *filter_.needs}, set(filter_.thresholds.model_fields)
    seen: set[str] = set()
    for rule in rules:
        who = f"filter {filter_.name}, rule {rule.reason}"
        if unknown := rule_columns(rule) - known:
            raise ContractError(f"{who}: unknown column {', '.join(sorted(unknown))}; it may read {', '.join(sorted(known))}")
        if unknown := set(rule.keys) - thresholds:
            raise ContractError(
                f"{who}: unknown threshold {', '.join(sorted(unknown))}; there are {', '.join(sorted(thresholds))}"
            )
        if rule.reason in seen:
            raise ContractError(f"filter {filter_.name}: two rules have the reason {rule.reason}")
        seen.add(rule.reason)


def judge(filter_: Filter, rules: Iterable[AnyRule], signals: pl.DataFrame) -> pl.DataFrame:
    """One Boolean column per rule that is on, named `<filter>.<reason>`: true where the row fails.

    Raises ContractError if an expression is not Boolean or is null on some row.
    """
    failed = signals.select(rule.drop.alias(f"{filter_.name}.{rule.reason}") for rule in rules if rule.on)
    for column in failed:
        if column.dtype != pl.Boolean:
            raise ContractError(f"rule {column.name} gives {column.dtype}, not Boolean")
        if column.null_count():
            raise ContractError(
                f"rule {column.name} is neither true nor false on {column.null_count()} rows: say what null means"
            )
    return failed


def check_all(filters: Iterable[Filter]) -> None:
    """Raise ContractError if names or signal columns clash, or if a filter needs what no earlier filter gives."""
    names: set[str] = set()
    given: dict[str, Filter] = {}
    for filter_ in filters:
        if filter_.name in names:
            raise ContractError(f"two filters are named {filter_.name}")
        names.add(filter_.name)
        if unknown := set(filter_.evidence) - set(filter_.signals.names):
            raise ContractError(f"filter {filter_.name}: {', '.join(sorted(unknown))} is evidence, but none of its signals")
        for column in filter_.needs:
            if column not in given:
                raise ContractError(f"filter {filter_.name} needs {column}, which no earlier filter gives")
            giver = given[column]
            if filter_.reads == "source" and giver.reads != "source":
                raise ContractError(f"filter {filter_.name} reads source but needs {column} of the final text")
            if filter_.tier is Tier.CHEAP and giver.tier is Tier.MODEL:
                raise ContractError(f"filter {filter_.name} is cheap but needs {column} of the model tier")
        clash = set(filter_.signals.names) & set(given)
        if clash:
            raise ContractError(f"filter {filter_.name}: {', '.join(sorted(clash))} already comes from another filter")
        given |= dict.fromkeys(filter_.signals.names, filter_)
        shared = set(filter_.params.model_fields) & set(filter_.thresholds.model_fields)
        if shared or {"action"} & (set(filter_.params.model_fields) | set(filter_.thresholds.model_fields)):
            raise ContractError(f"filter {filter_.name}: keys {sorted(shared) or ['action']} are taken")
