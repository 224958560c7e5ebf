"""The repetition rules of Gopher: repeated lines, paragraphs and word n-grams, as shares of a document.

Thresholds: Rae et al. 2021, arXiv 2112.11446, appendix A1.1, table A1. The paper leaves open what a duplicate is and what its
characters are a share of; each profile answers as its system does ("size" is in code points, of words without the space between):

| | paper | datatrove | dclm | dolma |
|---|---|---|---|---|
| lines | not blank, stripped | `re.split("\\n+", text)` | as paper | `text.split("\\n")` |
| paragraphs | between blank lines, stripped | `re.split("\\n{2,}", text.strip())` | as paper | no rule |
| a duplicate | equals an earlier one | equals an earlier one | equals another one | equals another one |
| its characters, of | those of all lines (paragraphs) | the text | those of all lines (paragraphs) | those of all words |
| words | `split()` | punctuation apart (`kernels.tokens`) | `uniseg`, from a letter or digit on | `split()` |
| top n-gram, n = 2 to 4 | the longest of the most frequent | the first of them, joined by spaces | as paper | the first of them |
| … its count | 2 or more | also 1 | 2 or more | also 1 |
| … times its size, of | all words | the text | all words | all words |
| n-grams, n = 5 to 10 | words in one that repeats, once each | a scan that jumps over copies | as paper | all that occur twice |
| … of | all words | the text | all words | all n-grams |

Sources: datatrove 0.10.1 `filters/gopher_repetition_filter.py`; DCLM `mappers/filters/content_filters.py`
(`massive_web_repetition_filters`) at c7ed275; dolma 1.2.1 `taggers/gopher.py` with the thresholds of its configuration
`dolma-v1_6/mixing/cc-head.yaml`. There, three of the rules name columns that do not exist and never fire; here they do.

Edges: a share of nothing is 0 (no words, no lines, one line, fewer words than n), but for `dclm`, where a document without a
line fails the line and paragraph rules. A NUL is a character like others. Combining marks and emoji sequences count by code
point. Text from right to left is read in logical order. A single line of 10 MB is measured like any other text. datatrove joins
the words of an n-gram, so that "ab c …" and "a bc …" can be one of its 5-grams: here they are two.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from filters.contract import Filter, Rule, Settings, TextBatch, Tier
from filters.data import Figures, Languages, figure, published, same
from filters.kernels.lines import segments
from filters.kernels.ngrams import ngrams
from filters.kernels.words import tokens

# Rae et al. 2021, table A1; dolma: cc-head.yaml, which has 0.3 for lines by characters and no rule on paragraphs.
FIGURES = {
    "max_duplicate_lines": same(0.3),
    "max_duplicate_paragraphs": Figures(paper=0.3, datatrove=0.3, dclm=0.3, dolma=None),
    "max_duplicate_line_chars": Figures(paper=0.2, datatrove=0.2, dclm=0.2, dolma=0.3),
    "max_duplicate_paragraph_chars": Figures(paper=0.2, datatrove=0.2, dclm=0.2, dolma=None),
    "max_top_2gram": same(0.2),
    "max_top_3gram": same(0.18),
    "max_top_4gram": same(0.16),
    "max_repeated_5gram": same(0.15),
    "max_repeated_6gram": same(0.14),
    "max_repeated_7gram": same(0.13),
    "max_repeated_8gram": same(0.12),
    "max_repeated_9gram": same(0.11),
    "max_repeated_10gram": same(0.1),
}


class Params(Settings):
    """The plan keys that change signals."""

    profile: Literal["paper", "datatrove", "dclm", "dolma"] = Field("paper", description="whose reading of the Gopher rules")
    reads: Literal["final", "source"] = Field("final", description="which text: final (after the edits) or source (before them)")


def _share(key: str, what: str) -> Any:
    return Field(None, ge=0, description=f"largest share of {what}; null: {FIGURES[key]}")


class Thresholds(Settings):
    """null takes the profile's figure; a text at a threshold passes."""

    languages: Languages = Field("none", description="fineweb2: FineWeb-2's figures for its languages where a key is null")
    max_duplicate_lines: float | None = _share("max_duplicate_lines", "lines that are duplicates")
    max_duplicate_paragraphs: float | None = _share("max_duplicate_paragraphs", "paragraphs that are duplicates")
    max_duplicate_line_chars: float | None = _share("max_duplicate_line_chars", "characters in duplicate lines")
    max_duplicate_paragraph_chars: float | None = _share("max_duplicate_paragraph_chars", "characters in duplicate paragraphs")
    max_top_2gram: float | None = _share("max_top_2gram", "characters in the most frequent 2-gram")
    max_top_3gram: float | None = _share("max_top_3gram", "characters in the most frequent 3-gram")
    max_top_4gram: float | None = _share("max_top_4gram", "characters in the most frequent 4-gram")
    max_repeated_5gram: float | None = _share("max_repeated_5gram", "characters in repeated 5-grams")
    max_repeated_6gram: float | None = _share("max_repeated_6gram", "characters in repeated 6-grams")
    max_repeated_7gram: float | None = _share("max_repeated_7gram", "characters in repeated 7-grams")
    max_repeated_8gram: float | None = _share("max_repeated_8gram", "characters in repeated 8-grams")
    max_repeated_9gram: float | None = _share("max_repeated_9gram", "characters in repeated 9-grams")
    max_repeated_10gram: float | None = _share("max_repeated_10gram", "characters in repeated 10-grams")


