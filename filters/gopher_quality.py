"""The document rules of Gopher: word count, word length, symbols, bullets, ellipses, letters and stop words.

Profile `paper` follows Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher",
arXiv 2112.11446, appendix A1.1, "Quality Filtering". The paper filters English; where its words leave a choice or fit
English alone, this module says what it does:

- a word is what white space separates, punctuation included; a line is one of `str.splitlines()` that is not blank;
- a symbol ratio divides the number of symbols by the number of words; Chinese and Japanese "……" is one ellipsis;
- stop words are counted once each, in any of the forms the, The, THE, and only for a language that has a list;
- in scripts without spaces, words are counted by `CHARS_PER_WORD`, and where more than half of a text's words are in such
  scripts, the rules on the length and the letters of words do not apply (the other words are names, numbers and code: of
  245 Japanese pages of the React manual these rules drop 7 and 49, of the 246 English ones 8 and 51);
- a word's length is in code points; a character that is a consonant and its vowel in one (Hangul, Ethiopic, Vai) counts
  twice, or everyday Korean, at 2.8 to 3.4 a word, would be too short;
- a word is too long by its length without combining marks: with them, 94 % of the Malayalam and 58 % of the Tamil
  paragraphs of the Universal Declaration of Human Rights would be too long, without them none.

Languages that build sentences into words (Greenlandic: 16 letters a word) fail `words_too_long`; raise it for them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from filters.contract import Filter, Rule, Settings, TextBatch, Tier
from filters.kernels import word_lists
from filters.kernels.facts import TextFacts

CHARS_PER_WORD = {"han": 1.4, "kana": 4.0, "thai": 5.1, "lao": 5.4, "khmer": 5.6, "myanmar": 7.8, "tibetan": 6.8}
"""Characters of an unspaced script that say as much as one English word.

Measured on the Universal Declaration of Human Rights (paragraphs, and clauses where only those are there in both), as
characters of the script in a translation / `len(text.split())` of the same passages in English:

| translation | characters | English words | ratio | to French, German, Russian words |
|---|---|---|---|---|
| Chinese (simplified, traditional) | 1037 | 729 | 1.42 | 1.34, 1.65, 1.69 |
| Thai (two) | 8277 | 1628 | 5.08 | 4.73, 5.82, 5.80 |
| Lao | 3807 | 710 | 5.36 | 4.91, 5.86, 6.00 |
| Khmer | 4734 | 838 | 5.65 | 5.28, 6.40, 6.39 |
| Burmese | 5279 | 680 | 7.76 | 7.11, 8.18, 8.67 |
| Tibetan, Dzongkha | 9486 | 1394 | 6.80 | 6.27, 7.44, 7.69 |

