"""The summary at the end of a run: plain text, aligned, at most 80 columns wide; only the
report's path may be longer, so that it can be copied.

Strings from the input go through `visible.visible`, so that no escape sequence of theirs reaches the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.plan import scores
from pipeline.records.base import Totals
from pipeline.records.counts import Duplicates, Histogram, ModelLine, ReasonLine, Tokens, Unreadable
from pipeline.records.ledger import Ledger
from pipeline.records.metrics_json import Check, Metrics, StoreTraffic
from pipeline.records.selection import Selection
from pipeline.report import numbers
from pipeline.report.page.page import MOST_LINES, pace
from pipeline.report.refusal import in_words
from pipeline.report.visible import columns, fit, visible

WIDTH = 80
MOST_REASONS = 6
"""Chosen so that the whole summary stays within 25 lines; the report has all reasons."""

MOST_LANGUAGES = 3
"""Languages without a score that are named; chosen so that a model takes a line or two."""

_LABEL = 14
_NAME = 44


def summary(metrics: Metrics, *, out: str) -> str:
    """What a person wants to know at the end; `out` is the output folder, for the report's path."""
    lines = [
        *_failed(metrics.checks),
        *_totals(metrics),
        *_reasons(metrics.reasons, metrics.totals),
        "",
        *_duplicates(metrics.duplicates),
        *_annotations(metrics.signals),
        *_models(metrics.models),
        *_selection(metrics.selection),
        *_quarantine(metrics.quarantine),
        *_tokens(metrics.tokens, metrics.compute),
        *_cost(metrics),
        *_notes(metrics.notes),
        f"{'report':<{_LABEL}}{visible(out.rstrip('/'))}/report.html",
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _failed(checks: Sequence[Check]) -> list[str]:
    failed, lines = [check for check in checks if check.failed], []
    for check in failed[:MOST_LINES]:
        lines += _wrapped("CHECK FAILED", in_words(check).split())
    if len(failed) > MOST_LINES:
        lines += _wrapped("", [f"and {len(failed) - MOST_LINES:,} more, in the report"])
    return [*lines, ""] if lines else []


def _notes(notes: Sequence[str]) -> list[str]:
    lines = [row for note in notes[:MOST_LINES] for row in _wrapped("note", note.split())]
    return lines + (_wrapped("", [f"and {len(notes) - MOST_LINES:,} more, in metrics.json"]) if len(notes) > MOST_LINES else [])


def _totals(metrics: Metrics) -> list[str]:
    total = metrics.totals
    head = f"{visible(metrics.plan_name, limit=28)}, generation {metrics.generation}"
    return [
        f"{fit(head, _NAME)}{'documents':>14}{'share':>9}{'bytes':>13}",
        *(_line(what, documents, size, whole=total.read) for what, documents, size in total.lines()),
    ]


def _reasons(reasons: Sequence[ReasonLine], total: Totals) -> list[str]:
    found = sorted((r for r in reasons if r.first), key=lambda r: -r.first)
    lines = [_line(f"  {r.reason}", r.first, r.first_bytes, whole=total.read) for r in found[:MOST_REASONS]]
    rest = found[MOST_REASONS:]
    if rest:
        documents, size = sum(r.first for r in rest), sum(r.first_bytes for r in rest)
        lines.append(_line(f"  {len(rest)} more reasons", documents, size, whole=total.read))
    return ["dropped, by the first reason", *lines] if lines else []


def _line(name: str, documents: int, size: int, *, whole: int) -> str:
    return f"{fit(name, _NAME)}{numbers.count(documents):>14}{numbers.share(documents, whole):>9}{numbers.size(size):>13}"


def _duplicates(found: Duplicates | None) -> list[str]:
    if found is None:
        return _wrapped("duplicates", ["not looked for (dedup: false)"])
    parts = [
        f"{numbers.count(found.exact)} exact,",
        f"{numbers.count(found.near)} near",
        f"(similarity {numbers.plain(found.threshold)} or more);",
        *_recall(found),
    ]
    return _wrapped("duplicates", parts)


def _recall(found: Duplicates) -> list[str]:
    """The computed chance to find a pair at the threshold and 0.05 above, and what planted copies showed from there on."""
    limit = found.threshold
    curve = {round(similarity, 4): chance for similarity, chance in found.detection}
    above = min((s for s in curve if s >= limit + 0.05 - 1e-9), default=limit)
    said = ["a pair is found with", f"{numbers.percent(curve[round(limit, 4)])} at {numbers.plain(limit)},"]
    said.append(f"{numbers.percent(curve[above])} at {numbers.plain(above)}")
    planted = [(n, hit) for similarity, n, hit, _ in found.measured if similarity >= limit]
    if planted:
        said[-1] += ";"
        hit, all_ = sum(hit for _, hit in planted), sum(n for n, _ in planted)
        said.append(f"self-test: {numbers.count(hit)} of {numbers.count(all_)} planted copies found")
    return said


def _annotations(signals: Sequence[Histogram]) -> list[str]:
    """How many documents have each number computed elsewhere: keys that match nothing drop nothing, and would pass unseen."""
    said = []
    for signal in signals:
        if signal.filter == scores.NAME:
            n = signal.scored
            said.append(
                f"{visible(signal.signal, limit=30)} of {numbers.count(n)} of {numbers.count(n + signal.nulls)} documents"
            )
    return _wrapped("annotations", said, comma=True) if said else []


def _models(models: Sequence[ModelLine]) -> list[str]:
    """What the models scored, and the languages that they do not cover: a text that is not scored is not a clean one."""
    same: dict[tuple[int, tuple[tuple[str, int], ...]], list[ModelLine]] = {}
    for model in models:
        same.setdefault((model.scored, model.not_covered), []).append(model)
    lines = []
    for group in same.values():
        names, left = ", ".join(visible(model.filter, limit=30) for model in group), group[0].not_covered
        said = [f"{names} scored {numbers.count(group[0].scored)}" + (";" if left else "")]
        if left:
            codes = [f"{visible(code, limit=12)} {numbers.count(n)}" for code, n in left[:MOST_LANGUAGES]]
            rest = len(left) - MOST_LANGUAGES
            codes += [f"{numbers.count(rest)} more"] if rest > 0 else []
            said += [f"not covered {numbers.count(sum(n for _, n in left))}:", *(f"{code}," for code in codes[:-1]), codes[-1]]
        lines += _wrapped("models", said)
    return lines


def _selection(found: Selection | None) -> list[str]:
    if found is None:
        return []
    said = [
        f"{numbers.count(found.selected)} by {visible(found.score, limit=30)},",
        f"{numbers.count(found.not_selected)} not",
        f"({numbers.count(found.unscored)} without a score)",
    ]
    if found.budget is not None:
        said[-1] += ";"
        said += [f"{numbers.short(found.tokens_of_all_generations)} tokens", f"of a budget of {numbers.short(found.budget)}"]
        said += [f"(over by {numbers.short(found.over_budget)})"] if found.over_budget else []
    return _wrapped("selected", said)


def _quarantine(causes: Sequence[Unreadable]) -> list[str]:
    if not causes:
        return _wrapped("quarantine", ["empty: every row could be read"])
    ordered = sorted(causes, key=lambda c: -c.rows)
    return _wrapped("quarantine", [f"{numbers.count(c.rows)} {visible(c.cause, limit=40)}" for c in ordered[:8]], comma=True)


def _tokens(tokens: Tokens, compute: Ledger) -> list[str]:
    said = f"{numbers.short(tokens.kept)} kept of {numbers.short(tokens.read)} ({visible(tokens.kind)})"
    epochs = compute.sufficiency.epochs.value
    if epochs is None:
        return _wrapped("tokens", [said])
    planned = numbers.short(compute.sufficiency.planned_tokens.value)
    return _wrapped("tokens", [f"{said};", f"a plan of {planned}", f"reads them {numbers.digits(epochs)} times"])


def _cost(metrics: Metrics) -> list[str]:
    cost = metrics.cost
    speed = [
        numbers.seconds(cost.wall_s),
        f"{numbers.digits(pace(metrics))} MB/s",
        f"{numbers.digits(cost.mb_per_cpu_s)} MB per CPU second",
        f"{cost.workers} worker{'s' if cost.workers != 1 else ''}",
    ]
    about = "" if cost.exact else " (stages estimated)"
    stages = [f"{visible(stage.stage, limit=30)} {numbers.seconds(stage.cpu_s)}" for stage in cost.stages]
    return [
        *_wrapped("took", speed, comma=True),
        *_wrapped("CPU", [f"{numbers.seconds(cost.cpu_s)}{about}", *stages], comma=True),
        *_wrapped("memory", [f"{numbers.size(cost.peak_memory_bytes)} at the peak"]),
        *_wrapped(
            "disk", [f"output {numbers.size(cost.output_bytes)}", f"work directory {numbers.size(cost.work_bytes)}"], comma=True
        ),
        *_stores(cost.stores),
    ]


def _stores(stores: Mapping[str, StoreTraffic]) -> list[str]:
    """Requests and bytes of object stores; local folders are not named."""
    said = [
        f"{name} {numbers.count(one.requests)} requests, {numbers.size(one.bytes_read)} read,"
        f" {numbers.size(one.bytes_written)} written"
        for name, one in stores.items()
        if one.remote
    ]
    return [row for index, part in enumerate(said) for row in _wrapped("stores" if not index else "", [part])]


def _wrapped(label: str, parts: list[str], *, comma: bool = False) -> list[str]:
    """`parts` side by side behind `label`, broken between parts at WIDTH; a part that fills a line is cut."""
    lines, line = [], ""
    for index, part in enumerate(parts):
        said = fit(part, WIDTH - _LABEL - 1).rstrip() + ("," if comma and index < len(parts) - 1 else "")
        if line and columns(line) + 1 + columns(said) > WIDTH - _LABEL:
            lines.append(line)
            line = ""
        line = f"{line} {said}" if line else said
    lines.append(line)
    return [f"{label if not index else '':<{_LABEL}}{text}" for index, text in enumerate(lines)]
