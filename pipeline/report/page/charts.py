"""The charts of the page: a histogram a signal, what dedup finds, how large its clusters are.

Invariant: every axis says what it counts and in what unit, and no meaning hangs on colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from pipeline.records import interval
from pipeline.records.counts import Duplicates, Histogram
from pipeline.report.page.svg import INK, KEPT, LARGE, LOST, QUIET, SMALL, WIDE, Axes, drawn, without_styles
from pipeline.text import numbers
from pipeline.text.visible import visible

_FEW_DOUBLINGS = 32
"""Whole numbers and lengths up to this stand on a linear axis, larger ranges on a logarithmic one."""

_UNITS = {
    "gopher_words": "words",
    "gopher_mean_word_length": "characters a word, mean",
    "gopher_mean_word_length_unmarked": "characters a word, mean, without marks",
    "gopher_symbol_ratio": "symbols a word",
    "gopher_hash_ratio": "hash signs a word",
    "gopher_ellipsis_ratio": "ellipses a word",
    "gopher_bullet_lines": "share of lines",
    "gopher_ellipsis_lines": "share of lines",
    "gopher_alpha_words": "share of words",
    "gopher_stop_words": "stop words",
    "c4_sentences": "sentences",
    "fineweb_punctuated_lines": "share of lines",
    "fineweb_short_lines": "share of lines",
    "fineweb_repeated_lines": "share of characters",
    "fineweb_newlines": "newlines a word",
    "repetition_duplicate_lines": "share of lines",
    "repetition_duplicate_paragraphs": "share of paragraphs",
    "language_second_score": "score, 0 to 1",
    "removed_words": "share of words",
    "language_score": "score, 0 to 1",
    "language_share": "share of the text",
    "quality_score": "score, 0 to 1",
    "toxicity_score": "score, 0 to 1",
    "toxicity_share": "share of windows",
    "adult_score": "score, 0 to 1",
}


def unit_of(signal: str, edges: Sequence[float], *, whole: bool) -> str:
    """What a signal's axis counts."""
    known = _UNITS.get(signal)
    if known is not None:
        return known
    if signal.startswith("repetition_"):
        return "share of characters"
    if whole:
        return "number"
    return "share or score, 0 to 1" if edges and edges[0] >= 0 and edges[-1] <= 1 else "value"


BEYOND = 10
"""How far beyond the largest value a limit that nothing failed is drawn, in such values: further on it is a rule switched off."""


def histogram(signal: Histogram) -> Markup | None:
    """Documents by value, the limits of its rules as dashed lines with the side that drops shaded; None of nothing scored."""
    if not any(signal.counts):
        return None
    edges, counts, logarithmic = bars(signal.edges, signal.counts)
    limits = [limit for limit in signal.limits if limit.failed or abs(limit.value) <= BEYOND * abs(edges[-1])]
    at = math.log10 if logarithmic else float

    def draw(axes: Axes) -> None:
        low, high = _span(edges, [limit.value for limit in limits], logarithmic=logarithmic)
        bottom, top = _limits(axes, (at(low), at(high)), max(counts))
        for limit in limits:
            place = at(max(limit.value, low))
            start, end = (at(low), place) if limit.least else (place, at(high))
            axes.area([(start, bottom), (end, bottom), (end, top), (start, top)], fill=LOST, opacity=0.25)
        _steps(axes, [at(edge) for edge in edges], counts, bottom=bottom)
        for limit in limits:
            place = at(max(limit.value, low))
            _rule(axes, place, bottom, top=top)
            said = f"{'min' if limit.least else 'max'} {_number(limit.value)}{'*' if limit.by_row else ''}"
            _say(axes, said, place, y=top, left=(place - at(low)) / (at(high) - at(low)) > 0.5)
        _documents(axes, max(counts))
        name = visible(unit_of(signal.signal, signal.edges, whole=signal.whole), limit=48)
        if logarithmic:
            ticks = [0.7, *_decades(10, high)] if edges[0] < 1 else _decades(low, high)
            labels = [("0" if signal.whole else "<1") if t == 0.7 else _power(t) for t in ticks]
            axes.across([at(t) for t in ticks], labels, f"{name} (log)")
        else:
            ticks = round_numbers(low, high)
            axes.across(ticks, [_number(t) for t in ticks], name)

    return drawn(draw, SMALL)


