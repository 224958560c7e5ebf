"""The loops of near-duplicate judgement: buckets to links, links to pairs, exact similarity of pairs, one pass over pairs.

Invariant: results follow from the definition of candidates and fates alone (`pipeline/stages/dedup/near.py` and `survivors.py`),
which tests hold to plain Python. Documents are numbered by priority: a smaller number is an earlier document. Numbers below `old`
are documents of earlier generations, all of them kept; `kept` is a set (`bits`) of the others, counted from `old`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from filters.kernels.buffers import frozen
from filters.kernels.compiled import Array, Float, Int, inner_kernel, kernel
from filters.kernels.dedup.bits import is_in
from filters.kernels.words.words import SEED, finalise

EARLIER_BITS = 40
"""A candidate pair is `later << 40 | earlier`, later counted from the first document of its block: one number to sort."""
_EARLIER = np.uint64(EARLIER_BITS)

LINK = np.dtype([("later", "<i8"), ("start", "<i8"), ("count", "<i4")])
"""A document and its candidates in one bucket: `members[start:start + count]`."""
VISIT = np.dtype([("number", "<i8"), ("url", "<i8")])
"""A document whose URL others have too, and the place of the URL among the holders."""


def mixed(scope: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """uint64[n]: a hash of scope uint64[n] and key uint64[n]; equal for equal pairs."""
    made = np.empty(len(keys), np.uint64)
    _mixed(frozen(scope), frozen(keys), made)
    return made


@kernel
def _mixed(scope: Array, keys: Array, made: Array) -> None:
    for i in range(made.size):
        made[i] = finalise(keys[i] ^ finalise(scope[i] ^ SEED))


@dataclass(frozen=True)
class BucketLinks:
    """What the buckets of one band, or of a range of it, say."""

    links: np.ndarray
    """LINK[:], `start` counted from the first of `members`."""
    members: np.ndarray
    """int64: candidates' numbers, bucket by bucket in priority order."""
    took: np.ndarray
    """bool[n]: which documents are among the first `bucket_cap` of their bucket."""


def link(bucket: np.ndarray, number: np.ndarray, old: tuple[np.ndarray, np.ndarray], *, bucket_cap: int) -> BucketLinks:
    """Who is a candidate for whom.

    `bucket` uint64[n] and `number` int64[n] of the new documents, sorted by both. `old`: the same of the places that earlier
    generations took, in their order; a number of -1 is a place whose document dedup dropped.
    """
    places, documents = old
    later, start, members = (np.empty(n, np.int64) for n in (len(bucket), len(bucket), len(bucket) + len(places)))
    count, took, sizes = np.empty(len(bucket), np.int32), np.empty(len(bucket), np.bool_), np.zeros(2, np.int64)
    of_new, of_old = (frozen(bucket), frozen(number)), (frozen(places), frozen(documents))
    _link(of_new, of_old, bucket_cap, (later, start, count), members, took, sizes)
    links = np.empty(sizes[0], LINK)
    links["later"], links["start"], links["count"] = (column[: sizes[0]] for column in (later, start, count))
    return BucketLinks(links, members[: sizes[1]].copy(), took)


@kernel
def _link(new: Any, taken: Any, bucket_cap: Int, links: Any, members: Array, took: Array, sizes: Array) -> None:
    (bucket, number), (places, documents), (later, start, count) = new, taken, links
    n_links = n_members = first = place = np.int64(0)
    while first < bucket.size:
        last = first + 1
        while last < bucket.size and bucket[last] == bucket[first]:
            last += 1
        while place < places.size and places[place] < bucket[first]:
            place += 1
        begin, had = n_members, np.int64(0)
        while place + had < places.size and places[place + had] == bucket[first]:
            if documents[place + had] >= 0:
                members[n_members] = documents[place + had]
                n_members += 1
            had += 1
        old, free = n_members - begin, max(bucket_cap - had, 0)
        for k in range(last - first):
            took[first + k] = k < free
            candidates = old + min(k, free)
            if candidates:
                later[n_links], start[n_links], count[n_links] = number[first + k], begin, candidates
                n_links += 1
        if last - first > 1:
            for k in range(min(last - first, free)):
                members[n_members] = number[first + k]
                n_members += 1
        first = last
    sizes[0], sizes[1] = n_links, n_members


def pairs(links: np.ndarray, members: np.ndarray, kept: np.ndarray, *, old: int, first: int) -> np.ndarray:
    """The distinct pairs with a kept earlier document, as `(later - first) << EARLIER_BITS | earlier`, ascending; uint64."""
    made = np.empty(int(links["count"].sum()), np.uint64)
    columns = frozen(links["later"]), frozen(links["start"]), frozen(links["count"])
    n = _pairs(*columns, frozen(members), kept, old, first, made)
    made = np.sort(made[:n])
    return made[np.append(True, made[1:] != made[:-1])] if len(made) else made


