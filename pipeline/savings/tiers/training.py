"""The `cpu` and `gpu` tiers: in each draw one start for all arms and a branch for each, at equal tokens, nothing read twice.

Two orders of the same text make a young model differ for the rest of its run, by more than most curations do: so the arms of a
draw have their first third in common, the baseline's text, and the same order from there on (`chunks`). The multiplier is of the
branches: compute is counted from where they part. Every draw has a start of its own, so that draws are independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UsageError
from pipeline.machine.events import OnEvent
from pipeline.records.savings_json import Learner
from pipeline.savings import order
from pipeline.savings.arms import Experiment
from pipeline.savings.losses import Curve, Found, Losses, OfSize
from pipeline.savings.tiers import shapes, tokens
from pipeline.savings.tiers.chunks import AHEAD
from pipeline.savings.tiers.shapes import LEAST_STEPS, Shape
from pipeline.savings.tiers.tokens import TokenFiles
from pipeline.store.keys import key
from pipeline.store.store import Store

BYTES_PER_TOKEN = 4
SHAPES = {"cpu": shapes.CPU, "gpu": shapes.GPU}
LEAST_DRAWS = 6
"""Draws before the first look at whether they are enough."""
MARGIN = 0.95
"""Share of an arm's text that is planned with: groups are read whole."""
SMALL_RATE = 0.1
SIZE_DRAWS = 4
"""Draws of `--thorough`, for each size and for the small rate."""


@dataclass(frozen=True)
class _Run:
    """What is trained in a number of draws, and whether a look at the losses may end it."""

    shape: Shape
    draws: int
    rate: float = 1.0
    ends_only: bool = False


@dataclass(frozen=True)
class _Outcome:
    losses: Losses
    cpu_s: float
    stopped: bool


def needed_bytes(tier: str) -> int:
    """Text that a draw of an arm reads, and more than that in most languages."""
    return BYTES_PER_TOKEN * SHAPES[tier].tokens


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
    """Train what is missing, until `settled` or `draws` are done, and read all losses. Raises UsageError (no GPU, too little
    text) or RunFailed."""
    from pipeline.savings.tiers.neural import runner

    device = runner.device_of(tier)
    shape = SHAPES[tier]
    folder = work.scratch("savings") / experiment.identity / tier
    encoded = tokens.encode(experiment, folder, vocabulary=shape.vocabulary)
    shape = shape.of(affordable(experiment, encoded, shape, tier=tier))
    ratio = {arm.name: arm.n_bytes / encoded.tokens[arm.name] for arm in experiment.arms}
    whole = {arm.name: arm.corpus_bytes / ratio[arm.name] for arm in experiment.arms}

    def trained(run: _Run, look: Callable[[Losses], bool] | None = None) -> _Outcome:
        jobs = [_job(folder, encoded, run, draw=draw, device=device) for draw in range(min(run.draws, experiment.order.draws))]
        losses = partial(_losses, experiment, run.shape, whole=whole, read=_read(experiment, encoded, run.shape))

        def enough(done: int) -> bool:
            return look is not None and done >= LEAST_DRAWS and look(losses(jobs[:done]))

        done = runner.run_all(jobs, workers=workers, minutes=minutes, enough=enough, on_event=on_event)
        spent = sum(float(_result(job.folder)["cpu_s"]) for job in jobs[:done])
        return _Outcome(losses(jobs[:done]), spent, done < len(jobs))

    main = trained(_Run(shape, draws), settled)
    spent, notes = main.cpu_s, []
    sizes, small = [], None
    if thorough:
        slow = trained(_Run(shape, SIZE_DRAWS, rate=SMALL_RATE, ends_only=True))
        small = (SMALL_RATE * shape.branch_rate * shape.rate, slow.losses)
        spent += slow.cpu_s
        for other in other_sizes(shape):
            if (most := room(experiment, encoded, other)) < other.tokens:
                needs = f"it needs {other.tokens:,} tokens; there is text for {most:,}"
                notes.append(f"no model of {other.parameters:,} parameters: {needs}")
                continue
            outcome = trained(_Run(other, SIZE_DRAWS))
            sizes.append(OfSize(other.parameters, other.tokens, outcome.losses))
            spent += outcome.cpu_s
    return Found(
        losses=main.losses,
        learner=_learner(shape, spent),
        bytes_per_token=ratio,
        corpus_tokens=whole,
        stopped_early=main.stopped,
        sizes=tuple(sizes),
        small_rate=small,
        notes=tuple(notes),
    )


