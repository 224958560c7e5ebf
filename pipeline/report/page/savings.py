"""What a measurement of the saving tells a person: the terminal's text, and the tables of the page. From savings.json alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.records.savings_json import ArmLine, Families, NoExtrapolation, Range, Savings, SetLine, Sweep
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
        yield "", line.arm, last(held, line.arm), multiplier(line), interval(line), verdict


def _families(found: Families) -> tuple[str, Part]:
    rows = [
        (item.family, numbers.digits(item.worth), _pair(item.interval), numbers.seconds(item.cpu_s)) for item in found.families
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


def interval(line: ArmLine) -> str:
    return _pair(line.interval)


def _pair(found: Range | None) -> str:
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


@dataclass(frozen=True)
class Row:
    """A line of the table; `first`: the baseline's, which opens a set."""

    set: str
    about: str
    floor: str
    first: bool
    arm: str
    bits: str
    multiplier: str
    interval: str
    saved: str
    gap: str
    verdict: str
    status: str


@dataclass(frozen=True)
class RegimeRows:
    """The table of another way of training."""

    name: str
    rows: list[Row]


@dataclass(frozen=True)
class Picture:
    """A set's curves."""

    set: str
    chart: Markup


@dataclass(frozen=True)
class FamilyRow:
    """What a filter adds."""

    family: str
    worth: float | None
    interval: str
    cpu_s: float | None


@dataclass(frozen=True)
class SavingsPage:
    """What the page shows of a measurement; `stale`: it is of another generation."""

    stale: bool
    rows: list[Row]
    pictures: list[Picture]
    regimes: list[RegimeRows]
    sweep: Sweep | None
    families: list[FamilyRow]
    lines: list[str]


def page_of(made: Savings, generation: int, sheets: Sheets) -> SavingsPage:
    """Table rows, pictures, regimes, and the lines below. `generation`: the page's own."""
    ngram = made.tier == "ngram"
    axis = made.model.unit_of_compute.partition(" (")[0]
    families = made.by_reason.families if made.by_reason is not None else ()
    return SavingsPage(
        stale=made.generation != generation,
        rows=_rows(made.sets, ngram=ngram),
        pictures=[Picture(held.name, curves.picture(held, sheets, axis=axis)) for held in made.sets[:MOST_PICTURES]],
        regimes=[RegimeRows(regime.regime, _rows(regime.sets, ngram=ngram)) for regime in made.regimes],
        sweep=made.sweep,
        families=[FamilyRow(item.family, item.worth, _pair(item.interval), item.cpu_s) for item in families],
        lines=_below(made),
    )


def _rows(sets: Sequence[SetLine], *, ngram: bool) -> list[Row]:
    return [row for held in sets for row in (_baseline(held), *(_row(held, line, ngram=ngram) for line in held.arms))]


def _baseline(held: SetLine) -> Row:
    return Row(
        set=held.name,
        about=held.about,
        floor=_pair(held.noise_floor),
        first=True,
        arm=held.baseline,
        bits=last(held, held.baseline),
        multiplier=numbers.NONE,
        interval=numbers.NONE,
        saved=numbers.NONE,
        gap=numbers.NONE,
        verdict="the baseline",
        status="",
    )


def _row(held: SetLine, line: ArmLine, *, ngram: bool) -> Row:
    return Row(
        set=held.name,
        about=held.about,
        floor=_pair(held.noise_floor),
        first=False,
        arm=line.arm,
        bits=last(held, line.arm),
        multiplier=multiplier(line),
        interval=interval(line),
        saved=saved(line),
        gap=f"{line.gap:+.3f}".replace("-", "−"),
        verdict=order_of(line) if ngram else line.verdict,
        status="" if ngram else _aside(line),
    )


def _aside(line: ArmLine) -> str:
    """Status, trend, yield and the least multiplier that could have been told from 1."""
    parts = [line.status_in_words]
    if line.trend.direction != "too few budgets":
        parts.append(f"{line.trend.direction} with the budget")
    if line.kept_yield is not None:
        parts.append(f"yield {line.kept_yield:.2f}".replace("-", "−"))
    if line.distinguishable is not None:
        parts.append(f"below {numbers.digits(line.distinguishable)} not told from 1")
    return "; ".join(parts)


def _below(made: Savings) -> list[str]:
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
