"""Multiplier, worth, intervals and the law of repetition against values worked out independently."""

import math

import numpy as np
import pytest

from pipeline.savings import order
from pipeline.savings.analysis import curves, intervals, laws
from pipeline.savings.analysis.curves import Crossing, Points
from pipeline.savings.analysis.intervals import Estimate, Spread, Target
from pipeline.savings.losses import Curve

C = np.geomspace(1, 64, 10)


def power(compute):
    return 1.5 + compute**-0.3


def multiplier(baseline, other, *, at=C) -> Crossing:
    return curves.multiplier(Points(at, baseline), Points(at, other))


@pytest.mark.parametrize(("shift", "found"), [(1, 1.0), (1.3, 1.290), (2, 1.984), (3, 2.978), (8, 7.936)])
def test_a_curve_shifted_by_m_gives_m_within_one_percent(shift, found):
    crossing = multiplier(power(C / shift), power(C))
    assert crossing.multiplier == pytest.approx(found, abs=0.001)
    assert crossing.multiplier == pytest.approx(shift, rel=0.01)
    assert crossing.status == "ok"


def test_swapped_arms_give_the_inverse_and_say_not_reached():
    crossing = multiplier(power(C), power(C / 3))
    assert crossing.status == "not_reached"
    assert crossing.multiplier == pytest.approx(1 / 3, rel=0.01)
    assert not crossing.bound


def test_arms_may_be_scored_at_checkpoints_of_their_own():
    near = np.array([20.0, 30.0, 35.0, 64.0])
    crossing = curves.multiplier(Points(C[-1:], power(C[-1:] / 2)), Points(near, power(near)))
    assert crossing.multiplier == pytest.approx(2, rel=0.002)


def test_a_plateau_above_the_baselines_final_loss_is_no_saving():
    assert multiplier(power(C), np.maximum(power(C * 2), 1.9)).status == "not_reached"


def test_an_arm_that_is_better_at_the_first_checkpoint_has_a_lower_bound():
    assert multiplier(power(C), power(C) - 0.9) == Crossing(64.0, "at_floor", bound=True)


def test_an_arm_worse_at_its_best_than_the_baseline_at_its_first_has_an_upper_bound():
    assert multiplier(power(C), power(C) + 2) == Crossing(1 / 64, "not_reached", bound=True)


def test_reached_then_over_fits_is_said_where_the_last_checkpoint_is_above():
    other = power(C * 2)
    other[-1] = power(64.0) + 0.01
    crossing = multiplier(power(C), other)
    assert crossing.status == "reached_then_overfits"
    assert crossing.multiplier == pytest.approx(2, rel=0.02)


def test_two_flat_curves_are_no_learning():
    crossing = multiplier(np.full(10, 8.0), np.full(10, 8.0))
    assert crossing.status == "no_learning"
    assert math.isnan(crossing.multiplier)


def test_the_target_is_the_baselines_last_loss_and_not_its_best():
    baseline = power(C)
    baseline[-1] = baseline[-2] + 0.1
    assert multiplier(baseline, power(C)).multiplier > 2


@pytest.mark.parametrize(("target", "found"), [(1.9, (0, 1)), (1.45, (1, 2)), (1.0, (2, 3)), (0.5, (2, 3)), (2.0, (0, 0))])
def test_a_denser_look_is_worth_it_around_the_crossing(target, found):
    assert curves.around(Points(np.arange(1.0, 5.0), np.array([2.0, 1.5, 1.4, 1.0])), target) == found


@pytest.mark.parametrize(("value", "share"), [(1.0, 0.0), (2.0, 0.5), (3.01, 0.668), (0.5, -1.0)])
def test_saved_share(value, share):
    assert curves.saved_share(value) == pytest.approx(share, abs=0.001)


@pytest.mark.parametrize(
    ("value", "kept", "w"),
    [
        (2.0, 0.5, 0.0), (1.0, 0.5, 1.0), (4.0, 0.5, -0.5), (0.8, 0.5, 1.5), (1.39, 0.535, 0.397),
        (1.12, 0.8, 0.464), (1.39, 0.5, 0.439), (1.98, 0.2, 0.381), (2.0, 1.0, None), (math.nan, 0.5, None),
    ],
)  # fmt: skip
def test_the_worth_of_a_dropped_token_does_not_change_with_how_much_was_dropped(value, kept, w):
    """The last three are of one kind of junk at three ratios, measured elsewhere: .48, .44, .38."""
    found = curves.worth(value, kept)
    assert found is None if w is None else found == pytest.approx(w, abs=0.001)


def pairs(logs, *, documents=40, hardness=0.0, sizes=None, seed=0) -> list[tuple[Curve, Curve]]:
    """A pair a draw: the other arm's curve is the baseline's, shifted by the logarithm of its multiplier; `hardness`: how much
    the shift differs between documents (sd)."""
    rng = np.random.default_rng(seed)
    sizes = np.full(documents, 800.0) if sizes is None else sizes
    own = hardness * rng.standard_normal(documents)
    made = []
    for log in logs:
        baseline = power(C)[:, None] * sizes
        other = np.stack([power(C * math.exp(log + shift)) for shift in own], axis=1) * sizes
        made.append((Curve(C, baseline), Curve(C, other)))
    return made


