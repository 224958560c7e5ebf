"""JSONL, plain or compressed, to rows.

Each line is parsed on its own. Joining a block's lines with commas and parsing once would be faster and wrong: a hostile
line can close the bracket or open a string, and the rows behind it shift. A blank line is no row but has a number. Of equal
keys in an object the last counts; an integer beyond 64 bits becomes a float (orjson). Lines with a slip that is known are read
(`pipeline.read.formats.mending`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from pipeline.read.archives import UNTOLD
from pipeline.read.files import InputFile
from pipeline.read.formats import mending
from pipeline.read.lines import Chunks, Line, Lines, Loss, QuarantinedRow, cut, without_newline
from pipeline.read.rows import Collector, UnitRows
from pipeline.read.units import FileUnits, Unit, cannot_read, changed, chunks, named, new_digest, open_input

_SPACE = 32
_BOM = b"\xef\xbb\xbf"
_FLUSH_BYTES = 4_000_000
"""Raw bytes parsed before they become Arrow; chosen because smaller ones cost 10 % more time."""


def split(file: InputFile) -> FileUnits:
    """Units of a plain file, found in the one read that also hashes it."""
    digest = new_digest()

    def read() -> Iterator[bytes]:
        with open_input(file) as handle:
            for chunk in chunks(file, handle):
                if not file.identity:
                    digest.update(chunk)
                yield chunk

    found = [(lines.start, lines.stop, lines.first_row) for lines in cut_units(read(), file)]
    content = file.identity or named(digest)
    return FileUnits(content, tuple(Unit(file, content, i, *span) for i, span in enumerate(found)), file)


def read_unit(unit: Unit) -> UnitRows:
    """Rows of a unit of a plain file. Raises InputChanged if the file is shorter than it was."""
    collector = Collector(unit.file)
    data = cut(_span(unit), unit_bytes=None, max_row_bytes=unit.file.max_row_bytes, start=unit.start, first_row=unit.first_row)
    for lines in data:
        for refused in lines.refused:
            collector.refuse(refused)
        parse(collector, lines)
    return collector.finish()


def _span(unit: Unit) -> Iterator[bytes]:
    missing = unit.stop - unit.start
    with open_input(unit.file) as handle:
        try:
            handle.seek(unit.start)
        except (OSError, ValueError) as error:  # ValueError: a web server that cannot give parts of a file
            raise cannot_read(unit.file, error) from error
        for chunk in chunks(unit.file, handle):
            yield chunk[:missing]
            missing -= len(chunk)
            if missing <= 0:
                return
    raise changed(unit.file)


def cut_units(data: Chunks, file: InputFile) -> Iterator[Lines]:
    """Units of a stream."""
    return cut(data, unit_bytes=file.unit_bytes, max_row_bytes=file.max_row_bytes)


def parse(collector: Collector, lines: Lines) -> None:
    """Add the lines of a unit."""
    row, waiting = lines.first_row, 0
    for i, piece in enumerate(lines.pieces):
        whole = piece.removeprefix(_BOM) if i == 0 and lines.start == 0 else piece
        parts = _split(whole)
        parse_lines(collector, parts, row, ends=whole[-1:] == b"\n")
        row += len(parts)
        waiting += len(piece)
        if waiting >= _FLUSH_BYTES:
            collector.flush()
            waiting = 0


def _split(piece: bytes) -> list[Any]:
    """Its lines, bytes; a long one that is alone is not copied but a memoryview."""
    if len(piece) > _FLUSH_BYTES and piece.find(b"\n") == len(piece) - 1:
        return [memoryview(piece)[:-1]]
    parts = piece.split(b"\n")
    if not parts[-1]:
        parts.pop()
    return parts


def parse_lines(collector: Collector, lines: list[Line], first_row: int, *, ends: bool) -> None:
    """Add lines, or other JSON values, each of them a row but for blank ones. `ends`: the last of them has a newline, or is
    whole; else it is the input's last."""
    loads, add = orjson.loads, collector.add
    for row, line in enumerate(lines, first_row):
        # A gigabyte of blank lines would take a quarter of an hour as errors of the parser.
        if not line or (line[0] <= _SPACE and not bytes(line).strip()):
            continue
        try:
            record = loads(line)
        except orjson.JSONDecodeError as error:
            raw = bytes(without_newline(line))
            if not ends and row == first_row + len(lines) - 1 and _is_open(raw):
                detail = f"the file ends in the middle of this line: {UNTOLD}"
                collector.refuse(QuarantinedRow(row, "file_truncated", detail, len(raw), raw, Loss(cut=True)))
                continue
            record = mending.mended(raw, collector.columns)
            if record is None:
                collector.refuse(QuarantinedRow(row, *mending.why_not_json(raw, str(error)), len(raw), raw))
                continue
        if type(record) is dict:
            add(row, record, without_newline(line))
        else:
            raw = bytes(without_newline(line))
            # An array is most likely one of records, which are lost with it.
            lost = Loss(max(1, len(record))) if type(record) is list else Loss()
            collector.refuse(QuarantinedRow(row, "not_an_object", mending.not_an_object(record), len(raw), raw, lost))


_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.S)
_OTHER = re.compile(rb'[^"{}\[\]]++')


def _is_open(line: bytes) -> bool:
    """Whether an object begins that does not end: brackets, or a string, are open at the end."""
    if not line.lstrip().startswith(b"{"):
        return False
    left = _OTHER.sub(b"", _STRING.sub(b"", line))
    return b'"' in left or left.count(b"{") + left.count(b"[") > left.count(b"}") + left.count(b"]")
