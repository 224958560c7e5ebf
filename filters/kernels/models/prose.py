"""A bounded, deterministic sample of the prose of each text, in parts: what its language is judged by.

Tokens (bytes between white space and NUL) that are no prose are left out: addresses, numbers, and tokens in the form of code. A
long text is sampled at several places from beginning to end, each at the start of a line where one is near.

Invariant: the sample depends on the row's bytes alone, holds whole characters, and is at most `limit` bytes and what completes
each part's last character. Equals `prose` in the tests, in plain Python. Source: ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Int, inner_unchecked_kernel, unchecked_kernel
from filters.kernels.models.fasttext_words import separates

LEAST = 128
"""Bytes of a part of a short text. Chosen on pages of two lid_eval paragraphs in two languages and on single paragraphs: both
languages are named on 76 % of the pages (192 bytes: 68 %, 96: 78 %), and 5.8 % of the paragraphs seem mixed (1.4 %, 11 %)."""
SCAN = 4  # a place of a long text is searched for prose over this many times the bytes that it should give
RUN, RUN_BYTES = 5, 40  # a run of prose: at least so many tokens, or bytes, with nothing left out between them
_SEARCH = 4  # a cut moves by up to 1 / _SEARCH of a part to reach the end of a line, else to white space

LOWER, UPPER, DIGIT, JOIN, COLON, SLASH, SIGN, MARKUP, AT, WIDE = range(10)
_KINDS = ("start", "lower", "upper", "join", "sign", "code", "wide")
_ADDRESS = 3 * len(_KINDS)  # every other state is 3 x its kind + how much of `://` was read


def _classes() -> np.ndarray:
    """uint8[256]: the class of a byte inside a token."""
    found = np.full(256, SIGN, np.uint8)
    found[128:] = WIDE
    for first, last, number in (("a", "z", LOWER), ("A", "Z", UPPER), ("0", "9", DIGIT)):
        found[ord(first) : ord(last) + 1] = number
    for signs, number in (("'-", JOIN), (":", COLON), ("/", SLASH), ("<", MARKUP), ("@", AT)):
        found[[ord(sign) for sign in signs]] = number
    return found


def _step(kind: str, number: int) -> str:
    """The kind of a token after one more byte. code: not the form of a word, unless a character beyond ASCII follows."""
    if kind == "wide" or number == WIDE:
        return "wide"
    if kind == "code" or number in (DIGIT, MARKUP):
        return "code"
    if number in (LOWER, UPPER):
        return "code" if kind == "sign" or (kind, number) == ("lower", UPPER) else ("lower", "upper")[number]
    if kind == "start":
        return kind
    return "join" if number == JOIN and kind != "sign" else "sign"


def _table() -> np.ndarray:
    """uint8[states, 16]: the state after a byte of a class."""
    table = np.full((_ADDRESS + 1, 16), _ADDRESS, np.uint8)
    for state in range(_ADDRESS):
        kind, read = divmod(state, 3)
        for number in range(AT):
            now = 1 if number == COLON else 2 if number == SLASH and read == 1 else 3 if number == SLASH and read == 2 else 0
            table[state, number] = _ADDRESS if now == 3 else 3 * _KINDS.index(_step(_KINDS[kind], number)) + now
        table[state, WIDE] = 3 * _KINDS.index("wide")
    return table


_CLASSES, _TABLE = _classes(), _table().reshape(-1)
_PROSE = np.repeat(np.array([kind in ("lower", "upper", "join", "sign", "wide") for kind in (*_KINDS, "")]), 3)


class Sample(NamedTuple):
    """Sampled text of some rows: row i is `data[a:b]` for each (a, b) of `spans[i]`, in order; parts not needed are empty."""

    data: np.ndarray  # uint8[:]
    spans: np.ndarray  # int64[n, parts, 2]
    read: np.ndarray  # int64[n, 2]: bytes that were looked at, and those of them in runs of prose (RUN)


@inner_unchecked_kernel
def _copy(data: Array, at: Int, stop: Int, out: Array, n: Int, most: Int, read: Array) -> Int:
    """Copy the prose tokens of `data[at:stop]`, each with a newline or space behind it, up to `most` bytes; returns the new n.
    Adds to `read` how many bytes were looked at, and how many of them were in runs."""
    first, full, begin, run, tokens = n, n + most, at, n, 0
    while at < stop and n < full:
        kept, state = n, np.uint64(0)
        while at < stop and not separates(data[np.uintp(at)]):
            byte = data[np.uintp(at)]
            if n >= full and (byte & 0xC0) != 0x80:
                break
            state = np.uint64(_TABLE[(state << np.uint64(4)) | np.uint64(_CLASSES[byte])])
            out[np.uintp(n)] = byte
            n += 1
            at += 1
        line = False
        while at < stop and separates(data[np.uintp(at)]):
            line |= data[np.uintp(at)] == 10
            at += 1
        if not _PROSE[state]:
            n = kept
            if tokens >= RUN or n - run >= RUN_BYTES:
                read[1] += n - run
            run, tokens = n, 0
            if line and n > first:
                out[n - 1] = 10
            continue
        out[np.uintp(n)] = 10 if line else 32
        n += 1
        tokens += 1
    if tokens >= RUN or n - run >= RUN_BYTES:
        read[1] += n - run
    read[0] += at - begin
    return n


@inner_unchecked_kernel
def _cut(data: Array, at: Int, reach: Int, end: Int) -> Int:
    """The first place from `at` on, at most `reach` further, that follows a newline; else white space; else a character."""
    for newline in (True, False):
        for j in range(at, min(at + reach, end)):
            if data[j - 1] == 10 or (not newline and separates(data[j - 1])):
                return j
    while at < end and (data[at] & 0xC0) == 0x80:
        at += 1
    return at


@unchecked_kernel
def _sample(offsets: Array, data: Array, limit: Int, out: Array, spans: Array, read: Array) -> Int:
    n, parts = np.int64(0), spans.shape[1]
    size = limit // parts
    for i in range(offsets.shape[0] - 1):
        start, end = offsets[i], offsets[i + 1]
        length = end - start
        if length <= limit:
            first = n
            n = _copy(data, start, end, out, n, length + 1, read[i])
            pieces = min(max((n - first) // LEAST, 1), parts)
            at = first
            for w in range(parts):
                spans[i, w, 0] = at
                if w + 1 >= pieces:
                    at = n
                else:
                    at = max(at, _cut(out, first + (n - first) * (w + 1) // pieces, (n - first) // pieces // _SEARCH, n))
                spans[i, w, 1] = at
            continue
        for w in range(parts):
            at = start + (length - size) * w // (parts - 1)
            after = start + (length - size) * (w + 1) // (parts - 1) if w + 1 < parts else end
            if w:
                at = _cut(data, at, size // _SEARCH, end)
            spans[i, w, 0] = n
            stop = min(max(at, after), at + SCAN * size)
            while stop < end and (data[stop] & 0xC0) == 0x80:
                stop += 1
            n = _copy(data, at, stop, out, n, size, read[i])
            spans[i, w, 1] = n
    return n


def sample(offsets: np.ndarray, data: np.ndarray, *, limit: int, parts: int) -> Sample:
    """The sample of each row of an Arrow column, in at most `parts` parts (2 or more).

    A text of at most `limit` bytes is taken as a whole, and cut into parts of LEAST bytes or more. A longer one gives
    limit / parts bytes at each of `parts` places.
    """
    lengths = np.diff(offsets)
    room = np.where(lengths <= limit, lengths + 1, limit + 8 * parts).sum()
    out = np.empty(int(room), np.uint8)
    spans = np.empty((len(lengths), parts, 2), np.int64)
    read = np.zeros((len(lengths), 2), np.int64)
    n = _sample(offsets, data, limit, out, spans, read)
    return Sample(out[:n], spans, read)
