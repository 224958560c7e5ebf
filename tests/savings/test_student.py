"""Student's t: the values of printed tables, on both sides of where a table once ended."""

import math
from itertools import pairwise

import numpy as np
import pytest

from pipeline.savings.analysis.intervals import t_interval
from pipeline.savings.student import t975, within

TABLE = {
    1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228,
    11: 2.201, 12: 2.179, 13: 2.160, 14: 2.145, 15: 2.131, 16: 2.120, 17: 2.110, 18: 2.101, 19: 2.093, 20: 2.086,
    21: 2.080, 22: 2.074, 23: 2.069, 24: 2.064, 25: 2.060, 26: 2.056, 27: 2.052, 28: 2.048, 29: 2.045, 30: 2.042,
    40: 2.021, 60: 2.000, 80: 1.990, 100: 1.984, 120: 1.980, 1000: 1.962,
}  # fmt: skip
"""Degrees of freedom → 0.975 quantile: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2."""


@pytest.mark.parametrize(("df", "value"), TABLE.items())
def test_quantiles_are_those_of_the_table(df, value):
    assert t975(df) == pytest.approx(value, abs=0.0005)


def test_one_and_two_degrees_of_freedom_are_their_closed_forms():
    assert t975(1) == pytest.approx(math.tan(0.475 * math.pi), rel=1e-12)
    assert t975(2) == pytest.approx(0.95 * math.sqrt(2 / (1 - 0.95**2)), rel=1e-12)


def test_quantiles_fall_towards_the_normal_one_and_never_reach_it():
    values = [t975(df) for df in range(1, 400)]
    assert all(a > b for a, b in pairwise(values))
    assert values[-1] > 1.959964
    assert t975(100_000) == pytest.approx(1.959988, abs=1e-6)


@pytest.mark.parametrize("df", [1, 2, 3, 8, 21, 50])
def test_half_of_all_values_lie_within_the_integral_of_the_density(df):
    """The density, integrated by the trapezium rule: an oracle that shares nothing with the sum."""
    log_scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    x = np.linspace(-1.3, 1.3, 20_001)
    density = np.exp(log_scale - (df + 1) / 2 * np.log1p(x * x / df))
    assert within(1.3, df) == pytest.approx(float(np.trapezoid(density, x)), abs=1e-8)


@pytest.mark.parametrize("df", [0, -1])
def test_no_degree_of_freedom_is_no_quantile(df):
    with pytest.raises(ValueError, match="two values"):
        t975(df)


def test_an_interval_over_22_seeds_uses_21_degrees_of_freedom():
    values = [1.0 + seed / 100 for seed in range(22)]
    logs = np.log(values)
    _, least = t_interval(values)
    assert least == pytest.approx(math.exp(2.07961 * float(logs.std(ddof=1)) / math.sqrt(22)), rel=1e-6)
