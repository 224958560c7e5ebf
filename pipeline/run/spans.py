"""Spans of units: what one task covers, and how its units reach the workers.

A span is a few units of split files, or whole compressed streams, each of which has one reader that hands its units to all
workers. A unit that turns out to be too large is cut into parts by the worker that reads it. At most `workers + 1` units are in
memory at a time, and no more than the memory budget has room for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, wait
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

from pipeline import read
from pipeline.errors import Damaged, InputChanged, RunFailed
from pipeline.machine.events import Event, OnEvent
from pipeline.machine.meter import Meter
from pipeline.machine.workers import Workers
from pipeline.plan.recipe import Recipe
from pipeline.read import packs
from pipeline.read.files import InputFile
from pipeline.read.units import Block, FileUnits, Unit, unit_key_parts, whole_of
from pipeline.stages.unit.annotate import Annotated, annotate
from pipeline.stages.unit.tables import names, tables_of
from pipeline.store.keys import key
from pipeline.store.store import Store

MAX_SPANS = 500
"""Spans of a run: a run has at most 2,000 Prefect task runs over all stages, because servers on SQLite slow down beyond."""


@dataclass(frozen=True)
class Input:
    """One input file with the identity of its content and its units (None: known once the stream was read)."""

    file: InputFile
    content: str
    units: tuple[Unit, ...] | None
    small: Unit | None = None  # all of a file that may share a unit


@dataclass(frozen=True)
class Span:
    """The units of one task: pieces of split files, or streams."""

    name: str
    items: tuple[Unit | Input, ...]
    sizes: tuple[int, ...]  # bytes of input of each item, for the time left


def packed(inputs: Sequence[Input], *, between: Sequence[str] = ()) -> list[Input]:
    """The inputs in the order of paths, with small files that follow each other as one input, of one unit. `between`: sorted
    paths of files that are none of the inputs, and whose units stand among theirs."""
    ordered = sorted(inputs, key=lambda item: packs.sort_key(item.file.path))
    return [_together(pack) for pack in packs.packs(ordered, _small, between=between)]


def _small(item: Input) -> InputFile | None:
    return item.small.file if item.small else None


def _together(pack: Sequence[Input]) -> Input:
    if len(pack) == 1:
        return pack[0]
    unit = packs.pack([item.small for item in pack if item.small])
    return Input(replace(unit.file, size=unit.stop), unit.content, (unit,))


def make_spans(inputs: Sequence[Input]) -> list[Span]:
    """Spans of equally many units or streams, at most `MAX_SPANS`."""
    items: list[tuple[Unit | Input, int]] = []
    for item in inputs:
        parts = [item] if item.units is None else item.units
        items += [(part, item.file.size // max(1, len(parts))) for part in parts]
    each = max(1, -(-len(items) // MAX_SPANS))
    groups = [items[start : start + each] for start in range(0, len(items), each)]
    return [Span(_name([i for i, _ in group]), *(tuple(column) for column in zip(*group, strict=True))) for group in groups]


def _name(items: Sequence[Unit | Input]) -> str:
    first = items[0]
    path = first.file.path + (f" unit {first.index}" if isinstance(first, Unit) else "")
    return path if len(items) == 1 else f"{path} and {len(items) - 1} more"


def run_span(work: Store, recipe: Recipe, span: Span, *, pool: Workers, on_event: OnEvent) -> list[Annotated]:
    """Annotate every unit of a span; what is done already is only looked up."""

    def one(unit: Unit, rows: Callable[[], Any]) -> Annotated:
        done = annotate(work, recipe, unit, rows=rows, meter=Meter(pool.clock()))
        name = f"{unit.file.path} unit {unit.index}"
        on_event(Event("advance", "annotate", documents=done.rows + done.bad_rows, n_bytes=done.n_bytes, name=name))
        return done

    def unit_of_file(unit: Unit, size: int) -> list[Annotated]:
        done = _annotate_file(work, recipe, unit, room=pool.room, one=one)
        on_event(Event("advance", "annotate", steps=size))
        return done

    def submitted() -> Iterator[Future[Any]]:
        for item, size in zip(span.items, span.sizes, strict=True):
            if isinstance(item, Unit):
                yield pool.submit(unit_of_file, item, size)
            else:
                yield from _submit_stream(work, recipe, item, pool=pool, one=one)
                on_event(Event("advance", "annotate", steps=size))

    found = pool.gather(submitted())
    return [unit for units in found for unit in (units if isinstance(units, list) else [units])]


def _annotate_file(work: Store, recipe: Recipe, unit: Unit, *, room: read.Room, one: Callable[..., Annotated]) -> list[Annotated]:
    """A unit of a split file, in parts where it is read in parts."""
    known = parts_of(work, unit)
    if _are_read(work, recipe, known):
        return [one(part, lambda part=part: _gone(part)) for part in known]
    done, made = [], []
    try:
        for part, rows in read.parts(unit, room):
            held = [rows]  # popped, so that they go once they are written
            del rows
            made.append(part)
            done.append(one(part, held.pop))
    except InputChanged:
        _forget(work, recipe, made)
        raise
    if made != [unit]:
        _remember(work, recipe, _parts_name(unit), units=made)
    return done


def _are_read(work: Store, recipe: Recipe, units: Sequence[Unit]) -> bool:
    return all(work.has(where.documents) and work.has(where.bad) for where in (names(unit, recipe) for unit in units))


def _forget(work: Store, recipe: Recipe, units: Sequence[Unit]) -> None:
    """What was read is not what the content's hash names: it must not stay under it."""
    for where in (names(unit, recipe) for unit in units):
        for name in tables_of(where):
            work.remove(name)


