"""What an edit is: named steps, each a pure function from texts to texts, row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from filters.contract import ContractError, Settings
from filters.kernels import buffers


@dataclass(frozen=True, kw_only=True)
class Step:
    """`name` is what the ledger shows (`<edit>.<step>`); `apply` maps a String series to one of the same length.

    `mask`: it hides something, so it applies to what stands beside the text as well.
    """

    name: str
    apply: Callable[[pl.Series], pl.Series]
    mask: bool = False


@dataclass(frozen=True, kw_only=True)
class Walk:
    """Several named changes from one walk of a kernel over Arrow's buffers.

    `apply(offsets, data)` gives `(starts int64[n + 1], bytes uint8[:], changes uint8[n])`: row i becomes
    `bytes[starts[i]:starts[i + 1]]`, and bit k of `changes[i]` says that `names[k]` changed it. No bit is set if and only if the
    row stays as it is. `mask`: as a Step's.
    """

    names: tuple[str, ...]
    apply: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
    mask: bool = False


@dataclass(frozen=True, kw_only=True)
class Edit:
    name: str
    """Its key under `edits:` in a plan."""
    version: int
    """Raise it when a step gives another text."""
    summary: str
    params: type[Settings]
    files: Callable[[Any], tuple[Path, ...]] | None = None
    """Files that `load` reads for these params; their sha256 enters the key of the final text."""
    load: Callable[[Any], Any] | None = None
    """Reads what the steps need, once before a run; raises ValueError where that is not what it should be."""
    steps: Callable[[Any], Sequence[Step | Walk]]


def apply(steps: Sequence[Step | Walk], text: pa.LargeStringArray) -> tuple[pa.LargeStringArray, list[tuple[str, np.ndarray]]]:
    """Apply `steps` in order. Returns the final text and, for each name, which rows it changed (bool[n])."""
    changed: list[tuple[str, np.ndarray]] = []
    for step in steps:
        text, made = _walk(step, text) if isinstance(step, Walk) else _step(step, text)
        changed += made
    return text, changed


def _step(step: Step, text: pa.LargeStringArray) -> tuple[pa.LargeStringArray, list[tuple[str, np.ndarray]]]:
    before = pl.Series("text", pl.from_arrow(text), dtype=pl.String)
    after = step.apply(before)
    if len(after) != len(before) or after.dtype != pl.String or after.null_count():
        raise ContractError(
            f"edit step {step.name}: expected {len(before)} texts without nulls, got {after.dtype} x {len(after)}"
        )
    changed = (after != before).to_numpy()
    return after.to_arrow().cast(pa.large_string()) if changed.any() else text, [(step.name, changed)]


def _walk(walk: Walk, text: pa.LargeStringArray) -> tuple[pa.LargeStringArray, list[tuple[str, np.ndarray]]]:
    starts, data, changes = walk.apply(*buffers.views(text))
    if (len(starts), len(changes)) != (len(text) + 1, len(text)):
        raise ContractError(f"edit {walk.names[0]}: expected {len(text)} texts, got {len(starts) - 1}")
    if changes.any():
        text = pa.LargeStringArray.from_buffers(len(text), pa.py_buffer(starts), pa.py_buffer(data))
    return text, [(name, (changes >> k & 1).astype(bool)) for k, name in enumerate(walk.names)]
