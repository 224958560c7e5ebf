"""The pieces that an input is read in.

Invariants: a unit ends where a row ends; the units of a file cover it once, in order; the rows of a file, and their
numbers, do not depend on how it was split. What a unit's rows depend on is in `unit_key_parts`, and nothing else is.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, BinaryIO

import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import CannotRead, InputChanged, InputError
from pipeline.read.files import InputFile
from pipeline.read.lines import Lines, QuarantinedRow, Unreadable
from pipeline.store import http_host, remote
from pipeline.store.http_file import Known
from pipeline.store.keys import key
from pipeline.text import conversations

VERSION = 3
"""Covers everything in this package that decides what the rows of an input are."""
HASHED = "blake2b:"
"""Prefix of an identity that is a hash of the bytes."""
STREAMED = {"hf", "csv", "tsv", "warc", "json", "json_members", "json_table"}
"""Formats that one reader cuts into units, compressed or not."""
DECODED_BY = {"html": ("resiliparse",), "warc": ("resiliparse", "brotli")}
"""Format → packages whose release decides what its rows are; rows of these are main text of pages."""
MAIN_TEXT = 2
"""Covers what the main text of a page is (`pipeline.read.child`)."""
CHUNK = 1 << 20
"""Bytes read in one go."""
PACKED_ROWS = 1 << 32
"""Numbers of rows that each file of a pack has: file number n of it counts on from n times this."""
AHEAD_BYTES = 8 << 20
"""Fetched at once from a store: chosen so that latency is a small part of the time, and a unit holds little."""


@dataclass(frozen=True)
class Unit:
    """A piece of an input. `start`, `stop`: bytes of a plain file, bytes of what a stream decodes to, row groups of Parquet,
    rows of a Hugging Face dataset. `first_row`: number of the first row (1-based) if the unit has one. `part`: of a unit that was
    cut while it was read, which of its parts this is, from 1; 0 otherwise. `members`: of a pack, a unit for each of its files
    (`pipeline.read.packs`)."""

    file: InputFile
    content: str
    index: int
    start: int
    stop: int
    first_row: int
    part: int = 0
    members: tuple[Unit, ...] = ()


@dataclass(frozen=True)
class FileUnits:
    """`content` identifies the bytes of a file; `units` is None where they come from a stream, which `file` is the one to ask
    for: as what it holds, whatever its name declares."""

    content: str
    units: tuple[Unit, ...] | None
    file: InputFile


@dataclass(frozen=True)
class Block:
    """A unit of a stream with its raw rows; `rest` is the unreadable rest of the stream behind them."""

    unit: Unit
    data: Lines | pa.Table
    rest: QuarantinedRow | None = None


def unit_key_parts(unit: Unit) -> tuple[str, ...]:
    """Everything that the unit's rows depend on."""
    if unit.members:
        return ("pack", *(key("member", unit_key_parts(member)) for member in unit.members))
    file = unit.file
    streamed = is_streamed(file)
    numbers = (VERSION, unit.index, unit.start, unit.stop, unit.first_row, file.max_row_bytes)
    return (
        unit.content,
        file.path,
        file.format,
        file.compression or "",
        file.source,
        file.named_by or "",
        file.text,
        file.id,
        *map(str, numbers),
        str(file.unit_bytes) if streamed else "",
        *(part for part in (file.encoding, file.fault) if part),
        *(f"{name}={value}" for name, value in file.partitions),
        *(f"{name} {version(name)}" for name in DECODED_BY.get(file.format, ())),
        *([f"main text {MAIN_TEXT}"] if file.format in DECODED_BY else []),
        *([f"part {unit.part}"] if unit.part else []),
        *([f"{file.turns} {conversations.VERSION}"] if file.turns in conversations.LAYOUTS else []),
    )


def whole_of(file: InputFile, content: str) -> Unit:
    """Stands for all that one reader cuts a file into."""
    return Unit(file=file, content=content, index=0, start=0, stop=0, first_row=1)


def is_streamed(file: InputFile) -> bool:
    """Whether one reader cuts the file into units."""
    return file.compression is not None or bool(file.encoding) or file.format in STREAMED


def identify(file: InputFile, *, read: bool = False) -> str:
    """Identity of the file's bytes: what its store says, else (or with `read`) a hash, by reading the file once."""
    if file.identity and not read:
        return file.identity
    with open_input(file) as handle:
        digest = new_digest()
        for chunk in chunks(file, handle):
            digest.update(chunk)
    return named(digest)


def new_digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def named(digest: hashlib.blake2b) -> str:
    return f"{HASHED}{digest.hexdigest()}"


