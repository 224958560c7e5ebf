"""Loss against compute of every arm on one held-out set, as a chart of the page. Arms differ in colour and in line."""

from __future__ import annotations

import math

from markupsafe import Markup

from pipeline.records.savings_json import SetLine
from pipeline.report.page import svg
from pipeline.report.page.charts import round_numbers
from pipeline.text import numbers
from pipeline.text.visible import visible

_LINES: tuple[tuple[float, ...], ...] = ((), (4, 1.5), (1, 1), (6, 1.5, 1, 1.5))
_ARM_COLOURS = (svg.QUIET, svg.KEPT, svg.LOST, svg.INK)
"""The baseline's first. Twelve arms differ in the pair of colour and line."""


UNITS = {"FLOPs": "training compute, FLOPs", "bytes": "text read, bytes"}


def picture(held: SetLine, *, baseline: str, unit: str, size: tuple[float, float] = svg.LARGE) -> Markup:
    """A set's curves with bands of one standard deviation; dotted: the baseline's last loss. `unit`: of compute."""
    arms = sorted(((arm, curve) for arm, curve in held.curves.items() if curve), key=lambda item: item[0] != baseline)

    def draw(axes: svg.Axes) -> None:
        places = [math.log10(compute) for _, curve in arms for compute, _, _ in curve]
        low, high = min(places), max(places)
        edges = [bits + side * sd for _, curve in arms for _, bits, sd in curve for side in (-1, 1)]
        room = 0.05 * (max(edges) - min(edges) or 1)
        axes.limits((low - 0.03, high + 0.03), (min(edges) - room, max(edges) + room))
        entries = []
        for number, (arm, curve) in enumerate(arms):
            colour, dashes = _ARM_COLOURS[number % 4], _LINES[(number + number // 4) % 4]
            points = [(math.log10(compute), bits, sd) for compute, bits, sd in curve]
            axes.area(
                [*((x, bits - sd) for x, bits, sd in points), *((x, bits + sd) for x, bits, sd in reversed(points))],
                fill=colour,
                opacity=0.2,
            )
            axes.line([(x, bits) for x, bits, _ in points], colour, width=1.6, dashes=dashes)
            entries.append((visible(arm, limit=30), colour, 1.6, dashes))
        goal = arms[0][1][-1][1]
        axes.line([(low, goal), (high, goal)], svg.QUIET, width=0.8, dashes=(1, 2))
        ticks = _ticks(low, high)
        name = UNITS.get(unit, visible(unit, limit=60)) + " (log)"
        axes.across([math.log10(tick) for tick in ticks], [_power(tick) for tick in ticks], name)
        values = round_numbers(min(edges) - room, max(edges) + room)
        axes.upwards(values, [f"{value:.4g}" for value in values], "loss, bits per byte")
        axes.legend(entries)

    return svg.drawn(draw, size)


def _ticks(low: float, high: float) -> list[float]:
    """Powers of ten between two logarithms, at most five; where there are fewer than two, also twice and five times these."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    found = [10.0**k for k in powers if low <= k <= high]
    if len(found) < 2:
        found = [part * 10.0**k for k in powers for part in (1, 2, 5) if low <= math.log10(part * 10.0**k) <= high]
    return found[:: max(1, math.ceil(len(found) / 5))]


def _power(value: float) -> str:
    """`5·10¹²`."""
    exponent = math.floor(math.log10(value) + 1e-9)
    first = round(value / 10.0**exponent)
    return ("" if first == 1 else f"{first}·") + "10" + str(exponent).translate(numbers.SUPERSCRIPTS)
