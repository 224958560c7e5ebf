"""Metrics of a run over nothing, for tests that set the few numbers that they look at."""

from __future__ import annotations

from typing import Any

from pipeline.plan.compute import Compute
from pipeline.records.base import Totals
from pipeline.records.counts import SCHEMA_VERSION, Counts, FinalBytes, Histogram, ReasonLine, SourceLine, Tokens
from pipeline.records.metrics_json import Cost, Metrics
from pipeline.report.compute import ledger


def counts(**given: Any) -> Counts:
    """Counts with these keys, and nothing else in them."""
    names = ("funnel", "reasons", "by_source", "by_language", "edits", "signals", "models", "quarantine", "notes")
    nothing = {
        **dict.fromkeys(names, ()),
        "schema_version": SCHEMA_VERSION,
        "generation": 1,
        "live": (1,),
        "plan_name": "none@1",
        "recipe_hash": "0" * 32,
        "totals": totals(0, 0),
        "final_bytes": FinalBytes(read=0, kept=0),
        "overlap": {},
        "crossed": {},
        "duplicates": None,
        "tokens": Tokens(kind="estimated", read=0, kept=0, bytes_per_token=4.0, basis="estimated"),
        "selection": None,
        "versions": {},
        "architecture": "x86_64",
    }
    return Counts(**{**nothing, **given})


def metrics() -> Metrics:
    """The whole of metrics.json."""
    zero = dict.fromkeys(("wall_s", "cpu_s", "lost_cpu_s", "workers", "peak_memory_bytes", "work_bytes"), 0)
    return Metrics(
        **dict(counts()),
        changes=None,
        checks=(),
        cost=Cost(**zero, exact=True, stages=(), mb_per_cpu_s=0, output_bytes=0),
        compute=ledger.ledger(Compute(), tokens_read=0, tokens_kept=0, tokens_kind="estimated", curation_cpu_s=0.0),
        files=(),
        all_generations=totals(0, 0),
    )


def totals(read: int, kept: int, dropped: int = 0) -> Totals:
    """Documents that were neither kept nor dropped are quarantined; a document has one byte."""
    n = {"kept": kept, "dropped": dropped, "quarantined": read - kept - dropped}
    return Totals(read=read, **n, bytes_read=read, **{f"bytes_{name}": size for name, size in n.items()})


def reason(name: str, first: int) -> ReasonLine:
    return ReasonLine(reason=name, stage="filter", first=first, first_bytes=first, any=first, only=first)


def source(name: str, read: int, kept: int) -> SourceLine:
    dropped = read - kept
    return SourceLine(source=name, read=read, kept=kept, dropped=dropped, quarantined=0, bytes_read=read, bytes_kept=kept)


def signal(name: str, edges: list[float], counts: list[int]) -> Histogram:
    given = {"edges": tuple(edges), "counts": tuple(counts), "nulls": 0, "thresholds": {}, "limits": ()}
    return Histogram(signal=name, filter="f", whole=False, **given)
