"""What the page's larger tables show, from metrics.json and samples/: overlap of rules, languages by source, examples.

Invariant: each table is bounded, and what is left out is counted on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipeline.output.reviews import Reviewed
from pipeline.report import numbers

MOST_RULES = 20
"""Rules of the overlap table: those that failed the most documents."""
MOST_PAIRS = 30
"""Lines of languages by source."""
MOST_COLUMNS = 7
"""Reasons with a column there; the rest are summed."""


def right(review: Reviewed) -> dict[str, Any]:
    """Share that was right, how many were looked at, and the interval in words."""
    return {"share": review.precision, "n": review.right + review.wrong, "low": review.low, "high": review.high}


def overlap(found: dict[str, Any]) -> dict[str, Any]:
    """Rows of the matrix: each cell `(documents, share of the row's rule)`, None where no document can have failed both."""
    names, counts = found["reasons"], found["counts"]
    order = sorted((i for i in range(len(names)) if counts[i][i]), key=lambda i: (-counts[i][i], i))
    chosen = sorted(order[:MOST_RULES])
    rows = [
        {
            "reason": names[i],
            "any": counts[i][i],
            "cells": [None if i == j else (counts[i][j], counts[i][j] / counts[i][i]) for j in chosen],
        }
        for i in chosen
    ]
    return {"rows": rows, "left": len(order) - len(chosen)}


def crossed(found: dict[str, Any]) -> dict[str, Any]:
    """A line for each language and source: documents, kept, and the largest reasons' documents with their share of the line."""
    documents: Counter[tuple[str, str]] = Counter()
    by_reason: dict[tuple[str, str], Counter[str | None]] = {}
    for cell in found["cells"]:
        pair = (cell["language"], cell["source"])
        documents[pair] += cell["documents"]
        by_reason.setdefault(pair, Counter())[cell["reason"]] += cell["documents"]
    columns = found["reasons"][:MOST_COLUMNS]
    pairs = sorted(documents, key=lambda pair: (-documents[pair], pair))
    lines = []
    for pair in pairs[:MOST_PAIRS]:
        own, n = by_reason[pair], documents[pair]
        cells = [own[reason] for reason in columns]
        cells.append(n - own[None] - sum(cells))
        lines.append(
            {
                "language": pair[0],
                "source": pair[1],
                "documents": n,
                "kept": own[None],
                "cells": [(count, count / n) for count in cells],
            }
        )
    return {"reasons": columns, "lines": lines, "left": len(pairs) - len(lines)}


def samples(reasons: Sequence[dict[str, Any]], found: dict[str, Any]) -> list[dict[str, Any]]:
    """By reason, those that dropped the most first: dropped documents, and kept ones next to the limit."""
    lines = []
    for line in sorted(reasons, key=lambda line: (-line["first"], -line["any"])):
        dropped, near = found["dropped"].get(line["reason"], []), found["near"].get(line["reason"], [])
        if dropped or (near and line["any"]):
            lines.append({**line, "dropped": [_example(e) for e in dropped], "near": [_example(e) for e in near]})
    return lines


def _example(example: dict[str, Any]) -> dict[str, Any]:
    """With `said`: the numbers in words."""
    if example["signal"] is not None and example["value"] is not None:
        low = example["limit"] is not None and example["value"] < example["limit"]
        sign = "=" if example["value"] == example["limit"] else "<" if low else ">"
        said = f"{_number(example['value'])} {sign} {_number(example['limit'])}"
    else:
        said = f"similarity {_number(example['value'])}" if example["other"] is not None and example["value"] is not None else ""
    return {**example, "said": said}


def _number(value: float | None) -> str:
    """Five digits: values of a near miss differ from the limit in the last ones."""
    return numbers.NONE if value is None else f"{value:,.5g}".replace("-", "−") if abs(value) < 1e5 else numbers.count(value)


def quarantine(causes: Sequence[dict[str, Any]], found: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Causes with the places of some of their rows."""
    places = {} if found is None else found["quarantine"]
    return [{**cause, "places": places.get(cause["cause"], [])} for cause in causes]


def largest(clusters: Sequence[dict[str, Any]], found: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The largest clusters with the beginning of the survivor's text, None where it is not known."""
    texts = {} if found is None else {line["source_ref"]: line["text"] for line in found["largest"]}
    return [{**cluster, "text": texts.get(cluster["source_ref"])} for cluster in clusters]
