"""Counts of n-grams after a curation that is large enough: they cost a tenth of it at most, and tell whether the order is right.

Invariant: what was published stays published, whatever becomes of the counts; nothing comes into a work directory that
was to go.
"""

from __future__ import annotations

from pipeline.errors import WinnowError
from pipeline.machine.events import Event, OnEvent
from pipeline.run.options import Result, RunOptions

LEAST_CPU_S = 200.0
"""Of a curation: below this the counts (20 CPU-seconds at the least) are more than a tenth of it, and nothing is imported for
them."""


def after(result: Result, options: RunOptions, on_event: OnEvent) -> Result:
    """The same result, its savings.json and page with the counts where they were made."""
    cost = result.metrics.cost.cpu_s
    if result.generation is None or options.clean or cost < LEAST_CPU_S:
        return result
    from pipeline.savings import automatic

    try:
        automatic.ngram_after(result.out, work=options.work, curation_cpu_s=cost, memory=options.memory, on_event=on_event)
    except (WinnowError, OSError, MemoryError) as error:
        said = f"published; its saving could not be counted ({error}): winnow savings tells more"
        on_event(Event("note", "savings", note=said))
    return result
