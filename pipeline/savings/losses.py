"""What a tier gives: losses of every arm, draw and held-out set, to be compared by `analysis`.

Invariant: draws are pairs: in draw d every arm has the same order of groups (`order.Order`), the same start and the same seeds.
Arms and sets of one draw may be scored at checkpoints of their own: where the curves cross matters, not the grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pipeline.records.savings_json import Learner


@dataclass(frozen=True)
class Curve:
    """One arm of one draw on one set. `compute`: float64[checkpoints], increasing, FLOPs (`ngram`: bytes); the baseline's last
    one is the budget. `bits`: float64[checkpoints, documents], the sum of -log2 p over each document. A set that is
    known only as a whole has one document."""

    compute: np.ndarray
    bits: np.ndarray


Draw = Mapping[str, Mapping[str, Curve]]
"""By arm (the baseline first), then by set."""


@dataclass(frozen=True)
class Losses:
    """`kept_share[arm]`: its corpus over the baseline's, in tokens (`ngram`: bytes). `shared`: the share of their text that two
    draws have in common, on average. Every draw has a start of its own."""

    draws: tuple[Draw, ...]
    kept_share: dict[str, float]
    shared: float = 0.0

    @property
    def arms(self) -> list[str]:
        """The baseline first."""
        return list(self.draws[0])


@dataclass(frozen=True)
class OfSize:
    """Losses of a model of another size, at equal tokens per parameter (`--thorough`)."""

    parameters: float
    tokens: float
    losses: Losses


@dataclass(frozen=True)
class Found:
    """All that a tier says. `corpus_tokens` and `bytes_per_token` by arm, empty where nothing was tokenized. `small_rate`: rate
    and losses of branches at a tenth of the rate, whose curves may have one checkpoint (`--thorough`)."""

    losses: Losses
    learner: Learner
    bytes_per_token: dict[str, float] = field(default_factory=dict)
    corpus_tokens: dict[str, float] = field(default_factory=dict)
    stopped_early: bool = False
    sizes: tuple[OfSize, ...] = ()
    small_rate: tuple[float, Losses] | None = None
    notes: tuple[str, ...] = ()
