"""The summary at the end of a run: where the documents went, what was found, what it cost, and where the report lies."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.plan import scores
from pipeline.records.counts import Duplicates, Histogram, ModelLine, ReplacedLine, Tokens, Unreadable
from pipeline.records.metrics_json import Metrics, StoreTraffic
from pipeline.records.savings_json import Savings
from pipeline.records.selection import Selection
from pipeline.report import damage
from pipeline.report.compute import statement
from pipeline.report.page.page import MOST_LINES, pace
from pipeline.report.refusal import in_words, nevertheless
from pipeline.report.table import Part, Said, paragraphs, table
from pipeline.text import numbers
from pipeline.text.shell import quoted
from pipeline.text.visible import visible

MOST_REASONS = 6
"""Chosen so that the whole summary stays within 30 lines; the report has all reasons."""

LEAST_SHARE = 0.01
"""Of a run's CPU time, what a stage takes that is named; chosen so that the line names all that anybody would speed up."""

LEAST_WAIT_S = 1.0
"""Seconds that a run waited for kernels, from which on they are named: only where they were compiled."""

MOST_LANGUAGES = 3
"""Languages without a score that are named; chosen so that a model takes a line or two."""


def summary(metrics: Metrics, *, out: str, savings: Savings | None = None) -> Said:
    """What a person wants to know at the end; `out` is the output folder, for the report's path; `savings`: what savings.json
    holds, None before it was measured."""
    failed = _some("CHECK FAILED", [in_words(check) for check in metrics.checks if check.failed], where="the report")
    worst = sorted(metrics.damaged, key=lambda file: -file.lost_rows)
    lost = (
        [("DAMAGED", damage.headline(worst)), *_some("", list(map(damage.in_words, worst)), where="metrics.json")]
        if worst
        else []
    )
    labelled = [
        ("duplicates", _duplicates(metrics.duplicates)),
        *_annotations(metrics.signals),
        *_models(metrics.models),
        *_selection(metrics.selection),
        ("quarantine", _quarantine(metrics.quarantine)),
        *_passed(metrics.passed),
        *_replaced(metrics.replaced),
        ("tokens", _tokens(metrics.tokens)),
        *_cost(metrics),
        *_stores(metrics.cost.stores),
        *_some("note", metrics.notes, where="metrics.json"),
    ]
    look = _here(f"winnow inspect --output {quoted(out)}")
    failed = [*failed, ("", nevertheless(metrics, look=look))] if failed else []
    loud = [*failed, *lost]
    above: list[Part] = [paragraphs(loud), ""] if loud else []
    return [
        *above,
        _documents(metrics),
        "",
        paragraphs(labelled),
        *closing(metrics, savings, out=out),
    ]


def closing(metrics: Metrics, savings: Savings | None, *, out: str) -> Said:
    """What every run ends with, also one that found nothing new: compute, what was measured or measures it, the report."""
    said = statement.of(metrics, savings, out=out)
    computed = [one for one in said.sentences() if one != said.finding]
    labelled = [("" if number else "compute", one) for number, one in enumerate(computed)]
    if said.finding:
        labelled.append(("saving", f"{said.finding} {said.todo}:" if said.command else said.finding))
    commands = [f"              {_here(said.command)}"] if said.command else []  # lines of their own, so that they can be copied
    return [paragraphs(labelled), *commands, *_next(out)]


def _next(out: str) -> list[str]:
    """Three things to do next. Each is a line of its own, not folded, so that it can be copied."""
    return [
        f"report        {out.rstrip('/')}/report.html",
        f"browse        {_here(f'winnow inspect --output {quoted(out)} browse')}",
        f"your own      {_here('winnow curate --input FILES_OR_FOLDER --output NEW_FOLDER')}",
    ]


