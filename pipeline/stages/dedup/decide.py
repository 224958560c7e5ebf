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

from filters.kernels.dedup import bits
from filters.kernels.dedup.dedup_pass import VISIT
from pipeline.machine.scratch import Log, Scratch, records
from pipeline.machine.workers import Workers
from pipeline.plan.model import Dedup
from pipeline.stages.dedup import order, survivors
from pipeline.stages.dedup.driver import Driver, Site, VerifiedPairs, driver, here
from pipeline.stages.dedup.fate_columns import Columns, Fates
from pipeline.stages.dedup.index import Index
from pipeline.stages.dedup.near import Links
from pipeline.stages.dedup.order import Order
from pipeline.stages.dedup.pairs import Known
from pipeline.stages.dedup.part import Keys, Part, keep_columns, keys_at
from pipeline.stages.dedup.similarity import similarities
from pipeline.stages.dedup.steps import DROPPED, PAIR
from pipeline.stages.dedup.survivors import Similarities, Survivors, Visits
from pipeline.store.store import Store

KEPT, EXACT, URL, NEAR = 0, 1, 2, 3
REASONS = {EXACT: "exact_duplicate", URL: "duplicate_url", NEAR: "near_duplicate"}
CHUNK = 1 << 18
"""Ranks looked at in one go."""
_LOOKS = 3
"""Passes over the pairs that ask for what they lack; then all that a pair can need is verified. Chosen: after a changed threshold
the first pass finds nearly all that is missing."""


@dataclass(frozen=True)
class _Run:
    """State that the steps share."""

    index: Index
    work: Store
    dedup: Dedup
    scratch: Scratch
    order: Order
    columns: Columns
    hashes: Keys
    """Hash of each text, by rank."""
    dropped: np.ndarray
    """Set of ranks that are copies of a text."""
    driver: Driver


def decide(
    parts: Sequence[Part],
    index: Index,
    work: Store,
    *,
    dedup: Dedup,
    bands: int,
    scratch: Scratch,
    pool: Workers,
    site: Site | None = None,
) -> Fates:
    """Fates of all documents of the parts. `work`: where pair similarities are kept. `bands`: how many a document has. `site`:
    where the jobs run, by default in this process."""
    ordered = order.order(parts, keep_columns(dedup), scratch, pool=pool)
    n = len(ordered)
    columns = Columns(
        *(
            scratch.column(name, dtype, n)
            for name, dtype in (("fate", np.uint8), ("survivor", np.int64), ("similarity", np.float64), ("copies", np.int32))
        )
    )
    filled = [i for i, part in enumerate(parts) if part.n]
    jobs = driver(
        site or here(parts, index, scratch=scratch, pool=pool), index, ordered, filled=filled, scratch=scratch, pool=pool
    )
    run = _Run(index, work, dedup, scratch, ordered, columns, _hashes(parts, ordered, scratch, pool=pool), bits.empty(n), jobs)
    texts = _copies(run)
    jobs.site.handover.write(DROPPED, [{"bits": run.dropped}])
    links = jobs.link(bands=bands, ngram=dedup.ngram, bucket_cap=dedup.bucket_cap)
    urls, visits = _visits(run, links) if dedup.exact_url else ([], None)
    result = _near(run, links, visits)
    kept = result.kept & ~run.dropped
    _resolve(run, kept)
    return Fates(ordered, columns, kept, links, result, texts, urls, visits)


def _hashes(parts: Sequence[Part], ordered: Order, scratch: Scratch, *, pool: Workers) -> Keys:
    """Hash of each text, by rank."""
    made = scratch.column("text.left", np.uint64, len(ordered)), scratch.column("text.right", np.uint64, len(ordered))

    def texts(part: int) -> None:
        for column, half in zip(made, parts[part].texts(), strict=True):
            column[ordered.of_part(part)] = half

    pool.map(texts, [i for i, part in enumerate(parts) if part.n])
    return made


def _copies(run: _Run) -> list[Log]:
    """Decides the copies of texts. Returns the first documents."""
    lock = threading.Lock()

    def mark(ranks: np.ndarray, survivor: np.ndarray, similarity: np.ndarray | float) -> None:
        run.columns.fate[ranks] = EXACT
        run.columns.survivor[ranks] = survivor
        run.columns.similarity[ranks] = similarity
        with lock:
            bits.add(run.dropped, ranks)

    def drop(here: np.ndarray) -> np.ndarray:
        copy = (here["rank"] != here["first"]) | (here["known"] >= 0)
        copies = here[copy]
        survivor = np.where(copies["known"] >= 0, copies["known"], copies["first"] + len(run.index))
        mark(copies["rank"], survivor, copies["similarity"])
        return ~copy

    def again(ranks: np.ndarray, firsts: np.ndarray) -> None:
        mark(ranks, firsts + len(run.index), 1.0)

    return run.driver.grouped("texts", each=drop, again=again)


def _visits(run: _Run, links: Links) -> tuple[list[Log], Visits]:
    """Who has a URL that others have too, copies of texts left out. Returns the first with each URL as well."""
    visits = survivors.visits_of(links, run.order, run.scratch)

    def add(here: np.ndarray) -> np.ndarray:
        first = here["rank"] == here["first"]
        held = here[first & (here["known"] >= 0)]
        visits.holders[held["first"]] = 1 + held["known"]
        shared = here[here["shared"] | (here["known"] >= 0)]
        visits.records.scatter(shared["rank"] // links.block, records(VISIT, shared["rank"] + len(run.index), shared["first"]))
        return first

    return run.driver.grouped("urls", each=add), visits


def _near(run: _Run, links: Links, visits: Visits | None) -> Survivors:
    """Near duplicates. A pass asks for the similarities that it lacks and takes them for 1, so that what it drops is not compared
    with what stands behind; then it goes again. After `_LOOKS` of them all candidates are verified: only holders of URLs can be
    asked for then."""
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
        for pairs, counts in run.driver.count(asked, ngram=run.dedup.ngram):
            verified.add(pairs, counts)
            new = pairs["earlier"] >= len(run.index)
            one, other = (keys_at(run.hashes, pairs[side][new] - len(run.index)) for side in ("later", "earlier"))
            known.add(one, other, counts[new])
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


def _seen(later: np.ndarray, earlier: np.ndarray, *, run: _Run, known: Known, verified: VerifiedPairs, asked: Log) -> np.ndarray:
    """Similarities of pairs of numbers; 1 for those that are not known, which are `asked` for."""
    counts, have = verified.look_up(later, earlier)
    rest = np.flatnonzero(~have & (earlier >= len(run.index)))
    counts[rest], have[rest] = known.look_up(
        *(keys_at(run.hashes, numbers[rest] - len(run.index)) for numbers in (later, earlier))
    )
    asked.append(records(PAIR, later[~have], earlier[~have]))
    return np.where(have, similarities(counts, kind=run.dedup.similarity), 1.0)


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
