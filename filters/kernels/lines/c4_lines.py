r"""C4's line rules: one walk that writes the lines that stay.

Invariant: a row equals `tests/filters/edits/c4_oracle.py`, which is datatrove 0.10.1 `filters/c4_filters.py` (and, for lines
that are kept whole, dolma 1.2.1 `taggers/c4.py`) on one text. A line that would drop its document there ("lorem ipsum", a curly
bracket) stays, so that the document rule of filter `c4` finds it in the final text.
The output is never longer than the text. Linear in the text, whatever the text is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel
from filters.kernels.lines import phrases
from filters.kernels.lines.phrases import Phrases
from filters.kernels.lines.pieces import Output, copy, output, stripped, trimmed
from filters.kernels.unicode import char_classes
from filters.kernels.unicode.char_classes import BREAK, DECIMAL, SPACE, decode, lookup

CHANGES = ("long_word", "citation", "punctuation", "few_words", "javascript", "policy", "white_space")
"""Bit k of a row's changes: what took lines, or parts of them, away. A line counts for the first rule that it fails;
`white_space`: blank lines, ends of lines, or breaks other than a newline."""
_LONG, _CITATION, _PUNCTUATION, _FEW, _JAVASCRIPT, _POLICY, _WHITE = (1 << k for k in range(len(CHANGES)))

POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
"""c4_filters.py, POLICY_SUBSTRINGS."""
_PHRASES = phrases.compile_phrases(("lorem ipsum", "{", "javascript", "[", *POLICY))
_KEEPS, _SCRIPT, _OPENS = 0b11, 0b100, 0b1000
_POLICIES = ((1 << len(POLICY)) - 1) << 4


class LineRules(NamedTuple):
    """`whole`: lines are what newlines separate, kept with their white space and their newline (dolma); else they are those of
    `str.splitlines`, stripped and joined by newlines (datatrove)."""

    whole: bool
    max_word_length: int  # 0: any
    citations: bool
    punctuation: bool
    min_words: int
    javascript: bool
    policy: bool


def clean(offsets: np.ndarray, data: np.ndarray, rules: LineRules) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(starts int64[n + 1], bytes uint8[:], changes uint8[n])`: row i is `bytes[starts[i]:starts[i + 1]]`."""
    made = output(offsets)
    _clean(offsets, data, *char_classes.tables(), _PHRASES, rules, made)
    return made.written()


@kernel
def _clean(offsets: Array, data: Array, blocks: Array, cells: Array, wanted: Phrases, rules: LineRules, made: Output) -> None:
    o = np.int64(0)
    for i in range(offsets.size - 1):
        o, changed = _row(data, offsets[i], offsets[i + 1], blocks, cells, wanted, rules, made, o)
        made.starts[i + 1] = o
        made.changes[i] = changed


@inner_kernel
def _row(
    data: Array, p: Int, end: Int, blocks: Array, cells: Array, wanted: Phrases, rules: LineRules, made: Output, o: Int
) -> tuple[Int, Int]:
    """Appends the lines of `data[p:end]` that stay; `(next o, changes)`."""
    whole = rules.whole
    out, back = made.out, made.back
    begin = o
    lines = changed = np.int64(0)
    while p < end:
        stop, after, first, last, words, longest, found = _scan(data, p, end, whole, blocks, cells, wanted)
        at = o + 1 if lines and not whole else o
        to = at
        cut = np.int64(0)
        if found & _OPENS and rules.citations:
            a, b = (p, stop) if whole else (first, last)
            to = _without_citations(data, a, b, blocks, cells, out, at)
            if to - at < b - a:
                cut = np.int64(_CITATION)
                found = phrases.find_phrases(back, at, to, wanted)
        reason = _fails(data, first, last, words, longest, found, rules)
        if cut:
            reason = _fails(back, at, trimmed(back, at, to, blocks, cells) if whole else to, words, longest, found, rules)
        if reason:
            changed |= _WHITE if words == 0 and not whole else reason
            p = after
            continue
        if not cut:
            to = copy(data, p if whole else first, stop if whole else last, out, at)
        changed |= cut
        if whole:
            o = copy(data, stop, after, out, to)
        else:
            odd = first != p or last != stop or (after > stop and (after == end or after - stop > 1 or data[stop] != 0x0A))
            changed |= _WHITE if odd else 0
            if lines:
                out[np.uintp(o)] = 0x0A
            o = to
        lines += 1
        p = after
    if whole:
        return o, changed
    kept = stripped(back, begin, o, blocks, cells, out)
    return kept, changed | (_WHITE if kept < o else 0)