_SHARES = [f"repetition_{key.removeprefix('max_')}" for key in FIGURES]
SIGNALS = pa.schema([pa.field(name, pa.float32(), nullable=False) for name in _SHARES])


def _annotate(batch: TextBatch, needed: pa.RecordBatch, params: Params, loaded: None) -> pa.RecordBatch:
    shares = {"paper": _paper, "datatrove": _datatrove, "dclm": _dclm, "dolma": _dolma}[params.profile](batch)
    return pa.RecordBatch.from_arrays([pa.array(share.astype(np.float32), pa.float32()) for share in shares], schema=SIGNALS)


def _of(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The share, 0 of nothing."""
    share: np.ndarray = part / np.maximum(whole, 1)
    return share


def _paper(batch: TextBatch) -> list[np.ndarray]:
    lines, paragraphs = batch.segments(segments.LINES), batch.segments(segments.PARAGRAPHS)
    return [
        _of(lines.copies, lines.count),
        _of(paragraphs.copies, paragraphs.count),
        _of(lines.copy_chars, lines.chars),
        _of(paragraphs.copy_chars, paragraphs.chars),
        *_words(batch.repetition(ngrams.SPLIT)),
    ]


def _words(words: ngrams.Repetition) -> list[np.ndarray]:
    """Top n-grams that occur twice or more, and the words that repeated n-grams cover, by the code points of all words."""
    top = np.where(words.top_count > 1, words.top_count * words.top_longest, 0)
    return [*(_of(column, words.chars) for column in top.T), *(_of(column, words.chars) for column in words.covered.T)]


def _datatrove(batch: TextBatch) -> list[np.ndarray]:
    lines, blocks, words = batch.segments(segments.RUNS), batch.segments(segments.BLOCKS), batch.repetition(tokens.DATATROVE)
    chars = batch.facts.n_chars
    spaces = np.where(words.top_count > 0, np.array(ngrams.TOP) - 1, 0)
    top = words.top_count * (words.top_first + spaces)
    return [
        _of(lines.copies, lines.count),
        _of(blocks.copies, blocks.count),
        _of(lines.copy_chars, chars),
        _of(blocks.copy_chars, chars),
        *(_of(column, chars) for column in top.T),
        *(_of(column, chars) for column in words.scanned.T),
    ]


def _dclm(batch: TextBatch) -> list[np.ndarray]:
    lines, paragraphs = batch.segments(segments.LINES), batch.segments(segments.PARAGRAPHS)
    shares = [
        _of(lines.repeats, lines.count),
        _of(paragraphs.repeats, paragraphs.count),
        _of(lines.repeat_chars, lines.chars),
        _of(paragraphs.repeat_chars, paragraphs.chars),
    ]
    return [*(np.where(lines.count == 0, 1.0, share) for share in shares), *_words(batch.repetition(tokens.DCLM))]


def _dolma(batch: TextBatch) -> list[np.ndarray]:
    lines, words = batch.segments(segments.ALL), batch.repetition(ngrams.SPLIT)
    top = words.top_count * words.top_first
    none = np.zeros(len(batch))
    repeated = [_of(part, whole) for part, whole in zip(words.repeated.T, words.total.T, strict=True)]
    tops = [_of(column, words.chars) for column in top.T]
    return [_of(lines.repeats, lines.count), none, _of(lines.repeat_chars, words.chars), none, *tops, *repeated]


def _by_language(key: str) -> dict[str, float]:
    """FineWeb-2's figures for a key, which has them for lines and n-grams."""
    if key == "max_duplicate_lines":
        return published("dup_line_frac")
    kind, _, n = key.removesuffix("gram").rpartition("_")
    if kind == "max_top":
        return published("top_n_grams", int(n) - 2)
    return published("dup_n_grams", int(n) - 5) if kind == "max_repeated" else {}


def _rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    rules = []
    for key, signal in zip(FIGURES, _SHARES, strict=True):
        by_language = _by_language(key)
        languages = by_language if thresholds.languages == "fineweb2" else {}
        most = figure(getattr(thresholds, key), getattr(FIGURES[key], params.profile), languages)
        keys = (key, "languages") if by_language else (key,)
        rules.append(Rule(reason=signal.removeprefix("repetition_"), signal=signal, fails=">", limit=most, keys=keys))
    return rules


FILTER = Filter(
    name="gopher_repetition",
    version=2,
    tier=Tier.CHEAP,
    reads="final",
    needs=("language",),
    params=Params,
    signals=SIGNALS,
    thresholds=Thresholds,
    annotate=_annotate,
    rules=_rules,
)
