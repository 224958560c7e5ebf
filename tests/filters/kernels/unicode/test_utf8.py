"""What is UTF-8: the oracle is Python's decoder."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filters.kernels.compiled import Array, kernel
from filters.kernels.unicode.utf8 import is_utf8
from tests.support import examples


@kernel
def _each(offsets: Array, data: Array, found: Array) -> None:
    for i in range(found.size):
        found[i] = is_utf8(data, offsets[i], offsets[i + 1])


def are_utf8(*texts: bytes) -> list[bool]:
    offsets, found = np.cumsum([0, *map(len, texts)]), np.zeros(len(texts), np.bool_)
    _each(offsets, np.frombuffer(b"".join(texts) + b"\x80" * 64, np.uint8), found)
    return found.tolist()


def decodes(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


PARTS = st.text(max_size=80).map(str.encode) | st.binary(max_size=5) | st.sampled_from([b"a" * 61, b"\xf0\x9f\x98\x80" * 17])


@examples(3)
@given(st.lists(st.lists(PARTS, max_size=5).map(b"".join), min_size=1, max_size=4))
def test_any_bytes(found: list[bytes]) -> None:
    assert are_utf8(*found) == [decodes(data) for data in found]


def test_every_start_of_a_character_at_every_place_of_a_block() -> None:
    starts = [
        bytes([first, second]) + b"\x80" * more
        for first in range(0x80, 256)
        for second in range(0x70, 0xC4, 4)
        for more in (0, 1, 2)
    ]
    for before in (0, 60, 61, 62, 63):
        found = [b"a" * before + start for start in starts]
        assert are_utf8(*found) == [decodes(data) for data in found]
