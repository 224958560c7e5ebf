"""The fate of every document of a generation: kept, copy of a text, copy of a URL, or near duplicate, with the evidence.

Invariant: exact duplicates are decided first and take no place in a bucket; whoever is dropped names a document that dedup
kept. The result depends on the documents, their order and the index alone, not on memory, threads or partitions. The
definition: CONTRIBUTING.md.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np
import polars as pl

from filters.kernels.dedup import bits
from filters.kernels.dedup.dedup_pass import VISIT
from pipeline.machine.scratch import Log, Scratch, records
from pipeline.machine.workers import Workers
from pipeline.plan.model import Dedup
from pipeline.stages.dedup import exact, near, order, survivors
from pipeline.stages.dedup.fate_columns import Columns, Fates
from pipeline.stages.dedup.index import Index
from pipeline.stages.dedup.near import Links
from pipeline.stages.dedup.order import Order
from pipeline.stages.dedup.pairs import Known
from pipeline.stages.dedup.part import Keys, Part, keep_columns, keys_at
from pipeline.stages.dedup.similarity import COUNTS, ShingleStore, similarities
from pipeline.stages.dedup.survivors import Similarities, Survivors, Visits
from pipeline.stages.dedup.tasks.driver import PAIR, TaskDriver, VerifiedPairs
from pipeline.store.store import Store

KEPT, EXACT, URL, NEAR = 0, 1, 2, 3
REASONS = {EXACT: "exact_duplicate", URL: "duplicate_url", NEAR: "near_duplicate"}
CHUNK = 1 << 18
"""Ranks looked at in one go."""
_LOOKS = 3
"""Passes over the pairs in which shingles are made as they are asked for; then all that a pair can need are made. Chosen: after
a changed threshold the first pass finds nearly all that is missing."""


@dataclass(frozen=True)
class _Run:
    """State that the steps share."""

    parts: Sequence[Part]
    index: Index
    work: Store
    dedup: Dedup
    scratch: Scratch
    pool: Workers
    order: Order
    filled: Sequence[int]
    """Parts that have documents."""
    columns: Columns
    hashes: Keys
    """Hash of each text, by rank."""
    dropped: np.ndarray
    """Set of ranks that are copies of a text."""
    driver: TaskDriver | None
    """Where hashes are grouped, links made and pairs verified; None: here."""


def decide(
    parts: Sequence[Part],
    index: Index,
    work: Store,
    *,
    dedup: Dedup,
    bands: int,
    scratch: Scratch,
    pool: Workers,
    driver: TaskDriver | None = None,
) -> Fates:
    """Fates of all documents of the parts. `work`: where pair similarities are kept. `bands`: how many a document has."""
    ordered = order.order(parts, keep_columns(dedup), scratch, pool=pool)
    n = len(ordered)
    columns = Columns(
        *(
            scratch.column(name, dtype, n)
            for name, dtype in (("fate", np.uint8), ("survivor", np.int64), ("similarity", np.float64), ("copies", np.int32))
        )
    )
    hashes = scratch.column("text.left", np.uint64, n), scratch.column("text.right", np.uint64, n)
    filled = [i for i, part in enumerate(parts) if part.n]
    run = _Run(parts, index, work, dedup, scratch, pool, ordered, filled, columns, hashes, bits.empty(n), driver)
    if driver is not None:
        driver.begin(ordered, len(parts))
    texts = _copies(run)
    if driver is None:
        links = near.link(
            parts,
            ordered,
            run.dropped,
            index=index,
            bands=bands,
            ngram=dedup.ngram,
            bucket_cap=dedup.bucket_cap,
            scratch=scratch,
            pool=pool,
        )
    else:
        links = driver.link(n, run.dropped, scratch, bands=bands, ngram=dedup.ngram, bucket_cap=dedup.bucket_cap)
    urls, visits = _visits(run, links) if dedup.exact_url else ([], None)
    result = _near(run, links, visits) if driver is None else _near_by_tasks(run, driver, links, visits=visits)
    kept = result.kept & ~run.dropped
    _resolve(run, kept)
    return Fates(ordered, columns, kept, links, result, texts, urls, visits)


def _copies(run: _Run) -> list[Log]:
    """Decides the copies of texts. Returns the first documents."""
    lock = threading.Lock()

    def texts(part: int) -> tuple[np.ndarray, Keys]:
        ranks, keys = run.order.of_part(part), run.parts[part].texts()
        for column, half in zip(run.hashes, keys, strict=True):
            column[ranks] = half
        return ranks, exact.scoped(keys, run.parts[part].scope())

    def drop(here: pl.DataFrame) -> pl.DataFrame:
        copy = (pl.col("rank") != pl.col("first")) | pl.col("known").is_not_null()
        copies = here.filter(copy)
        ranks, known = copies["rank"].to_numpy(), copies["known"].fill_null(-1).to_numpy()
        run.columns.fate[ranks] = EXACT
        run.columns.survivor[ranks] = np.where(known >= 0, known, copies["first"].to_numpy() + len(run.index))
        run.columns.similarity[ranks] = copies["similarity"].fill_null(1.0).to_numpy()
        with lock:
            bits.add(run.dropped, ranks)
        return here.filter(~copy)

    def again(ranks: np.ndarray, firsts: np.ndarray) -> None:
        run.columns.fate[ranks] = EXACT
        run.columns.survivor[ranks] = firsts + len(run.index)
        run.columns.similarity[ranks] = 1.0
        with lock:
            bits.add(run.dropped, ranks)

    if run.driver is not None:
        run.pool.map(texts, run.filled)  # for `hashes`
        return run.driver.grouped("texts", len(run.order), None, scratch=run.scratch, pool=run.pool, each=drop, again=again)
    return exact.grouped(
        "texts", texts, run.filled, n=len(run.order), index=run.index, scratch=run.scratch, pool=run.pool, each=drop, again=again
    )


def _visits(run: _Run, links: Links) -> tuple[list[Log], Visits]:
    """Who has a URL that others have too, copies of texts left out. Returns the first with each URL as well."""
    n, old = len(run.order), len(run.index)
    visits = survivors.visits_of(links, run.order, run.scratch)

    def urls(part: int) -> tuple[np.ndarray, Keys]:
        ranks, given = run.order.of_part(part), run.parts[part].urls
        assert given is not None
        left, right, valid = given()
        inside = np.flatnonzero(valid & ~bits.has(run.dropped, ranks))
        scope = run.parts[part].scope()
        return ranks[inside], exact.scoped((left[inside], right[inside]), None if scope is None else scope[inside])

    def add(here: pl.DataFrame) -> pl.DataFrame:
        firsts = here.filter(pl.col("rank") == pl.col("first"))
        held = firsts.filter(pl.col("known").is_not_null())
        visits.holders[held["first"].to_numpy()] = 1 + held["known"].to_numpy()
        shared = here.filter(pl.col("shared") | pl.col("known").is_not_null())
        ranks, url = shared["rank"].to_numpy(), shared["first"].to_numpy()
        visits.records.scatter(ranks // links.block, records(VISIT, ranks + old, url))
        return firsts

    if run.driver is not None:
        return run.driver.grouped("urls", n, run.dropped, scratch=run.scratch, pool=run.pool, each=add), visits
    return exact.grouped("urls", urls, run.filled, n=n, index=run.index, scratch=run.scratch, pool=run.pool, each=add), visits


def _near(run: _Run, links: Links, visits: Visits | None) -> Survivors:
    """Near duplicates. Shingles are made for the pairs whose similarity is not known from an earlier run."""
    store = ShingleStore(run.scratch, len(run.index) + len(run.order))
    known = Known(run.work, run.scratch, run.dedup.ngram)
    wanted = survivors.linked(links, visits, run.order, index=run.index)
    for look in range(_LOOKS + 1):
        if look == _LOOKS or not len(known):
            _shingle(run, store, wanted)
        missing = bits.empty(len(run.index)), bits.empty(len(run.order))
        similar = partial(_similarities, run=run, store=store, known=known, missing=missing)
        result = _pass_over(run, links, visits, measure=similar)
        if not any(map(bits.count, missing)):
            break
        _forget(run.columns)
        _shingle(run, store, missing)
    known.save()
    return result


def _pass_over(run: _Run, links: Links, visits: Visits | None, *, measure: Similarities) -> Survivors:
    """One pass over the pairs, which marks what it drops in the columns."""

    def drop(ranks: np.ndarray, survivor: np.ndarray, similarity: np.ndarray, by_url: np.ndarray) -> None:  # noqa: PLR0917
        columns = run.columns
        columns.fate[ranks], columns.survivor[ranks] = np.where(by_url, URL, NEAR), survivor
        columns.similarity[ranks] = similarity

    return survivors.judge(
        links,
        visits,
        run.order,
        index=run.index,
        threshold=run.dedup.threshold,
        similarities=measure,
        dropped=drop,
        scratch=run.scratch,
    )


def _forget(columns: Columns) -> None:
    """Undo what a pass over the pairs decided."""
    for start in range(0, len(columns.fate), CHUNK):
        fate = columns.fate[start : start + CHUNK]
        fate[fate > EXACT] = KEPT


def _near_by_tasks(run: _Run, driver: TaskDriver, links: Links, *, visits: Visits | None) -> Survivors:
    """Near duplicates, pairs verified by tasks. A pass asks for the similarities that it lacks and takes them for 1, so that what
    it drops is not compared with what stands behind; then it goes again. A pass that lacks none is the one that `_near` ends
    with. After `_LOOKS` of them all candidates are verified: only holders of URLs can be asked for then."""
    known, verified = Known(run.work, run.scratch, run.dedup.ngram), VerifiedPairs(run.scratch, links, old=len(run.index))
    for look in count():
        asked = run.scratch.log(f"asked.{look}", PAIR)
        see = partial(_seen, run=run, known=known, verified=verified, asked=asked)
        if look == _LOOKS:
            for later, earlier in survivors.candidates(links, old=len(run.index)):
                see(later, earlier)
        else:
            result = _pass_over(run, links, visits, measure=see)
            if not asked.size:
                break
            _forget(run.columns)
        for pairs, counts in driver.count(asked, run.order, run.scratch, ngram=run.dedup.ngram):
            verified.add(pairs, counts)
            new = pairs["earlier"] >= len(run.index)
            one, other = (keys_at(run.hashes, pairs[side][new] - len(run.index)) for side in ("later", "earlier"))
            known.add(one, other, counts[new])
    known.save()
    return result


def _seen(later: np.ndarray, earlier: np.ndarray, *, run: _Run, known: Known, verified: VerifiedPairs, asked: Log) -> np.ndarray:
    """Similarities of pairs of numbers; 1 for those that are not known, which are `asked` for."""
    counts, have = verified.look_up(later, earlier)
    rest = np.flatnonzero(~have & (earlier >= len(run.index)))
    counts[rest], have[rest] = known.look_up(
        *(keys_at(run.hashes, numbers[rest] - len(run.index)) for numbers in (later, earlier))
    )
    asked.append(records(PAIR, later[~have], earlier[~have]))
    return np.where(have, similarities(counts, kind=run.dedup.similarity), 1.0)


def _similarities(
    later: np.ndarray,
    earlier: np.ndarray,
    *,
    run: _Run,
    store: ShingleStore,
    known: Known,
    missing: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Similarities of pairs of numbers. Documents whose shingles would be needed go to `missing`; their pairs get 0."""
    old = len(run.index)
    counts = np.zeros(len(later), COUNTS)
    new = np.flatnonzero(earlier >= old)
    one, other = (keys_at(run.hashes, numbers[new] - old) for numbers in (later, earlier))
    counts[new], found = known.look_up(one, other)
    have = np.zeros(len(later), np.bool_)
    have[new[found]] = True
    able = ~have & store.has(later) & store.has(earlier)
    rest = np.flatnonzero(able)
    counts[rest] = store.counts(later[rest], earlier[rest], run.pool)
    fresh = np.flatnonzero(able[new])
    known.add(keys_at(one, fresh), keys_at(other, fresh), counts[new[fresh]])
    lost = ~have & ~able
    for numbers in (later[lost], earlier[lost]):
        bits.add(missing[0], numbers[numbers < old])
        bits.add(missing[1], numbers[numbers >= old] - old)
    return similarities(counts, kind=run.dedup.similarity)


