"""Multiplier, intervals and laws against values worked out independently (synthetic curves and published arithmetic)."""

import math

import numpy as np
import pytest

from pipeline.savings.analysis import curves, intervals, laws
from pipeline.savings.analysis.intervals import Estimate, Losses

C = np.geomspace(1, 64, 10)


def power(compute):
    return 1.5 + compute**-0.3


@pytest.mark.parametrize(("shift", "found"), [(1, 1.0), (1.3, 1.290), (2, 1.984), (3, 2.978), (8, 7.936)])
def test_a_curve_shifted_by_m_gives_m_within_one_percent(shift, found):
    crossing = curves.multiplier(C, power(C / shift), power(C))
    assert crossing.multiplier == pytest.approx(found, abs=0.001)
    assert crossing.multiplier == pytest.approx(shift, rel=0.01)
    assert crossing.status == "ok"


def test_swapped_arms_give_the_inverse_and_say_not_reached():
    crossing = curves.multiplier(C, power(C), power(C / 3))
    assert crossing.status == "not_reached"
    assert crossing.multiplier == pytest.approx(1 / 3, rel=0.01)
    assert crossing.best_gap > 0
    assert not crossing.bound


def test_a_plateau_above_the_baselines_final_loss_is_no_saving():
    crossing = curves.multiplier(C, power(C), np.maximum(power(C * 2), 1.9))
    assert crossing.status == "not_reached"
    assert crossing.best_gap == pytest.approx(1.9 - power(64.0))


def test_an_arm_that_is_better_at_the_first_checkpoint_has_a_lower_bound():
    crossing = curves.multiplier(C, power(C), power(C) - 0.9)
    assert (crossing.status, crossing.multiplier, crossing.bound) == ("at_floor", 64.0, True)


def test_an_arm_worse_at_its_best_than_the_baseline_at_its_first_has_an_upper_bound():
    crossing = curves.multiplier(C, power(C), power(C) + 2)
    assert (crossing.status, crossing.multiplier, crossing.bound) == ("not_reached", 1 / 64, True)


def test_reached_then_over_fits_is_said_where_the_last_checkpoint_is_above():
    other = power(C * 2)
    other[-1] = power(64.0) + 0.01
    crossing = curves.multiplier(C, power(C), other)
    assert crossing.status == "reached_then_overfits"
    assert crossing.multiplier == pytest.approx(2, rel=0.02)
    assert crossing.gap == pytest.approx(0.01)


def test_two_flat_curves_are_no_learning():
    crossing = curves.multiplier(C, np.full(10, 8.0), np.full(10, 8.0))
    assert crossing.status == "no_learning"
    assert math.isnan(crossing.multiplier)


def test_the_target_is_the_baselines_last_loss_and_not_its_best():
    baseline = power(C)
    baseline[-1] = baseline[-2] + 0.1
    assert curves.multiplier(C, baseline, power(C)).multiplier > 2


@pytest.mark.parametrize(("value", "share"), [(1.0, 0.0), (2.0, 0.5), (3.01, 0.668), (0.5, -1.0)])
def test_saved_share(value, share):
    assert curves.saved_share(value) == pytest.approx(share, abs=0.001)


@pytest.mark.parametrize(
    ("value", "kept", "eta"), [(3.16, 0.317, 1.0), (1.0, 0.317, 0.0), (0.5, 0.5, -1.0), (2.0, 1.0, None), (math.nan, 0.5, None)]
)
def test_yield_is_1_where_all_that_was_removed_was_worthless_and_0_for_random_deletion(value, kept, eta):
    found = curves.kept_yield(value, kept)
    assert found is None if eta is None else found == pytest.approx(eta, abs=0.002)


def test_the_trend_says_rising_where_the_multiplier_climbs_with_the_budget():
    assert curves.trend(C, power(C), power(C**1.5)).direction == "rising"
    assert curves.trend(C, power(C / 2), power(C)).direction == "steady"
    assert curves.trend(C[:2], power(C)[:2], power(C)[:2]).direction == "too few budgets"


@pytest.mark.parametrize(
    ("per_seed", "low", "high"),
    [((3.09, 3.45, 2.67), 2.22, 4.20), ((2.84, 3.11, 3.08), 2.66, 3.39), ((0.73, 0.91, 0.59), 0.43, 1.25)],
)
def test_t_intervals_of_three_seeds_worked_out_elsewhere(per_seed, low, high):
    found, least = intervals.t_interval(per_seed)
    assert found == (pytest.approx(low, abs=0.02), pytest.approx(high, abs=0.02))
    assert least == pytest.approx(math.sqrt(found[1] / found[0]))


@pytest.mark.parametrize(("df", "quantile"), [(1, 12.706), (2, 4.303), (9, 2.262), (21, 2.080), (30, 2.042), (1000, 1.962)])
def test_a_t_interval_reaches_as_many_standard_errors_as_printed_tables_say(df, quantile):
    """0.975 quantiles of NIST/SEMATECH's e-Handbook of Statistical Methods, 1.3.6.7.2."""
    values = [1.0 + seed / 100 for seed in range(df + 1)]
    error = float(np.log(values).std(ddof=1)) / math.sqrt(len(values))
    _, least = intervals.t_interval(values)
    assert math.log(least) / error == pytest.approx(quantile, abs=0.0005)


