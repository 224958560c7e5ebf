"""A draw: one start, a branch for each arm, and losses where the curves cross. Resumable from its last saved state.

Invariants: on the CPU a draw gives the same numbers whenever it is run and however often it was killed; its folder is named by
everything that its result depends on. States are plain arrays (.npz): nothing is unpickled.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.savings.tiers import chunks
from pipeline.savings.tiers.neural import model
from pipeline.savings.tiers.search import scored_around
from pipeline.savings.tiers.shapes import Shape, steps_at
from pipeline.savings.tiers.tokens import save

VERSION = 3
"""Version of the training: raise it when the same arguments give other losses."""
SAVE_EVERY_S = 20.0
"""Seconds between saved states: what a kill can cost."""
TRAINING = 0.7
"""Share of a draw's time that goes into training; the rest is scoring. For the time left alone."""
BETAS = (0.9, 0.95)
EPSILON = 1e-8
GRID = 4
"""Of the first set every fourth checkpoint is scored in every draw, so that there is a curve to draw."""
AVERAGE = 8
"""The averaged weights of a branch at step t are its weights at steps s, each as often as s^8: they lag behind by a tenth of t at
every t, which no ratio of compute sees. A decay a step lags by a number of steps, and draws multipliers towards 1: where 2.98 was
planted, decays of 0.95, 0.97 and 0.98 gave 2.85, 2.55 and 2.26, this 2.82 (one draw)."""


@dataclass(frozen=True)
class Job:
    """`arms`: files of tokens, document starts, keys and groups, the baseline first; `turned`: file of the groups' places in the
    draw; `sets`: file of the held-out documents. `rate`: of the branches, as a factor on the shape's; `ends_only`: score
    nothing but their ends."""

    folder: str
    arms: tuple[str, ...]
    turned: str
    sets: str
    shape: Shape
    draw: int
    device: str
    rate: float = 1.0
    ends_only: bool = False


@dataclass
class _State:
    """`leg`: 0 for the start, then the number of the arm, from 1; `step`: of the leg; `age`: of the weights, in steps."""

    leg: int
    step: int
    age: int
    weights: Tensor
    average: Tensor
    first: Tensor
    second: Tensor


