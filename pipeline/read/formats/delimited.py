r"""CSV and TSV to rows.

The first record that is not blank is the header, behind Excel's `sep=;`; it names the columns and has no number. Fields are
delimited as the ending says, or by another of comma, semicolon, tab and bar where only that gives the header the column of the
text. A row is a record behind it. A blank line is no row but has a number, as in JSONL. Records end where Python's csv module
ends them (a quoted field may hold line breaks); within one it is strict: a record with characters behind a closing quote, with
a quote that is never closed, or with another number of fields than the header is a bad row, and the next record is read as if
nothing had been. Every value is text; an empty `url` or `date` is none. Columns without a name are
called by their place where there are several. Where two columns have one name, every row is a bad one.

One pattern finds where a record ends and `csv.reader` reads it, strictly. Alone `csv.reader` cannot: where it refuses a record
it loses the place at which its lenient self would end it, and a quote that is never closed makes it hold the rest of the file,
four bytes for a character.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator

from pipeline.read.archives import UNTOLD
from pipeline.read.files import ANY, InputFile
from pipeline.read.formats.mending import not_utf8
from pipeline.read.lines import Chunks, Lines, Loss, QuarantinedRow, Unreadable, most_rows, newlines, too_large, units_of
from pipeline.read.rows import DOUBLE, Collector
from pipeline.schema import EXCERPT_BYTES

DELIMITERS = {"csv": ",", "tsv": "\t"}
"""Format → what stands between two fields."""
_OTHERS = (",", ";", "\t", "|")
_SEP = re.compile(rb"sep=[,;\t|]", re.IGNORECASE)
_BACKSLASH = rb"\""
_FLUSH_BYTES = 4_000_000
_BOM = b"\xef\xbb\xbf"

csv.field_size_limit(sys.maxsize)  # the module's own, of the whole process, is 128 KiB; max_row_bytes bounds a record


def _record(delimiter: str) -> re.Pattern[bytes]:
    """A record without its line break, or as much of it as there is: the csv module's lenient state machine.

    A quote opens a quoted field as its first byte only, two quotes inside are one, and behind a closing quote (`closed`) the
    field goes on to the next delimiter. Possessive throughout: time is linear.
    """
    delimiter = re.escape(delimiter)
    plain = rf"[^{delimiter}\r\n]*+"
    field = rf'"(?:[^"]++|"")*+(?:"{plain})?+|(?!"){plain}'
    last = rf'"(?:[^"]++|"")*+(?P<closed>"{plain})?+|(?!"){plain}'
    return re.compile(rf"(?:(?:{field}){delimiter})*+(?P<last>{last})".encode())


_RECORDS = {delimiter: _record(delimiter) for delimiter in _OTHERS}


def _delimiter(head: bytes, file: InputFile) -> str:
    """What the header's fields are delimited by."""
    usual = DELIMITERS[file.format]
    if file.text == ANY:
        return max((usual, *_OTHERS), key=lambda other: len(_fields(head, other)[0]))
    return next((other for other in (usual, *_OTHERS) if file.text in _fields(head, other)[0]), usual)


def cut(chunks: Chunks, file: InputFile) -> Iterator[Lines]:
    """Units of whole records, a piece each. Where `chunks` raises Unreadable, or the header is too large, the last one has a
    `rest`."""
    cutter = _Cutter(chunks, file)
    return units_of(cutter, iter(cutter.record, False))


