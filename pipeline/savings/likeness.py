"""How like a target each group of documents is: what the order spreads evenly over the draws (`order.made`).

A group's likeness is the mean over its bytes of log p(target) / p(baseline) of the three bytes from there on, by hashed counts.
It decides nothing but which documents stand apart in the order: a draw that happens to hold much of what the target is like
would read another multiplier than the next.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BITS = 16
"""Of the hash of three bytes."""
_FACTORS = tuple(np.uint32(factor) for factor in (0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35))


def of_groups(arms: Sequence[tuple[np.ndarray, Sequence[str]]], target: Sequence[str], *, groups: int) -> np.ndarray:
    """float64[groups]. `arms`: the group of each document, and the texts, the baseline first; a group is as its documents in
    the first arm that has it."""
    wanted, _ = _hashed(target)
    total, n_bytes = np.zeros(groups), np.zeros(groups)
    ratio: np.ndarray | None = None
    for of, texts in arms:
        found, starts = _hashed(texts)
        if ratio is None:
            ratio = _logs(wanted) - _logs(found)
        sizes = np.diff(starts, append=len(found))
        sums = np.add.reduceat(ratio[found], np.minimum(starts, len(found) - 1)) if len(found) else np.zeros(len(starts))
        new = n_bytes == 0
        total += np.where(new, np.bincount(of, weights=np.where(sizes > 0, sums, 0.0), minlength=groups), 0.0)
        n_bytes += np.where(new, np.bincount(of, weights=sizes, minlength=groups), 0.0)
    return total / np.maximum(n_bytes, 1.0)


def _logs(hashed: np.ndarray) -> np.ndarray:
    counts = np.bincount(hashed, minlength=1 << BITS) + 0.5
    return np.log(counts / counts.sum())


def _hashed(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The hash of the three bytes from each byte on, and where each text begins."""
    encoded = [text.encode() for text in texts]
    stream = np.frombuffer(b"".join(encoded) + b"\0\0", np.uint8).astype(np.uint32)
    mixed = sum(stream[at : len(stream) - 2 + at] * factor for at, factor in enumerate(_FACTORS))
    sizes = np.array([len(part) for part in encoded], np.int64)
    return np.asarray(mixed, np.uint32) >> np.uint32(32 - BITS), np.cumsum(sizes) - sizes
