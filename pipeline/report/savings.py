"""What a measurement of the saving tells a person: the terminal's text, and the tables of the page. From savings.json alone."""

from __future__ import annotations

from typing import Any

from pipeline.report import units
from pipeline.report.harmless import visible

_NAME = 34


def summary(made: dict[str, Any], *, out: str | None) -> str:
    """Headline first, then every set, as plainly where curation costs as where it saves."""
    lines = [visible(made["headline"]), ""]
    if "sweep" in made:
        lines = [visible(made["sweep"]["sentence"]), "", *lines]
    if "by_reason" in made:
        lines += _families(made["by_reason"])
    lines += [f"{'held-out set':<{_NAME}}{'arm':<14}{'bits per byte':>15}{'multiplier':>12}  95 % interval   verdict"]
    for held in made["sets"]:
        lines += _set(held, ranked_only=made["tier"] == "ngram")
    lines += ["", f"measured with {visible(made['model']['what'])}"]
    if "attempt" in made:
        lines.append(f"attempt {made['attempt']} with these targets")
    if "costs" in made:
        lines.append(made["costs"]["break_even"]["sentence"])
        suppressed = made["costs"]["extrapolation"].get("suppressed")
        lines += [f"no extrapolation: {suppressed}"] if suppressed else []
    lines += [f"note: {visible(note)}" for note in made["notes"]]
    if out is not None:
        lines.append(f"report {visible(out.rstrip('/'))}/report.html")
    return "\n".join(lines) + "\n"


def _set(held: dict[str, Any], *, ranked_only: bool) -> list[str]:
    lines = []
    baseline = held["baseline"]
    lines.append(f"{visible(held['name'], limit=_NAME - 1):<{_NAME}}{visible(baseline, limit=13):<14}{last(held, baseline):>15}")
    for line in held["arms"]:
        name = visible(line["arm"], limit=13)
        verdict = f"{line['verdict']}; {line['status_in_words']}" if not ranked_only else order_of(line)
        lines.append(f"{'':<{_NAME}}{name:<14}{last(held, line['arm']):>15}{multiplier(line):>12}  {interval(line):<16}{verdict}")
    return lines


def _families(found: dict[str, Any]) -> list[str]:
    lines = [f"what each family adds on {visible(found['set'])} (the plan over the plan without it)"]
    for item in found["families"]:
        cost = units.seconds(item["cpu_s"]) if item["cpu_s"] is not None else units.NONE
        said = f"{units.digits(item['worth'])}  {_pair(item['interval']):<16}"
        lines.append(f"  {visible(item['family'], limit=_NAME - 3):<{_NAME - 2}}{said} CPU {cost}")
    return [*lines, ""]


def last(held: dict[str, Any], arm: str) -> str:
    """Bits per byte of an arm's last checkpoint."""
    curve = held["curves"].get(arm)
    return f"{curve[-1][1]:.3f}" if curve else units.NONE


def multiplier(line: dict[str, Any]) -> str:
    """`2.98`, `≥ 16.0`, `≤ 0.06`."""
    sign = {"lower": "≥ ", "upper": "≤ ", None: ""}[line["bound"]]
    return sign + units.digits(line["multiplier"])


def interval(line: dict[str, Any]) -> str:
    return _pair(line["interval"])


def _pair(found: list[float] | None) -> str:
    return units.NONE if found is None else f"{units.digits(found[0])} to {units.digits(found[1])}"


def order_of(line: dict[str, Any]) -> str:
    """What a ranking may say of an arm: above or below the baseline, or not told from it."""
    found = line["interval"]
    if found is None or found[0] <= 1 <= found[1]:
        return "not told from the baseline"
    return "above the baseline" if found[0] > 1 else "below the baseline"


def saved(line: dict[str, Any]) -> str:
    """Share of compute saved at the lower bound, where it may be shown: a saving that clears the noise."""
    if line["verdict"] != "saves" or not line["clears_noise"]:
        return units.NONE
    return f"at least {int(100 * (1 - 1 / line['interval'][0]))} %"
