"""What the page's larger tables show, from metrics.json and samples/: overlap of rules, languages by source, examples.

Invariant: each table is bounded, and what is left out is counted on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.records.counts import Crossed, Overlap, ReasonLine
from pipeline.records.samples import Sample, Samples
from pipeline.text import diff, numbers

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


MOST_REASONS = 15
"""Reasons in the table itself; the smaller ones are folded below it, so that the page keeps its order of sizes in sight."""


def by_size(reasons: Sequence[ReasonLine]) -> tuple[list[ReasonLine], list[ReasonLine]]:
    """The reasons that dropped the most, and the others: fewer, or none first."""
    ordered = sorted(reasons, key=lambda line: (-line.first, -line.any, line.reason))
    shown = [line for line in ordered[:MOST_REASONS] if line.first]
    return shown, ordered[len(shown) :]


def with_samples(reasons: Sequence[ReasonLine], found: Samples) -> list[ReasonLine]:
    """Reasons of which there are dropped documents, or kept ones next to the limit; those that dropped the most first."""
    ordered = sorted(reasons, key=lambda line: (-line.first, -line.any))
    return [line for line in ordered if found.dropped.get(line.reason) or (found.near.get(line.reason) and line.any)]


def similarity(value: float | None) -> str:
    """Two digits; what is not 1 is never shown as 1."""
    if value is None:
        return numbers.NONE
    return f"{value:.2f}" if value == 1 or value < 0.995 else numbers.apart(value, 1.0)[0]


def figures(sample: Sample) -> str:
    """A quoted row's value beside its limit, with as many digits as tell them apart; or its similarity."""
    if sample.value is None:
        return ""
    if sample.signal is None:
        return f"similarity {similarity(sample.value)}" if sample.other is not None else ""
    if sample.limit is None:
        return numbers.digits(sample.value)
    sign = "=" if sample.value == sample.limit else "<" if sample.value < sample.limit else ">"
    value, limit = numbers.apart(sample.value, sample.limit)
    return f"{value} {sign} {limit}"


@dataclass(frozen=True)
class Piece:
    """Text of one of two documents; `own`: the other has something else there."""

    text: str
    own: bool


def compared(sample: Sample, *, survivor: bool = False, limit: int | None = None) -> tuple[Piece, ...]:
    """What is quoted of a duplicate, or of its survivor, what only this one has set apart; at most about `limit` characters."""
    if sample.text is None or sample.survivor is None:
        return ()
    pieces = []
    left = limit
    runs = list(diff.side_by_side(sample.text, sample.survivor).runs)
    if runs and not runs[-1].same and sample.text.endswith("…") and sample.survivor.endswith("…"):
        runs.pop()  # where the quotes end, not where the texts differ
    for number, run in enumerate(runs):
        text = run.right if survivor else run.left
        if left is not None:
            if not number and run.same and len(text) > left // 2:
                text = f"…{text[-left // 2 :]}"
            text, left = text[:left], left - len(text)
        if text.strip():
            pieces.append(Piece(text, not run.same))
        if left is not None and left <= 0:
            return (*pieces, Piece("…", False))
    return tuple(pieces)
