"""A measurement of the compute saved, from arguments to files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.machine.events import OnEvent
    from pipeline.records.savings_json import Savings
    from pipeline.savings.measure import Request


def carry_out(request: Request, sweep_: str | None, by_reason: bool, on_event: OnEvent) -> Savings:
    """The measurement that the arguments ask for."""
    from pipeline.savings import measure, sweep

    if sweep_ is not None:
        return sweep.sweep(request, sweep_, on_event)
    return sweep.by_reason(request, on_event) if by_reason else measure.run(request, on_event)
