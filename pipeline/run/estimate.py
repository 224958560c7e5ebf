"""`--sample SHARE`: an early look. Judges a seeded share of whole units, says what the run would do and take, publishes nothing.

The share goes through every stage but the last, so that what is told was measured; its shards are removed again, its units' facts
stay in the work directory, so that the run that follows does not make them again. Units are chosen by a hash of their place, so a
larger share takes in a smaller one. A figure that may be off by more than 20 % is not told (`pipeline.run.forecast`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from pipeline.machine import resources
from pipeline.machine.events import Event, OnEvent
from pipeline.machine.meter import Phases
from pipeline.machine.schedule import Mapper
from pipeline.plan.load import LoadedPlan
from pipeline.read.packs import sort_key
from pipeline.report import publish
from pipeline.run import accounts, forecast, prepare, scaling
from pipeline.run import report as run_report
from pipeline.run.context import Context
from pipeline.run.forecast import Maybe, Piece
from pipeline.run.judgement import count, judge
from pipeline.run.options import RunOptions
from pipeline.run.scaling import Costs, Measured
from pipeline.run.shards import write_shards
from pipeline.run.spans import Input, known_units, make_spans, packed, parts_of, run_span
from pipeline.run.state import Run
from pipeline.stages import sampling
from pipeline.stages.shards.index import stage_index
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.tables import names, tables_of

_REASON = "reason "
"""Begins the names of reasons among what was seen of a piece."""
_JUDGED = ("judgements/dedup", "judgements/select")
"""Folders of judgements over the corpus, which those of a share are no part of."""


@dataclass(frozen=True)
class Estimates:
    """What the whole run would do and take. `units`, `bytes`: judged, and all; `rows`: judged. `kept`, `reasons`: shares of the
    rows read, kept by the filters and dropped by them; `documents`, `disk_bytes`: of the whole; `cpu_s`: of the run that follows.
    None: not known within 20 %; of `disk_bytes`: not known at all, what is known less well is told as a range."""

    units: tuple[int, int]
    bytes: tuple[int, int]
    rows: int
    kept: Maybe
    reasons: dict[str, Maybe]
    documents: dict[str, Maybe]
    disk_bytes: dict[str, Maybe]
    cpu_s: Maybe


def estimate(loaded: LoadedPlan, options: RunOptions, share: float, *, mapper: Mapper, on_event: OnEvent) -> Estimates | None:
    """The estimates; None where nothing is new."""
    phases = Phases.begin(own_process=options.own_process)
    resources.use_system_allocator()
    with prepare.open_run(loaded, options, on_event, phases=phases) as held, resources.PeakMemory() as memory:
        inputs = packed(held.inputs, between=held.staying)
        chosen = _chosen(inputs, share=share, seed=held.recipe.plan.seed)
        if not chosen:
            return None
        compile_s = held.warmed.result().cpu_s
        phases.end("scan")
        new = not any(_judged(held, item) for item in chosen)
        done = _annotated(held, chosen, mapper, on_event=on_event)
        phases.end("annotate")
        context = Context(held, loaded, options, mapper, on_event, accounts.Started(0.0, phases, "", memory))
        measured = _tried(context, done, whole=_count(chosen) == _count(inputs))
        pieces = _pieces(held, inputs, chosen, done=done)
        costs = Costs(phases, compile_s, new=new, end_s=accounts.END_CPU_S if options.own_process else 0.0)
        return _estimates(inputs, chosen, pieces, measured=measured, costs=costs)


def plain(found: Estimates | None) -> dict[str, object]:
    """The estimates as JSON."""
    return {"units": (0, 0)} if found is None else asdict(found)


def _estimates(
    inputs: Sequence[Input], chosen: Sequence[Input], pieces: Sequence[Piece], *, measured: Measured, costs: Costs
) -> Estimates:
    seen = [piece.seen for piece in pieces if piece.seen is not None]
    reasons = sorted({name for one in seen for name in one if name.startswith(_REASON)})
    return Estimates(
        units=(_count(chosen), _count(inputs)),
        bytes=(sum(map(_bytes, chosen)), sum(map(_bytes, inputs))),
        rows=int(sum(one["rows"] for one in seen)),
        kept=forecast.told(forecast.share(pieces, "kept")),
        reasons={name.removeprefix(_REASON): forecast.told(forecast.share(pieces, name)) for name in reasons},
        documents={name: forecast.told(figure) for name, figure in scaling.documents(pieces, measured).items()},
        disk_bytes=scaling.disk(pieces, measured),
        cpu_s=forecast.told(scaling.processor(pieces, measured, costs)),
    )


def _tried(context: Context, units: Sequence[Annotated], *, whole: bool) -> Measured:
    """The stages behind the units over these, measured. What they wrote is removed, but for judgements of the `whole` input, as
    the run that follows makes them."""
    run, phases = context.run, context.started.phases
    known = {folder: set(run.work.entries(folder)) for folder in _JUDGED}
    ordered = tuple(sorted(units, key=lambda unit: (sort_key(unit.path), unit.first_row)))
    judgement = judge(context, ordered)
    made = [f"{folder}/{name}" for folder in _JUDGED for name in set(run.work.entries(folder)) - known[folder]]
    there = [f"{folder}/{name}" for folder in _JUDGED for name in run.work.entries(folder)]
    judged = sum(map(run.work.bytes_below, there if whole else made))  # of the whole, an earlier look may have made them
    counted = count(context, ordered, judgement)
    counts = run_report.counts(context, ordered, counted.tally, judgement=judgement)
    phases.end("count")
    written = write_shards(context, judgement.inputs, counted.pieces)
    phases.end("write")
    index = stage_index(run.work, written.staging, judgement.dedup, shards=written.every, generation=run.generation)
    phases.end("index")
    publish.drawn(run.out, counts)
    phases.end("page")
    for folder in (written.staging, *(() if whole else made)):
        run.work.remove(folder)
    sizes: dict[str, int] = {}
    for shard in written.shards:
        sizes[shard.folder] = sizes.get(shard.folder, 0) + shard.n_bytes
    plan = run.recipe.plan
    return Measured(
        whole=whole,
        folders=sizes,
        index_bytes=sum(record.bytes for record in index),
        judged_bytes=judged,
        counted_bytes=len(counts.model_dump_json(indent=1)),
        duplicates=sum(judgement.dedup.dropped.values()),
        dedup=plan.dedup is not None,
        selects=plan.select.keep_top is not None or plan.select.token_budget is not None,
        rejected=plan.output.rejected == "full",
    )


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


def _count(inputs: Sequence[Input]) -> int:
    """Units; a stream is one, an empty file none."""
    return sum(1 if item.units is None else len(item.units) for item in inputs)


def _bytes(item: Input) -> int:
    return max(1, item.file.size)


def _pieces(held: Run, inputs: Sequence[Input], chosen: Sequence[Input], *, done: Sequence[Annotated]) -> list[Piece]:
    """All that is new, with what was seen of what was judged."""
    tables = {unit.names.documents: unit for unit in done}
    by_path: dict[str, list[Annotated]] = {}
    for unit in done:
        by_path.setdefault(unit.path, []).append(unit)
    judged = {item.file.path for item in chosen}
    found = []
    for item in inputs:
        stratum = f"{item.file.format} {item.file.compression or ''}"
        if item.units is None:
            seen = _seen(held, by_path.get(item.file.path, [])) if item.file.path in judged else None
            found.append(Piece(stratum, _bytes(item), seen))
            continue
        for piece in item.units:
            own = [names(part, held.recipe).documents for part in parts_of(held.work, piece)]
            seen = _seen(held, [tables[name] for name in own]) if own[0] in tables else None
            found.append(Piece(stratum, _bytes(item) // len(item.units) or 1, seen))
    return found


def _seen(held: Run, units: Sequence[Annotated]) -> dict[str, float]:
    """What was found in the units of a piece: rows, those that the filters kept, rows by reason, bytes of final text and of
    tables in the work directory."""
    seen: dict[str, float] = dict.fromkeys(("rows", "kept", "text", "work"), 0.0)
    for unit in units:
        reasons = held.work.read_frame(unit.names.verdicts, ["reason"])["reason"].drop_nulls().value_counts()
        lost = dict(reasons.iter_rows()) | ({"quarantined": unit.bad_rows} if unit.bad_rows else {})
        for name, rows in lost.items():
            seen[_REASON + name] = seen.get(_REASON + name, 0.0) + rows
        seen["rows"] += unit.rows + unit.bad_rows
        seen["kept"] += unit.kept
        seen["text"] += int(held.work.read_frame(unit.names.final, ["n_bytes"])["n_bytes"].sum())
        seen["work"] += sum(held.work.size(table) for table in tables_of(unit.names) if held.work.has(table))
    return seen


def _judged(held: Run, item: Input) -> bool:
    """Whether an earlier run or estimate has judged all of the input."""
    units = known_units(held.work, item)
    return units is not None and all(held.work.has(names(unit, held.recipe).verdicts) for unit in units)


def _annotated(held: Run, chosen: Sequence[Input], mapper: Mapper, *, on_event: OnEvent) -> list[Annotated]:
    on_event(Event("begin", "annotate", total=sum(map(_bytes, chosen))))

    def one(span: Any) -> list[Annotated]:
        return run_span(held.work, held.recipe, span, pool=held.pool, on_event=on_event)

    done = [unit for units in mapper("annotate", one, make_spans(chosen), stop=held.pool.stop) for unit in units]
    on_event(Event("end", "annotate"))
    return done
