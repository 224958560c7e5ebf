"""Events of a run that goes on. Code that shows them (terminal, log, Prefect) passes a function that takes events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Event:
    """`stage` began (`total` known or None; `note`: what is done in it, where that is not what it mostly is), moved on by
    `documents` and `n_bytes`, or `note`: a line worth reading.

    `name`: the unit, file or shard that it is about; `span`: the task that has it; `generation`: the one that the run makes,
    once that is known.
    """

    kind: str  # begin | advance | end | note | wait
    stage: str
    total: int | None = None
    documents: int = 0
    n_bytes: int = 0
    steps: int = 0
    note: str = ""
    name: str = ""
    generation: int | None = None
    span: str = ""


OnEvent = Callable[[Event], None]


def of_generation(on_event: OnEvent, generation: int) -> OnEvent:
    """A listener that adds the generation to each event."""
    return lambda event: on_event(replace(event, generation=generation))


def of_span(on_event: OnEvent, span: str) -> OnEvent:
    """A listener that adds the span to each event."""
    return lambda event: on_event(replace(event, span=span))


def silent(_: Event) -> None:
    """A listener that ignores events."""
