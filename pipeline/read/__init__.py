"""Inputs to rows: `expansion.expand` lists the files, `units_of` splits them, `read` and `read_block` give `UnitRows`.

Invariant (laws 1 and 9): each row of an input becomes one document or one bad row, in exactly one unit, with a number that
does not depend on how the file was split, compressed or listed. Bad data never raises; a file that changes, vanishes or
cannot be read from disk does. `close` ends the processes that decoded Parquet, WARC and HTML; the next unit starts new ones.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from pipeline.read import packs, streams
from pipeline.read.child.supervisor import close
from pipeline.read.files import InputFile
from pipeline.read.formats import columns, delimited, document, huggingface, jsonl, parquet, warc, web, whole
from pipeline.read.recognition import look
from pipeline.read.room import ROOMY, Room
from pipeline.read.rows import UnitRows, together
from pipeline.read.units import HASHED, Block, FileUnits, Unit, identify, is_streamed, whole_of

__all__ = [
    "HASHED",
    "Block",
    "FileUnits",
    "InputFile",
    "Room",
    "Unit",
    "UnitRows",
    "close",
    "identify",
    "parts",
    "read",
    "read_block",
    "rows_of",
    "stream",
    "units_of",
]


def units_of(file: InputFile) -> FileUnits:
    """The file's identity, and its units; None where one reader cuts them: a compressed file, CSV, WARC, Hugging Face."""
    if file.format == "hf":
        return FileUnits(huggingface.identify(file), None, file)
    found = file if file.looked else look(file)
    if isinstance(found, str):
        return whole.foreign(file, found)
    if found.format in ("text", "html"):
        return whole.split(found)
    if found.format == "parquet":
        return parquet.split(found)
    return FileUnits(identify(found), None, found) if is_streamed(found) else jsonl.split(found)


def rows_of(file: InputFile) -> Iterator[UnitRows]:
    """Rows of a file, a unit at a time."""
    found = units_of(file)
    if found.units is not None:
        for unit in found.units:
            yield from (rows for _, rows in parts(unit))
    else:
        yield from map(read_block, stream(found.file, found.content))


def small(found: FileUnits) -> Unit | None:
    """The unit of a file that is all of it, where the file is so small that it may share one (`pipeline.read.packs`)."""
    if not packs.is_small(found.file) or (found.units is not None and len(found.units) != 1):
        return None
    return found.units[0] if found.units else whole_of(found.file, found.content)


def parts(unit: Unit, room: Room = ROOMY) -> Iterator[tuple[Unit, UnitRows]]:
    """A unit that `units_of` gave, or a pack of such, and its rows; several parts, each a unit by itself, where it turns out too
    large. Raises RunFailed where there is no room for a page of Parquet."""
    if unit.members:
        yield unit, packs.joined([_member(member, room) for member in unit.members])
    elif unit.file.format == "parquet" and not unit.file.fault:
        yield from parquet.parts(unit, room)
    else:
        yield unit, _read(unit)


def read(unit: Unit, room: Room = ROOMY) -> UnitRows:
    """All rows of a unit."""
    return together([rows for _, rows in parts(unit, room)])


def _read(unit: Unit) -> UnitRows:
    if unit.file.fault:
        return whole.read_foreign(unit)
    return whole.read_unit(unit) if unit.file.format in ("text", "html") else jsonl.read_unit(unit)


def _member(unit: Unit, room: Room) -> tuple[UnitRows, str]:
    """Rows of a small file, and what it unpacks to (`pipeline.read.likeness`)."""
    file = unit.file
    if file.fault or file.format in ("text", "html", "parquet") or not is_streamed(file):
        return read(unit, room), ""
    blocks = stream(file, unit.content)
    parts: list[UnitRows] = []
    while True:
        try:
            parts.append(read_block(next(blocks)))
        except StopIteration as ended:
            return together(parts), str(ended.value)


def stream(file: InputFile, content: str) -> Generator[Block, None, str]:
    """Units with their raw rows, in order, for files that only one reader can read; `read_block` parses them anywhere.
    Returns the identity of what a packed file unpacks to, else an empty text."""
    if file.format == "hf":
        return huggingface.stream(file, content=content)
    return streams.stream(file, _CUT[file.format], content=content)


def read_block(block: Block) -> UnitRows:
    """Rows of a block that `stream` gave."""
    kind = block.unit.file.format
    if kind == "hf":
        return huggingface.read_block(block)
    if kind == "warc":
        return web.read_block(block)
    if kind in ("csv", "tsv"):
        return streams.read_block(block, delimited.parse)
    return streams.read_block(block, jsonl.parse if kind == "jsonl" else document.parse)


_CUT: dict[str, streams.Cut] = {
    "jsonl": jsonl.cut_units,
    "json": document.cut,
    "json_members": document.cut,
    "json_table": columns.cut,
    "csv": delimited.cut,
    "tsv": delimited.cut,
    "warc": warc.cut,
}
