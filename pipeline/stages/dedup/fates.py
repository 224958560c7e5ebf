"""Fates as tables: one FATES table a unit, and this generation's part of the index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from filters.kernels.buffers import views
from filters.kernels.dedup import bits
from pipeline.machine.scratch import Log, Scratch
from pipeline.machine.workers import Workers
from pipeline.schema import FATES
from pipeline.stages.dedup import index as index_
from pipeline.stages.dedup.decide import CHUNK, KEPT, REASONS
from pipeline.stages.dedup.fate_columns import Fates
from pipeline.stages.dedup.index import GROUP_ROWS, Index
from pipeline.stages.dedup.part import Part
from pipeline.store.hashing import HashingFile
from pipeline.store.store import Store


class _Names:
    """id, source_ref and generation of documents by number, on disk."""

    def __init__(self, scratch: Scratch, documents: int) -> None:
        self._scratch = scratch
        self._bytes = scratch.log("names", np.uint8)
        self._start = scratch.column("names.start", np.int64, documents)
        self._id, self._ref = (scratch.column(f"names.{name}", np.int32, documents) for name in ("id", "ref"))
        self._generation = scratch.column("names.generation", np.int32, documents)

    def add(self, numbers: np.ndarray, id_: pl.Series, ref: pl.Series, *, generation: int | np.ndarray) -> None:
        ids, refs = id_.str.len_bytes().to_numpy(), ref.str.len_bytes().to_numpy()
        together = pl.select(pl.lit(id_) + pl.lit(ref)).to_series().to_arrow().cast(pa.large_string())  # type: ignore[arg-type]
        offsets, data = views(together)
        start = self._bytes.append(data[offsets[0] : offsets[-1]])
        self._start[numbers] = start + offsets[:-1] - offsets[0]
        self._id[numbers], self._ref[numbers], self._generation[numbers] = ids, refs, generation
        self._scratch.relieve()

    def get(self, numbers: np.ndarray) -> pl.DataFrame:
        """`duplicate_of`, `duplicate_ref`, `duplicate_generation` of each number."""
        data, ids = self._bytes.read(), self._id[numbers]
        return pl.DataFrame(
            {
                "duplicate_of": _strings(data, self._start[numbers], ids),
                "duplicate_ref": _strings(data, self._start[numbers] + ids, self._ref[numbers]),
                "duplicate_generation": self._generation[numbers],
            }
        )


def _strings(data: np.ndarray, start: np.ndarray, size: np.ndarray) -> pl.Series:
    """Texts of `size[i]` bytes at `data[start[i]]`."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(size, dtype=np.int64)])
    at = np.arange(offsets[-1]) + np.repeat(start - offsets[:-1], size)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data[at])]
    return pl.Series(pa.Array.from_buffers(pa.large_string(), len(size), buffers))


def write_fates(
    work: Store,
    parts: Sequence[Part],
    positions: Sequence[Callable[[], np.ndarray]],
    *,
    fates: Fates,
    index: Index,
    names: Sequence[str],
    generation: int,
    scratch: Scratch,
    pool: Workers,
    counts: np.ndarray | None = None,
) -> None:
    """One `FATES` table a part, under its name. `positions`: of each part's documents in its unit; `counts`: sources that hold
    each rank, 0 where dedup dropped it (`agreement`)."""
    survivors = _survivors(parts, fates, index, generation=generation, scratch=scratch, pool=pool)
    numbers = Numbers(fates, len(index))

    def one(part: int) -> None:
        ranks = fates.order.of_part(part)
        fate = fates.columns.fate[ranks]
        gone = np.flatnonzero(fate)
        to, similarity = fates.columns.survivor[ranks[gone]], fates.columns.similarity[ranks[gone]]
        dropped = pl.DataFrame(
            {
                "at": gone,
                "reason": pl.Series(fate[gone]).replace_strict(REASONS, return_dtype=pl.String),
                "similarity": similarity,
            }
        )
        found = [survivors.get(to[start : start + _NAMES]) for start in range(0, max(1, len(to)), _NAMES)]
        dropped = pl.concat([dropped, pl.concat(found)], how="horizontal")
        frame = pl.DataFrame(
            {
                "at": np.arange(len(ranks)),
                "position": positions[part](),
                "cluster_size": 1 + fates.columns.copies[ranks],
                "number": numbers.of_ranks(ranks),
                "source_count": pl.Series(np.zeros(len(ranks), np.int32) if counts is None else counts[ranks]).replace(0, None),
            }
        ).join(dropped, on="at", how="left", maintain_order="left")
        work.write_table(names[part], frame.select(FATES.names).to_arrow().cast(FATES))
        scratch.relieve()

    pool.map(one, range(len(parts)))


