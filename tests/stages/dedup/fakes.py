"""Documents that dedup sees, without texts or units: for tests that choose band keys and shingles freely."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import pickle
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.machine import scratch, workers
from pipeline.plan.model import Dedup
from pipeline.records.base import FileRecord
from pipeline.stages.dedup import decide as decide_
from pipeline.stages.dedup import fate_columns
from pipeline.stages.dedup import fates as fates_
from pipeline.stages.dedup import index as index_
from pipeline.stages.dedup.driver import Site
from pipeline.stages.dedup.handover import Files
from pipeline.stages.dedup.index import Index
from pipeline.stages.dedup.part import Part
from pipeline.stages.dedup.small_parts import IndexPart
from pipeline.stages.dedup.steps import Job, Worker, carry_out
from pipeline.store.store import Store, open_store


@dataclasses.dataclass(frozen=True)
class Doc:
    """A document as dedup sees it. Equal `text` means equal in everything but scope, url and score."""

    text: int
    keys: tuple[int, ...] | None
    shingles: frozenset[int]
    scope: int = 0
    url: int | None = None
    score: float | None = None


def doc(text: int, shingles: Any, keys: tuple[int, ...] = (1,), scope: int = 0, url: int | None = None) -> Doc:
    return Doc(text, keys, frozenset(shingles), scope, url)


def part_of(docs: Sequence[Doc], bands: int, first: int, *, urls: bool) -> Part:
    """These documents as a part; ids and references count from `first`."""

    def keys(wanted: range) -> list[np.ndarray]:
        return [hashed([(d.keys or (0,) * bands)[band] for d in docs]) for band in wanted]

    def shingles(chosen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for number in chosen.tolist():
            values = np.array(sorted(docs[number].shingles), np.uint64)
            yield np.array([number]), np.array([0, len(values)]), values

    def url_keys() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        left = hashed([d.url or 0 for d in docs])
        return left, left, np.array([d.url is not None for d in docs], np.bool_)

    def names(chosen: np.ndarray) -> tuple[pl.Series, pl.Series]:
        return pl.Series([f"id{first + i}" for i in chosen.tolist()]), pl.Series([f"ref{first + i}" for i in chosen.tolist()])

    return Part(
        n=len(docs),
        order=lambda: pl.DataFrame(
            {
                "priority": [0] * len(docs),
                "number score": [d.score for d in docs],
                "moment score": [None] * len(docs),
                "text score": [None] * len(docs),
            },
            schema={"priority": pl.Int64, "number score": pl.Float64, "moment score": pl.Int64, "text score": pl.String},
        ),
        texts=lambda: (hashed([d.text for d in docs]), np.array([d.text for d in docs], np.uint64)),
        scope=lambda: np.array([d.scope for d in docs], np.uint64),
        urls=url_keys if urls else None,
        words=lambda: np.array([5 if d.keys else 4 for d in docs], np.int32),
        bands=keys,
        shingles=shingles,
        names=names,
    )


def hashed(values: Sequence[int]) -> np.ndarray:
    """Numbers as hashes: spread over 64 bits, as the partitions need them; equal for equal numbers."""
    return np.array(values, np.uint64) * np.uint64(0x9E3779B97F4A7C15)


@dataclasses.dataclass(frozen=True)
class Decided:
    """Of one run, by document in the order given: `(fate, number of the survivor, similarity)`, and the whole."""

    fates: list[tuple[int, int, float]]
    whole: fate_columns.Fates
    tables: pl.DataFrame


class Corpus:
    """An output that grows generation by generation, with an index on disk and shingles in place of texts."""

    def __init__(self, folder: Path, **plan: Any) -> None:
        self.bands = plan.pop("n_bands", 1)
        self.room = plan.pop("room", 1 << 30)
        self.workers = plan.pop("workers", 1)
        self.tasks = plan.pop("tasks", None)  # at most so many of each step, through pickle; None: in one process
        self.stages: list[str] = []
        self.dedup = Dedup(keep=("score desc",), **plan)
        self.store: Store = open_store(str(folder))
        self.parts: list[IndexPart] = []
        self.known: list[Doc] = []  # documents of the index, by number
        self.names: list[str] = []
        self.read = 0

    def add(self, docs: Sequence[Doc], *, cuts: Sequence[int] = ()) -> Decided:
        """One generation of these documents, cut into units at `cuts`."""
        edges = [0, *sorted(cuts), len(docs)]
        units = [docs[a:b] for a, b in itertools.pairwise(edges)]
        parts = [part_of(u, self.bands, self.read + a, urls=self.dedup.exact_url) for u, a in zip(units, edges, strict=False)]
        index = _Index(self.store, tuple(self.parts), known=self.known, labels=self.names)
        generation = len(self.parts) + 1
        with (
            scratch.open_scratch(self.store.scratch("scratch"), 0) as space,
            contextlib.closing(workers.Workers(self.workers)) as pool,
        ):
            space.room = self.room
            site = None if self.tasks is None else self._site(parts, index, folder=f"tasks/{generation}")
            made = decide_.decide(
                parts, index, self.store, dedup=self.dedup, bands=self.bands, scratch=space, pool=pool, site=site
            )
            names = [f"fates/{generation}-{i}.parquet" for i in range(len(parts))]
            at = [partial(np.arange, len(unit)) for unit in units]
            fates_.write_fates(
                self.store, parts, at, fates=made, index=index, names=names, generation=generation, scratch=space, pool=pool
            )
            fates_.write_index(
                self.store, f"index/{generation}", made, index=index, exact_url=self.dedup.exact_url, scratch=space
            )
            ranks = np.array(made.order.ranks)
            columns = [np.array(getattr(made.columns, name))[ranks] for name in ("fate", "survivor", "similarity")]
            whole = dataclasses.replace(
                made, columns=fate_columns.Columns(*(np.array(c) for c in dataclasses.astuple(made.columns)))
            )
            whole = dataclasses.replace(whole, order=dataclasses.replace(made.order, ranks=ranks, rows=np.array(made.order.rows)))
        fates = []
        for fate, survivor, similarity in zip(*(column.tolist() for column in columns), strict=True):
            fates.append((fate, survivor, similarity) if fate else (decide_.KEPT, -1, 0.0))
        tables = pl.concat([self.store.read_frame(name) for name in names])
        self._extend(docs, made, ranks, generation, tables)
        self.read += len(docs)
        return Decided(fates, whole, tables)

    def _site(self, parts: Sequence[Part], index: Index, *, folder: str) -> Site:
        """Jobs that go through pickle, each done twice where it is done again."""

        @contextlib.contextmanager
        def space() -> Iterator[scratch.Scratch]:
            with tempfile.TemporaryDirectory() as place, scratch.open_scratch(Path(place) / "scratch", 0) as made:
                made.room = self.room
                yield made

        handover = Files(self.store, folder)
        worker = Worker(handover, index, parts.__getitem__, space)

        def run(stage: str, jobs: Sequence[Job]) -> None:
            self.stages.append(stage)
            for job in jobs:
                item = pickle.loads(pickle.dumps(job))
                carry_out(worker, item)
                carry_out(worker, item)

        return Site(run, handover, self.room, most_jobs=self.tasks)

    def _extend(
        self, docs: Sequence[Doc], made: fate_columns.Fates, ranks: np.ndarray, generation: int, tables: pl.DataFrame
    ) -> None:
        numbers = tables["number"].to_numpy()
        kept = np.flatnonzero(numbers >= 0)
        first = len(self.known)
        for row in kept[np.argsort(numbers[kept])].tolist():
            self.known.append(docs[row])
            self.names.append(str(self.read + row))
        files = {}
        for table in index_.SORTED:
            path = f"index/{generation}/{table}.parquet"
            if self.store.has(path):
                rows = sum(self.store.group_rows(path))
                files[table] = FileRecord(path=path, rows=rows, bytes=self.store.size(path), sha256=path)
        self.parts.append(IndexPart(generation, first, len(kept), files, ()))


@dataclasses.dataclass(frozen=True)
class _Index(Index):
    """An index whose documents' shingles and names are at hand."""

    known: Sequence[Doc] = ()
    labels: Sequence[str] = ()

    def names(self, wanted: np.ndarray) -> Iterator[tuple[np.ndarray, pl.DataFrame]]:
        for number in wanted.tolist():
            generation = next(part.generation for part in self.parts if number < part.first + part.count)
            name = self.labels[number]
            frame = pl.DataFrame({"id": [f"id{name}"], "source_ref": [f"ref{name}"], "generation": [generation]})
            yield np.array([number]), frame

    def shingles(self, wanted: np.ndarray, *, ngram: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for number in wanted.tolist():
            values = np.array(sorted(self.known[number].shingles), np.uint64)
            yield np.array([number]), np.array([0, len(values)]), values
