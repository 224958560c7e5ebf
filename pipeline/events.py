"""What a run tells while it goes on. Whoever shows it (terminal, log, Prefect) passes a function that takes events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """`stage` began (`total` known or None), moved on by `documents` and `n_bytes`, or `note`: a line worth reading."""

    kind: str  # begin | advance | end | note | wait
    stage: str
    total: int | None = None
    documents: int = 0
    n_bytes: int = 0
    steps: int = 0
    note: str = ""


OnEvent = Callable[[Event], None]


def silent(_: Event) -> None:
    """Shows nothing."""