def _shingle(run: _Run, store: ShingleStore, wanted: tuple[np.ndarray, np.ndarray]) -> None:
    """Make the sets of these documents that are not there yet: those of the index, and ranks."""
    old, new = wanted
    earlier = bits.members(old, 0, len(run.index))
    store.add(run.index.shingles(earlier[~store.has(earlier)], ngram=run.dedup.ngram))

    def one(part: int) -> None:
        numbers = run.order.of_part(part) + len(run.index)
        chosen = np.flatnonzero(bits.has(new, numbers - len(run.index)) & ~store.has(numbers))
        if len(chosen):
            store.add((numbers[documents], offsets, hashes) for documents, offsets, hashes in run.parts[part].shingles(chosen))

    run.pool.map(one, run.filled)


def _resolve(run: _Run, kept: np.ndarray) -> None:
    """Let every dropped document name the kept one that survives for it, and count what each of those stands for."""
    fate, survivor, similarity, copies = (getattr(run.columns, name) for name in ("fate", "survivor", "similarity", "copies"))
    old = len(run.index)
    for start in range(0, len(fate), CHUNK):
        ranks = start + np.flatnonzero(fate[start : start + CHUNK])
        to, close = survivor[ranks], similarity[ranks]
        while True:
            here = np.flatnonzero(to >= old)
            here = here[~bits.has(kept, to[here] - old)]
            if not len(here):
                break
            first = to[here] - old
            close[here] = similarity[first]
            to[here] = survivor[first]
        survivor[ranks], similarity[ranks] = to, close
        mine = to[to >= old] - old
        np.add.at(copies, mine, 1)
        run.scratch.relieve()
