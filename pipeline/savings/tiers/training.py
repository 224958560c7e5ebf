"""The `cpu` and `gpu` tiers: stands here until the learner with a shared start takes its place."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.errors import NotYet
from pipeline.machine.events import OnEvent
from pipeline.savings.arms import Experiment
from pipeline.savings.losses import Found, Losses
from pipeline.savings.tiers import shapes
from pipeline.store.store import Store

BYTES_PER_TOKEN = 4
"""Of the text that an arm should have for a tier's budget."""
SHAPES = {"cpu": shapes.CPU, "gpu": shapes.GPU}


def measure(
    experiment: Experiment,
    *,
    tier: str,
    draws: int,
    thorough: bool,
    work: Store,
    workers: int,
    minutes: float | None,
    settled: Callable[[Losses], bool],
    on_event: OnEvent,
) -> Found:
    """Not in this state of the code."""
    raise NotYet(f"--tier {tier}: not yet; --tier ngram counts")
