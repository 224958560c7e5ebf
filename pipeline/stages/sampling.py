"""Shares of rows chosen by a hash of their name: the same rows in every run, whatever units and workers."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np


def chosen(names: Iterable[str], *, share: float, seed: int, purpose: str = "") -> np.ndarray:
    """bool[n]: which of the names (source_refs) belong to the sample of this seed and purpose."""
    return fractions(names, seed=seed, purpose=purpose) < share


def fractions(names: Iterable[str], *, seed: int, purpose: str = "") -> np.ndarray:
    """float64[n] in [0, 1): a hash of each name; a sample of share s is the names below s."""
    salt = f"{seed}:{purpose}:" if purpose else f"{seed}:"
    return np.array([_fraction(salt + name) for name in names], dtype=np.float64)


def _fraction(text: str) -> float:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=7).digest(), "big") / 2**56
