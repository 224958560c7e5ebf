"""An export from request to exports.json: looked at, sorted, mixed, written.

Invariants: the same output, request and library versions give the same bytes, whatever the workers, kills or resumes; what each
group gives is told before a shard is written; an export is recorded in its output before it holds a text, so that a take-down
knows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from pipeline.errors import InputChanged, UsageError
from pipeline.export import estimate, mix, pieces, record, shards, since, target, told
from pipeline.export.documents import Piece
from pipeline.export.folder import Folder
from pipeline.export.mix import Supply
from pipeline.export.pieces import Totals
from pipeline.export.prepared import Prepared, Request, prepare
from pipeline.export.shards import Split, Writing
from pipeline.export.stream import Lane, Sorted, ordered
from pipeline.machine.events import Event, OnEvent
from pipeline.machine.workers import Workers, workers
from pipeline.output import manifest
from pipeline.records.exports_json import ExportedShard, Exports
from pipeline.report.table import Said
from pipeline.store.store import Store
from pipeline.takedown import exports

MOST_EXACT = 1.1
"""A budget is refused before anything is tokenised where it is beyond the estimated largest by this factor: estimates are within
some per cent."""
TRAIN, VALIDATION = "train", "validation"
LOCK = ".lock"


def explained(prepared: Prepared) -> Said:
    """What would be written, with sizes in tokens as they are estimated. Raises UsageError for a budget beyond the largest."""
    estimated = prepared.content.tokenizer is not None
    supplies = estimate.supplies(
        prepared.output, prepared.pieces, how=prepared.how, content=prepared.content, counted=prepared.counted
    )
    asked = prepared.request.mix
    if estimated and asked.budget is not None:
        largest = mix.shares(replace(asked, budget=None), supplies)
        most = sum(share.target for share in largest)
        if asked.budget > MOST_EXACT * most:
            raise UsageError(mix.beyond(asked, mix.tightest(largest), budget=asked.budget, largest=most, about=True))
        asked = replace(asked, budget=min(asked.budget, most))
    return told.plan(
        mix.shares(asked, supplies), unit=prepared.content.unit, left_out=prepared.counted[-1].documents, about=estimated
    )


def export(request: Request, on_event: OnEvent, *, tell: Callable[[Said], None]) -> Exports:
    """Carry it out; `tell` is told what each group gives before a shard is written. What is finished is not made again."""
    prepared = prepare(request)
    if prepared.target.finished is not None:
        return _finished(prepared, prepared.target.finished)
    explained(prepared)
    exports.record(prepared.output.store, prepared.target.store.root, what=f"export {prepared.kind.name}")
    work = prepared.target.work
    with work.lock(LOCK) as held, workers(request.workers) as pool:
        prepared.target.clear()
        made = _written(prepared, held, _sorted(prepared, held, pool, on_event=on_event), on_event=on_event, tell=tell)
    prepared.target.store.write_bytes(target.NAME, manifest.encode(made), durable=True)
    prepared.target.store.remove(exports.UNFINISHED)
    return made


def _finished(prepared: Prepared, found: Exports) -> Exports:
    """The export that is there, if it is the one that is asked for and whole. Raises OutputError, Damaged."""
    beside = since.standing(prepared.target.store, found, prepared.output.store)
    where = prepared.target.store.root
    told.refuse_other(where, beside, wanted=(record.recipe(prepared), record.tokenizer(prepared.content)))
    return found


def _sorted(prepared: Prepared, work: Store, pool: Workers, *, on_event: OnEvent) -> list[Totals]:
    """The first pass: pieces that are not done yet; those of another request, or of shards that are gone, go."""
    sorting = prepared.sorting
    wanted = {f"{sorting.key(piece)}{ending}" for piece in prepared.pieces for ending in (".arrow", ".json")}
    work.sweep()
    for name in work.names(""):
        if name not in wanted and name != LOCK:
            work.remove(name)
    on_event(Event("begin", "tokenise", total=len(prepared.pieces)))

    def sort(piece: Piece) -> Totals:
        known = pieces.totals(work, piece, sorting)
        made = known or pieces.sort(prepared.output, work, piece, sorting=sorting)
        counted = sum(made.documents)
        on_event(Event("advance", "tokenise", documents=counted, n_bytes=made.n_bytes, steps=1, name=piece.path))
        return made

    made: list[Totals] = pool.map(sort, prepared.pieces)
    on_event(Event("end", "tokenise"))
    return made


def _written(
    prepared: Prepared, work: Store, totals: Sequence[Totals], *, on_event: OnEvent, tell: Callable[[Said], None]
) -> Exports:
    """The second pass: shards, and what exports.json says of them."""
    names, request = prepared.how.groups, prepared.request
    held_out = len(names)
    documents, sizes = (np.sum([getattr(one, field) for one in totals], axis=0).tolist() for field in ("documents", "sizes"))
    left_out = sum(one.left_out for one in totals)
    if request.validation and not documents[held_out]:
        raise UsageError(f"--validation {request.validation}: held out no document; give a larger share, or 0")
    supplies = [Supply(name, number, size) for name, number, size in zip(names, documents, sizes, strict=False)]
    given = mix.shares(request.mix, supplies)
    tell(told.plan(given, unit=prepared.content.unit, left_out=left_out, about=False))
    folder = Folder(prepared.target.store)
    writing = Writing(folder, prepared.kind, prepared.content, prepared.sequence)
    of = Sorted(work, tuple(prepared.sorting.key(piece) for piece in prepared.pieces), prepared.sorting.buckets)
    splits = [(Split(TRAIN, request.shards), [Lane(code, share.supply.size, share.target) for code, share in enumerate(given)])]
    if request.validation:
        splits.append((Split(VALIDATION, 1), [Lane(held_out, sizes[held_out], sizes[held_out])]))
    written = np.zeros((2, held_out + 1), np.int64)

    def note(table: pa.Table) -> None:
        codes, size = table["group"].to_numpy(), table["size"].to_numpy()
        np.add.at(written[0], codes, 1)
        np.add.at(written[1], codes, size)
        on_event(Event("advance", "export", documents=len(table), n_bytes=table.nbytes))

    on_event(Event("begin", "export"))
    made: list[ExportedShard] = []
    for split, lanes in splits:
        made += shards.write(writing, split, ordered(of, lanes), groups=(*names, ""), on_table=note)
    on_event(Event("end", "export"))
    if empty := [one.path for one in made if not one.documents]:
        raise UsageError(f"{empty[0]} would be empty, which stops trainers; lower --shards, or give a larger budget")
    if manifest.load_all(prepared.output.store)[-1].generation != prepared.newest:
        raise InputChanged(
            f"{prepared.output.store.root} changed while it was exported; the same command exports what it holds now"
        )
    return record.exports(
        prepared,
        given,
        written=written,
        left_out=left_out,
        ended=sum(one.ended for one in totals),
        shards=made,
        files=folder.files,
    )
