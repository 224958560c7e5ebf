"""What a file holds, by its first bytes: the same whatever it is called, and however the plan names it.

Compression and Parquet are told by the numbers that their files begin with, whatever the name says, UTF-16 and UTF-32 by theirs,
the layout of JSON by `pipeline.read.shape`. CSV, plain text, HTML and JSON lines are what a name declares; where none does (an
ending that is not known, `.json`, none at all), JSON, Parquet, WARC and HTML are recognised, and anything else has a reason why
it is passed over. Invariant: of an object store one range is asked for, more only where that does not tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from pipeline.read import shape
from pipeline.read.archives import decoded
from pipeline.read.encodings import encoding_of, transcoded
from pipeline.read.files import ANY, InputFile
from pipeline.read.lines import ROW_BYTES
from pipeline.read.units import open_input, source_of
from pipeline.text import numbers
from pipeline.text.conversations import AUTO, LAYOUTS

EMPTY = "empty"
_RAW_BYTES = 1 << 16
_SHOWN = 40
_COMPRESSIONS = (
    (re.compile(rb"\x1f\x8b\x08"), "gzip"),
    (re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", re.DOTALL), "zstd"),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "bzip2"),
    (re.compile(rb"\xfd7zXZ\x00"), "xz"),
    (re.compile(rb"\x04\x22\x4d\x18"), "lz4"),
)
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
"""Frames that zstd and lz4 both have: the name decides where it can."""
_FOREIGN = (
    (b"PK\x03\x04", "a zip archive; unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
    (b"Rar!\x1a\x07", "a rar archive; unpack it"),
    (b"\xff\x06\x00\x00sNaPpY", "compressed by snappy; compress it by gzip or zstd, or not at all"),
    (b"ARROW1", "an Arrow IPC file; write it as Parquet"),
    (b"Obj\x01", "an Avro file; write it as Parquet"),
    (b"ORC", "an ORC file; write it as Parquet"),
    (b"SQLite format 3\0", "an SQLite database; export its table"),
    (b"%PDF-", "a PDF; extract its text"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
)
_TAR = (257, b"ustar")
_PARQUET = b"PAR1"
_ENCRYPTED = b"PARE"
"""Parquet with an encrypted footer, which its reader says."""
_TEXT = ("jsonl", "csv", "tsv", "text")
_ROW_MARKS = {
    "jsonl": (b"\n",),
    "csv": (b"\n", b"\r"),
    "tsv": (b"\n", b"\r"),
    "json": (b",", b"{", b"\n"),
    "json_members": (b",", b"{", b"\n"),
    "json_table": (b",", b"{", b"\n"),
    "warc": (b"WARC/",),
}
"""By format, bytes one of which each row but one has."""
_TABLES = ("csv", "tsv", "json_table")
_PAGE = re.compile(rb"\s*(?:<!doctype html|<html)[\s>]", re.IGNORECASE)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


def look(file: InputFile) -> InputFile | str:
    """The file as what it holds; or the reason why it cannot be read. Its `format` is empty where no name declares one."""
    with open_input(file, ranges=True) as handle:
        read = source_of(file, handle)
        raw = _first(read, _RAW_BYTES)
        if not raw:
            return replace(file, looked=True, weight=1) if file.format else EMPTY
        if raw.startswith(_PARQUET) or (raw.startswith(_ENCRYPTED) and _is_binary(raw)):
            return replace(file, format="parquet", compression=None, looked=True)
        compression = _compression(raw, file.compression)
        head = shape.Head(decoded(_source(raw, read), compression, size=file.size, resumes=False))
        head.grow(1 << 10)
        if reason := _foreign(head.data, compression):
            return reason
        encoding = encoding_of(head.data) if file.format in (*_TEXT, "") else ""
        if encoding:
            head = shape.Head(transcoded(head.chunks(), encoding))
        found = _laid_out(replace(file, compression=compression, encoding=encoding, looked=True), head)
        return found if isinstance(found, str) else replace(found, weight=_weight(found, head))


def _laid_out(file: InputFile, head: shape.Head) -> InputFile | str:
    if file.format == "jsonl":
        return replace(file, format=shape.shape_of(head, text=file.text, limit=file.max_row_bytes) or "jsonl")
    if file.format == "warc":
        head.grow(_RAW_BYTES)
        return file if not head.data.strip() or b"WARC/" in head.data else _no_archive(head.data)
    return file if file.format else _undeclared(file, head)


def _no_archive(data: bytes) -> str:
    what = "a web page" if _PAGE.match(data) else repr(data[:_SHOWN].decode("utf-8", "replace"))
    begins = f"no record is in its first {numbers.size(len(data))}, it begins as {what}"
    return f"no WARC archive: {begins}; fetch it again, or leave it out"


def _weight(file: InputFile, head: shape.Head) -> int:
    """Bytes that the rows of a small file may come to; 0 where the first bytes are not all of it, or it is damaged."""
    if not 0 < file.size <= _RAW_BYTES:
        return 0
    head.grow(_RAW_BYTES + 1)
    if head.damaged or len(head.data) > _RAW_BYTES:
        return 0
    rows = 1 + sum(map(head.data.count, _ROW_MARKS.get(file.format, ())))
    names = 0  # which each row of a table has in its metadata
    if file.format in _TABLES:
        line = head.data.partition(b"\n")[0]
        names = len(head.data if b'"' in line else line)
    return max(len(head.data), rows * (ROW_BYTES + len(file.url) + names))


def _first(read: Callable[[int], bytes], size: int) -> bytes:
    parts: list[bytes] = []
    while size and (part := read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _source(raw: bytes, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """The file from its beginning, the first bytes of which are read."""
    held = raw

    def source(n: int) -> bytes:
        nonlocal held
        part, held = held[:n], held[n:]
        return part or read(n)

    return source


def _compression(raw: bytes, named: str | None) -> str | None:
    """By the file's first bytes; a name is believed where they are neither those of another one nor text."""
    if named in ("zstd", "lz4") and _SKIPPABLE.match(raw):
        return named
    found = next((name for pattern, name in _COMPRESSIONS if pattern.match(raw)), None)
    return found or (named if _is_binary(raw) else None)


