"""JSONL, plain or compressed, to rows.

Each line is parsed on its own. Joining a block's lines with commas and parsing once would be faster and wrong: a hostile
line can close the bracket or open a string, and the rows behind it shift. A blank line is no row but has a number.

A row without nested values is read by a kernel (`json_rows`), any other one by orjson; one of which that does not give back
what was written, or that it refuses, is read once more by `pipeline.text.exact_json`: numbers keep their digits, and NaN, a half
character or a byte that is not UTF-8 costs its own value and not the row. Of equal keys in an object the last counts, and that is
counted; a row whose text stands twice is a bad row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from pipeline.read import plain_rows
from pipeline.read.archives import UNTOLD
from pipeline.read.files import InputFile
from pipeline.read.formats import mending
from pipeline.read.lines import Chunks, Line, Lines, Loss, QuarantinedRow, cut, without_newline
from pipeline.read.rows import DOUBLE, Collector, NotText, UnitRows
from pipeline.read.units import FileUnits, Unit, cannot_read, changed, chunks, named, new_digest, open_input
from pipeline.text import exact_json
from pipeline.text.exact_json import MOST_LEVELS, NOT_UTF8, SURROGATE, TOO_DEEP, TWICE, Odd, Twice

if TYPE_CHECKING:
    from pipeline.records.base import Json

_SPACE, _NEWLINE = 32, 10
PAD = b"\n" * 128
"""Has to stand behind rows that a kernel reads, which looks at 64 bytes at a time."""
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
    row = lines.first_row
    for i, some in enumerate(_together(lines.pieces)):
        piece = some[0] if len(some[0]) > _FLUSH_BYTES else b"".join([*some, PAD])
        begin, stop = len(_BOM) * (i == 0 and lines.start == 0 and piece.startswith(_BOM)), sum(map(len, some))
        ends = np.flatnonzero(np.frombuffer(piece, np.uint8, stop) == _NEWLINE)
        if not some[-1].endswith(b"\n"):
            ends = np.append(ends, stop)
        spans = np.stack([np.append(begin, ends[:-1] + 1), ends], axis=1)
        parse_rows(collector, piece, spans, first_row=row, is_open=not some[-1].endswith(b"\n"))
        row += len(spans)
        collector.flush()


def _together(pieces: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Pieces that have `_FLUSH_BYTES`, or one that has more."""
    some: list[bytes] = []
    size = 0
    for piece in pieces:
        if some and size + len(piece) > _FLUSH_BYTES:
            yield some
            some, size = [], 0
        some.append(piece)
        size += len(piece)
    if some:
        yield some


def parse_rows(collector: Collector, piece: bytes, spans: np.ndarray, *, first_row: int, is_open: bool = False) -> None:
    """Add the values `piece[start:stop]`, `spans` int64[n, 2], each of them a row but for blank ones; a newline stands behind
    each, but for the last where the input ends with it (`is_open`). Where PAD ends the piece plain rows are read faster."""
    from filters.kernels.formats import json_rows  # a process that decodes pages does without 100 MB of kernels

    rows = np.arange(len(spans))
    own = plain_rows.own_columns(collector.file)
    if own and piece.endswith(PAD):
        plain = json_rows.parsed(piece, spans, own, plain_rows.limits(collector.file))
        if len(plain.rows):
            collector.take(plain_rows.documents(collector.file, first_row + plain.rows, plain))
        rows = plain.others
    if len(rows):
        _parse_others(
            collector, piece, spans[rows], rows=first_row + rows, open_row=first_row + len(spans) - 1 if is_open else -1
        )


