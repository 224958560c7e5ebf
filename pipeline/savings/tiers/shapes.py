"""The small models of the tiers, and how they are trained. No torch here: the plan of a measurement is made without it.

The recipe (AdamW 0.9/0.95, constant rate after the warm-up, weights averaged for scoring) makes one run a whole curve of loss
against compute: intermediate losses of a cosine run are not comparable (Haegele et al., arXiv 2405.18392).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Shape:
    """A decoder: `width` divides into `heads`. Sizes in tokens unless said otherwise; `tokens` of a run, start included."""

    name: str
    vocabulary: int
    width: int
    layers: int
    heads: int
    context: int
    batch: int
    tokens: int
    rate: float
    warm_up: int  # steps
    start: float = 0.31  # share of the run that all arms of a draw have in common
    branch_rate: float = 0.5  # of the branches, as a share of `rate`: what was read last weighs less then
    decay: float = 0.1  # weight decay of matrices
    clip: float = 1.0
    checkpoints: int = 12

    @property
    def parameters(self) -> int:
        """Parameters that take part in a multiplication: the layers and the head, not the look-up of the embedding."""
        return self.layers * 12 * self.width**2 + self.vocabulary * self.width

    @property
    def rows(self) -> int:
        """Chunks of text in a step."""
        return self.batch // self.context

    @property
    def start_steps(self) -> int:
        return round(self.start * self.tokens / self.batch)

    @property
    def branch_steps(self) -> int:
        return self.tokens // self.batch - self.start_steps

    def of(self, tokens: int) -> Shape:
        """The same for runs of so many tokens."""
        return replace(self, tokens=tokens)


CPU = Shape("cpu", 1024, 64, 2, 4, 64, 1024, 400_000, 8e-3, 60)
"""0.16 M parameters in products (0.23 M with the embedding). Chosen on a measured prototype: a byte-level model of this size
and a plain block stayed near the unigram loss; a vocabulary of 2048 spends the compute on the head."""

GPU = Shape("gpu", 16_384, 384, 6, 6, 512, 65_536, 400_000_000, 3e-3, 120)
"""17 M parameters in products. Computed, not run: no GPU was at hand."""

LEAST_STEPS = 300
"""Fewer are mostly warm-up: what the arms differ by is not learnt yet."""

SPAN = 16.0
"""The first checkpoint stands at 1/16 of the branch: early enough that a multiplier of 10 is still interpolated."""


def steps_at(shape: Shape, last: int) -> list[int]:
    """Steps of a branch of `last` steps after which its averaged weights are kept: log-spaced, the last one at its end."""
    found = np.unique(np.rint(np.geomspace(max(1.0, last / SPAN), last, shape.checkpoints)).astype(int))
    return [int(step) for step in found]
