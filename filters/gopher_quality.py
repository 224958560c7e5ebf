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

The other profiles are what three systems made of these rules for English text, word for word:

| | datatrove | dclm | dolma |
|---|---|---|---|
| words counted | tokens (`kernels.tokens`) that are not all punctuation | of `uniseg`, from a letter or digit on | `split()` |
| length | their mean | mean of `split()` | median of `split()` |
| symbols | # and ... … each, per token | # ... ". . ." … together, per word of `split()` | share of words with # or … |
| lines | `splitlines()`, blank ones too | stripped, not blank | `split("\n")`, blank ones too |
| bullets | • - after blanks | ● • * - | * - without blanks before |
| ellipses | ... … before blanks | ... ". . ." … | … alone |
| with a letter | share of tokens | share of `split()` | share of `split()` |
| stop words | different tokens, as written | occurrences, any case | occurrences, as written |

Sources: datatrove 0.10.1 `filters/gopher_quality_filter.py`; DCLM `mappers/filters/content_filters.py` at c7ed275 with
`baselines_configs/dclm_baseline_refinedweb.yaml`; dolma 1.2.1 `taggers/gopher.py` with `dolma-v1_6/mixing/cc-head.yaml`.

Stop words: the paper's for English; FineWeb-2's lists for 27 more languages (filters/data/fineweb2.json), in profiles paper and
datatrove; an entry with an apostrophe or full stop at its end is no word of this module and left out of paper's.

Edges, in every profile: a share or a mean of nothing is 0, so a text without words has too few and too short ones; a text without
lines has no bullet lines. A NUL is a character like others and part of a word. Combining marks count in lengths, but for the
largest mean of `paper`. An emoji sequence is its code points, and as many tokens of datatrove's. Text from right to left is read
in logical order. A line of 10 MB is one line. A median counts words of more than 1024 characters as so long.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal
from unicodedata import category

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from filters.contract import ByRow, Comparison, Filter, Rule, Settings, TextBatch, Tier
from filters.data import Figures, Languages, figure, fineweb2, published, same
from filters.kernels.lines import gopher
from filters.kernels.words import tokens, word_lists
from filters.kernels.words.facts import TextFacts

CHARS_PER_WORD = {"han": 1.4, "kana": 4.0, "thai": 5.1, "lao": 5.4, "khmer": 5.6, "myanmar": 7.8, "tibetan": 6.8}
"""Characters of an unspaced script that say as much as one English word.

Measured on the Universal Declaration of Human Rights (`python -m tests.bench.words_per_script`: articles, and clauses where only
those are there in both), as characters of the script in a translation / `len(text.split())` of the same passages in English:

| translation | characters | English words | ratio | to French, German, Russian words |
|---|---|---|---|---|
| Chinese (five) | 2819 | 1942 | 1.45 | 1.38, 1.69, 1.73 |
| Thai (two) | 8277 | 1628 | 5.08 | 4.73, 5.82, 5.80 |
| Lao | 3807 | 710 | 5.36 | 4.91, 5.86, 6.00 |
| Khmer | 4734 | 838 | 5.65 | 5.28, 6.40, 6.39 |
| Burmese | 5279 | 680 | 7.76 | 7.11, 8.18, 8.67 |
| Tibetan, Dzongkha | 9486 | 1394 | 6.80 | 6.27, 7.44, 7.69 |

Single passages lie 15 to 30 % about these. Han is at 1.4, the figure of the two standard texts (1.44 simplified, 1.41
traditional). Kana is what Han leaves: with Han at 1.4 the Declaration in Japanese (3 versions, 45 % Han) leaves 4.3 to 6.9 kana a
word, 5.15 together, and the prose of the React manual (158 pages, 22 % Han) 3.5; 4.0 was chosen between the two, nearer to
everyday prose, and counts the words of both within 7 %.
"""

STOP_WORDS: dict[str, tuple[str, ...]] = {
    # Rae et al. 2021, appendix A1.1.
    "en": ("the", "be", "to", "of", "and", "that", "have", "with"),
    **{language: tuple(own["stopwords"]) for language, own in fineweb2().items()},
}
"""Lists by ISO 639-1 label; the rule does not apply to a language without one."""

_WORDS = [tuple(word for word in words if category(word[-1])[0] not in "PS") for words in STOP_WORDS.values()]


@cache
def _lists(profile: str) -> word_lists.WordLists:
    """The tables of a profile: made when a text is first looked at, since every run loads this module."""
    if profile == "paper":
        return word_lists.compile_lists(_WORDS)
    if profile == "datatrove":
        return word_lists.compile_lists(list(STOP_WORDS.values()), written=word_lists.as_written)
    return word_lists.compile_lists(
        [STOP_WORDS["en"]], written=word_lists.any_case if profile == "dclm" else word_lists.as_written
    )


@cache
def _languages(profile: str) -> pa.Array:
    return pa.array(["en"] if profile in ("dclm", "dolma") else list(STOP_WORDS), pa.string())


