"""What is found of losses: comparisons on every set, budgets, variants against the best; costs as plainly as savings."""

import math

import numpy as np
import pytest

from pipeline.records.savings_json import Against
from pipeline.savings.analysis import findings
from pipeline.savings.heldout import HeldOut
from pipeline.savings.losses import Curve, Losses

C = np.geomspace(1e12, 16e12, 8)
SETS = [
    HeldOut("web", "target", tuple(f"text {i:03d}" for i in range(12)), tuple(range(12))),
    HeldOut("raw_heldout", "raw_heldout", ("a",) * 12, (0,) * 12),
]


def losses(*, noise: float = 0.01, draws: int = 4, common: float = 0.0, **shifts: float) -> Losses:
    """Curves 1.5 + (C shift)^-0.3; `noise`: of each arm and draw, `common`: of each draw, the same for all arms but the first."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(draws):
        shared = common * rng.standard_normal()
        arms = {}
        for number, (name, shift) in enumerate(shifts.items()):
            moved = shift * math.exp(noise * rng.standard_normal() + (shared if number else 0.0))
            curve = 1.5 + (C / 1e12 * moved) ** -0.3
            arms[name] = {s.name: Curve(C, curve[:, None] * s.sizes) for s in SETS}
        made.append(arms)
    return Losses(tuple(made), dict.fromkeys(shifts, 0.5) | {next(iter(shifts)): 1.0})


def test_a_saving_has_its_multiplier_worth_and_counts():
    found = findings.comparison(losses(raw=1, curated=2), SETS[0], "curated")
    assert found.verdict == "saves"
    assert found.multiplier == pytest.approx(2, rel=0.05)
    assert found.worth == pytest.approx(0, abs=0.06), "half of the text, twice the value: what was dropped was of no use"
    assert found.worth_interval[0] < found.worth < found.worth_interval[1]
    assert (found.reached, found.draws) == (4, 4)


def test_a_filter_that_drops_good_text_costs_and_its_upper_bound_is_below_1():
    found = findings.comparison(losses(raw=1, curated=1 / 3), SETS[0], "curated")
    assert (found.verdict, found.reached) == ("costs", 0)
    assert found.interval[1] < 1
    assert found.worth > 1


def test_equal_arms_are_no_difference():
    found = findings.comparison(losses(raw=1, curated=1), SETS[0], "curated")
    assert found.verdict == "no difference"
    assert 0 < found.reached < 4, "some draws are ahead by chance, and it is said in how many"


def test_swapped_arms_give_the_inverse():
    made = losses(raw=1, curated=2)
    one, other = (
        findings.comparison(made, SETS[0], arm, baseline=base).multiplier
        for arm, base in (("curated", "raw"), ("raw", "curated"))
    )
    assert one * other == pytest.approx(1, rel=0.01)


def test_earlier_budgets_have_multipliers_and_no_verdict():
    budgets = findings.comparison(losses(raw=1, curated=2), SETS[0], "curated").budgets
    assert [b.compute for b in budgets] == pytest.approx(C[2:])
    assert budgets[-1].multiplier == pytest.approx(2, rel=0.05)


def test_every_set_has_curves_of_all_arms_and_says_whether_it_is_large_enough():
    found = findings.sets_of(losses(raw=1, curated=2), SETS)
    assert [(s.name, s.documents, s.clusters, s.enough) for s in found] == [("web", 12, 12, False), ("raw_heldout", 12, 1, False)]
    assert list(found[0].curves) == ["raw", "curated"]
    assert [c for c, _, _ in found[0].curves["raw"]] == pytest.approx(C)


def test_draws_scored_at_other_checkpoints_show_those_that_all_have():
    made = losses(raw=1, curated=2)
    first = made.draws[0]["curated"]["web"]
    made.draws[0]["curated"]["web"] = Curve(np.append(C[:3], C[4:]), np.delete(first.bits, 3, axis=0))
    curves = findings.sets_of(made, SETS[:1])[0].curves
    assert (len(curves["raw"]), len(curves["curated"])) == (8, 7)


def test_a_tier_stops_when_every_deciding_set_is_settled():
    precise, loose = (losses(raw=1, curated=1.4, noise=noise, draws=6) for noise in (0.005, 0.2))
    stop = findings.settled(SETS, ("web",), "curated")
    assert stop(precise)
    assert not stop(loose)
    assert not stop(losses(raw=1, curated=1.4, noise=0.005, draws=5))


def test_variants_are_compared_with_the_best_directly_so_what_draws_share_hides_nothing():
    """The two differ by 10 %, and each by 30 % from draw to draw with the other: their intervals over raw overlap widely."""
    made = losses(raw=1, a=1.1, b=1.21, common=0.3, noise=0.005)
    over_raw = [findings.comparison(made, SETS[0], name).interval for name in "ab"]
    assert over_raw[0][1] > over_raw[1][0]
    lines = findings.variants(made, SETS[0], ["a", "b"])
    assert [line.variant for line in lines] == ["b", "a"]
    assert findings.recommended(lines) == "b"


@pytest.mark.parametrize(
    ("intervals", "best"),
    [([(0.5, 0.99)], "best"), ([(0.5, 1.0)], None), ([(0.5, 0.9), (0.8, 1.1)], None), ([(0.5, 0.9), None], None), ([], None)],
)
def test_a_value_is_recommended_only_where_every_other_is_told_from_it(intervals, best):
    lines = [Against(variant="best", multiplier=1.0, interval=None)]
    lines += [Against(variant=str(i), multiplier=0.8, interval=found) for i, found in enumerate(intervals)]
    assert findings.recommended(lines) == best
