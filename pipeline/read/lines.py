r"""Bytes cut into units of whole lines.

Invariants: a line is never split between units or pieces; a unit ends behind the first `\n` with which it has `unit_bytes`
bytes, or `most_rows` lines, whatever chunks the bytes arrive in; of a line longer than `max_row_bytes` no more than that and
one chunk is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from pipeline.schema import EXCERPT_BYTES

ROW_BYTES = 256
"""Bytes that a row counts for at least, where units are cut: one that cannot be read takes 730 bytes of memory, and a short good
one 320 (measured over a million lines each), however few it has in the file; a unit may take 4.5 times its size."""
FEW_ROWS = 1_000
"""Rows that any unit may have."""
Line = TypeVar("Line", bytes, memoryview)


@dataclass(frozen=True)
class Loss:
    """What a row that cannot be read stands for. `rows`: as many rows, itself among them; `share`: besides rows, this share
    of the file's bytes, as far as is known; `cut`: the file ends before it should, and nobody knows how much is missing."""

    rows: int = 1
    share: float = 0.0
    cut: bool = False


DAMAGE = ("archive_corrupt", "archive_truncated", "decoder_died", "decompression_bomb", "file_truncated", "quote_not_closed")
"""Causes that are damage of a file, not a fault of one row."""


NOT_TEXT = "not_text:"
"""Begins the cause of a record that is sound and holds no text, such as an image: no budget counts it."""
_NAMED = frozenset(
    f"{group}/{name}"
    for group, names in {
        "application": "javascript json ld+json msword octet-stream ogg pdf rss+xml wasm x-javascript xml zip",
        "audio": "mpeg ogg",
        "font": "woff woff2",
        "image": "avif bmp gif jpeg png svg+xml tiff webp x-icon",
        "text": "calendar css csv dns javascript markdown xml",
        "video": "mp4 webm",
    }.items()
    for name in names.split()
)
_GROUPS = ("application", "audio", "font", "image", "message", "model", "multipart", "text", "video")


def not_text(type_: str) -> str:
    """The cause of a record of this content type: of few values, whatever headers say."""
    group = type_.partition("/")[0]
    return NOT_TEXT + (type_ if type_ in _NAMED else f"{group}/*" if group in _GROUPS else "unknown")


@dataclass(frozen=True)
class QuarantinedRow:
    """A row that cannot be read: what quarantine will say about it. `n_bytes`: of the raw record, as far as it is known."""

    row: int
    cause: str
    detail: str
    n_bytes: int = 0
    excerpt: bytes | None = None
    lost: Loss = Loss()


@dataclass(frozen=True)
class Lines:
    """Bytes `start:stop` of an input. Each piece holds whole lines; only the input's last line may lack its newline.

    A refused line has left an empty line in its place, so that the others keep their numbers. `rest` is the unreadable
    rest of the input, which begins behind `stop`. Of CSV, whose `head` is the
    header, and of WARC a piece is a record, empty for one that is no row or was refused; `passed`: the former, by type.
    """

    start: int
    stop: int
    first_row: int
    pieces: tuple[bytes, ...]
    refused: tuple[QuarantinedRow, ...]
    rest: QuarantinedRow | None = None
    head: bytes = b""
    passed: tuple[tuple[str, int], ...] = ()


class Unreadable(Exception):
    """What follows cannot be decoded. Raised by the source of chunks, and turned into one refused row; where something behind it
    can be, it stands among the chunks in place of what is lost."""

    def __init__(self, cause: str, detail: str, lost: Loss = Loss()) -> None:
        super().__init__(detail)
        self.cause, self.detail, self.lost = cause, detail, lost


Chunks = Iterable[bytes | Unreadable]


def newlines(data: bytes | memoryview) -> int:
    return int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == 10))


