"""The small transformer (needs torch): a draw gives the same numbers however often it was killed, its branches have one
start, and runs that were killed, settled or not needed are what they should be."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is part of the savings extra")

from pipeline.errors import RunFailed
from pipeline.savings.tiers.neural import model, runner, train
from pipeline.savings.tiers.shapes import Shape, steps_at

TINY = Shape("tiny", 256, 16, 1, 2, 16, 64, 2048, 8e-3, 4)
STOPS = steps_at(TINY, TINY.branch_steps)


@pytest.fixture
def job(tmp_path):
    """Documents that count up, and in the baseline as many of noise; the judged arm has the former alone."""
    rng = np.random.default_rng(0)
    good = (np.cumsum(rng.integers(0, 3, (100, 50)), axis=1) % 50).astype(np.uint16)
    noise = rng.integers(0, 256, (100, 50)).astype(np.uint16)
    for name, parts in (("all", np.concatenate([good, noise])), ("good", good)):
        numbers = np.arange(len(parts))
        starts = np.arange(0, 50 * len(parts) + 1, 50)
        np.savez(tmp_path / f"{name}.npz", tokens=parts.ravel(), starts=starts, keys=numbers.astype(np.uint64), groups=numbers)
    np.save(tmp_path / "turned.npy", rng.random(200))
    held = (np.cumsum(rng.integers(0, 3, 400)) % 50).astype(np.uint16)
    starts = np.array([0, 10, 200, 400])
    np.savez(tmp_path / "sets.npz", tokens=held, starts=starts, sets=np.array([0, 2, 3]))
    arms = tuple(str(tmp_path / f"{name}.npz") for name in ("all", "good"))
    return train.Job(str(tmp_path / "draw"), arms, str(tmp_path / "turned.npy"), str(tmp_path / "sets.npz"), TINY, 0, "cpu")


def result(job):
    assert train.train_job(job)
    return np.load(f"{job.folder}/result.npz")


def test_both_arms_learn_and_are_scored_at_both_ends_and_around_the_crossing(job):
    found = result(job)
    assert found["tokens"].tolist() == [step * 64 for step in STOPS]
    assert found["bits"].shape == (2, len(STOPS), 3)
    scored = ~np.isnan(found["bits"])
    assert (scored[:, :, 0] == scored[:, :, 1]).all(), "a set as a whole"
    assert scored[0, 0].all()
    assert scored[:, -1].all()
    assert found["bits"][1, -1].sum() < found["bits"][0, -1].sum() < 0.95 * found["bits"][0, 0].sum()
    assert not list(Path(job.folder).glob("average-*")), "what was scored is not kept"


def test_untrained_every_token_costs_log2_of_the_vocabulary(job):
    scorer = train.Scorer(job)
    fresh = model.fresh(TINY, seed=0)
    assert scorer.score(fresh, slice(0, 2)).tolist() == pytest.approx([10 * 8, 190 * 8])
    assert scorer.score(fresh, slice(2, 3)).tolist() == pytest.approx([200 * 8])


def test_arms_of_the_same_documents_end_alike_and_another_draw_differs(job, tmp_path):
    twice = replace(job, folder=str(tmp_path / "twice"), arms=(job.arms[0], job.arms[0]))
    same = result(twice)["bits"]
    assert np.array_equal(same[0, -1], same[1, -1]), "one start, one order: nothing but the text can differ"
    other = result(replace(twice, folder=str(tmp_path / "other"), draw=1))["bits"]
    assert not np.array_equal(same[0, -1], other[0, -1])


def test_swapped_arms_of_one_start_have_each_other_s_losses(job, tmp_path):
    """The start is the first arm's text: where both arms have only shared documents, swapping them is swapping the losses."""
    noise = np.load(job.arms[0])
    chosen = slice(0, 100 * 50)
    np.savez(
        tmp_path / "copy.npz",
        tokens=noise["tokens"][chosen],
        starts=noise["starts"][:101],
        keys=noise["keys"][:100],
        groups=noise["groups"][:100],
    )
    arms = (job.arms[1], str(tmp_path / "copy.npz"))
    ends = [result(replace(job, folder=str(tmp_path / str(n)), arms=arms[::n]))["bits"][:, -1] for n in (1, -1)]
    assert np.array_equal(ends[0], ends[1][::-1])


def test_a_draw_that_was_stopped_resumes_to_the_same_end(job, tmp_path):
    stopped = replace(job, folder=str(tmp_path / "stopped"))
    tries = 0
    while not train.train_job(stopped, deadline=-math.inf):  # saves and stops after every step
        tries += 1
        card = json.loads((Path(stopped.folder) / "progress.json").read_text())
        assert 0 < card["share"] <= train.TRAINING
    assert tries == TINY.start_steps + 2 * STOPS[-1]
    assert np.array_equal(np.load(f"{stopped.folder}/result.npz")["bits"], result(job)["bits"], equal_nan=True)


def test_at_a_small_rate_only_the_ends_are_scored_and_less_is_learnt(job, tmp_path):
    slow = result(replace(job, folder=str(tmp_path / "slow"), rate=0.1, ends_only=True))["bits"]
    assert np.isnan(slow[:, :-1]).all()
    assert slow[1, -1].sum() > result(job)["bits"][1, -1].sum()


def draws(job, n):
    return [replace(job, folder=f"{job.folder}-{draw}", draw=draw) for draw in range(n)]


def test_draws_stop_at_the_first_number_that_is_enough_whatever_is_done_beyond(job):
    jobs, asked, heard = draws(job, 4), [], []

    def enough(done):
        asked.append(done)
        return done >= 2

    for most in (3, 2):
        train.train_job(jobs[most])
    given = {"minutes": None, "enough": enough, "on_event": heard.append}
    assert runner.run_all(jobs, workers=2, **given) == 2
    assert asked == [1, 2]
    assert runner.run_all(jobs, workers=1, **given) == 2, "what is done is not trained again"
    assert runner.run_all(jobs, workers=1, **given | {"enough": lambda done: False}) == 4
    assert [event.kind for event in heard if event.kind != "note"] == ["begin", "end"]


def test_a_piece_of_no_length_ends_with_the_way_on(job):
    with pytest.raises(RunFailed, match=r"0 minutes are over with 0 of 2 draws done; the same command goes on"):
        runner.run_all(draws(job, 2), workers=1, minutes=0, enough=lambda done: False, on_event=lambda event: None)
