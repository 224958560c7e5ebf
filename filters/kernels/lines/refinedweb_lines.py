r"""The line edits of RefinedWeb as DCLM publishes them: one walk that writes the lines that stay.

Invariant: a row equals `tests/filters/edits/oracles.py`: mlfoundations/dclm `baselines/mappers/modifiers.py` in the
order of `dclm_baseline_refinedweb.yaml`, from `newline_removal_modifier` on; letters of its phrases match in ASCII only
(there `re.I` also takes a long s for an s). The output is never longer than the text. Linear, whatever the text is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel
from filters.kernels.lines import phrases
from filters.kernels.lines.phrases import Phrases
from filters.kernels.lines.pieces import Output, copy, output, skipped, stripped
from filters.kernels.lines.refinedweb_phrases import CUT, ENDS, cut_phrase
from filters.kernels.unicode import char_classes
from filters.kernels.unicode.ascii_words import BYTES, between, classes, lowest, ones
from filters.kernels.unicode.char_classes import ALNUM, DECIMAL, DIGIT, SPACE, UPPER, decode, flags_at, lookup

CHANGES = ("newlines", "capitals", "digits", "counter", "few_words", "phrase", "ends")
"""Bit k of a row's changes. A line counts for the first rule that it fails; `ends`: white space at the ends of the text."""
_NEWLINES, _CAPITALS, _DIGITS, _COUNTER, _FEW = (1 << k for k in range(CHANGES.index("phrase")))

COUNTED = (
    *("likes", "shares", "comments", "retweets", "reposts", "quotes", "bookmarks", "upvotes", "downvotes", "downloads", "views"),
    "followers",
)
"""modifiers.py, `counter_line_modifier`."""
_PHRASES = phrases.compile_phrases((*CUT, *COUNTED))
_CUT = (1 << len(CUT)) - 1
_NONE, _ONE, _BITS, _ALL = np.uint64(0), np.uint64(1), np.uint64(64), np.uint64(0xFFFFFFFFFFFFFFFF)
_NOUN_BYTES = np.frombuffer("".join(COUNTED).encode(), np.uint8)
_NOUN_STARTS = np.cumsum([0, *map(len, COUNTED)])


class LineRules(NamedTuple):
    """Thresholds of `clean`: a line is dropped above a maximum and below a minimum."""

    newlines: bool  # runs of three and more newlines become two
    max_capitals: float
    max_digits: float
    counters: bool
    min_words: int
    phrases: bool