def _here(command: str) -> str:
    """A command of `winnow` as it can be run from the current folder: the environment need not be active."""
    arguments = command.removeprefix("winnow ")
    script = Path(sys.executable).with_name("winnow")
    if not script.exists():
        return f"{quoted(_short(Path(sys.executable)))} -m flows.{arguments}"
    found = shutil.which("winnow")
    return command if found and Path(found) == script else f"{quoted(_short(script))} {arguments}"


def _short(path: Path) -> str:
    """As short as it can be written in the current folder."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _some(label: str, texts: Sequence[str], *, where: str) -> list[tuple[str, str]]:
    """The first texts, and how many more there are `where`."""
    more = [("", f"and {numbers.count(len(texts) - MOST_LINES)} more, in {where}")] if len(texts) > MOST_LINES else []
    return [*((label, text) for text in texts[:MOST_LINES]), *more]


def _documents(metrics: Metrics) -> Part:
    """The totals, and the reasons that dropped most."""
    found = sorted((r for r in metrics.reasons if r.first), key=lambda r: -r.first)
    lines = [*metrics.totals.lines(), *((f"  {r.reason}", r.first, r.first_bytes) for r in found[:MOST_REASONS])]
    rest = found[MOST_REASONS:]
    if rest:
        lines.append(
            (f"  {numbers.counted(len(rest), 'more reason')}", sum(r.first for r in rest), sum(r.first_bytes for r in rest))
        )
    read = metrics.totals.read
    rows = [(name, numbers.count(n), numbers.share(n, read), numbers.size(size)) for name, n, size in lines]
    if found:
        rows.insert(len(metrics.totals.lines()), ("dropped, by the first reason", "", "", ""))
    return table((f"{metrics.plan_name}, generation {metrics.generation}", ">documents", ">share", ">bytes"), rows)


def _duplicates(found: Duplicates | None) -> str:
    if found is None:
        return "not looked for (dedup: false)"
    counts = f"{numbers.count(found.exact)} exact, {numbers.count(found.near)} near"
    return f"{counts} (similarity {numbers.plain(found.threshold)} or more); {_recall(found)}"


def _recall(found: Duplicates) -> str:
    """The computed chance to find a pair at the threshold and 0.05 above, and what planted copies showed from there on."""
    limit = found.threshold
    curve = {round(similarity, 4): chance for similarity, chance in found.detection}
    above = min((s for s in curve if s >= limit + 0.05 - 1e-9), default=limit)
    chances = (f"{numbers.percent(curve[round(at, 4)])} at {numbers.plain(at)}" for at in (limit, above))
    said = f"a pair is found with {', '.join(chances)}"
    planted = [(n, hit) for similarity, n, hit, _ in found.measured if similarity >= limit]
    if not planted:
        return said
    hit, all_ = sum(hit for _, hit in planted), sum(n for n, _ in planted)
    return f"{said}; self-test: {numbers.count(hit)} of {numbers.counted(all_, 'planted copy', 'planted copies')} found"


def _annotations(signals: Sequence[Histogram]) -> Iterator[tuple[str, str]]:
    """How many documents have each number computed elsewhere: keys that match nothing drop nothing, and would pass unseen."""
    said = (
        f"{signal.signal} of {numbers.count(signal.scored)} of {numbers.counted(signal.scored + signal.nulls, 'document')}"
        for signal in signals
        if signal.filter == scores.NAME
    )
    text = ", ".join(said)
    if text:
        yield "annotations", text


def _models(models: Sequence[ModelLine]) -> Iterator[tuple[str, str]]:
    """What the models scored, and the languages that they do not cover: a text that is not scored is not a clean one."""
    same: dict[tuple[int, tuple[tuple[str, int], ...]], list[ModelLine]] = {}
    for model in models:
        same.setdefault((model.scored, model.not_covered), []).append(model)
    for (scored, left), group in same.items():
        said = f"{', '.join(model.filter for model in group)} scored {numbers.count(scored)}"
        if left:
            codes = [f"{code} {numbers.count(n)}" for code, n in left[:MOST_LANGUAGES]]
            codes += [f"{numbers.count(len(left) - MOST_LANGUAGES)} more"] if len(left) > MOST_LANGUAGES else []
            said += f"; not covered {numbers.count(sum(n for _, n in left))}: {', '.join(codes)}"
        yield "models", said


def _selection(found: Selection | None) -> Iterator[tuple[str, str]]:
    if found is None:
        return
    said = f"{numbers.count(found.selected)} by {found.score}, {numbers.count(found.not_selected)} not"
    said += f" ({numbers.count(found.unscored)} without a score)"
    if found.budget is not None:
        said += f"; {numbers.short(found.tokens_of_all_generations)} tokens of a budget of {numbers.short(found.budget)}"
        said += f" (over by {numbers.short(found.over_budget)})" if found.over_budget else ""
    yield "selected", said


def _quarantine(causes: Sequence[Unreadable]) -> str:
    ordered = sorted(causes, key=lambda c: -c.rows)[:MOST_LINES]
    return ", ".join(f"{numbers.count(c.rows)} {c.cause}" for c in ordered) or "empty: every row could be read"


def _passed(records: Sequence[tuple[str, int]]) -> Iterator[tuple[str, str]]:
    """Records of archives that are no rows."""
    if records:
        yield "no rows", ", ".join(f"{numbers.count(n)} {kind}" for kind, n in records) + " (records of WARC)"


def _replaced(lines: Sequence[ReplacedLine]) -> Iterator[tuple[str, str]]:
    """Values of other columns than the text's for which metadata hold text or null."""
    ordered = sorted(lines, key=lambda line: (-line.values, line.column))
    said = [f"{numbers.count(line.values)} {line.kind} in {visible(line.column, limit=40)}" for line in ordered[:MOST_LINES]]
    said += [f"{numbers.count(len(lines) - MOST_LINES)} more, in metrics.json"] if len(lines) > MOST_LINES else []
    if said:
        yield "replaced", ", ".join(said)


