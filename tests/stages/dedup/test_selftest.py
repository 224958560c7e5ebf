"""The self-test of each run: plants have the similarity they should, measure recall, and touch nothing."""

import json

import numpy as np
import pytest

from pipeline.stages.dedup import selftest
from tests.support import SAMPLE, curate, digests, prose
from tests.text import definition


@pytest.mark.parametrize("aim", selftest.STEPS)
def test_plants_are_as_similar_as_they_should_be(aim):
    for number in range(5):
        text = prose(number)
        exact = definition.jaccard(selftest.plant(text, aim, number=number, ngram=5), text, ngram=5)
        assert exact == pytest.approx(aim, abs=0.05)


def test_the_same_documents_are_chosen_for_the_same_seed():
    first, again, other = (selftest.choose(1000, plants=50, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(selftest.choose(7, plants=50, seed=1)) == 7


@pytest.mark.parametrize(("n", "plants"), [(1000, 50), (1000, 7), (95, 90), (3, 0), (0, 5)])
def test_documents_are_chosen_in_runs_side_by_side(n, plants):
    chosen = selftest.choose(n, plants=plants, seed=3)
    assert len(chosen) <= min(n, plants) and len({*chosen.tolist()}) == len(chosen)
    assert len(chosen) >= min(n, plants) - selftest.NEIGHBOURS  # of the last documents there may be fewer in a run
    assert len({*(chosen // selftest.NEIGHBOURS).tolist()}) == -(-len(chosen) // selftest.NEIGHBOURS)


def test_plants_change_no_byte_and_measured_recall_is_beside_the_expected(curated, tmp_path):
    out = tmp_path / "off"
    curate(SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", out, "--set", "checks.plants=0")
    assert digests(out, ("data", "rejected", "ledger", "index")) == digests(curated, ("data", "rejected", "ledger", "index"))
    assert json.loads((out / "metrics.json").read_text())["duplicates"]["measured"] == []
    measured = json.loads((curated / "metrics.json").read_text())["duplicates"]["measured"]
    assert sum(line[1] for line in measured) > 100
    for similarity, plants, found, expected in measured:
        spread = 4 * (expected * (1 - expected) / plants) ** 0.5 + 1 / plants
        assert found / plants == pytest.approx(expected, abs=spread), similarity
