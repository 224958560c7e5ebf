"""`--sample SHARE`: an early look. Judges a seeded share of whole units and estimates what the run would do; publishes nothing.

The units' facts stay in the work directory, so the run that follows does not make them again. Units are chosen by a hash of their
place, so a larger share takes in a smaller one. Estimates are shares of rows read; intervals are percentile bootstraps over units
(Efron & Tibshirani 1993, chapter 13), because rows of one unit are alike. Near duplicates are not looked for; exact ones are
counted among the sampled rows only, where the run compares with everything: a lower bound.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import zstandard

from pipeline.machine.events import Event, OnEvent
from pipeline.machine.meter import Phases
from pipeline.machine.schedule import Mapper
from pipeline.plan.load import LoadedPlan
from pipeline.report.table import Part, Said, paragraphs, table
from pipeline.run import prepare
from pipeline.run.options import RunOptions
from pipeline.run.spans import Input, make_spans, run_span, stream_units
from pipeline.run.state import Run
from pipeline.stages import sampling
from pipeline.stages.dedup import part
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.tables import names, texts_at
from pipeline.store.store import Store
from pipeline.text import numbers

RESAMPLES = 2_000
PROBE_BYTES = 4_000_000
"""Kept text that is compressed to estimate shards; chosen because zstd's ratio hardly moves beyond."""


@dataclass(frozen=True)
class _Counts:
    """Rows of one unit: read, kept by the filters, and by first reason."""

    rows: int
    kept: int
    reasons: dict[str, int]


Share = tuple[float, float | None, float | None]
"""A share of the rows read, and its interval's ends; None from fewer than two units."""


@dataclass(frozen=True)
class Estimates:
    """What the whole run would do and take. `units`, `bytes`: judged, and all.

    `seconds` and `work_bytes` are None where every unit had been judged before.
    """

    units: tuple[int, int]
    bytes: tuple[int, int]
    rows: int
    kept: Share
    reasons: dict[str, Share]
    exact_duplicates: float
    seconds: float | None
    work_bytes: int | None
    output_bytes: int


def estimate(loaded: LoadedPlan, options: RunOptions, share: float, *, mapper: Mapper, on_event: OnEvent) -> Estimates | None:
    """The estimates; None where nothing is new."""
    with prepare.open_run(loaded, options, on_event, phases=Phases.begin()) as held:
        chosen = _chosen(held.inputs, share=share, seed=held.recipe.plan.seed)
        if not chosen:
            return None
        held.warmed.result()
        sampled, whole = (sum(_bytes(item) for item in inputs) for inputs in (chosen, held.inputs))
        new = sum(_bytes(item) for item in chosen if not _judged(held, item))
        before, started = held.work.bytes_below(), time.monotonic()
        done = _annotated(held, chosen, mapper, on_event=on_event)
        seconds, made = time.monotonic() - started, held.work.bytes_below() - before
        counts = [_counts(held.work, unit) for unit in done]
        rows = sum(count.rows for count in counts)
        reasons = sorted({reason for count in counts for reason in count.reasons})
        exact = _repeated(held.work, done)
        return Estimates(
            units=(sum(len(i.units or (i,)) for i in chosen), sum(len(i.units or (i,)) for i in held.inputs)),
            bytes=(sampled, whole),
            rows=rows,
            kept=_share([c.kept for c in counts], counts),
            reasons={name: _share([c.reasons.get(name, 0) for c in counts], counts) for name in reasons},
            exact_duplicates=exact / rows if rows else 0.0,
            seconds=seconds * whole / new if new else None,
            work_bytes=int(made * whole / new) if new else None,
            output_bytes=int(_compressed(held.work, done) * whole / sampled),
        )


def plain(found: Estimates | None) -> dict[str, object]:
    """The estimates as JSON."""
    return {"units": (0, 0)} if found is None else asdict(found)


def _chosen(inputs: Sequence[Input], *, share: float, seed: int) -> list[Input]:
    """The inputs with the chosen units only, at least one. A compressed stream is one unit: it is read from its start."""
    places = [
        (number, unit, f"{item.file.path} unit {unit}" if item.units is not None else item.file.path)
        for number, item in enumerate(inputs)
        for unit in range(1 if item.units is None else len(item.units))
    ]
    if not places:
        return []
    drawn = sampling.fractions((name for _, _, name in places), seed=seed, purpose="sample")
    by_input: dict[int, list[int]] = {}
    for at in np.flatnonzero((drawn < share) | (drawn == drawn.min())).tolist():
        by_input.setdefault(places[at][0], []).append(places[at][1])
    return [_part(inputs[number], units) for number, units in by_input.items()]


