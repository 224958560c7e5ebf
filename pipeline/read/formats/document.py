r"""JSON that is not one object a line: arrays, pretty-printed and concatenated objects, lists wrapped in an object. As streams.

A row is a value: of the file, or, where that is an array, of the array; its number is its place among them, from 1. Of a file
that is one object without a text (`members`), the rows are the elements of its arrays of objects, one array behind the other;
what else it holds is no row. `pipeline.read.shape` tells which file is which.

Only brackets and strings are followed here, so that a row's bytes are found without its values; orjson reads them as it reads
a line. ijson (3.6.0) was tried: 2.5 times as fast (377 to 144 MB/s over 22 MB of documentation, and neither is what a run waits
for); but it ends at the first fault, of which NaN is one, where here a row is bad or mended, gives quarantine no bytes to quote,
and holds a row of any size.

Invariants: time is linear, whatever the chunks; of a row longer than `max_row_bytes` no more is held than a chunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from pipeline.read.archives import UNTOLD
from pipeline.read.files import InputFile
from pipeline.read.formats import jsonl
from pipeline.read.lines import Chunks, Lines, Loss, QuarantinedRow, Unreadable, most_rows, too_large, units_of
from pipeline.read.rows import Collector
from pipeline.schema import EXCERPT_BYTES

SPACE = b" \t\r\n\x1e\xef\xbb\xbf"
"""Around values; also the record separator of JSON text sequences (RFC 7464), and byte order marks of files that were joined."""
_SPACE = re.compile(rb"[%b]*+" % SPACE)
_BETWEEN_VALUES = re.compile(rb"[%b,]*+" % SPACE)
_BETWEEN_MEMBERS = re.compile(rb"[%b,:]*+" % SPACE)
_TO_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:"(?:[^"\\]++|\\.)*+"[^"{}\[\]]*+)*+', re.DOTALL)
_TO_QUOTE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_BARE = re.compile(rb'[^,"{}\[\]\n]*+')
_PIECE = 1 << 16
"""Bytes looked at in one go: what is left of them is copied at each record."""
_FLUSH_BYTES = 4_000_000


class Nesting:
    """Where the value that begins next ends: `feed` its bytes, piece by piece, until one holds its end."""

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self.in_string = self.escaped = self.bare = False

    def feed(self, data: bytes, begin: int = 0) -> int:
        """Index behind the value's last byte; -1 where it goes on behind `data`."""
        at, end = begin, len(data)
        if at < end and not (self.depth or self.in_string or self.bare):
            self.bare, self.in_string = data[at] not in b'"{[', data[at] == 34
            at += self.bare or self.in_string
        if self.bare:
            found = _BARE.match(data, at).end()  # type: ignore[union-attr]
            return -1 if found == end else found
        while at < end:
            if self.escaped:
                at, self.escaped = at + 1, False
            elif self.in_string:
                at = _TO_QUOTE.match(data, at).end()  # type: ignore[union-attr]
                if at < end:
                    self.escaped, self.in_string = data[at] == 92, data[at] != 34
                    at += 1
                    if not (self.in_string or self.depth):
                        return at
            else:
                at = _TO_BRACKET.match(data, at).end()  # type: ignore[union-attr]
                if at < end:
                    self._structure(data[at])
                    at += 1
                    if not (self.in_string or self.depth):
                        return at
        return -1

    def _structure(self, byte: int) -> None:
        if byte == 34:
            self.in_string = True
        else:
            self.depth += 1 if byte in b"{[" else -1


def cut(chunks: Chunks, file: InputFile) -> Iterator[Lines]:
    """Units of whole values, a piece each. Where `chunks` raises Unreadable, or the file ends within a value, the last one has
    a `rest`."""
    cutter = _Cutter(chunks, file)
    return units_of(cutter, cutter.members() if file.format == "json_members" else cutter.values())


