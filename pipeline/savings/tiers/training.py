"""The `cpu` and `gpu` tiers: the same small model on every arm, at equal tokens, with paired seeds.

Below one epoch in every arm unless a regime says otherwise: `--thorough` adds a third of the learning rate (rankings of corpora
can flip with it, arXiv 2512.24503) and arms that repeat their text as often as the planned run will.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UsageError
from pipeline.machine.events import OnEvent
from pipeline.savings.analysis.findings import RegimeLosses, losses_of
from pipeline.savings.arms import Experiment
from pipeline.savings.tiers import shapes, tokens
from pipeline.savings.tiers.shapes import Shape
from pipeline.savings.tiers.tokens import TokenFiles
from pipeline.store.keys import key
from pipeline.store.store import Store

LEAST_TOKENS = 20_000
"""Fewer show no learning: the first checkpoints of the small model stand at 50,000 in the published prototype."""
REPEATED = "text repeated as often as planned"
BYTES_PER_TOKEN = 4
"""Of the text that an arm should have for a tier's budget."""
SHAPES = {"cpu": shapes.CPU, "gpu": shapes.GPU}


@dataclass(frozen=True)
class Regime:
    """`rate`: factor on the learning rate; `unique`: tokens an arm may repeat, None where it never repeats; `arms`: which."""

    name: str
    rate: float
    unique: dict[str, int] | None
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Regimes:
    """`regimes[0]` is the one below an epoch. `notes`: what could not be measured and why."""

    regimes: tuple[tuple[Regime, RegimeLosses], ...]
    shape: Shape  # its tokens are those that each run sees
    bytes_per_token: dict[str, float]
    corpus_tokens: dict[str, float]
    cpu_s: float
    notes: tuple[str, ...]


def measure(
    experiment: Experiment,
    *,
    tier: str,
    seeds: int,
    thorough: bool,
    planned_tokens: float,
    work: Store,
    workers: int,
    minutes: float | None,
    on_event: OnEvent,
) -> Regimes:
    """Train what is missing and read all losses. Raises UsageError (no torch, no GPU, too little text) or RunFailed."""
    runner = _runner()
    device = runner.device_of(tier)
    shape = SHAPES[tier]
    folder = work.scratch("savings") / experiment.identity / tier
    encoded = tokens.encode(experiment, folder, vocabulary=shape.vocabulary)
    budget = min(shape.tokens, *encoded.tokens.values())
    if budget < LEAST_TOKENS:
        least = min(encoded.tokens, key=lambda name: encoded.tokens[name])
        raise UsageError(f"arm {least} has {encoded.tokens[least]:,} tokens; the {tier} tier needs {LEAST_TOKENS:,}")
    shape = replace(shape, tokens=budget)
    ratio = {arm.name: arm.n_bytes / encoded.tokens[arm.name] for arm in experiment.arms}
    whole = {arm.name: arm.corpus_bytes / ratio[arm.name] for arm in experiment.arms}
    regimes, notes = _regimes(experiment, thorough, budget, planned=planned_tokens, whole=whole)
    jobs = {
        (regime.name, arm, seed): _job(folder, encoded, shape, regime=regime, arm=arm, seed=seed, device=device)
        for regime in regimes
        for seed in range(seeds)
        for arm in regime.arms
    }
    runner.run_all(list(jobs.values()), workers=workers, minutes=minutes, on_event=on_event)
    results = {name: _result(job.folder) for name, job in jobs.items()}
    measured = []
    for regime in regimes:
        runs = {arm: [results[regime.name, arm, seed] for seed in range(seeds)] for arm in regime.arms}
        bits = {arm: np.stack([run["bits"] for run in found]) for arm, found in runs.items()}
        compute = 6.0 * shape.parameters * runs[regime.arms[0]][0]["tokens"].astype(np.float64)
        measured.append((regime, losses_of(compute, bits, sets=experiment.sets, sizes=whole)))
    cpu_s = sum(float(run["cpu_s"]) for run in results.values())
    return Regimes(tuple(measured), shape, ratio, whole, cpu_s, tuple(notes))


def _runner() -> Any:
    try:
        from pipeline.savings.tiers.neural import runner
    except ImportError as error:
        raise UsageError(
            "this tier needs torch, which is not installed: pip install 'winnow-curation[proxy]', or --tier ngram"
        ) from error
    return runner


def _regimes(
    experiment: Experiment, thorough: bool, budget: int, *, planned: float, whole: dict[str, float]
) -> tuple[list[Regime], list[str]]:
    names = tuple(arm.name for arm in experiment.arms)
    found, notes = [Regime("below one epoch", 1.0, None, names)], []
    epochs = {name: planned / size for name, size in whole.items()}
    judged = names[1]
    if not thorough:
        if epochs[judged] > 1:
            notes.append(
                f"the planned run reads {judged} {epochs[judged]:,.1f} times ({names[0]} {epochs[names[0]]:,.1f} times), and this"
                " was measured below one epoch; --thorough repeats the text as often as the plan"
            )
        return found, notes
    found.append(Regime("a third of the learning rate", 1 / 3, None, names[:2]))
    if max(epochs.values()) <= 1:
        notes.append("the planned run repeats no text, so no arm was repeated")
        return found, notes
    unique = {name: int(budget / max(1.0, times)) for name, times in epochs.items()}
    scarce = min(unique, key=lambda name: unique[name])
    if unique[scarce] < LEAST_TOKENS:
        notes.append(
            f"with repeats it was not measured: the planned run reads {scarce} {epochs[scarce]:,.0f} times, and {budget:,} tokens"
            f" seen as often would be {unique[scarce]:,} different ones ({LEAST_TOKENS:,} are needed)"
        )
        return found, notes
    found.append(Regime(REPEATED, 1.0, unique, names))
    return found, notes


def _job(folder: Path, encoded: TokenFiles, shape: Shape, *, regime: Regime, arm: str, seed: int, device: str) -> Any:
    from pipeline.savings.tiers.neural import train

    unique = regime.unique[arm] if regime.unique is not None and regime.unique[arm] < shape.tokens else None
    rate = shape.rate * regime.rate
    name = key("run", train.VERSION, vars(shape), Path(encoded.arms[arm]).name, seed, rate, unique, device)
    return train.Job(str(folder / name), encoded.arms[arm], encoded.sets, shape, seed, shape.tokens, rate, unique, device)


def _result(folder: str) -> dict[str, np.ndarray]:
    """One model's losses: `bits[checkpoint, document]`, the `tokens` seen at each checkpoint, and what it cost, `cpu_s`."""
    with np.load(Path(folder) / "result.npz") as saved:
        return dict(saved)


def model_in_words(shape: Shape, seeds: int) -> str:
    """`a model of 0.16 M parameters, 0.80 M tokens a run, 3 seeds`."""
    return f"a model of {shape.parameters / 1e6:.2f} M parameters, {shape.tokens / 1e6:.2f} M tokens a run, {seeds} seeds"
