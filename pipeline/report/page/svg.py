"""Drawing for the page: what matplotlib draws, as SVG that stands in the page and takes its colours.

Only groups, paths and text of matplotlib's SVG pass, with the attributes of `_PASSED`: no ids, links, styles or scripts.
Same metrics, same bytes: no dates, no ids, coordinates in tenths of a point. Drawing colours are placeholders that `_COLOURS`
turns into the page's variables, so that one chart serves light and dark.
"""

from __future__ import annotations

import io
import logging
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup, escape

from pipeline.text.visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of a home without room for its cache, which a chart needs not

INK, QUIET, KEPT, LOST = "#010101", "#020202", "#030303", "#040404"
_COLOURS = {INK: "var(--ink)", QUIET: "var(--quiet)", KEPT: "var(--kept)", LOST: "var(--lost)"}
_PASSED = {"path": ("d", "style"), "text": ("x", "y", "style", "transform"), "g": ()}
_STYLES = (
    "fill",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "opacity",
    "fill-opacity",
    "stroke-opacity",
    "text-anchor",
    "font-size",
)
_SVG = "{http://www.w3.org/2000/svg}"

SMALL = (3.4, 1.75)
LARGE = (3.6, 2.2)
WIDE = (9.0, 2.2)
README = (4.6, 2.6)
"""Inches of a chart: at 9 points the text is 11 to 12 pixels high where a chart is as wide as a phone, and WIDE as a desk; of a
picture for a README, 10 on a phone and 21 on a desk."""
_LEFT, _BOTTOM, _TO = 0.56, 0.46, 0.985  # of the axes: inches from the left and the bottom; share of the figure where they end


class Sheets:
    """Axes that charts are drawn on, one after the other: making axes takes longer than drawing."""

    def __init__(self) -> None:
        self._made: dict[tuple[float, float], Axes] = {}

    def axes(self, size: tuple[float, float]) -> Axes:
        if size not in self._made:
            self._made[size] = _axes(size)
        return self._made[size]


_one_at_a_time = threading.Lock()
"""Settings of a style are matplotlib's own, of the whole process; the page of `inspect browse` draws on several threads."""


def _axes(size: tuple[float, float]) -> Axes:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with _one_at_a_time, rc_context(_STYLE):
        figure = Figure(figsize=size)
        FigureCanvasSVG(figure)
        left, bottom = _LEFT / size[0], _BOTTOM / size[1]
        axes = figure.add_axes((left, bottom, _TO - left, _TO - bottom))
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(QUIET)
        axes.tick_params(which="both", length=0, colors=QUIET, pad=3)
        axes.xaxis.label.set_color(QUIET)
        axes.yaxis.label.set_color(QUIET)
    return axes


_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "winnow", "font.size": 9.0, "text.parse_math": False}


def frame(size: tuple[float, float]) -> tuple[float, float, float, float]:
    """Where the axes lie in a chart of this size, in the units of its viewBox (points): left, top, right, bottom."""
    width, height = (72 * inches for inches in size)
    return 72 * _LEFT, (1 - _TO) * height, _TO * width, height - 72 * _BOTTOM


def without_styles(svg: Markup) -> Markup:
    """The same chart for a page whose policy refuses inline styles: they become presentation attributes."""

    def attributes(found: re.Match[str]) -> str:
        return "".join(f' {name}="{value}"' for name, value in (part.split(":", 1) for part in found[1].split(";") if part))

    return Markup(re.sub(r' style="([^"]*)"', attributes, svg))


def standalone(chart: Markup, *, title: str) -> str:
    """The same chart as a file of its own, with its ground, in the page's colours, light and dark as the reader's screen is."""
    found = re.match(r'<svg [^>]*viewBox="([^"]*)"[^>]*>(.*)</svg>$', chart, re.DOTALL)
    assert found is not None
    colours = {scheme: ";".join(f"--{name}:{value}" for name, value in given.items()) for scheme, given in PAGE.items()}
    style = f"svg{{{colours['light']};font-family:system-ui,sans-serif}}"
    style += f"@media(prefers-color-scheme:dark){{svg{{{colours['dark']}}}}}"
    ground = '<rect width="100%" height="100%" rx="6" fill="var(--sheet)"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{found[1]}" role="img">'
    return f"{head}<title>{escape(visible(title))}</title><style>{style}</style>{ground}{found[2]}</svg>\n"


PAGE = {
    "light": {"sheet": "#fff", "ink": "#1d1f1c", "quiet": "#62665d", "kept": "#2f7a53", "lost": "#d98e2b"},
    "dark": {"sheet": "#1c1f1b", "ink": "#e9e8e2", "quiet": "#a3a79c", "kept": "#5fb98a", "lost": "#e0a04a"},
}
"""The page's colours, as `report.html` has them."""


def drawn(draw: Callable[[Axes], None], sheets: Sheets, size: tuple[float, float]) -> Markup:
    """What `draw` puts on axes of this size; they are left empty."""
    from matplotlib import rc_context

    axes = sheets.axes(size)
    with _one_at_a_time, rc_context(_STYLE):
        draw(axes)
        made = io.BytesIO()
        figure = axes.get_figure(root=True)
        assert figure is not None
        figure.savefig(made, format="svg", metadata={"Date": None, "Creator": None})
    for artist in [*axes.patches, *axes.lines, *axes.texts]:
        artist.remove()
    if (legend := axes.get_legend()) is not None:
        legend.remove()
    return _inline(made.getvalue())


def _inline(svg: bytes) -> Markup:
    """The SVG as markup that may stand in the page."""
    root = ElementTree.fromstring(svg)
    box = re.sub(r"[^0-9. ]", "", root.attrib["viewBox"])
    return Markup(f'<svg class="chart" viewBox="{box}" aria-hidden="true" focusable="false">{_content(root)}</svg>')


def _content(element: ElementTree.Element) -> str:
    parts = []
    for child in element:
        tag = child.tag.removeprefix(_SVG)
        if tag not in _PASSED:
            continue
        if tag == "g":
            parts.append(_content(child))
            continue
        attributes = {name: child.attrib[name] for name in _PASSED[tag] if name in child.attrib}
        attributes["style"] = _style(attributes.get("style", ""))
        if tag == "path" and (attributes["style"].startswith("fill:#ffffff") or not attributes["style"]):
            continue  # the grounds of figure and axes
        if "d" in attributes:
            attributes["d"] = " ".join(attributes["d"].split())
        written = "".join(
            f' {name}="{escape(_rounded(value) if name != "style" else value)}"' for name, value in attributes.items()
        )
        parts.append(f"<{tag}{written}>{escape(child.text or '') if tag == 'text' else ''}</{tag}>")
    return "".join(parts)


def _style(style: str) -> str:
    found = dict(part.split(":", 1) for part in style.split(";") if ":" in part)
    found = {name.strip(): value.strip() for name, value in found.items()}
    if "font" in found and "font-size" not in found:
        found["font-size"] = found["font"].split("px")[0].split()[-1] + "px"
    kept = ((name, _COLOURS.get(found[name], found[name])) for name in _STYLES if name in found)
    return ";".join(f"{name}:{value}" for name, value in kept)


def _rounded(text: str) -> str:
    return re.sub(r"-?\d+\.\d+", lambda m: f"{float(m.group()):.1f}".removesuffix(".0"), text)
