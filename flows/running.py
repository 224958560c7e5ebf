"""A curation, however it was asked for: from the command line or from Python, under Prefect or in this process, here or on a
cluster. One way for all of them, so that they give the same bytes and meet failures alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.serving.server import Temporary
    from pipeline.machine.events import OnEvent
    from pipeline.plan.load import LoadedPlan
    from pipeline.records.savings_json import Savings
    from pipeline.report.table import Said
    from pipeline.run.options import Result, RunOptions


def run(
    loaded: LoadedPlan, options: RunOptions, *, on_event: OnEvent, inline: bool, temporary: Temporary | None = None
) -> Result:
    """The run's result, its counts of n-grams made where it is large. `inline`: without Prefect; `temporary`: a server that
    starts already. Raises the errors of `pipeline.errors`; the same call then goes on where it stopped."""
    from flows import counting
    from flows.retry import BACK_OFF_S, tried
    from pipeline.machine.schedule import in_process
    from pipeline.run import execute

    if inline and options.runner == "local":
        made = tried(
            lambda: execute.execute(loaded, options, mapper=in_process(options.workers), on_event=on_event),
            retries=options.retries,
            back_off_s=BACK_OFF_S,
            on_event=on_event,
        )
        return counting.after(made, options, on_event)
    if inline:
        from pipeline.run.cluster import engine
        from pipeline.run.cluster.open import connect

        with connect(options.runner, options.runner_address, workers=options.workers) as cluster:
            made = execute.execute(loaded, options, mapper=engine.mapper(cluster), on_event=on_event)
        return counting.after(made, options, on_event)
    from flows import prefect_flow

    return prefect_flow.run_in_flow(loaded, options, on_event=on_event, temporary=temporary)


def said(result: Result) -> Said:
    """What a person is told of a result."""
    from pipeline import report
    from pipeline.text import numbers

    savings = savings_of(result.out)
    if result.generation is not None:
        return report.summary(result.metrics, out=result.out, savings=savings)
    kept, newest = result.metrics.all_generations.kept, result.metrics.generation
    stays = f"{result.out} stays as generation {newest} left it, {numbers.counted(kept, 'document')} kept"
    return [f"nothing new: {stays}", *report.closing(result.metrics, savings, out=result.out)]


def savings_of(out: str) -> Savings | None:
    """What was measured of the output."""
    from pipeline.report import publish
    from pipeline.store.store import open_store

    return publish.savings_of(open_store(out, create=False))