def _is_binary(raw: bytes) -> bool:
    return bool(_CONTROL.search(raw[:1024])) and not encoding_of(raw)


def _foreign(data: bytes, compression: str | None) -> str:
    if compression and data.startswith(_PARQUET):
        return f"Parquet compressed by {compression}; decompress it"
    if data[_TAR[0] :].startswith(_TAR[1]):
        return "a tar archive; unpack it"
    found = next(((magic, what) for magic, what in _FOREIGN if data.startswith(magic)), (b"", ""))
    # Some begin as words do (ORCHARDS): of those the bytes behind must be none of a text.
    return "" if found[0].isalnum() and not _is_binary(data) else found[1]


def _undeclared(file: InputFile, head: shape.Head) -> InputFile | str:
    if head.data.startswith(b"WARC/"):
        return replace(file, format="warc")
    if _PAGE.match(head.data.removeprefix(b"\xef\xbb\xbf")):
        return replace(file, format="html")
    found = shape.shape_of(head, text=file.text, limit=file.max_row_bytes)
    if not found or not shape.begins_with_object(head.data):
        return _unknown(head.data)
    head.grow(shape.LOOK_BYTES)
    if found == "json_table" or file.text == ANY or shape.names_text(head.data, file.text) or _names_turns(file, head.data):
        return replace(file, format=found)
    what = shape.described(head.data, found)
    return f"{what} without {file.text!r}; `source.text` names the column that holds the text"


def _names_turns(file: InputFile, data: bytes) -> bool:
    """Whether the columns of a conversation are in the data, and the plan does not say that rows are texts."""
    layouts = LAYOUTS.values() if file.turns == AUTO else filter(None, [LAYOUTS.get(file.turns)])
    return any(all(shape.names_text(data, name) for name in layout.required) for layout in layouts)


def _unknown(data: bytes) -> str:
    if _is_binary(data):
        return f"no known format: it begins with the bytes {data[:8].hex(' ')}"
    return "text of no format that its content tells; rename it to .txt, .csv or .jsonl to have it read as that"
