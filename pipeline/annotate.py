"""Everything about one unit of input: documents, final text, signals, verdicts, band keys, token counts.

Each result is a table in the work directory under its key; what exists is not computed again, and text is loaded only if
something is missing. Nothing here looks at another unit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from filters.contract import ContractError, Filter, TextBatch, Tier, check
from filters.kernels import buffers, ngrams
from pipeline import decide, final, normalise, scores
from pipeline.dedup import bands, signatures
from pipeline.errors import BrokenContract
from pipeline.read.units import Unit, unit_key_parts
from pipeline.recipe import ActiveFilter, Recipe, loaded
from pipeline.stages import key
from pipeline.store import Store

GROUP_BYTES = 2_000_000
"""Text of a row group of the documents table: chosen because buffers of this size are reused, and larger ones are not."""


LONG_TEXT = 8_000_000
"""Bytes of a text after which memory is given back; chosen because that costs a few milliseconds, less than the text did."""


@dataclass(frozen=True)
class Names:
    """Where a unit's tables lie in the work directory. Each name ends in the key of what it depends on."""

    path: str  # of the file that the unit is part of: the beginning of source_ref
    documents: str
    bad: str
    final: str
    signals: tuple[str, ...]  # one per active filter
    verdicts: str
    sign: str | None
    tokens: str | None


@dataclass(frozen=True)
class Annotated:
    """A finished unit: small, and all that crosses a task's border."""

    path: str
    first_row: int
    priority: int
    names: Names
    rows: int
    bad_rows: int
    n_bytes: int  # read, documents and quarantined rows together
    kept: int  # rows that the filters kept
    sources: tuple[tuple[str, int, int], ...]  # source, documents, quarantined rows
    costs: tuple[tuple[str, float], ...]  # stage, CPU seconds


@dataclass
class Meter:
    """CPU seconds per stage: of the process where one worker runs (exact), else of this thread (estimated)."""

    clock: Callable[[], float] = time.thread_time
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        start = self.clock()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + self.clock() - start


def names(unit: Unit, recipe: Recipe) -> Names:
    """The names of a unit's tables under this recipe."""
    documents = key("documents", unit_key_parts(unit), normalise.VERSION)
    final_key = key("final", documents, final.VERSION, recipe.edits)
    signal_keys: dict[str, str] = {}
    signals = []
    for item in recipe.filters:
        view = documents if item.reads == "source" else final_key
        needed = [signal_keys.get(column, "off") for column in item.filter.needs]
        made = key("signals", view, needed, item.identity)
        signal_keys |= dict.fromkeys(item.filter.signals.names, made)
        signals.append(f"facts/{item.filter.name}/{made}.parquet")
    judged = [[item.filter.name, item.action, item.thresholds.model_dump(mode="json")] for item in recipe.filters]
    dedup = recipe.plan.dedup
    sign = tokens = None
    if dedup is not None:
        shape = bands.choose(dedup.threshold, dedup.permutations, dedup.bands)
        sign = (
            f"facts/minhash/{key('minhash', final_key, signatures.VERSION, dedup.ngram, dedup.permutations, shape, dedup.hash)}"
        )
    if recipe.tokenizer is not None:
        tokens = f"facts/tokens/{key('tokens', final_key, recipe.tokenizer)}.parquet"
    return Names(
        path=unit.file.path,
        documents=f"documents/{documents}.parquet",
        bad=f"documents/{documents}.bad.parquet",
        final=f"facts/final/{final_key}.parquet",
        signals=tuple(signals),
        verdicts=f"judgements/filters/{key('verdicts', signals, judged, final_key)}.parquet",
        sign=f"{sign}.parquet" if sign else None,
        tokens=tokens,
    )


class UnitText:
    """The texts of a unit, read from the work directory on first use."""

    def __init__(self, work: Store, where: Names) -> None:
        self._work, self._where = work, where
        self._views: dict[str, TextBatch] = {}

    def batch(self, view: str) -> TextBatch:
        """`source` or `final` text of all rows."""
        if view not in self._views:
            self._views[view] = self._load(view)
        return self._views[view]

    def _load(self, view: str) -> TextBatch:
        if view == "source":
            return TextBatch(self._work.read_table(self._where.documents, ["text"])["text"])
        edited = self._work.read_table(self._where.final, ["final_text"])["final_text"]
        source = self.batch("source")
        if edited.null_count == len(edited):
            return source
        return TextBatch(final.final_of(source.text, edited), source)

    def longest(self) -> int:
        """Bytes of the longest text that was looked at."""
        return max((int(np.diff(batch.buffers[0]).max(initial=0)) for batch in self._views.values()), default=0)

    def clear(self) -> None:
        self._views.clear()

    def put(self, view: str, text: pa.Array) -> None:
        self._views[view] = TextBatch(text)

    def same(self, view: str, other: str) -> None:
        self._views[view] = self.batch(other)


