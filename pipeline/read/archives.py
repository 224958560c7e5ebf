"""Decoding of compressed streams, in bounded memory and with nothing lost silently.

A source is a function that gives the next n bytes of the file. What cannot be decoded is `Unreadable`, and says which share of
the file's bytes it is: raised behind everything that could be, or among the chunks where a gzip member or zstd frame behind
the damage is intact. A stream that ends early says so, and how much is missing where its header tells. An archive of no bytes
holds no rows, as for Python's gzip.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Generator, Iterator
from functools import partial

import zstandard

from pipeline.read import decoders
from pipeline.read.encodings import transcoded
from pipeline.read.lines import Chunks, Loss, Unreadable
from pipeline.read.members import GZIP, Member, intact, of_zstd
from pipeline.text import numbers

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
_DICTIONARY = struct.Struct("<II")
_DICTIONARY_MAGIC = 0x184D2A5D
"""First frame of a .warc.zst file: a skippable one that holds the dictionary of the others (IIPC, WARC with Zstandard)."""
MOST_DICTIONARY = 1 << 24
"""Bytes of a dictionary; those of archive.org have 1 MB."""

UNTOLD = "nothing tells how much is missing"
BOMB_RATIO = 200
BOMB_BYTES = 1_000_000_000
"""Beyond this ratio past this size the rest is not decoded (real text packs 3:1 to 20:1)."""


class Counted:
    """A source, how many bytes it gave, and how many the file has (0: not known)."""

    def __init__(self, source: Source, size: int, *, resumes: bool) -> None:
        self._source, self._size, self.resumes = source, size, resumes
        self.taken = 0
        self.given = 0
        """Bytes decoded so far."""
        self.trials = 0

    def __call__(self, n: int) -> bytes:
        data = self._source(n)
        self.taken += len(data)
        return data

    def lost(self, n_bytes: int) -> Loss:
        """So many of the file's bytes."""
        return Loss(share=min(1.0, n_bytes / max(self._size, self.taken, 1)))

    def rest(self, at: int) -> Loss:
        """All from byte `at` on."""
        while not self._size and self(_GZIP_FEED):
            pass
        return self.lost(max(self._size, self.taken) - at)


def decoded(
    source: Source, compression: str | None, *, size: int = 0, resumes: bool = True, encoding: str = ""
) -> Iterator[bytes | Unreadable]:
    """Chunks of a stream, decoded if it is compressed, and as UTF-8 if it is of another `encoding`. `size`: bytes of the file;
    `resumes`: what is intact behind damage is of use. Raises Unreadable behind the last of them."""
    if encoding:
        yield from transcoded(decoded(source, compression, size=size, resumes=False), encoding)
        return
    counted = Counted(source, size, resumes=resumes)
    try:
        yield from _counted(counted, _DECODERS[compression](counted))
    except Unreadable as error:
        if error.lost != Loss():
            raise
        # The decoder does not say where it stood: within what it was fed last.
        lost = Loss(cut=True) if error.cause == "archive_truncated" else counted.rest(max(0, counted.taken - _GZIP_FEED))
        raise Unreadable(error.cause, error.detail, lost) from error


def _counted(counted: Counted, chunks: Chunks) -> Iterator[bytes | Unreadable]:
    for chunk in chunks:
        if counted.given > BOMB_BYTES and counted.given > BOMB_RATIO * counted.taken:
            detail = f"{counted.taken} bytes decode to more than {BOMB_RATIO} times as many"
            raise Unreadable("decompression_bomb", detail, counted.rest(counted.taken))
        if isinstance(chunk, bytes):
            counted.given += len(chunk)
        yield chunk


def gunzip(source: Counted) -> Chunks:
    """All members. Zero bytes behind a member are padding, as for gzip(1); anything else is corrupt."""
    data = source(_GZIP_FEED)
    while data:
        start = source.taken - len(data)
        member = zlib.decompressobj(wbits=31)
        more = False
        while not member.eof:
            if not data and not more:
                data = source(_GZIP_FEED)
                if not data:
                    detail = f"the gzip stream ends in the middle of a member, at byte {source.taken}: {UNTOLD}"
                    raise Unreadable("archive_truncated", detail, Loss(cut=True))
            before = member.copy()
            try:
                out = member.decompress(data, CHUNK)
            except zlib.error as error:
                out, good = _before_the_error(before, data)
                if out:
                    yield out
                # With a wrong checksum every block could be decoded, and nobody knows which of them is another than was written.
                at = start if "check" in str(error) else source.taken - len(data) + good
                data = yield from _past(source, data[good:], at, error=f"gzip: {error}", member=GZIP)
                break
            data, more = member.unconsumed_tail, len(out) == CHUNK
            if out:
                yield out
        else:
            data = yield from _next_member(member.unused_data, source)


def _before_the_error(member: zlib._Decompress, data: bytes) -> tuple[bytes, int]:
    """What the longest prefix of `data` without an error decodes to, and its length; zlib itself gives nothing of a call that
    fails."""
    good, bad = 0, len(data)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            member.copy().decompress(data[:middle], CHUNK)
            good = middle
        except zlib.error:
            bad = middle
    return member.copy().decompress(data[:good], CHUNK), good


