"""Measurements as savings.json holds them, by their figures alone."""

from __future__ import annotations

from typing import Any

from pipeline.records.base import Quantity
from pipeline.records.savings_json import (
    SCHEMA,
    ArmSize,
    Comparison,
    Costs,
    Decontaminated,
    DrawLine,
    Learner,
    Measured,
    MeasuringCost,
    Savings,
    SetLine,
    Status,
)


def compared(
    multiplier: float | None = 1.39,
    interval: tuple[float, float] | None = (1.26, 1.54),
    *,
    arm: str = "curated",
    statuses: tuple[Status, ...] = ("ok", "ok", "ok"),
    **changes: Any,
) -> Comparison:
    """The verdict follows from the interval, as `pipeline.savings.analysis` gives it."""
    verdict = (
        "no interval" if interval is None else "saves" if interval[0] > 1 else "costs" if interval[1] < 1 else "no difference"
    )
    reached = sum(status in ("ok", "at_floor", "reached_then_overfits") for status in statuses)
    given: dict[str, Any] = {
        "arm": arm, "baseline": "raw", "kept_share": 0.577, "multiplier": multiplier, "interval": interval, "bound": None,
        "verdict": verdict, "worth": 0.33, "worth_interval": (0.17, 0.5), "reached": reached, "gap": -0.12,
        "gap_interval": (-0.2, -0.1), "sd": 0.04, "target_error": 0.01, "freedom": 5.0, "budgets": (),
        "per_draw": tuple(DrawLine(multiplier=multiplier, status=status) for status in statuses),
    }  # fmt: skip
    return Comparison(**{**given, **changes})


def held(*lines: Comparison, name: str = "web", role: Any = "target", documents: int = 600, enough: bool = True) -> SetLine:
    curve = ((1e12, 3.1, 0.01), (2e12, 2.7, 0.02))
    return SetLine(
        name=name,
        role=role,
        bytes=900 * documents,
        documents=documents,
        clusters=documents,
        enough=enough,
        sha256="0",
        decontaminated=Decontaminated(lines=3, removed=0),
        curves={"raw": curve, **{line.arm: tuple((c, bits - 0.1, sd) for c, bits, sd in curve) for line in lines}},
        comparisons=lines,
    )


def measured(*sets: SetLine, tier: Any = "cpu", primary: str | None = "web", **changes: Any) -> Measured:
    spent = {name: Quantity(0.1, "", "measured", "") for name in ("cpu_hours", "dollars", "kwh")}
    given: dict[str, Any] = {
        "definition": "", "targets": "0", "draws": 6,
        "arms": tuple(ArmSize(arm=name, what=name, documents=1, bytes=1, corpus_bytes=1) for name in ("raw", "curated")),
        "learner": Learner(what="a model of 0.16 M parameters", unit="FLOPs", largest=2e12),
        "costs": Costs(measuring=MeasuringCost(**spent), curation_cpu_s=57.0, curation_dollars=0.01),
    }  # fmt: skip
    return Measured(tier=tier, primary=primary, sets=sets or (held(compared()),), **{**given, **changes})


def savings(*found: Measured, generation: int | None = 2, **changes: Any) -> Savings:
    return Savings(schema_version=SCHEMA, generation=generation, measured=found or (measured(),), **changes)