class _Cutter:
    """The open unit, and `buffer[at:]`, what was read behind its last record.

    Of an open record that is too large the buffer holds a few bytes that stand for it: `begin` is how it began, and `dropped`
    how many bytes more it has.
    """

    def __init__(self, chunks: Chunks, file: InputFile) -> None:
        self.chunks, self.file, self.delimiter = _without_mark(chunks), file, DELIMITERS[file.format]
        self.pattern = _RECORDS[self.delimiter]
        self.unit_bytes, self.max_row_bytes = file.unit_bytes, file.max_row_bytes
        self.held_bytes = max(file.max_row_bytes, EXCERPT_BYTES) + 2  # 2: of the line break
        self.buffer, self.at, self.ended = b"", 0, False
        self.begin, self.dropped, self.dropped_lines, self.open_line = b"", 0, 0, False
        self.fault: Unreadable | None = None
        self.head: bytes | None = None
        self.is_behind_sep = False
        self.start = self.stop = 0
        self.first_row = self.row = 1
        self.pieces: list[bytes] = []
        self.refused: list[QuarantinedRow] = []

    def record(self) -> bool:
        """Take the next record; False where there is none."""
        self.begin, self.dropped, self.dropped_lines, self.open_line = b"", 0, 0, False
        while not self._is_whole(found := self._found()):
            if self.dropped or found.end() - self.at > self.held_bytes:
                self._drop(found)
            self._more()
        end = found.end()
        behind = end + (2 if self.buffer[end : end + 2] == b"\r\n" else int(end < len(self.buffer)))
        raw, size = self.buffer[self.at : end], end - self.at + self.dropped
        if self.head is None and size > self.max_row_bytes:
            self.buffer = self.buffer[:behind]
            raise Unreadable("row_too_large", f"the header is longer than max_row_bytes, {self.max_row_bytes}")
        self.at = behind
        self.stop += size + behind - end
        if size + behind - end == 0:
            return False
        if self.head is not None:
            self._add(raw, size, refused=self._ended(found, raw, size) if behind == end else None)
        elif raw and not (_SEP.fullmatch(raw) and not self.is_behind_sep):
            self.head = raw
            self.delimiter = _delimiter(raw, self.file)
            self.pattern = _RECORDS[self.delimiter]
        self.is_behind_sep = self.is_behind_sep or bool(raw)
        return True

    def _found(self) -> re.Match[bytes]:
        found = self.pattern.match(self.buffer, self.at)
        assert found  # it matches no byte at all, too
        return found

    def _is_whole(self, found: re.Match[bytes]) -> bool:
        r"""Whether a line break is behind it, or nothing more: a `\r` may be half of one."""
        end = found.end()
        return self.ended or end + (self.buffer[end : end + 1] == b"\r") < len(self.buffer)

    def _drop(self, found: re.Match[bytes]) -> None:
        """Replace what there is of a record with bytes behind which the csv module's state is the same."""
        closed, last = found["closed"], found["last"]
        state = b'""' if closed == b'"' else b"x" if closed else last[:1]
        self.begin = self.begin or self.buffer[self.at : self.at + EXCERPT_BYTES]
        # Line breaks of what goes; the last byte's counts once something follows it.
        self.dropped_lines += self.open_line + newlines(self.buffer[self.at : found.end() - 1])
        self.open_line = self.buffer[found.end() - 1 : found.end()] == b"\n"
        self.dropped += found.end() - self.at - len(state)
        self.buffer, self.at = state + self.buffer[found.end() :], 0

    def _more(self) -> None:
        """Read as much again as is held, or to the end: so a long record is not looked through again with each chunk."""
        if self.fault:
            raise self.fault
        parts = [self.buffer[self.at :]]
        missing = len(parts[0]) or 1
        try:
            while missing > 0 and not self.ended:
                parts.append(next(self.chunks, b""))
                self.ended = not parts[-1]
                missing -= len(parts[-1])
        except Unreadable as error:  # once the records before it are taken
            self.fault = error
        self.buffer, self.at = b"".join(parts), 0

    def _ended(self, found: re.Match[bytes], raw: bytes, size: int) -> QuarantinedRow | None:
        """The last record, which no line break ends, if it is not a whole one: a quote is open, or fields are missing."""
        excerpt, head = self.begin or raw[:EXCERPT_BYTES], self.head or b""
        if found["last"][:1] == b'"' and found["closed"] is None:
            lines = newlines(raw[:-1]) + self.dropped_lines + (self.open_line and len(raw) > 1) + 1
            what = f"a quote of this record is never closed: it swallows {size} bytes, {lines} lines, to the end of the file"
            return QuarantinedRow(self.row, "quote_not_closed", what, size, excerpt, Loss(lines, cut=True))
        if raw and size <= self.max_row_bytes:
            fields, names = (len(_fields(record, self.delimiter)[0]) for record in (raw, head))
            if 0 < fields < names:
                what = f"the file ends in the middle of this record, with {fields} fields of {names}: {UNTOLD}"
                return QuarantinedRow(self.row, "file_truncated", what, size, excerpt, Loss(cut=True))
        return None

    def _add(self, raw: bytes, size: int, *, refused: QuarantinedRow | None) -> None:
        if refused:
            self.refused.append(refused)
            raw = b""
        elif size > self.max_row_bytes:
            self.refused.append(too_large(self.row, size, self.begin or raw, limit=self.max_row_bytes))
            raw = b""
        self.pieces.append(raw)
        self.row += 1

    def is_full(self) -> bool:
        return self.stop - self.start >= self.unit_bytes or self.row - self.first_row >= most_rows(self.unit_bytes)

    def rest(self, error: Unreadable) -> QuarantinedRow:
        """The row at which reading ended: the open record, cut off, and all that would have followed."""
        known = self.buffer[self.at :]
        excerpt = (self.begin or known)[:EXCERPT_BYTES] or None
        return QuarantinedRow(self.row, error.cause, error.detail, len(known) + self.dropped, excerpt, error.lost)

    def close(self, rest: QuarantinedRow | None) -> Lines:
        made = Lines(self.start, self.stop, self.first_row, tuple(self.pieces), tuple(self.refused), rest, self.head or b"")
        self.start, self.first_row = self.stop, self.row
        self.pieces, self.refused = [], []
        return made


