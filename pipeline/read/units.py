"""The pieces that an input is read in.

Invariants: a unit ends where a row ends; the units of a file cover it once, in order; the rows of a file, and their
numbers, do not depend on how it was split. What a unit's rows depend on is in `unit_key_parts`, and nothing else is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import fsspec
import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import InputChanged, RunFailed
from pipeline.read.inputs import InputFile
from pipeline.read.lines import Lines, Refused

VERSION = 1
"""Of everything in this package that decides what the rows of an input are."""
CHUNK = 1 << 20
"""Bytes read in one go."""


@dataclass(frozen=True)
class Unit:
    """A piece of an input. `start`, `stop`: bytes of plain JSONL, bytes of what a compressed stream decodes to, row groups
    of Parquet, rows of a Hugging Face dataset. `first_row`: number of the first row (1-based) if the unit has one."""

    file: InputFile
    content: str
    index: int
    start: int
    stop: int
    first_row: int


@dataclass(frozen=True)
class FileUnits:
    """`content` identifies the bytes of a file; `units` is None where they come from a stream."""

    content: str
    units: tuple[Unit, ...] | None


@dataclass(frozen=True)
class Block:
    """A unit of a stream with its raw rows; `rest` is the unreadable rest of the stream behind them."""

    unit: Unit
    data: Lines | pa.Table
    rest: Refused | None = None


def unit_key_parts(unit: Unit) -> tuple[str, ...]:
    """Everything that the unit's rows depend on."""
    file = unit.file
    streamed = file.compression is not None or file.format == "hf"
    numbers = (VERSION, unit.index, unit.start, unit.stop, unit.first_row, file.max_row_bytes)
    return (
        unit.content,
        file.path,
        file.format,
        file.compression or "",
        file.source,
        file.text,
        file.id,
        *map(str, numbers),
        str(file.unit_bytes) if streamed else "",
    )


def identify(file: InputFile) -> str:
    """Identity of the file's bytes; reads the file once, sequentially."""
    with opened(file) as handle:
        digest = new_digest()
        for chunk in chunks(file, handle):
            digest.update(chunk)
    return named(digest)


def new_digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def named(digest: hashlib.blake2b) -> str:
    return f"blake2b:{digest.hexdigest()}"


def opened(file: InputFile) -> BinaryIO:
    """The file's raw bytes. Raises InputChanged if it is gone or has another size, RunFailed if it cannot be opened."""
    try:
        fs, path = (LocalFileSystem(), file.url) if "://" not in file.url else fsspec.core.url_to_fs(file.url)
        handle = fs.open(path, "rb")
    except FileNotFoundError as error:
        raise InputChanged(f"{file.path}: the file was there when the inputs were listed and is gone now") from error
    except OSError as error:
        raise cannot_read(file, error) from error
    if file.size and getattr(handle, "size", None) not in (None, file.size):
        handle.close()
        raise changed(file)
    return handle


def chunks(file: InputFile, handle: BinaryIO) -> Iterator[bytes]:
    """What is left of the file, in pieces of `CHUNK` bytes."""
    try:
        while chunk := handle.read(CHUNK):
            yield chunk
    except OSError as error:
        raise cannot_read(file, error) from error


def cannot_read(file: InputFile, error: Exception) -> RunFailed:
    """A disk or network that fails is no bad row: the run stops and can be resumed."""
    return RunFailed(f"{file.path}: reading failed ({type(error).__name__}: {error}); the same command resumes the run")


def changed(file: InputFile) -> InputChanged:
    return InputChanged(f"{file.path}: the file changed while it was read; run the same command again once it is finished")
