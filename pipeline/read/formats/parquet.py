"""Parquet to rows, one or more row groups a unit; decoded in another process (`pipeline.read.child.supervisor`).

Invariants: the rows of a row group, good and bad, do not depend on the unit that it is read in, also where its decoder dies:
the row groups of such a unit are then read one by one, and the one that kills it is one bad row. A unit with
`start == stop` stands for a footer that is broken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import accumulate

import pyarrow as pa

from pipeline.read.archives import BOMB_BYTES, BOMB_RATIO
from pipeline.read.child.decoder import Request
from pipeline.read.child.parquet import Limits, lost, most_listed
from pipeline.read.child.supervisor import DecoderDied, ask, gathered
from pipeline.read.files import InputFile
from pipeline.read.lines import Loss, Unreadable
from pipeline.read.rows import Collector, UnitRows, summed
from pipeline.read.units import FileUnits, Unit, identify, open_input

BATCH_ROWS = 1_000
"""Chosen so that a batch is some MB of text; a text repeated by a dictionary is multiplied by no more than this."""
BATCH_BYTES = 64_000_000
"""Encoded bytes of a batch, so that a batch of large rows is no larger than a unit."""
BOMB_ROWS = 10_000_000
"""Rows without content decode to no bytes; beyond this many they count as a byte each."""
REMOTE_BUFFER = 4 << 20
"""Bytes of a column fetched at once from a store: chosen so that latency is a small part of the time."""


def split(file: InputFile) -> FileUnits:
    """Units of whole row groups, of about `unit_bytes` uncompressed."""
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
        if size >= file.unit_bytes or i == len(groups) - 1:
            units.append(Unit(file, content, len(units), start, i + 1, first_row))
            start, size, first_row = i + 1, 0, row
    return FileUnits(content, tuple(units), file)


def read_unit(unit: Unit) -> UnitRows:
    """Its rows. What kills the decoder, or cannot be decoded, is a bad row."""
    try:
        return _read_groups(unit)
    except Unreadable as error:
        return _refused(unit, Unreadable(error.cause, error.detail, Loss(share=1.0)), rows=1, listed=1)
    except DecoderDied as error:
        if unit.stop - unit.start <= 1:
            groups = _groups(unit.file)
            died = Unreadable("decoder_died", str(error))
            return _refused(unit, died, rows=groups[unit.start][0], listed=most_listed(len(groups)))
    counts = [rows for rows, _ in _groups(unit.file)[unit.start : unit.stop]]
    firsts = accumulate(counts[:-1], initial=unit.first_row)
    parts = [read_unit(replace(unit, start=i, stop=i + 1, first_row=first)) for i, first in enumerate(firsts, unit.start)]
    documents, bad = (pa.concat_tables(part).combine_chunks() for part in ([p.documents for p in parts], [p.bad for p in parts]))
    return UnitRows(documents, bad, replaced=summed(part.replaced for part in parts))


def _refused(unit: Unit, error: Unreadable, *, rows: int, listed: int) -> UnitRows:
    collector = Collector(unit.file)
    lost(collector, error, unit.first_row, rows=rows, listed=listed)
    return collector.finish()


def _groups(file: InputFile) -> list[tuple[int, int]]:
    """Rows and uncompressed bytes of each row group. Raises Unreadable."""
    try:
        found = [json.loads(data) for kind, data in _asked(file, {"ask": "groups"}) if kind == b"g"]
    except DecoderDied as error:
        raise Unreadable("decoder_died", str(error)) from error
    return [(rows, n_bytes) for rows, n_bytes in found[0]]


def _read_groups(unit: Unit) -> UnitRows:
    buffer = REMOTE_BUFFER if "://" in unit.file.url else 1 << 20
    limits = Limits(BATCH_ROWS, BATCH_BYTES, BOMB_RATIO, BOMB_BYTES, BOMB_ROWS, buffer)
    request: Request = {
        "ask": "rows",
        "file": {name: value for name, value in asdict(replace(unit.file, url="")).items() if name != "traffic"},
        "start": unit.start,
        "stop": unit.stop,
        "first_row": unit.first_row,
        "limits": asdict(limits),
    }
    return gathered(unit.file, _asked(unit.file, request))


def _asked(file: InputFile, request: Request) -> Iterator[tuple[bytes, bytearray]]:
    unreadable = None
    with open_input(file, ranges=True) as handle:
        for kind, data in ask(file, handle, request):
            if kind == b"u":
                unreadable = Unreadable(*json.loads(data))
            else:
                yield kind, data
    if unreadable is not None:
        raise unreadable