@contextmanager
def open_input(file: InputFile, *, ranges: bool = False) -> Iterator[BinaryIO]:
    """The file's raw bytes; `ranges`: some places of it are read, not all. Raises InputChanged if it is gone or is not what was
    listed, at its opening or, where the store tells, at the end; CannotRead if it cannot be opened."""
    if "://" not in file.url:
        with _opened(file, LocalFileSystem(), file.url) as handle:
            yield handle
        return
    fs, path = remote.filesystem(file.url, error=InputError)
    caching: dict[str, Any] = {"block_size": AHEAD_BYTES, "cache_type": "none" if ranges else "readahead"}
    if _on_the_web(file):
        caching["known"] = Known(file.size, file.identity)
    with _opened(file, fs, path, **caching) as handle:
        seen = remote.identity_of(remote.scheme_of(file.url), getattr(handle, "details", None) or {})
        if file.identity and seen and seen != file.identity:
            raise changed(file)
        if hasattr(handle, "cache"):
            handle.cache.fetcher = _counted(file, handle.cache.fetcher, asked=getattr(handle, "asked", None))
        else:  # it comes as one stream
            file.traffic.count(read=file.size)
        try:
            yield handle
        except Unreadable:
            _unchanged(file, fs, path)
            raise
        _unchanged(file, fs, path)


@contextmanager
def _opened(file: InputFile, fs: Any, path: str, **caching: Any) -> Iterator[Any]:
    try:
        with remote.asked(file.url):
            file.traffic.count(requests=int(bool(caching) and not _on_the_web(file)))
            handle = fs.open(path, "rb", **caching)
    except FileNotFoundError as error:
        raise InputChanged(f"{file.path}: the file was there when the inputs were listed and is gone now") from error
    except OSError as error:
        raise cannot_read(file, error) from error
    with handle:
        if file.size and getattr(handle, "size", None) not in (None, file.size):
            raise changed(file)
        yield handle


def _on_the_web(file: InputFile) -> bool:
    return remote.scheme_of(file.url) in http_host.SCHEMES


def _counted(
    file: InputFile, fetch: Callable[[int, int], bytes], *, asked: Callable[[], int] | None
) -> Callable[[int, int], bytes]:
    """A handle's function that fetches a range, with what it fetches counted and its errors as ours. `asked`: how many requests
    there were, where a range is not one of them."""

    def fetched(start: int, stop: int) -> bytes:
        before = asked() if asked else 0
        try:
            with remote.asked(file.url):
                data = fetch(start, stop)
        except OSError as error:
            if error.errno == errno.EBUSY or isinstance(error, FileNotFoundError):  # the ETag is another one now
                raise changed(file) from error
            raise
        file.traffic.count(requests=asked() - before if asked else 1, read=len(data))
        return data

    return fetched


def _unchanged(file: InputFile, fs: Any, path: str) -> None:
    """Raises InputChanged where the store says that the file is another one now. S3 is asked with each range (If-Match), and a
    web server says it with each answer."""
    scheme = remote.scheme_of(file.url)
    if not file.identity or scheme in remote.names_of("s3") or scheme in http_host.SCHEMES:
        return
    file.traffic.count(requests=1)
    with remote.asked(file.url):
        fs.invalidate_cache(path)
        now = fs.info(path)
    if remote.identity_of(scheme, now) != file.identity:
        raise changed(file)


def source_of(file: InputFile, handle: BinaryIO) -> Callable[[int], bytes]:
    """Gives the next n bytes of the file, counted. Raises CannotRead."""

    def source(n: int) -> bytes:
        try:
            data = handle.read(n)
        except OSError as error:
            raise cannot_read(file, error) from error
        note_local(file, len(data))
        return data

    return source


def chunks(file: InputFile, handle: BinaryIO) -> Iterator[bytes]:
    """The rest of the file, in pieces of `CHUNK` bytes."""
    source = source_of(file, handle)
    while chunk := source(CHUNK):
        yield chunk


def note_local(file: InputFile, n_bytes: int) -> None:
    """Count what was read of a file on a disk; what comes from a store is counted where it is fetched."""
    if "://" not in file.url:
        file.traffic.count(read=n_bytes)


def cannot_read(file: InputFile, error: Exception) -> CannotRead:
    """A disk or network that fails is no bad row: what reads is tried again, or the run stops and can be resumed."""
    made = CannotRead(f"{file.path}: reading failed ({type(error).__name__}: {error}); the same command resumes the run")
    made.cause = error
    return made


def changed(file: InputFile) -> InputChanged:
    return InputChanged(f"{file.path}: the file changed while it was read; run the same command again once it is finished")
