"""One training run: an arm, a seed, a rate. Scored at every checkpoint, resumable from its last saved state.

Invariants: on the CPU a run gives the same numbers whenever it is run and however often it was killed; a run's folder is named
by everything that its result depends on. States are plain arrays (.npz): nothing is unpickled.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.savings.corpora import by_seed, upto
from pipeline.savings.tiers.neural import model
from pipeline.savings.tiers.shapes import Shape, steps_at
from pipeline.savings.tiers.tokens import save

VERSION = 1
"""Version of the training: raise it when the same arguments give other losses."""
SAVE_EVERY_S = 20.0
"""Seconds between saved states: what a kill can cost."""
BETAS = (0.9, 0.95)
EPSILON = 1e-8


@dataclass(frozen=True)
class Job:
    """`arm_file`: tokens, document starts and groups of an arm; `sets_file`: tokens and document starts of the held-out sets.

    `unique`: tokens that the run may look at, None for as many as it sees (no repetition)."""

    folder: str
    arm_file: str
    sets_file: str
    shape: Shape
    seed: int
    tokens: int
    rate: float
    unique: int | None
    device: str


@dataclass
class _State:
    step: int
    weights: Tensor
    average: Tensor
    first: Tensor
    second: Tensor
    scores: list[np.ndarray]


def train_job(job: Job, deadline: float | None = None) -> bool:
    """Train and score; True when finished, False where `deadline` (time.monotonic) came first. Results: `result.npz`.

    A finished run is not done again.
    """
    folder = Path(job.folder)
    if (folder / "result.npz").is_file():
        return True
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1 if job.device == "cpu" else max(1, (os.cpu_count() or 2) // 2))
    torch.use_deterministic_algorithms(job.device == "cpu")
    device = torch.device(job.device)
    started = time.process_time()
    arm = np.load(job.arm_file)
    stream = order(arm["tokens"], arm["starts"], arm["groups"], seed=job.seed, wanted=job.tokens, unique=job.unique)
    scorer = Scorer(job, device)
    state = _load(folder, job, device)
    spent = _spent(folder)
    stops = steps_at(job.shape, job.tokens)
    saved = time.monotonic()
    for loss in _steps(state, job, stream, device=device, last=stops[-1]):
        due = state.step in stops
        if due:
            state.scores.append(scorer.score(state.average))
        late = deadline is not None and time.monotonic() > deadline
        if due or late or time.monotonic() - saved > SAVE_EVERY_S:
            saved = time.monotonic()
            _save(folder, state, loss=float(loss), of=stops[-1], cpu_s=spent + time.process_time() - started)
        if late and state.step < stops[-1]:
            return False
    _finish(folder, np.stack(state.scores), stops, job=job, cpu_s=spent + time.process_time() - started)
    return True


def order(
    tokens: np.ndarray, starts: np.ndarray, groups: np.ndarray, *, seed: int, wanted: int, unique: int | None
) -> np.ndarray:
    """The stream that a run sees: `wanted` tokens and one more.

    The seed chooses whole groups up to `unique` tokens (default: `wanted`), so that duplicates are as frequent as in the arm, the
    same groups first in every arm that has them; and orders their documents, anew in every epoch. `starts`: where each document
    begins, and the end.
    """
    rng = np.random.default_rng([seed, 1])
    chosen = upto(by_seed(groups, seed=seed), np.diff(starts), wanted + 1 if unique is None else unique)
    parts: list[np.ndarray] = []
    have = 0
    while have <= wanted:
        for document in rng.permutation(chosen):
            parts.append(tokens[starts[document] : starts[document + 1]])
            have += len(parts[-1])
    return np.concatenate(parts)[: wanted + 1].astype(np.int64)


def _steps(state: _State, job: Job, stream: np.ndarray, *, device: torch.device, last: int) -> Iterator[Tensor]:
    """Train from `state.step` to `last`; yields the loss of each batch, in nats a token."""
    shape = job.shape
    rows = shape.batch // shape.context
    chunks = (len(stream) - 1) // shape.context
    places = np.random.default_rng([job.seed, 2]).permutation(chunks)
    gradient = torch.zeros_like(state.weights)
    leaves = model.views(state.weights, shape)
    for name, part in model.views(gradient, shape).items():
        leaves[name].requires_grad_(True).grad = part
    decay = model.decayed(shape).to(device)
    turns = model.rotation(shape, device)
    while state.step < last:
        first = state.step * rows
        rows_now = places[np.arange(first, first + rows) % chunks][:, None] * shape.context + np.arange(shape.context + 1)
        batch = torch.from_numpy(stream[rows_now]).to(device)
        gradient.zero_()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            scores = model.logits(leaves, batch[:, :-1], shape, turns=turns)
            loss = F.cross_entropy(scores.float().flatten(0, 1), batch[:, 1:].flatten())
        loss.backward()
        state.step += 1
        with torch.no_grad():
            _update(state, gradient, decay, job=job)
        yield loss.detach()


def _update(state: _State, gradient: Tensor, decay: Tensor, *, job: Job) -> None:
    """AdamW on the flat vector, after clipping the gradient's norm; then the average."""
    norm = float(gradient.norm())
    if norm > job.shape.clip:
        gradient.mul_(job.shape.clip / norm)
    rate = job.rate * min(1.0, state.step / job.shape.warm_up)
    state.first.lerp_(gradient, 1 - BETAS[0])
    state.second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    scale = math.sqrt(1 - BETAS[1] ** state.step) / (1 - BETAS[0] ** state.step)
    state.weights.addcmul_(state.weights, decay, value=-rate * job.shape.decay)
    state.weights.addcdiv_(state.first, state.second.sqrt().add_(EPSILON), value=-rate * scale)
    state.average.lerp_(state.weights, 1 - job.shape.average)