def _without_mark(chunks: Chunks) -> Iterator[bytes]:
    """The chunks, none of them empty, without a byte order mark: behind one a quote would not be a field's first byte."""
    begin: bytes | None = b""
    for chunk in filter(None, chunks):
        assert isinstance(chunk, bytes)  # nothing is read behind damage: whether a quote is open there nobody knows
        if begin is None:
            yield chunk
        elif len(begin := begin + chunk) >= len(_BOM):
            yield from filter(None, [begin.removeprefix(_BOM)])
            begin = None
    if begin:
        yield begin


def parse(collector: Collector, lines: Lines) -> None:
    """Add the records of a unit."""
    delimiter = _delimiter(lines.head, collector.file)
    names, why = _fields(lines.head, delimiter)
    if names.count("") > 1:  # as spreadsheets leave them
        names = [name or f"column {place}" for place, name in enumerate(names, 1)]
    double = next((name for name, n in Counter(names).items() if n > 1), None)
    header = ("invalid_csv", f"the header: {why[1]}") if why else None
    if double is not None:
        header = DOUBLE, f"two columns of the header are called {double!r}; rename one of them"
    waiting = 0
    for row, record in enumerate(lines.pieces, lines.first_row):
        if not record:
            continue
        if header:
            collector.refuse(QuarantinedRow(row, *header, len(record), record))
        else:
            _add(collector, row, record, names=names, delimiter=delimiter)
        waiting += len(record)
        if waiting >= _FLUSH_BYTES:
            collector.flush()
            waiting = 0


def _add(collector: Collector, row: int, record: bytes, *, names: list[str], delimiter: str) -> None:
    fields, why = _fields(record, delimiter)
    if why and _BACKSLASH in record:
        why = why[0], f"{why[1]}; a quote within a field is written twice, not behind a backslash"
    if not why and len(fields) != len(names):
        why = "invalid_csv", f"{len(fields)} fields; the header has {len(names)}"
    if why:
        # Of several lines it is most likely a quote too many that made one of them.
        collector.refuse(QuarantinedRow(row, *why, len(record), record, Loss(newlines(record) + 1)))
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
        return [], ("invalid_utf8", not_utf8(error))
    except csv.Error as error:
        return [], ("invalid_csv", str(error))
