"""What an edit is: named steps, each a pure function from texts to texts, row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from filters.contract import ContractError, Settings


@dataclass(frozen=True, kw_only=True)
class Step:
    """`name` is what the ledger shows (`<edit>.<step>`); `apply` maps a String series to one of the same length.

    `mask`: it hides something, so it applies to `url` and `metadata` as well.
    """

    name: str
    apply: Callable[[pl.Series], pl.Series]
    mask: bool = False


@dataclass(frozen=True, kw_only=True)
class Edit:
    name: str
    """Its key under `edits:` in a plan."""
    version: int
    """Raise it when a step gives another text."""
    summary: str
    params: type[Settings]
    steps: Callable[[Any], list[Step]]


def apply(steps: list[Step], text: pl.Series) -> tuple[pl.Series, list[pl.Series]]:
    """Apply `steps` in order. Returns the final text and, for each step, which rows it changed (Boolean)."""
    changed = []
    for step in steps:
        after = step.apply(text)
        if len(after) != len(text) or after.dtype != pl.String or after.null_count():
            raise ContractError(
                f"edit step {step.name}: expected {len(text)} texts without nulls, got {after.dtype} x {len(after)}"
            )
        changed.append(after != text)
        text = after
    return text, changed
