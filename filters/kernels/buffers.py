"""Arrow strings as numpy arrays, without copying.

Invariant: row i is `data[offsets[i]:offsets[i + 1]]`, whatever slice or offset the array has; both views are read-only, so
that numba compiles each kernel for one kind of array only. Layout: Arrow columnar format, "Variable-size Binary Layout".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa


def views(array: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
    """`(offsets int64[n + 1], data uint8[:])` of a large_string array; `data` may hold bytes of other rows too.

    The views keep Arrow's memory alive. What a null row spans is not defined: ask `array` which rows are null.
    """
    _, offset_buffer, data_buffer = array.buffers()
    offsets = _view(offset_buffer, np.int64)
    # Arrow allows an array without rows to have no offsets at all.
    offsets = offsets[array.offset : array.offset + len(array) + 1] if offsets.size else np.zeros(1, np.int64)
    data = _view(data_buffer, np.uint8)
    offsets.flags.writeable = False
    data.flags.writeable = False
    return offsets, data


def slices(offsets: np.ndarray, n_bytes: int) -> Iterator[tuple[int, int]]:
    """Row ranges `(first, stop)` that cover all rows in order: at most `n_bytes` of text each, or one longer text."""
    first = 0
    while first < len(offsets) - 1:
        stop = max(int(np.searchsorted(offsets, offsets[first] + n_bytes, "right")) - 1, first + 1)
        yield first, stop
        first = stop


def _view(buffer: pa.Buffer | None, dtype: type[np.generic]) -> np.ndarray:
    """The buffer's whole items; Arrow may leave the buffer out or pad it."""
    if buffer is None or buffer.size == 0:
        return np.zeros(0, dtype)
    return np.frombuffer(buffer, dtype, count=buffer.size // np.dtype(dtype).itemsize)


def frozen(array: np.ndarray) -> np.ndarray:
    """A contiguous read-only view, so that kernels are compiled for one kind, whether Arrow or numpy owns the memory."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
