"""Pieces of text that line rules take up and put down again: last characters, ends without white space, copies.

Each kernel equals the plain Python in its docstring; `blocks` and `cells` are `char_classes.tables()`. What was written is read
back through `back`, a read-only view of `out`: numba then compiles one kernel for both, not two.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel
from filters.kernels.unicode.char_classes import SPACE, flags_at


class Output(NamedTuple):
    """What a walk over n texts leaves of them: row i becomes `out[starts[i]:starts[i + 1]]`."""

    starts: np.ndarray  # int64[n + 1]
    out: np.ndarray  # uint8: as many bytes as the texts have
    back: np.ndarray  # read-only view of `out`
    changes: np.ndarray  # uint8[n]: a bit for each rule that changed the row

    def written(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`(starts, bytes, changes)`, as `filters.edits.contract.Walk` takes them."""
        return self.starts, self.out[: self.starts[-1]], self.changes


def output(offsets: np.ndarray) -> Output:
    out = np.empty(offsets[-1] - offsets[0], np.uint8)
    back = out.view()
    back.flags.writeable = False
    return Output(np.zeros(len(offsets), np.int64), out, back, np.zeros(len(offsets) - 1, np.uint8))


@inner_kernel
def last_char(data: Array, start: Int, stop: Int) -> Int:
    """Where the last character of `data[start:stop]` (not empty) begins."""
    p = stop - 1
    while p > start and (data[np.uintp(p)] & 0xC0) == 0x80:
        p -= 1
    return p


@inner_kernel
def trimmed(data: Array, start: Int, stop: Int, blocks: Array, cells: Array) -> Int:
    """Where `data[start:stop].rstrip()` ends."""
    while stop > start:
        p = last_char(data, start, stop)
        if not flags_at(data, p, stop, blocks, cells)[0] & SPACE:
            break
        stop = p
    return stop


@inner_kernel
def skipped(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> Int:
    """Where `data[p:end].lstrip()` begins."""
    while p < end:
        flags, size = flags_at(data, p, end, blocks, cells)
        if not flags & SPACE:
            break
        p += size
    return p


@inner_kernel
def chars(data: Array, p: Int, end: Int) -> Int:
    """Code points of `data[p:end]`."""
    n = np.int64(0)
    for k in range(p, end):
        n += (data[np.uintp(k)] & 0xC0) != 0x80
    return n


@inner_kernel
def stripped(back: Array, begin: Int, end: Int, blocks: Array, cells: Array, out: Array) -> Int:
    """Moves `back[begin:end].strip()` to begin; returns where it ends."""
    end = trimmed(back, begin, end, blocks, cells)
    first = skipped(back, begin, end, blocks, cells)
    if first > begin:
        copy(back, first, end, out, begin)
    return begin + end - first


@inner_kernel
def copy(data: Array, p: Int, end: Int, out: Array, o: Int) -> Int:
    """Copies `data[p:end]` to `out[o:]`, upwards; returns where it ends."""
    for k in range(end - p):
        out[np.uintp(o + k)] = data[np.uintp(p + k)]
    return o + end - p
