"""What a measurement of the saving says, in sentences: one for each level of evidence, from the figures of savings.json alone.

Invariants: a sentence is about all draws, never about the best or the worst ("reached in 2 of 3" where it is so); what counts of
n-grams found has no size and no percentage; a percentage stands with its interval and "in this test"; what costs is said as
plainly as what saves; without a target of the user's there is no verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from pipeline.records.savings_json import SCHEMA, TARGET_DOCUMENTS, Comparison, Family, Measured, Range, Role, Savings, SetLine
from pipeline.text import numbers

Word = Literal["saves", "costs", "no difference", "ahead", "behind", "no verdict"]
"""The finding in a word. Counts of n-grams put an arm ahead or behind; they save nothing."""

ROLES: dict[Role, str] = {
    "target": "named by you",
    "curated_heldout": "held-out kept text: favours curation",
    "raw_heldout": "held-out raw text: favours raw text",
    "dropped": "what the rules removed",
}
LEANING: dict[Role, str] = {
    "raw_heldout": "raw text, which favours raw text",
    "curated_heldout": "kept text, which favours curation",
}
CAVEATS = (
    "The multiplier is the compute of the baseline divided by the compute at which the other arm first has the baseline's final"
    " loss: 2 is half the compute for the same loss, below 1 the baseline is as good with that share of it. Small models trained"
    " here have one start in both arms, the baseline's text, and compute is counted from its end. The interval is of"
    " this learner at this size; other learners differ by more than it is wide. Loss is not skill, and small models understate"
    " what duplicates cost (arXiv 2603.06603)."
)
ORDER_ONLY = "Counts of n-grams tell an order of texts, no size: they overstate what junk costs, and see no repetition."


@dataclass(frozen=True)
class Finding:
    """A word, and what it stands for in a sentence that does not repeat it."""

    word: Word
    sentence: str

    @property
    def whole(self) -> str:
        """Both, where there is no colour to set the word apart."""
        return f"{_named(self.word)}. {self.sentence}"


def headline(found: Savings) -> Finding | None:
    """Of the strongest evidence; None where nothing was measured."""
    if found.schema_version != SCHEMA:
        return Finding("no verdict", "An earlier release measured this, by another method: measure again.")
    return None if found.best is None else of(found.best)


def of(measured: Measured) -> Finding:
    """About the target that was named first; without one, the bracket of the two sets that were split off."""
    held = next((one for one in measured.sets if one.name == measured.primary), None)
    compared = measured.comparison(measured.primary)
    if held is None or compared is None:
        return Finding("no verdict", _bracket(measured))
    return about(measured, held, compared)


def about(measured: Measured, held: SetLine, compared: Comparison) -> Finding:
    """One arm on one set."""
    word = word_of(measured, held, compared)
    if not held.enough:
        least = f"{TARGET_DOCUMENTS} are the least, and a long text gives up to four"
        few = f"{numbers.counted(held.documents, 'document')} of {held.name} are too few: {least}"
        return Finding(word, f"{few}{_figures(measured, compared)}.")
    if compared.multiplier is None:
        return Finding(word, f"On {held.name}, {_undefined(compared)}.")
    if compared.interval is None:
        return Finding(word, f"On {held.name}, {_no_interval(compared)}.")
    if measured.tier == "ngram":
        return Finding(word, f"{_ordered(word, held, compared)} An order, no size ({numbers.counted(compared.draws, 'draw')}).")
    say = {"saves": _saves, "costs": _costs}.get(word, _no_difference)
    return Finding(word, f"{say(held, compared, compared.interval)}{_figures(measured, compared)}.{_reached(compared)}")


def _undefined(compared: Comparison) -> str:
    """Why there is no multiplier."""
    untaught = sum(line.status == "no_learning" for line in compared.per_draw)
    if not untaught:
        return "the draws lie further apart than this test can measure: no multiplier"
    draws = "this test" if untaught == compared.draws else f"{untaught} of {numbers.counted(compared.draws, 'draw')}"
    return f"neither text taught the model anything in {draws}"


def _no_interval(compared: Comparison) -> str:
    """Why there is none."""
    why = "three are the least" if compared.verdict == "too few draws" else "there is too little text, to train on or to score"
    return f"{numbers.counted(compared.draws, 'draw')} give no interval: {why}"


def word_of(measured: Measured, held: SetLine, compared: Comparison) -> Word:
    """The finding in a word, for tables."""
    if not held.enough or compared.multiplier is None or compared.interval is None:
        return "no verdict"
    if measured.tier == "ngram":
        return _side(compared)
    words: dict[str, Word] = {"saves": "saves", "costs": "costs"}
    return words.get(compared.verdict, "no difference")


def _side(compared: Comparison) -> Word:
    """What counts tell."""
    sides: dict[str, Word] = {"saves": "ahead", "costs": "behind"}
    return sides.get(compared.verdict, "no difference")


def family(found: Family) -> Word:
    """What the plan is with a family of filters, against the plan without it, by counts."""
    if found.interval is None:
        return "no verdict"
    return "ahead" if found.interval[0] > 1 else "behind" if found.interval[1] < 1 else "no difference"


def _ordered(word: Word, held: SetLine, compared: Comparison) -> str:
    told = {"ahead": "put it ahead of", "behind": "put it behind"}.get(word, "do not tell it from")
    return f"{_named(compared.arm)} on {held.name}: counts of n-grams {told} {compared.baseline}."


def _named(arm: str) -> str:
    return arm[:1].upper() + arm[1:]


def _saves(held: SetLine, compared: Comparison, interval: Range) -> str:
    low, high = (less(end) for end in interval)
    took = f"{_percent(less(compared.multiplier))} less training compute ({_outward(low, high)})"
    if compared.bound is not None:
        took = f"{_most(compared)}{_percent(less(_end(compared)), math.floor)} less training compute"
    return f"In this test, the same loss on {held.name} took {took}"


def _costs(held: SetLine, compared: Comparison, interval: Range) -> str:
    share = f"{_percent(float(compared.multiplier or 0))} of the compute ({_outward(*interval)})"
    if compared.bound is not None:
        share = f"{_most(compared)}{_percent(_end(compared), math.ceil)} of the compute"
    return f"In this test, {compared.baseline} was as good as {compared.arm} on {held.name} with {share}"


def _no_difference(held: SetLine, compared: Comparison, interval: Range) -> str:
    loss, gain = max(0.0, 1 - float(interval[0])), max(0.0, less(interval[1]))
    lies = f"between {_percent(loss, math.ceil)} of the compute lost and {_percent(gain, math.ceil)} saved"
    return f"In this test, none is told on {held.name}: it lies {lies}"


def _figures(measured: Measured, compared: Comparison) -> str:
    """In brackets: multiplier, interval, draws, learner. Counts have none."""
    if measured.tier == "ngram" or compared.multiplier is None:
        return ""
    between = "" if compared.interval is None or compared.bound is not None else f", 95 % {pair(compared.interval)}"
    return f" (multiplier {multiplier(compared)}{between}; {numbers.counted(compared.draws, 'draw')}; {measured.learner.what})"


def _reached(compared: Comparison) -> str:
    """Only where some draws reached the baseline's final loss and some did not."""
    if compared.reached in (0, compared.draws):
        return ""
    return f" It reached the loss of {compared.baseline} in {compared.reached} of {compared.draws}."