def _remember(work: Store, recipe: Recipe, name: str, *, units: Sequence[Unit], unpacked: str = "") -> None:
    known = [{k: v for k, v in asdict(unit).items() if k not in ("file", "content", "members")} for unit in units]
    documents = [names(unit, recipe).documents for unit in units]  # by which it goes with them (`pipeline.run.prune`)
    work.write_bytes(name, json.dumps({"units": known, "unpacked": unpacked, "documents": documents}).encode())


def _submit_stream(
    work: Store, recipe: Recipe, item: Input, *, pool: Workers, one: Callable[..., Annotated]
) -> list[Future[Any]]:
    known = stream_units(work, item)
    if known is not None and _are_read(work, recipe, known):
        return [pool.submit(one, unit, lambda unit=unit: _gone(unit)) for unit in known]
    futures = []
    units = []
    unpacked: list[str] = []
    try:
        for block in _told(read.stream(item.file, item.content), unpacked):
            units.append(block.unit)
            held = [block]  # popped, so that the raw rows go once they are parsed
            del block
            futures.append(pool.submit(one, units[-1], lambda held=held: read.read_block(held.pop())))
            if any(future.done() and future.exception() for future in futures):
                break
    except InputChanged:
        wait(futures)
        _forget(work, recipe, units)
        raise
    pool.gather(futures)
    _remember(work, recipe, _stream_name(item), units=units, unpacked="".join(unpacked))
    return futures


def _told(blocks: Generator[Block, None, str], unpacked: list[str]) -> Iterator[Block]:
    """The blocks; behind the last of them `unpacked` has what the stream unpacks to."""
    unpacked.append((yield from blocks))


def _gone(unit: Unit) -> Any:
    raise RunFailed(
        f"{unit.file.path}: documents of unit {unit.index} vanished from the work directory; run the same command again"
    )


def _stream_name(item: Input) -> str:
    return f"streams/{key('stream', unit_key_parts(whole_of(item.file, item.content)))}.json"


def _parts_name(unit: Unit) -> str:
    return f"streams/{key('parts', unit_key_parts(unit))}.json"


def stream_units(work: Store, item: Input) -> list[Unit] | None:
    """The units of a stream that was read to its end before, else None."""
    return _remembered(work, _stream_name(item), whole_of(item.file, item.content))


def parts_of(work: Store, unit: Unit) -> list[Unit]:
    """The parts that a unit of a split file was cut into when it was read; the unit itself where it was not."""
    return _remembered(work, _parts_name(unit), unit) or [unit]


def known_units(work: Store, item: Input) -> list[Unit] | None:
    """The units of an input, as far as they are known; None of a stream that was not read yet."""
    return stream_units(work, item) if item.units is None else [part for unit in item.units for part in parts_of(work, unit)]


def _remembered(work: Store, name: str, like: Unit) -> list[Unit] | None:
    if not work.has(name):
        return None
    try:
        return [replace(like, **fields) for fields in work.read_json(name)["units"]]
    except (Damaged, TypeError, KeyError):  # it is read again, and written anew
        return None


def unpacks_to(work: Store, item: Input) -> str:
    """The identity of what a packed file unpacks to (`pipeline.read.likeness`), where that was read; else an empty text."""
    known = item.units is None and stream_units(work, item) is not None
    return str(work.read_json(_stream_name(item)).get("unpacked", "")) if known else ""


def scan(
    files: Sequence[InputFile],
    pool: Workers,
    on_event: OnEvent,
    *,
    known: Mapping[str, Set[tuple[int, str]]] = MappingProxyType({}),
) -> list[Input]:
    """Identify every input and split those that can be split.

    `known`: by path, sizes and contents that were curated before. What the store says is one of them is not read; where it
    was known by a hash of its bytes (it lay on a disk then), it is read once.
    """

    def one(file: InputFile) -> Input:
        earlier = known.get(file.path, frozenset())
        if file.identity and (file.size, file.identity) in earlier:
            on_event(Event("advance", "scan", steps=1, name=file.path))
            return Input(file, file.identity, ())
        if file.identity and any(size == file.size and content.startswith(read.HASHED) for size, content in earlier):
            content = read.identify(file, read=True)
            if (file.size, content) in earlier:
                on_event(Event("advance", "scan", n_bytes=file.size, steps=1, name=file.path))
                return Input(file, content, ())
        found: FileUnits = read.units_of(file)
        on_event(Event("advance", "scan", n_bytes=file.size, steps=1, name=file.path))
        return Input(found.file, found.content, found.units, read.small(found))

    return pool.map(one, files)
