"""The `ngram` tier: every arm at equal bytes, scored by a byte 6-gram. Seconds, numpy alone; an order, not a size."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from pipeline.errors import UsageError
from pipeline.machine.events import Event, OnEvent
from pipeline.savings.analysis.findings import RegimeLosses, losses_of
from pipeline.savings.arms import Arm, Experiment
from pipeline.savings.corpora import by_seed, sizes_of, upto
from pipeline.savings.tiers import ngram

MOST_BYTES = 2_000_000
LEAST_BYTES = 20_000
BUDGETS = 4
"""Log-spaced, from an eighth of the largest: chosen so that a run takes seconds and a multiplier up to 8 is interpolated."""


def measure(experiment: Experiment, *, seeds: int, on_event: OnEvent) -> RegimeLosses:
    """Losses at equal bytes; a seed chooses and orders the documents. Compute is in bytes."""
    most = min(MOST_BYTES, *(arm.n_bytes for arm in experiment.arms))
    if most < LEAST_BYTES:
        least = min(experiment.arms, key=lambda arm: arm.n_bytes)
        raise UsageError(f"arm {least.name} has {least.n_bytes:,} bytes; the ngram tier needs {LEAST_BYTES:,} to tell arms apart")
    budgets = np.rint(np.geomspace(most / 8, most, BUDGETS)).astype(int)
    texts = [text.encode() for held in experiment.sets for text in held.texts]
    bits = {}
    on_event(Event("begin", "proxy", total=len(experiment.arms)))
    for arm in experiment.arms:
        streams = (shuffled(arm, seed=seed, limit=most) for seed in range(seeds))
        bits[arm.name] = np.array([[ngram.bits(ngram.train(_first(s, limit)), texts) for limit in budgets] for s in streams])
        on_event(Event("note", "proxy", note=f"{arm.name}: counted and scored with {seeds} seeds"))
    on_event(Event("end", "proxy"))
    sizes = {arm.name: arm.corpus_bytes for arm in experiment.arms}
    return losses_of(budgets.astype(np.float64), bits, sets=experiment.sets, sizes=sizes)


def shuffled(arm: Arm, *, seed: int, limit: int) -> list[bytes]:
    """Documents of whole groups, chosen and then ordered by the seed, of at least `limit` bytes together."""
    chosen = upto(by_seed(arm.groups, seed=seed), sizes_of(arm.texts), limit)
    return [arm.texts[at].encode() for at in np.random.default_rng([seed, 1]).permutation(chosen)]


def _first(texts: list[bytes], limit: int) -> list[bytes]:
    """The texts' first `limit` bytes; the last one is cut."""
    starts = accumulate(map(len, texts), initial=0)
    return [text[: limit - start] for text, start in zip(texts, starts, strict=False) if start < limit]