def _tokens(tokens: Tokens) -> str:
    return f"{numbers.short(tokens.kept)} kept of {numbers.short(tokens.read)} ({tokens.kind})"


def _cost(metrics: Metrics) -> Iterator[tuple[str, str]]:
    cost = metrics.cost
    per_cpu = f"{numbers.digits(cost.mb_per_cpu_s)} MB per CPU second without compiling"
    workers = numbers.counted(cost.workers, "worker")
    waited = f" ({numbers.seconds(cost.compile_wall_s)} of it for kernels)" if cost.compile_wall_s >= LEAST_WAIT_S else ""
    yield "took", f"{numbers.seconds(cost.wall_s)}{waited}, {numbers.digits(pace(metrics))} MB/s, {per_cpu}, {workers}"
    shown = [stage for stage in cost.stages if stage.cpu_s >= LEAST_SHARE * cost.cpu_s]
    stages = [f"{stage.stage} {numbers.seconds(stage.cpu_s)}" for stage in shown]
    rest = cost.stages[len(shown) :]
    stages += [f"{len(rest)} more {numbers.seconds(sum(stage.cpu_s for stage in rest))}"] if rest else []
    yield "CPU", ", ".join([numbers.seconds(cost.cpu_s) + ("" if cost.exact else " (stages estimated)"), *stages])
    yield "memory", f"{numbers.size(cost.peak_memory_bytes)} at the peak"
    yield "disk", f"shards and index {numbers.size(cost.output_bytes)}, work directory {numbers.size(cost.work_bytes)}"


def _stores(stores: Mapping[str, StoreTraffic]) -> Iterator[tuple[str, str]]:
    """Requests and bytes of object stores; local folders are not named."""
    for name, one in stores.items():
        if one.remote:
            moved = f"{numbers.size(one.bytes_read)} read, {numbers.size(one.bytes_written)} written"
            yield "store", f"{name} {numbers.counted(one.requests, 'request')}, {moved}"
