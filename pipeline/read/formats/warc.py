"""WARC and WET to raw records: only their frame is read here, in the run's process, and nothing of what they hold.

Each record has a number, the first 1. `response`, `resource` and `conversion` records are rows; of others (warcinfo, request,
metadata, revisit, continuation) only the number is used, and how many of each type there are. Where no record begins, or one's
length is not given, the bytes up to the next line that begins a record are one bad row, and so is a record that does not end
where its length says, and the rest of an archive that ends within a record.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from pipeline.read.files import InputFile
from pipeline.read.lines import Chunks, Lines, Loss, QuarantinedRow, Unreadable, most_rows, too_large, units_of
from pipeline.schema import EXCERPT_BYTES

MAX_HEADER = 1 << 16
"""Bytes of a record's header; real ones have about 500."""
_BEGIN = re.compile(rb"WARC/[01]\.\d{1,2}\r?\n")
_NEXT = re.compile(rb"\nWARC/[01]\.\d{1,2}\r?\n")
_END = re.compile(rb"\r?\n(?:(\r?\n)|(?=WARC/[01]\.\d{1,2}\r?\n))")
"""A blank line; or a line that begins a record, with which a header would be looked for in the same bytes again and again."""
_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,15})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_TYPE = re.compile(rb"^warc-type[ \t]*:[ \t]*([a-z]+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_FOLD = re.compile(rb"\r?\n[ \t]+")
_NO_ROWS = ("warcinfo", "request", "metadata", "revisit", "continuation")
_ROWS = (b"response", b"resource", b"conversion")
_LONGEST_BEGIN = 16
_PIECE = 1 << 14
"""Bytes looked at in one go: what is left of them is copied at each record, and a hostile archive has one every ten bytes."""


def cut(chunks: Chunks, file: InputFile) -> Iterator[Lines]:
    """Units of whole records, a piece each."""
    cutter = _Cutter(chunks, file)
    return units_of(cutter, iter(cutter.record, False))


def _pieces(chunks: Chunks) -> Iterator[bytes | Unreadable]:
    for chunk in chunks:
        if isinstance(chunk, Unreadable):
            yield chunk
        else:
            yield from (chunk[at : at + _PIECE] for at in range(0, len(chunk), _PIECE))


def _lost_returns(record: bytes, declared: int) -> bool:
    """Whether a record, its end included, is shorter than it should be because its carriage returns were taken away."""
    missing = declared + 2 - len(record)
    return record.endswith(b"\n\n") and b"\r" not in record and 0 < missing <= record.count(b"\n")


class _Gap(Exception):
    def __init__(self, what: Unreadable) -> None:
        super().__init__(what)
        self.what = what


class _Cutter:
    """The open unit, and `held`, the bytes that were read and not used yet."""

    def __init__(self, chunks: Chunks, file: InputFile) -> None:
        self.chunks, self.max_row_bytes, self.unit_bytes = _pieces(chunks), file.max_row_bytes, file.unit_bytes
        self.back: list[bytes] = []  # what is read again, the last piece first
        self.again = 0
        self.held = b""
        self.start = self.stop = 0
        self.first_row = self.row = 1
        self.pieces: list[bytes] = []
        self.refused: list[QuarantinedRow] = []
        self.passed: Counter[str] = Counter()
        self.open = b""  # what is known of the record that is being read
        self.open_bytes = 0

    def record(self) -> bool:
        """Take the next record, or the bytes that are none; False at the end of the archive."""
        try:
            return self._record()
        except _Gap as gap:
            self.refused.append(self.rest(gap.what))
            self.stop += self.open_bytes or len(self.held)
            self.held = b""
            self._add(b"")
            return True

    def _record(self) -> bool:
        self._skip_line_breaks()
        if not self.held:
            return False
        self._fill(_LONGEST_BEGIN)
        header = self._header() if _BEGIN.match(self.held) else b""
        fields = _FOLD.sub(b" ", header)
        length = _LENGTH.search(fields)
        if not length:
            self._lost("a record without a length" if header else "no record begins here")
            return True
        kind = _TYPE.search(fields)
        is_row = kind is not None and kind[1].lower() in _ROWS
        if not is_row:
            name = kind[1].lower().decode() if kind else ""
            self.passed[name if name in _NO_ROWS else "other"] += 1
        self._content(header, int(length[1]), is_row=is_row)
        return True

    def _skip_line_breaks(self) -> None:
        while True:
            left = self.held.lstrip(b"\r\n")
            self.stop += len(self.held) - len(left)
            self.held = left
            if left or not self._more():
                return

    def _more(self) -> bool:
        piece = self.back.pop() if self.back else next(self.chunks, b"")
        if isinstance(piece, Unreadable):
            raise _Gap(piece)
        self.held += piece
        return bool(piece)

    def _fill(self, n: int) -> None:
        while len(self.held) < n and self._more():
            pass

    def _header(self) -> bytes:
        """The header with the blank line behind it; none if there is no such line where it could be."""
        while True:
            end = _END.search(self.held, 0, MAX_HEADER)
            if end or len(self.held) >= MAX_HEADER or not self._more():
                return self.held[: end.end()] if end and end[1] else b""

    def _content(self, header: bytes, length: int, *, is_row: bool) -> None:
        size = len(header) + length
        keep = size <= self.max_row_bytes
        self.open, self.open_bytes = header, 0
        parts, missing = [], size
        while missing and (self.held or self._more()):
            part, self.held = self.held[:missing], self.held[missing:]
            missing -= len(part)
            self.open_bytes += len(part)
            if keep:
                parts.append(part)
        if missing or not self._ends_here():
            self._of_another_length(b"".join(parts), missing=missing, is_row=is_row)
            return
        self.stop += size
        if is_row and not keep:
            self.refused.append(too_large(self.row, size, header, limit=self.max_row_bytes))
        self._add(b"".join(parts) if is_row else b"")

    def _ends_here(self) -> bool:
        """Whether what follows is the end of a record: a line break, the next record, or nothing."""
        self._fill(_LONGEST_BEGIN)
        return self.held[:1] in (b"", b"\r", b"\n") or _BEGIN.match(self.held) is not None

    def _of_another_length(self, read: bytes, *, missing: int, is_row: bool) -> None:
        """A record that is shorter or longer than its Content-Length says, and was `read` by that. Where another record begins
        within what was read, that is read again, as often as time stays linear in the archive."""
        size = self.open_bytes
        inner = _NEXT.search(read + self.held[:_LONGEST_BEGIN], 1)
        again = inner and inner.start() < len(read) and self.again <= 2 * (self.stop + self.max_row_bytes)
        if inner and again:
            size = inner.start() + 1
            self._put_back(read[size:])
        if _lost_returns(read[:size], self.open_bytes + missing):
            self.stop += size
            self._add(read[: size - 2] if is_row else b"")
            return
        if missing and not again:
            raise Unreadable("archive_truncated", f"the archive ends {missing} bytes before the record does", Loss(cut=True))
        self.stop += size
        if is_row:
            detail = "WARC: the record does not end where its Content-Length says"
            self.refused.append(QuarantinedRow(self.row, "archive_corrupt", detail, size, self.open))
        self._add(b"")

    def _put_back(self, data: bytes) -> None:
        self.again += len(data)
        data, self.held = data + self.held, b""
        self.back += [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)][::-1]

    def _lost(self, what: str) -> None:
        """Bytes up to the next record are one bad row."""
        self._fill(EXCERPT_BYTES)
        excerpt, lost = self.held[:EXCERPT_BYTES], 0
        self.open = excerpt
        begin = 0
        while not (found := _NEXT.search(self.held, begin)):
            keep = max(len(self.held) - _LONGEST_BEGIN, 0)
            lost += keep
            self.held, begin = self.held[keep:], 0
            self.open_bytes = lost
            if not self._more():
                lost, self.held = lost + len(self.held), b""
                break
        else:
            lost, self.held = lost + found.start() + 1, self.held[found.start() + 1 :]
        self.stop += lost
        self.refused.append(QuarantinedRow(self.row, "archive_corrupt", f"WARC: {what}", lost, excerpt[:lost]))
        self._add(b"")

    def _add(self, piece: bytes) -> None:
        self.pieces.append(piece)
        self.row += 1
        self.open, self.open_bytes = b"", 0

    def is_full(self) -> bool:
        return self.stop - self.start >= self.unit_bytes or self.row - self.first_row >= most_rows(self.unit_bytes)

    def rest(self, error: Unreadable) -> QuarantinedRow:
        """The row at which reading ended: the open record, cut off, and all that would have followed."""
        n_bytes = self.open_bytes or len(self.held)
        excerpt = (self.open or self.held)[:EXCERPT_BYTES] or None
        return QuarantinedRow(self.row, error.cause, error.detail, n_bytes, excerpt, error.lost)

    def close(self, rest: QuarantinedRow | None) -> Lines:
        passed = tuple(sorted(self.passed.items()))
        made = Lines(self.start, self.stop, self.first_row, tuple(self.pieces), tuple(self.refused), rest, passed=passed)
        self.start, self.first_row = self.stop, self.row
        self.pieces, self.refused = [], []
        self.passed.clear()
        return made
