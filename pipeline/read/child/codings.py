"""Transfer and content codings of HTTP bodies (RFC 9110, 8.4; RFC 9112, 7).

Crawlers decode bodies and keep the headers, so a coding is a claim: a body that is no such thing, and is text, is taken as it
is. A body that ends before its coding does is cut short (`Unreadable`, `body_truncated`), and is no page.
Invariant: no more than `limit` bytes, and one piece, come of any coding (`TooLarge`); time is linear in both ends.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from typing import Any

import brotli
import zstandard

from pipeline.read.lines import Unreadable

MOST_CODINGS = 8
"""Codings in a row; real bodies have two, three where a proxy compressed again."""
_PIECE = 1 << 18
"""Most bytes that zlib and brotli give in one go."""
_FEED = 1 << 11
"""Bytes fed at first. To zstd no more in one go: its shortest block has 4 bytes and decodes to 128 KiB, so at most 64 MiB come
back."""
_ZSTD_WINDOW = 1 << 27
_CHUNK = re.compile(rb"[ \t]*([0-9a-fA-F]{1,16})[ \t]*(?:;[^\n]*)?(?:\r?\n|\Z)")
"""The line before a chunk: its size and extensions."""
_LINE_BREAK = re.compile(rb"[ \t]*\r?\n")
_NOTHING = frozenset(("identity", "none", "binary", "7bit", "8bit", "utf-8", "utf8", "chunked", "unknown", "*"))
"""What stands in Content-Encoding and is no coding. Chunks are looked for where they belong."""
_CONTROLS = bytes({*range(32)} - {8, 9, 10, 12, 13, 27}) + b"\x7f"
MAX_CONTROLS = 0.01
"""Largest share of control characters in text; binary data have ten times that."""
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!doctype|<html|<head|<!--|<body|<meta|<title|<div|<p\b|<script|<\?xml|<h1|<table)", re.I
)


class TooLarge(Exception):
    """A body decodes to more than a row may have; `size`: how much had come by then."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def decoded(body: bytes, transfer: Sequence[str], content: Sequence[str], *, limit: int) -> bytes:
    """The body without its codings, which were applied in the order of the lists. Raises Unreadable, TooLarge."""
    if len(transfer) + len(content) > MOST_CODINGS:
        raise Unreadable("unreadable", f"HTTP: more than {MOST_CODINGS} codings")
    for coding in (*reversed(transfer), *reversed(content)):
        if coding == "chunked" and coding in transfer:
            body = _unchunked(body)
        elif coding not in _NOTHING:
            body = _without(coding, body, limit)
    if body.startswith(_GZIP) or body.startswith(_ZSTD):  # and no header says so
        body = _without("gzip" if body.startswith(_GZIP) else "zstd", body, limit)
    if len(body) > limit:
        raise TooLarge(len(body))
    return body


def begins_like_html(body: bytes) -> bool:
    return _HTML.match(body) is not None


def is_binary(body: bytes, charset: str | None) -> bool:
    """Whether it has so many control characters that it is no text in a charset of which ASCII is a part."""
    if (charset or "").lower().startswith(("utf-16", "utf-32", "utf16", "ucs")) or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    return len(body) - len(body.translate(None, _CONTROLS)) > MAX_CONTROLS * len(body)


def is_text(body: bytes) -> bool:
    """Whether it is UTF-8 without control characters to speak of: what compressed data never are."""
    if is_binary(body, None):
        return False
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return True


def _unchunked(body: bytes) -> bytes:
    """A chunked body's content. Extensions and trailers are passed over; one that does not begin with a chunk is not chunked."""
    first = _CHUNK.match(body)
    if not first:
        return body
    view, made, at = memoryview(body), bytearray(), 0
    while found := _CHUNK.match(body, at):
        size = int(found[1], 16)
        if size == 0:
            return bytes(made)
        at = found.end() + size
        if at > len(body):
            break
        made += view[found.end() : at]
        line = _LINE_BREAK.match(body, at)
        at = line.end() if line else at
    if begins_like_html(body) or (not first[0].endswith(b"\r\n") and is_text(body)):  # a number on a line of its own
        return body
    if found or at >= len(body):
        raise Unreadable("body_truncated", "HTTP: the chunked body ends before its last chunk")
    raise Unreadable("unreadable", f"HTTP: no chunk begins at byte {at} of the chunked body")


def _without(coding: str, body: bytes, limit: int) -> bytes:
    """The body without one content coding, or as it is where it only claims to have one."""
    coding = coding.removeprefix("x-")
    decode = _DECODERS.get(coding)
    if not body or begins_like_html(body):
        return body
    if decode is None:
        if is_text(body):
            return body
        raise Unreadable("unreadable", f"HTTP: the content coding {coding[:40]!r} is not known")
    parts, size = [], 0
    try:
        for part in decode(body):
            size += len(part)
            if size > limit:
                raise TooLarge(size)
            parts.append(part)
    except Unreadable:
        if is_text(body):
            return body
        raise
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        if is_text(body):
            return body
        raise Unreadable("unreadable", f"HTTP: the body is not {coding} as its header says ({error})") from error
    return b"".join(parts)


def _gunzip(body: bytes) -> Iterator[bytes]:
    """All members; what follows the last one is passed over, as browsers do."""
    at = 0
    if not body.startswith(_GZIP):
        raise zlib.error("no gzip header")
    while body.startswith(_GZIP, at):
        member = zlib.decompressobj(wbits=31)
        at = yield from _inflated(member, body, at, coding="gzip")


def _inflate(body: bytes) -> Iterator[bytes]:
    """With the zlib header or without it: servers send both as `deflate`."""
    wbits = -15
    if body[0] & 15 == 8 and int.from_bytes(body[:2]) % 31 == 0:
        with suppress(zlib.error):
            zlib.decompressobj(wbits=15).decompress(body[:_FEED], 1)
            wbits = 15
    yield from _inflated(zlib.decompressobj(wbits=wbits), body, 0, coding="deflate")


def _inflated(member: Any, body: bytes, at: int, *, coding: str) -> Generator[bytes, None, int]:
    """What begins at byte `at`; gives where it ends. Little is fed first: what a member leaves of its feed is copied."""
    feed = _FEED
    while not member.eof:
        if at >= len(body):
            raise Unreadable("body_truncated", f"HTTP: the {coding} body ends before it is complete")
        data = body[at : at + feed]
        at += len(data)
        feed = min(2 * feed, _PIECE)
        while True:
            out = member.decompress(data, _PIECE)
            data = member.unconsumed_tail
            if out:
                yield out
            if member.eof or (not data and len(out) < _PIECE):
                break
    return at - len(member.unused_data)


def _unbrotli(body: bytes) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    out = decoder.process(body, output_buffer_limit=_PIECE)
    while out or not decoder.can_accept_more_data():
        yield out
        if decoder.is_finished():
            return
        out = decoder.process(b"", output_buffer_limit=_PIECE)
    if not decoder.is_finished():
        raise Unreadable("body_truncated", "HTTP: the br body ends before it is complete")


def _unzstd(body: bytes) -> Iterator[bytes]:
    if not body.startswith(_ZSTD):
        raise zstandard.ZstdError("no zstd header")
    view, at = memoryview(body), 0
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    while body.startswith(_ZSTD, at):
        frame = decompressor.decompressobj()
        while not frame.eof:
            if at >= len(body):
                raise Unreadable("body_truncated", "HTTP: the zstd body ends before it is complete")
            yield frame.decompress(view[at : at + _FEED])
            at += _FEED
        at = min(at, len(body)) - len(frame.unused_data)


_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_DECODERS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
