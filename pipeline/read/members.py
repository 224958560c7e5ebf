"""Members of a compressed file behind damage: where one begins that can be decoded.

Invariants: what is found begins a member of which `PROBE` bytes can be decoded without an error; time is linear in the file,
since no more than `MOST_TRIALS` places are tried in one file, a probe each (a hostile file has a beginning every four bytes).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import zstandard

PROBE = 1 << 14
"""Bytes of a member that are looked at, and most that they may decode to in one go."""
MOST_TRIALS = 2_000
_FEED = 1 << 11
_READ = 1 << 16


class Trials(Protocol):
    """How many places of the file were tried."""

    trials: int


@dataclass(frozen=True)
class Member:
    """How a member begins, and whether bytes that begin so are the beginning of one."""

    magic: bytes
    begins: Callable[[bytes], bool]


def intact(member: Member, source: Callable[[int], bytes], data: bytes, *, done: Trials) -> bytes:
    """What was read from the next member on that can be decoded, beginning within `data` or behind it; nothing if none can."""
    ended = False
    while True:
        at = data.find(member.magic)
        if at < 0:
            data = data[-len(member.magic) + 1 :]
        elif done.trials >= MOST_TRIALS:
            return b""
        else:
            data = data[at:]
            while len(data) < PROBE and not ended:
                more = source(_READ)
                data, ended = data + more, not more
            done.trials += 1
            if member.begins(data[:PROBE]):
                return data
            data = data[1:]
            continue
        more = source(_READ)
        if not more:
            return b""
        data += more


def _begins_gzip(data: bytes) -> bool:
    if len(data) < 18 or data[3] & 0xE0:  # 18: the shortest member
        return False
    member = zlib.decompressobj(wbits=31)
    try:
        out = member.decompress(data, PROBE)
    except zlib.error:
        return False
    return member.eof or len(out) > 0


def _begins_zstd(decompressor: zstandard.ZstdDecompressor) -> Callable[[bytes], bool]:
    def begins(data: bytes) -> bool:
        frame: Any = decompressor.decompressobj()
        given = False
        try:
            for at in range(0, len(data), _FEED):
                given = bool(frame.decompress(data[at : at + _FEED])) or given
                if frame.eof:
                    return True
        except zstandard.ZstdError:
            return False
        return given

    return begins


GZIP = Member(b"\x1f\x8b\x08", _begins_gzip)


def of_zstd(decompressor: zstandard.ZstdDecompressor) -> Member:
    """Frames that this decompressor can decode."""
    return Member(b"\x28\xb5\x2f\xfd", _begins_zstd(decompressor))
