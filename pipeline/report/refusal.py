"""What a refused run tells on stderr: which check failed, by how much, and where the documents went; 80 columns wide.

Nothing was published, so this is all there is to read.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.records.counts import Counts, SourceLine
from pipeline.records.metrics_json import Check, Metrics
from pipeline.report import table
from pipeline.report.metrics.checks import KEPT_NOTHING, by_reason
from pipeline.report.table import Part
from pipeline.text import numbers
from pipeline.text.visible import visible

MOST = 12
"""Lines of each table; chosen so that the whole stays on one screen."""
ACCEPTED = "published with --accept, although a check failed"
"""A note of the generation, if so."""
LOOK = "to look at what was dropped: the same command with --output OTHER --accept, then winnow inspect --output OTHER"
WIDTH = 80
NAME = 80
"""Characters of a source's or reason's name; real ones stay below."""
DETAIL = 120
"""Characters of what a check was made of, and of the reason that took most."""


def refusal(counts: Counts, checks: Sequence[Check], before: Counts | None, *, on_disk: str) -> str:
    """`counts`: of the run that was not published; `before`: of the last generation, if there is one; `on_disk`: what the output
    holds now."""
    failed = [check for check in checks if check.failed]
    said = [
        f"nothing was published: {_why(failed)}",
        *_checks(failed),
        *([*_sources(counts.by_source), *_reasons(counts, before)] if counts.totals.read else []),
        f"on disk now: {visible(on_disk)}; what this run read and scored stays in the work directory",
        "change the plan or the input and run it again; the same command with --accept publishes nevertheless",
        *([LOOK] if counts.totals.read else []),
    ]
    return table.text(said, width=WIDTH).rstrip("\n")


def _why(failed: Sequence[Check]) -> str:
    nothing = [check for check in failed if check.check == KEPT_NOTHING]
    return "the run kept nothing" if nothing else f"{numbers.counted(len(failed), 'check')} failed"


def in_words(check: Check) -> str:
    """A check and its figures in one line."""
    if check.check == KEPT_NOTHING:
        return f"{check.check}: {check.detail}"
    value = numbers.beside(check.value, check.limit)
    return f"{check.check}: {value} {check.detail}, limit {numbers.percent(check.limit)}"


def nevertheless(metrics: Metrics, *, look: str) -> str:
    """That a generation is there although a check failed, why, and what to do; `look`: the command that shows documents."""
    why = "--accept was given" if ACCEPTED in metrics.notes else "the plan's checks.on_fail is warn, not stop"
    todo = "another plan or input with --replace takes it back"
    return f"generation {metrics.generation} was published nevertheless ({why}); {todo}; {look} shows why"


def _checks(failed: Sequence[Check]) -> list[Part]:
    rows = [
        (
            f"  {check.check}",
            numbers.beside(check.value, check.limit),
            f"{'above ' if check.check == KEPT_NOTHING else ''}{numbers.percent(check.limit)}",
            visible(check.detail, limit=DETAIL),
        )
        for check in failed[:MOST]
    ]
    return [table.table(("  check", ">value", ">limit", "what"), rows), *_more(len(failed))]


def _sources(sources: Sequence[SourceLine]) -> list[Part]:
    ordered = sorted(sources, key=lambda s: (-(s.read - s.kept) / (s.read or 1), -s.read, s.source))
    rows = [
        (_name(s.source), numbers.count(s.read), numbers.count(s.read - s.kept), numbers.share(s.read - s.kept, s.read))
        for s in ordered[:MOST]
    ]
    return [table.table(("loss by source", ">read", ">lost", ">share"), rows), *_more(len(sources))]


def _reasons(counts: Counts, before: Counts | None) -> list[Part]:
    """By the share that each reason took, and what it took of the last generation."""
    now, then = _dropped(counts), _dropped(before) if before else {}
    names = sorted({*now, *then}, key=lambda name: (-now.get(name, 0), -then.get(name, 0), name))
    rows = []
    for name in names[:MOST]:
        dropped = now.get(name, 0)
        row = [_name(name), numbers.count(dropped), numbers.share(dropped, counts.totals.read)]
        rows.append([*row, numbers.share(then.get(name, 0), before.totals.read)] if before else row)
    was = [f">generation {before.generation}"] if before else []
    return [table.table(("loss by reason", ">documents", ">share", *was), rows), *_more(len(names))]


def _name(text: str) -> str:
    return f"  {visible(text, limit=NAME)}"


def _dropped(counts: Counts) -> dict[str, int]:
    """Documents by reason, quarantined ones included."""
    lost = counts.totals.quarantined
    return by_reason(counts) | ({"(quarantined)": lost} if lost else {})


def _more(number: int) -> list[str]:
    return [f"  and {numbers.count(number - MOST)} more"] if number > MOST else []
