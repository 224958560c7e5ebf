"""A measurement as it was asked for: of an output, of values of a plan key, or of each filter's share."""

from __future__ import annotations

from pipeline.machine.events import OnEvent
from pipeline.records.savings_json import Savings
from pipeline.savings import measure
from pipeline.savings import sweep as sweep_
from pipeline.savings.measure import Request


def carry_out(request: Request, on_event: OnEvent, *, sweep: str | None = None, by_reason: bool = False) -> Savings:
    """Measure and publish; returns what `savings.json` then holds. `sweep`: KEY=V1,V2 of the plan; `by_reason`: with each filter
    off in turn."""
    if sweep is not None:
        made = sweep_.sweep(request, sweep, on_event)
    else:
        made = sweep_.by_reason(request, on_event) if by_reason else measure.measured(request, on_event).alone()
    return measure.publish_savings(measure.open_folders(request).out, made)