def _bracket(measured: Measured) -> str:
    """No target was named: both sets that were split off, and which way each leans."""
    said = []
    for role, leans in LEANING.items():
        held = measured.of_role(role)
        compared = None if held is None else measured.comparison(held.name)
        if held is None or compared is None or compared.multiplier is None:
            continue
        value = times(compared)
        if measured.tier == "ngram":
            value = "no interval" if compared.interval is None else _side(compared)
        said.append(f"{value} on {numbers.counted(held.documents, 'document')} of held-out {leans}")
    found = f" {_named(measured.arms[1].arm)}: {'; '.join(said)}." if said else ""
    return f"No target text was named (option --target).{found}"


def worth(compared: Comparison) -> str | None:
    """w: does not change with the share that was dropped; None where it is not defined."""
    if compared.worth is None or compared.worth_interval is None:
        return None
    harm = " Below 0 it did harm." if compared.worth_interval[1] < 0 else ""
    value, between = _worth(compared.worth), f" ({' to '.join(map(_worth, compared.worth_interval))})"
    if compared.bound is not None:  # the larger multiplier is the smaller worth
        lower = compared.bound == "lower"
        end = compared.worth_interval[1 if lower else 0]
        value, between = f"at {'most' if lower else 'least'} {_worth(end)}", ""
    return f"A dropped token was worth {value} of a kept one{between}.{harm}"


def worth_figures(compared: Comparison) -> str:
    """`0.33 (0.17 to 0.50)`, `≤ 0.50`."""
    if compared.bound is not None and compared.worth_interval is not None:
        lower = compared.bound == "lower"
        return f"{'≤' if lower else '≥'} {_worth(compared.worth_interval[1 if lower else 0])}"
    value = numbers.NONE if compared.worth is None else _worth(compared.worth)
    return value if compared.worth_interval is None else f"{value} ({' to '.join(map(_worth, compared.worth_interval))})"


def details(measured: Measured) -> Iterator[str]:
    """Sentences below the headline: worth, controls, what was given up, other sizes, repeats, costs."""
    compared = measured.comparison(measured.primary)
    if measured.tier != "ngram" and compared is not None and (said := worth(compared)):
        yield said
    yield from _controls(measured)
    yield from _given_up(measured)
    yield from _thorough(measured)
    yield from _repeats(measured)
    yield from _costing(measured)


def _controls(measured: Measured) -> Iterator[str]:
    second = measured.comparison(measured.control)
    if second is not None and second.multiplier is not None and measured.tier != "ngram":
        yield f"On the second target, {measured.control}: {times(second)}."
    for arm in measured.arms[2:]:
        mixed = measured.comparison(measured.primary, arm.arm)
        if mixed is not None and mixed.multiplier is not None and measured.tier != "ngram":
            what = "raw text in the kept text's shares of sources and languages" if arm.arm == "same mix" else arm.what
            yield f"{_named(arm.arm)} ({what}): {times(mixed)}."


