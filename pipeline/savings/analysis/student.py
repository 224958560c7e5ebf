"""Quantiles of Student's t for any degrees of freedom, as `scipy.special.stdtrit` gives them, within 1e-9 of it.

Its distribution is a regularised incomplete beta function, summed as a continued fraction (Abramowitz and Stegun, 26.5.8 and
26.7.1, by Lentz's method); of many degrees of freedom, an expansion around the normal quantile (26.7.5). scipy has both, and more
than a hundred megabytes that no run needs.
"""

from __future__ import annotations

import math
from statistics import NormalDist

EXPANDED_FROM = 10_000
"""Degrees of freedom from which three terms of the expansion are right within 1e-11."""


def quantile(freedom: float, probability: float) -> float:
    """Below which t lies with a probability above one half; NaN where there are no degrees of freedom."""
    if not freedom > 0:
        return math.nan
    if freedom >= EXPANDED_FROM:
        z = NormalDist().inv_cdf(probability)
        return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    outside = 2 * (1 - probability)
    low, high = 0.0, 1.0
    while _outside(high, freedom) > outside:
        low, high = high, high * 2
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _outside(middle, freedom) > outside else (low, middle)
    return middle


def _outside(t: float, freedom: float) -> float:
    """The probability that t lies beyond ±`t` (above 0): I_x(freedom / 2, 1 / 2) at x = freedom / (freedom + t²)."""
    a, b, square = freedom / 2, 0.5, t * t
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(-a * math.log1p(square / freedom) - b * math.log1p(freedom / square) - log_beta)
    x = freedom / (freedom + square)
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, two terms at a time."""
    above, below = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    value, change, m = below, 2.0, 0
    while abs(change - 1) > 1e-15 and m < 10_000:
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            below = 1 / (1 + term * below)
            above = 1 + term / above
            change = above * below
            value *= change
    return value
