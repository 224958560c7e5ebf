"""report.html: one self-contained page, rendered from metrics.json and savings.json.

Invariants: no script, no request to anywhere (a Content-Security-Policy forbids both); every string that reaches the page
is made visible (`harmless.visible`, by jinja2's `finalize`) and then escaped, so no template line can forget it.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from pipeline.report import units
from pipeline.report.harmless import visible
from pipeline.report.savings import page_of

MOST_ROWS = 50
"""Rows of a table of sources, languages or signals; chosen because a phone still scrolls it. metrics.json has them all."""

MOST_LINES = 8
"""Failed checks and notes shown at the top; one a source would push everything else off the screen."""

MOST_STEPS = 12
"""Steps of the funnel; chosen so that it fits the first screen. The smallest ones are folded, the reasons' table has all."""


def render(metrics: dict[str, Any], savings: dict[str, Any] | None) -> str:
    """The page. `metrics`: what metrics.json holds; `savings`: what savings.json holds, None before it was measured."""
    template = _environment().get_template("report.html")
    return template.render(
        m=metrics,
        savings=savings,
        saving=page_of(savings, metrics["generation"]) if savings is not None and savings.get("sets") else None,
        funnel=funnel(metrics),
        signals=signals_by_filter(metrics["signals"]),
        failed=[check for check in metrics["checks"] if check["failed"]],
        pace=pace(metrics),
        most=MOST_ROWS,
        most_lines=MOST_LINES,
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (
        units.count,
        units.size,
        units.short,
        units.digits,
        units.plain,
        units.share,
        units.percent,
        units.beside,
        units.seconds,
        units.money,
        shown,
        breakable,
    ):
        environment.filters[function.__name__] = function
    environment.filters["power_of_ten"] = units.power_of_ten
    return environment


def _harmless(value: Any) -> Any:
    """jinja2 escapes what this returns. Markup comes from the template's macros and `breakable` only."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def shown(text: str | None) -> str:
    """Text from the input, cut to a length that a table cell bears."""
    return units.NONE if text is None else visible(text, limit=120)


def breakable(name: str) -> Markup:
    """An identifier that may break after `.` and `_`. The only place outside the template that makes Markup: of escaped text."""
    return Markup(str(escape(shown(name))).replace(".", ".<wbr>").replace("_", "_<wbr>"))


def funnel(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """The funnel's lines with what a bar needs: `left` (share of documents still there), `lost` (share taken by this line).

    A line is a `level` (rows read, kept: a state) or a step (what left). Steps that took nothing are left out.
    """
    read = metrics["totals"]["read"] or 1
    lines, left = [], read
    for line in _fold([line for line in metrics["funnel"] if _is_level(line) or line["documents"] or line["bytes"]]):
        level = _is_level(line)
        left = line["documents"] if level else left + line["documents"]
        lost = 0 if level else -line["documents"]
        lines.append({**line, "level": level, "left": 100 * left / read, "lost": 100 * lost / read})
    return lines


def _is_level(line: dict[str, Any]) -> bool:
    return line["stage"] == "kept" or line["label"] == "rows read"


def _fold(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most MOST_STEPS steps: the filters' smallest become one line, after the last filter."""
    rules = [line for line in lines if line["stage"] == "filter"]
    spare = sum(1 for line in lines if not _is_level(line)) - MOST_STEPS
    if spare <= 0 or len(rules) < 2:
        return lines
    small = sorted(rules, key=lambda line: -line["documents"])[: min(spare + 1, len(rules))]
    folded = {
        "stage": "filter",
        "label": f"{len(small)} rules that took fewer",
        "documents": sum(line["documents"] for line in small),
        "bytes": sum(line["bytes"] for line in small),
    }
    last = max(index for index, line in enumerate(lines) if line["stage"] == "filter")
    head = [line for line in lines[: last + 1] if not any(line is other for other in small)]
    return [*head, folded, *lines[last + 1 :]]


def signals_by_filter(signals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Signals grouped by filter, with the filter's thresholds once and each signal's median (the edges of its bin)."""
    groups = []
    for name, members in groupby(signals, key=lambda signal: signal["filter"]):
        found = list(members)
        thresholds = {key: value for signal in found for key, value in signal["thresholds"].items()}
        lines = [{**s, "scored": sum(s["counts"]), "median": _median_bin(s["edges"], s["counts"])} for s in found]
        groups.append({"filter": name, "thresholds": thresholds, "signals": lines})
    return groups


def _median_bin(edges: list[float], counts: list[int]) -> tuple[float, float] | None:
    half, passed = sum(counts) / 2, 0
    for index, n in enumerate(counts):
        passed += n
        if n and passed >= half:
            return edges[index], edges[index + 1]
    return None


def pace(metrics: dict[str, Any]) -> float | None:
    """MB/s of the run by the clock, over the bytes read."""
    wall = metrics["cost"]["wall_s"]
    return metrics["totals"]["bytes_read"] / 1e6 / wall if wall else None