class Scorer:
    """Bits of each document of the held-out sets under averaged weights. Windows of one context, not overlapping."""

    def __init__(self, job: Job, device: torch.device) -> None:
        given = np.load(job.sets_file)
        self._shape, self._device = job.shape, device
        self._documents = len(given["starts"]) - 1
        inputs, targets, owners = _windows(given["tokens"], given["starts"], job.shape.context)
        self._inputs, self._targets, self._owners = (torch.from_numpy(part).to(device) for part in (inputs, targets, owners))

    @torch.no_grad()
    def score(self, flat: Tensor) -> np.ndarray:
        """float64[documents]: sum of -log2 p."""
        shape, turns = self._shape, model.rotation(self._shape, self._device)
        weights = model.views(flat.detach(), shape)
        total = torch.zeros(self._documents, dtype=torch.float64)
        rows = max(1, 4 * shape.batch // shape.context)
        for start in range(0, len(self._inputs), rows):
            part = slice(start, start + rows)
            scores = model.logits(weights, self._inputs[part], shape, turns=turns).float()
            nats = F.cross_entropy(scores.flatten(0, 1), self._targets[part].flatten(), reduction="none", ignore_index=-1)
            summed = nats.view(self._targets[part].shape).double().sum(dim=1).cpu()
            total.index_add_(0, self._owners[part].cpu(), summed)
        return total.numpy() / math.log(2)


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


def _load(folder: Path, job: Job, device: torch.device) -> _State:
    """The saved state of a killed run, else a fresh one."""
    if (folder / "state.npz").is_file():
        saved = np.load(folder / "state.npz")
        weights, average, first, second = (torch.from_numpy(saved[name]).to(device) for name in _VECTORS)
        return _State(int(saved["step"]), weights, average, first, second, list(saved["scores"]))
    weights = model.fresh(job.shape, seed=job.seed).to(device)
    return _State(0, weights, weights.clone(), torch.zeros_like(weights), torch.zeros_like(weights), [])


def _save(folder: Path, state: _State, *, loss: float, of: int, cpu_s: float) -> None:
    vectors = {name: getattr(state, name).detach().cpu().numpy() for name in _VECTORS}
    scores = np.stack(state.scores) if state.scores else np.zeros((0, 0))
    save(folder / "state.npz", step=state.step, scores=scores, **vectors)
    card = {"step": state.step, "of": of, "loss": loss, "cpu_s": cpu_s}
    temporary = folder / "progress.tmp"
    temporary.write_text(json.dumps(card))
    os.replace(temporary, folder / "progress.json")


def _spent(folder: Path) -> float:
    """CPU seconds of the attempts before this one, as far as a saved state tells."""
    card = folder / "progress.json"
    return float(json.loads(card.read_text())["cpu_s"]) if card.is_file() else 0.0


def _finish(folder: Path, scores: np.ndarray, stops: list[int], *, job: Job, cpu_s: float) -> None:
    """`result.npz`: bits (checkpoints x documents), tokens seen at each checkpoint, CPU seconds."""
    save(folder / "result.npz", bits=scores, tokens=np.array(stops) * job.shape.batch, cpu_s=cpu_s)
    (folder / "job.json").write_text(json.dumps(asdict(job), indent=1))
    (folder / "state.npz").unlink(missing_ok=True)
