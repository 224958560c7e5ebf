"""The features that the shipped quality model reads, from the counts of `filters.kernels.models.shape`.

Invariant: a feature is a ratio, share or logarithm of counts, so that texts of different length and script can be compared; it is
finite for every text, the empty one too. Source: ours; NAMES say it in words.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from filters.kernels.models.shape_counts import COUNTS, KINDS, Shape

Column = Callable[[str], np.ndarray]

OF_CHARS = (
    "letters",
    "digits",
    "signs",
    "beyond_latin",
    "prose",
    "longest_block",
    "chars_5",
    "chars_11",
    "chars_29",
    "copy_chars",
)
OF_WORDS = ("capitalised", "in_capitals", "long_words", "short_words", "single_letters", "mixed_words")
OF_LINES = (
    *(
        "lines_5",
        "lines_11",
        "lines_29",
        "ended_lines",
        "ended_long",
        "upper_starts",
        "lower_starts",
        "bullet_starts",
        "digit_starts",
    ),
    *("unlettered", "title_lines", "separated_lines", "copies", "changes", "longest_short", "sentences"),
)
NAMES: dict[str, str] = {
    "log_chars": "length in characters",
    "log_units": "length in words",
    "log_block": "longest run of long lines, in characters",
    "log_prose": "characters in long lines that end like a sentence",
    "units_per_line": "words per line",
    "chars_per_line": "characters per line",
    "word_length": "mean length of words",
    "sentence_units": "words per sentence",
    "numbers": "numbers among words",
    "capitals": "capitals among letters",
    "seen_tokens": "words that stood before, for the length",
    "seen_pairs": "pairs of words that stood before",
    "commas_per_sentence": "commas per sentence",
    "ended_of_long": "long lines that end like a sentence",
    "prose_1": "prose in the first third",
    "prose_3": "prose in the last third",
    "blank_lines": "blank lines",
    "letters_of_chars": "letters among characters",
    "digits_of_chars": "digits among characters",
    "signs_of_chars": "punctuation and symbols among characters",
    "beyond_latin_of_chars": "letters of other alphabets than Latin",
    "prose_of_chars": "share of the text in long lines that end like a sentence",
    "longest_block_of_chars": "share of the text in the longest run of long lines",
    "chars_5_of_chars": "share of the text in lines of up to 5 words",
    "chars_11_of_chars": "share of the text in lines of up to 11 words",
    "chars_29_of_chars": "share of the text in lines of up to 29 words",
    "copy_chars_of_chars": "share of the text in lines that stood before",
    "capitalised_of_words": "words with a capital",
    "in_capitals_of_words": "words in capitals",
    "long_words_of_words": "words of 13 letters or more",
    "short_words_of_words": "words of up to 3 letters",
    "single_letters_of_words": "single letters",
    "mixed_words_of_words": "words with digits",
    "lines_5_of_lines": "lines of up to 5 words",
    "lines_11_of_lines": "lines of up to 11 words",
    "lines_29_of_lines": "lines of up to 29 words",
    "ended_lines_of_lines": "lines that end like a sentence",
    "ended_long_of_lines": "long lines that end like a sentence, of all lines",
    "upper_starts_of_lines": "lines that start with a capital",
    "lower_starts_of_lines": "lines that start with a small letter",
    "bullet_starts_of_lines": "lines that start with a bullet",
    "digit_starts_of_lines": "lines that start with a digit",
    "unlettered_of_lines": "lines without a letter",
    "title_lines_of_lines": "lines of capitalised words only",
    "separated_lines_of_lines": "lines with separators such as | or ›",
    "copies_of_lines": "lines that stood before",
    "changes_of_lines": "changes between short and long lines",
    "longest_short_of_lines": "longest run of short lines",
    "sentences_of_lines": "sentences per line",
    "commas_of_units": "commas",
    "colons_of_units": "colons",
    "quotes_of_units": "quotation marks and typographic apostrophes",
    "brackets_of_units": "brackets",
    "separators_of_units": "separators such as | or ›",
    "markup_of_units": "signs of markup and code",
    "exclamations_of_units": "exclamation marks",
    "questions_of_units": "question marks",
    "ellipses_of_units": "ellipses",
    "dashes_of_units": "dashes",
    "percents_of_units": "per cent signs",
    "words": "the words alone (0: as in junk, 1: as in prose)",
}
"""What stands for each feature in `why`, in the order of the columns of `features`."""
WORDS_AT = list(NAMES).index("words")


def features(shape: Shape, *, bias: float) -> np.ndarray:
    """float32[n, len(NAMES)]. The last one is `bias` plus the weights of the different words over the root of their number."""
    counts = shape.counts.astype(np.float64)
    places = {name: i for i, name in enumerate(COUNTS)}

    def of(name: str) -> np.ndarray:
        thirds = [places[f"prose_{third}"] for third in (1, 2, 3)]
        found: np.ndarray = counts[:, thirds].sum(axis=1) if name == "prose" else counts[:, places[name]]
        return found

    chars, lines, words = of("chars"), of("lines"), of("words")
    units = words + of("numbers") + of("unspaced") / 2
    columns = [
        *(np.log1p(column) for column in (chars, units, of("longest_block"), of("prose"))),
        _ratio(units, lines),
        _ratio(chars, lines),
        _ratio(of("word_chars"), words),
        _ratio(units, of("sentences")),
        _ratio(of("numbers"), units),
        _ratio(of("capitals"), of("letters")),
        _ratio(of("seen_tokens"), of("tokens")) / np.log(of("tokens") + 10),
        _ratio(of("seen_pairs"), of("pairs")),
        _ratio(of("commas"), of("sentences")),
        _ratio(of("ended_long"), lines - of("lines_11")),
        _ratio(3 * of("prose_1"), chars),
        _ratio(3 * of("prose_3"), chars),
        _ratio(of("blank_lines"), lines + of("blank_lines")),
        *(_ratio(of(name), chars) for name in OF_CHARS),
        *(_ratio(of(name), words) for name in OF_WORDS),
        *(_ratio(of(name), lines) for name in OF_LINES),
        *(_ratio(of(name), units) for name in KINDS),
        bias + shape.total / np.sqrt(np.maximum(shape.number, 1)),
    ]
    found: np.ndarray = np.stack(columns, axis=1).astype(np.float32)
    return found


def readable(found: np.ndarray) -> np.ndarray:
    """The features as a person reads them: lengths instead of their logarithms; what the words say as a probability."""
    values = found.astype(np.float64)
    for k, name in enumerate(NAMES):
        if name.startswith("log_"):
            values[:, k] = np.rint(np.expm1(values[:, k]))
    values[:, WORDS_AT] = 0.5 * (1 + np.tanh(0.5 * values[:, WORDS_AT]))
    return values


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, of less than 1 as of 1."""
    found: np.ndarray = part / np.maximum(whole, 1)
    return found
