"""What `shape` counts, which signs it tells apart, and the arrays that it works in.

Invariant: the constants are the places of the first of each group in COUNTS; the kernel counts from there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

KINDS = {
    "commas": ",،、，;；؛",
    "colons": ":：",
    "quotes": '"“”„«»「」『』‘’',  # also the apostrophe of typography
    "brackets": "()[]（）【】",
    "separators": "|›•·→▸►>/\\",
    "markup": "{}<=_#*~^`+",
    "exclamations": "!！",
    "questions": "?？؟",
    "ellipses": "…",
    "dashes": "-–—",
    "percents": "%٪",
}
"""Signs by what they are for: in prose, in lists of links, in code."""
_CLOSERS = "\"'”’»)]}）】」』*_"
"""What may stand behind the end of a sentence."""

COUNTS = (
    *("chars", "letters", "capitals", "unspaced", "digits", "beyond_latin"),
    *(
        "words",
        "numbers",
        "word_chars",
        "long_words",
        "short_words",
        "single_letters",
        "mixed_words",
        "capitalised",
        "in_capitals",
    ),
    *("tokens", "seen_tokens", "pairs", "seen_pairs"),
    *KINDS,
    *("sentences", "signs"),
    *("lines", "blank_lines", "lines_5", "chars_5", "lines_11", "chars_11", "lines_29", "chars_29"),
    *("ended_lines", "ended_long", "prose_1", "prose_2", "prose_3", "ended_short"),
    *("lower_starts", "upper_starts", "bullet_starts", "digit_starts", "unlettered", "title_lines", "separated_lines"),
    *("copies", "copy_chars", "changes", "longest_short", "longest_block"),
)
"""Columns of `shape.Shape.counts`. `beyond_latin`: letters from U+0250 on, of scripts with spaces; `unspaced`: characters of the
others. `lines`: those with something else than white space; their
characters are all but white space; `lines_5`: of up to 5 units. `prose_1` to `prose_3`: characters of lines of 12 units or more
that end like a sentence, by the third of the text in which they end. `separated_lines`: with two separators or more."""
CHARS, LETTERS, WORDS, TOKENS, COMMAS, SENTENCES, LINES = (
    COUNTS.index(name) for name in ("chars", "letters", "words", "tokens", "commas", "sentences", "lines")
)
BUCKETS = 1 << 16
"""Of words by their hash. Chosen by cross-validation: four times as many, and pairs of words beside them, rank no better."""
KIND = 127
SEPARATOR = list(KINDS).index("separators") + 1
LOWER, UPPERED, BULLETED, DIGITED = 1, 2, 3, 4
"""What a line starts with, in the order of COUNTS."""
(L_CHARS, L_WORDS, L_UNSPACED, L_LETTERS, L_FIRST, L_LAST, L_SEPARATORS, L_UPPERS, L_LOWERS) = range(9)
(L_SHORT, L_BLOCK, L_KIND) = range(9, 12)  # these three outlive their line
"""Places of `Work.line`."""
PLAIN, ENDED = 1, 2
"""What `line[L_LAST]` is behind a letter, and behind the end of a sentence."""
(W_CHARS, W_LETTERS, W_CAPITALS, W_FIRST) = range(4)
"""Places of `Work.word`."""
WORD, LINE = 1, 2
"""Places of `Work.hashes`; the first is the last token's."""


def _signs() -> np.ndarray:
    """uint8[65536]: of each code point the number of its kind of sign, from 1 on; + 128 where it may follow the end of a
    sentence."""
    table = np.zeros(0x10000, np.uint8)
    for number, signs in enumerate(KINDS.values(), start=1):
        table[[ord(sign) for sign in signs]] = number
    table[[ord(sign) for sign in _CLOSERS]] |= 128
    table.flags.writeable = False
    return table


SIGNS = _signs()


class Work(NamedTuple):
    """Memory of one call."""

    seen: np.ndarray  # uint64[...]: the upper half of the hash met there last, and the row's number
    hashes: np.ndarray  # uint64[3]: of the last token, of the word and of the line so far
    line: np.ndarray  # int64[12]: of the line so far
    word: np.ndarray  # int64[4]: of the word so far


class Words(NamedTuple):
    """What different words weigh: their sum and number by row; `listed` takes their buckets where it has room."""

    weights: np.ndarray  # float32[shape.BUCKETS]
    total: np.ndarray  # float64[n]
    number: np.ndarray  # int64[n]
    listed: np.ndarray  # uint32[...]
    ends: np.ndarray  # int64[n]: where the buckets of a row end


class Shape(NamedTuple):
    """`counts` int64[n, len(COUNTS)]; of the different words of each row the sum of weights float64[n] and number int64[n]."""

    counts: np.ndarray
    total: np.ndarray
    number: np.ndarray