def target(documents=40, clusters=None) -> Target:
    return Target(np.full(documents, 800.0), np.arange(documents) if clusters is None else np.array(clusters))


@pytest.mark.parametrize(
    ("per_draw", "low", "high"),
    [((3.09, 3.45, 2.67), 2.22, 4.20), ((2.84, 3.11, 3.08), 2.66, 3.39), ((0.73, 0.91, 0.59), 0.43, 1.25)],
)
def test_where_the_target_adds_nothing_the_interval_is_students_t_of_the_draws(per_draw, low, high):
    found = intervals.estimate(pairs(np.log(per_draw)), target())
    assert found.interval == (pytest.approx(low, abs=0.07), pytest.approx(high, abs=0.07))
    assert found.spread.freedom == pytest.approx(2)
    assert found.spread.target_error == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("df", "quantile"), [(1, 12.706), (2, 4.303), (9, 2.262), (21, 2.080), (30, 2.042), (1000, 1.962)])
def test_a_t_interval_reaches_as_many_standard_errors_as_printed_tables_say(df, quantile):
    """0.975 quantiles of NIST/SEMATECH's e-Handbook of Statistical Methods, 1.3.6.7.2."""
    assert Spread(0.0, 2.0, df, 0.0, 0.0).half == pytest.approx(2 * quantile, abs=0.001)


def test_the_variances_of_draws_and_target_are_added_with_satterthwaites_freedom():
    logs = [0.30, 0.34, 0.38, 0.42, 0.46]
    found = intervals.estimate(pairs(logs, hardness=0.3), target()).spread
    of_draws, of_target = np.var(logs, ddof=1) / 5, found.target_error**2
    assert found.target_error > 0.01
    assert found.error**2 == pytest.approx(of_draws + of_target, rel=0.05)
    freedom = found.error**4 / (of_draws**2 / 4 + of_target**2 / 39)
    assert found.freedom == pytest.approx(freedom, rel=0.2)
    assert 4 < found.freedom < 43


def test_documents_of_one_cluster_are_drawn_together():
    alone = intervals.estimate(pairs([0.3] * 3, hardness=0.3), target()).spread
    whole = intervals.estimate(pairs([0.3] * 3, hardness=0.3), target(clusters=[0] * 40)).spread
    copies = np.repeat(np.arange(10), 4)
    made = pairs([0.3] * 3, documents=10, hardness=0.3)
    four = [(Curve(C, a.bits[:, copies]), Curve(C, b.bits[:, copies])) for a, b in made]
    apart = intervals.estimate(four, target()).spread
    together = intervals.estimate(four, target(clusters=copies)).spread
    assert alone.target_error > 0
    assert whole.target_error == 0, "one cluster says nothing of others"
    assert together.target_error == pytest.approx(2 * apart.target_error, rel=0.15), "four copies are no four documents"


def test_the_choice_of_few_clusters_is_as_uncertain_as_their_number_says_whatever_numbers_they_have():
    """Against the standard error of a mean of independent clusters; numbers of clusters that are gone count for nothing."""
    n = 4
    made = [(Curve(C, a.bits[:, :n]), Curve(C, b.bits[:, :n])) for a, b in pairs([0.3] * 3, hardness=0.3)]
    found = [intervals.gap(made, Target(np.full(n, 1000.0), clusters))[1] for clusters in (np.arange(n), 7 * np.arange(n))]
    assert found[0] == found[1]
    gaps = np.mean([(b.bits[-1] - a.bits[-1]) / 1000 for a, b in made], axis=0)
    spread = intervals._spread(
        [0.0] * 3,
        intervals._resampled(made, Target(np.full(n, 1000.0), np.arange(n)), _gap),
        Target(np.full(n, 1000.0), np.arange(n)),
        shared=0.0,
    )
    assert spread.target_error == pytest.approx(gaps.std(ddof=1) / n**0.5, rel=0.12)


def _gap(baseline: Points, other: Points) -> float:
    return float(other.loss[-1] - baseline.loss[-1])


@pytest.mark.parametrize("read", [0.2, 0.4, 0.6])
def test_the_interval_of_draws_that_share_text_covers_as_often_as_that_of_draws_that_do_not(read):
    """2,000 corpora of 60 documents of true mean 0; a draw is the mean of a window of the order, five windows a fifth apart."""
    rng, n = np.random.default_rng(0), 5
    shared = order.shared(range(n), of=n, read=read)
    at = (np.arange(n)[:, None] * 12 + np.arange(round(60 * read))) % 60
    covered = 0
    for corpus in rng.standard_normal((2000, 60)):
        values = corpus[at].mean(axis=1)
        of_draws, freedom = intervals._of_draws(values, shared)
        covered += abs(values.mean()) <= Spread(0.0, math.sqrt(of_draws), freedom, 0.0, 0.0).half
    assert shared == pytest.approx({0.2: 0, 0.4: 0.25, 0.6: 0.5}[read])
    assert 0.93 < covered / 2000 < 0.985


