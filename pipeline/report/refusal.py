"""What a refused run tells on stderr: which check failed, by how much, and where the documents went. Tables are 80 columns wide.

Strings from the input go through `visible.fit`, as in the summary. Nothing was published, so this is all there is to read.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.records.counts import Counts, SourceLine
from pipeline.records.metrics_json import Check
from pipeline.report import numbers as units
from pipeline.report.metrics.checks import by_reason
from pipeline.report.visible import fit, visible

MOST = 12
"""Lines of each table; chosen so that the whole stays on one screen."""
_NAME, _REASON = 44, 38
_DETAIL = 120
"""Characters of what a check was made of; more than the line has, because it must name a reason or a source whole."""


def refusal(counts: Counts, checks: Sequence[Check], before: Counts | None) -> str:
    """`counts`: of the run that was not published; `before`: of the last generation, if there is one."""
    failed = [check for check in checks if check.failed]
    said = [f"nothing was published: {len(failed)} check{'s' if len(failed) != 1 else ''} failed"]
    said += [*_checks(failed), *_sources(counts.by_source), *_reasons(counts, before)]
    said.append("look at the input and the plan; the same command with --accept publishes nevertheless")
    return "\n".join(line.rstrip() for line in said)


def in_words(check: Check) -> str:
    """A check and its figures in one line."""
    value = units.beside(check.value, check.limit)
    return f"{check.check}: {value} {check.detail}, limit {units.percent(check.limit)}"


def _checks(failed: Sequence[Check]) -> list[str]:
    lines = [f"  {'check':<16}{'value':>10}{'limit':>10}  what"]
    for check in failed[:MOST]:
        numbers = f"{units.beside(check.value, check.limit):>10}{units.percent(check.limit):>10}"
        lines.append(f"  {fit(check.check, 16)}{numbers}  {visible(check.detail, limit=_DETAIL)}")
    return lines + _more(len(failed))


def _sources(sources: Sequence[SourceLine]) -> list[str]:
    lines = [f"{'loss by source':<{_NAME}}{'read':>13}{'lost':>13}{'share':>10}"]
    ordered = sorted(sources, key=lambda s: (-(s.read - s.kept) / (s.read or 1), -s.read, s.source))
    for item in ordered[:MOST]:
        lost = item.read - item.kept
        name = fit(f"  {item.source}", _NAME)
        lines.append(f"{name}{units.count(item.read):>13}{units.count(lost):>13}{units.share(lost, item.read):>10}")
    return lines + _more(len(sources))


def _reasons(counts: Counts, before: Counts | None) -> list[str]:
    """By the share that each reason took, and what it took of the last generation."""
    then, read_then = (by_reason(before), before.totals.read) if before else ({}, 0)
    now = by_reason(counts)
    if counts.totals.quarantined:
        now["(quarantined)"] = counts.totals.quarantined
    if before and before.totals.quarantined:
        then["(quarantined)"] = before.totals.quarantined
    head = f"generation {before.generation}" if before else ""
    lines = [f"{'loss by reason':<{_REASON}}{'documents':>13}{'share':>9}{head:>20}"]
    names = sorted({*now, *then}, key=lambda name: (-now.get(name, 0), -then.get(name, 0), name))
    for name in names[:MOST]:
        share = units.share(now.get(name, 0), counts.totals.read)
        was = units.share(then.get(name, 0), read_then) if before else ""
        lines.append(f"{fit(f'  {name}', _REASON)}{units.count(now.get(name, 0)):>13}{share:>9}{was:>20}")
    return lines + _more(len(names))


def _more(number: int) -> list[str]:
    return [f"  and {number - MOST:,} more"] if number > MOST else []
