"""Changes since the last generation: counts, shares by reason and by source, drift of the signals.

Drift of a signal is the total variation distance of its two histograms: the share of documents that would have to move to another
bin, 0 to 1. Invariant: computed from the two generations' metrics alone, so it can be remade from their manifests. Where the bins
differ (another `schema_version`), there is no drift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.records.counts import Counts, Histogram, SourceLine
from pipeline.records.metrics_json import BeforeAndNow, Change, Changes, Drift, LanguageChange, ReasonChange, SourceChange

MOST = 20
"""Lines of each list; chosen so that a page shows them at once. Metrics of both generations have all."""


def since(before: Counts, now: Counts) -> Changes | None:
    """`before`, `now`: metrics of two generations. Lists are ordered by the size of the change, largest first. None where one of
    the two read no row: there is no share to compare with."""
    then, today = before.totals, now.totals
    if not then.read or not today.read:
        return None
    reasons = _shares(
        {r.reason: r.first for r in before.reasons}, {r.reason: r.first for r in now.reasons}, then.read, read_now=today.read
    )
    languages = _shares(
        {line.language: line.documents for line in before.by_language},
        {line.language: line.documents for line in now.by_language},
        then.read,
        read_now=today.read,
    )
    return Changes(
        since=before.generation,
        documents=BeforeAndNow(before=then.read, now=today.read),
        kept_share=_change(_share(then.kept, then.read), _share(today.kept, today.read)),
        reasons=tuple(ReasonChange(reason=name, **dict(change)) for name, change in reasons),
        sources=_sources(before.by_source, now.by_source),
        languages=tuple(LanguageChange(language=name, **dict(change)) for name, change in languages),
        signals=_drift(before.signals, now.signals) if before.schema_version == now.schema_version else (),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _change(before: float, now: float) -> Change:
    return Change(before=before, now=now, change=now - before)


def _shares(then: Mapping[str, int], now: Mapping[str, int], read: int, *, read_now: int) -> list[tuple[str, Change]]:
    """Shares of the rows read, by name, that changed."""
    lines = [(n, _change(_share(then.get(n, 0), read), _share(now.get(n, 0), read_now))) for n in sorted({*then, *now})]
    return sorted((line for line in lines if line[1].change), key=lambda line: -abs(line[1].change))[:MOST]


def _sources(old: Sequence[SourceLine], new: Sequence[SourceLine]) -> tuple[SourceChange, ...]:
    then, today = ({line.source: (line.kept, line.read) for line in lines} for lines in (old, new))
    lines = []
    for name in sorted({*then, *today}):
        (kept, read), (kept_now, read_now) = (found.get(name, (0, 0)) for found in (then, today))
        change = _change(_share(kept, read), _share(kept_now, read_now))
        lines.append(SourceChange(source=name, read_before=read, read=read_now, **dict(change)))
    return tuple(sorted(lines, key=lambda line: (-abs(line.change), -line.read, line.source))[:MOST])


def _drift(old: Sequence[Histogram], new: Sequence[Histogram]) -> tuple[Drift, ...]:
    then = {(line.filter, line.signal): line for line in old}
    lines = []
    for line in new:
        other = then.get((line.filter, line.signal))
        if other is not None and line.scored and other.scored:
            lines.append(Drift(filter=line.filter, signal=line.signal, drift=_distance(other, line)))
    return tuple(sorted(lines, key=lambda line: (-line.drift, line.filter, line.signal))[:MOST])


def _distance(one: Histogram, other: Histogram) -> float:
    """Total variation distance of two histograms, whose bins are those of `tally.EDGES`, named by their lower edge."""
    shares = [{edge: n / h.scored for edge, n in zip(h.edges, h.counts, strict=False)} for h in (one, other)]
    bins = {*shares[0], *shares[1]}
    return float(np.abs([shares[0].get(b, 0.0) - shares[1].get(b, 0.0) for b in bins]).sum() / 2)