BESIDE = 0.4
"""Room left and right of the bars of `decided`, in bars."""


def decided(
    signal: str, edges: Sequence[float], counts: Sequence[int], *, alone: Sequence[int], whole: bool, growing: bool, wide: bool
) -> dict[str, Markup]:
    """Documents by value for a page that draws the threshold itself: with `linear` and with `log` heights.

    Bars are equally wide: bar k stands at k to k + 1, the axis goes from -BESIDE to their number + BESIDE. Outlined: `counts`;
    filled: those of them (`alone`) that the threshold decides alone. `growing`: bins grow by a factor.
    """
    n = len(counts)
    unit = unit_of(signal, edges, whole=whole)
    ticks = sorted({round(k * n / most) for most in [max(1, min(n, 10 if wide else 4))] for k in range(most + 1)})
    size = WIDE if wide else LARGE

    def chart(*, log: bool) -> Markup:
        def height(documents: int) -> float:
            return math.log10(1 + documents) if log else float(documents)

        def draw(axes: Axes) -> None:
            axes.limits((-BESIDE, n + BESIDE), (0, (1 + _ROOM) * height(max(1, *counts))))
            _bars(axes, [height(c) for c in counts], fill="none", edge=QUIET)
            _bars(axes, [height(c) for c in alone], fill=KEPT)
            steps = [0, *(int(power) for power in _decades(1, max(2, *counts)))] if log else round_numbers(0, max(1, *counts))
            whole_steps = [int(step) for step in steps if step == int(step)]
            labels = [_power(step) if step else "0" for step in whole_steps]
            axes.upwards([height(step) for step in whole_steps], labels, "documents (log)" if log else "documents")
            named = f"{visible(signal, limit=40)}: {visible(unit, limit=40)}" if wide else visible(unit, limit=30)
            named += ", bins grow by a factor" if growing and wide else ""
            axes.across(ticks, [_number(math.ceil(edges[k]) if whole else edges[k]) for k in ticks], named)

        return without_styles(drawn(draw, size))

    return {"linear": chart(log=False), "log": chart(log=True)}


def _bars(axes: Axes, heights: Sequence[float], *, fill: str, edge: str = "") -> None:
    """Bars from 0, all in one path."""
    shapes = [[(k + 0.04, 0.0), (k + 0.04, h), (k + 0.96, h), (k + 0.96, 0.0)] for k, h in enumerate(heights) if h]
    if shapes:
        axes.area(*shapes, fill=fill, edge=edge)


def _steps(axes: Axes, edges: Sequence[float], counts: Sequence[int], *, bottom: float) -> None:
    """Bars side by side as one shape; heights are logarithms, 0 has none."""
    points = [(edges[0], bottom)]
    for (low, high), n in zip(pairwise(edges), counts, strict=True):
        height = math.log10(n) if n else bottom
        points += [(low, height), (high, height)]
    axes.area([*points, (edges[-1], bottom)], fill=KEPT)


def _rule(axes: Axes, at: float, bottom: float, *, top: float) -> None:
    axes.line([(at, bottom), (at, top)], INK, dashes=(3, 2))


def _say(axes: Axes, said: str, x: float, *, y: float, left: bool) -> None:
    axes.say(said, (x, y), offset=(-3 if left else 3, 1), anchor="end" if left else "start", hangs=True)


def round_numbers(low: float, high: float) -> list[float]:
    """Four to eight round numbers."""
    step = 10.0 ** math.floor(math.log10(high - low))
    step = next(step * part for part in (0.2, 0.25, 0.5, 1, 2) if (high - low) / (step * part) <= 6)
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


_ROOM = 0.22
"""Headroom above the highest bar, as a share of its height: the limits' names stand there."""


def bars(edges: Sequence[float], counts: Sequence[int]) -> tuple[list[float], list[int], bool]:
    """`(edges, counts, logarithmic)` to draw: on a logarithmic axis bins become half a doubling wide, and all below 1 is one."""
    if edges[0] < 0 or edges[-1] <= _FEW_DOUBLINGS:
        return list(edges), list(counts), False
    wanted = [0.0] + [float(2**k * part) for k in range(25) for part in ((1,) if k == 0 else (1, 1.5))]
    made: dict[float, int] = {}
    for low, n in zip(edges, counts, strict=False):
        start = max(e for e in wanted if e <= low)
        made[start] = made.get(start, 0) + n
    starts = [e for e in wanted if min(made) <= e <= max(made)]
    ends = [*starts[1:], next((e for e in wanted if e > starts[-1]), 2 * starts[-1])]
    return [max(0.5, e) for e in [*starts, ends[-1]]], [made.get(e, 0) for e in starts], True


