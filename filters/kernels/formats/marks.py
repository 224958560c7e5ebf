"""Where the pieces of conversations stand: between the marks that `pipeline.text.turns` sets.

The plain Python that `pieces` equals: a row that does not begin with a byte from 1 to `minhash.MARKS` is one piece, of mark 0;
else each such byte begins a piece, which ends `gap` bytes before the next one or where the row does. Time is linear in the bytes.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel, kernel
from filters.kernels.dedup.minhash import MARKS


def pieces(offsets: np.ndarray, data: np.ndarray, *, gap: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`(first int64[n + 1], starts int64[m], stops int64[m], marks uint8[m])`: row i's pieces are those from `first[i]` to
    `first[i + 1]`, and stand at `data[starts:stops]`."""
    first = np.zeros(len(offsets), np.int64)
    nothing, no_marks = np.zeros(0, np.int64), np.zeros(0, np.uint8)
    _pieces(offsets, data, gap, first, nothing, nothing, no_marks)
    np.cumsum(first, out=first)
    starts, stops, marks = np.empty(first[-1], np.int64), np.empty(first[-1], np.int64), np.empty(first[-1], np.uint8)
    _pieces(offsets, data, gap, first, starts, stops, marks)
    return first, starts, stops, marks


def joined(starts: np.ndarray, stops: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(ends int64[m + 1], bytes uint8[:])`: the bytes of these pieces, one behind the other."""
    ends = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(stops - starts, out=ends[1:])
    made = np.empty(ends[-1], np.uint8)
    _copy(starts, stops, data, made)
    return ends, made


@kernel
def _pieces(offsets: Array, data: Array, gap: Int, first: Array, starts: Array, stops: Array, marks: Array) -> None:
    """Without room in `starts` the pieces of each row are only counted, into `first[i + 1]`."""
    n = np.int64(0)
    for i in range(offsets.size - 1):
        p, end = offsets[i], offsets[i + 1]
        whole = p == end or not _is_mark(data[np.uintp(p)])
        if whole:
            if starts.size:
                starts[n], stops[n], marks[n] = p, end, np.uint8(0)
            else:
                first[i + 1] = 1
            n += 1
            continue
        begun = n
        for k in range(p, end):
            if _is_mark(data[np.uintp(k)]):
                if starts.size:
                    starts[n], stops[n], marks[n] = k + 1, end, data[np.uintp(k)]
                    if n > begun:
                        stops[n - 1] = k - gap
                n += 1
        if not starts.size:
            first[i + 1] = n - begun


@inner_kernel
def _is_mark(byte: Int) -> Int:
    return np.uint8(byte - np.uint8(1)) < MARKS


@kernel
def _copy(starts: Array, stops: Array, data: Array, made: Array) -> None:
    n = np.int64(0)
    for i in range(starts.size):
        for k in range(starts[i], stops[i]):
            made[np.uintp(n)] = data[np.uintp(k)]
            n += 1


def warm() -> None:
    """Compile or load the kernels."""
    offsets, data = np.frombuffer(np.array([0, 2]).tobytes(), np.int64), np.frombuffer(b"\x01a", np.uint8)
    _, starts, stops, _ = pieces(offsets, data, gap=2)
    joined(starts, stops, data)
