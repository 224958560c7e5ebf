"""What may be said of a measurement: verdicts, headlines, rankings; costs as plainly as savings."""

import numpy as np
import pytest

from pipeline.records.savings_1 import Ranked, RegimeLine, SetLine
from pipeline.savings.analysis import findings, intervals
from pipeline.savings.analysis.findings import RegimeLosses
from pipeline.savings.analysis.intervals import Estimate, Losses
from pipeline.savings.heldout import HeldOut

C = np.geomspace(1e12, 16e12, 8)
SETS = [
    HeldOut("web", "target", tuple(f"text {i}" for i in range(12))),
    HeldOut("curated_heldout", "curated_heldout", ("a",) * 12),
]


def losses(shift: float, *, noise: float = 0.01, seeds: int = 3, seed: int = 0) -> Losses:
    """Curves 1.5 + (C shift)^-0.3 of each seed, over twelve documents of 800 bytes."""
    rng = np.random.default_rng(seed)
    sizes = np.full(12, 800.0)
    curve = [1.5 + (C / 1e12 * shift * np.exp(noise * rng.standard_normal())) ** -0.3 for _ in range(seeds)]
    hardness = np.linspace(0.9, 1.1, 12)  # of each document, the same for all arms
    return Losses(np.array(curve)[:, :, None] * sizes * hardness, sizes)


def measured(**shifts: float) -> RegimeLosses:
    arms = {name: {s.name: losses(shift, seed=number) for s in SETS} for number, (name, shift) in enumerate(shifts.items())}
    return RegimeLosses(C, arms, {"raw": 1.0, **dict.fromkeys(list(shifts)[1:], 0.5)})


def regime_of(name: str, sets: tuple[SetLine, ...]) -> RegimeLine:
    return RegimeLine(regime=name, unique_tokens=None, sets=sets)


def headline(made: RegimeLosses, *, primary: str | None = "web") -> str:
    sets = findings.sets_of(made, SETS)
    return findings.headline(sets, primary=primary, arm="curated", baseline="raw", model="a small model")


def test_a_saving_is_stated_at_its_lower_bound():
    made = measured(raw=1, curated=2)
    line = findings.line_of(findings.sets_of(made, SETS), "web", "curated")
    assert line.verdict == "saves"
    assert line.status == "ok"
    low = line.interval[0]
    assert headline(made).startswith(
        f"At least {int(100 * (1 - 1 / low))} % less training compute for the same loss on web, no text seen"
    )
    assert line.multiplier == pytest.approx(2, rel=0.05)
    assert line.kept_yield == pytest.approx(1, abs=0.05), "half of the text, twice the value"


def test_a_filter_that_drops_good_text_costs_and_its_upper_bound_is_below_1():
    made = measured(raw=1, curated=1 / 3)
    line = findings.line_of(findings.sets_of(made, SETS), "web", "curated")
    assert line.interval[1] < 1
    assert (line.verdict, line.status) == ("costs", "not_reached")
    assert headline(made).startswith("Costs: curated is worse than raw on web; never reached it: no saving at this quality")


def test_a_random_subset_of_the_same_kind_is_no_evidence():
    made = measured(raw=1, curated=1)
    line = findings.line_of(findings.sets_of(made, SETS), "web", "curated")
    assert line.interval[0] <= 1 <= line.interval[1]
    assert headline(made).startswith("No evidence of a saving on web")


def test_an_interval_within_the_noise_of_two_equal_runs_is_ranking_only():
    sets = findings.sets_of(measured(raw=1, curated=2), SETS)
    line = findings.line_of(sets, "web", "curated").model_copy(update={"clears_noise": False})
    sets = [made.model_copy(update={"arms": (line,)}) if made.name == "web" else made for made in sets]
    said = findings.headline(sets, primary="web", arm="curated", baseline="raw", model="a small model")
    assert said.startswith("Ranking only: curated is ahead of raw on web")
    assert "less training compute" not in said


@pytest.mark.parametrize(
    ("low", "high", "clears"), [(1.21, 2.0, True), (1.2, 2.0, False), (0.5, 0.79, True), (0.5, 0.8, False), (0.9, 1.1, False)]
)
def test_an_interval_clears_the_noise_where_it_lies_outside_of_it(low, high, clears):
    found = Estimate(1.0, (), None, None, (low, high), None)
    assert intervals.clears_noise(found, (0.8, 1.2)) is clears


def test_without_a_declared_target_there_is_no_headline_but_both_biases_are_said():
    said = headline(measured(raw=1, curated=2), primary=None)
    assert said.startswith("No headline: no target was named")
    assert "curated_heldout (biased for curation)" in said
    assert "%" not in said


def test_a_ranking_is_an_order_without_a_percentage():
    made = measured(raw=1, good=2, same=1, bad=1 / 3)
    sets = findings.sets_of(made, SETS)
    ranked = findings.ranking(sets, name="web", baseline="raw")
    order = [item.arm for item in ranked]
    assert order[0] == "good"
    assert order[-1] == "bad"
    said = findings.ranked_in_words(ranked, name="web", baseline="raw")
    assert "%" not in said
    assert "same (not told from raw)" in said


@pytest.mark.parametrize(
    ("intervals", "best"),
    [([[2.0, 2.5], [1.0, 1.9]], "a"), ([[2.0, 2.5], [1.0, 2.0]], None), ([[2.0, 2.5], [1.0, 2.1]], None), ([], None)],
)
def test_a_value_is_recommended_only_where_its_interval_lies_above_the_others(intervals, best):
    ranked = [
        Ranked(arm=name, multiplier=1.0, interval=tuple(found), same=False) for name, found in zip("ab", intervals, strict=False)
    ]
    assert findings.recommended(ranked) == best


def test_what_repeats_do_is_part_of_the_headline():
    regime = regime_of("text repeated as often as planned", findings.sets_of(measured(raw=1, curated=1 / 3), SETS))
    said = findings.with_repeats(regime, primary="web", arm="curated")
    assert said.startswith(" With text repeated as often as planned: costs (multiplier 0.3")
    assert findings.with_repeats(regime, primary=None, arm="curated") == ""


def test_a_sign_that_changes_with_the_regime_is_noted():
    first = findings.sets_of(measured(raw=1, curated=2), SETS)
    second = [regime_of("a third of the learning rate", findings.sets_of(measured(raw=1, curated=0.5), SETS))]
    assert any("it depends on how the model is trained" in note for note in findings.differing(first, second, arm="curated"))
    assert not findings.differing(first, [regime_of("same", first)], arm="curated")
