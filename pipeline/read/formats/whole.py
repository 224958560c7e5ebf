"""Files that are one row each: plain text (UTF-8) and HTML, compressed or not.

Invariant: no more of a file is held than `max_row_bytes` and one chunk. A file that cannot be decoded to its end is one bad row.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.read.archives import decoded
from pipeline.read.files import InputFile
from pipeline.read.formats import web
from pipeline.read.formats.mending import not_utf8
from pipeline.read.lines import Loss, QuarantinedRow, Unreadable, too_large
from pipeline.read.rows import Collector, UnitRows
from pipeline.read.units import FileUnits, Unit, identify, open_input, source_of
from pipeline.schema import EXCERPT_BYTES

_ROW = 1


def split(file: InputFile) -> FileUnits:
    """The file's one unit."""
    content = identify(file)
    if not file.weight and file.compression is None:
        file = replace(file, weight=max(1, file.size))
    return FileUnits(content, (Unit(file, content, 0, 0, file.size, _ROW),), file)


def foreign(file: InputFile, reason: str) -> FileUnits:
    """The unit of a file that is something else than its name declares, which is one bad row."""
    content = identify(file)
    made = replace(file, fault=reason, looked=True, weight=EXCERPT_BYTES)
    return FileUnits(content, (Unit(made, content, 0, 0, file.size, _ROW),), made)


def read_foreign(unit: Unit) -> UnitRows:
    """The bad row. An archive has an unknown number of rows, and so is as one that ends before its first."""
    collector = Collector(unit.file)
    with open_input(unit.file, ranges=True) as handle:
        begin = source_of(unit.file, handle)(EXCERPT_BYTES)
    lost = Loss(cut=unit.file.format == "warc")
    collector.refuse(QuarantinedRow(_ROW, "unreadable", unit.file.fault, unit.file.size, begin, lost))
    return collector.finish()


def read_unit(unit: Unit) -> UnitRows:
    found = _bytes(unit)
    if isinstance(found, bytes) and unit.file.format == "html" and found:
        return web.read(unit.file, [(_ROW, found)])
    collector = Collector(unit.file)
    if isinstance(found, QuarantinedRow):
        collector.refuse(found)
        return collector.finish()
    try:
        collector.add(_ROW, {unit.file.text: found.decode("utf-8")}, found)
    except UnicodeDecodeError as error:
        cut = error.reason == "unexpected end of data"
        cause = "file_truncated" if cut else "invalid_utf8"
        collector.refuse(QuarantinedRow(_ROW, cause, not_utf8(error), len(found), found, Loss(cut=cut)))
    return collector.finish()


def _bytes(unit: Unit) -> bytes | QuarantinedRow:
    """The file's decoded bytes, or why they are no row."""
    file = unit.file
    held, size = bytearray(), 0
    with open_input(file) as handle:
        try:
            for chunk in decoded(
                source_of(file, handle), file.compression, size=file.size, resumes=False, encoding=file.encoding
            ):
                assert isinstance(chunk, bytes)
                size += len(chunk)
                if len(held) == size - len(chunk):
                    held += chunk
                if size > file.max_row_bytes:
                    del held[EXCERPT_BYTES:]
        except Unreadable as error:
            excerpt = bytes(held[:EXCERPT_BYTES]) or None
            return QuarantinedRow(_ROW, error.cause, error.detail, size, excerpt, Loss(cut=error.lost.cut))
    return too_large(_ROW, size, bytes(held), limit=file.max_row_bytes) if size > file.max_row_bytes else bytes(held)
