"""Drawing for the page: axes, areas, lines and text as SVG that stands in the page and takes its colours.

Same metrics, same bytes: no dates, no ids, coordinates in tenths of a point. Colours are the page's variables, so that one chart
serves light and dark. Nothing from outside is markup: text is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from pipeline.text.visible import visible

INK, QUIET, KEPT, LOST = "var(--ink)", "var(--quiet)", "var(--kept)", "var(--lost)"

SMALL = (3.4, 1.75)
LARGE = (3.6, 2.2)
WIDE = (9.0, 2.2)
README = (4.6, 2.6)
"""Inches of a chart: at 9 points the text is 11 to 12 pixels high where a chart is as wide as a phone, and WIDE as a desk; of a
picture for a README, 10 on a phone and 21 on a desk."""
_LEFT, _BOTTOM, _TO = 0.56, 0.46, 0.985  # of the axes: inches from the left and the bottom; share of the figure where they end
_FONT = 9.0
_DIGIT, _MIDDLE, _CAPITAL = 6.6, 3.3, 6.8  # of the font, in points: height of a digit, half of it, from the baseline to the top
_PAD, _LABEL = 3.0, 12.0  # between the axes and the numbers beside them; from their baseline to that of the axis's name
_WIDTH = 5.6  # of a character on average, in points

Point = tuple[float, float]


@dataclass
class Axes:
    """A chart that is drawn on, in the units of its data. What is drawn first lies under what comes later."""

    size: tuple[float, float]
    _parts: list[str] = field(default_factory=list)
    _around: list[str] = field(default_factory=list)
    _x: tuple[float, float] = (0.0, 1.0)
    _y: tuple[float, float] = (0.0, 1.0)

    def limits(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        """What the axes go from and to. Before anything is drawn."""
        self._x, self._y = x, y

    def _at(self, point: Point) -> Point:
        left, top, right, bottom = frame(self.size)
        (x0, x1), (y0, y1) = self._x, self._y
        return left + (point[0] - x0) / (x1 - x0) * (right - left), bottom - (point[1] - y0) / (y1 - y0) * (bottom - top)

    def area(self, *shapes: Sequence[Point], fill: str, opacity: float = 1.0, edge: str = "") -> None:
        """Closed shapes, in one path."""
        path = "".join(f"{self._path(shape)}z" for shape in shapes)
        style = (
            f"fill:{fill}"
            + (f";opacity:{opacity:g}" if opacity < 1 else "")
            + (f";stroke:{edge};stroke-width:0.7" if edge else "")
        )
        self._parts.append(f'<path d="{path}" style="{style}"/>')

    def line(self, points: Sequence[Point], colour: str, *, width: float = 1.0, dashes: Sequence[float] = ()) -> None:
        """`dashes`: lengths of what is drawn and what is left out, in widths of the line."""
        style = f"fill:none;stroke:{colour};stroke-width:{width:g}"
        style += f";stroke-dasharray:{','.join(_tenths(part * width) for part in dashes)}" if dashes else ""
        self._parts.append(f'<path d="{self._path(points)}" style="{style}"/>')

    def dot(self, point: Point, colour: str) -> None:
        x, y = self._at(point)
        self._parts.append(f'<path d="M{_tenths(x - 2)} {_tenths(y)}a2 2 0 1 0 4 0a2 2 0 1 0 -4 0z" style="fill:{colour}"/>')

    def say(self, text: str, point: Point, *, offset: Point = (0.0, 0.0), anchor: str = "start", hangs: bool = False) -> None:
        """`offset`: points to the right and down; `hangs`: the text's top is there, not its baseline."""
        x, y = self._at(point)
        self._text(text, x + offset[0], y + offset[1] + (_CAPITAL if hangs else 0), colour=INK, anchor=anchor)

    def across(self, places: Iterable[float], labels: Iterable[str], name: str) -> None:
        """Numbers below the axes, and what they count."""
        left, _, right, bottom = frame(self.size)
        baseline = bottom + _PAD + _DIGIT
        for place, label in zip(places, labels, strict=True):
            self._text(label, self._at((place, self._y[0]))[0], baseline, colour=QUIET, anchor="middle")
        self._text(name, (left + right) / 2, baseline + _LABEL, colour=QUIET, anchor="middle")

    def upwards(self, places: Iterable[float], labels: Iterable[str], name: str) -> None:
        """Numbers left of the axes, and what they count."""
        left, top, _, bottom = frame(self.size)
        longest = 0
        for place, label in zip(places, labels, strict=True):
            self._text(label, left - _PAD, self._at((self._x[0], place))[1] + _MIDDLE, colour=QUIET, anchor="end")
            longest = max(longest, len(label))
        x, y = max(_FONT, left - _PAD - longest * _WIDTH - 5), (top + bottom) / 2
        self._text(name, x, y, colour=QUIET, anchor="middle", more=f' transform="rotate(-90 {_tenths(x)} {_tenths(y)})"')

    def legend(self, entries: Sequence[tuple[str, str, float, Sequence[float]]]) -> None:
        """Lines with their names, at the top on the right: name, colour, width, dashes."""
        _, top, right, _ = frame(self.size)
        x = right - max(len(name) for name, *_ in entries) * _WIDTH - 30
        for k, (name, colour, width, dashes) in enumerate(entries):
            y = top + 8 + 12 * k
            style = f"fill:none;stroke:{colour};stroke-width:{width:g}"
            style += f";stroke-dasharray:{','.join(_tenths(part * width) for part in dashes)}" if dashes else ""
            self._parts.append(f'<path d="M{_tenths(x)} {_tenths(y)}h18" style="{style}"/>')
            self._text(name, x + 24, y + _MIDDLE, colour=INK, anchor="start", into=self._parts)

    def _text(
        self, text: str, x: float, y: float, *, colour: str, anchor: str, more: str = "", into: list[str] | None = None
    ) -> None:
        style = f"fill:{colour};text-anchor:{anchor};font-size:{_FONT:g}px"
        made = f'<text x="{_tenths(x)}" y="{_tenths(y)}" style="{style}"{more}>{escape(text)}</text>'
        (self._around if into is None else into).append(made)

    def _path(self, points: Sequence[Point]) -> str:
        return "M" + "L".join(f"{_tenths(x)} {_tenths(y)}" for x, y in map(self._at, points))

    @property
    def svg(self) -> Markup:
        width, height = (72 * inches for inches in self.size)
        left, top, right, bottom = (_tenths(edge) for edge in frame(self.size))
        edges = f'<path d="M{left} {top}L{left} {bottom}L{right} {bottom}" style="fill:none;stroke:{QUIET};stroke-width:0.8"/>'
        inside = "".join([*self._parts, edges, *self._around])
        box = f"0 0 {_tenths(width)} {_tenths(height)}"
        return Markup(f'<svg class="chart" viewBox="{box}" aria-hidden="true" focusable="false">{inside}</svg>')


def _tenths(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def frame(size: tuple[float, float]) -> tuple[float, float, float, float]:
    """Where the axes lie in a chart of this size, in the units of its viewBox (points): left, top, right, bottom."""
    width, height = (72 * inches for inches in size)
    return 72 * _LEFT, (1 - _TO) * height, _TO * width, height - 72 * _BOTTOM


def drawn(draw: Callable[[Axes], None], size: tuple[float, float]) -> Markup:
    """What `draw` puts on axes of this size."""
    axes = Axes(size)
    draw(axes)
    return axes.svg


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