Kana: with Han at 1.42, the Declaration in Japanese (3 versions, 45 % Han) leaves 4.1 to 6.5 kana a word and the prose of
the React manual (158 pages, 22 % Han) leaves 3.5; 4.0 counts the words of both within 7 %.
"""

STOP_WORDS: dict[str, tuple[str, ...]] = {
    # Rae et al. 2021, appendix A1.1.
    "en": ("the", "be", "to", "of", "and", "that", "have", "with"),
}
"""Lists by ISO 639-1 label; the rule does not apply to a language without one."""

_LISTS = word_lists.compile_lists(list(STOP_WORDS.values()))


class Params(Settings):
    """The plan keys that change signals."""

    profile: Literal["paper"] = Field("paper", description="whose reading of the Gopher rules")


class Thresholds(Settings):
    """Rae et al. 2021, appendix A1.1; a text at a threshold passes."""

    min_words: int = Field(50, ge=0, description="fewest words; characters / a figure per script where it writes no spaces")
    max_words: int = Field(100_000, ge=0, description="most words")
    min_mean_word_length: float = Field(3, ge=0, description="smallest mean length of words, in characters")
    max_mean_word_length: float = Field(10, ge=0, description="largest mean length of words, combining marks not counted")
    max_symbol_ratio: float = Field(0.1, ge=0, description="most hashes per word, and most ellipses per word")
    max_bullet_lines: float = Field(0.9, ge=0, description="largest share of lines that start with a bullet point")
    max_ellipsis_lines: float = Field(0.3, ge=0, description="largest share of lines that end with an ellipsis")
    min_alpha_words: float = Field(0.8, ge=0, description="smallest share of words with a letter")
    min_stop_words: int = Field(2, ge=0, description="fewest different stop words, in languages that have a list")


SIGNALS = pa.schema(
    [
        pa.field("gopher_words", pa.int64(), nullable=False),
        pa.field("gopher_mean_word_length", pa.float32()),
        pa.field("gopher_mean_word_length_unmarked", pa.float32()),
        pa.field("gopher_hash_ratio", pa.float32(), nullable=False),
        pa.field("gopher_ellipsis_ratio", pa.float32(), nullable=False),
        pa.field("gopher_bullet_lines", pa.float32(), nullable=False),
        pa.field("gopher_ellipsis_lines", pa.float32(), nullable=False),
        pa.field("gopher_alpha_words", pa.float32()),
        pa.field("gopher_stop_words", pa.int32()),
    ]
)
"""Null means that the rule does not apply. A ratio over nothing is 0: a text without words has 0 words of length 0."""


def _annotate(batch: TextBatch, needed: pa.RecordBatch, params: Params, loaded: None) -> pa.RecordBatch:
    facts = batch.facts
    joined = _joined_words(facts)
    words = facts.spaced_words + joined
    letters = facts.spaced_word_chars + facts.spaced_word_syllables
    mostly_joined = joined > facts.spaced_words
    stop_words, unlisted = _stop_words(batch, needed.column("language"))
    columns = [
        pa.array(words, pa.int64()),
        _ratio(letters, facts.spaced_words, null=mostly_joined),
        _ratio(letters - facts.spaced_word_marks, facts.spaced_words, null=mostly_joined),
        _ratio(facts.n_hash, words),
        _ratio(facts.n_ellipsis - facts.n_double_ellipsis, words),
        _ratio(facts.bullet_lines, facts.filled_lines),
        _ratio(facts.ellipsis_lines, facts.filled_lines),
        _ratio(facts.spaced_alpha_words + joined, words, null=mostly_joined),
        pa.array(stop_words, pa.int32(), mask=unlisted),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SIGNALS)


def _joined_words(facts: TextFacts) -> np.ndarray:
    """int64: what the characters of unspaced scripts amount to, rounded up; each of these words has a letter."""
    amounts = [getattr(facts, f"n_{script}") / figure for script, figure in CHARS_PER_WORD.items()]
    return np.ceil(sum(amounts)).astype(np.int64)


def _stop_words(batch: TextBatch, language: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """`(int32[n], bool[n])`: stop words found, and the rows whose language has no list."""
    languages = pa.array(list(STOP_WORDS), pa.string())
    list_id = pc.fill_null(pc.index_in(language, value_set=languages), -1).to_numpy(zero_copy_only=False).astype(np.int16)
    return word_lists.distinct_members(*batch.buffers, list_id, _LISTS), list_id < 0


def _ratio(part: np.ndarray, whole: np.ndarray, *, null: np.ndarray | None = None) -> pa.Array:
    """float32 `part / whole`, 0 where `whole` is 0."""
    return pa.array((part / np.maximum(whole, 1)).astype(np.float32), pa.float32(), mask=null)


def _rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    words = pl.col("gopher_words")
    length = pl.col("gopher_mean_word_length")
    unmarked = pl.col("gopher_mean_word_length_unmarked")
    symbols = _float32(thresholds.max_symbol_ratio)
    return [
        Rule(reason="too_few_words", drop=words < thresholds.min_words),
        Rule(reason="too_many_words", drop=words > thresholds.max_words),
        Rule(reason="words_too_short", drop=_applies(length < _float32(thresholds.min_mean_word_length))),
        Rule(reason="words_too_long", drop=_applies(unmarked > _float32(thresholds.max_mean_word_length))),
        Rule(reason="too_many_hashes", drop=pl.col("gopher_hash_ratio") > symbols),
        Rule(reason="too_many_ellipses", drop=pl.col("gopher_ellipsis_ratio") > symbols),
        Rule(reason="too_many_bullet_lines", drop=pl.col("gopher_bullet_lines") > _float32(thresholds.max_bullet_lines)),
        Rule(reason="too_many_ellipsis_lines", drop=pl.col("gopher_ellipsis_lines") > _float32(thresholds.max_ellipsis_lines)),
        Rule(
            reason="too_few_alphabetic_words",
            drop=_applies(pl.col("gopher_alpha_words") < _float32(thresholds.min_alpha_words)),
        ),
        Rule(reason="too_few_stop_words", drop=_applies(pl.col("gopher_stop_words") < thresholds.min_stop_words)),
    ]


def _applies(drop: pl.Expr) -> pl.Expr:
    """A rule that does not apply (null) drops nothing."""
    return drop.fill_null(False)


def _float32(threshold: float) -> pl.Expr:
    """The threshold as exact as the signals: 1 hash in 10 words is 0.1 in float32, which is more than 0.1 in float64."""
    return pl.lit(threshold, pl.Float32)


FILTER = Filter(
    name="gopher_quality",
    version=1,
    tier=Tier.CHEAP,
    reads="final",
    needs=("language",),
    params=Params,
    signals=SIGNALS,
    thresholds=Thresholds,
    annotate=_annotate,
    rules=_rules,
)