def annotate(work: Store, recipe: Recipe, unit: Unit, rows: Callable[[], Any], meter: Meter) -> Annotated:
    """Make what is missing of a unit. `rows()` reads it (`UnitRows`) and is called only if its documents are missing."""
    where = names(unit, recipe)
    text = UnitText(work, where)
    if not (work.has(where.documents) and work.has(where.bad)):
        with meter.measure("read"):
            read = rows()
            if not work.has(where.bad):
                work.write_table(where.bad, read.bad)
            source = final.one_chunk(read.documents["text"])
            groups = [stop - first for first, stop in buffers.slices(buffers.views(source)[0], GROUP_BYTES)]
            card = {"unit": json.dumps(_card(read))}
            work.write_table(where.documents, read.documents, metadata=card, groups=groups)
            text.put("source", source)
    if not work.has(where.final):
        with meter.measure("edit"):
            beside = work.read_table(where.documents, ["url", "metadata"]) if recipe.steps else None
            finished = final.finish(text.batch("source").text, recipe.steps, beside)
            work.write_table(where.final, finished)
            if finished["final_text"].null_count == finished.num_rows:
                text.same("final", "source")
    n = int(json.loads(work.metadata(where.documents)["unit"])["rows"])
    signals = _cheap_signals(work, recipe, where, text, n, meter)
    kept = _verdicts(work, recipe, where, signals, meter)
    if where.sign is not None and recipe.plan.dedup is not None:
        _sign(work, recipe, where, text, kept, meter)
    if where.tokens is not None and not work.has(where.tokens):
        with meter.measure("tokens"):
            work.write_table(where.tokens, _count_tokens(text.batch("final"), str(recipe.plan.output.tokenizer)))
    card = json.loads(work.metadata(where.documents)["unit"])
    _release(text)
    return Annotated(
        path=unit.file.path,
        first_row=unit.first_row,
        priority=unit.file.priority,
        names=where,
        rows=card["rows"],
        bad_rows=card["bad_rows"],
        n_bytes=card["n_bytes"],
        kept=int(kept.sum()),
        sources=tuple((name, good, bad) for name, good, bad in card["sources"]),
        costs=tuple(meter.seconds.items()),
    )


def _release(text: UnitText) -> None:
    """Give back what a long document left in Arrow's pool: several times its size, and the next one is long in coming."""
    if text.longest() > LONG_TEXT:
        text.clear()
        pa.default_memory_pool().release_unused()


def _card(read: Any) -> dict[str, Any]:
    good = _counts(read.documents["source"])
    bad = _counts(read.bad["source"])
    n_bytes = (pc.sum(read.documents["n_bytes_read"]).as_py() or 0) + (pc.sum(read.bad["n_bytes_read"]).as_py() or 0)
    return {
        "rows": read.documents.num_rows,
        "bad_rows": read.bad.num_rows,
        "n_bytes": n_bytes,
        "sources": [[name, good.get(name, 0), bad.get(name, 0)] for name in sorted({*good, *bad})],
    }


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {item["values"]: item["counts"] for item in column.value_counts().to_pylist()}


def _cheap_signals(work: Store, recipe: Recipe, where: Names, text: UnitText, n: int, meter: Meter) -> dict[str, pa.Array]:
    """Signals of the cheap tier, by column; computed where they are missing."""
    columns: dict[str, pa.Array] = {}
    for item, name in zip(recipe.filters, where.signals, strict=True):
        if item.filter.tier is not Tier.CHEAP:
            continue
        if not work.has(name):
            with meter.measure(f"annotate.{item.filter.name}"):
                if item.filter.name == scores.NAME:
                    made = _scores(item, work, where)
                else:
                    made = run_filter(item, recipe.known, text.batch(item.reads), columns, n)
                work.write_table(name, pa.Table.from_batches([made]))
        table = work.read_table(name)
        columns |= {c: final.one_chunk(table[c]) for c in table.column_names}
    return columns


def run_filter(
    item: ActiveFilter, known: Sequence[Filter], batch: TextBatch, columns: dict[str, pa.Array], n: int
) -> pa.RecordBatch:
    """Annotate and check one batch. Raises BrokenContract if the filter breaks its contract or raises."""
    types = {field.name: field.type for f in known for field in f.signals}
    needed = pa.RecordBatch.from_arrays(
        [columns[c] if c in columns else pa.nulls(n, types[c]) for c in item.filter.needs], names=list(item.filter.needs)
    )
    with _blamed(item):
        made = item.filter.annotate(batch, needed, item.params, loaded(item.filter, item.params))
        check(item.filter, rows=n, signals=made)
    return made