_NAMES = 1 << 15  # survivors whose names are put together at a time


def _survivors(parts: Sequence[Part], fates: Fates, index: Index, *, generation: int, scratch: Scratch, pool: Workers) -> _Names:
    """Names of all documents that some dropped document names."""
    old = len(index)
    made = _Names(scratch, old + len(fates.order))
    asked = bits.empty(old), bits.empty(len(fates.order))
    for start in range(0, len(fates.order), CHUNK):
        gone = fates.columns.fate[start : start + CHUNK] != KEPT
        to = fates.columns.survivor[start : start + CHUNK][gone]
        bits.add(asked[0], to[to < old])
        bits.add(asked[1], to[to >= old] - old)
    for numbers, frame in index.names(bits.members(asked[0], 0, old)):
        made.add(numbers, frame["id"], frame["source_ref"], generation=frame["generation"].to_numpy())

    def one(part: int) -> None:
        ranks = fates.order.of_part(part)
        chosen = np.flatnonzero(bits.has(asked[1], ranks))
        if len(chosen):
            ids, refs = parts[part].names(chosen)
            made.add(ranks[chosen] + old, ids, refs, generation=generation)

    pool.map(one, [i for i, part in enumerate(parts) if part.n])
    return made


class Numbers:
    """Numbers in the index, once this generation is part of it: what dedup kept, counted on from what the index holds."""

    def __init__(self, fates: Fates, first: int) -> None:
        self._kept, self._before, self._first = fates.kept, bits.places(fates.kept), first

    def of_ranks(self, ranks: np.ndarray) -> np.ndarray:
        """int64: number of each rank, -1 where dedup dropped it."""
        place = bits.place_of(self._kept, self._before, ranks)
        return np.where(place < 0, -1, place + self._first)

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """The same for numbers of this run, those of the index included."""
        made = numbers.copy()
        new = numbers >= self._first
        made[new] = self.of_ranks(numbers[new] - self._first)
        return made


def write_index(work: Store, folder: str, fates: Fates, *, index: Index, exact_url: bool, scratch: Scratch) -> dict[str, str]:
    """This generation's texts, urls and places, sorted as `index.SCHEMAS` says; the sha256 of each. Its documents are written
    beside the shards."""
    made: dict[str, str] = {}
    numbers = Numbers(fates, len(index))
    for table, logs in {"texts": fates.texts, **({"urls": fates.urls} if exact_url else {})}.items():
        with work.writer(f"{folder}/{table}.parquet") as raw:
            file = HashingFile(raw)
            with index_.writer(file, table, said=index_.first_of(len(index))) as writer:
                for log in logs:
                    for seen in _pieces(log):
                        held = seen if table == "texts" else _held(seen, fates, len(index))
                        if len(held):
                            writer.write_table(_keys(held, fates, numbers, old=len(index)))
            made[table] = file.digest.hexdigest()
    with work.writer(f"{folder}/places.parquet") as raw:
        file = HashingFile(raw)
        with index_.writer(file, "places") as writer:
            for places in fates.links.places:
                for bucket, number in zip(_pieces(places.buckets), _pieces(places.numbers), strict=True):
                    columns = [np.full(len(bucket), places.band, np.uint16), bucket, numbers.of(number)]
                    writer.write_table(pa.Table.from_arrays([pa.array(column) for column in columns], schema=index_.PLACES))
        made["places"] = file.digest.hexdigest()
    return made


def _pieces(log: Log) -> Iterator[np.ndarray]:
    values = log.load()  # of one range of hashes
    for start in range(0, len(values), GROUP_ROWS):
        yield values[start : start + GROUP_ROWS]


def _held(seen: np.ndarray, fates: Fates, old: int) -> np.ndarray:
    """URLs that a document of this generation holds, with that document's rank."""
    assert fates.visits is not None
    held = seen.copy()
    held["rank"] = fates.visits.new_holders(seen["rank"], fates.kept, old=old)
    return held[held["rank"] >= 0]


def _keys(seen: np.ndarray, fates: Fates, numbers: Numbers, *, old: int) -> pa.Table:
    """KEYS of documents: who survives for each, and how similar it is."""
    ranks = seen["rank"]
    fate = fates.columns.fate[ranks]
    survivor = np.where(fate == KEPT, ranks + old, fates.columns.survivor[ranks])
    similarity = np.where(fate == KEPT, 1.0, fates.columns.similarity[ranks])
    columns = [*(np.ascontiguousarray(seen[name]) for name in ("left", "right")), numbers.of(survivor), similarity]
    return pa.Table.from_arrays([pa.array(column) for column in columns], schema=index_.KEYS)
