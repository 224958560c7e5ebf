"""What the page's larger tables show, from metrics.json and samples/: overlap of rules, languages by source, examples.

Invariant: each table is bounded, and what is left out is counted on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.records.counts import Cluster, Crossed, Overlap, ReasonLine, Unreadable
from pipeline.records.samples import Sample, Samples
from pipeline.text import numbers

MOST_RULES = 20
"""Rules of the overlap table: those that failed the most documents."""
MOST_PAIRS = 30
"""Lines of languages by source."""
MOST_COLUMNS = 7
"""Reasons with a column there; the rest are summed."""


@dataclass(frozen=True)
class Rule:
    """A row of the overlap: each cell `(documents, share of this rule's)`, None where the rule meets itself."""

    reason: str
    any: int
    cells: tuple[tuple[int, float] | None, ...]


@dataclass(frozen=True)
class OverlapTable:
    """The rules that failed the most documents; `left`: how many more there are."""

    rows: tuple[Rule, ...]
    left: int


def overlap(found: Overlap) -> OverlapTable:
    """The matrix of rules that failed the same documents."""
    names, counts = found.reasons, found.counts
    order = sorted((i for i in range(len(names)) if counts[i][i]), key=lambda i: (-counts[i][i], i))
    chosen = sorted(order[:MOST_RULES])
    rows = [
        Rule(
            reason=names[i],
            any=counts[i][i],
            cells=tuple(None if i == j else (counts[i][j], counts[i][j] / counts[i][i]) for j in chosen),
        )
        for i in chosen
    ]
    return OverlapTable(tuple(rows), len(order) - len(chosen))


@dataclass(frozen=True)
class Pair:
    """Documents of a language in a source; `cells`: of each reason and of all others, with their share of the line."""

    language: str
    source: str
    documents: int
    kept: int
    cells: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class CrossedTable:
    """The largest pairs of language and source by the largest reasons; `left`: how many more pairs there are."""

    reasons: tuple[str, ...]
    lines: tuple[Pair, ...]
    left: int


def crossed(found: Crossed) -> CrossedTable:
    """A line for each language and source: documents, kept, and the largest reasons' documents with their share of the line."""
    documents: Counter[tuple[str, str]] = Counter()
    by_reason: dict[tuple[str, str], Counter[str | None]] = {}
    for cell in found.cells:
        pair = (cell.language, cell.source)
        documents[pair] += cell.documents
        by_reason.setdefault(pair, Counter())[cell.reason] += cell.documents
    columns = found.reasons[:MOST_COLUMNS]
    pairs = sorted(documents, key=lambda pair: (-documents[pair], pair))
    lines = []
    for pair in pairs[:MOST_PAIRS]:
        own, n = by_reason[pair], documents[pair]
        cells = [own[reason] for reason in columns]
        cells.append(n - own[None] - sum(cells))
        lines.append(Pair(pair[0], pair[1], n, own[None], tuple((count, count / n) for count in cells)))
    return CrossedTable(columns, tuple(lines), len(pairs) - len(lines))


@dataclass(frozen=True)
class Shown:
    """A row that is quoted; `said`: its numbers in words."""

    source_ref: str
    signal: str | None
    other: str | None
    failed: tuple[str, ...]
    survivor: str | None
    text: str | None
    said: str


@dataclass(frozen=True)
class Reason:
    """A reason with documents that it dropped, and kept ones next to its limit."""

    reason: str
    stage: str
    first: int
    any: int
    dropped: tuple[Shown, ...]
    near: tuple[Shown, ...]


def samples(reasons: Sequence[ReasonLine], found: Samples) -> list[Reason]:
    """By reason, those that dropped the most first: dropped documents, and kept ones next to the limit."""
    lines = []
    for line in sorted(reasons, key=lambda line: (-line.first, -line.any)):
        dropped, near = found.dropped.get(line.reason, ()), found.near.get(line.reason, ())
        if dropped or (near and line.any):
            quoted = [tuple(_shown(sample) for sample in part) for part in (dropped, near)]
            lines.append(Reason(line.reason, line.stage, line.first, line.any, *quoted))
    return lines


def _shown(sample: Sample) -> Shown:
    value, limit = sample.value, sample.limit
    if sample.signal is not None and value is not None:
        low = limit is not None and value < limit
        sign = "=" if value == limit else "<" if low else ">"
        said = f"{_digits(value)} {sign} {_digits(limit)}"
    else:
        said = f"similarity {_digits(value)}" if sample.other is not None and value is not None else ""
    return Shown(sample.source_ref, sample.signal, sample.other, sample.failed, sample.survivor, sample.text, said)


def _digits(value: float | None) -> str:
    """Five digits: values of a near miss differ from the limit in the last ones."""
    return numbers.signal(value, figures=5)


@dataclass(frozen=True)
class Cause:
    """Why rows could not be read, how many, and the places of some."""

    cause: str
    rows: int
    bytes: int
    places: tuple[Sample, ...]


def quarantine(causes: Sequence[Unreadable], found: Samples | None) -> list[Cause]:
    """Causes with the places of some of their rows."""
    places = {} if found is None else found.quarantine
    return [Cause(one.cause, one.rows, one.bytes, places.get(one.cause, ())) for one in causes]


@dataclass(frozen=True)
class Survivor:
    """A large cluster's kept document, and how its text begins; None where that is not known."""

    id: str
    source_ref: str
    size: int
    text: str | None


def largest(clusters: Sequence[Cluster], found: Samples | None) -> list[Survivor]:
    """The largest clusters with the beginning of the survivor's text."""
    texts = {} if found is None else {line.source_ref: line.text for line in found.largest}
    return [Survivor(one.id, one.source_ref, one.size, texts.get(one.source_ref)) for one in clusters]