def try_out(recipe: Recipe) -> None:
    """Call the plan's edits and cheap filters once, so that their kernels are compiled before any worker meets them."""
    source = pa.array(["The end.", "…"], pa.large_string())
    edited = final.finish(source, recipe.steps)["final_text"]
    batch = TextBatch(final.final_of(source, edited), TextBatch(source))
    types = {field.name: field.type for f in recipe.known for field in f.signals}
    for item in recipe.filters:
        if item.filter.tier is Tier.CHEAP and item.filter.load is None and item.filter.name != scores.NAME:
            needs = list(item.filter.needs)
            needed = pa.RecordBatch.from_arrays([pa.nulls(2, types[c]) for c in needs], names=needs)
            with _blamed(item):
                item.filter.annotate(batch, needed, item.params, None)
    if batch.repetition_kinds or batch.source.repetition_kinds:
        ngrams.warm_large()


@contextmanager
def _blamed(item: ActiveFilter) -> Iterator[None]:
    try:
        yield
    except ContractError as error:
        raise BrokenContract(str(error)) from error
    except Exception as error:
        raise BrokenContract(f"filter {item.filter.name}: annotate raised {type(error).__name__}: {error}") from error


def _scores(item: ActiveFilter, work: Store, where: Names) -> pa.RecordBatch:
    """Annotations of the unit's documents."""
    keys = work.read_frame(where.documents, ["row", "id", "source", "url"])
    keys = keys.with_columns((pl.lit(f"{where.path}#") + pl.col("row").cast(pl.String)).alias("source_ref"))
    return scores.joined(loaded(item.filter, item.params), keys, item.filter.signals)


def _verdicts(work: Store, recipe: Recipe, where: Names, signals: dict[str, pa.Array], meter: Meter) -> np.ndarray:
    """Which rows the filters keep; the verdicts are stored."""
    if not work.has(where.verdicts):
        with meter.measure("decide"):
            hashes = work.read_table(where.final, ["text_hash"])["text_hash"]
            empty = pl.Series("empty", pc.equal(hashes, pa.scalar(final.EMPTY, pa.binary(16))))
            frame = pl.DataFrame({c: pl.from_arrow(a) for c, a in signals.items()})
            cheap = decide.failures([a for a in recipe.filters if a.filter.tier is Tier.CHEAP], frame)
            scored = {Tier.CHEAP: pl.Series([True] * len(empty), dtype=pl.Boolean)}
            table = decide.verdicts(empty, {Tier.CHEAP: cheap}, scored)
            work.write_table(where.verdicts, table.to_arrow().cast(_VERDICT_SCHEMA))
    reasons = work.read_table(where.verdicts, ["reason"])["reason"]
    return reasons.is_null().to_numpy()


_VERDICT_SCHEMA = pa.schema([("stage", pa.string()), ("reason", pa.string()), ("failed", pa.list_(pa.string()))])


def _sign(work: Store, recipe: Recipe, where: Names, text: UnitText, kept: np.ndarray, meter: Meter) -> None:
    """Band keys of the kept rows: a fact that covers a set of rows, which grows when a threshold is loosened."""
    dedup = recipe.plan.dedup
    name = where.sign or ""
    covered = np.zeros(len(kept), dtype=bool)
    stored = work.has(name)
    if stored:
        covered[work.read_table(name, ["position"])["position"].to_numpy()] = True
    missing = np.flatnonzero(kept & ~covered)
    if stored and not len(missing):
        return
    have = work.read_table(name) if stored else None
    with meter.measure("sign"):
        shape = bands.choose(dedup.threshold, dedup.permutations, dedup.bands)
        chosen = text.batch("final").text.take(pa.array(missing)) if len(missing) < len(kept) else text.batch("final").text
        made = signatures.annotate(
            chosen, ngram=dedup.ngram, permutations=dedup.permutations, bands=shape[0], rows=shape[1], hash_=dedup.hash
        )
        table = pa.Table.from_batches([made]).add_column(0, "position", pa.array(missing, pa.int64()))
        if have is not None:
            table = pa.concat_tables([have, table]).sort_by("position")
        work.write_table(name, table)


def _count_tokens(batch: TextBatch, tokenizer: str) -> pa.Table:
    made = _tokenizer(tokenizer)
    counts: list[int] = []
    for start in range(0, len(batch), 256):
        encoded = made.encode_batch_fast(batch.text.slice(start, 256).to_pylist(), add_special_tokens=False)
        counts += [len(item) for item in encoded]
    return pa.table({"token_count": pa.array(counts, pa.int64())})


@lru_cache(maxsize=2)
def _tokenizer(path: str) -> Any:
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(path)
    made.no_truncation()
    made.no_padding()
    return made