def most_rows(unit_bytes: int) -> int:
    """Rows, blank lines among them, with which a unit ends though it has fewer bytes."""
    return max(FEW_ROWS, unit_bytes // ROW_BYTES)


def without_newline(line: Line) -> Line:
    r"""The record of a line that has lost its `\n`: a `\r` before that belongs to the newline too."""
    return line[:-1] if line[-1:] == b"\r" else line


def too_large(row: int, n_bytes: int, excerpt: bytes, *, limit: int) -> QuarantinedRow:
    return QuarantinedRow(
        row, "row_too_large", f"{n_bytes} bytes; max_row_bytes is {limit}", n_bytes, excerpt[: min(n_bytes, EXCERPT_BYTES)]
    )


def cut(chunks: Chunks, *, unit_bytes: int | None, max_row_bytes: int, start: int = 0, first_row: int = 1) -> Iterator[Lines]:
    """Units of the bytes; all in one if `unit_bytes` is None. Where `chunks` raises Unreadable, the last one has a `rest`."""
    cutter = _Cutter(unit_bytes=unit_bytes, max_row_bytes=max_row_bytes, start=start, row=first_row)
    rest = None
    try:
        for chunk in chunks:
            if isinstance(chunk, Unreadable):
                cutter.gap(chunk)
            else:
                yield from cutter.feed(chunk)
    except Unreadable as error:
        rest = cutter.rest(error)
    else:
        cutter.end()
    if rest or cutter.pieces or cutter.stop > cutter.start:
        yield cutter.close(rest)


class Cutter(Protocol):
    """The open unit of a format whose rows are not lines."""

    pieces: list[bytes]
    start: int

    @property
    def stop(self) -> int: ...

    def is_full(self) -> bool: ...

    def close(self, rest: QuarantinedRow | None) -> Lines: ...

    def rest(self, error: Unreadable) -> QuarantinedRow | None: ...


def units_of(cutter: Cutter, rows: Iterable[object]) -> Iterator[Lines]:
    """Units of the rows that `cutter` cuts as `rows` is iterated. Where that raises Unreadable, the last one has a `rest`."""
    rest = None
    try:
        for _ in rows:
            if cutter.is_full():
                yield cutter.close(None)
    except Unreadable as error:
        rest = cutter.rest(error)
    if rest or cutter.pieces or cutter.stop > cutter.start:
        yield cutter.close(rest)


class _Cutter:
    """The open unit, and the open line (`tail`) behind its last whole one."""

    def __init__(self, *, unit_bytes: int | None, max_row_bytes: int, start: int, row: int) -> None:
        self.unit_bytes, self.max_row_bytes = unit_bytes, max_row_bytes
        self.start = self.stop = start
        self.first_row = self.row = row
        self.pieces: list[bytes] = []
        self.refused: list[QuarantinedRow] = []
        self.tail = bytearray()
        self.tail_bytes = 0
        self.ends_in_cr = False

    def feed(self, chunk: bytes) -> Iterator[Lines]:
        begin = 0
        while begin < len(chunk):
            end = self._end_of_unit(chunk, begin)
            closes = end >= 0
            if not closes:
                end = chunk.rfind(b"\n", begin)
            if end < 0:
                self._grow(chunk[begin:])
                return
            self._take(chunk[begin : end + 1])
            begin = end + 1
            if closes:
                yield self.close(None)

    def _end_of_unit(self, chunk: bytes, begin: int) -> int:
        """Where the newline stands with which the unit has enough bytes, or lines; -1 where it is not in the chunk."""
        if self.unit_bytes is None:
            return -1
        missing = self.unit_bytes - (self.stop - self.start) - self.tail_bytes
        left = most_rows(self.unit_bytes) - (self.row - self.first_row)
        end = chunk.find(b"\n", begin + max(missing - 1, 0))
        found = np.frombuffer(chunk, np.uint8)[begin : end if end >= 0 else None] == 10
        return end if np.count_nonzero(found) < left else begin + int(np.flatnonzero(found)[left - 1])

    def _grow(self, part: bytes) -> None:
        self.tail_bytes += len(part)
        self.ends_in_cr = part.endswith(b"\r")
        if len(self.tail) < self.tail_bytes - len(part):  # given up before
            return
        self.tail += part
        if self.tail_bytes > self.max_row_bytes + 1:  # 1: a \r that belongs to the newline
            del self.tail[EXCERPT_BYTES:]

    def _take(self, whole: bytes) -> None:
        """Whole lines, the first of which ends the open one."""
        self.stop += self.tail_bytes + len(whole)
        first = whole.index(b"\n")
        ends_in_cr = whole[first - 1] == 13 if first else self.ends_in_cr
        size = self.tail_bytes + first - ends_in_cr
        if size > self.max_row_bytes:
            self.refused.append(
                too_large(self.row, size, bytes(self.tail + whole[: min(first, EXCERPT_BYTES)]), limit=self.max_row_bytes)
            )
            whole = whole[first:]
        elif self.tail:
            self.tail += memoryview(whole)[: first + 1]
            self.pieces.append(bytes(self.tail))
            self.row += 1
            whole = whole[first + 1 :]
        self._drop_tail()
        if len(whole) > self.max_row_bytes:
            whole = self._without_long_lines(whole)
        if whole:
            self.pieces.append(whole)
            self.row += newlines(whole)

    def _drop_tail(self) -> None:
        self.tail, self.tail_bytes, self.ends_in_cr = bytearray(), 0, False

    def _without_long_lines(self, whole: bytes) -> bytes:
        lines = whole.split(b"\n")
        for i, line in enumerate(lines):
            record = without_newline(line)
            if len(record) > self.max_row_bytes:
                self.refused.append(too_large(self.row + i, len(record), record, limit=self.max_row_bytes))
                lines[i] = b""
        return b"\n".join(lines)

    def end(self) -> None:
        """The input ends here, and with it a last line without a newline."""
        if self.tail_bytes > self.max_row_bytes:
            self.refused.append(too_large(self.row, self.tail_bytes, bytes(self.tail), limit=self.max_row_bytes))
        elif self.tail_bytes:
            self.pieces.append(bytes(self.tail))
        self.stop += self.tail_bytes
        self._drop_tail()

    def rest(self, error: Unreadable) -> QuarantinedRow:
        """The row at which reading ended: the open line, cut off, and all that would have followed."""
        excerpt = bytes(self.tail[:EXCERPT_BYTES]) or None
        return QuarantinedRow(self.row, error.cause, error.detail, self.tail_bytes, excerpt, error.lost)

    def gap(self, error: Unreadable) -> None:
        """Bytes are lost here: the open line is a refused row, and what is left of the one behind them will not parse."""
        self.refused.append(self.rest(error))
        self.stop += self.tail_bytes
        self.pieces.append(b"\n")
        self.row += 1
        self._drop_tail()

    def close(self, rest: QuarantinedRow | None) -> Lines:
        made = Lines(self.start, self.stop, self.first_row, tuple(self.pieces), tuple(self.refused), rest)
        self.start, self.first_row = self.stop, self.row
        self.pieces, self.refused = [], []
        return made
