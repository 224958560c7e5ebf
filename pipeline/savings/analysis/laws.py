"""Scaling laws with repeated data, for the extrapolation that is always flagged as one and never a headline.

Loss in nats a token: L = E + A / N^alpha + B / D^beta. Losses of different sets of constants are not comparable with each
other (other data, other tokenizers); differences within one set are. Repetition: Muennighoff et al. 2023 (arXiv 2305.16264),
constants and formula of huggingface/datablations at 1370131, README. That law cannot predict harm from repetition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

REPEATS = 15.387756
"""R_D*: scale on which repeated tokens lose their value."""

MOST_EPOCHS = 40.0
"""Epochs of the baseline up to which a crossover is looked for: a further one is then worth 0.08 of new text."""

MOST_ORDERS = 3.0
"""Orders of magnitude between the planned run and the proxy beyond which no dollars of the planned run are printed."""

CAUTION = (
    "Extrapolated from a small model. Published evidence: rankings of small models agree with those of 1B models about 80 % of"
    " the time (arXiv 2504.11393); at very high compute unfiltered data can win (arXiv 2605.19407); this law cannot predict"
    " harm from repetition."
)


@dataclass(frozen=True)
class Law:
    """Constants of L = e + a / N^alpha + b / D^beta and where they are from."""

    e: float
    a: float
    b: float
    alpha: float
    beta: float
    source: str


LAWS: dict[str, Law] = {
    "muennighoff_c4": Law(
        math.exp(0.6254804),
        math.exp(6.255414),
        math.exp(7.3049974),
        0.3526596,
        0.3526596,
        "huggingface/datablations README, C4; arXiv 2305.16264",
    ),
    "besiroglu": Law(1.8172, 482.01, 2085.43, 0.3478, 0.3658, "Besiroglu et al., arXiv 2404.10102"),
    "hoffmann": Law(1.6934, 406.4, 410.7, 0.3392, 0.2849, "Hoffmann et al., arXiv 2203.15556, approach 3, unrounded"),
}


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


def crossover(fresh: float, *, unique_baseline: float, unique_other: float) -> float | None:
    """Planned tokens at which `net_multiplier` falls to 1: beyond, curating for that budget stops to pay. None: it never does."""

    def net(planned: float) -> float:
        return net_multiplier(fresh, planned=planned, unique_baseline=unique_baseline, unique_other=unique_other)

    low, high = unique_other, unique_baseline * MOST_EPOCHS
    if net(high) >= 1 or net(low) <= 1:
        return None
    for _ in range(80):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if net(middle) > 1 else (low, middle)
    return low