@inner_kernel
def _fails(data: Array, first: Int, last: Int, words: Int, longest: Int, found: Int, rules: LineRules) -> Int:
    """The first rule that the line `data[first:last]` fails, else 0."""
    if rules.max_word_length and longest > rules.max_word_length:
        return np.int64(_LONG)
    if rules.punctuation and not _ends_well(data, first, last, rules.whole):
        return np.int64(_PUNCTUATION)
    if words < rules.min_words:
        return np.int64(_FEW)
    if found & 1:
        return np.int64(0)
    if rules.javascript and found & _SCRIPT:
        return np.int64(_JAVASCRIPT)
    if found & _KEEPS:
        return np.int64(0)
    if rules.policy and found & _POLICIES:
        return np.int64(_POLICY)
    return np.int64(0)


@inner_kernel
def _ends_well(data: Array, first: Int, last: Int, whole: bool) -> Bool:
    """datatrove: ends in . ? ! " ' but not in "..."; dolma, of the stripped line: in . ? ! "."""
    if last == first:
        return False
    byte = data[np.uintp(last - 1)]
    if byte == 0x2E:
        return whole or last - first < 3 or data[np.uintp(last - 2)] != 0x2E or data[np.uintp(last - 3)] != 0x2E
    return byte == 0x3F or byte == 0x21 or byte == 0x22 or (byte == 0x27 and not whole)


@inner_kernel
def _scan(
    data: Array, p: Int, end: Int, newlines: bool, blocks: Array, cells: Array, wanted: Phrases
) -> tuple[Int, Int, Int, Int, Int, Int, Int]:
    """`(stop, next, first, last, words, longest, found)` of the line at p: where it and its break end, its stripped part, number
    of words, characters of the longest, phrases. `newlines`: other breaks are white space."""
    words = longest = chars = state = found = np.int64(0)
    first = last = p
    stop = end
    after = end
    begun = False
    while p < end:
        if data[np.uintp(p)] < 0x80:
            flags, size = np.int64(cells[np.uintp(data[np.uintp(p)])]), 1
            letter = np.int64(wanted.classes[np.uintp(data[np.uintp(p)])])
            state = np.int64(wanted.steps[np.uintp(state * phrases.WIDTH + letter)])
            found |= wanted.hits[np.uintp(state)]
        else:
            point, size = decode(data, p, end)
            flags = lookup(point, blocks, cells)
            state = phrases.after_wide(point, state, wanted)
            found |= wanted.hits[np.uintp(state)]
        if flags & SPACE:
            if flags & BREAK and (not newlines or data[np.uintp(p)] == 0x0A):
                stop = p
                after = p + size
                if data[np.uintp(p)] == 0x0D and after < end and data[np.uintp(after)] == 0x0A:
                    after += 1
                break
            if chars:
                words += 1
                longest = max(longest, chars)
                chars = np.int64(0)
        else:
            if not begun:
                begun = True
                first = p
            chars += 1
            last = p + size
        p += size
    if chars:
        words += 1
        longest = max(longest, chars)
    if not begun:
        last = first
    return stop, after, first, last, words, longest, found


@inner_kernel
def _without_citations(data: Array, p: Int, end: Int, blocks: Array, cells: Array, out: Array, o: Int) -> Int:
    r"""Writes `re.sub(r"\[\d*]|\[edit]|\[citation needed]", "", line)`; returns where it ends."""
    while p < end:
        if data[np.uintp(p)] == 0x5B:
            after = _citation(data, p + 1, end, blocks, cells)
            if after:
                p = after
                continue
        out[np.uintp(o)] = data[np.uintp(p)]
        o += 1
        p += 1
    return o


_EDIT = np.frombuffer(b"edit]", np.uint8)
_NEEDED = np.frombuffer(b"citation needed]", np.uint8)


@inner_kernel
def _citation(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> Int:
    """Where the citation whose bracket stands before p ends; 0 where there is none."""
    q = p
    while q < end:
        point, size = decode(data, q, end)
        if point == 0x5D:
            return q + 1
        if not lookup(point, blocks, cells) & DECIMAL:
            break
        q += size
    if _is(data, p, end, _EDIT):
        return p + _EDIT.size
    if _is(data, p, end, _NEEDED):
        return p + _NEEDED.size
    return np.int64(0)


@inner_kernel
def _is(data: Array, p: Int, end: Int, word: Array) -> Bool:
    if end - p < word.size:
        return False
    k = 0
    while k < word.size and data[np.uintp(p + k)] == word[k]:
        k += 1
    return k == word.size
