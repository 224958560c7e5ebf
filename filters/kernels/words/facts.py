"""Word, line and character statistics of texts, all from one walk over their UTF-8 bytes.

Each fact equals the plain Python beside it in `TextFacts`; tests hold it to that on any Unicode. Facts know no threshold
and no language: what they mean is for filters to say.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel, kernel
from filters.kernels.unicode import char_classes
from filters.kernels.unicode.ascii_words import BYTES, between, highest, lowest, ones
from filters.kernels.unicode.char_classes import (
    ALPHA,
    BREAK,
    BULLET,
    MARK,
    SCRIPT,
    SPACE,
    SPECIAL,
    SYLLABLE,
    decode,
    flags_at,
    lookup,
)


@dataclass(frozen=True)
class TextFacts:
    """One int64 array per fact, one item per text.

    `words = text.split()`; a *spaced* word is one without a character of an unspaced script (`char_classes.UNSPACED`).
    `lines = text.splitlines()`; a *filled* line has something else than white space.
    """

    n_chars: np.ndarray
    """`len(text)`, in code points."""
    n_words: np.ndarray
    """`len(words)`"""
    word_chars: np.ndarray
    """`sum(len(w) for w in words)`"""
    alpha_words: np.ndarray
    """`sum(any(c.isalpha() for c in w) for w in words)`"""
    spaced_words: np.ndarray
    """Number of spaced words."""
    spaced_word_chars: np.ndarray
    """`word_chars` of the spaced words."""
    spaced_word_marks: np.ndarray
    """`sum(unicodedata.category(c)[0] == "M" for w in spaced words for c in w)`"""
    spaced_word_syllables: np.ndarray
    """Characters of spaced words that are a consonant and its vowel in one (`char_classes.SYLLABLE`)."""
    spaced_alpha_words: np.ndarray
    """`alpha_words` among the spaced words."""
    n_hash: np.ndarray
    """`text.count("#")`"""
    n_ellipsis: np.ndarray
    """`text.count("...") + text.count("…")`"""
    n_double_ellipsis: np.ndarray
    """`text.count("……")`: Chinese and Japanese write one ellipsis as two characters."""
    n_lines: np.ndarray
    """`len(lines)`"""
    filled_lines: np.ndarray
    """`sum(bool(line.strip()) for line in lines)`"""
    bullet_lines: np.ndarray
    """`sum(line.lstrip().startswith(tuple(char_classes.BULLETS)) for line in lines)`"""
    ellipsis_lines: np.ndarray
    """`sum(line.rstrip().endswith(("...", "…")) for line in lines)`"""
    n_han: np.ndarray
    """Characters of each unspaced script; marks and digits of the script count."""
    n_kana: np.ndarray
    n_thai: np.ndarray
    n_lao: np.ndarray
    n_khmer: np.ndarray
    n_myanmar: np.ndarray
    n_tibetan: np.ndarray


_NAMES = tuple(field.name for field in fields(TextFacts))
# As many as the fields above, in their order; the scripts' counts follow.
_CHARS, _WORDS, _WORD_CHARS, _ALPHA_WORDS = range(4)
_SPACED_WORDS, _SPACED_WORD_CHARS, _SPACED_WORD_MARKS, _SPACED_WORD_SYLLABLES, _SPACED_ALPHA_WORDS = range(4, 9)
_HASH, _ELLIPSIS, _DOUBLE_ELLIPSIS = range(9, 12)
_LINES, _FILLED_LINES, _BULLET_LINES, _ELLIPSIS_LINES = range(12, 16)
_BEFORE_SCRIPTS = _ELLIPSIS_LINES

_STOP = SPACE | SPECIAL
_ALL, _ONE, _TWO, _BITS = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(1), np.uint64(2), np.uint64(64)


def text_facts(offsets: np.ndarray, data: np.ndarray) -> TextFacts:
    """Facts of the texts `data[offsets[i]:offsets[i + 1]]` (UTF-8); columns of length `len(offsets) - 1`."""
    counts = np.zeros((len(offsets) - 1, len(_NAMES)), np.int64)
    _walk(offsets, data, *char_classes.tables(), counts)
    return TextFacts(*np.ascontiguousarray(counts.T))


@kernel
def _walk(offsets: Array, data: Array, blocks: Array, cells: Array, counts: Array) -> None:
    """Adds the facts of text i to `counts[i]`."""
    for i in range(offsets.size - 1):
        _text(data, offsets[i], offsets[i + 1], blocks, cells, counts[i])


@inner_kernel
def _text(data: Array, p: Int, end: Int, blocks: Array, cells: Array, count: Array) -> None:
    """Adds the facts of the text at p to end."""
    line = word = word_end = p
    while p < end:
        flags, size = flags_at(data, p, end, blocks, cells)
        if not flags & SPACE:
            if word_end == line and flags & BULLET:
                count[_BULLET_LINES] += 1
            word = _plain_words(data, p, end, count)
            p = word_end = _word(data, word, end, blocks, cells, count)
            continue
        count[_CHARS] += 1
        p += size
        if flags & BREAK:
            if data[p - 1] == 0x0D and p < end and data[p] == 0x0A:
                count[_CHARS] += 1
                p += 1
            _end_line(data, line, word, word_end, count)
            line = word = word_end = p
    if line < end:
        _end_line(data, line, word, word_end, count)


@inner_kernel
def _end_line(data: Array, line: Int, word: Int, word_end: Int, count: Array) -> None:
    """Adds a line whose last word is at word to word_end; `word_end == line` where it has none."""
    count[_LINES] += 1
    if word_end == line:
        return
    count[_FILLED_LINES] += 1
    if word_end - word >= 3:
        a, b, c = data[word_end - 3], data[word_end - 2], data[word_end - 1]
        if (a == 0x2E and b == 0x2E and c == 0x2E) or (a == 0xE2 and b == 0x80 and c == 0xA6):
            count[_ELLIPSIS_LINES] += 1


@inner_kernel
def _plain_words(data: Array, p: Int, end: Int, count: Array) -> Int:
    """Adds whole words of ASCII without # and "...", and the blanks after them; returns where the first other thing starts.

    The fast path, 64 bytes at a time. A word has a letter if adding its letters to its bits carries into the blank after it.
    """
    begin = p
    words = alpha_words = gaps = np.int64(0)
    while p + BYTES <= end and data[np.uintp(p)] < 0x80:
        at = np.uintp(p)
        blank = between(data, at, 0x09, 0x09) | between(data, at, 0x1F, 0x20)
        break_ = between(data, at, 0x0A, 0x0D) | between(data, at, 0x1C, 0x1E)
        letter = between(data, at, 0x41, 0x5A) | between(data, at, 0x61, 0x7A)
        dot = between(data, at, 0x2E, 0x2E)
        stops = break_ | between(data, at, 0x80, 0xFF) | between(data, at, 0x23, 0x23) | (dot & (dot >> _ONE) & (dot >> _TWO))
        stop = lowest(stops)
        ends = blank & ~(_ALL << stop) if stop < _BITS else blank
        size = highest(ends)
        if stop < _BITS and (break_ >> stop) & _ONE:
            size = stop
        if size == 0:
            break
        inside = ~(_ALL << size) if size < _BITS else _ALL
        word = ~blank & inside
        letter &= inside
        words += np.int64(ones(word & ~(word << _ONE)))
        # The last word may end at a line break, which is bit `size`.
        alpha_words += np.int64(ones((word + letter) & ~word & ((inside << _ONE) | _ONE)))
        gaps += np.int64(ones(blank & inside))
        p += np.int64(size)
        if stop < _BITS:
            break
    _add_plain_words(count, words, p - begin, gaps, alpha_words)
    return p


@inner_kernel
def _word(data: Array, p: Int, end: Int, blocks: Array, cells: Array, count: Array) -> Int:
    """Adds the word that starts at p, if one does, and returns its end."""
    start = p
    seen = np.int64(0)
    marks = syllables = surplus = np.int64(0)
    while p < end:
        if data[np.uintp(p)] < 0x80:
            flags = np.int64(cells[np.uintp(data[np.uintp(p)])])
            if flags & _STOP:
                if flags & SPACE:
                    break
                p = _special(data, p, end, count)
                continue
            seen |= flags
            p += 1
            continue
        point, size = decode(data, p, end)
        flags = lookup(point, blocks, cells)
        if flags & SPACE:
            break
        seen |= flags
        if point == 0x2026:
            run = _ellipses(data, p, end, count)
            surplus += run * 2
            p += run * 3
            continue
        marks += (flags & MARK) != 0
        syllables += (flags & SYLLABLE) != 0
        if flags & SCRIPT:
            count[_BEFORE_SCRIPTS + (flags & SCRIPT)] += 1
        surplus += size - 1
        p += size
    if p > start:
        _add_word(count, p - start - surplus, marks, syllables, seen)
    return p


@inner_kernel
def _add_word(count: Array, chars: Int, marks: Int, syllables: Int, seen: Int) -> None:
    """Adds a word of `chars` code points; `seen` has every flag that one of them has."""
    has_alpha = np.int64((seen & ALPHA) != 0)
    count[_CHARS] += chars
    count[_WORDS] += 1
    count[_WORD_CHARS] += chars
    count[_ALPHA_WORDS] += has_alpha
    if not seen & SCRIPT:
        count[_SPACED_WORDS] += 1
        count[_SPACED_WORD_CHARS] += chars
        count[_SPACED_WORD_MARKS] += marks
        count[_SPACED_WORD_SYLLABLES] += syllables
        count[_SPACED_ALPHA_WORDS] += has_alpha


@inner_kernel
def _add_plain_words(count: Array, words: Int, chars: Int, gaps: Int, alpha_words: Int) -> None:
    """Adds spaced words without marks: `chars` code points, `gaps` of them blanks."""
    count[_CHARS] += chars
    count[_WORDS] += words
    count[_SPACED_WORDS] += words
    count[_WORD_CHARS] += chars - gaps
    count[_SPACED_WORD_CHARS] += chars - gaps
    count[_ALPHA_WORDS] += alpha_words
    count[_SPACED_ALPHA_WORDS] += alpha_words


@inner_kernel
def _special(data: Array, p: Int, end: Int, count: Array) -> Int:
    """Adds the # or the run of full stops at p and returns its end."""
    if data[p] == 0x23:
        count[_HASH] += 1
        return p + 1
    start = p
    while p < end and data[p] == 0x2E:
        p += 1
    count[_ELLIPSIS] += (p - start) // 3
    return p


@inner_kernel
def _ellipses(data: Array, p: Int, end: Int, count: Array) -> Int:
    """Adds the run of … at p and returns how many there are."""
    run = np.int64(0)
    while p + 3 <= end and data[p] == 0xE2 and data[p + 1] == 0x80 and data[p + 2] == 0xA6:
        run += 1
        p += 3
    count[_ELLIPSIS] += run
    count[_DOUBLE_ELLIPSIS] += run // 2
    return run