def room(experiment: Experiment, encoded: TokenFiles, shape: Shape) -> int:
    """Tokens of the longest run whose start and branch no arm has to repeat."""
    return int(MARGIN * shape.tokens / _read(experiment, encoded, shape))


def _read(experiment: Experiment, encoded: TokenFiles, shape: Shape) -> float:
    """Share of the order that a run takes in the arm that has the least text."""
    counts = [encoded.tokens[arm.name] for arm in experiment.arms]
    return shape.tokens * max(shape.start / counts[0] + (1 - shape.start) * AHEAD / own for own in counts)


def affordable(experiment: Experiment, encoded: TokenFiles, shape: Shape, *, tier: str) -> int:
    """Tokens of a run: the tier's, or as many as the text allows. Raises UsageError for too little."""
    most, least = room(experiment, encoded, shape), LEAST_STEPS * shape.batch
    if most < least:
        name = min(encoded.tokens, key=lambda name: encoded.tokens[name])
        raise UsageError(
            f"arm {name} has {encoded.tokens[name]:,} tokens, enough for runs of {most:,}; the {tier} tier needs {least:,}"
            f" ({LEAST_STEPS} steps), as shorter ones are mostly warm-up; --tier ngram does with less"
        )
    return min(shape.tokens, most)


def other_sizes(shape: Shape) -> list[Shape]:
    """Half and twice the width, at as many tokens a parameter and as many steps. The rates follow the root of the width."""
    found = []
    for factor in (0.5, 2.0):
        width, heads = int(shape.width * factor), max(1, int(shape.heads * factor))
        made = replace(shape, name=f"{shape.name} {width}", width=width, heads=heads, rate=shape.rate / factor**0.5)
        batch = max(1, round(shape.rows * made.parameters / shape.parameters)) * shape.context
        found.append(replace(made, batch=batch, tokens=batch * (shape.tokens // shape.batch)))
    return found


def _job(folder: Path, encoded: TokenFiles, run: _Run, *, draw: int, device: str) -> Any:
    from pipeline.savings.tiers.neural import train

    name = key("draw", train.VERSION, vars(run.shape), draw, run.rate, run.ends_only, device)
    arms = tuple(encoded.arms.values())
    return train.Job(
        str(folder / name), arms, encoded.turned[draw], encoded.sets, run.shape, draw, device, run.rate, run.ends_only
    )


def _losses(experiment: Experiment, shape: Shape, jobs: Sequence[Any], *, whole: dict[str, float], read: float) -> Losses:
    """`whole`: tokens of each arm's corpus; `read`: share of the order that a run takes."""
    draws = tuple(_curves(experiment, _result(job.folder), shape) for job in jobs)
    share = {name: size / whole[experiment.arms[0].name] for name, size in whole.items()}
    return Losses(draws, share, order.shared(range(len(draws)), of=experiment.order.draws, read=read))


def _curves(experiment: Experiment, result: dict[str, np.ndarray], shape: Shape) -> dict[str, dict[str, Curve]]:
    """By arm and set, of the checkpoints that were scored. Compute is the branch's."""
    compute = 6.0 * shape.parameters * result["tokens"].astype(np.float64)
    ends = np.cumsum([len(held.texts) for held in experiment.sets])[:-1]
    found: dict[str, dict[str, Curve]] = {}
    for arm, bits in zip(experiment.arms, result["bits"], strict=True):
        found[arm.name] = {}
        for held, part in zip(experiment.sets, np.split(bits, ends, axis=1), strict=True):
            scored = ~np.isnan(part).any(axis=1)
            found[arm.name][held.name] = Curve(compute[scored], part[scored])
    return found


def _result(folder: str) -> dict[str, np.ndarray]:
    """A draw: `bits[arm, checkpoint, document]`, the `tokens` of a branch at each checkpoint, and what it cost, `cpu_s`."""
    with np.load(Path(folder) / "result.npz") as saved:
        return dict(saved)


def _learner(shape: Shape, cpu_s: float) -> Learner:
    return Learner(
        what=f"a transformer of {shape.parameters / 1e6:.2f} M parameters, {shape.tokens / 1e6:.2f} M tokens a run",
        unit="FLOPs",
        largest=6.0 * shape.parameters * shape.tokens,
        parameters=shape.parameters,
        tokens=shape.tokens,
        learning_rate=shape.branch_rate * shape.rate,
        schedule="constant from the end of the common start on, averaged weights scored",
        vocabulary=shape.vocabulary,
        cpu_s=cpu_s,
    )