FIGURES: dict[str, Figures] = {
    # Rae et al. 2021, appendix A1.1; the other three have the same.
    "min_mean_word_length": same(3),
    "max_mean_word_length": same(10),
    "min_alpha_words": same(0.8),
}
_BY_LANGUAGE = {
    "min_mean_word_length": "min_avg_word_length",
    "max_mean_word_length": "max_avg_word_length",
    "min_alpha_words": "min_alpha_words",
}
"""Our keys and FineWeb-2's."""


class Params(Settings):
    """The plan keys that change signals."""

    profile: Literal["paper", "datatrove", "dclm", "dolma"] = Field("paper", description="whose reading of the Gopher rules")
    reads: Literal["final", "source"] = Field("final", description="which text: final (after the edits) or source (before them)")


def _null(key: str, what: str) -> Any:
    return Field(None, ge=0, description=f"{what}; null: {FIGURES[key]}")


class Thresholds(Settings):
    """Rae et al. 2021, appendix A1.1, which the other profiles share; a text at a threshold passes."""

    languages: Languages = Field("none", description="fineweb2: FineWeb-2's figures for its languages where a key is null")
    min_words: int = Field(50, ge=0, description="fewest words; characters / a figure per script where it writes no spaces")
    max_words: int = Field(100_000, ge=0, description="most words")
    min_mean_word_length: float | None = _null("min_mean_word_length", "smallest mean (dolma: median) length of words")
    max_mean_word_length: float | None = _null("max_mean_word_length", "largest; paper: combining marks not counted")
    max_symbol_ratio: float = Field(0.1, ge=0, description="most hashes per word, and most ellipses per word (dclm, dolma: both)")
    max_bullet_lines: float = Field(0.9, ge=0, description="largest share of lines that start with a bullet point")
    max_ellipsis_lines: float = Field(0.3, ge=0, description="largest share of lines that end with an ellipsis")
    min_alpha_words: float | None = _null("min_alpha_words", "smallest share of words with a letter")
    min_stop_words: int = Field(
        2, ge=0, description="fewest different stop words (dclm, dolma: occurrences), in languages that have a list"
    )


SIGNALS = pa.schema(
    [
        pa.field("gopher_words", pa.int64(), nullable=False),
        pa.field("gopher_mean_word_length", pa.float32()),
        pa.field("gopher_mean_word_length_unmarked", pa.float32()),
        pa.field("gopher_hash_ratio", pa.float32()),
        pa.field("gopher_ellipsis_ratio", pa.float32()),
        pa.field("gopher_symbol_ratio", pa.float32()),
        pa.field("gopher_bullet_lines", pa.float32(), nullable=False),
        pa.field("gopher_ellipsis_lines", pa.float32(), nullable=False),
        pa.field("gopher_alpha_words", pa.float32()),
        pa.field("gopher_stop_words", pa.int32()),
    ]
)
"""Null means that the rule does not apply. A ratio over nothing is 0: a text without words has 0 words of length 0."""


def _annotate(batch: TextBatch, needed: pa.RecordBatch, params: Params, loaded: None) -> pa.RecordBatch:
    languages = pc.index_in(needed.column("language"), value_set=_languages(params.profile))
    list_id = pc.fill_null(languages, -1).to_numpy(zero_copy_only=False).astype(np.int16)
    columns = {"paper": _paper, "datatrove": _datatrove, "dclm": _dclm, "dolma": _dolma}[params.profile](batch, list_id)
    return pa.RecordBatch.from_arrays(columns, schema=SIGNALS)


def _paper(batch: TextBatch, list_id: np.ndarray) -> list[pa.Array]:
    facts = batch.facts
    joined = _joined_words(facts)
    words = facts.spaced_words + joined
    letters = facts.spaced_word_chars + facts.spaced_word_syllables
    mostly_joined = joined > facts.spaced_words
    return [
        pa.array(words, pa.int64()),
        _ratio(letters, facts.spaced_words, null=mostly_joined),
        _ratio(letters - facts.spaced_word_marks, facts.spaced_words, null=mostly_joined),
        _ratio(facts.n_hash, words),
        _ratio(facts.n_ellipsis - facts.n_double_ellipsis, words),
        _no_rule(batch),
        _ratio(facts.bullet_lines, facts.filled_lines),
        _ratio(facts.ellipsis_lines, facts.filled_lines),
        _ratio(facts.spaced_alpha_words + joined, words, null=mostly_joined),
        _counted(word_lists.distinct_members(*batch.buffers, list_id, _lists("paper"))),
    ]


def _datatrove(batch: TextBatch, list_id: np.ndarray) -> list[pa.Array]:
    facts, lines = batch.facts, batch.gopher_lines
    words = tokens.token_facts(*batch.buffers, list_id, _lists("datatrove"))
    length = _ratio(words.plain_chars, words.plain)
    return [
        pa.array(words.plain, pa.int64()),
        length,
        length,
        _ratio(facts.n_hash, words.tokens),
        _ratio(facts.n_ellipsis, words.tokens),
        _no_rule(batch),
        _ratio(lines.datatrove_bullets, facts.n_lines),
        _ratio(facts.ellipsis_lines, facts.n_lines),
        _ratio(words.alpha_tokens, words.tokens),
        _counted(words.stop_words),
    ]


