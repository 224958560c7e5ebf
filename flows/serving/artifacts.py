"""What Prefect shows of a run: Markdown, made from a result's metrics.

Invariant: what comes from plans, paths and text is escaped, one line, and cut; nothing of it is markup. Lists are bounded.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.output import inputs as inputs_of_output
from pipeline.report.compute import statement
from pipeline.text import numbers
from pipeline.text.markdown import block, code, escaped, table
from pipeline.text.visible import visible

if TYPE_CHECKING:
    from pipeline.records.metrics_json import Metrics
    from pipeline.records.savings_json import Savings
    from pipeline.report.compute.statement import Statement
    from pipeline.run.options import Result

NAME_LENGTH = 120
WIDTH = 80
"""Columns of the tables in messages; a page of Prefect's shows somewhat fewer at once."""
MOST_NOTES, MOST_REASONS, MOST_FILES, MOST_INPUTS, MOST_LINES = 50, 10, 20, 1000, 100


def funnel(metrics: Metrics) -> str:
    """Markdown of where the documents went. Losses are negative."""
    read = metrics.totals.read
    rows = []
    for line in metrics.funnel:
        figures = numbers.count(line.documents), numbers.share(line.documents, read), numbers.size(line.bytes)
        rows.append((escaped(line.label), escaped(line.stage), *figures))
    return "\n".join(table(("step", "stage", ">documents", ">share", ">bytes"), rows))


def compute(metrics: Metrics, savings: Savings | None, out: str) -> str:
    """Markdown: what every run ends with, then the ledger of a training pass and what the curation cost.

    `savings`: what savings.json holds, None before it was measured.
    """
    rows = []
    for line in metrics.compute.passes:
        name, _, aside = line.name.partition(" (")
        caution = f"; {aside.partition(':')[0]}" if aside else ""
        figures = (
            ("tokens", numbers.short(line.tokens.value), line.tokens.tag),
            ("compute", f"{numbers.power_of_ten(line.flops.value)} FLOP", line.flops.tag),
            ("GPU time", f"{numbers.digits(line.gpu_hours.value)} {line.gpu_hours.unit}", line.gpu_hours.tag),
            ("price", numbers.money(line.dollars.value), line.dollars.tag),
        )
        rows += [(f"{name}: {what}", value, tag + caution) for what, value, tag in figures]
    spent = metrics.compute.curation
    hours = spent.cpu_hours
    rows.append(("this curation: time", f"{numbers.digits(hours.value)} {hours.unit}", hours.tag))
    rows.append(("this curation: price", numbers.money(spent.dollars.value), spent.dollars.tag))
    ledger = table(("what", "value", "kind"), [tuple(map(escaped, row)) for row in rows])
    return "\n".join([*closing(statement.of(metrics, savings, out=out)), *ledger])


def closing(said: Statement) -> list[str]:
    """Markdown of what every run ends with."""
    lines = [f"- {escaped(sentence)}" for sentence in said.sentences()]
    if said.command:
        lines += ["", f"To measure it ({said.takes}):", "", block(visible(said.command, limit=1000), "")]
    return [*lines, ""]


def changes(metrics: Metrics) -> str | None:
    """Markdown of what changed since the last generation; None for the first."""
    found = metrics.changes
    if found is None:
        return None
    then_and_now = [
        ("rows read", numbers.count(found.documents.before), numbers.count(found.documents.now)),
        ("share kept", numbers.share(found.kept_share.before, 1), numbers.share(found.kept_share.now, 1)),
    ]
    lines = [
        f"# Changed since generation {found.since}",
        "",
        *table(("", ">then", ">now"), then_and_now),
        "",
        *_shares("reason (share of the rows read)", [(row.reason, row.before, row.now) for row in found.reasons]),
        *_shares(
            "source (share kept)",
            [(row.source, row.before if row.read_before else None, row.now if row.read else None) for row in found.sources],
        ),
        *_shares("language (share of the rows read)", [(row.language, row.before, row.now) for row in found.languages]),
    ]
    if found.signals:
        drifted = [(escaped(row.signal), numbers.share(row.drift, 1)) for row in found.signals]
        lines += table(("signal", ">drift (share of documents in another bin)"), drifted)
    return "\n".join(lines)