def _part(item: Input, units: list[int]) -> Input:
    if item.units is None:
        return item
    own = tuple(item.units[unit] for unit in units)
    return replace(item, file=replace(item.file, size=item.file.size * len(own) // len(item.units)), units=own)


def _bytes(item: Input) -> int:
    return max(1, item.file.size)


def _judged(held: Run, item: Input) -> bool:
    """Whether an earlier run or estimate has judged all of the input."""
    units = item.units if item.units is not None else stream_units(held.work, item)
    return units is not None and all(held.work.has(names(unit, held.recipe).verdicts) for unit in units)


def _annotated(held: Run, chosen: Sequence[Input], mapper: Mapper, *, on_event: OnEvent) -> list[Annotated]:
    on_event(Event("begin", "annotate", total=sum(map(_bytes, chosen))))

    def one(span: Any) -> list[Annotated]:
        return run_span(held.work, held.recipe, span, pool=held.pool, on_event=on_event)

    done = [unit for units in mapper("annotate", one, make_spans(chosen), stop=held.pool.stop) for unit in units]
    on_event(Event("end", "annotate"))
    return done


def _counts(work: Store, unit: Annotated) -> _Counts:
    reasons = work.read_frame(unit.names.verdicts, ["reason"])["reason"].drop_nulls().value_counts()
    found = dict(reasons.iter_rows()) | ({"quarantined": unit.bad_rows} if unit.bad_rows else {})
    return _Counts(unit.rows + unit.bad_rows, unit.kept, found)


def _repeated(work: Store, done: Sequence[Annotated]) -> int:
    """Kept rows whose text another sampled row has."""
    seen = [work.read_frame(unit.names.final, ["text_hash"])[part.kept_rows(work, unit)] for unit in done if unit.kept]
    return sum(map(len, seen)) - len(pl.concat(seen).unique()) if seen else 0


def _compressed(work: Store, done: Sequence[Annotated]) -> float:
    """Bytes of the sampled units' kept text in shards."""
    size = 0
    probe: list[bytes] = []
    for unit in done:
        rows = part.kept_rows(work, unit)
        size += int(work.read_frame(unit.names.final, ["n_bytes"])["n_bytes"].gather(rows).sum())
        if len(rows) and sum(len(text) for text in probe) < PROBE_BYTES:
            probe += [text.encode() for text in texts_at(work, unit.names, rows[:2_000]).to_pylist()]
    joined = b"".join(probe)[:PROBE_BYTES]
    return size * len(zstandard.ZstdCompressor(level=3).compress(joined)) / len(joined) if joined else 0.0


def _share(parts: Sequence[int], counts: Sequence[_Counts]) -> Share:
    some, rows = np.array(parts, float), np.array([count.rows for count in counts], float)
    if not rows.sum():
        return 0.0, None, None
    value = float(some.sum() / rows.sum())
    if len(parts) < 2:
        return value, None, None
    drawn = np.random.default_rng(0).integers(0, len(parts), (RESAMPLES, len(parts)))
    shares = some[drawn].sum(axis=1) / np.maximum(1, rows[drawn].sum(axis=1))
    low, high = np.quantile(shares, [0.025, 0.975])
    return value, float(low), float(high)


def estimate_text(found: Estimates | None) -> Said:
    """The estimates as a person reads them."""
    if found is None:
        return ["nothing new: every input was curated before"]
    units, all_units = numbers.count(found.units[0]), numbers.counted(found.units[1], "unit")
    read, all_bytes = map(numbers.size, found.bytes)
    largest = sorted(found.reasons.items(), key=lambda item: (-item[1][0], item[0]))
    rows = [
        _line("kept by the filters, before near-dedup", found.kept),
        _line("  exact duplicates among them, at least", (found.exact_duplicates, None, None)),
        *(_line(f"  {reason}", value) for reason, value in largest),
    ]
    said: list[Part] = [
        f"{units} of {all_units} judged, {numbers.counted(found.rows, 'row')}, {read} of {all_bytes}; nothing was published",
        "",
        table(("share of the rows read", ">estimate", ">95 % interval"), rows),
        "",
        paragraphs([("to the end", f"{_time(found)}, output at most {numbers.size(found.output_bytes)}")]),
    ]
    if found.kept[1] is None:
        said.append("no interval: one unit only; take a larger share, or smaller source.unit_bytes")
    return said


def _time(found: Estimates) -> str:
    if found.seconds is None:
        return "time not measured (all of these units had been judged before)"
    return f"about {numbers.seconds(found.seconds)} for reading and scoring, work directory {numbers.size(found.work_bytes)}"


def _line(name: str, value: Share) -> tuple[str, str, str]:
    share, low, high = value
    between = "" if low is None or high is None else f"{numbers.share(low, 1)} to {numbers.share(high, 1)}"
    return name, numbers.share(share, 1), between
