"""Inputs to rows: `inputs.expand` lists the files, `units_of` splits them, `read` and `read_block` give `UnitRows`.

Invariant (laws 1 and 9): each row of an input becomes one document or one bad row, in exactly one unit, with a number that
does not depend on how the file was split, compressed or listed. Bad data never raises; a file that changes, vanishes or
cannot be read from disk does. `close` ends the processes that decoded Parquet; the next unit starts new ones.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.read import huggingface, jsonl, parquet
from pipeline.read.inputs import InputFile
from pipeline.read.rows import UnitRows
from pipeline.read.supervised import close
from pipeline.read.units import HASHED, Block, FileUnits, Unit, identify

__all__ = [
    "HASHED",
    "Block",
    "FileUnits",
    "InputFile",
    "Unit",
    "UnitRows",
    "close",
    "identify",
    "read",
    "read_block",
    "stream",
    "units_of",
]


def units_of(file: InputFile) -> FileUnits:
    """The file's identity, and its units; None for a compressed file or a Hugging Face dataset: they come from `stream`."""
    if file.format == "hf":
        return FileUnits(huggingface.identify(file), None)
    if file.format == "parquet":
        return parquet.split(file)
    return jsonl.split(file) if file.compression is None else FileUnits(identify(file), None)


def read(unit: Unit) -> UnitRows:
    """Rows of a unit that `units_of` gave."""
    return parquet.read_unit(unit) if unit.file.format == "parquet" else jsonl.read_unit(unit)


def stream(file: InputFile, content: str) -> Iterator[Block]:
    """Units with their raw rows, in order, for files that only one reader can read; `read_block` parses them anywhere."""
    return (huggingface if file.format == "hf" else jsonl).stream(file, content=content)


def read_block(block: Block) -> UnitRows:
    """Rows of a block that `stream` gave."""
    return (huggingface if block.unit.file.format == "hf" else jsonl).read_block(block)