def test_draws_of_nearly_the_same_text_give_no_interval():
    found = intervals.estimate(pairs([0.3, 0.31, 0.32]), target(), shared=0.95)
    assert found.interval is None
    assert found.verdict == "no interval"


def test_where_a_choice_of_the_target_s_documents_shows_no_learning_there_is_no_interval():
    """Before, it was NaN, and the command that every run of the sample named ended in a traceback."""
    sizes = np.full(3, 800.0)
    taught, untaught = power(C), np.full(len(C), 8.0)
    both = [(Curve(C, np.stack([untaught, untaught, arm], axis=1) * sizes),) * 2 for arm in (taught, taught + 0.1, taught)]
    found = intervals.estimate(both, target(3))
    assert [crossing.status for crossing in found.per_draw] == ["ok"] * 3
    assert (found.value, found.interval, found.spread, found.verdict) == (pytest.approx(1), None, None, "no interval")
    assert not found.settled


def test_two_draws_give_no_interval_and_no_verdict():
    found = intervals.estimate(pairs([0.3, 0.4]), target())
    assert (found.interval, found.verdict) == (None, "too few draws")


def test_equal_arms_give_1_and_no_difference():
    found = intervals.estimate(pairs([0.02, -0.01, -0.01, 0.0]), target())
    assert found.value == pytest.approx(1, abs=0.005)
    assert found.verdict == "no difference"


@pytest.mark.parametrize("draws", [3, 5, 9, 20])
def test_more_draws_make_a_true_saving_surer_never_less_sure(draws):
    """True multiplier 1.11, sd .06 between draws: the share of 200 runs that say so rises with the draws."""
    rng = np.random.default_rng(0)
    said = 0
    for _ in range(200):
        values = rng.normal(math.log(1.11), 0.06, draws)
        spread = Spread(values.mean(), values.std(ddof=1) / math.sqrt(draws), draws - 1, 0, 0)
        said += Estimate(math.exp(spread.mean), (Crossing(1, "ok"),) * draws, None, spread).verdict == "saves"
    assert said / 200 == pytest.approx({3: 0.37, 5: 0.80, 9: 0.99, 20: 1.0}[draws], abs=0.09)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(1.01, 4.0, "saves"), (1.0, 4.0, "no difference"), (0.3, 0.99, "costs"), (0.3, 1.0, "no difference")],
)
def test_verdict_at_its_limits(low, high, said):
    half, middle = math.log(high / low) / 2, math.log(high * low) / 2
    spread = Spread(middle, half / Spread(0, 1, 3, 0, 0).half, 3, 0, 0)
    assert Estimate(1.0, (Crossing(1, "ok"),) * 4, None, spread).verdict == said


@pytest.mark.parametrize(("draws", "half", "stop"), [(6, 0.05, True), (6, 0.051, False), (5, 0.01, False), (8, 0.049, True)])
def test_a_tier_stops_at_five_percent_from_six_draws_on(draws, half, stop):
    spread = Spread(0.3, math.log1p(half - 1e-9) / Spread(0, 1, 3, 0, 0).half, 3, 0, 0)
    assert Estimate(1.3, (Crossing(1.3, "ok"),) * draws, None, spread).settled is stop


def test_bounds_of_one_kind_make_the_mean_a_bound_and_of_both_kinds_nothing():
    lower, upper, plain = (power(C) - 0.9, power(C) + 2, power(C * 2))
    sizes = np.full(40, 800.0)

    def made(*others):
        return [(Curve(C, power(C)[:, None] * sizes), Curve(C, other[:, None] * sizes)) for other in others]

    assert intervals.estimate(made(lower, plain, plain), target()).bound == "lower"
    assert intervals.estimate(made(upper, upper, upper), target()).bound == "upper"
    both = intervals.estimate(made(lower, upper, plain), target())
    assert math.isnan(both.value)
    assert both.verdict == "no interval"


def test_the_gap_at_equal_compute_has_an_interval():
    gap, interval = intervals.gap(pairs([0.3, 0.4, 0.5]), target())
    assert interval[0] < gap < interval[1]
    assert gap < 0


@pytest.mark.parametrize(("tokens", "unique", "worth"), [(1, 1, 1), (0.5, 1, 0.5), (4, 1, 3.7257), (1e9, 1, 16.388)])
def test_repeated_tokens_are_worth_less(tokens, unique, worth):
    assert laws.effective_tokens(tokens, unique) == pytest.approx(worth, abs=0.0005)


def test_the_inverse_gives_the_tokens_back_and_infinity_beyond_the_ceiling():
    assert laws.tokens_for(laws.effective_tokens(7, 1), 1) == pytest.approx(7)
    assert laws.tokens_for(0.3, 1) == 0.3
    assert math.isinf(laws.tokens_for(16.39, 1))


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