def _dclm(batch: TextBatch, list_id: np.ndarray) -> list[pa.Array]:
    facts, lines = batch.facts, batch.gopher_lines
    length = _ratio(facts.word_chars, facts.n_words)
    return [
        pa.array(batch.repetition(tokens.DCLM).words, pa.int64()),  # which gopher_repetition of this profile asks for too
        length,
        length,
        _no_rule(batch),
        _no_rule(batch),
        _ratio(facts.n_hash + facts.n_ellipsis + lines.spaced_ellipses, facts.n_words),
        _ratio(lines.dclm_bullets, lines.filled),
        _ratio(lines.dclm_ellipses, lines.filled),
        _ratio(facts.alpha_words, facts.n_words),
        _counted(word_lists.occurrences(*batch.buffers, list_id, _lists("dclm"))),
    ]


def _dolma(batch: TextBatch, list_id: np.ndarray) -> list[pa.Array]:
    facts, lines, words = batch.facts, batch.gopher_lines, gopher.words(*batch.buffers)
    length = pa.array((words.double_median / 2).astype(np.float32), pa.float32())
    return [
        pa.array(facts.n_words, pa.int64()),
        length,
        length,
        _no_rule(batch),
        _no_rule(batch),
        _ratio(words.symbol_words, facts.n_words),
        _ratio(lines.dolma_bullets, lines.lines),
        _ratio(lines.dolma_ellipses, lines.lines),
        _ratio(facts.alpha_words, facts.n_words),
        _counted(word_lists.occurrences(*batch.buffers, list_id, _lists("dolma"))),
    ]


def _no_rule(batch: TextBatch) -> pa.Array:
    """A signal that the profile has no rule for."""
    return pa.nulls(len(batch), pa.float32())


def _counted(stop_words: np.ndarray) -> pa.Array:
    """int32, null where the language has no list (-1)."""
    return pa.array(stop_words.astype(np.int32), pa.int32(), mask=stop_words < 0)


def _joined_words(facts: TextFacts) -> np.ndarray:
    """int64: what the characters of unspaced scripts amount to, rounded up; each of these words has a letter."""
    amounts = [getattr(facts, f"n_{script}") / figure for script, figure in CHARS_PER_WORD.items()]
    words: np.ndarray = np.ceil(sum(amounts))
    return words.astype(np.int64)


def _ratio(part: np.ndarray, whole: np.ndarray, *, null: np.ndarray | None = None) -> pa.Array:
    """float32 `part / whole`, 0 where `whole` is 0."""
    return pa.array((part / np.maximum(whole, 1)).astype(np.float32), pa.float32(), mask=null)


RULES: tuple[tuple[str, str, Comparison, str], ...] = (
    ("too_few_words", "gopher_words", "<", "min_words"),
    ("too_many_words", "gopher_words", ">", "max_words"),
    ("words_too_short", "gopher_mean_word_length", "<", "min_mean_word_length"),
    ("words_too_long", "gopher_mean_word_length_unmarked", ">", "max_mean_word_length"),
    ("too_many_hashes", "gopher_hash_ratio", ">", "max_symbol_ratio"),
    ("too_many_ellipses", "gopher_ellipsis_ratio", ">", "max_symbol_ratio"),
    ("too_many_symbols", "gopher_symbol_ratio", ">", "max_symbol_ratio"),
    ("too_many_bullet_lines", "gopher_bullet_lines", ">", "max_bullet_lines"),
    ("too_many_ellipsis_lines", "gopher_ellipsis_lines", ">", "max_ellipsis_lines"),
    ("too_few_alphabetic_words", "gopher_alpha_words", "<", "min_alpha_words"),
    ("too_few_stop_words", "gopher_stop_words", "<", "min_stop_words"),
)
"""Reason, signal, side that fails, threshold. Profiles dclm and dolma count symbols together, the others hashes and ellipses."""


def _rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    together = params.profile in ("dclm", "dolma")
    missing = {"too_many_hashes", "too_many_ellipses"} if together else {"too_many_symbols"}
    return [
        Rule(
            reason=reason,
            signal=signal,
            fails=fails,
            limit=_limit(key, params, thresholds),
            keys=(key, "languages") if key in FIGURES else (key,),
        )
        for reason, signal, fails, key in RULES
        if reason not in missing
    ]


def _limit(key: str, params: Params, thresholds: Thresholds) -> float | ByRow | None:
    """The threshold of a key, which the plan may leave to the profile or to the row's language."""
    chosen: float | None = getattr(thresholds, key)
    if key not in FIGURES:
        return chosen
    by_language = published(_BY_LANGUAGE[key]) if thresholds.languages == "fineweb2" else {}
    return figure(chosen, getattr(FIGURES[key], params.profile), by_language)


FILTER = Filter(
    name="gopher_quality",
    version=3,
    tier=Tier.CHEAP,
    reads="final",
    needs=("language",),
    params=Params,
    signals=SIGNALS,
    thresholds=Thresholds,
    annotate=_annotate,
    rules=_rules,
)
