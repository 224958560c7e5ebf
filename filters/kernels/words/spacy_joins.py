"""Emoticons and other exceptions that `spacy_cuts` cut apart, put together again: the end of spaCy's tokeniser.

Invariant: `joined` gives what `_joined` in tests/filters/kernels/words/spacy_in_python.py does: `_apply_special_cases` and
`_filter_special_spans` of `tokenizer.pyx` (spaCy 3.8), in time linear in the tokens.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Int, inlined_kernel, inner_kernel
from filters.kernels.unicode.ascii_words import lowest, ones
from filters.kernels.words.spacy_rules import AFFIXED, LONGEST, exception

_MOST_PARTS = 7  # tokens that one emoticon comes apart into: ><(((*>
_TAKEN = np.uint64(1 << 63)  # on a token's end: emoticons are sought elsewhere
_BITS = np.uint64((1 << 63) - 1)  # of an exception: where its tokens end
_END = np.uint64((1 << 48) - 1)  # of a token's end: its place in the data
_PARTS, _SEVEN = np.uint64(48), np.uint64(7)  # above it: of how many tokens an exception that begins here came apart
_NONE, _ONE = np.uint64(0), np.uint64(1)


@inlined_kernel
def _apart(data: Array, p: Int, n: Int, cuts: Array) -> Int:
    """The most tokens of n, side by side, that an exception came apart into; 0 for none."""
    most = np.int64(0)
    for k in range(n - 1):
        start = p if k == 0 else np.int64(cuts[np.uintp(k - 1)])
        for j in range(k + 1, min(n, k + _MOST_PARTS)):
            end = np.int64(cuts[np.uintp(j)])
            if end - start > LONGEST:
                break
            if exception(data, start, end) & AFFIXED:
                most = max(most, np.int64(j + 1 - k))
    return most


@inlined_kernel
def joined(data: Array, p: Int, n: Int, cuts: Array) -> Int:
    """Puts exceptions together that came apart, the longest first; returns how many tokens there are now, or -1.

    As `_filter_special_spans`: a token is part of one at most, whether that is taken or not; all are sought before any is put
    together. How many tokens a taken one came apart into stands in the upper bits of its first token's end until then.
    """
    most = min(_apart(data, p, n, cuts), n)
    if most < 2:
        return n
    for parts in range(most, 1, -1):
        for k in range(n - parts + 1):
            start = p if k == 0 else np.int64(cuts[np.uintp(k - 1)] & _END)
            end = np.int64(cuts[np.uintp(k + parts - 1)] & _END)
            if exception(data, start, end) & AFFIXED:
                free = not (cuts[np.uintp(k)] | cuts[np.uintp(k + parts - 1)]) & _TAKEN
                for j in range(k, k + parts):
                    cuts[np.uintp(j)] |= _TAKEN
                if free:
                    cuts[np.uintp(k)] |= np.uint64(parts) << _PARTS
    n, more = _shrunk(data, p, n, cuts)
    if n + more > cuts.size:
        return np.int64(-1)
    _grown(data, p, n, more, cuts)
    for j in range(n + more):
        cuts[np.uintp(j)] &= _END
    return n + more


@inner_kernel
def _ends(start: Int, marks: Int, at: Int, cuts: Array) -> Int:
    """Writes the ends of the exception at start to `cuts[at:]`; returns how many."""
    n = np.int64(0)
    while marks:
        cuts[np.uintp(at + n)] = np.uint64(start) + lowest(marks) + _ONE
        marks &= marks - _ONE
        n += 1
    return n


@inner_kernel
def _shrunk(data: Array, p: Int, n: Int, cuts: Array) -> tuple[Int, Int]:
    """Puts together the exceptions that have no more tokens than they came apart into. `(tokens now, tokens that others add)`."""
    at = k = more = np.int64(0)
    start = np.int64(p)
    while k < n:
        parts = max(np.int64(1), np.int64((cuts[np.uintp(k)] >> _PARTS) & _SEVEN))
        end = np.int64(cuts[np.uintp(k + parts - 1)] & _END)
        marks = exception(data, start, end) & _BITS if parts > 1 else _NONE
        grows = np.int64(ones(marks)) - parts
        if parts > 1 and grows <= 0:
            at += _ends(start, marks, at, cuts)
        else:
            for j in range(k, k + parts):
                cuts[np.uintp(at)] = cuts[np.uintp(j)]
                at += 1
            more += grows if parts > 1 else 0
        start, k = end, k + parts
    return at, more


@inner_kernel
def _grown(data: Array, p: Int, n: Int, more: Int, cuts: Array) -> None:
    """Puts together those that have more (°C. is three tokens, and comes apart into two), from the end, and adds `more`."""
    r, w = n - 1, n + more - 1
    while r >= 0 and more > 0:
        parts = np.int64(1)
        for d in range(2, _MOST_PARTS + 1):
            if d <= r + 1 and (cuts[np.uintp(r - d + 1)] >> _PARTS) & _SEVEN == np.uint64(d):
                parts = np.int64(d)
        if parts > 1:
            start = p if r + 1 == parts else np.int64(cuts[np.uintp(r - parts)] & _END)
            marks = exception(data, start, np.int64(cuts[np.uintp(r)] & _END)) & _BITS
            size = np.int64(ones(marks))
            _ends(start, marks, w - size + 1, cuts)
            w -= size
            more -= size - parts
        else:
            cuts[np.uintp(w)] = cuts[np.uintp(r)]
            w -= 1
        r -= parts
