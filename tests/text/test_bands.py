"""The cut of a signature into bands: known values, datasketch's optimiser, detection."""

import pytest
from datasketch.lsh import _optimal_param

from pipeline.errors import PlanError
from pipeline.text import bands


@pytest.mark.parametrize(
    ("threshold", "permutations", "expected"),
    [
        (0.8, 128, (18, 7)),
        (0.7, 128, (25, 5)),
        (0.9, 128, (11, 11)),
        (0.8, 256, (28, 9)),
        (1.0, 128, (1, 128)),
        (0.05, 16, (16, 1)),
    ],
)
def test_auto(threshold, permutations, expected):
    assert bands.choose(threshold, permutations, "auto") == expected


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("permutations", [16, 100, 128, 256])
def test_auto_detects_98_of_100_pairs_at_the_threshold_and_one_row_more_would_not(threshold, permutations):
    number, rows = bands.choose(threshold, permutations, "auto")
    assert number == permutations // rows
    assert bands.detection_probability(threshold, number, rows) >= 0.98
    for more in range(rows + 1, permutations + 1):
        assert bands.detection_probability(threshold, permutations // more, more) < 0.98


@pytest.mark.parametrize(
    ("threshold", "permutations", "expected"),
    [
        (0.5, 128, (25, 5)),
        (0.7, 128, (14, 9)),
        (0.8, 128, (9, 13)),
        (0.85, 128, (8, 16)),
        (0.9, 128, (5, 25)),
        (0.8, 256, (17, 15)),
    ],
)
def test_datasketch(threshold, permutations, expected):
    assert bands.choose(threshold, permutations, "datasketch") == expected == _optimal_param(threshold, permutations, 0.5, 0.5)


@pytest.mark.parametrize("threshold", [0.1, 0.35, 0.62, 0.77, 0.95, 1.0])
def test_datasketch_between_known_values(threshold):
    assert bands.choose(threshold, 64, "datasketch") == _optimal_param(threshold, 64, 0.5, 0.5)


@pytest.mark.parametrize(
    ("similarity", "number", "rows", "expected"),
    [(0.8, 18, 7, 0.98550), (0.85, 9, 13, 0.68644), (0.5, 18, 7, 0.13166), (1.0, 9, 13, 1.0), (0.0, 9, 13, 0.0)],
)
def test_detection_probability(similarity, number, rows, expected):
    assert bands.detection_probability(similarity, number, rows) == pytest.approx(expected, abs=5e-5)


def test_own_bands():
    assert bands.choose(0.8, 128, (16, 8)) == (16, 8)
    for wrong in [(0, 8), (17, 8), (16, -1), "fast", (1, 2, 3)]:
        with pytest.raises(PlanError, match=r"dedup\.bands"):
            bands.choose(0.8, 128, wrong)
