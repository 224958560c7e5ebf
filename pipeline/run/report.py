"""What metrics.json says of a generation, and whether the plan's checks let it be published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import CheckFailed
from pipeline.output import manifest
from pipeline.report.compute import ledger
from pipeline.report.metrics import changes, checks
from pipeline.report.metrics import collect as metrics
from pipeline.report.metrics.tally import Tally
from pipeline.report.refusal import in_words, refusal
from pipeline.run import accounts
from pipeline.run.context import Context
from pipeline.run.judgement import Judgement
from pipeline.run.options import RunOptions
from pipeline.run.state import Run
from pipeline.stages.unit.annotate import Annotated


@dataclass(frozen=True)
class Report:
    """The metrics, which grow until the commit, and the checks that failed, in words."""

    metrics: dict[str, Any]
    failed: tuple[str, ...]


def collect(context: Context, tally: Tally, judgement: Judgement) -> Report:
    """The metrics of what was judged. Raises CheckFailed where a failed check stops the run."""
    run = context.run
    found = metrics.collect(
        run.recipe,
        tally,
        generation=run.generation,
        live=list(run.next_live),
        plan_name=context.loaded.name,
        duplicates=judgement.dedup.summary,
    )
    found["selection"] = judgement.selection.summary
    found["notes"] = [*run.notes, *metrics.unscored_notes(found["models"])]
    found["versions"] = manifest.versions()
    found["architecture"] = run.architecture
    found["changes"] = changes.since(run.live[-1].metrics, found) if run.live else None
    return Report(found, _check(run, found, context.options))


def _check(run: Run, found: dict[str, Any], options: RunOptions) -> tuple[str, ...]:
    """What failed, in words. Raises CheckFailed where that stops the run."""
    before = run.live[-1].metrics if run.live else None
    limits = run.recipe.plan.checks
    found["checks"] = checks.judge(limits, found, before)
    failed = [c for c in found["checks"] if c["failed"]]
    if failed and limits.on_fail == "stop":
        if not options.accept:
            raise CheckFailed(refusal(found, before))
        found["notes"].append("published with --accept, although a check failed")
    return tuple(map(in_words, failed))


def add_costs(context: Context, report: Report, units: tuple[Annotated, ...], *, seconds: Mapping[str, float]) -> None:
    """What the run cost, and the compute that it saves. `seconds`: CPU seconds of the stages that no unit accounts for."""
    found = report.metrics
    elsewhere = sum(used for unit in units for _, used in unit.costs) if context.options.runner_address else 0.0
    found["cost"] = accounts.by_stage(units, dict(seconds), context.cost(), elsewhere)
    found["compute"] = ledger.ledger(
        context.run.recipe.plan.compute,
        tokens_read=found["tokens"]["read"],
        tokens_kept=found["tokens"]["kept"],
        tokens_kind=found["tokens"]["kind"],
        curation_cpu_s=found["cost"]["cpu_s"],
        lost_cpu_s=found["cost"]["lost_cpu_s"],
        languages=[(line["language"], line["bytes_kept"]) for line in found["by_language"] if line["language"]],
    )