def _span(edges: Sequence[float], limits: Sequence[float], *, logarithmic: bool) -> tuple[float, float]:
    low, high = min([edges[0], *limits]), max([edges[-1], *limits])
    if low < edges[0]:  # so that the side below a least value is there to be seen
        low = low / 2 if logarithmic else max(0.0 if low >= 0 else -math.inf, low - 0.08 * (high - low))
    if logarithmic:
        return max(0.5, low), high * 1.3
    return (low, high + 0.04 * (high - low or 1)) if low >= 0 else (low - 0.04 * (high - low), high + 0.04 * (high - low))


def _number(value: float) -> str:
    return numbers.short(value) if value >= 1000 else f"{value:.4g}".replace("-", "−")


def _power(value: float) -> str:
    """A power of ten without decimals: `10 k`."""
    return numbers.short(value).replace(".00", "").replace(".0", "")


def _decades(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    step = max(1, math.ceil((last - first + 1) / 5))
    return [10.0**k for k in range(first, last + 1, step)]


def _limits(axes: Axes, x: tuple[float, float], most: int) -> tuple[float, float]:
    """A logarithmic axis of documents; `(bottom, top)`. One document has a height, none has none."""
    height = math.log10(max(2, most))
    bottom = -0.12 * (height + 0.3)
    top = height + _ROOM * (height - bottom)
    axes.limits(x, (bottom, top))
    return bottom, top


def _documents(axes: Axes, most: int, name: str = "documents (log)") -> None:
    """Its powers of ten."""
    ticks = _decades(1, max(2, most))
    axes.upwards([math.log10(t) for t in ticks], [_power(t) for t in ticks], name)


def detection(duplicates: Duplicates) -> Markup:
    """Share of pairs found by their similarity: computed as a line, planted copies of this run as points with 95 % intervals."""
    curve = [(s, 100 * p) for s, p in duplicates.detection]
    threshold = duplicates.threshold

    def draw(axes: Axes) -> None:
        axes.limits((min(s for s, _ in curve), 1.01), (-6, 112))
        _rule(axes, threshold, -6, top=112)
        _say(axes, f"threshold {threshold:g}", threshold, y=12, left=threshold > 0.7)
        axes.line(curve, KEPT, width=1.8)
        for similarity, planted, found, _ in duplicates.measured:
            hit = interval.share(found, planted)
            axes.line([(similarity, 100 * hit.low), (similarity, 100 * hit.high)], INK)
            axes.dot((similarity, 100 * hit.value), INK)
        ticks = [t / 10 for t in range(5, 11)]
        axes.across(ticks, [f"{t:g}" for t in ticks], "similarity of the pair, Jaccard, 0 to 1")
        axes.upwards([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"], "pairs found, %")

    return drawn(draw, LARGE)


def clusters(sizes: Sequence[Sequence[int]]) -> Markup | None:
    """Kept documents by how many documents each stands for, in doublings."""
    groups: dict[int, int] = {}
    for size, n in sizes:
        group = max(0, (size - 1).bit_length())
        groups[group] = groups.get(group, 0) + n
    if not groups:
        return None
    last = max(groups)
    counts = [groups.get(k, 0) for k in range(last + 1)]

    def draw(axes: Axes) -> None:
        bottom, _ = _limits(axes, (-0.6, last + 0.6), max(counts))
        for k, n in enumerate(counts):
            _steps(axes, [k - 0.46, k + 0.46], [n], bottom=bottom)
            if n and last < 9:
                axes.say(numbers.short(n), (k, math.log10(n)), offset=(0, -2), anchor="middle")
        _documents(axes, max(counts), "kept documents (log)")
        shown = range(0, last + 1, 1 if last < 7 else 2 if last < 14 else 3)
        axes.across(list(shown), [_sizes(k) for k in shown], "documents in its cluster, itself included")

    return drawn(draw, LARGE)


def _sizes(k: int) -> str:
    low, high = 2 ** (k - 1) + 1 if k else 1, 2**k
    return numbers.short(high) if low >= high else f"≤{numbers.short(high)}"
