"""What repetition makes of a multiplier, by a published law: computed, flagged as such, never a headline.

Muennighoff et al. 2023 (arXiv 2305.16264), constants and formula of huggingface/datablations at 1370131, README. The law cannot
predict harm from repetition, which was measured elsewhere (arXiv 2605.01640). InfoLaw (arXiv 2605.02364), whose
returns from repeats diminish with scale too, is not used: its abstract alone could be checked, not its constants.
"""

from __future__ import annotations

import math

LAW = "Muennighoff et al. 2023, arXiv 2305.16264; it cannot predict harm from repetition"
REPEATS = 15.387756
"""R_D*: scale on which repeated tokens lose their value."""


def effective_tokens(tokens: float, unique: float) -> float:
    """D': the new tokens that `tokens` tokens of training on `unique` ones are worth."""
    if tokens <= unique:
        return tokens
    return unique + unique * REPEATS * (1 - math.exp(-(tokens / unique - 1) / REPEATS))


def tokens_for(effective: float, unique: float) -> float:
    """Inverse of `effective_tokens`: infinite beyond 16.39 times the unique tokens."""
    if effective <= unique:
        return effective
    left = 1 - (effective / unique - 1) / REPEATS
    return math.inf if left <= 0 else unique * (1 - REPEATS * math.log(left))


def net_multiplier(fresh: float, *, planned: float, unique_baseline: float, unique_other: float) -> float:
    """Multiplier of the planned run, repeats included: planned tokens / tokens of the other corpus that give the same loss.

    `fresh`: the measured multiplier below one epoch, taken as the relative value of a token. 0 where even endless epochs of
    the other corpus do not reach the baseline's loss ("never").
    """
    wanted = effective_tokens(planned, unique_baseline) / fresh
    needed = tokens_for(wanted, unique_other)
    return 0.0 if math.isinf(needed) else planned / needed