class _Cutter:
    """The open unit, and `held[at:]`, the bytes that were read and not used yet."""

    def __init__(self, chunks: Chunks, file: InputFile) -> None:
        self.pieces_of = _pieces(chunks)
        self.unit_bytes, self.max_row_bytes = file.unit_bytes, file.max_row_bytes
        self.held, self.at = b"", 0
        self.before = 0  # bytes in front of `held`
        self.start = 0
        self.first_row = self.row = 1
        self.pieces: list[bytes] = []
        self.refused: list[QuarantinedRow] = []
        self.open, self.open_bytes = b"", 0  # the value that is being read

    @property
    def stop(self) -> int:
        return self.before + self.at

    def values(self) -> Iterator[None]:
        """Take the values of the file, and of its arrays, one by one."""
        while byte := self._next(_BETWEEN_VALUES):
            if byte != b"[":
                self._take()
                yield
                continue
            self.at += 1
            yield from self._elements()

    def members(self) -> Iterator[None]:
        """Take the elements of the arrays of objects that the file's objects hold; what is no object between them is a row."""
        while byte := self._next(_BETWEEN_VALUES):
            if byte == b"{":
                self.at, row = self.at + 1, self.row
                yield from self._of_object()
                if self.row > row:
                    continue
                self.refused.append(QuarantinedRow(self.row, "text_missing", "an object without a list of records, behind one"))
                self.pieces.append(b"")
                self.row += 1
            else:
                self._take()
            yield

    def _of_object(self) -> Iterator[None]:
        while (byte := self._within("object", _BETWEEN_MEMBERS)) != b"}":
            if byte != b"[":
                self._skip(0)
                continue
            self.at += 1
            if self._within("array", _SPACE) == b"{":
                yield from self._elements()
            else:
                self._skip(1)
        self.at += 1

    def _elements(self) -> Iterator[None]:
        while self._within("array", _BETWEEN_VALUES) != b"]":
            self._take()
            yield
        self.at += 1

    def _next(self, between: re.Pattern[bytes]) -> bytes:
        """The next byte that is not between values; empty at the end of the file."""
        while True:
            self.at = between.match(self.held, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.held):
                return self.held[self.at : self.at + 1]
            if not self._more():
                return b""

    def _within(self, what: str, between: re.Pattern[bytes]) -> bytes:
        if byte := self._next(between):
            return byte
        raise _ended(what)

    def _more(self) -> bool:
        self.before += len(self.held)
        self.held, self.at = b"", 0  # in this order: reading may raise Unreadable
        self.held = next(self.pieces_of, b"")
        return bool(self.held)

    def _skip(self, depth: int) -> None:
        """Pass over a value, `depth` brackets of which are open already."""
        nesting = Nesting(depth)
        while (end := nesting.feed(self.held, self.at)) < 0:
            if not self._more():
                raise _ended("value")
        self.at = end

    def _take(self) -> None:
        """The next value is a row."""
        nesting, parts = Nesting(), []
        self.open, self.open_bytes = b"", 0
        while True:
            end = nesting.feed(self.held, self.at)
            part = self.held[self.at : end if end >= 0 else None]
            self.open_bytes += len(part)
            self.open += part[: EXCERPT_BYTES - len(self.open)]
            if self.open_bytes <= self.max_row_bytes:
                parts.append(part)
            else:
                parts.clear()
            if end >= 0:
                self.at = end
                break
            if not self._more():
                if not nesting.bare:
                    raise _ended("value")
                break
        if self.open_bytes > self.max_row_bytes:
            self.refused.append(too_large(self.row, self.open_bytes, self.open, limit=self.max_row_bytes))
        self.pieces.append(b"".join(parts))
        self.row += 1
        self.open, self.open_bytes = b"", 0

    def is_full(self) -> bool:
        return self.stop - self.start >= self.unit_bytes or self.row - self.first_row >= most_rows(self.unit_bytes)

    def rest(self, error: Unreadable) -> QuarantinedRow:
        """The row at which reading ended: the open value, cut off, and all that would have followed."""
        return QuarantinedRow(self.row, error.cause, error.detail, self.open_bytes, self.open or None, error.lost)

    def close(self, rest: QuarantinedRow | None) -> Lines:
        made = Lines(self.start, self.stop, self.first_row, tuple(self.pieces), tuple(self.refused), rest)
        self.start, self.first_row = self.stop, self.row
        self.pieces, self.refused = [], []
        return made


def _pieces(chunks: Chunks) -> Iterator[bytes]:
    for chunk in chunks:
        assert isinstance(chunk, bytes)  # nothing is read behind damage: whether a bracket is open there nobody knows
        for at in range(0, len(chunk), _PIECE):
            yield chunk[at : at + _PIECE]


def _ended(what: str) -> Unreadable:
    return Unreadable("file_truncated", f"the file ends within a JSON {what}: {UNTOLD}", Loss(cut=True))


def parse(collector: Collector, lines: Lines) -> None:
    """Add the values of a unit."""
    some: list[bytes] = []
    row, waiting = lines.first_row, 0
    for piece in lines.pieces:
        some.append(piece)
        waiting += len(piece)
        if waiting >= _FLUSH_BYTES:
            _parse(collector, some, row)
            collector.flush()
            row, waiting, some = row + len(some), 0, []
    _parse(collector, some, row)


def _parse(collector: Collector, values: list[bytes], first_row: int) -> None:
    if not values:
        return
    stops = np.cumsum([len(value) + 1 for value in values], dtype=np.int64) - 1
    spans = np.stack([np.append(0, stops[:-1] + 1), stops], axis=1)
    jsonl.parse_rows(collector, b"\n".join([*values, jsonl.PAD]), spans, first_row=first_row)
