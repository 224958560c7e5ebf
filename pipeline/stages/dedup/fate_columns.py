"""Fates by rank, and the records that the index and the ledger are made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.machine.scratch import Log
from pipeline.stages.dedup.near import Links
from pipeline.stages.dedup.order import Order
from pipeline.stages.dedup.survivors import Survivors, Visits


@dataclass(frozen=True)
class Columns:
    """By rank. Numbers: the index's documents, then the ranks."""

    fate: np.ndarray
    """uint8: KEPT, EXACT, URL or NEAR."""
    survivor: np.ndarray
    """int64: number of the kept document that survives for a dropped one."""
    similarity: np.ndarray
    """float64: exact similarity to it, 1 for a copy of a kept document."""
    copies: np.ndarray
    """int32: documents of this generation that were dropped in favour of a kept one."""


@dataclass(frozen=True)
class Fates:
    """The result of dedup. `kept`: set of ranks (`bits`). SEEN records, sorted: the first document with each of `texts`, and with
    each of `urls`, copies of texts left out."""

    order: Order
    columns: Columns
    kept: np.ndarray
    links: Links
    survivors: Survivors
    texts: list[Log]
    urls: list[Log]
    visits: Visits | None
    """With `exact_url`: who holds each URL that several have."""