def clean(offsets: np.ndarray, data: np.ndarray, rules: LineRules) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(starts int64[n + 1], bytes uint8[:], changes uint8[n])`: row i is `bytes[starts[i]:starts[i + 1]]`."""
    made = output(offsets)
    _clean(offsets, data, *char_classes.tables(), _PHRASES, rules, made)
    return made.written()


@kernel
def _clean(offsets: Array, data: Array, blocks: Array, cells: Array, wanted: Phrases, rules: LineRules, made: Output) -> None:
    o = np.int64(0)
    for i in range(offsets.size - 1):
        begin = o
        o, changed, phrase = _row(data, offsets[i], offsets[i + 1], blocks, cells, wanted, rules, made, begin)
        if phrase:
            for which in range(3):
                o, cut = cut_phrase(made.back, begin, o, which, blocks, cells, made.out)
                changed |= cut
        made.starts[i + 1] = o
        made.changes[i] = changed


@inner_kernel
def _row(
    data: Array, p: Int, end: Int, blocks: Array, cells: Array, wanted: Phrases, rules: LineRules, made: Output, o: Int
) -> tuple[Int, Int, Bool]:
    """Appends the lines of `data[p:end]` that stay, without white space at the ends; `(next o, changes, phrases to cut)`."""
    out, back = made.out, made.back
    begin = o
    lines = changed = np.int64(0)
    empty = phrase = False
    while True:
        stop, chars, upper, digits, words, found = _scan(data, p, end, blocks, cells, wanted)
        reason = np.int64(0)
        if chars == 0:
            if empty and rules.newlines:
                reason = np.int64(_NEWLINES)
            empty = True
        else:
            empty = False
            if upper / chars > rules.max_capitals:
                reason = np.int64(_CAPITALS)
            elif digits / chars > rules.max_digits:
                reason = np.int64(_DIGITS)
            elif rules.counters and found > _CUT and _is_counter(data, p, stop, blocks, cells):
                reason = np.int64(_COUNTER)
            elif words < rules.min_words:
                reason = np.int64(_FEW)
        if reason:
            changed |= reason
        else:
            if lines:
                out[np.uintp(o)] = 0x0A
                o += 1
            o = copy(data, p, stop, out, o)
            lines += 1
            if rules.phrases and (found & _CUT or (words == 0 and chars)):
                phrase = True
        if stop >= end:
            break
        p = stop + 1
    kept = stripped(back, begin, o, blocks, cells, out)
    return kept, changed | (np.int64(ENDS) if kept < o else np.int64(0)), phrase


@inner_kernel
def _scan(data: Array, p: Int, end: Int, blocks: Array, cells: Array, wanted: Phrases) -> tuple[Int, Int, Int, Int, Int, Int]:
    """`(stop, chars, upper, digits, words, found)` of the line at p, up to a newline."""
    chars = upper = digits = words = state = found = np.int64(0)
    inside = False
    while p < end:
        byte = data[np.uintp(p)]
        if byte < 0x80:
            if byte == 0x0A:
                break
            flags, size = np.int64(cells[np.uintp(byte)]), 1
            state = np.int64(wanted.steps[np.uintp(state * phrases.WIDTH + np.int64(wanted.classes[np.uintp(byte)]))])
        else:
            point, size = decode(data, p, end)
            flags = lookup(point, blocks, cells)
            state = phrases.after_wide(point, state, wanted)
        found |= wanted.hits[np.uintp(state)]
        chars += 1
        upper += (flags & UPPER) != 0
        digits += (flags & DIGIT) != 0
        space = (flags & SPACE) != 0
        words += not space and not inside
        inside = not space
        p += size
    return p, chars, upper, digits, words, found


@inner_kernel
def _is_counter(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> Bool:
    r"""`re.search(r"^\W*\d(?:,|\.|\d)*[kmb]?\s+(?:likes|…)\W*$", line.lower())`."""
    p = _not_words(data, p, end, blocks, cells)
    if p == end or not flags_at(data, p, end, blocks, cells)[0] & DECIMAL:
        return False
    while p < end:
        flags, size = flags_at(data, p, end, blocks, cells)
        if not flags & DECIMAL and data[np.uintp(p)] != 0x2C and data[np.uintp(p)] != 0x2E:
            break
        p += size
    if p < end:
        letter, size = _letter(data, p, end)
        if letter == 0x6B or letter == 0x6D or letter == 0x62:
            p += size
    begin = p
    p = skipped(data, p, end, blocks, cells)
    if p == begin:
        return False
    for noun in range(_NOUN_STARTS.size - 1):
        after = _after_noun(data, p, end, _NOUN_STARTS[noun], _NOUN_STARTS[noun + 1])
        if after and _not_words(data, after, end, blocks, cells) == end:
            return True
    return False


@inner_kernel
def _not_words(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> Int:
    r"""Where `\W*` from p on ends."""
    while p < end:
        flags, size = flags_at(data, p, end, blocks, cells)
        if flags & ALNUM or data[np.uintp(p)] == 0x5F:
            break
        p += size
    return p


@inner_kernel
def _letter(data: Array, p: Int, end: Int) -> tuple[Int, Int]:
    """`(letter, bytes)`: the ASCII letter that the character at p lowers to, else something else."""
    point, size = decode(data, p, end)
    if 0x41 <= point <= 0x5A:
        point |= 0x20
    return (np.int64(0x6B) if point == phrases.KELVIN else point), size


@inner_kernel
def _after_noun(data: Array, p: Int, end: Int, first: Int, last: Int) -> Int:
    """Where the noun at p ends, 0 if it does not stand there."""
    for k in range(first, last):
        if p >= end:
            return np.int64(0)
        letter, size = _letter(data, p, end)
        if letter != _NOUN_BYTES[k]:
            return np.int64(0)
        p += size
    return p


def counted_words(offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
    """int64[n]: `sum(w[0].isalnum() for w in text.split())`, DCLM's words without punctuation."""
    counts = np.zeros(len(offsets) - 1, np.int64)
    _counted_words(offsets, data, *char_classes.tables(), counts)
    return counts


@kernel
def _counted_words(offsets: Array, data: Array, blocks: Array, cells: Array, counts: Array) -> None:
    for i in range(offsets.size - 1):
        p, end = offsets[i], offsets[i + 1]
        n = np.int64(0)
        inside = False
        while p < end:
            if p + BYTES <= end and data[np.uintp(p)] < 0x80:
                at = np.uintp(p)
                white = between(data, at, 0x09, 0x0D) | between(data, at, 0x1C, 0x20)
                counted, _ = classes(data, at)
                length = lowest(between(data, at, 0x80, 0xFF))
                ours = ~(_ALL << length) if length < _BITS else _ALL
                begins = ~white & ~((~white << _ONE) | np.uint64(inside)) & ours
                n += np.int64(ones(begins & counted & ~between(data, at, 0x5F, 0x5F)))
                p += np.int64(length)
                inside = (white >> (length - _ONE)) & _ONE == _NONE
                continue
            flags, size = flags_at(data, p, end, blocks, cells)
            space = (flags & SPACE) != 0
            n += not space and not inside and flags & ALNUM != 0
            inside = not space
            p += size
        counts[i] = n
