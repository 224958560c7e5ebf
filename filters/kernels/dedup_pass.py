"""The loops of near-duplicate judgement: buckets to candidate pairs, exact similarity of pairs, one pass over verified pairs.

Invariant: results follow from the definition of candidates and fates alone (`pipeline/dedup/near.py`), which tests hold to plain
Python. Documents are numbered by priority: a smaller number is an earlier document.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import kernel
from filters.kernels.words import SEED, finalise

EARLIER_BITS = 40
"""A candidate pair is `later << 40 | earlier`, later counted from the first document of its block: one number to sort."""


def buckets(scope: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """uint64[n]: a hash of scope uint64[n] and band key uint64[n]; equal for equal pairs."""
    made = np.empty(len(keys), np.uint64)
    _buckets(_frozen(scope), _frozen(keys), made)
    return made


@kernel
def _buckets(scope, keys, made):
    for i in range(made.size):
        made[i] = finalise(keys[i] ^ finalise(scope[i] ^ SEED))


def link(
    documents: np.ndarray, bucket: np.ndarray, places: np.ndarray, *, bucket_cap: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Who is a candidate for whom in one band.

    `documents` int64[n] in order of (bucket, priority) with their `bucket` uint64[n]; `places` uint64[:]: the bucket of each
    place that earlier generations took, ascending. Returns `(links int64[:, 5], members int64[:], took bool[n])`. A link is a
    document, where its candidates start in `members` and how many they are, where they start in `places` and how many. `took`
    says which documents are among the first `bucket_cap` of their bucket.
    """
    links, members = np.empty((len(documents), 5), np.int64), np.empty(len(documents), np.int64)
    took, sizes = np.empty(len(documents), np.bool_), np.zeros(2, np.int64)
    _link(_frozen(documents), _frozen(bucket), _frozen(places), bucket_cap, links, members, took, sizes)
    return links[: sizes[0]].copy(), members[: sizes[1]].copy(), took


@kernel
def _link(documents, bucket, places, bucket_cap, links, members, took, sizes):
    n_links = n_members = first = place = np.int64(0)
    while first < documents.size:
        last = first + 1
        while last < documents.size and bucket[last] == bucket[first]:
            last += 1
        while place < places.size and places[place] < bucket[first]:
            place += 1
        had = np.int64(0)
        while place + had < places.size and places[place + had] == bucket[first]:
            had += 1
        free = max(bucket_cap - had, 0)
        for k in range(last - first):
            took[first + k] = k < free
            if had or (k and free):
                links[n_links, 0], links[n_links, 1], links[n_links, 2] = documents[first + k], n_members, min(k, free)
                links[n_links, 3], links[n_links, 4] = place, had
                n_links += 1
        if last - first > 1:
            for k in range(min(last - first, free)):
                members[n_members] = documents[first + k]
                n_members += 1
        first = last
    sizes[0], sizes[1] = n_links, n_members


def pairs(links: np.ndarray, members: np.ndarray, places: np.ndarray, *, first: int) -> np.ndarray:
    """The distinct pairs of these links, ascending, as `(later - first) << EARLIER_BITS | earlier`; uint64.

    `places` int64[:]: the document at each place of earlier generations, -1 where dedup dropped it.
    """
    made = np.empty(int((links[:, 2] + links[:, 4]).sum()), np.uint64)
    made = np.sort(made[: _pairs(_frozen(links), _frozen(members), _frozen(places), first, made)])
    return made[np.append(True, made[1:] != made[:-1])] if len(made) else made


@kernel
def _pairs(links, members, places, first, made):
    n = np.int64(0)
    for k in range(links.shape[0]):
        later = np.uint64(links[k, 0] - first) << np.uint64(EARLIER_BITS)
        for at in range(links[k, 1], links[k, 1] + links[k, 2]):
            made[n] = later | np.uint64(members[at])
            n += 1
        for at in range(links[k, 3], links[k, 3] + links[k, 4]):
            if places[at] >= 0:
                made[n] = later | np.uint64(places[at])
                n += 1
    return n


def judge(
    pairs: np.ndarray, similarity: np.ndarray, threshold: float, kept: np.ndarray, survivor: np.ndarray, evidence: np.ndarray
) -> None:
    """Drops each later document that reaches the threshold with a kept earlier one, in order of the later document.

    `pairs` int64[m, 2]: (later, earlier), ascending; `similarity` float64[m]. Updates `kept` bool[n]; for dropped ones `survivor`
    int64[n], the most similar kept candidate (the earliest of equals), and `evidence` float64[n], its similarity.
    """
    _judge(_frozen(pairs), _frozen(similarity), float(threshold), kept, survivor, evidence)


@kernel
def _judge(pairs, similarity, threshold, kept, survivor, evidence):
    k = 0
    while k < similarity.size:
        document, best, most = pairs[k, 0], np.int64(-1), -1.0
        while k < similarity.size and pairs[k, 0] == document:
            if similarity[k] >= threshold and similarity[k] > most and kept[pairs[k, 1]]:
                best, most = pairs[k, 1], similarity[k]
            k += 1
        if best >= 0:
            kept[document] = False
            survivor[document] = best
            evidence[document] = most


def shared(pairs: np.ndarray, old: tuple[np.ndarray, np.ndarray], new: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """int64[m, 3] for pairs int64[m, 2]: how many shingles both documents have, the one has, the other has.

    `old` and `new` are `(offsets, hashes)`, each document's hashes ascending; document numbers go through old, then new.
    """
    counts = np.empty((len(pairs), 3), np.int64)
    _shared(_frozen(pairs), len(old[0]) - 1, *map(_frozen, (*old, *new)), counts)
    return counts


def _frozen(array: np.ndarray) -> np.ndarray:
    """A contiguous read-only view, so that kernels are compiled for one kind, whether Arrow or numpy owns the memory."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


@kernel
def _shared(pairs, first, old_at, old, new_at, new, counts):
    for k in range(pairs.shape[0]):
        i, j = pairs[k, 0], pairs[k, 1]
        one = old[old_at[i] : old_at[i + 1]] if i < first else new[new_at[i - first] : new_at[i - first + 1]]
        other = old[old_at[j] : old_at[j + 1]] if j < first else new[new_at[j - first] : new_at[j - first + 1]]
        counts[k, 0], counts[k, 1], counts[k, 2] = _common(one, other), one.size, other.size


@kernel
def _common(one, other):
    """How many values two strictly ascending arrays share."""
    a = b = n = np.uintp(0)
    while a < np.uintp(one.size) and b < np.uintp(other.size):
        x, y = one[a], other[b]
        n += np.uintp(x == y)
        a += np.uintp(x <= y)
        b += np.uintp(y <= x)
    return np.int64(n)


def warm() -> None:
    """Compiles or loads the kernels of this module."""
    numbers, hashes = np.arange(2), np.zeros(2, np.uint64)
    bucket = buckets(hashes, hashes)
    links, members, _ = link(numbers, bucket, bucket[:0], bucket_cap=1)
    pairs(links, members, numbers[:0], first=0)
    judge(np.array([[1, 0]]), np.ones(1), 1.0, np.ones(2, np.bool_), np.zeros(2, np.int64), np.zeros(2))
    shared(np.array([[1, 0]]), (numbers[:1], hashes[:0]), (np.arange(3), hashes))
