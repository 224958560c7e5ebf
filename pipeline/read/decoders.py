"""bzip2, xz and lz4 to bytes, a chunk at a time. `pipeline.read.archives` says what holds of every decoder, and bounds them.

Of a corrupt block nothing is given. The libraries are Python's own and pyarrow, which has lz4: no other package is needed.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from typing import Protocol

import pyarrow as pa

from pipeline.read.lines import Unreadable

Source = Callable[[int], bytes]

_CHUNK = 1 << 18
"""Most bytes given in one go."""
_FEED = 1 << 16
_XZ_MEMORY = 1 << 29
"""Most memory that a decoder of xz may ask for; `xz -9` asks for 65 MiB, and a file may ask for 4 GiB."""


class _Member(Protocol):
    """What bz2 and lzma call a decompressor."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def bunzip2(source: Source) -> Iterator[bytes]:
    """All streams of a file, as parallel compressors write them."""
    return _members(source, "bzip2", bz2.BZ2Decompressor)


def unxz(source: Source) -> Iterator[bytes]:
    """All streams of a file. Zero bytes behind a stream are padding, as for xz(1)."""
    return _members(source, "xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY))


def _members(source: Source, name: str, new: Callable[[], _Member]) -> Iterator[bytes]:
    data = source(_FEED)
    while data:
        member = new()
        while not member.eof:
            if member.needs_input and not data:
                data = source(_FEED)
                if not data:
                    raise Unreadable("archive_truncated", f"the {name} stream ends too early")
            try:
                out = member.decompress(data, _CHUNK)
            except (OSError, lzma.LZMAError) as error:
                raise Unreadable("archive_corrupt", f"{name}: {error}") from error
            data = b""
            if out:
                yield out
        data = member.unused_data.lstrip(b"\0")
        while not data and (more := source(_FEED)):
            data = more.lstrip(b"\0")


def unlz4(source: Source) -> Iterator[bytes]:
    """All frames, skippable ones included."""
    with pa.CompressedInputStream(pa.PythonFile(_Readable(source), "r"), "lz4") as stream:
        while True:
            try:
                out = stream.read(_CHUNK)
            except OSError as error:
                truncated = "runcated" in str(error)
                cause = "archive_truncated" if truncated else "archive_corrupt"
                raise Unreadable(cause, "the lz4 stream ends too early" if truncated else f"lz4: {error}") from error
            if not out:
                return
            yield out


class _Readable:
    """A source as pyarrow reads one."""

    closed = False

    def __init__(self, source: Source) -> None:
        self.read = source

    def close(self) -> None:
        self.closed = True

    def flush(self) -> None: ...
