"""report.html: one self-contained page, rendered from metrics.json, savings.json and samples/.

Invariants: no script, no request to anywhere (a Content-Security-Policy forbids both); every string that reaches the page
is made visible (`visible.visible`, by jinja2's `finalize`) and then escaped, so no template line can forget it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from pipeline.output.manifest import InputRecord
from pipeline.output.reviews import ReviewCounts
from pipeline.records.counts import Counts, FunnelLine, Histogram
from pipeline.records.metrics_json import Metrics
from pipeline.records.samples import Samples
from pipeline.records.savings_json import Savings
from pipeline.report import damage, sentences
from pipeline.report.compute import statement
from pipeline.report.metrics.checks import KEPT_NOTHING
from pipeline.report.page import bytecode, charts, front, steps, tables
from pipeline.report.page import savings as saving
from pipeline.report.refusal import nevertheless
from pipeline.text import numbers, shell
from pipeline.text.visible import visible

MOST_ROWS = 50
"""Rows of a table of sources, languages or signals; chosen because a phone still scrolls it. metrics.json has them all."""

QUOTED = 300
"""Characters of a quoted document; signs for what is hidden in it come on top."""

MOST_LINES = 8
"""Failed checks and notes shown at the top; one a source would push everything else off the screen."""

MOST_PLAN_LINES = 400
"""Lines of the resolved plan; all shipped filters take some 250."""

MOST_CHARTS = 60
"""Signals that are drawn; all shipped filters together have 45. A plugin's may be more: metrics.json has their bins."""

MOST_STEPS = 9
"""Steps of the funnel; chosen so that it fits the first screen. The smallest ones are folded, the reasons' table has all."""

FINAL = "kept, final text"
"""The funnel's last line: it tells bytes alone from the line before, which no bar shows."""

MOST_LEADING = 6
"""Signals whose charts stand unfolded: two rows of a desk's screen."""


Signals = list[tuple[str, list[tuple[Histogram, Markup | None]]]]
"""By filter; None: not drawn."""


@dataclass(frozen=True)
class Pictures:
    """The charts of a page: of the saving, of signals by filter (None: not drawn), of dedup."""

    saving: list[tuple[str, Markup]]
    signals: Signals
    detection: Markup | None
    clusters: Markup | None


def draw(counts: Counts, savings: Savings | None) -> Pictures:
    """The charts: the same whatever the run cost."""
    duplicates = counts.duplicates
    for name in _environment().list_templates(["html"]):
        _environment().get_template(name)  # loaded, or compiled, before the run's costs are counted
    return Pictures(
        saving=saving.pictures(savings) if savings is not None else [],
        signals=drawn(counts.signals),
        detection=None if duplicates is None else charts.detection(duplicates),
        clusters=None if duplicates is None else charts.clusters(duplicates.cluster_sizes),
    )


def render(
    metrics: Metrics,
    savings: Savings | None,
    *,
    samples: Samples | None = None,
    reviews: Sequence[ReviewCounts] = (),
    plan: str = "",
    out: str = "OUT",
    inputs: Sequence[InputRecord] = (),
    pictures: Pictures | None = None,
) -> str:
    """The page. `metrics`: what metrics.json holds; `savings`: what savings.json holds, None before it was measured; `samples`:
    what samples/ holds of the generation, None where it is gone; `reviews`: what people said of its reasons; `plan`: the resolved
    plan as YAML; `out`: the output as its reader finds it; `inputs`: the files that were read; `pictures`: the charts, where
    they are drawn already."""
    pictures = draw(metrics, savings) if pictures is None else pictures
    closing = statement.of(metrics, savings, out=out)
    told, leading = front.telling(metrics, samples), deciding(pictures.signals)
    return (
        _environment()
        .get_template("report.html")
        .render(
            m=metrics,
            savings=savings,
            say=saving,
            sentences=sentences,
            closing=closing,
            verdict=front.verdict(metrics, closing, reviews),
            telling=told,
            steps=list(steps.steps(closing, out=out, example=told[0].sample.source_ref if told else None)),
            out=out,
            inputs=inputs,
            pictures=pictures.saving,
            funnel=[line for line in funnel(metrics) if line.stage != "edit" and line.label != FINAL],
            by_size=tables.by_size(metrics.reasons),
            leading=leading,
            signals=[
                (name, [one for one in members if not any(one[0] is other for other, _ in leading)])
                for name, members in pictures.signals
            ],
            overlap=tables.overlap(metrics.overlap),
            crossed=tables.crossed(metrics.crossed),
            samples=samples,
            sampled=[] if samples is None else tables.with_samples(metrics.reasons, samples),
            beginnings={} if samples is None else {line.source_ref: line.text for line in samples.largest},
            reviewed={review.reason: review for review in reviews},
            detection=pictures.detection,
            clusters=pictures.clusters,
            damaged=sorted(metrics.damaged, key=lambda file: -file.lost_rows),
            damage=damage,
            failed=[check for check in metrics.checks if check.failed],
            kept_nothing=KEPT_NOTHING,
            nevertheless=nevertheless(metrics, look=f"{steps.INSPECT} --output {shell.quoted(out)}"),
            pace=pace(metrics),
            plan=plan.splitlines()[:MOST_PLAN_LINES],
            most=MOST_ROWS,
            most_lines=MOST_LINES,
            most_quoted=front.MOST_TOLD,
        )
    )


