"""What Prefect shows of a run: Markdown and tables, made from a result's metrics.

Invariant: what comes from plans, paths and text is escaped, one line, and cut; nothing of it is markup.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.execute import Result

NAME_LENGTH = 120


def plain(text: str, length: int = NAME_LENGTH) -> str:
    """`text` on one line without control, bidirectional and undecodable characters, its middle left out if it is too long."""
    shown = " ".join("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text).split()) or "?"
    half = (length - 1) // 2
    return shown if len(shown) <= length else f"{shown[:half]}…{shown[-half:]}"


def funnel(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"step": plain(line["label"]), "stage": line["stage"], "documents": line["documents"], "bytes": line["bytes"]}
        for line in metrics["funnel"]
    ]


def changes(metrics: dict[str, Any]) -> str | None:
    """Markdown of what changed since the last generation; None for the first."""
    found = metrics["changes"]
    if found is None:
        return None
    kept, documents = found["kept_share"], found["documents"]
    lines = [
        f"# Changed since generation {found['since']}",
        "",
        f"{documents['now']:,} rows read (then {documents['before']:,}); {kept['now']:.1%} kept (then {kept['before']:.1%}).",
        "",
    ]
    for name, title in (("reason", "share of the rows read"), ("source", "share kept"), ("language", "share of the rows read")):
        rows = found[f"{name}s"]
        if rows:
            lines += [f"| {name} ({title}) | then | now |", "|:--|--:|--:|"]
            lines += [f"| {escaped(row[name])} | {row['before']:.1%} | {row['now']:.1%} |" for row in rows] + [""]
    if found["signals"]:
        lines += ["| signal | drift |", "|:--|--:|"]
        lines += [f"| {escaped(row['signal'])} | {row['drift']:.1%} |" for row in found["signals"]]
    return "\n".join(lines)


def summary(result: Result) -> str:
    """Markdown of a result; what comes from plans and paths is escaped."""
    title = "nothing new" if result.generation is None else f"generation {result.generation}"
    lines = [f"# Winnow: {title}", "", f"Output: {escaped(result.out)}", ""]
    totals = result.metrics.get("totals", {})
    rows = [(name, totals[name]) for name in ("read", "kept", "dropped", "quarantined") if name in totals]
    if rows:
        lines += ["| | documents |", "|:--|--:|", *(f"| {name} | {count:,} |" for name, count in rows), ""]
    lines += [f"- {escaped(note)}" for note in result.notes]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """`text` on one line, without meaning as Markdown or HTML."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!|~" else c for c in html.escape(plain(text, 1000)))
