"""What the templates show: addresses, texts and facets, from an output's tables. Nothing here is HTML.

`text_lines` keeps line breaks and makes everything else that is hidden visible; the rest of the strings are made visible by the
template engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from urllib.parse import urlencode

from pipeline.inspect.listing import DocumentQuery, Place
from pipeline.inspect.output import Output
from pipeline.text.visible import visible

MOST_TEXT = 50_000
"""Characters of a document on its page; chosen because a browser draws them at once."""
MOST_CHOICES = 200
"""Entries of a list to choose from; sources may be thousands."""


@dataclass(frozen=True)
class Choice:
    value: str
    documents: int
    rule: bool = True
    """Not all rules of a filter together."""


@dataclass(frozen=True)
class Facets:
    """What there is to choose from, with the number of documents, largest first; by view."""

    views: dict[str, int]
    reasons: dict[str, list[Choice]]
    languages: list[Choice]
    sources: list[Choice]


def facets(output: Output) -> Facets:
    """Summed over the live generations' metrics: no table is read."""
    views: Counter[str] = Counter()
    reasons, causes, languages, sources = (Counter[str]() for _ in range(4))
    for made in output.live:
        totals, metrics = made.totals, made.metrics
        views.update({"kept": totals.kept, "dropped": totals.dropped, "quarantined": totals.quarantined})
        reasons.update({line.reason: line.first for line in metrics.reasons if line.first})
        causes.update({line.cause: line.rows for line in metrics.quarantine})
        languages.update({line.language: line.documents for line in metrics.by_language if line.language})
        sources.update({line.source: line.read for line in metrics.by_source})
    filters: Counter[str] = Counter()
    for reason, n in reasons.items():
        if "." in reason:
            filters[reason.partition(".")[0]] += n
    several = {name: n for name, n in filters.items() if sum(r.startswith(f"{name}.") for r in reasons) > 1}
    dropped = [*_choices(reasons), *(replace(choice, rule=False) for choice in _choices(Counter(several)))]
    return Facets(
        views=dict(views),
        reasons={"kept": [], "dropped": dropped, "quarantined": _choices(causes)},
        languages=_choices(languages),
        sources=_choices(sources),
    )


def _choices(counts: Counter[str]) -> list[Choice]:
    return [Choice(name, n) for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_CHOICES]]


def address(wanted: DocumentQuery, *, after: Place | None = None, before: Place | None = None) -> str:
    """The address of a page of the list, relative to the token's folder."""
    keys = {name: value for name, value in asdict(wanted).items() if value not in ("", None)}
    places = {name: str(place) for name, place in (("after", after), ("before", before)) if place is not None}
    return "documents?" + query({**keys, **places})


def document(ref: str, generation: int | None = None) -> str:
    """Address of a document's page."""
    return "document?" + query({"name": ref} | ({} if generation is None else {"generation": generation}))


def query(keys: dict[str, object] | Sequence[tuple[str, object]]) -> str:
    return urlencode(keys, errors="replace")


def text_lines(text: str, *, most: int = MOST_TEXT) -> tuple[list[str], int]:
    """The text's lines made visible, and how many characters were left out."""
    return [visible(line) for line in text[:most].split("\n")], max(0, len(text) - most)
