"""Cuts token text (`features`) into windows of about so many tokens, at ends of sentences and lines.

Invariant: the windows of a text cover it once, in order; each text has at least one. Equals `cut` in the tests, in plain Python.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import kernel
from filters.kernels.features import LINE

_LINE = np.uint8(ord(LINE))
_ENDS = np.frombuffer(b".!?", np.uint8)


@kernel
def _ends(first):
    return first == _LINE or first == _ENDS[0] or first == _ENDS[1] or first == _ENDS[2]


@kernel
def _passages(starts, data, size, rows, spans):
    n = np.int64(0)
    for i in range(starts.shape[0] - 1):
        first_of_row = n
        at = begin = starts[i]
        tokens = 0
        while at < starts[i + 1]:
            first = data[np.uintp(at)]
            while data[np.uintp(at)] != 32:
                at += 1
            at += 1
            tokens += 1
            if tokens >= 2 * size or (tokens >= size and _ends(first)):
                rows[n], spans[n, 0, 0], spans[n, 0, 1] = i, begin, at
                n += 1
                begin, tokens = at, 0
        if n == first_of_row or tokens > size // 2:
            rows[n], spans[n, 0, 0], spans[n, 0, 1] = i, begin, at
            n += 1
        else:
            spans[n - 1, 0, 1] = at
    return n


def passages(starts: np.ndarray, data: np.ndarray, *, size: int) -> tuple[np.ndarray, np.ndarray]:
    """`(rows int64[m], spans int64[m, 1, 2])` of the windows of all texts, in order; row i is `data[starts[i]:starts[i + 1]]`.

    A window ends behind the first `.`, `!`, `?` or end of line from its `size`-th token on, at the latest behind token number
    2 x `size`; what is left at the end, if it has no more than `size` / 2 tokens, belongs to the window before.
    """
    most = (int(starts[-1]) - int(starts[0])) // (2 * size) + len(starts)  # a token has two bytes or more
    rows, spans = np.empty(most, np.int64), np.empty((most, 1, 2), np.int64)
    n = _passages(starts, data, size, rows, spans)
    return rows[:n], spans[:n]
