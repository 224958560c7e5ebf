"""The `ngram` tier: every arm at equal bytes, scored by a byte 6-gram. Seconds, numpy alone; an order, not a size."""

from __future__ import annotations

import numpy as np

from pipeline.errors import UsageError
from pipeline.machine.events import Event, OnEvent
from pipeline.savings.analysis.findings import RegimeLosses
from pipeline.savings.analysis.intervals import Losses
from pipeline.savings.arms import Arm, Experiment
from pipeline.savings.corpora import by_seed
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
    texts = [text.encode("utf-8", "surrogatepass") for held in experiment.sets for text in held.texts]
    sizes = np.array(list(map(len, texts)), dtype=np.float64)
    bits = {arm.name: np.empty((seeds, BUDGETS, len(texts))) for arm in experiment.arms}
    on_event(Event("begin", "proxy", total=len(experiment.arms)))
    for arm in experiment.arms:
        for seed in range(seeds):
            stream = shuffled(arm, seed=seed, limit=int(budgets[-1]))
            for at, budget in enumerate(budgets):
                bits[arm.name][seed, at] = ngram.bits(ngram.train(_first(stream, int(budget))), texts)
        on_event(Event("note", "proxy", note=f"{arm.name}: counted and scored with {seeds} seeds"))
    on_event(Event("end", "proxy"))
    losses: dict[str, dict[str, Losses]] = {}
    for name, found in bits.items():
        losses[name], first = {}, 0
        for held in experiment.sets:
            part = slice(first, first + len(held.texts))
            losses[name][held.name] = Losses(found[:, :, part], sizes[part])
            first = part.stop
    baseline = experiment.arms[0].corpus_bytes
    return RegimeLosses(budgets.astype(np.float64), losses, {arm.name: arm.corpus_bytes / baseline for arm in experiment.arms})


def shuffled(arm: Arm, *, seed: int, limit: int) -> list[bytes]:
    """Documents of whole groups, chosen and then ordered by the seed, of at least `limit` bytes together."""
    rng = np.random.default_rng([seed, 1])
    chosen: list[bytes] = []
    size = 0
    for at in by_seed(arm.groups, seed=seed):
        chosen.append(arm.texts[at].encode("utf-8", "surrogatepass"))
        size += len(chosen[-1])
        if size >= limit:
            break
    return [chosen[at] for at in rng.permutation(len(chosen))]


def _first(texts: list[bytes], limit: int) -> list[bytes]:
    """The texts' first `limit` bytes; the last one is cut."""
    taken, size = [], 0
    for text in texts:
        taken.append(text[: limit - size])
        size += len(taken[-1])
        if size >= limit:
            break
    return taken
