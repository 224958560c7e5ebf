"""Quantiles of t, beside scipy's."""

import math

import pytest
from scipy.special import stdtrit

from pipeline.savings.analysis import student


@pytest.mark.parametrize("freedom", [0.3, 1, 1.5, 2, 2.37, 4, 30.3, 1000, 9999, 10_000, 1e6, 1e12])
@pytest.mark.parametrize("probability", [0.75, 0.95, 0.975, 0.995])
def test_quantiles_are_those_of_scipy(freedom, probability):
    assert student.quantile(freedom, probability) == pytest.approx(float(stdtrit(freedom, probability)), rel=1e-9)


def test_without_a_degree_of_freedom_there_is_no_quantile():
    assert math.isnan(student.quantile(0, 0.975)) and math.isnan(student.quantile(math.nan, 0.975))
