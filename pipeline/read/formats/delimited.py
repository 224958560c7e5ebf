r"""CSV and TSV to rows.

The first record that is not blank is the header; it names the columns and has no number. A row is a record behind it. A
blank line is no row but has a number, as in JSONL. Records end where Python's csv module ends them (a quoted field may hold
line breaks); within one it is strict: a record with characters behind a closing quote, with a quote that is never closed,
or with another number of fields than the header is a bad row, and the next record is read as if nothing had been. Every
value is text; an empty `url` or `date` is none. Of columns with one name the last counts.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator

import numpy as np

from filters.kernels.formats.csv_records import QUOTED, START, record_ends
from pipeline.read.files import InputFile
from pipeline.read.lines import Lines, QuarantinedRow, Unreadable, most_rows, too_large
from pipeline.read.rows import Collector
from pipeline.schema import EXCERPT_BYTES

DELIMITERS = {"csv": ",", "tsv": "\t"}
"""Format → what stands between two fields."""
_ENDS = 1 << 16
"""Ends of records found in one go: 512 KiB of offsets, whatever the input."""
_FLUSH_BYTES = 4_000_000
_BOM = b"\xef\xbb\xbf"

csv.field_size_limit(sys.maxsize)  # the module's own, of the whole process, is 128 KiB; max_row_bytes bounds a record


def cut(chunks: Iterable[bytes], file: InputFile) -> Iterator[Lines]:
    """Units of whole records. Where `chunks` raises Unreadable, or the header is too large, the last one has a `rest`."""
    cutter = _Cutter(file)
    rest = None
    try:
        for chunk in _without_mark(chunks):
            yield from cutter.feed(chunk)
        cutter.end()
    except Unreadable as error:
        rest = cutter.rest(error)
    if rest or cutter.stop > cutter.start:
        yield cutter.close(rest)


def _without_mark(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks without a byte order mark in front: behind one a quote would not be a field's first byte."""
    begin: bytes | None = b""
    for chunk in chunks:
        if begin is None:
            yield chunk
        elif len(begin := begin + chunk) >= len(_BOM):
            yield begin.removeprefix(_BOM)
            begin = None
    if begin:
        yield begin


class _Cutter:
    """The open unit, and the open record (`tail`) behind its last whole one."""

    def __init__(self, file: InputFile) -> None:
        self.unit_bytes, self.max_row_bytes = file.unit_bytes, file.max_row_bytes
        self.delimiter, self.state = ord(DELIMITERS[file.format]), START
        self.head: bytes | None = None
        self.start = self.stop = 0
        self.first_row = self.row = 1
        self.pieces: list[bytes] = []
        self.refused: list[QuarantinedRow] = []
        self.tail, self.tail_bytes, self.tail_end = bytearray(), 0, b""

    def feed(self, chunk: bytes) -> Iterator[Lines]:
        data = np.frombuffer(chunk, np.uint8)
        ends = np.empty(_ENDS, np.int64)
        begin = 0
        while begin < len(chunk):
            n, looked, self.state = record_ends(data[begin:], self.delimiter, self.state, ends)
            taken = 0
            found = ends[:n]
            while taken < n:
                base = int(found[taken - 1]) if taken else 0
                missing = self.unit_bytes - (self.stop - self.start) - self.tail_bytes + base
                last = taken + int(np.searchsorted(found[taken:], missing))
                closes = last < n
                left = most_rows(self.unit_bytes) - (self.row - self.first_row)
                closes = closes and last - taken < left
                last = min(last, n - 1, taken + left - 1)
                self._take(chunk[begin + base : begin + int(found[last])], found[taken : last + 1] - base)
                taken = last + 1
                if closes or self.row - self.first_row >= most_rows(self.unit_bytes):
                    yield self.close(None)
            self._grow(chunk[begin + (int(found[-1]) if n else 0) : begin + looked])
            begin += looked

    def _grow(self, part: bytes) -> None:
        self.tail_bytes += len(part)
        self.tail_end = (self.tail_end + part[-2:])[-2:]
        if len(self.tail) < self.tail_bytes - len(part):  # given up before
            return
        self.tail += part
        if self.tail_bytes > self.max_row_bytes + 2:  # 2: of the line break
            del self.tail[EXCERPT_BYTES:]
            if self.head is None:
                raise Unreadable("row_too_large", f"the header is longer than max_row_bytes, {self.max_row_bytes}")

    def _take(self, whole: bytes, ends: np.ndarray) -> None:
        """Whole records, the first of which ends the open one."""
        first = int(ends[0])
        self._grow(whole[:first])
        self._end_of_record()
        whole, ends = whole[first:], ends[1:] - first
        if self.head is None and len(ends):
            blank = int(np.searchsorted(ends, len(whole) - len(whole.lstrip(b"\r\n")), side="right"))
            skipped = int(ends[blank - 1]) if blank else 0
            self.stop += skipped
            if blank < len(ends):  # the header's record, and what is behind it
                self._take(whole[skipped:], ends[blank:] - skipped)
            return
        if not len(ends):
            return
        self.stop += len(whole)
        sizes = np.diff(ends, prepend=0)
        if sizes.max() > self.max_row_bytes:
            whole = self._without_long_records(whole, ends.tolist())
        self.pieces.append(whole)
        self.row += len(ends)

    def _end_of_record(self) -> None:
        self.stop += self.tail_bytes
        size = self.tail_bytes - len(_line_break(self.tail_end))
        if self.head is None:
            if size:
                self.head = bytes(self.tail)
        else:
            if size > self.max_row_bytes:
                self.refused.append(too_large(self.row, size, bytes(self.tail[:size]), limit=self.max_row_bytes))
                self.pieces.append(b"\n")
            else:
                self.pieces.append(bytes(self.tail))
            self.row += 1
        self.tail, self.tail_bytes, self.tail_end = bytearray(), 0, b""

    def _without_long_records(self, whole: bytes, ends: list[int]) -> bytes:
        parts = []
        for i, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
            record = without_line_break(whole[begin:end])
            if len(record) > self.max_row_bytes:
                self.refused.append(too_large(self.row + i, len(record), record, limit=self.max_row_bytes))
            parts.append(whole[begin:end] if len(record) <= self.max_row_bytes else b"\n")
        return b"".join(parts)

    def end(self) -> None:
        """The input ends here, and with it a last record without a line break."""
        if self.tail_bytes:
            self._end_of_record()

    def rest(self, error: Unreadable) -> QuarantinedRow:
        """The row at which reading ended: the open record, cut off, and all that would have followed."""
        return QuarantinedRow(self.row, error.cause, error.detail, self.tail_bytes, bytes(self.tail[:EXCERPT_BYTES]) or None)

    def close(self, rest: QuarantinedRow | None) -> Lines:
        made = Lines(self.start, self.stop, self.first_row, tuple(self.pieces), tuple(self.refused), rest, self.head or b"")
        self.start, self.first_row = self.stop, self.row
        self.pieces, self.refused = [], []
        return made