def _parse_others(collector: Collector, piece: bytes, spans: np.ndarray, *, rows: np.ndarray, open_row: int) -> None:
    """Add values with these numbers, of which `open_row` ends with the input."""
    from filters.kernels.formats import json_lines

    loads, add = orjson.loads, collector.add
    seen = json_lines.look_at(spans, np.frombuffer(piece, np.uint8)).tolist()
    for row, (start, stop), told in zip(rows.tolist(), spans.tolist(), seen, strict=True):
        line: Any = piece[start:stop] if stop - start <= _FLUSH_BYTES else memoryview(piece)[start:stop]
        # A gigabyte of blank lines would take a quarter of an hour as errors of the parser.
        if not line or (line[0] <= _SPACE and not bytes(line).strip()):
            continue
        try:
            record = loads(line)
        except orjson.JSONDecodeError as error:
            raw = bytes(without_newline(line))
            if row == open_row and _is_open(raw):
                detail = f"the file ends in the middle of this line: {UNTOLD}"
                collector.refuse(QuarantinedRow(row, "file_truncated", detail, len(raw), raw, Loss(cut=True)))
            else:
                _parse_exactly(collector, row, raw, refused=str(error))
            continue
        if type(record) is not dict:
            _refuse_other(collector, row, bytes(without_newline(line)), value=record)
        elif _is_kept(piece, line, record, seen=told):
            add(row, record, without_newline(line))
        else:
            _parse_exactly(collector, row, bytes(without_newline(line)), refused="")


def _refuse_other(collector: Collector, row: int, line: bytes, *, value: Any) -> None:
    # An array is most likely one of records, which are lost with it.
    lost = Loss(max(1, len(value))) if type(value) is list else Loss()
    collector.refuse(QuarantinedRow(row, "not_an_object", mending.not_an_object(value), len(line), line, lost))


_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.S)
_OTHER = re.compile(rb'[^"{}\[\]]++')


def _is_open(line: bytes) -> bool:
    """Whether an object begins that does not end: brackets, or a string, are open at the end."""
    if not line.lstrip().startswith(b"{"):
        return False
    left = _OTHER.sub(b"", _STRING.sub(b"", line))
    return b'"' in left or left.count(b"{") + left.count(b"[") > left.count(b"}") + left.count(b"]")


def _is_kept(piece: bytes, line: Line, record: Json, *, seen: Sequence[int]) -> bool:
    """Whether what orjson read is all that was written."""
    colons, deepest, uncertain, start, stop = seen
    if colons != len(record) and colons != exact_json.keys(record):
        return False
    if deepest > MOST_LEVELS:
        return False
    return not uncertain or exact_json.is_exact(piece[start:stop] if uncertain == 1 else bytes(line))


def _parse_exactly(collector: Collector, row: int, line: bytes, *, refused: str) -> None:
    """Add a line that orjson refuses, for the reason given, or of which it does not keep all."""
    shallow, mark = _without_deep_values(mending.without_slips(line))
    record: Any
    try:
        record = exact_json.loads(shallow.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        collector.refuse(QuarantinedRow(row, *mending.why_not_json(line, refused), len(line), line))
        return
    double: tuple[str, ...] = ()
    if type(record) is Odd and type(record.value) is Twice:
        record, double = record.value.made, record.value.keys
    if type(record) is not dict:
        if refused:
            collector.refuse(QuarantinedRow(row, *mending.why_not_json(line, refused), len(line), line))
        else:
            _refuse_other(collector, row, line, value=record)
        return
    for name, value in record.items():
        if type(value) is str and value.startswith(mark):
            record[name] = Odd(TOO_DEEP, value.removeprefix(mark))
    text = record.get(collector.file.text)
    if collector.file.text in double:
        record[collector.file.text] = NotText(DOUBLE, "the row has this key twice")
    elif type(text) is str and (kind := exact_json.odd_of(text)):
        said = {NOT_UTF8: mending.why_not_json(line, "bytes that are not UTF-8")[1], SURROGATE: "an escape for half a character"}
        record[collector.file.text] = NotText(kind, said[kind])
    for name in double:
        collector.replace(exact_json.settled(name, lambda _: None), TWICE)
    collector.add(row, record, line, exact=True)


def _without_deep_values(line: bytes) -> tuple[bytes, str]:
    """`(line, mark)`: each value of the line's object that is nested too deep is written as a string that begins with `mark`."""
    from filters.kernels.formats import json_lines

    mark = "too deep:"
    while mark.encode() in line:
        mark += ":"
    out, at = [], 0
    for start, stop in json_lines.deep_values(np.frombuffer(line, np.uint8), MOST_LEVELS).tolist():
        whole = line[start:stop].decode("utf-8", "surrogateescape")
        out += [line[at:start], json.dumps(mark + whole).encode()]
        at = stop
    return b"".join([*out, line[at:]]), mark
