"""Decoding of compressed streams, in bounded memory and with nothing lost silently.

A source is a function that gives the next n bytes of the file. What cannot be decoded ends the chunks with `Unreadable`,
behind everything that could be. An archive of no bytes holds no rows, as for Python's gzip.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import partial

import zstandard

from pipeline.read import decoders
from pipeline.read.encodings import transcoded
from pipeline.read.lines import Unreadable

Source = Callable[[int], bytes]

CHUNK = 1 << 18
"""Most bytes that gzip decodes to in one go; chosen on peps.jsonl.gz, where larger ones were slower."""
PLAIN_CHUNK = 1 << 20
"""Bytes of an uncompressed stream read in one go."""
_GZIP_FEED = 1 << 16
_ZSTD_FEED = 1 << 11
"""Bytes given to zstd in one go: its shortest block has 4 bytes and decodes to 128 KiB, so at most 64 MiB come back."""
_ZSTD_WINDOW = 1 << 31
"""Largest window accepted: Reddit dumps on academic torrents need `--long=31`. Only what is decoded takes memory."""

BOMB_RATIO = 200
BOMB_BYTES = 1_000_000_000
"""Beyond this ratio past this size the rest is not decoded (real text packs 3:1 to 20:1)."""


def decoded(source: Source, compression: str | None, encoding: str = "") -> Iterator[bytes]:
    """Chunks of a stream, decoded if it is compressed; as UTF-8 if it is of another `encoding`. Raises Unreadable behind the
    last of them."""
    chunks = _decompressed(source, compression)
    return transcoded(chunks, encoding) if encoding else chunks


def _decompressed(source: Source, compression: str | None) -> Iterator[bytes]:
    taken = 0

    def counting(n: int) -> bytes:
        nonlocal taken
        data = source(n)
        taken += len(data)
        return data

    given = 0
    for chunk in _DECODERS[compression](counting):
        if given > BOMB_BYTES and given > BOMB_RATIO * taken:
            raise Unreadable("decompression_bomb", f"{taken} bytes decode to more than {BOMB_RATIO} times as many")
        given += len(chunk)
        yield chunk


def gunzip(source: Source) -> Iterator[bytes]:
    """All members. Zero bytes behind a member are padding, as for gzip(1); anything else is corrupt."""
    data = source(_GZIP_FEED)
    while data:
        member = zlib.decompressobj(wbits=31)
        more = False
        while not member.eof:
            if not data and not more:
                data = source(_GZIP_FEED)
                if not data:
                    raise Unreadable("archive_truncated", "the gzip stream ends in the middle of a member")
            before = member.copy()
            try:
                out = member.decompress(data, CHUNK)
            except zlib.error as error:
                yield _before_the_error(before, data)
                raise Unreadable("archive_corrupt", f"gzip: {error}") from error
            data, more = member.unconsumed_tail, len(out) == CHUNK
            if out:
                yield out
        data = _next_member(member.unused_data, source)


def _before_the_error(member: zlib._Decompress, data: bytes) -> bytes:
    """What the longest prefix of `data` without an error decodes to; zlib itself gives nothing of a call that fails."""
    good, bad = 0, len(data)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            member.copy().decompress(data[:middle], CHUNK)
            good = middle
        except zlib.error:
            bad = middle
    return member.copy().decompress(data[:good], CHUNK)


def _next_member(data: bytes, source: Source) -> bytes:
    while True:
        data = data.lstrip(b"\0")
        if len(data) >= 2:
            break
        more = source(_GZIP_FEED)
        if not more:
            break
        data += more
    if data and not data.startswith(b"\x1f\x8b"):
        raise Unreadable("archive_corrupt", "bytes that are not gzip follow the last member")
    return data


def unzstd(source: Source) -> Iterator[bytes]:
    """All frames, skippable ones included. Of a corrupt block nothing is given."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    data = source(_GZIP_FEED)
    while data:
        frame = decompressor.decompressobj()
        while not frame.eof:
            if not data:
                data = source(_GZIP_FEED)
                if not data:
                    raise Unreadable("archive_truncated", "the zstd stream ends in the middle of a frame")
            try:
                out = frame.decompress(data[:_ZSTD_FEED])
            except zstandard.ZstdError as error:
                raise Unreadable("archive_corrupt", f"zstd: {error}") from error
            data = data[_ZSTD_FEED:]
            if out:
                yield out
        data = frame.unused_data + data or source(_GZIP_FEED)


def plain(source: Source) -> Iterator[bytes]:
    """The bytes as they are."""
    return iter(partial(source, PLAIN_CHUNK), b"")


_DECODERS: dict[str | None, Callable[[Source], Iterator[bytes]]] = {
    "gzip": gunzip,
    "zstd": unzstd,
    "bzip2": decoders.bunzip2,
    "xz": decoders.unxz,
    "lz4": decoders.unlz4,
    None: plain,
}
