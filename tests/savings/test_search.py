"""Which checkpoints are scored: the two around the crossing, wherever it is, and few others. Needs no torch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.savings.analysis import curves
from pipeline.savings.analysis.curves import Points
from pipeline.savings.tiers.search import scored_around

COMPUTE = np.geomspace(1 / 16, 1, 12) * 1e12


def asked(losses: np.ndarray, *, grid: range | tuple[int, ...] = ()) -> dict[int, set[int]]:
    """Checkpoints that are scored, by arm."""
    found: dict[int, set[int]] = {arm: set() for arm in range(len(losses))}

    def loss(arm: int, checkpoint: int) -> float:
        found[arm].add(checkpoint)
        return float(losses[arm, checkpoint])

    scored_around(loss, arms=len(losses), compute=COMPUTE, grid=grid)
    return found


@given(
    st.lists(st.floats(0.001, 0.2), min_size=12, max_size=12),
    st.lists(st.floats(0.001, 0.2), min_size=12, max_size=12),
    st.floats(-0.5, 0.5),
    st.sampled_from([(), range(0, 11, 4)]),
)
def test_the_multiplier_of_what_was_scored_is_that_of_all_checkpoints(baseline, other, shift, grid):
    losses = np.array([3 - np.cumsum(baseline), 3 + shift - np.cumsum(other)])
    found = asked(losses, grid=grid)
    assert set(grid) <= found[0] & found[1]
    whole = curves.multiplier(*(Points(COMPUTE, loss) for loss in losses))
    scored = [sorted(found[arm]) for arm in (0, 1)]
    part = curves.multiplier(*(Points(COMPUTE[at], loss[at]) for at, loss in zip(scored, losses, strict=True)))
    assert part.multiplier == pytest.approx(whole.multiplier)
    assert part.status == whole.status


def test_of_curves_like_those_of_models_few_checkpoints_are_scored():
    share = COMPUTE / COMPUTE[-1]
    for multiplier in (0.7, 1.0, 1.05, 1.3, 2.0, 5.0):
        losses = np.array([3 - 0.2 * np.log(0.45 + share), 3 - 0.2 * np.log(0.45 + share * multiplier)])
        found = asked(losses)
        assert {0, 11} <= found[0]
        assert sum(map(len, found.values())) <= 7, multiplier