def _next_member(data: bytes, source: Counted) -> Generator[bytes | Unreadable, None, bytes]:
    """Gives what begins with the next member."""
    while True:
        data = data.lstrip(b"\0")
        if len(data) >= 2:
            break
        more = source(_GZIP_FEED)
        if not more:
            break
        data += more
    if data and not data.startswith(GZIP.magic[:2]):
        error = "bytes that are not gzip follow the last member"
        data = yield from _past(source, data, source.taken - len(data), error=error, member=GZIP)
    return data


def _past(source: Counted, data: bytes, at: int, *, error: str, member: Member) -> Generator[bytes | Unreadable, None, bytes]:
    """Gives what begins with the next intact member behind the damage at byte `at`; raises Unreadable where there is none."""
    found = intact(member, source, data, done=source) if source.resumes else b""
    lost = source.lost(source.taken - len(found) - at) if found else source.rest(at)
    detail = f"{error}, at byte {at}: {numbers.percent(lost.share)} of the file"
    problem = Unreadable("archive_corrupt", f"{detail} could not be read", lost)
    if not found:
        raise problem
    yield problem
    return found


def unzstd(source: Counted) -> Chunks:
    """All frames, skippable ones included. Of a corrupt block nothing is given."""
    data, decompressor = _decompressor(source, source(_GZIP_FEED))
    member = of_zstd(decompressor)
    while data:
        start, given, size = source.taken - len(data), source.given, _content_size(data)
        frame = decompressor.decompressobj()
        while not frame.eof:
            if not data:
                data = source(_GZIP_FEED)
                if not data:
                    raise _cut_frame(source, size - (source.given - given) if size else 0)
            try:
                out = frame.decompress(data[:_ZSTD_FEED])
            except zstandard.ZstdError as error:
                at = start if "checksum" in str(error) else source.taken - len(data)
                data = yield from _past(source, data[1:], at, error=f"zstd: {error}", member=member)
                break
            data = data[_ZSTD_FEED:]
            if out:
                yield out
        else:
            data = frame.unused_data + data or source(_GZIP_FEED)


def _cut_frame(source: Counted, missing: int) -> Unreadable:
    """`missing`: bytes of content that the frame's header promises, if it does."""
    share = missing / (source.given + missing) if missing > 0 else 0.0
    told = f"{missing} bytes of its content are missing" if missing > 0 else UNTOLD
    detail = f"the zstd stream ends in the middle of a frame, at byte {source.taken}: {told}"
    return Unreadable("archive_truncated", detail, Loss(share=share, cut=True))


def _content_size(data: bytes) -> int:
    """Bytes that a frame decodes to, as its header says; 0 where it does not."""
    try:
        size: int = zstandard.get_frame_parameters(data[:64]).content_size
    except zstandard.ZstdError:
        return 0
    return 0 if size == zstandard.CONTENTSIZE_UNKNOWN else size


def _decompressor(source: Counted, data: bytes) -> tuple[bytes, zstandard.ZstdDecompressor]:
    """What follows the dictionary with which a file may begin, and what decodes it."""
    if len(data) < _DICTIONARY.size or _DICTIONARY.unpack_from(data)[0] != _DICTIONARY_MAGIC:
        return data, zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    end = _DICTIONARY.size + _DICTIONARY.unpack_from(data)[1]
    if end > MOST_DICTIONARY:
        raise Unreadable("archive_corrupt", f"zstd: a dictionary of more than {MOST_DICTIONARY} bytes", source.rest(0))
    while len(data) < end:
        more = source(_GZIP_FEED)
        if not more:
            raise Unreadable("archive_truncated", "the zstd file ends within its dictionary", Loss(cut=True))
        data += more
    held = data[_DICTIONARY.size : end]
    try:
        if held.startswith(b"\x28\xb5\x2f\xfd"):
            plain = zstandard.ZstdDecompressor().decompressobj()
            parts = []
            for at in range(0, len(held), _ZSTD_FEED):
                parts.append(plain.decompress(held[at : at + _ZSTD_FEED]))
                if sum(map(len, parts)) > MOST_DICTIONARY:
                    raise zstandard.ZstdError(f"it has more than {MOST_DICTIONARY} bytes")
            held = b"".join(parts)
        dictionary = zstandard.ZstdCompressionDict(held)
        made = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=_ZSTD_WINDOW)
    except zstandard.ZstdError as error:
        raise Unreadable("archive_corrupt", f"zstd: its dictionary: {error}", source.rest(0)) from error
    return data[end:] or source(_GZIP_FEED), made


def plain(source: Counted) -> Iterator[bytes]:
    """The bytes as they are."""
    return iter(partial(source, PLAIN_CHUNK), b"")


_DECODERS: dict[str | None, Callable[[Counted], Chunks]] = {
    "gzip": gunzip,
    "zstd": unzstd,
    "bzip2": decoders.bunzip2,
    "xz": decoders.unxz,
    "lz4": decoders.unlz4,
    None: plain,
}
