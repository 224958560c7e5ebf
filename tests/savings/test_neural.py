"""The small transformer (needs torch): same seed same numbers, a killed run resumes to the same end, 8 bits at the start."""

import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is part of the proxy extra")

from pipeline.savings.tiers.neural import model, train
from pipeline.savings.tiers.shapes import Shape, steps_at

TINY = Shape("tiny", 256, 16, 1, 2, 16, 64, 2048, 8e-3, 4, 0.9)


@pytest.fixture
def job(tmp_path):
    rng = np.random.default_rng(0)
    tokens = (np.cumsum(rng.integers(0, 3, 5000)) % 50).astype(np.uint16)
    starts = np.arange(0, 5001, 50)
    np.savez(tmp_path / "arm.npz", tokens=tokens, starts=starts, groups=np.arange(100, dtype=np.uint64) // np.uint64(2))
    np.savez(tmp_path / "sets.npz", tokens=tokens[:400], starts=np.array([0, 10, 200, 400]))
    return train.Job(
        str(tmp_path / "run"), str(tmp_path / "arm.npz"), str(tmp_path / "sets.npz"), TINY, 0, 2048, 8e-3, None, "cpu"
    )


def result(job):
    assert train.train_job(job)
    return np.load(f"{job.folder}/result.npz")


def test_a_run_learns_and_its_curve_has_every_checkpoint(job):
    found = result(job)
    assert found["tokens"].tolist() == [step * 64 for step in steps_at(TINY, 2048)]
    assert found["bits"].shape == (len(found["tokens"]), 3)
    assert found["bits"][-1].sum() < 0.8 * found["bits"][0].sum()


def test_untrained_every_token_costs_log2_of_the_vocabulary(job):
    import torch

    scorer = train.Scorer(job, torch.device("cpu"))
    assert scorer.score(model.fresh(TINY, seed=0)).tolist() == pytest.approx([10 * 8, 190 * 8, 200 * 8])


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(job, tmp_path):
    one = result(job)["bits"]
    assert np.array_equal(one, result(replace(job, folder=str(tmp_path / "again")))["bits"])
    assert not np.array_equal(one, result(replace(job, folder=str(tmp_path / "other"), seed=1))["bits"])


def test_a_run_that_was_stopped_resumes_to_the_same_end(job, tmp_path):
    stopped = replace(job, folder=str(tmp_path / "stopped"))
    tries = 0
    while not train.train_job(stopped, deadline=-math.inf):  # saves and stops after every step
        tries += 1
    assert tries == steps_at(TINY, 2048)[-1] - 1
    assert np.array_equal(np.load(f"{stopped.folder}/result.npz")["bits"], result(job)["bits"])


def test_a_stream_below_one_epoch_has_each_document_once_and_one_of_few_tokens_repeats_them():
    tokens, starts = np.arange(1000), np.arange(0, 1001, 10)
    once = train.order(tokens, starts, np.arange(100, dtype=np.uint64), seed=0, wanted=999, unique=None)
    assert sorted(once) == list(range(1000))
    groups = np.arange(100, dtype=np.uint64) // np.uint64(2)
    repeated = train.order(tokens, starts, groups, seed=0, wanted=900, unique=100)
    documents = set(repeated // 10)
    assert 100 <= len(set(repeated)) <= 120
    assert {d ^ 1 for d in documents} == documents, "both or neither of a pair"
