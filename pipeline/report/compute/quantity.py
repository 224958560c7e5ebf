"""Quantities of the compute ledger that follow from others by a formula."""

from __future__ import annotations

from pipeline.records.base import Quantity


def computed(value: float | None, unit: str, source: str) -> Quantity:
    """A quantity that follows from others by the formula `source`."""
    return Quantity(value, unit, "computed", source)