@kernel
def _pairs(later: Array, start: Array, count: Array, members: Array, kept: Array, old: Int, first: Int, made: Array) -> Int:
    n = np.int64(0)
    for k in range(later.size):
        high = np.uint64(later[k] - first) << _EARLIER
        for at in range(start[k], start[k] + count[k]):
            earlier = members[at]
            if earlier < old or is_in(kept, earlier - old):
                made[n] = high | np.uint64(earlier)
                n += 1
    return n


def judge(
    pairs: np.ndarray,
    similarity: np.ndarray,
    visits: np.ndarray,
    holders: np.ndarray,
    kept: np.ndarray,
    *,
    threshold: float,
    old: int,
    first: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(dropped int64[m], survivor int64[m], similarity float64[m])`; takes the dropped ones out of `kept`.

    `pairs` as `pairs` gives them, with their exact similarity float64. `visits` VISIT[:]: documents whose URL others have, by
    number; `holders` int64: by URL, 1 + the number of the kept document that has it, 0 without one. In order of the documents:
    whose URL is held is dropped for its holder, with a similarity of -1; who reaches the threshold with a kept earlier document
    is dropped for the most similar such document, the earliest of equals; any other document holds its URL from then on.
    """
    most = len(pairs) + len(visits)
    made = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.float64)
    columns = frozen(visits["number"]), frozen(visits["url"])
    n = _judge(pairs, frozen(similarity), columns, holders, float(threshold), kept, old, first, made)
    dropped, survivor, evidence = made
    return dropped[:n], survivor[:n], evidence[:n]


@kernel
def _judge(
    pairs: Array, similarity: Array, visits: Any, holders: Array, threshold: Float, kept: Array, old: Int, first: Int, made: Any
) -> Int:
    (visitor, url), (dropped, survivor, evidence) = visits, made
    n, k, v = np.int64(0), np.int64(0), np.int64(0)
    mask = (np.uint64(1) << _EARLIER) - np.uint64(1)
    last = np.int64(0x7FFFFFFFFFFFFFFF)
    while k < pairs.size or v < visitor.size:
        in_pairs = np.int64(pairs[k] >> _EARLIER) + first if k < pairs.size else last
        document = min(in_pairs, visitor[v] if v < visitor.size else last)
        best, most = np.int64(-1), -1.0
        while k < pairs.size and np.int64(pairs[k] >> _EARLIER) + first == document:
            earlier = np.int64(pairs[k] & mask)
            if similarity[k] >= threshold and similarity[k] > most and (earlier < old or is_in(kept, earlier - old)):
                best, most = earlier, similarity[k]
            k += 1
        if v < visitor.size and visitor[v] == document:
            if holders[url[v]]:
                best, most = holders[url[v]] - 1, -1.0
            elif best < 0:
                holders[url[v]] = document + 1
            v += 1
        if best >= 0:
            at = np.uint64(document - old)
            kept[np.uintp(at >> np.uint64(6))] &= ~(np.uint64(1) << (at & np.uint64(63)))
            dropped[n], survivor[n], evidence[n] = document, best, most
            n += 1
    return n


def shared(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], hashes: np.ndarray) -> np.ndarray:
    """int32[m]: how many hashes the two sets of each pair share.

    `one` and `other` are `(starts int64[m], sizes int32[m])`: a set is `hashes[start:start + size]`, strictly ascending uint64.
    """
    counts = np.empty(len(one[0]), np.int32)
    sets = frozen(one[0]), frozen(one[1]), frozen(other[0]), frozen(other[1])
    _shared(*sets, frozen(hashes), counts)
    return counts


@kernel
def _shared(one_at: Array, one_size: Array, other_at: Array, other_size: Array, hashes: Array, counts: Array) -> None:
    for k in range(counts.size):
        one = hashes[one_at[k] : one_at[k] + one_size[k]]
        other = hashes[other_at[k] : other_at[k] + other_size[k]]
        counts[k] = _common(one, other)


@inner_kernel
def _common(one: Array, other: Array) -> Int:
    """How many values two strictly ascending arrays share."""
    a = b = n = np.uintp(0)
    while a < np.uintp(one.size) and b < np.uintp(other.size):
        x, y = one[a], other[b]
        n += np.uintp(x == y)
        a += np.uintp(x <= y)
        b += np.uintp(y <= x)
    return np.int32(n)


def warm() -> None:
    """Compiles or loads the kernels of this module."""
    numbers, hashes, kept = np.arange(2), np.zeros(2, np.uint64), np.full(1, 3, np.uint64)
    made = link(mixed(hashes, hashes), numbers, (hashes[:0], numbers[:0]), bucket_cap=1)
    found = pairs(made.links, made.members, kept, old=0, first=0)
    visits, holders = np.zeros(1, VISIT), np.zeros(1, np.int64)
    judge(found, np.ones(len(found)), visits, holders, kept, threshold=1.0, old=0, first=0)
    shared((numbers, numbers.astype(np.int32)), (numbers, numbers.astype(np.int32)), np.arange(3, dtype=np.uint64))
