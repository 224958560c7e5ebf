"""The signals of one unit: the cheap tier's of all rows, the model tier's of the rows that the cheap tier left.

Invariant: a table of the model tier covers a set of rows that only grows (`scored`); which of them a plan may look at is a
judgement (the verdicts' `scored`), so that what another plan had scored before changes no byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa

from filters.contract import ContractError, Filter, TextBatch, Tier, check
from filters.kernels import buffers
from filters.kernels.ngrams import ngrams
from pipeline.errors import BrokenContract
from pipeline.machine.meter import Meter
from pipeline.plan import scores
from pipeline.plan.recipe import ActiveFilter, Recipe, loaded
from pipeline.stages.unit.refs import refs
from pipeline.stages.unit.tables import Names, UnitText
from pipeline.store.store import Store
from pipeline.text import final

SCORED = "scored"
"""Column of the model tier's tables: the row was scored; its other columns are null elsewhere."""
BATCH_BYTES = 8_000_000
"""Text that the model tier looks at a time, or one longer text: the filters of a plan share its facts, which then go."""


def cheap(work: Store, recipe: Recipe, where: Names, *, text: UnitText, meter: Meter) -> dict[str, pa.Array]:
    """Signals of the cheap tier, by column; computed where they are missing."""
    columns: dict[str, pa.Array] = {}
    for item, name in _of_tier(recipe, where, Tier.CHEAP):
        if not work.has(name):
            with meter.measure(f"annotate.{item.filter.name}"):
                if item.filter.name == scores.NAME:
                    made = _scores(item, work, where)
                else:
                    made = run_filter(item, recipe.known, text.batch(item.reads), columns=columns)
                work.write_table(name, pa.Table.from_batches([made]))
        table = work.read_table(name)
        columns |= {c: final.one_chunk(table[c]) for c in table.column_names}
    return columns


def model(
    work: Store,
    recipe: Recipe,
    where: Names,
    *,
    text: UnitText,
    columns: dict[str, pa.Array],
    rows: np.ndarray,
    meter: Meter,
    n: int,
    keep: bool = True,
) -> dict[str, pa.Array]:
    """Signals of the model tier for `rows` (sorted positions), by column, length `len(rows)`; computed where they are missing.

    `columns`: the cheap tier's, of all n rows of the unit. One pass over the text for all filters. `keep`: what was computed
    goes into the tables.
    """
    chosen = list(_of_tier(recipe, where, Tier.MODEL))
    tables = [_Growing(work, name, item.filter, n=n) for item, name in chosen]
    wanted = [rows[~table.scored[rows]] for table in tables]
    missing = np.unique(np.concatenate([np.zeros(0, np.int64), *wanted]))
    for part in _parts(missing, text, [item.reads for item, _ in chosen]):
        batches: dict[tuple[str, bytes], TextBatch] = {}
        for (item, _), table, own in zip(chosen, tables, wanted, strict=True):
            here = own[np.searchsorted(own, part[0]) : np.searchsorted(own, part[-1], side="right")]
            if not len(here):
                continue
            with meter.measure(f"annotate.{item.filter.name}"):
                batch = _taken(batches, text, item.reads, rows=here)
                given = {c: a.take(pa.array(here)) for c, a in columns.items() if c in item.filter.needs}
                for other in tables:
                    given |= {c: a for c, a in other.at(here).items() if c in item.filter.needs}
                table.add(here, run_filter(item, recipe.known, batch, columns=given))
    made: dict[str, pa.Array] = {}
    for table in tables:
        if keep:
            table.write()
        made |= table.at(rows)
    return made


def _of_tier(recipe: Recipe, where: Names, tier: Tier) -> Iterator[tuple[ActiveFilter, str]]:
    for item, name in zip(recipe.filters, where.signals, strict=True):
        if item.filter.tier is tier:
            yield item, name


def _parts(rows: np.ndarray, text: UnitText, views: Sequence[str]) -> Iterator[np.ndarray]:
    """The rows in pieces of about BATCH_BYTES of text each."""
    if not len(rows):
        return
    sizes = np.diff(text.batch("final" if "final" in views else "source").buffers[0])[rows]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
    for first, stop in buffers.slices(offsets, BATCH_BYTES):
        yield rows[first:stop]


