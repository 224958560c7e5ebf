"""Checks: what a run may lose before it publishes (law 6): in all, of one source, and against the last generation.

A run that read rows, none of which passed the filters, fails `kept_nothing`, which no plan sets, and so does one after which the
output would hold no document at all, whatever it read: nothing is published of it unless it is accepted. A check that failed
names the reason that took most.

Invariants: shares are compared as fractions with the limit as the plan writes it, so a share that equals the limit passes.
Sources are those of the plan: rows that name a source of their own, as twenty of junk may, do not make a group to be judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from pipeline.plan.model import Checks
from pipeline.records.counts import Counts
from pipeline.records.metrics_json import Check
from pipeline.text import numbers

SMALL_SOURCE = 20
"""Sources with fewer rows are not checked for loss: chosen because one page of navigation is not a lost source."""

KEPT_NOTHING = "kept_nothing"
CORPUS_STAGES = ("dedup", "select", "takedown")
"""Stages of the ledger that drop what every filter let through."""


def judge(
    limits: Checks,
    counts: Counts,
    before: Counts | None,
    *,
    held: int,
    sources: Mapping[str, tuple[int, int]],
    reasons: Mapping[str, Mapping[str, int]] | None = None,
) -> tuple[Check, ...]:
    """Each check with its limit, value and verdict. `counts`: this run's; `before`: those of the last generation, if any;
    `held`: documents that the output has of the generations that this one is added to; `sources`: rows read, and lost ones, of
    each source of the plan; `reasons`: what each lost its rows by."""
    total = counts.totals
    nothing = not total.kept and (not held or (total.read and not _passed_filters(counts)))
    lines = [_kept_nothing(counts)] if nothing else []
    dropped = _check("max_drop_share", limits.max_drop_share, _share(total.dropped, total.read), detail="of the rows read")
    lines.append(_by(dropped, by_reason(counts), of=total.read))
    for source, (read, lost) in sorted(sources.items()):
        if read >= SMALL_SOURCE:
            loss = _check("max_source_loss", limits.max_source_loss, _share(lost, read), detail=f"of source {source}")
            lines.append(_by(loss, (reasons or {}).get(source, {}), of=read))
    if before is not None:
        lines += [_check("max_change", limits.max_change, change, detail=what) for what, change in _changes(counts, before)]
    return tuple(lines)


def _changes(counts: Counts, before: Counts) -> Iterator[tuple[str, Fraction]]:
    """Changes since the last generation: the kept share, then the share of each reason of either. None where one of the two read
    no row: a share of nothing is no share, and did not change."""
    since = f"since generation {before.generation}"
    read, read_before = counts.totals.read, before.totals.read
    if not read or not read_before:
        return
    kept = _share(counts.totals.kept, read) - _share(before.totals.kept, read_before)
    now, then = by_reason(counts), by_reason(before)
    changes = {
        reason: _share(now.get(reason, 0), read) - _share(then.get(reason, 0), read_before) for reason in sorted({*now, *then})
    }
    most = max(changes, key=lambda reason: abs(changes[reason]), default="")
    yield f"change of the kept share {since}{f' (most by {most})' if changes.get(most) else ''}", abs(kept)
    for reason, change in changes.items():
        yield f"change of the share of {reason} {since}", abs(change)


def by_reason(counts: Counts) -> dict[str, int]:
    """Rows dropped, by the first reason that they failed."""
    return {line.reason: line.first for line in counts.reasons if line.first}


def _check(name: str, limit: float, value: Fraction, *, detail: str) -> Check:
    return Check(check=name, limit=limit, value=float(value), failed=value > Fraction(repr(limit)), detail=detail)


def _passed_filters(counts: Counts) -> int:
    """Documents that only the corpus was against: a night of copies alone is no fault, nor is one behind a full token budget,
    where the output holds others."""
    return sum(line.first for line in counts.reasons if line.stage in CORPUS_STAGES)


def _kept_nothing(counts: Counts) -> Check:
    """Of the share kept, which has to be above 0."""
    lost = by_reason(counts) | ({"quarantine": counts.totals.quarantined} if counts.totals.quarantined else {})
    read = counts.totals.read
    detail = f"none of {numbers.counted(read, 'row')} read was kept" if read else "the inputs hold no row"
    return _by(Check(check=KEPT_NOTHING, limit=0, value=0, failed=True, detail=detail), lost, of=read)


def _by(check: Check, reasons: Mapping[str, int], *, of: int) -> Check:
    """The check; where it failed, with the reason that took most rows."""
    if not check.failed or not reasons:
        return check
    most = min(reasons, key=lambda reason: (-reasons[reason], reason))
    took = f"{most} took {numbers.count(reasons[most])} of {numbers.count(of)}"
    return check.model_copy(update={"detail": f"{check.detail} ({took})"})


def _share(part: int, whole: int) -> Fraction:
    return Fraction(part, whole) if whole else Fraction(0)
