"""A byte 6-gram language model with interpolated Witten-Bell smoothing, exact, on numpy alone: seconds, no extra dependency.

    P_o(b | h) = (c(h b) + T(h) P_{o-1}(b | h')) / (c(h) + T(h)),  P_0 = 1 / 256

c counts, T(h) is the number of different bytes seen after h (Witten and Bell 1991; interpolated as in Chen and Goodman 1998).
An n-gram is its bytes packed into a uint64, the last one lowest, so that sorting groups them by context.

It ranks corpora. It inflates magnitudes (random bytes poison tables of counts in a way that attention ignores) and cannot see
repetition (counts scale), so nothing it says is shown as a percentage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ORDER = 6
_BYTE = np.uint64(8)


@dataclass(frozen=True)
class _Counts:
    """n-grams of one order: sorted keys with their counts; sorted contexts with their counts and kinds of continuation."""

    keys: np.ndarray
    counts: np.ndarray
    contexts: np.ndarray
    totals: np.ndarray
    kinds: np.ndarray


@dataclass(frozen=True)
class Model:
    orders: tuple[_Counts, ...]  # order 1 first; empty where it was trained on nothing


def keys_of(texts: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The 6-gram that ends at each byte, uint64, and the document of each byte. Before a document stand five zero bytes."""
    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    padded = np.frombuffer(b"".join(b"\0" * (ORDER - 1) + text for text in texts), dtype=np.uint8).astype(np.uint64)
    if not sizes.sum():
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    keys = np.zeros(len(padded) - (ORDER - 1), np.uint64)
    for back in range(ORDER):
        keys |= padded[ORDER - 1 - back : len(padded) - back] << np.uint64(8 * back)
    document = np.repeat(np.arange(len(texts)), sizes)
    # byte i of the documents put together stands (ORDER - 1) * (its document + 1) further on among the padded bytes
    return keys[np.arange(len(document)) + (ORDER - 1) * document], document


def train(texts: Sequence[bytes]) -> Model:
    """Counts of all orders."""
    keys, _ = keys_of(texts)
    if not len(keys):
        return Model(())
    found, counts = np.unique(keys, return_counts=True)
    orders = []
    for order in range(ORDER, 0, -1):
        if order < ORDER:
            shorter = found & np.uint64((1 << 8 * order) - 1)
            by_key = np.argsort(shorter, kind="stable")
            starts = _starts(shorter[by_key])
            found, counts = shorter[by_key][starts], np.add.reduceat(counts[by_key], starts)
        starts = _starts(found >> _BYTE)
        totals = np.add.reduceat(counts, starts)
        kinds = np.diff(np.append(starts, len(found)))
        orders.append(_Counts(found, counts, found[starts] >> _BYTE, totals, kinds))
    return Model(tuple(reversed(orders)))


def bits(model: Model, texts: Sequence[bytes]) -> np.ndarray:
    """Bits (-log2 p) of each text, float64: divided by its bytes they are bits per byte."""
    keys, document = keys_of(texts)
    if not len(keys):
        return np.zeros(len(texts))
    distinct, place = np.unique(keys, return_inverse=True)
    cost = -np.log2(probabilities(model, distinct))
    return np.bincount(document, weights=cost[place], minlength=len(texts))


def probabilities(model: Model, keys: np.ndarray) -> np.ndarray:
    """P(last byte | the five before it) of 6-grams."""
    found = np.full(len(keys), 1 / 256)
    for order, counted in enumerate(model.orders, start=1):
        wanted = keys & np.uint64((1 << 8 * order) - 1)
        seen = _look_up(counted.keys, counted.counts, wanted)
        context = wanted >> _BYTE
        total = _look_up(counted.contexts, counted.totals, context)
        kinds = _look_up(counted.contexts, counted.kinds, context)
        known = total > 0
        found[known] = (seen[known] + kinds[known] * found[known]) / (total[known] + kinds[known])
    return found


def _starts(ordered: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values of `wanted` keys as float64, 0 where a key is not there."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0).astype(np.float64)
