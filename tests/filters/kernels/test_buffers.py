"""Views of Arrow strings: the bytes of each row, whatever the array's slice, offset or missing buffers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.kernels import buffers

TEXTS = ["", "a", "zwei", "…", "\0", "", "終わり"]


def rows(array: pa.LargeStringArray) -> list[str]:
    offsets, data = buffers.views(array)
    assert (offsets.dtype, data.dtype, len(offsets)) == (np.int64, np.uint8, len(array) + 1)
    return [data[start:stop].tobytes().decode() for start, stop in pairwise(offsets)]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.integers(0, 8), st.integers(0, 8))
def test_rows_are_those_of_any_slice_of_a_slice(texts: list[str], start: int, length: int) -> None:
    array = pa.array(["before", *texts, "after"], pa.large_string()).slice(1, len(texts))
    assert rows(array) == texts
    assert rows(array.slice(start, length)) == texts[start : start + length]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([], pa.large_string()),
        pa.array(TEXTS, pa.large_string()).slice(3, 0),
        pa.nulls(0, pa.large_string()),
        pa.LargeStringArray.from_buffers(0, pa.py_buffer(b""), pa.py_buffer(b"")),
    ],
    ids=["built", "slice", "nulls", "empty buffers"],
)
def test_an_array_without_rows_has_one_offset(array: pa.LargeStringArray) -> None:
    assert rows(array) == []


def test_a_left_out_buffer_is_read_as_an_empty_one() -> None:
    class WithoutData:
        """What other Arrow libraries may hand over; pyarrow's own constructors refuse it."""

        offset = 0

        def __len__(self) -> int:
            return 2

        def buffers(self) -> list[pa.Buffer | None]:
            return [None, pa.py_buffer(np.zeros(3, np.int64)), None]

    assert rows(WithoutData()) == ["", ""]


def test_views_share_arrows_memory_and_cannot_be_written() -> None:
    array = pa.array(TEXTS, pa.large_string())
    offsets, data = buffers.views(array)
    assert data.ctypes.data == array.buffers()[2].address
    assert offsets.ctypes.data == array.buffers()[1].address
    assert not offsets.flags.writeable
    assert not data.flags.writeable


def test_views_outlive_the_array() -> None:
    offsets, data = buffers.views(pa.array(TEXTS, pa.large_string()))
    assert data[offsets[2] : offsets[3]].tobytes() == b"zwei"
