"""What a measurement of the saving tells a person: the terminal's text, and the tables of the page. From savings.json alone."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from pipeline.records.savings_1 import ArmLine, Families, NoExtrapolation, Range, Savings, SetLine
from pipeline.report.page import curves
from pipeline.report.page.svg import Sheets
from pipeline.report.table import Part, Said, table
from pipeline.text import numbers


def summary(made: Savings, *, out: str | None) -> Said:
    """Headline first, then every set, as plainly where curation costs as where it saves."""
    said: list[Part] = [made.headline, ""]
    if made.sweep is not None:
        said = [made.sweep.sentence, "", *said]
    if made.by_reason is not None:
        said += [*_families(made.by_reason), ""]
    rows = [row for held in made.sets for row in _set(held, ranked_only=made.tier == "ngram")]
    said.append(table(("held-out set", "arm", ">bits per byte", ">multiplier", "95 % interval", "verdict"), rows))
    said += ["", f"measured with {made.model.what}"]
    if made.attempt is not None:
        said.append(f"attempt {made.attempt} with these targets")
    if made.costs is not None:
        said.append(made.costs.break_even.sentence)
        extrapolated = made.costs.extrapolation
        said += [f"no extrapolation: {extrapolated.suppressed}"] if isinstance(extrapolated, NoExtrapolation) else []
    said += [f"note: {note}" for note in made.notes]
    return said if out is None else [*said, f"report {out.rstrip('/')}/report.html"]


def _set(held: SetLine, *, ranked_only: bool) -> Iterator[tuple[str, ...]]:
    yield held.name, held.baseline, last(held, held.baseline)
    for line in held.arms:
        verdict = f"{line.verdict}; {line.status_in_words}" if not ranked_only else order_of(line)
        yield "", line.arm, last(held, line.arm), multiplier(line), pair(line.interval), verdict


def _families(found: Families) -> tuple[str, Part]:
    rows = [
        (item.family, numbers.digits(item.worth), pair(item.interval), numbers.seconds(item.cpu_s)) for item in found.families
    ]
    head = f"what each family adds on {found.set} (the plan over the plan without it)"
    return head, table(("family", ">multiplier", "95 % interval", ">CPU"), rows)


def last(held: SetLine, arm: str) -> str:
    """Bits per byte of an arm's last checkpoint."""
    curve = held.curves.get(arm)
    return f"{curve[-1][1]:.3f}" if curve else numbers.NONE


def multiplier(line: ArmLine) -> str:
    """`2.98`, `≥ 16.0`, `≤ 0.06`."""
    sign = {"lower": "≥ ", "upper": "≤ ", None: ""}[line.bound]
    return sign + numbers.digits(line.multiplier)


def pair(found: Range | None) -> str:
    """The ends of an interval."""
    return numbers.NONE if found is None else f"{numbers.digits(found[0])} to {numbers.digits(found[1])}"


def order_of(line: ArmLine) -> str:
    """What a ranking may say of an arm: above or below the baseline, or not told from it."""
    found = line.interval
    if found is None or found[0] <= 1 <= found[1]:
        return "not told from the baseline"
    return "above the baseline" if found[0] > 1 else "below the baseline"


def saved(line: ArmLine) -> str:
    """Share of compute saved at the lower bound, where it may be shown: a saving that clears the noise."""
    if line.verdict != "saves" or not line.clears_noise or line.interval is None:
        return numbers.NONE
    return f"at least {int(100 * (1 - 1 / line.interval[0]))} %"


MOST_PICTURES = 4
"""Sets with a picture: the target and those after it; a set's figures are in the table all the same."""


def pictures(made: Savings, sheets: Sheets) -> list[tuple[str, Markup]]:
    """Sets with their curves."""
    axis = made.model.unit_of_compute.partition(" (")[0]
    return [(held.name, curves.picture(held, sheets, axis=axis)) for held in made.sets[:MOST_PICTURES]]


def gap(line: ArmLine) -> str:
    """Bits per byte at equal compute, the arm's minus the baseline's."""
    return f"{line.gap:+.3f}".replace("-", "−")


def aside(line: ArmLine) -> str:
    """Status, trend, yield and the least multiplier that could have been told from 1."""
    parts = [line.status_in_words]
    if line.trend.direction != "too few budgets":
        parts.append(f"{line.trend.direction} with the budget")
    if line.kept_yield is not None:
        parts.append(f"yield {line.kept_yield:.2f}".replace("-", "−"))
    if line.distinguishable is not None:
        parts.append(f"below {numbers.digits(line.distinguishable)} not told from 1")
    return "; ".join(parts)


def below(made: Savings) -> list[str]:
    """What the measurement cost, and what it says of the planned run."""
    cost = made.costs
    if cost is None:  # nothing measured here
        return list(made.notes)
    hours, dollars = cost.proxy.cpu_hours.value, cost.proxy.dollars.value
    lines = [f"This measurement took {numbers.digits(hours)} CPU-hours ({numbers.money(dollars)})."]
    lines.append(cost.break_even.sentence)
    extrapolated = cost.extrapolation
    if isinstance(extrapolated, NoExtrapolation):
        lines.append(f"No extrapolation to the planned run: {extrapolated.suppressed}.")
    else:
        net = extrapolated.net_multiplier
        said = ", ".join(numbers.digits(net[name]) if net[name] else "never" for name in ("low", "value", "high"))
        lines.append(f"Extrapolated, with repeats: multiplier {said} (low, value, high). {extrapolated.caution}")
    return [*lines, *made.notes]
