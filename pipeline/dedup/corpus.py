"""The dedup stage over everything a run reads: gathers documents in priority order, decides, and stores fates and evidence.

A judgement: its key holds the dedup keys of the plan, the names of the units' tables and the index of earlier generations.
All in memory for now; what crosses to other stages is one `FATES` table a unit and the index part of this generation.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.annotate import Annotated
from pipeline.dedup import bands
from pipeline.events import OnEvent
from pipeline.manifest import FileRecord, Manifest
from pipeline.recipe import Recipe
from pipeline.store import Store


@dataclass(frozen=True)
class Decided:
    """Names of the units' fates (None without dedup), what metrics.json says of dedup, and the index part in `folder`."""

    fates: tuple[str | None, ...]
    summary: dict[str, Any] | None = None
    index: tuple[str, ...] = ()  # names in the work directory
    costs: dict[str, float] = field(default_factory=dict)


def decide(
    work: Store,
    out: Store,
    recipe: Recipe,
    units: Sequence[Annotated],
    live: Sequence[Manifest],
    generation: int,
    on_event: OnEvent,
) -> Decided:
    """Exact and near duplicates among the documents that the filters kept, against all live generations."""
    if recipe.plan.dedup is None:
        return Decided(fates=tuple(None for _ in units))
    raise NotImplementedError


def stage_index(work: Store, staging: str, decided: Decided, generation: int) -> list[FileRecord]:
    """Put this generation's index part into the staging folder, named as it will be in the output."""
    return []