@cache
def _environment() -> jinja2.Environment:
    """One for all pages of a process."""
    written = (
        numbers.count,
        numbers.counted,
        numbers.size,
        numbers.short,
        numbers.digits,
        numbers.plain,
        numbers.share,
        numbers.percent,
        numbers.signal,
    )
    more = (numbers.beside, numbers.seconds, numbers.money, numbers.power_of_ten)
    texts = (shown, quoted, inline, breakable, day, tables.figures, tables.compared)
    return environment(Path(__file__).parent, (*written, *more, *texts))


def environment(folder: Path, filters: Sequence[Callable[..., Any]]) -> jinja2.Environment:
    """Templates in which every string is made visible, then escaped. `filters`: what they may call, by its name."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=bytecode.KEPT,
    )
    made.filters |= {function.__name__: function for function in filters}
    return made


def _finalize(value: Any) -> Any:
    """jinja2 escapes what this returns. Markup comes from the template's macros, `breakable` and `svg` only."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def shown(text: str | None) -> str:
    """Text from the input, cut to a length that a table cell bears."""
    return numbers.NONE if text is None else visible(text, limit=120)


def quoted(text: str, limit: int = QUOTED) -> str:
    """The beginning of a document on one line, its line breaks as signs."""
    folded = "\u21b5 ".join(" ".join(line.split(" ")) for line in text.strip().splitlines() if line.strip())
    return visible(folded.replace("\t", " "), limit=limit + limit // 5)


def inline(text: str) -> str:
    """A piece of a document on one line, its line breaks as signs; the white space at its ends stays."""
    return visible(re.sub(r"[ \t]+", " ", re.sub(r"\s*\n\s*", "\u21b5 ", text)))


def day(moment: str) -> str:
    """`2026-12-01 00:38` of an ISO 8601 moment."""
    return visible(moment[:16].replace("T", " "), limit=20)


def breakable(name: str) -> Markup:
    """An identifier that may break after `.` and `_`. With `svg` the only place outside the template that makes Markup."""
    return Markup(str(escape(shown(name))).replace(".", ".<wbr>").replace("_", "_<wbr>"))


@dataclass(frozen=True)
class Step:
    """A line of the funnel with what a bar needs, in percent: `left` is still there, `lost` was taken by this line.

    A line is a `level` (rows read, kept: a state) or a step (what left).
    """

    stage: str
    label: str
    documents: int
    bytes: int
    level: bool
    left: float
    lost: float


def funnel(metrics: Metrics) -> list[Step]:
    """The funnel's lines. Steps that took nothing are left out."""
    read = metrics.totals.read or 1
    lines, left = [], read
    for line in _fold([line for line in metrics.funnel if _is_level(line) or line.documents or line.bytes]):
        level = _is_level(line)
        left = line.documents if level else left + line.documents
        lost = 0 if level else -line.documents
        lines.append(Step(line.stage, line.label, line.documents, line.bytes, level, 100 * left / read, 100 * lost / read))
    return lines


def _is_level(line: FunnelLine) -> bool:
    return line.stage == "kept" or line.label == "rows read"


def _fold(lines: list[FunnelLine]) -> list[FunnelLine]:
    """At most MOST_STEPS steps: the filters' smallest become one line, after the last filter."""
    rules = [line for line in lines if line.stage == "filter"]
    spare = sum(1 for line in lines if not _is_level(line)) - MOST_STEPS
    if spare <= 0 or len(rules) < 2:
        return lines
    small = sorted(rules, key=lambda line: -line.documents)[: min(spare + 1, len(rules))]
    folded = FunnelLine(
        stage="filter",
        label=f"{len(small)} other rules",
        documents=sum(line.documents for line in small),
        bytes=sum(line.bytes for line in small),
    )
    last = max(index for index, line in enumerate(lines) if line.stage == "filter")
    head = [line for line in lines[: last + 1] if not any(line is other for other in small)]
    return [*head, folded, *lines[last + 1 :]]


def drawn(signals: Sequence[Histogram]) -> Signals:
    """Signals by filter, each with its chart; None for one that nothing scored, and beyond MOST_CHARTS in all."""
    groups = []
    left = MOST_CHARTS
    for name, members in groupby(signals, key=lambda signal: signal.filter):
        lines = []
        for signal in members:
            chart = charts.histogram(signal) if left > 0 else None
            left -= chart is not None
            lines.append((signal, chart))
        groups.append((name, lines))
    return groups


def deciding(signals: Signals) -> list[tuple[Histogram, Markup | None]]:
    """Those whose limits the most documents failed, in order of that number."""
    failed = [(max((limit.failed for limit in s.limits), default=0), s, chart) for _, members in signals for s, chart in members]
    ordered = sorted((one for one in failed if one[0] and one[2] is not None), key=lambda one: -one[0])
    return [(s, chart) for _, s, chart in ordered[:MOST_LEADING]]


def pace(metrics: Metrics) -> float | None:
    """MB/s of the run by the clock, over the bytes read; what it waited for kernels is no part of it."""
    wall = metrics.cost.wall_s - metrics.cost.compile_wall_s
    return metrics.totals.bytes_read / 1e6 / wall if wall > 0 else None
