"""The metrics of a generation, and the plan's checks, which decide whether it is published."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import CheckFailed
from pipeline.output import manifest
from pipeline.read.rows import summed
from pipeline.records.base import FileRecord
from pipeline.records.counts import Counts
from pipeline.records.metrics_json import Check, RunMetrics
from pipeline.report.metrics import changes, checks
from pipeline.report.metrics import collect as metrics
from pipeline.report.metrics.tally import Tally, by_plan_source, reasons_by_plan_source
from pipeline.report.refusal import ACCEPTED, in_words, refusal
from pipeline.run import accounts, damage
from pipeline.run.context import Context
from pipeline.run.judgement import Judgement
from pipeline.run.state import Compiled, Run
from pipeline.stages.unit.annotate import Annotated
from pipeline.text import numbers


@dataclass(frozen=True)
class Report:
    """The counts and the plan's checks, before anything is written."""

    counts: Counts
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """The checks that failed, in words."""
        return tuple(in_words(check) for check in self.checks if check.failed)


def counts(context: Context, units: Sequence[Annotated], tally: Tally, *, judgement: Judgement) -> Counts:
    """The counts of what was judged."""
    run = context.run
    search, selection = judgement.dedup.search, judgement.selection.selection
    about = metrics.About(
        generation=run.generation,
        live=run.next_live,
        plan_name=context.loaded.name,
        notes=run.notes,
        passed_over=run.passed_over,
        versions=manifest.versions(),
        architecture=platform.machine(),
        replaced=summed(unit.replaced for unit in units),
    )
    return metrics.collect(run.recipe, tally, about, search=search, selection=selection)


def collect(context: Context, units: Sequence[Annotated], tally: Tally, *, judgement: Judgement) -> Report:
    """The counts of what was judged, and the checks. Raises CheckFailed where one stops the run, or nothing was kept."""
    run, plan = context.run, context.run.recipe.plan
    found = counts(context, units, tally, judgement=judgement)
    before = run.before.metrics if run.before else None
    sources, reasons = by_plan_source(tally), reasons_by_plan_source(tally)
    held = sum(made.totals.kept for made in run.live)
    report = Report(found, checks.judge(plan.checks, found, before, held=held, sources=sources, reasons=reasons))
    nothing = any(check.check == checks.KEPT_NOTHING for check in report.checks)
    if nothing or (report.failed and plan.checks.on_fail == "stop"):
        if not context.options.accept:
            raise CheckFailed(refusal(found, report.checks, before, on_disk=_on_disk(run)))
        notes = (*found.notes, ACCEPTED)
        return Report(found.model_copy(update={"notes": notes}), report.checks)
    return report


def _on_disk(run: Run) -> str:
    """What the output holds while nothing is published."""
    live = manifest.live(list(run.history.manifests))
    if not live:
        return f"no generation in {run.out.root}"
    kept = sum(made.totals.kept for made in live)
    return f"{run.out.root} as generation {live[-1].generation} left it, {numbers.count(kept)} documents kept"


def with_costs(
    context: Context,
    report: Report,
    units: Sequence[Annotated],
    *,
    compiled: Compiled,
    files: tuple[FileRecord, ...],
    index: Sequence[FileRecord],
) -> RunMetrics:
    """The metrics of the generation. `compiled`: what kernels took."""
    run: Run = context.run
    size = sum(record.bytes for record in (*files, *index))
    cost = accounts.cost(run, context.options, context.started, units=units, compiled=compiled, output_bytes=size)
    return RunMetrics(
        **dict(report.counts),
        changes=changes.since(run.before.metrics, report.counts) if run.before else None,
        checks=report.checks,
        cost=cost,
        compute=metrics.ledger(report.counts, run.recipe.plan.compute, cost),
        files=files,
        damaged=damage.damaged(run, units),
        passed=damage.passed(units),
    )
