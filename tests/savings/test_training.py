"""The `cpu` tier over a constructed experiment (slow: needs torch), and what it refuses without training."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from pipeline.errors import UsageError
from pipeline.savings.arms import Arm, Experiment
from pipeline.savings.heldout import HeldOut
from pipeline.savings.losses import Losses
from pipeline.savings.order import Order
from pipeline.savings.tiers import chunks, tokens, training
from pipeline.savings.tiers.shapes import CPU, LEAST_STEPS, Shape
from pipeline.store.store import open_store
from tests.support import ROOT, prose

TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not TORCH, reason="torch is not installed: it is part of the savings extra")

TINY = Shape("tiny", 300, 16, 1, 2, 16, 64, 64 * LEAST_STEPS, 8e-3, 8)
DOCUMENTS = 300


def arm(name: str, texts: list[str], numbers: np.ndarray) -> Arm:
    sizes = np.array([len(text.encode()) for text in texts], dtype=np.float64)
    return Arm(name, name, tuple(texts), numbers.astype(np.uint64), numbers, sizes, int(sizes.sum()))


def experiment(*, documents: int = DOCUMENTS) -> Experiment:
    """Prose and as many lines of numbers; the judged arm has the prose alone. One held-out set of prose, one of numbers."""
    rng = np.random.default_rng(0)
    good = [prose(number) for number in range(documents)]
    noise = [" ".join(map(str, rng.integers(0, 10**6, 120).tolist())) for _ in range(documents)]
    numbers = np.arange(2 * documents)
    arms = (arm("raw", [*good, *noise], numbers), arm("curated", good, numbers[:documents]))
    held = [prose(number) for number in range(10**6, 10**6 + 12)]
    sets = (
        HeldOut("target", "target", tuple(text[:400] for text in held), tuple(range(12))),
        HeldOut("dropped", "dropped", tuple(text[:200] for text in noise[:4]), tuple(range(4))),
    )
    placed = Order(rng.random(2 * documents), 8, 0)
    return Experiment(arms, sets, placed, "target", None, "targets", 1.0, 12)


def measure(work: Path, *, made: Experiment | None = None, thorough: bool = False, draws: int = 4, settled=lambda losses: False):
    return training.measure(
        made or experiment(),
        tier="cpu",
        draws=draws,
        thorough=thorough,
        work=open_store(str(work)),
        workers=2,
        minutes=None,
        settled=settled,
        on_event=lambda event: None,
    )


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(training.SHAPES, "cpu", TINY)


@needs_torch
def test_without_a_gpu_the_tier_says_so_before_it_trains(tmp_path):
    import torch

    from pipeline.savings.tiers.neural import runner

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UsageError, match="torch sees no CUDA device on this machine; --tier cpu measures the same"):
        runner.device_of("gpu")


def test_a_run_is_as_long_as_the_text_allows_and_never_shorter_than_what_is_learnt_from(tmp_path):
    made = experiment()
    encoded = tokens.encode(made, tmp_path, vocabulary=TINY.vocabulary)
    raw, curated = (encoded.tokens[arm.name] for arm in made.arms)
    room = training.room(made, encoded, TINY)
    start, branch = TINY.start * room, (1 - TINY.start) * room
    assert start + branch <= raw
    assert start * curated / raw + chunks.AHEAD * branch == pytest.approx(training.MARGIN * curated, rel=1e-4)
    assert training.affordable(made, encoded, TINY, tier="cpu") == TINY.tokens
    longer = replace(TINY, tokens=10 * room)
    assert training.affordable(made, encoded, longer, tier="cpu") == room
    with pytest.raises(UsageError, match=rf"arm curated has {curated:,} tokens.*the cpu tier needs 307,200 \(300 steps\)"):
        training.affordable(made, encoded, CPU, tier="cpu")


def test_the_tokenizer_learns_from_equal_bytes_of_both_arms_whatever_a_character_takes():
    """Before, characters were counted: text of three bytes a character was three times as much of it."""
    for text in ("abcdefghi ", "\u65e5\u672c\u8a9e"):
        texts = [text * 3] * 200
        found = tokens._some(arm("one", texts, np.arange(200)), 1500)
        assert 1500 <= sum(len(part.encode()) for part in found) < 1500 + len(texts[0].encode())


def test_other_sizes_see_as_many_tokens_a_parameter_in_as_many_steps():
    assert CPU.parameters == 163_840
    small, large = training.other_sizes(CPU)
    assert 2.5 < CPU.parameters / small.parameters < 3.5
    assert 2.5 < large.parameters / CPU.parameters < 3.5
    for other in (small, large):
        assert other.tokens // other.batch == CPU.tokens // CPU.batch
        assert other.tokens / other.parameters == pytest.approx(CPU.tokens / CPU.parameters, rel=0.1)
        assert other.width // other.heads == CPU.width // CPU.heads


@needs_torch
@pytest.mark.slow
def test_arms_are_paired_text_without_numbers_saves_and_a_settled_measurement_stops(tiny, tmp_path):
    looked: list[int] = []

    def settled(losses: Losses) -> bool:
        looked.append(len(losses.draws))
        return True

    found = measure(tmp_path, draws=8, settled=settled)
    assert found.stopped_early
    assert looked == [training.LEAST_DRAWS]
    assert len(found.losses.draws) == training.LEAST_DRAWS
    assert found.losses.kept_share["raw"] == 1
    assert found.losses.kept_share["curated"] == pytest.approx(found.corpus_tokens["curated"] / found.corpus_tokens["raw"])
    branch = 6 * TINY.parameters * TINY.branch_steps * TINY.batch
    for draw in found.losses.draws:
        raw, curated = draw["raw"]["target"], draw["curated"]["target"]
        assert raw.compute[-1] == curated.compute[-1] == pytest.approx(branch)
        assert raw.bits.shape[1] == curated.bits.shape[1] == 12
        assert curated.bits[-1].sum() < raw.bits[-1].sum() < raw.bits[0].sum()
        assert draw["curated"]["dropped"].bits[-1].sum() > draw["raw"]["dropped"].bits[-1].sum()
    assert found.learner.largest > branch
    again = measure(tmp_path, draws=8, settled=settled)
    assert again.learner.cpu_s == found.learner.cpu_s, "what is done is read, not trained again"


@needs_torch
@pytest.mark.slow
def test_thorough_adds_other_sizes_where_there_is_text_for_them_and_a_tenth_of_the_rate(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SIZE_DRAWS", 1)
    found = measure(tmp_path, thorough=True, draws=1)
    assert not found.stopped_early
    rate, slow = found.small_rate
    assert rate == pytest.approx(TINY.branch_rate * TINY.rate / 10)
    assert all(len(curve.compute) == 1 for draw in slow.draws for sets in draw.values() for curve in sets.values())
    assert len(found.sizes) + len(found.notes) == 2
    assert found.sizes[0].parameters < TINY.parameters
    assert all(note.startswith("no model of") for note in found.notes)


@needs_torch
@pytest.mark.slow
def test_a_killed_measurement_leaves_nothing_running_and_resumes(tiny, tmp_path):
    command = [sys.executable, "-c", f"from tests.savings.test_training import in_a_process; in_a_process({str(tmp_path)!r})"]
    started = subprocess.Popen(command, cwd=ROOT)
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("**/progress.json")):
        assert started.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.2)
    children = Path(f"/proc/{started.pid}/task").glob("*/children")
    workers = [int(pid) for path in children for pid in path.read_text().split()]
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    assert workers
    while any(map(psutil.pid_exists, workers)):
        assert time.monotonic() < deadline, "a worker went on after its parent was killed"
        time.sleep(0.2)
    assert len(measure(tmp_path, draws=2).losses.draws) == 2


def in_a_process(work: str) -> None:
    """A measurement that is killed."""
    training.SHAPES["cpu"] = TINY
    measure(Path(work), draws=2)
