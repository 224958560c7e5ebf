"""Parquet to rows, one or more row groups a unit; decoded in another process (`pipeline.read.child.supervisor`).

A footer says how many bytes a row group has as encoded: 20 million rows of one word have some thousands. So a unit is cut while
it is read: into parts, each of which is a unit to what follows, where it has more rows, or bytes as decoded, than a unit may.
A page and its dictionary are decoded as a whole, whatever `BATCH_BYTES` says: where that takes more memory than others leave
(`pipeline.read.room`), nothing else works meanwhile.

Invariants: the rows of a row group, good and bad, do not depend on the unit that it is read in, also where its decoder dies:
the row groups of such a unit are then read one by one, and what no part has yet of the one that kills it is lost. A unit with
`start == stop` stands for a footer that is broken.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace

from pipeline.errors import RunFailed
from pipeline.read.archives import BOMB_BYTES, BOMB_RATIO
from pipeline.read.child.decoder import MEMORY_BYTES, Request
from pipeline.read.child.parquet import Limits, lost, most_listed
from pipeline.read.child.supervisor import DecoderDied, Frame, OutOfMemory, ask, gathered, replaced_of
from pipeline.read.files import InputFile
from pipeline.read.lines import Loss, Unreadable, most_rows
from pipeline.read.room import Room
from pipeline.read.rows import Collector, Replaced, UnitRows, summed
from pipeline.read.units import FileUnits, Unit, identify, open_input
from pipeline.text import numbers

BATCH_ROWS = 1_000
"""Chosen so that a batch is some MB of text; a text repeated by a dictionary is multiplied by no more than this."""
BATCH_BYTES = 8_000_000
"""Encoded bytes of a batch: a decoder holds a batch of large rows several times."""
MOST_TOGETHER = 1.5
"""Most that whole row groups may have together, in units: a unit of them has one that is less than a unit behind its first."""
REMOTE_BUFFER = 4 << 20
"""Bytes of a column fetched at once from a store: chosen so that latency is a small part of the time."""


def split(file: InputFile) -> FileUnits:
    """Units of whole row groups, of about `unit_bytes` uncompressed, or of `most_rows`."""
    content = identify(file)
    try:
        groups = _groups(file)
    except Unreadable:
        return FileUnits(content, (Unit(file, content, 0, 0, 0, 1),), file)
    # A dictionary may repeat one value in every row.
    file = replace(file, weight=max(1, sum(rows for rows, _ in groups) * sum(n_bytes for _, n_bytes in groups)))
    units: list[Unit] = []
    start = size = 0
    first_row = row = 1
    for i, (rows, n_bytes) in enumerate(groups):
        row += rows
        size += n_bytes
        if size >= file.unit_bytes or row - first_row >= most_rows(file.unit_bytes) or i == len(groups) - 1:
            units.append(Unit(file, content, len(units), start, i + 1, first_row))
            start, size, first_row = i + 1, 0, row
    return FileUnits(content, tuple(units), file)


def parts(unit: Unit, room: Room) -> Iterator[tuple[Unit, UnitRows]]:
    """The unit and its rows, or parts of it where they are more than a unit may have. What cannot be decoded, or kills the
    decoder, is a bad row. Raises RunFailed where decoding needs more memory than there is room for."""
    cutter = _Cutter(unit)
    try:
        yield from cutter.read((unit.start, unit.stop), unit.first_row, memory=room.beside)
    except Unreadable as error:
        cutter.refuse(Unreadable(error.cause, error.detail, Loss(share=1.0)), unit.first_row, rows=1, listed=1)
    except DecoderDied as error:
        yield from _one_by_one(cutter, error, room)
    yield cutter.last()


def _one_by_one(cutter: _Cutter, error: DecoderDied, room: Room) -> Iterator[tuple[Unit, UnitRows]]:
    """The row groups of a unit whose decoder died, without those that its parts so far have."""
    unit = cutter.unit
    groups, first = _groups(unit.file), unit.first_row
    known = error if unit.stop - unit.start == 1 else None
    cutter.forget()
    for i in range(unit.start, unit.stop):
        behind = first + groups[i][0]
        if behind > cutter.next:
            try:
                yield from _row_group(cutter, i, first, known=known, room=room)
            except DecoderDied as died:
                begin = max(first, cutter.next)
                lost_ = Unreadable("decoder_died", str(died))
                cutter.refuse(lost_, begin, rows=behind - begin, listed=most_listed(len(groups)))
        first = behind


def _row_group(
    cutter: _Cutter, index: int, first_row: int, *, known: DecoderDied | None, room: Room
) -> Iterator[tuple[Unit, UnitRows]]:
    """A row group by itself; `known`: what became of it so. Raises DecoderDied, RunFailed."""
    one = (index, index + 1)
    try:
        if known:
            raise known
        yield from cutter.read(one, first_row, memory=room.beside)
    except OutOfMemory:
        if room.beside >= MEMORY_BYTES:
            raise
        with room.nothing_else():
            try:
                yield from cutter.read(one, first_row, memory=room.alone)
            except OutOfMemory as error:
                if room.alone >= MEMORY_BYTES:
                    raise
                raise RunFailed(
                    f"{cutter.unit.file.path}: row group {index} has a page that takes more than {numbers.size(room.alone)} to"
                    f" decode, which --memory does not leave beside a unit; allow --memory {-(-room.enough // 1_000_000)}MB, with"
                    " which any page is read or quarantined, write the file with smaller pages, or leave it out of the input"
                ) from error


@dataclass
class _Held:
    """Frames of a decoder with the rows `start:stop`."""

    start: int
    stop: int
    n_bytes: int = 0
    frames: list[Frame] = field(default_factory=list)

    def add(self, frames: Iterable[Frame], stop: int) -> None:
        new = list(frames)
        self.frames += new
        self.n_bytes += sum(len(data) for _, data in new)
        self.stop = stop

    def share(self, file: InputFile) -> float:
        """Of what a unit may have."""
        return max(self.n_bytes / file.unit_bytes, (self.stop - self.start) / most_rows(file.unit_bytes))


class _Cutter:
    """Cuts what a decoder gives of a unit into parts. `next`: the first row that no part has so far.

    A row group is cut where it has as much as a unit may have, whatever stands before it: so its rows do not depend on the unit,
    also where its decoder dies. Between row groups there is a cut where they would have half as much again together.
    """

    def __init__(self, unit: Unit) -> None:
        self.unit, self.next, self._made = unit, unit.first_row, 0
        self._replaced: list[Replaced] = []
        self.forget()

    def forget(self) -> None:
        """What no part has."""
        self._before, self._group = _Held(self.next, self.next), _Held(self.next, self.next)

    def read(self, groups: tuple[int, int], first_row: int, *, memory: int) -> Iterator[tuple[Unit, UnitRows]]:
        """Take row groups, which begin with this row, without rows that a part has. Raises Unreadable, DecoderDied."""
        file, open_, again = self.unit.file, list[Frame](), first_row < self.next
        begin = max(first_row, self.next)
        self._group = _Held(begin, begin)
        for kind, data in _asked_rows(self.unit, groups, first_row, memory=memory):
            if kind == b"o":
                self._replaced.append(replaced_of(data))
            elif kind != b"k":
                if self._group.share(file) >= 1:
                    yield self._part(whole=True)
                open_.append((kind, data))
            else:
                row, ends = json.loads(data)
                if not again or row > self.next:
                    self._group.add(open_, row)
                open_.clear()
                if self._before.frames and self._before.share(file) + self._group.share(file) > MOST_TOGETHER:
                    yield self._part(whole=False)
                if ends:
                    self._before.add(self._group.frames, row)
                    self._group = _Held(row, row)

    def refuse(self, error: Unreadable, first_row: int, *, rows: int, listed: int) -> None:
        """Rows from this one on cannot be read."""
        collector = Collector(self.unit.file)
        lost(collector, error, first_row, rows=rows, listed=listed)
        batches = collector.finish().bad.to_batches()
        self._before.add([(b"q", batch.serialize()) for batch in batches], first_row + rows)

    def _part(self, *, whole: bool) -> tuple[Unit, UnitRows]:
        """What no part has, or the whole row groups of it, as one. It is not held any more."""
        held = [self._before, self._group] if whole else [self._before]
        rows = gathered(self.unit.file, [frame for some in held for frame in some.frames])
        self._made += 1
        part = replace(self.unit, part=self._made, first_row=self.next)
        self.next = held[-1].stop
        if whole:
            self.forget()
        else:
            self._before = _Held(self.next, self.next)
        return part, rows

    def last(self) -> tuple[Unit, UnitRows]:
        """What is left; the unit itself where it was not cut."""
        part, rows = self._part(whole=False)
        return replace(part, part=0) if self._made == 1 else part, replace(rows, replaced=summed(self._replaced))


def _groups(file: InputFile) -> list[tuple[int, int]]:
    """Rows and uncompressed bytes of each row group. Raises Unreadable."""
    try:
        found = [json.loads(data) for kind, data in _asked(file, {"ask": "groups"}) if kind == b"g"]
    except DecoderDied as error:
        raise Unreadable("decoder_died", str(error)) from error
    return [(rows, n_bytes) for rows, n_bytes in found[0]]


def _asked_rows(unit: Unit, groups: tuple[int, int], first_row: int, *, memory: int) -> Iterator[Frame]:
    buffer = REMOTE_BUFFER if "://" in unit.file.url else 1 << 20
    limits = Limits(BATCH_ROWS, BATCH_BYTES, BOMB_RATIO, BOMB_BYTES, buffer)
    request: Request = {
        "ask": "rows",
        "file": {name: value for name, value in asdict(replace(unit.file, url="")).items() if name != "traffic"},
        "start": groups[0],
        "stop": groups[1],
        "first_row": first_row,
        "limits": asdict(limits),
        "memory": memory,
    }
    return _asked(unit.file, request)


def _asked(file: InputFile, request: Request) -> Iterator[Frame]:
    unreadable = None
    with open_input(file, ranges=True) as handle:
        for kind, data in ask(file, handle, request):
            if kind == b"u":
                unreadable = Unreadable(*json.loads(data))
            else:
                yield kind, data
    if unreadable is not None:
        raise unreadable