def _given_up(measured: Measured) -> Iterator[str]:
    held = measured.of_role("dropped")
    compared = None if held is None else measured.comparison(held.name)
    if held is None or compared is None:
        return
    if not held.enough:
        few = numbers.counted(held.documents, "dropped document")
        yield f"What was given up is not told: {few} are too few, 200 are the least."
    elif compared.multiplier is not None and measured.tier != "ngram":
        of_them = numbers.counted(held.documents, "dropped document")
        yield f"What was given up, on {of_them}: {times(compared)}."
    elif compared.multiplier is not None:
        yield f"What was given up: {word_of(measured, held, compared)} on {numbers.counted(held.documents, 'dropped document')}."


def _thorough(measured: Measured) -> Iterator[str]:
    for size in measured.sizes:
        of_size = f"a model of {numbers.short(size.parameters)} parameters, {numbers.short(size.tokens)} tokens"
        yield f"With {of_size}: {times(size.comparison)}."
    small = measured.small_rate
    if small is not None:
        told = small.gap_interval is not None and not small.gap_interval[0] <= 0 <= small.gap_interval[1]
        sign = ("better than" if small.gap < 0 else "worse than") if told else "not told from"
        arms = f"{measured.arms[1].arm} is {sign} {measured.arms[0].arm}"
        yield f"At a tenth of the learning rate {arms} on {small.set}; such a branch tells a sign, no size."


def _repeats(measured: Measured) -> Iterator[str]:
    found = measured.repeats
    if found is not None:
        times = ", ".join(f"{arm} {numbers.digits(epochs)}" for arm, epochs in found.epochs.items())
        run = f"the planned {numbers.short(found.planned_tokens)} tokens, which read the text so often: {times}"
        between = f" ({pair(found.multiplier_interval)})" if found.multiplier_interval is not None else ""
        value = f"{numbers.digits(found.multiplier)} ×{between}"
        if not found.multiplier:
            value = f"{measured.arms[1].arm} never has the loss of {measured.arms[0].arm}, however often it is read,"
        yield f"Computed by a law, not measured ({found.law}): {value} with {run}."


def _costing(measured: Measured) -> Iterator[str]:
    cost = measured.costs
    if cost is None:
        return
    spent = cost.measuring
    took = f"{numbers.seconds(3600 * spent.cpu_hours.number)} of CPU ({numbers.money(spent.dollars.value)})"
    curated = f"{numbers.seconds(cost.curation_cpu_s)} ({numbers.money(cost.curation_dollars)})"
    yield f"The measurement took {took}; the curation {curated}."
    if cost.break_even is not None:
        from_, hours = numbers.power_of_ten(cost.break_even.flops), numbers.digits(cost.break_even.gpu_hours)
        yield f"Both pay from {from_} FLOPs of training on ({hours} GPU-hours), if the low end holds at that size."


def recommended(found: Savings) -> str | None:
    """The value of a sweep, or that there is none."""
    sweep = found.sweep
    if sweep is None:
        return None
    if sweep.recommended is not None:
        return f"Best on {sweep.set}: {sweep.recommended}, told from every other by a direct comparison."
    return f"No value of {sweep.key} is recommended on {sweep.set}: the best is not told from another."


def multiplier(compared: Comparison) -> str:
    """`1.39`, `≥ 16.0`, `≤ 0.06`: a bound is the end of the interval on its side."""
    sign = {"lower": "≥ ", "upper": "≤ ", None: ""}[compared.bound]
    return sign + numbers.digits(_end(compared))


def times(compared: Comparison) -> str:
    """`1.39 × (1.26 to 1.54)`, `≤ 0.06 ×`."""
    between = "" if compared.bound is not None else f" ({pair(compared.interval)})"
    return f"{multiplier(compared)} ×{between}"


def _end(compared: Comparison) -> float:
    """What is known of a bound: the value itself is a mean in which draws stand for less, or for more, than they found."""
    if compared.bound is None or compared.interval is None:
        return float(compared.multiplier or 0)
    return float(compared.interval[0 if compared.bound == "lower" else 1])


def _most(compared: Comparison) -> str:
    return {"lower": "at least ", "upper": "at most ", None: ""}[compared.bound]


def pair(found: Range | None) -> str:
    """The ends of an interval."""
    return "no interval" if found is None else f"{numbers.digits(found[0])} to {numbers.digits(found[1])}"


def less(found: float | None) -> float:
    """Share of the compute that a multiplier leaves out: 2 is a half."""
    return 1 - 1 / float(found or 1)


def _percent(share: float, rounded: Callable[[float], int] = round) -> str:
    """Whole ones; of less than 1 % the tenths too."""
    scale = 10 if abs(share) < 0.01 else 1
    return f"{numbers.plain(rounded(round(100 * scale * share, 9)) / scale)} %"


def _outward(low: float, high: float) -> str:
    """The ends of an interval of shares, rounded so that it never narrows."""
    return f"{_percent(low, math.floor)} to {_percent(high, math.ceil)}"


def _worth(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
