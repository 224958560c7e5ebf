"""One order of all groups of documents, of which every arm is a filter; a draw turns it.

Invariants: (a) what an arm has read at a share p of its corpus is, of each stratum, the part of the order up to p: so the curated
arm at p has read exactly the kept documents of what the raw arm has read at p, and (b) the kept share of every sample is the
corpus's, but for one group a stratum. A group's stratum is which arms have none, one or several of its documents; its place is
the bytes of its stratum before it / the bytes of the stratum, turned by a random part of the whole for each stratum (else the
first group of each would be in every sample) and by draw / draws. Draws share no text while a run reads at most 1 / draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.store.keys import key

PIECE = 0.004
LEAST_PIECE = 4
"""Documents of a group are torn into pieces of four or more, with at most 1/250 of a draw's text where they can be: one
cluster of a hundred copies would decide a draw. The logarithms of dedup's multipliers over five draws of 2 MB had standard
deviations of .03 to .09 with pieces of 1/50, of .04 to .05 with these. Of a piece three quarters are copies at least, as of the
group nearly all."""
GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it, modulo 1, are evenly spread, those of any run of numbers: what is in a row by likeness is apart by them."""
MOST_KINDS = 32
"""Of a stratum's number of documents in an arm: none, 1, 2 to 3, 4 to 7, …"""


@dataclass(frozen=True)
class Order:
    """`places[g]`: where group g stands before a draw turns it, in [0, 1). `draws`: how many there are at most."""

    places: np.ndarray
    draws: int
    seed: int

    @property
    def identity(self) -> str:
        """Key of where everything stands in every draw."""
        return key("order", hashlib.sha256(self.places.tobytes()).hexdigest(), self.draws)

    def turned(self, draw: int) -> np.ndarray:
        """float64[groups] in [0, 1): where each group stands in a draw."""
        return (self.places - draw / self.draws) % 1.0

    def documents(self, groups: np.ndarray, draw: int) -> np.ndarray:
        """int64: an arm's documents in the order of a draw, those of one group together. `groups`: the group of each."""
        return np.argsort(self.turned(draw)[groups], kind="stable")


def made(
    arms: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    groups: int,
    draws: int,
    seed: int,
    likeness: np.ndarray | None = None,
    kinds: np.ndarray | None = None,
) -> Order:
    """`arms`: of each arm its documents' groups (0 to `groups`) and bytes. A group's bytes are those in the first arm with it.
    `likeness`: a figure of each group; groups alike in it are spread evenly over the order, as those of a stratum are. `kinds`:
    a number of each group, of its language; those of one kind are spread evenly, and by likeness within it."""
    strata, sizes = np.zeros(groups, np.int64), np.zeros(groups)
    for of, n_bytes in arms:
        strata = strata * MOST_KINDS + np.ceil(np.log2(np.bincount(of, minlength=groups) + 1)).astype(np.int64)
        sizes = np.where(sizes > 0, sizes, np.bincount(of, weights=n_bytes, minlength=groups))
    rng = np.random.default_rng([seed, 3])
    found, stratum = np.unique(strata, return_inverse=True)
    spread = rng.random(groups)
    if likeness is not None:
        kind = np.zeros(groups) if kinds is None else kinds
        spread = (np.argsort(np.lexsort((spread, likeness, kind, stratum))) * GOLDEN + rng.random(len(found))[stratum]) % 1.0
    by_stratum = np.lexsort((spread, stratum))
    before = np.cumsum(sizes[by_stratum]) - sizes[by_stratum]
    starts = np.searchsorted(stratum[by_stratum], np.arange(len(found)))
    whole = np.bincount(stratum, weights=sizes, minlength=len(found))
    own = stratum[by_stratum]
    places = np.empty(groups)
    places[by_stratum] = (before - before[starts][own]) / np.maximum(whole[own], 1.0) + rng.random(len(found))[own]
    return Order(places % 1.0, draws, seed)


def shared(drawn: Sequence[int], *, of: int, read: float) -> float:
    """Where each of these draws, out of `of` turns, reads a share `read` of the order: the share of that which another one reads
    too, on average over the pairs."""
    turns = np.array(drawn)
    apart = np.abs(turns[:, None] - turns) / of
    apart = apart[apart != 0]
    if not len(apart) or read <= 0:
        return 0.0
    both = np.clip(read - apart, 0, None) + np.clip(read - (1 - apart), 0, None)
    return float(np.mean(both) / read) if read < 1 else 1.0


def pieces(groups: np.ndarray, sizes: np.ndarray, *, limit: float) -> np.ndarray:
    """int64: the piece of its group that each document of the baseline is in, in the order in which they stand."""
    by_group = np.argsort(groups, kind="stable")
    first = np.flatnonzero(np.append(True, np.diff(groups[by_group]) != 0))
    n = np.diff(np.append(first, len(groups)))
    own = np.repeat(np.arange(len(first)), n)
    whole = np.bincount(own, weights=sizes[by_group])
    parts = np.clip(np.minimum(np.ceil(whole / (PIECE * limit)), n // LEAST_PIECE), 1, None)
    rank = np.arange(len(groups)) - first[own]
    found = np.empty(len(groups), np.int64)
    found[by_group] = rank * parts[own] // n[own]
    return found
