"""What a measurement of the saving tells a person: the terminal's text, and the tables of the page. From savings.json alone."""

from __future__ import annotations

from typing import Any

from pipeline.report import numbers
from pipeline.report.page import curves
from pipeline.report.page.svg import Sheets
from pipeline.report.visible import visible

_NAME, _ARM = 32, 26


def summary(made: dict[str, Any], *, out: str | None) -> str:
    """Headline first, then every set, as plainly where curation costs as where it saves."""
    lines = [visible(made["headline"]), ""]
    if "sweep" in made:
        lines = [visible(made["sweep"]["sentence"]), "", *lines]
    if "by_reason" in made:
        lines += _families(made["by_reason"])
    lines += [f"{'held-out set':<{_NAME}}{'arm':<{_ARM}}{'bits per byte':>15}{'multiplier':>12}  95 % interval   verdict"]
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
    lines.append(
        f"{visible(held['name'], limit=_NAME - 1):<{_NAME}}{visible(baseline, limit=_ARM - 1):<{_ARM}}{last(held, baseline):>15}"
    )
    for line in held["arms"]:
        name = visible(line["arm"], limit=_ARM - 1)
        verdict = f"{line['verdict']}; {line['status_in_words']}" if not ranked_only else order_of(line)
        lines.append(
            f"{'':<{_NAME}}{name:<{_ARM}}{last(held, line['arm']):>15}{multiplier(line):>12}  {interval(line):<16}{verdict}"
        )
    return lines


def _families(found: dict[str, Any]) -> list[str]:
    lines = [f"what each family adds on {visible(found['set'])} (the plan over the plan without it)"]
    for item in found["families"]:
        cost = numbers.seconds(item["cpu_s"]) if item["cpu_s"] is not None else numbers.NONE
        said = f"{numbers.digits(item['worth'])}  {_pair(item['interval']):<16}"
        lines.append(f"  {visible(item['family'], limit=_NAME - 3):<{_NAME - 2}}{said} CPU {cost}")
    return [*lines, ""]


def last(held: dict[str, Any], arm: str) -> str:
    """Bits per byte of an arm's last checkpoint."""
    curve = held["curves"].get(arm)
    return f"{curve[-1][1]:.3f}" if curve else numbers.NONE


def multiplier(line: dict[str, Any]) -> str:
    """`2.98`, `≥ 16.0`, `≤ 0.06`."""
    sign = {"lower": "≥ ", "upper": "≤ ", None: ""}[line["bound"]]
    return sign + numbers.digits(line["multiplier"])


def interval(line: dict[str, Any]) -> str:
    return _pair(line["interval"])


def _pair(found: list[float] | None) -> str:
    return numbers.NONE if found is None else f"{numbers.digits(found[0])} to {numbers.digits(found[1])}"


def order_of(line: dict[str, Any]) -> str:
    """What a ranking may say of an arm: above or below the baseline, or not told from it."""
    found = line["interval"]
    if found is None or found[0] <= 1 <= found[1]:
        return "not told from the baseline"
    return "above the baseline" if found[0] > 1 else "below the baseline"


def saved(line: dict[str, Any]) -> str:
    """Share of compute saved at the lower bound, where it may be shown: a saving that clears the noise."""
    if line["verdict"] != "saves" or not line["clears_noise"]:
        return numbers.NONE
    return f"at least {int(100 * (1 - 1 / line['interval'][0]))} %"


MOST_PICTURES = 4
"""Sets with a picture: the target and those after it; a set's figures are in the table all the same."""


def page_of(made: dict[str, Any], generation: int, sheets: Sheets) -> dict[str, Any]:
    """What the page shows: table rows, pictures, regimes, and the lines below. `generation`: the page's own."""
    ngram = made["tier"] == "ngram"
    axis = made["model"]["unit_of_compute"].partition(" (")[0]
    pictures = [{"set": held["name"], "chart": curves.picture(held, sheets, axis=axis)} for held in made["sets"][:MOST_PICTURES]]
    families = made.get("by_reason", {}).get("families", [])
    return {
        "stale": made["generation"] != generation,
        "rows": _rows(made["sets"], ngram=ngram),
        "pictures": pictures,
        "regimes": [{"name": r["regime"], "rows": _rows(r["sets"], ngram=ngram)} for r in made["regimes"]],
        "sweep": made.get("sweep"),
        "families": [{**item, "interval": _pair(item["interval"])} for item in families],
        "lines": _below(made),
    }


def _rows(sets: list[dict[str, Any]], *, ngram: bool) -> list[dict[str, Any]]:
    rows = []
    for held in sets:
        shared = {"set": held["name"], "about": held["about"], "floor": _pair(held["noise_floor"])}
        empty = dict.fromkeys(("multiplier", "interval", "saved", "gap"), numbers.NONE)
        first = {**shared, **empty, "first": True, "arm": held["baseline"], "bits": last(held, held["baseline"])}
        rows.append({**first, "verdict": "the baseline", "status": ""})
        for line in held["arms"]:
            rows.append(
                {
                    **shared,
                    "first": False,
                    "arm": line["arm"],
                    "bits": last(held, line["arm"]),
                    "multiplier": multiplier(line),
                    "interval": interval(line),
                    "saved": saved(line),
                    "gap": f"{line['gap']:+.3f}".replace("-", "−"),
                    "verdict": order_of(line) if ngram else line["verdict"],
                    "status": "" if ngram else _aside(line),
                }
            )
    return rows


def _aside(line: dict[str, Any]) -> str:
    """Status, trend, yield and the least multiplier that could have been told from 1."""
    parts = [line["status_in_words"]]
    if line["trend"]["direction"] != "too few budgets":
        parts.append(f"{line['trend']['direction']} with the budget")
    if line["yield"] is not None:
        parts.append(f"yield {line['yield']:.2f}".replace("-", "−"))
    if line["distinguishable"] is not None:
        parts.append(f"below {numbers.digits(line['distinguishable'])} not told from 1")
    return "; ".join(parts)


def _below(made: dict[str, Any]) -> list[str]:
    cost = made["costs"]
    hours, dollars = cost["proxy"]["cpu_hours"]["value"], cost["proxy"]["dollars"]["value"]
    lines = [f"This measurement took {numbers.digits(hours)} CPU-hours ({numbers.money(dollars)})."]
    lines.append(cost["break_even"]["sentence"])
    extrapolated = cost["extrapolation"]
    if "suppressed" in extrapolated:
        lines.append(f"No extrapolation to the planned run: {extrapolated['suppressed']}.")
    else:
        net = extrapolated["net_multiplier"]
        said = ", ".join(numbers.digits(net[name]) if net[name] else "never" for name in ("low", "value", "high"))
        lines.append(f"Extrapolated, with repeats: multiplier {said} (low, value, high). {extrapolated['caution']}")
    return [*lines, *made["notes"]]