def _line_break(end: bytes) -> bytes:
    return b"\r\n" if end.endswith(b"\r\n") else end[-1:] if end[-1:] in (b"\n", b"\r") else b""


def without_line_break(record: bytes) -> bytes:
    return record[: len(record) - len(_line_break(record[-2:]))]


def parse(collector: Collector, lines: Lines) -> None:
    """Add the records of a unit."""
    delimiter = DELIMITERS[collector.file.format]
    names, why = _fields(without_line_break(lines.head), delimiter)
    header = f"the header: {why[1]}" if why else ""
    row, waiting = lines.first_row, 0
    for piece in lines.pieces:
        for record in _records(piece, ord(delimiter)):
            if record:
                if header:
                    collector.refuse(QuarantinedRow(row, "invalid_csv", header, len(record), record))
                else:
                    _add(collector, row, record, names=names, delimiter=delimiter)
            row += 1
        waiting += len(piece)
        if waiting >= _FLUSH_BYTES:
            collector.flush()
            waiting = 0


def _add(collector: Collector, row: int, record: bytes, *, names: list[str], delimiter: str) -> None:
    fields, why = _fields(record, delimiter)
    if not why and len(fields) != len(names):
        why = "invalid_csv", f"{len(fields)} fields; the header has {len(names)}"
    if why:
        collector.refuse(QuarantinedRow(row, *why, len(record), record))
        return
    values = dict(zip(names, fields, strict=True))
    for name in ("url", "date"):
        if values.get(name) == "" and name != collector.file.text:
            del values[name]
    collector.add(row, values, record)


def _fields(record: bytes, delimiter: str) -> tuple[list[str], tuple[str, str] | None]:
    """The fields of a record without its line break, or the cause and detail of why it has none."""
    try:
        return next(csv.reader((record.decode("utf-8"),), delimiter=delimiter, strict=True), []), None
    except UnicodeDecodeError as error:
        return [], ("invalid_utf8", error.reason)
    except csv.Error as error:
        return [], ("invalid_csv", str(error))


def _records(piece: bytes, delimiter: int) -> Iterator[bytes]:
    """Its records without their line breaks."""
    data = np.frombuffer(piece, np.uint8)
    ends = np.empty(min(_ENDS, len(piece) + 1), np.int64)
    begin, last, state = 0, 0, START
    while begin < len(piece):
        n, looked, state = record_ends(data[begin:], delimiter, state, ends)
        for end in (ends[:n] + begin).tolist():
            yield without_line_break(piece[last:end])
            last = end
        begin += looked
    if last < len(piece):
        yield without_line_break(piece[last:]) if state != QUOTED else piece[last:]