def _taken(batches: dict[tuple[str, bytes], TextBatch], text: UnitText, view: str, *, rows: np.ndarray) -> TextBatch:
    """The texts of these rows as one batch, the same one for all filters that ask for it."""
    key = (view, rows.tobytes())
    if key not in batches:
        whole = text.batch(view)
        source = None if whole.source is whole else _taken(batches, text, "source", rows=rows)
        together = len(rows) == rows[-1] - rows[0] + 1
        some = whole.text.slice(rows[0], len(rows)) if together else whole.text.take(pa.array(rows))
        batches[key] = whole.rows(pa.array(rows), some, source)
    return batches[key]


class _Growing:
    """A model filter's table of a unit: a line for each of its n rows, filled where the row was scored."""

    def __init__(self, work: Store, name: str, filter_: Filter, *, n: int) -> None:
        self._work, self._name = work, name
        self._schema = pa.schema([pa.field(f.name, f.type) for f in filter_.signals])
        self._grown = not work.has(name)
        if self._grown:
            self._columns = {f.name: pl.Series(f.name, pa.nulls(n, f.type)) for f in filter_.signals}
            self.scored = np.zeros(n, dtype=bool)
        else:
            frame = work.read_frame(name)
            self._columns = {f.name: frame[f.name] for f in filter_.signals}
            self.scored = frame[SCORED].to_numpy().copy()

    def add(self, rows: np.ndarray, made: pa.RecordBatch) -> None:
        for field, column in zip(self._schema, made.columns, strict=True):
            self._columns[field.name] = self._columns[field.name].scatter(rows, pl.Series(pl.from_arrow(column)))
        self.scored[rows] = True
        self._grown = True

    def at(self, rows: np.ndarray) -> dict[str, pa.Array]:
        return {f.name: self._columns[f.name].gather(rows).to_arrow().cast(f.type) for f in self._schema}

    def write(self) -> None:
        if self._grown:
            columns = [self._columns[f.name].to_arrow().cast(f.type) for f in self._schema]
            schema = self._schema.append(pa.field(SCORED, pa.bool_(), nullable=False))
            self._work.write_table(self._name, pa.table([*columns, pa.array(self.scored)], schema=schema))


def run_filter(item: ActiveFilter, known: Sequence[Filter], batch: TextBatch, *, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    """Annotate and check one batch; `columns`: those it may need, row by row with it, null where they are not there.

    Raises BrokenContract if the filter breaks its contract or raises.
    """
    types = {field.name: field.type for f in known for field in f.signals}
    needed = pa.RecordBatch.from_arrays(
        [columns[c] if c in columns else pa.nulls(len(batch), types[c]) for c in item.filter.needs],
        names=list(item.filter.needs),
    )
    with _blamed(item):
        made = item.filter.annotate(batch, needed, item.params, loaded(item))
        check(item.filter, rows=len(batch), signals=made)
    return made


def try_out(recipe: Recipe) -> None:
    """Call the plan's edits and filters once, so that their kernels are compiled before any worker meets them."""
    source = pa.array(["The end.", "… a@b.org"], pa.large_string())  # an address, so that a mask is written
    _try_filters(recipe, TextBatch(final.texts(source, final.finish(source, recipe.steps)), TextBatch(source)))


def try_backwards(recipe: Recipe) -> None:
    """`try_out` from its other end, for the process that compiles beside (`pipeline.run.compiling`)."""
    source = pa.array(["The end.", "… a@b.org"], pa.large_string())
    _try_filters(replace(recipe, filters=recipe.filters[::-1]), TextBatch(source, TextBatch(source)))
    final.texts(source, final.finish(source, recipe.steps))


def _try_filters(recipe: Recipe, batch: TextBatch) -> None:
    for item in recipe.filters:
        if item.filter.name != scores.NAME:
            run_filter(item, recipe.known, batch, columns={})
        for kind in batch.repetition_kinds | batch.source.repetition_kinds:
            ngrams.warm_large(kind)


@contextmanager
def _blamed(item: ActiveFilter) -> Iterator[None]:
    try:
        yield
    except ContractError as error:
        raise BrokenContract(str(error)) from error
    except MemoryError:
        raise
    except Exception as error:
        raise BrokenContract(f"filter {item.filter.name}: annotate raised {type(error).__name__}: {error}") from error


def _scores(item: ActiveFilter, work: Store, where: Names) -> pa.RecordBatch:
    """Annotations of the unit's documents."""
    keys = work.read_frame(where.documents, ["row", "id", "source", "url"])
    keys = keys.with_columns(refs(where, keys["row"]).alias("source_ref"))
    return scores.joined(loaded(item), keys, item.filter.signals)