def losses(shift: float, *, seeds: int = 3, noise: float = 0.0, documents: int = 20, rng_seed: int = 0) -> Losses:
    rng = np.random.default_rng(rng_seed)
    sizes = rng.integers(500, 900, documents).astype(float)
    bits = np.empty((seeds, len(C), documents))
    for s in range(seeds):
        curve = power(C * shift * math.exp(noise * rng.standard_normal()))
        bits[s] = curve[:, None] * sizes * (1 + 0.05 * rng.standard_normal(documents))
    return Losses(bits, sizes)


def test_the_wider_of_the_two_intervals_is_used():
    found = intervals.estimate(C, losses(1, noise=0.2), losses(2, noise=0.2, rng_seed=1))
    assert found.interval == (min(found.by_t[0], found.by_bootstrap[0]), max(found.by_t[1], found.by_bootstrap[1]))


def test_two_seeds_give_no_interval_and_no_verdict():
    found = intervals.estimate(C, losses(1, seeds=2), losses(2, seeds=2))
    assert found.interval is None
    assert intervals.verdict(found, None) == "not enough seeds"


def test_identical_arms_give_1_and_no_evidence():
    arm = losses(1, noise=0.05)
    found = intervals.estimate(C, arm, arm)
    assert found.value == pytest.approx(1)
    assert intervals.verdict(found, intervals.noise_floor(C, arm)) == "no evidence"


def test_seeds_of_one_arm_give_a_noise_floor_around_1():
    floor = intervals.noise_floor(C, losses(1, noise=0.1))
    low, high = floor
    assert low < 1 < high
    assert low * high == pytest.approx(1, rel=0.05)
    assert intervals.noise_floor(C, losses(1, seeds=1)) is None


@pytest.mark.parametrize(
    ("value", "low", "high", "floor", "said"),
    [
        (2.0, 1.01, 4.0, (0.8, 1.2), "saves"),
        (2.0, 1.0, 4.0, (0.8, 1.2), "no evidence"),
        (2.0, 1.01, 4.0, (0.4, 2.5), "no evidence"),
        (0.5, 0.3, 0.99, (0.8, 1.2), "costs"),
        (0.5, 0.3, 1.0, (0.8, 1.2), "no evidence"),
    ],
)
def test_verdict_at_its_limits(value, low, high, floor, said):
    crossing = curves.Crossing(value, "ok", 0.0, 0.0)
    found = Estimate(value, (crossing,) * 3, None, None, (low, high), None)
    assert intervals.verdict(found, floor) == said


def test_the_gap_at_equal_compute_has_an_interval():
    gap, interval = intervals.gap_interval(losses(1), losses(2))
    assert interval[0] <= gap <= interval[1]
    assert gap < 0


@pytest.mark.parametrize(("tokens", "unique", "worth"), [(1, 1, 1), (0.5, 1, 0.5), (4, 1, 3.7257), (1e9, 1, 16.388)])
def test_repeated_tokens_are_worth_less(tokens, unique, worth):
    assert laws.effective_tokens(tokens, unique) == pytest.approx(worth, abs=0.0005)


def test_the_inverse_gives_the_tokens_back_and_infinity_beyond_the_ceiling():
    assert laws.tokens_for(laws.effective_tokens(7, 1), 1) == pytest.approx(7)
    assert laws.tokens_for(0.3, 1) == 0.3
    assert math.isinf(laws.tokens_for(16.39, 1))


@pytest.mark.parametrize(("tokens", "loss"), [(1e12, 2.156), (0.31e12, 2.177)])
def test_a_third_of_the_tokens_at_twice_the_value_is_worse_in_one_epoch(tokens, loss):
    """7B, raw 1T at half the value a token against curated 0.31T: counting tokens would call it 69 % saved."""
    law = laws.LAWS["muennighoff_c4"]
    worth = tokens / 2 if tokens == 1e12 else tokens
    assert law.e + law.a / 7e9**law.alpha + law.b / worth**law.beta == pytest.approx(loss, abs=0.0006)


@pytest.mark.parametrize(
    ("fresh", "epochs", "net"),
    [
        (2.0, 1, 1.98), (2.0, 2, 1.93), (2.0, 4, 1.83), (2.0, 8, 1.59), (2.0, 16, 0.0), (2.0, 30, 0.0),
        (3.0, 1, 3.00), (3.0, 8, 2.93), (3.0, 30, 2.46), (1 / 0.31, 30, 3.23),
    ],
)  # fmt: skip
def test_net_multiplier_by_how_often_the_baseline_would_be_repeated(fresh, epochs, net):
    found = laws.net_multiplier(fresh, planned=epochs, unique_baseline=1, unique_other=0.31)
    assert found == pytest.approx(net, abs=0.006)


def test_beyond_the_crossover_the_saving_is_gone():
    at = laws.crossover(2.0, unique_baseline=1, unique_other=0.31)
    assert 8 < at < 16
    assert laws.crossover(1 / 0.31, unique_baseline=1, unique_other=0.31) is None
