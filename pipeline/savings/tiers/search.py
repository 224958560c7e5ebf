"""Which checkpoints are scored: the ends, and those around the crossing. Scoring them all would cost more than the training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np


def scored_around(loss: Callable[[int, int], float], *, arms: int, compute: np.ndarray, grid: Sequence[int] = ()) -> None:
    """Ask `loss(arm, checkpoint)` for both ends of the baseline (arm 0), the end of every other arm, and the two checkpoints
    between which that arm first has the baseline's last loss; where it never has it, those between which the baseline has the
    arm's. `grid`: checkpoints of the baseline and the first other arm that are asked for in any case, for a picture."""
    last = len(compute) - 1
    begun, aim = loss(0, 0), loss(0, last)
    for arm in range(1, arms):
        known = grid if arm == 1 else ()
        for of in (0, arm):
            for at in known:
                loss(of, at)
        own = loss(arm, last)
        if own <= aim:
            _crossing(partial(loss, arm), aim, ends=(begun, own), compute=compute, known=known)
        else:
            _crossing(partial(loss, 0), own, ends=(begun, aim), compute=compute, known=known)


def _crossing(
    loss: Callable[[int], float], aim: float, *, ends: tuple[float, float], compute: np.ndarray, known: Sequence[int]
) -> None:
    """Narrow the checkpoints down to two neighbours with `aim` between them, or to the first one. Guesses lie on a line in the
    logarithm of the compute, from the nearest of the `known` ones on; after one that is low enough comes its neighbour. `ends`:
    losses about the first checkpoint, and at the last."""
    (above, below), low, high = ends, -1, len(compute) - 1
    next_to = False
    for at in known:
        if low < at < high and (found := loss(at)) <= aim:
            high, below = at, found
        elif low < at < high:
            low, above = at, found
    while high - low > 1:
        share = float(np.clip((above - aim) / max(above - below, 1e-12), 0.0, 1.0))
        guess = math.exp((1 - share) * math.log(compute[max(low, 0)]) + share * math.log(compute[high]))
        at = high - 1 if next_to else int(np.clip(np.searchsorted(compute, guess), low + 1, high - 1))
        if (found := loss(at)) <= aim:
            high, below, next_to = at, found, not next_to
        else:
            low, above, next_to = at, found, False
