"""What Prefect shows of a run: Markdown, made from a result's metrics.

Invariant: what comes from plans, paths and text is escaped, one line, and cut; nothing of it is markup. Lists are bounded.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.output import manifest
from pipeline.report import numbers

if TYPE_CHECKING:
    from pipeline.records.metrics_json import Metrics
    from pipeline.records.savings_json import Savings
    from pipeline.run.options import Result

NAME_LENGTH = 120
WIDTH = 80
"""Columns of the tables in messages; a page of Prefect's shows somewhat fewer at once."""
MOST_NOTES, MOST_REASONS, MOST_FILES, MOST_INPUTS, MOST_LINES = 50, 10, 20, 1000, 100


def plain(text: str, length: int = NAME_LENGTH) -> str:
    """`text` on one line without control, bidirectional and undecodable characters, its middle left out if it is too long."""
    shown = " ".join("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text).split()) or "?"
    half = (length - 1) // 2
    return shown if len(shown) <= length else f"{shown[:half]}…{shown[-half:]}"


def code(path: str) -> str:
    """A path as code text, where nothing in it can end that: a browser opens no `file://` link from a page."""
    shown = plain(path, 500)
    return escaped(shown) if "`" in shown or "<" in shown else f"`{shown}`"


def funnel(metrics: Metrics) -> str:
    """Markdown of where the documents went. Losses are negative."""
    read = metrics.totals.read
    lines = ["| step | stage | documents | share | bytes |", "|:--|:--|--:|--:|--:|"]
    for line in metrics.funnel:
        figures = f"{numbers.count(line.documents)} | {numbers.share(line.documents, read)} | {numbers.size(line.bytes)}"
        lines.append(f"| {escaped(line.label)} | {escaped(line.stage)} | {figures} |")
    return "\n".join(lines)


def compute(metrics: Metrics, savings: Savings | None, out: str) -> str:
    """Markdown: the ledger of a training pass, what the curation cost, and the saving: measured, or the command that measures it.

    `savings`: what savings.json holds, None before it was measured.
    """
    rows = [("saving at equal quality", saving(savings, metrics, out), "not measured" if savings is None else "measured")]
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
    return "\n".join(["| what | value | kind |", "|:--|:--|:--|", *(f"| {' | '.join(map(escaped, row))} |" for row in rows)])


def saving(savings: Savings | None, metrics: Metrics, out: str) -> str:
    """The headline of savings.json, or what is to be done."""
    command = f"python -m flows.proxy {plain(out, 500)}"
    if savings is None or not savings.headline:
        return f"not measured yet: {command}"
    stale = "" if savings.generation == metrics.generation else f" (of generation {savings.generation}; anew: {command})"
    return plain(savings.headline, 500) + stale


def changes(metrics: Metrics) -> str | None:
    """Markdown of what changed since the last generation; None for the first."""
    found = metrics.changes
    if found is None:
        return None
    lines = [
        f"# Changed since generation {found.since}",
        "",
        "| | then | now |",
        "|:--|--:|--:|",
        f"| rows read | {found.documents.before:,} | {found.documents.now:,} |",
        f"| share kept | {found.kept_share.before:.1%} | {found.kept_share.now:.1%} |",
        "",
        *_shares("reason (share of the rows read)", [(row.reason, row.before, row.now) for row in found.reasons]),
        *_shares("source (share kept)", [(row.source, row.before, row.now) for row in found.sources]),
        *_shares("language (share of the rows read)", [(row.language, row.before, row.now) for row in found.languages]),
    ]
    if found.signals:
        lines += ["| signal | drift (share of documents in another bin) |", "|:--|--:|"]
        lines += [f"| {escaped(row.signal)} | {row.drift:.1%} |" for row in found.signals]
    return "\n".join(lines)


def _shares(title: str, rows: Sequence[tuple[str, float, float]]) -> list[str]:
    if not rows:
        return []
    head = [f"| {title} | then | now |", "|:--|--:|--:|"]
    return [*head, *(f"| {escaped(name or '–')} | {before:.1%} | {now:.1%} |" for name, before, now in rows), ""]


def inputs(notes: tuple[str, ...]) -> str | None:
    """Markdown of the inputs that changed or vanished since they were read, by name; None where none did."""
    moved = [note.partition(": ") for note in notes if note.startswith((manifest.CHANGED, manifest.GONE))]
    if not moved:
        return None
    lines = ["| input | what |", "|:--|:--|"]
    lines += [f"| {escaped(path)} | {escaped(happened)} |" for happened, _, path in moved[:MOST_INPUTS]]
    if len(moved) > MOST_INPUTS:
        lines.append(f"| and {len(moved) - MOST_INPUTS:,} more | in metrics\\.json of the generation |")
    return "\n".join(lines)


def summary(result: Result, savings: Savings | None = None) -> str:
    """Markdown of a result; what comes from plans and paths is escaped."""
    metrics = result.metrics
    new = result.generation is not None
    lines = [f"# Winnow: generation {result.generation}" if new else "# Winnow: nothing new", ""]
    if not new:
        stays = f"every input was curated before; the output stays as generation {metrics.generation} left it"
        lines += [f"Nothing was published: {stays}.", ""]
    place = result.out.rstrip("/")
    lines += [f"Output: {code(place)}", "", f"Report: {code(f'{place}/report.html')}", "", f"Shards: {code(f'{place}/data')}", ""]
    lines += ["| | documents | share | bytes |", "|:--|--:|--:|--:|"]
    for name, documents, size in metrics.totals.lines():
        lines.append(f"| {name} | {documents:,} | {numbers.share(documents, metrics.totals.read)} | {numbers.size(size)} |")
    lines.append("")
    if new:
        lines += _reasons(metrics) + _checks(metrics)
    lines += ["## Compute saved", "", escaped(saving(savings, metrics, result.out)), ""]
    if new:
        lines += _files(metrics)
    if result.notes:
        lines += ["## Notes", "", *(f"- {escaped(note)}" for note in result.notes[:MOST_NOTES])]
        lines += [f"- and {len(result.notes) - MOST_NOTES:,} more"] if len(result.notes) > MOST_NOTES else []
    return "\n".join(lines)


def _reasons(metrics: Metrics) -> list[str]:
    counted = [line for line in metrics.reasons if line.first]
    found = sorted(counted, key=lambda line: (-line.first, line.reason))
    if not found:
        return []
    read = metrics.totals.read
    lines = ["## Dropped, by the first reason", "", "| reason | documents | share |", "|:--|--:|--:|"]
    for line in found[:MOST_REASONS]:
        lines.append(f"| {escaped(line.reason)} | {line.first:,} | {numbers.share(line.first, read)} |")
    rest = found[MOST_REASONS:]
    lines += [f"| {len(rest)} more reasons | {sum(line.first for line in rest):,} | |"] if rest else []
    return [*lines, ""]


def _checks(metrics: Metrics) -> list[str]:
    from pipeline.report.refusal import in_words

    failed = [check for check in metrics.checks if check.failed]
    return ["## Failed checks", "", *(f"- {escaped(in_words(check))}" for check in failed), ""] if failed else []


def _files(metrics: Metrics) -> list[str]:
    shards = [record for record in metrics.files if record.path.startswith("data/")]
    if not shards:
        return []
    lines = ["## New shards", "", "| file | documents | bytes |", "|:--|--:|--:|"]
    lines += [f"| {escaped(s.path)} | {s.rows:,} | {numbers.size(s.bytes)} |" for s in shards[:MOST_FILES]]
    lines += [f"| and {len(shards) - MOST_FILES:,} more | | |"] if len(shards) > MOST_FILES else []
    return [*lines, ""]


def failure(error: BaseException) -> str:
    """Markdown of why a run ended without publishing: the message as it is, in a block that nothing in it can close."""
    lines = [part for line in str(error).splitlines()[:MOST_LINES] for part in _verbatim(line)]
    return "\n".join(["# Winnow: nothing was published", "", f"{type(error).__name__}:", "", "```text", *lines, "```"])


def _verbatim(line: str) -> list[str]:
    """A line as it is, or what it is cut into where it is wider than tables of messages are."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line[:1000]).replace("`", "'")
    if len(shown) <= WIDTH:
        return [shown]
    indent = " " * (len(shown) - len(shown.lstrip()) + 2)
    return textwrap.wrap(shown, WIDTH - 8, subsequent_indent=indent, break_on_hyphens=False)


def escaped(text: str) -> str:
    """`text` on one line, without meaning as Markdown or HTML."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!|~" else c for c in html.escape(plain(text, 1000)))
