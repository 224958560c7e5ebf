"""The phrases that RefinedWeb's line edits take out of short lines: `substring_line_modifier` of DCLM's modifiers.py.

Invariant: nothing is written beyond where it is read, and each line is walked a constant number of times.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel
from filters.kernels.lines import pieces
from filters.kernels.lines.pieces import copy, skipped, stripped
from filters.kernels.unicode.char_classes import SPACE, flags_at

CUT = ("items in cart", "read more", "sign-in")
"""Taken out of lines of at most `PHRASE_WORDS` words: anywhere; at the end, with three more characters; at the beginning."""
PHRASE_WORDS = 10
PHRASE, ENDS = 1 << 5, 1 << 6
"""Bits of `refinedweb_lines.CHANGES`."""
_CART, _MORE, _SIGN = (np.frombuffer(phrase.encode(), np.uint8) for phrase in CUT)


@inner_kernel
def cut_phrase(back: Array, begin: Int, end: Int, which: Int, blocks: Array, cells: Array, out: Array) -> tuple[Int, Int]:
    """Takes phrase `which` out of the lines of `back[begin:end]`, in place; `(new end, changes)`."""
    o = p = begin
    first = True
    changed = np.int64(0)
    while True:
        stop = p
        words = 0
        inside = False
        while stop < end and back[np.uintp(stop)] != 0x0A:
            flags, size = flags_at(back, stop, end, blocks, cells)
            words += not flags & SPACE and not inside
            inside = not flags & SPACE
            stop += size
        at = o if first else o + 1
        to = _cut_in_line(back, p, stop, which, blocks, cells, out, at) if words <= PHRASE_WORDS else copy(back, p, stop, out, at)
        if to - at < stop - p:
            changed |= PHRASE
        if stop > p and words <= PHRASE_WORDS and skipped(back, at, to, blocks, cells) == to:
            changed |= PHRASE
        else:
            if not first:
                out[np.uintp(o)] = 0x0A
            first = False
            o = to
        if stop >= end:
            break
        p = stop + 1
    kept = stripped(back, begin, o, blocks, cells, out)
    return kept, changed | (np.int64(ENDS) if kept < o else np.int64(0))


@inner_kernel
def _cut_in_line(back: Array, p: Int, end: Int, which: Int, blocks: Array, cells: Array, out: Array, o: Int) -> Int:
    r"""Writes the line `back[p:end]` without its phrase to `out[o:]`, o <= p; returns where it ends.

    The patterns of `substring_line_modifier`: `\s?items in cart`, `\s?Read more...$` (its dots are any character), `^Sign-in\s?`.
    """
    if which == 1:
        cut = _before_read_more(back, p, end, blocks, cells)
        return copy(back, p, cut, out, o)
    if which == 2:
        if _starts(back, p, end, _SIGN):
            p += _SIGN.size
            if p < end:
                flags, size = flags_at(back, p, end, blocks, cells)
                p += size if flags & SPACE else 0
        return copy(back, p, end, out, o)
    while p < end:
        flags, size = flags_at(back, p, end, blocks, cells)
        q = p + size if flags & SPACE else p
        if _starts(back, q, end, _CART):
            p = q + _CART.size
        elif _starts(back, p, end, _CART):
            p += _CART.size
        else:
            o = copy(back, p, p + size, out, o)
            p += size
    return o


@inner_kernel
def _before_read_more(back: Array, p: Int, end: Int, blocks: Array, cells: Array) -> Int:
    """Where the line is cut: before "read more" and three characters at its end, and a white space before them."""
    q = end
    for _ in range(3):
        if q <= p:
            return end
        q = pieces.last_char(back, p, q)
    q -= _MORE.size
    if q < p or not _starts(back, q, end, _MORE):
        return end
    if q > p:
        before = pieces.last_char(back, p, q)
        flags, _ = flags_at(back, before, q, blocks, cells)
        if flags & SPACE:
            return before
    return q


@inner_kernel
def _starts(back: Array, p: Int, end: Int, phrase: Array) -> Bool:
    """Whether the phrase stands at p, in any case."""
    if end - p < phrase.size:
        return False
    for k in range(phrase.size):
        byte = back[np.uintp(p + k)]
        if 0x41 <= byte <= 0x5A:
            byte |= 0x20
        if byte != phrase[k]:
            return False
    return True