def train_job(job: Job, deadline: float | None = None) -> bool:
    """Train and score; True when finished, False where `deadline` (time.monotonic) came first. Results: `result.npz`.

    A finished draw is not done again.
    """
    folder = Path(job.folder)
    if (folder / "result.npz").is_file():
        return True
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1 if job.device == "cpu" else max(1, (os.cpu_count() or 2) // 2))
    torch.use_deterministic_algorithms(job.device == "cpu")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    started, spent = time.process_time(), _spent(folder)
    legs = _legs(job)
    stops = steps_at(job.shape, len(legs[1]) // job.shape.rows)
    lengths = [job.shape.start_steps, *(stops[-1] for _ in job.arms)]
    state = _load(folder, job)
    saved = time.monotonic()

    def keep() -> float:
        """Save the state; when, by the monotonic clock."""
        share = TRAINING * (sum(lengths[: state.leg]) + state.step) / sum(lengths)
        _save(folder, state, share=share, cpu_s=spent + time.process_time() - started)
        return time.monotonic()

    while state.leg < len(legs):
        for _ in _steps(state, job, legs[state.leg], last=lengths[state.leg]):
            if state.leg and state.step in stops:
                np.save(_average(folder, state.leg, state.step), state.average.cpu().numpy())
            late = deadline is not None and time.monotonic() > deadline
            if late or time.monotonic() - saved > SAVE_EVERY_S:
                saved = keep()
            if late:
                return False
        state = _next(folder, state, job)
        saved = keep()
    found = _Scores(job, stops).take()
    cpu_s = spent + time.process_time() - started
    save(folder / "result.npz", tokens=np.array(stops) * job.shape.batch, bits=found, cpu_s=cpu_s)
    (folder / "job.json").write_text(json.dumps(asdict(job), indent=1))
    for path in (*folder.glob("average-*.npy"), folder / "state.npz", folder / "start.npz"):
        path.unlink(missing_ok=True)
    return True


def _legs(job: Job) -> list[np.ndarray]:
    """Chunks of the start, then of each arm's branch."""
    shape, turned = job.shape, np.load(job.turned)
    texts = [chunks.Text.read(path, turned) for path in job.arms]
    tokens = [steps * shape.batch for steps in (shape.start_steps, shape.branch_steps)]
    start, branches = chunks.read_in_draw(texts, start=tokens[0], branch=tokens[1], context=shape.context, draw=job.draw)
    return [start, *branches]


def _steps(state: _State, job: Job, rows: np.ndarray, *, last: int) -> Iterator[Tensor]:
    """Train from `state.step` to `last` of a leg; yields the loss of each batch, in nats a token."""
    shape, device = job.shape, torch.device(job.device)
    gradient = torch.zeros_like(state.weights)
    leaves = model.views(state.weights, shape)
    for name, part in model.views(gradient, shape).items():
        leaves[name].requires_grad_(True).grad = part
    decay = model.decayed(shape).to(device)
    turns = model.rotation(shape, device)
    rate = shape.rate * (shape.branch_rate * job.rate if state.leg else 1.0)
    while state.step < last:
        batch = torch.from_numpy(rows[state.step * shape.rows : (state.step + 1) * shape.rows]).to(device)
        gradient.zero_()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            scores = model.logits(leaves, batch[:, :-1], shape, turns=turns)
            loss = F.cross_entropy(scores.float().flatten(0, 1), batch[:, 1:].flatten())
        loss.backward()
        state.step += 1
        state.age += 1
        with torch.no_grad():
            _update(state, gradient, decay, shape=shape, rate=rate * min(1.0, state.age / shape.warm_up))
            state.average.lerp_(state.weights, (1 + AVERAGE) / (state.step + AVERAGE))
        yield loss.detach()


def _update(state: _State, gradient: Tensor, decay: Tensor, *, shape: Shape, rate: float) -> None:
    """AdamW on the flat vector, after clipping the gradient's norm."""
    norm = float(gradient.norm())
    if norm > shape.clip:
        gradient.mul_(shape.clip / norm)
    state.first.lerp_(gradient, 1 - BETAS[0])
    state.second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    scale = math.sqrt(1 - BETAS[1] ** state.age) / (1 - BETAS[0] ** state.age)
    state.weights.addcmul_(state.weights, decay, value=-rate * shape.decay)
    state.weights.addcdiv_(state.first, state.second.sqrt().add_(EPSILON), value=-rate * scale)


class _Scores:
    """Losses of a draw's kept weights, each taken once. `bits`: arms x checkpoints x documents, NaN where not scored."""

    def __init__(self, job: Job, stops: Sequence[int]) -> None:
        self._job, self._stops, self._scorer = job, stops, Scorer(job)
        self.bits = np.full((len(job.arms), len(stops), self._scorer.documents), np.nan)

    def take(self) -> np.ndarray:
        """Score every set around the crossings, or at the ends alone."""
        arms, last = len(self._job.arms), len(self._stops) - 1
        for number, documents in enumerate(self._scorer.sets()):
            loss = partial(self._loss, documents)
            if self._job.ends_only:
                for arm in range(arms):
                    loss(arm, last)
            else:
                compute, grid = np.array(self._stops, dtype=np.float64), range(0, last, GRID) if number == 0 else ()
                scored_around(loss, arms=arms, compute=compute, grid=grid)
        return self.bits

    def _loss(self, documents: slice, arm: int, at: int) -> float:
        """Bits of a set under an arm's weights at a checkpoint."""
        if np.isnan(self.bits[arm, at, documents]).any():
            flat = torch.from_numpy(np.load(_average(Path(self._job.folder), arm + 1, self._stops[at])))
            self.bits[arm, at, documents] = self._scorer.score(flat.to(torch.device(self._job.device)), documents)
        return float(self.bits[arm, at, documents].sum())


class Scorer:
    """Bits of the documents of the held-out sets under averaged weights. Windows of one context, not overlapping."""

    def __init__(self, job: Job) -> None:
        with np.load(job.sets) as given:
            inputs, targets, owners = _windows(given["tokens"], given["starts"], job.shape.context)
            self._parts = list(pairwise(given["sets"].tolist()))
            self.documents = len(given["starts"]) - 1
        self._shape, self._device, self._owners = job.shape, torch.device(job.device), owners
        self._inputs, self._targets = (torch.from_numpy(part).to(self._device) for part in (inputs, targets))
        self._turns = model.rotation(self._shape, self._device)

    def sets(self) -> list[slice]:
        """The documents of each set."""
        return [slice(start, stop) for start, stop in self._parts]

    @torch.no_grad()
    def score(self, flat: Tensor, documents: slice) -> np.ndarray:
        """float64[documents]: sum of -log2 p."""
        weights = model.views(flat, self._shape)
        first, last = np.searchsorted(self._owners, [documents.start, documents.stop])
        total = np.zeros(self.documents)
        for start in range(first, last, max(1, self._shape.rows)):
            part = slice(start, min(last, start + max(1, self._shape.rows)))
            scores = model.logits(weights, self._inputs[part], self._shape, turns=self._turns).float()
            nats = F.cross_entropy(scores.flatten(0, 1), self._targets[part].flatten(), reduction="none", ignore_index=-1)
            np.add.at(total, self._owners[part], nats.view(self._targets[part].shape).double().sum(dim=1).cpu().numpy())
        return total[documents] / math.log(2)


def _windows(tokens: np.ndarray, starts: np.ndarray, context: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, targets (-1: none) and the document of each window. Token 0 stands before a document and is not scored."""
    inputs, targets, owners = [], [], []
    for document, (start, stop) in enumerate(pairwise(starts.tolist())):
        own = tokens[start:stop].astype(np.int64)
        room = (0, -len(own) % context)
        inputs.append(np.pad(np.append(0, own)[: len(own)], room).reshape(-1, context))
        targets.append(np.pad(own, room, constant_values=-1).reshape(-1, context))
        owners += [document] * len(inputs[-1])
    return np.concatenate(inputs), np.concatenate(targets), np.array(owners)


_VECTORS = ("weights", "average", "first", "second")


def _average(folder: Path, leg: int, step: int) -> Path:
    return folder / f"average-{leg}-{step}.npy"


def _load(folder: Path, job: Job) -> _State:
    """The saved state of a killed draw, else a fresh one."""
    if (folder / "state.npz").is_file():
        return _read(folder / "state.npz", job)
    weights = model.fresh(job.shape, seed=job.draw).to(torch.device(job.device))
    return _State(0, 0, 0, weights, weights.clone(), torch.zeros_like(weights), torch.zeros_like(weights))


def _read(path: Path, job: Job) -> _State:
    with np.load(path) as saved:
        vectors = (torch.from_numpy(saved[name]).to(torch.device(job.device)) for name in _VECTORS)
        return _State(int(saved["leg"]), int(saved["step"]), int(saved["age"]), *vectors)


def _next(folder: Path, state: _State, job: Job) -> _State:
    """Every branch goes on from the end of the start."""
    if state.leg == 0:
        _write(folder / "start.npz", state)
    begun = _read(folder / "start.npz", job)
    begun.leg, begun.step = state.leg + 1, 0
    return begun


def _write(path: Path, state: _State) -> None:
    vectors = {name: getattr(state, name).detach().cpu().numpy() for name in _VECTORS}
    save(path, leg=state.leg, step=state.step, age=state.age, **vectors)


def _save(folder: Path, state: _State, *, share: float, cpu_s: float) -> None:
    _write(folder / "state.npz", state)
    temporary = folder / "progress.tmp"
    temporary.write_text(json.dumps({"share": share, "cpu_s": cpu_s}))
    os.replace(temporary, folder / "progress.json")


def _spent(folder: Path) -> float:
    """CPU seconds of the attempts before this one, as far as a saved state tells."""
    card = folder / "progress.json"
    return float(json.loads(card.read_text())["cpu_s"]) if card.is_file() else 0.0
