"""Student's t distribution for whole degrees of freedom: the quantile of a 95 % interval.

The probability within ±t is a finite sum of powers of cos θ, θ = arctan(t / √n): Abramowitz and Stegun, Handbook of
Mathematical Functions, 26.7.3 (odd n) and 26.7.4 (even n). It grows with θ, and bisection turns it round, so no table ends
and no approximation is needed: scipy would be a dependency for this one function.
"""

from __future__ import annotations

import math
from functools import lru_cache

STEPS = 60
"""Halvings of [0, π/2]: more than the 53 bits of a float."""


def within(t: float, df: int) -> float:
    """Probability that |T| <= t, for t >= 0 and `df` degrees of freedom."""
    return _within_angle(math.atan(t / math.sqrt(df)), df)


def _within_angle(theta: float, df: int) -> float:
    sine, cosine = math.sin(theta), math.cos(theta)
    odd = df % 2
    term = total = cosine if odd else 1.0
    for k in range(2 + odd, df - 1, 2):  # A&S: 2/3, 4/5, … for odd df; 1/2, 3/4, … for even
        term *= (k - 1) / k * cosine * cosine
        total += term
    if not odd:
        return sine * total
    return 2 / math.pi * (theta + (sine * total if df > 1 else 0.0))


@lru_cache(maxsize=64)
def t975(df: int) -> float:
    """0.975 quantile: a 95 % interval reaches this many standard errors to both sides. Raises ValueError for df < 1."""
    if df < 1:
        raise ValueError("an interval needs two values: one degree of freedom")
    low, high = 0.0, math.pi / 2
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _within_angle(middle, df) < 0.95 else (low, middle)
    return math.sqrt(df) * math.tan((low + high) / 2)
