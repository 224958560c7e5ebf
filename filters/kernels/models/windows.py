"""A bounded, deterministic sample of each text: its beginning, middle and end, as byte spans.

Invariant: spans depend on the row's bytes alone, start and end on character boundaries, do not overlap, and hold the whole text
if it has at most `limit` bytes. Source: ours.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel

WINDOWS = 3
SEARCH = 4  # a cut moves by up to 1 / SEARCH of a window to reach white space; text without any (Chinese) is cut where it stands


@inner_kernel
def _is_space(byte: Int) -> Bool:
    return byte == 32 or 9 <= byte <= 13


@inner_kernel
def _cut(data: Array, at: Int, stop: Int, end: Int) -> Int:
    """The first place from `at` on, before `stop`, that follows white space; else the first character boundary from `at` on."""
    for j in range(at, stop):
        if _is_space(data[j - 1]):
            return j
    while at < end and (data[at] & 0xC0) == 0x80:
        at += 1
    return at


@kernel
def _sample(offsets: Array, data: Array, limit: Int, spans: Array) -> None:
    size = limit // WINDOWS
    for i in range(offsets.shape[0] - 1):
        start, end = offsets[i], offsets[i + 1]
        length = end - start
        if length <= limit:
            for w in range(WINDOWS):
                spans[i, w, 0], spans[i, w, 1] = start if w == 0 else end, end
            continue
        for w in range(WINDOWS):
            a = start + (length - size) * w // (WINDOWS - 1)
            b = a + size
            spans[i, w, 0] = a if w == 0 else _cut(data, a, a + size // SEARCH, end)
            spans[i, w, 1] = end if w == WINDOWS - 1 else _cut(data, b, min(b + size // SEARCH, end), end)
        for w in range(1, WINDOWS):
            spans[i, w, 0] = max(spans[i, w, 0], spans[i, w - 1, 1])


def sample(offsets: np.ndarray, data: np.ndarray, *, limit: int) -> np.ndarray:
    """Spans int64[n, 3, 2]: text i is sampled as `data[a:b]` for each (a, b) of row i; spans that are not needed are empty.

    A text over `limit` bytes gives three windows of about limit / 3 bytes: every edge inside the text moves forward to follow
    white space, by at most limit / 12 bytes, or else to the next character.
    """
    spans = np.empty((len(offsets) - 1, WINDOWS, 2), np.int64)
    _sample(offsets, data, limit, spans)
    return spans
