"""An estimated figure with its 95 % interval, and Wilson's interval of a share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def share(hits: float, n: float) -> Estimate:
    """The share of `hits` among n > 0 with its score interval (Wilson 1927, JASA 22, pp. 209-212). For documents drawn from a
    large number; where most of a reason's documents were judged it is wider than need be."""
    value, z2 = hits / n, Z_95**2
    middle = (value + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(value * (1 - value) / n + z2 / (4 * n * n))
    return Estimate(value, 0.0 if hits == 0 else middle - half, 1.0 if hits == n else middle + half)


def weighted_share(hits: Sequence[bool], weights: Sequence[float]) -> Estimate | None:
    """The share of `hits` among documents of unequal weight, with Wilson's interval for as many equal ones as tell as much (Kish
    1965, "Survey sampling": the square of the sum over the sum of squares); None where nothing weighs."""
    total = math.fsum(weights)
    if not total:
        return None
    n = total**2 / math.fsum(weight**2 for weight in weights)
    hit = math.fsum(weight for weight, right in zip(weights, hits, strict=True) if right)
    return share(n if hit == total else n * hit / total, n)