def _shares(title: str, rows: Sequence[tuple[str, float | None, float | None]]) -> list[str]:
    """None: a share of nothing."""
    if not rows:
        return []
    shown = [(escaped(name or numbers.NONE), *map(_share, (before, now))) for name, before, now in rows]
    return [*table((title, ">then", ">now"), shown), ""]


def _share(value: float | None) -> str:
    return numbers.NONE if value is None else numbers.share(value, 1)


def inputs(notes: tuple[str, ...]) -> str | None:
    """Markdown of the inputs that changed or vanished since they were read, by name; None where none did."""
    moved = [note.partition(": ") for note in notes if note.startswith(inputs_of_output.TOLD)]
    if not moved:
        return None
    rows = [(escaped(path), escaped(happened)) for happened, _, path in moved[:MOST_INPUTS]]
    if len(moved) > MOST_INPUTS:
        rows.append((f"and {numbers.count(len(moved) - MOST_INPUTS)} more", escaped("in metrics.json of the generation")))
    return "\n".join(table(("input", "what"), rows))


def summary(result: Result, savings: Savings | None = None) -> str:
    """Markdown of a result; what comes from plans and paths is escaped."""
    metrics = result.metrics
    new = result.generation is not None
    lines = [f"# Winnow: generation {result.generation}" if new else "# Winnow: nothing new", ""]
    if not new:
        stays = f"every input was curated before; the output stays as generation {metrics.generation} left it"
        lines += [f"Nothing was published: {stays}.", ""]
    place = result.out.rstrip("/")
    for name, path in (("Output", place), ("Report", f"{place}/report.html"), ("Shards", f"{place}/data")):
        lines += [f"{name}: {code(path, limit=500)}", ""]
    read = metrics.totals.read
    totals = [(name, numbers.count(n), numbers.share(n, read), numbers.size(size)) for name, n, size in metrics.totals.lines()]
    lines += [*table(("", ">documents", ">share", ">bytes"), totals), ""]
    if new:
        lines += _reasons(metrics) + _checks(metrics)
    lines += ["## Compute", "", *closing(statement.of(metrics, savings, out=result.out))]
    if new:
        lines += _files(metrics)
    if result.notes:
        lines += ["## Notes", "", *(f"- {escaped(note)}" for note in result.notes[:MOST_NOTES])]
        lines += [f"- and {numbers.count(len(result.notes) - MOST_NOTES)} more"] if len(result.notes) > MOST_NOTES else []
    return "\n".join(lines)


def _reasons(metrics: Metrics) -> list[str]:
    counted = [line for line in metrics.reasons if line.first]
    found = sorted(counted, key=lambda line: (-line.first, line.reason))
    if not found:
        return []
    read = metrics.totals.read
    rows = [(escaped(line.reason), numbers.count(line.first), numbers.share(line.first, read)) for line in found[:MOST_REASONS]]
    rest = found[MOST_REASONS:]
    rows += [(numbers.counted(len(rest), "more reason"), numbers.count(sum(line.first for line in rest)), "")] if rest else []
    return ["## Dropped, by the first reason", "", *table(("reason", ">documents", ">share"), rows), ""]


def _checks(metrics: Metrics) -> list[str]:
    from pipeline.report.refusal import in_words

    failed = [check for check in metrics.checks if check.failed]
    return ["## Failed checks", "", *(f"- {escaped(in_words(check))}" for check in failed), ""] if failed else []


def _files(metrics: Metrics) -> list[str]:
    shards = [record for record in metrics.files if record.path.startswith("data/")]
    if not shards:
        return []
    rows = [(escaped(s.path), numbers.count(s.rows), numbers.size(s.bytes)) for s in shards[:MOST_FILES]]
    rows += [(f"and {numbers.count(len(shards) - MOST_FILES)} more", "", "")] if len(shards) > MOST_FILES else []
    return ["## New shards", "", *table(("file", ">documents", ">bytes"), rows), ""]


def failure(error: BaseException) -> str:
    """Markdown of why a run ended without publishing: the message as it is; lines wider than tables of messages are folded."""
    lines = [part for line in str(error).splitlines()[:MOST_LINES] for part in _folded(visible(line, limit=1000))]
    return f"# Winnow: nothing was published\n\n{type(error).__name__}:\n\n{block(chr(10).join(lines), 'text')}"


def _folded(line: str) -> list[str]:
    if len(line) <= WIDTH:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, WIDTH - 8, subsequent_indent=indent, break_on_hyphens=False)
