"""What a measurement of the saving tells a person: the terminal's text, and the tables of the page. From savings.json alone."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from pipeline.records.savings_json import Comparison, Families, Measured, Savings, SetLine, Tier
from pipeline.report import sentences
from pipeline.report.page import curves
from pipeline.report.table import Part, Said, table
from pipeline.text import numbers

TIERS: dict[Tier, str] = {
    "own trainer": "Your own trainer",
    "gpu": "Small models on a GPU",
    "cpu": "Small models on a CPU",
    "ngram": "Counts of n-grams: an order, no size",
}


def summary(made: Savings, *, out: str | None) -> Said:
    """Headline first, then every set, as plainly where curation costs as where it saves."""
    said: list[Part] = []
    if (value := sentences.recommended(made)) is not None:
        said += [value, ""]
    if made.by_reason is not None:
        said += [*_families(made.by_reason), ""]
    best = made.best
    if best is not None:
        said += [sentences.of(best).whole, "", table(head(best), rows(best))]
        said += ["", f"{TIERS[best.tier]}: {best.learner.what}", *sentences.details(best)]
    return said if out is None else [*said, f"report {out.rstrip('/')}/report.html"]


def head(measured: Measured) -> tuple[str, ...]:
    """Of the table of `rows`."""
    figures = () if measured.tier == "ngram" else (">multiplier", "95 % interval")
    return "held-out set", ">documents", "arm", ">bits per byte", *figures, "verdict"


def rows(measured: Measured) -> Iterator[tuple[str, ...]]:
    """A line for each arm and held-out set; what only counts has no figures but the losses."""
    for held in measured.sets:
        yield from _set(measured, held)


def _set(measured: Measured, held: SetLine) -> Iterator[tuple[str, ...]]:
    baseline = measured.arms[0].arm
    blank = () if measured.tier == "ngram" else ("", "")
    yield held.name, numbers.count(held.documents), baseline, last(held, baseline), *blank, ""
    for line in held.comparisons:
        between = numbers.NONE if line.bound else sentences.pair(line.interval)
        figures = () if measured.tier == "ngram" else (sentences.multiplier(line), between)
        yield "", "", line.arm, last(held, line.arm), *figures, verdict(measured, held, line)


def _families(found: Families) -> tuple[str, Part]:
    lines = [(item.family, sentences.family(item), numbers.seconds(item.cpu_s)) for item in found.families]
    title = f"what each family adds on {found.set}: the plan against the plan without it, by counts of n-grams"
    return title, table(("family", "the plan is", ">CPU"), lines)


def last(held: SetLine, arm: str) -> str:
    """Bits per byte of an arm's last checkpoint."""
    curve = held.curves.get(arm)
    return f"{curve[-1][1]:.3f}" if curve else numbers.NONE


def verdict(measured: Measured, held: SetLine, line: Comparison) -> str:
    """The word, and how many draws reached the baseline's loss where some did not."""
    some = f", reached in {line.reached} of {line.draws}" if 0 < line.reached < line.draws else ""
    return sentences.word_of(measured, held, line) + some


def tone(word: str) -> str:
    """The class of a word's colour on the page; the word itself says what the colour does."""
    return {"saves": "good", "ahead": "good", "costs": "bad", "behind": "bad"}.get(word.partition(",")[0], "even")


MOST_PICTURES = 4
"""Sets with a picture: the target and those after it; a set's figures are in the table all the same."""


def pictures(made: Savings) -> list[tuple[str, Markup]]:
    """Sets of the strongest evidence with their curves."""
    best = made.best
    if best is None:
        return []
    shown = [held for held in best.sets if any(held.curves.values())][:MOST_PICTURES]
    return [(held.name, curves.picture(held, baseline=best.arms[0].arm, unit=best.learner.unit)) for held in shown]


def gap(line: Comparison) -> str:
    """Bits per byte at equal compute, the arm's minus the baseline's."""
    return f"{line.gap:+.3f}".replace("-", "−")


def budgets(line: Comparison) -> str:
    """The multiplier if the run had ended earlier, the largest budget last."""
    return ", ".join(numbers.digits(one.multiplier) for one in line.budgets)
