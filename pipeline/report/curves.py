"""Loss against compute of every arm on one held-out set, as an SVG in a data URI.

An image cannot run anything and fetches nothing.
"""

from __future__ import annotations

import base64
import io
from typing import Any

from pipeline.report.harmless import visible

_COLOURS = ("#8a8f86", "#2f7a53", "#d98e2b", "#3d6fb4", "#8a4fa3", "#b3261e")
_SIZE = (4.6, 2.9)
"""Inches; two stand side by side on the page."""


def picture(held: dict[str, Any], *, axis: str) -> str:
    """`data:image/svg+xml;base64,…` of a set's curves with bands of one standard deviation."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "winnow", "font.size": 8, "text.parse_math": False}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for number, (arm, curve) in enumerate(sorted(held["curves"].items(), key=lambda item: item[0] != held["baseline"])):
            compute, bits, sd = (list(column) for column in zip(*curve, strict=True))
            colour = _COLOURS[number % len(_COLOURS)]
            axes.plot(compute, bits, color=colour, marker=".", markersize=4, linewidth=1.2, label=visible(arm, limit=30))
            low, high = [b - s for b, s in zip(bits, sd, strict=True)], [b + s for b, s in zip(bits, sd, strict=True)]
            axes.fill_between(compute, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.set_xscale("log")
        axes.set_xlabel(visible(axis, limit=60))
        axes.set_ylabel("bits per byte")
        axes.axhline(held["curves"][held["baseline"]][-1][1], color=_COLOURS[0], linewidth=0.6, linestyle=":")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        made = io.BytesIO()
        figure.savefig(made, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(made.getvalue()).decode("ascii")
