"""Figures and thresholds against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.records.interval import Z_95
from pipeline.training import calibrate, evaluate, metrics


@pytest.mark.parametrize(
    ("scores", "labels", "auc"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 1.0),
        ([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 0.0),
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75),  # of 4 pairs, (0.35, 0.4) is the wrong way round
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1], 0.5),
        ([0.1, 0.5, 0.5, 0.9], [0, 0, 1, 1], 0.875),  # a tie counts half
    ],
)
def test_auc_is_the_share_of_pairs_in_the_right_order(scores, labels, auc):
    assert metrics.auc(np.array(scores), np.array(labels)).value == auc


def test_auc_needs_two_examples_of_each_class():
    assert metrics.auc(np.array([0.1, 0.2, 0.3]), np.array([0, 1, 1])) is None


def test_delongs_interval():
    """Worked out with the placements of DeLong's paper: positives (1, 0.5, 1), negatives (1, 1, 0.5); variance 1/12 / 3 each."""
    found = metrics.auc(np.array([0.3, 0.4, 0.8, 0.2, 0.1, 0.35]), np.array([1, 1, 1, 0, 0, 0]))
    placements = np.array([2 / 3, 1, 1]), np.array([1, 1, 2 / 3])
    error = np.sqrt(sum(p.var(ddof=1) / 3 for p in placements))
    assert found.value == pytest.approx(8 / 9)
    assert found.low == pytest.approx(8 / 9 - Z_95 * error)
    assert found.high == 1.0


def test_delongs_interval_covers_the_truth_about_as_often_as_it_says():
    chance = np.random.default_rng(3)
    labels = np.repeat([0, 1], 60)
    truth = 0.7602  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt 2)
    hits = 0
    for _ in range(400):
        found = metrics.auc(chance.normal(labels, 1), labels)
        hits += found.low <= truth <= found.high
    assert 0.91 < hits / 400 < 0.98


def test_auc_with_lengths_matched_compares_within_a_stratum_only():
    scores, labels = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 1, 0, 1])
    assert metrics.auc(scores, labels).value == 0.75
    assert metrics.matched_auc(scores, labels, np.array([1, 1, 2, 2])) == 1.0
    assert metrics.matched_auc(scores, labels, np.array([1, 2, 3, 4])) is None


def test_calibration_error():
    assert metrics.calibration_error(np.array([0.2] * 5 + [0.8] * 5), np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 0]), bins=2) == 0
    assert metrics.calibration_error(np.array([0.9] * 10), np.array([1, 0] * 5), bins=1) == pytest.approx(0.4)


def test_platt_finds_the_sigmoid_that_made_the_labels():
    chance = np.random.default_rng(1)
    logits = chance.normal(0, 3, 20_000)
    labels = chance.random(20_000) < 1 / (1 + np.exp(-(0.5 * logits - 1)))
    found = calibrate.platt(logits, labels)
    assert (found.a, found.b) == (pytest.approx(0.5, abs=0.03), pytest.approx(-1, abs=0.06))


def test_platt_is_finite_where_the_classes_are_apart():
    found = calibrate.platt(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1]))
    scores = calibrate.probabilities(found, np.array([-2.0, 2.0]))
    assert 0 < scores[0] < 0.3 and 0.7 < scores[1] < 1


def test_isotonic_pools_what_descends():
    logits = np.arange(40.0)
    labels = np.repeat([0, 1, 0, 1], 10)  # the second and third ten violate the order: pooled to a half
    found = calibrate.isotonic(logits, labels)
    assert found.x == (4.5, 19.5, 34.5)
    assert found.y == (0.0, 0.5, 1.0)


def test_steps_are_chosen_only_where_the_sigmoid_fails():
    chance = np.random.default_rng(2)
    logits = chance.uniform(-4, 4, 4000)
    sigmoid, _ = calibrate.choose(logits, chance.random(4000) < 1 / (1 + np.exp(-logits)))
    plateau, why = calibrate.choose(logits, (logits > -3) & (chance.random(4000) < np.where(logits > 3, 1, 0.5)))
    assert (sigmoid.kind, plateau.kind) == ("platt", "isotonic")
    assert "does not fit" in why


SCORES = np.linspace(0.01, 1.0, 100)


def test_threshold_for_a_precision():
    labels = SCORES > 0.405  # 0.41 to 1.00 are positive: 60
    assert evaluate.for_precision(SCORES, labels, precision=1.0) == 0.41
    assert evaluate.for_precision(SCORES, labels, precision=0.8) == 0.26  # 60 of 75
    assert evaluate.for_precision(SCORES, SCORES > 0.9, precision=0.99) is None  # 10 above are too few to tell


def test_threshold_for_a_share():
    assert evaluate.for_share(SCORES, share=0.25) == 0.75


@pytest.mark.parametrize(("n", "share"), [(200, 0.005), (200, 0.02), (1000, 0.005), (10_000, 0.005)])
def test_the_share_of_false_alarms_is_found_from_few_texts_too(n, share):
    """Log odds at the quantiles of an exponential distribution: the right threshold is -log(share)."""
    logits = -np.log(1 - (np.arange(n) + 0.5) / n)
    found = evaluate.for_false_alarms(1 / (1 + np.exp(-logits)), share=share)
    assert np.log(found / (1 - found)) == pytest.approx(-np.log(share), abs=0.15)


def test_with_enough_texts_false_alarms_are_counted():
    scores = np.linspace(0.01, 0.99, 9801)
    assert (scores >= evaluate.for_false_alarms(scores, share=0.01)).sum() == 98


def test_threshold_for_a_token_budget():
    n_bytes = np.full(100, 400)  # the sample has 10,000 tokens, the corpus ten times as many
    assert evaluate.for_tokens(SCORES, n_bytes, tokens=50_000, corpus_bytes=400_000) == 0.5
    assert evaluate.for_tokens(SCORES, n_bytes, tokens=1e9, corpus_bytes=400_000) is None
