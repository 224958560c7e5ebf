"""Wilson's interval against published values."""

import pytest

from pipeline.records.interval import share


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        # Brown, Cai and DasGupta 2001 and R's prop.test(correct = FALSE), to four digits.
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (9, 10, 0.5958, 0.9821),
        (5, 10, 0.2366, 0.7634),
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
    ],
)
def test_share(hits, n, low, high):
    found = share(hits, n)
    assert found.value == hits / n
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))
    assert 0 <= found.low <= found.value <= found.high <= 1
