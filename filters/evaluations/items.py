"""From evaluation items as people read them to the words by which they are found.

A word weighs by how rare it is among items, 1 to HEAVIEST. It weighs nothing where every gram that it is part of stands in more
than COMMON items (what many questions begin or end with), in a segment too short to be found by itself, and in a quotation of
QUOTED words or more: the passage that a question is about is not the question.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from filters.kernels import buffers
from filters.kernels.items import item_words, passages
from filters.kernels.items.tables import COMMON, GRAM, MOST_WORDS, Items, grams

HEAVIEST = 15
QUOTED = 25
"""Words of a quotation that count as a passage. Chosen: names and sayings are shorter."""
_QUOTATION = re.compile('(?<!")"[^"]{60,}"(?!")|“[^”]{60,}”|«[^»]{60,}»')
_OPENING = re.compile(
    r"\s*(?:(?:this|these|the following|each) (?:question|problem|item)s?\b[^.:\n]{0,60}\b(?:refers?|is|are|based)\b"
    r"[^.:\n]{0,80}[.:]"
    r"|(?:read|use|consider|refer to|look at|based on|according to)\b[^.:\n]{0,40}\b(?:following|below)\b[^.:\n]{0,80}[.:]"
    r"|the (?:following|next) (?:passage|text|excerpt|article|information|paragraph|letter|speech)\b[^.:\n]{0,80}[.:]"
    r"|(?:passage|context|article|text|excerpt|paragraph|story|document)\s*\d*\s*[:.\n])",
    re.IGNORECASE,
)
"""What says that a text follows, and a question about it."""
_ASKS = re.compile(r"\n\s*(?:question|q)\s*\d*\s*[:.]", re.IGNORECASE)
_TRIPLE = 3


@dataclass(frozen=True)
class Item:
    question: str
    options: tuple[str, ...] = ()
    answer: str | None = None


@dataclass(frozen=True)
class Rarity:
    """Weights of words, by the upper half of their hashes, ascending; a word that is not there weighs most."""

    codes: np.ndarray  # uint32
    weights: np.ndarray  # uint8

    def of(self, codes: np.ndarray) -> np.ndarray:
        """uint8: the weight of each word."""
        if not len(self.codes):
            return np.full(len(codes), HEAVIEST, np.uint8)
        at = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[at] == codes, self.weights[at], np.uint8(HEAVIEST))


@dataclass(frozen=True)
class Compiled:
    """Items, and of which of those that were given each is; those without words, and copies of earlier ones, are none."""

    items: Items
    kept: np.ndarray  # int64: numbers of items as they were given
    wordless: int  # items without a word in their question, or with more than MOST_WORDS


def _texts(rows: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    return item_words.word_codes(*buffers.views(pa.array(rows, pa.large_string())))


def _pieces(question: str) -> Iterator[tuple[str, bool]]:
    """The parts of a question, and which of them are quotations long enough to be a passage."""
    begin, end = _passage(question)
    at = 0
    for start, stop in [(begin, end), *(match.span() for match in _QUOTATION.finditer(question, end))]:
        if len(re.findall(r"\w+", question[start:stop])) >= QUOTED:
            yield question[at:start], False
            yield question[start:stop], True
            at = stop
    yield question[at:], False


def _passage(question: str) -> tuple[int, int]:
    """Where the text begins and ends that a question of several paragraphs is about: all between what announces it and the
    question itself, which is the last paragraph, or what a line calls the question."""
    opening = _OPENING.match(question)
    body = question.rstrip()
    if opening is None:
        return 0, 0
    asks = _ASKS.search(body, opening.end())
    end = asks.start() if asks else body.rfind("\n")
    return (opening.end(), end) if end > opening.end() else (0, 0)


def segments(items: Sequence[Item]) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Codes of each segment, and which of its words are quoted; int64[items + 1]: each item's first segment."""
    rows, quoted, ends, firsts = [], [], [], [0]
    for item in items:
        for piece, passage in _pieces(item.question):
            rows.append(piece)
            quoted.append(passage)
        ends.append(len(rows))
        for option in item.options:
            rows.append(option)
            quoted.append(False)
            ends.append(len(rows))
        firsts.append(len(ends))
    starts, codes = _texts(rows)
    marks = np.repeat(np.array(quoted, bool), np.diff(starts))
    cuts: np.ndarray = starts[np.array(ends, np.int64)][:-1]
    return np.split(codes, cuts), np.split(marks, cuts), np.array(firsts, np.int64)


def compiled(given: Sequence[Item], rarity: Rarity | None = None) -> tuple[Compiled, Rarity]:
    """Items as kernels see them, and the rarity of their words. `rarity`: None: as it is among these items."""
    codes, quoted, firsts = segments(given)
    kept, seen = [], set()
    usable = [i for i in range(len(given)) if 0 < len(codes[firsts[i]]) <= MOST_WORDS]
    for i in usable:
        whole = b"|".join(codes[s].tobytes() for s in range(firsts[i], firsts[i + 1]))
        if whole not in seen:
            seen.add(whole)
            kept.append(i)
    by_item = [list(_cut(codes, range(firsts[i], firsts[i + 1]))) for i in kept]
    chosen = [s for found in by_item for s in found]
    sizes = np.array([len(codes[s]) for s in chosen], np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    counts = np.array([len(found) for found in by_item], np.int64)
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    joined = np.concatenate([codes[s] for s in chosen]) if chosen else np.zeros(0, np.uint32)
    marks = np.concatenate([quoted[s] for s in chosen]) if chosen else np.zeros(0, bool)
    owners = np.repeat(np.repeat(np.arange(len(kept)), counts), sizes)
    rarity = rarity_of(joined, owners, len(kept)) if rarity is None else rarity
    words = (joined >> np.uint32(24)).astype(np.uint8)
    weights = rarity.of(joined)
    weights[np.isin(joined, _slight())] = 1
    weights[marks | ~_distinct(words, starts, owners) | np.repeat(sizes < _TRIPLE, sizes)] = 0
    answers, answer_words = _answers([given[i].answer for i in kept])
    return Compiled(
        Items(words, weights, starts, first, answers, answer_words), np.array(kept, np.int64), len(given) - len(usable)
    ), rarity


@cache
def _slight() -> np.ndarray:
    """Letters by themselves, and numbers of up to four digits: tables, lists and formulas are full of them."""
    numbers = [f"{n:0{digits}d}" for digits in range(1, 5) for n in range(10**digits)]
    return _texts([*string.ascii_lowercase, *numbers])[1]


def _cut(codes: list[np.ndarray], numbers: range) -> Iterator[int]:
    """The question and as many options as have MOST_WORDS words together."""
    left = MOST_WORDS
    for s in numbers:
        left -= len(codes[s])
        if left < 0:
            return
        yield s


def rarity_of(codes: np.ndarray, owners: np.ndarray, n: int) -> Rarity:
    """log2 of how many items there are for each that holds the word, for the words of two items or more."""
    pairs = np.unique((codes.astype(np.uint64) << np.uint64(32)) | owners.astype(np.uint64))
    known, counts = np.unique((pairs >> np.uint64(32)).astype(np.uint32), return_counts=True)
    weights = np.clip(np.round(np.log2(max(n, 1) / counts)), 1, HEAVIEST).astype(np.uint8)
    return Rarity(known[counts > 1], weights[counts > 1])


def _distinct(words: np.ndarray, starts: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """bool: words that are part of a gram of COMMON items or fewer, or of a segment shorter than a gram."""
    made = grams(words, starts)
    begins = np.flatnonzero(made)
    order = begins[np.lexsort((owners[begins], made[begins]))]
    found = made[order]
    new = np.concatenate([[True], found[1:] != found[:-1]])[: len(found)]
    another = new | np.concatenate([[False], owners[order][1:] != owners[order][:-1]])[: len(found)]
    group = np.cumsum(new) - 1
    rare = np.zeros(len(words), bool)
    rare[order] = np.bincount(group, another)[group] <= COMMON if len(found) else False
    spread = np.zeros(len(words), bool)
    for k in range(GRAM):
        spread[k:] |= rare[: len(words) - k]
    sizes = np.diff(starts)
    return spread | np.repeat(sizes < GRAM, sizes)


def _answers(given: Sequence[str | None]) -> tuple[np.ndarray, np.ndarray]:
    starts, codes = _texts([answer or "" for answer in given])
    sizes = np.minimum(np.diff(starts), passages.ANSWER_WORDS)
    short = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    chosen = np.concatenate([codes[a : a + n] for a, n in zip(starts[:-1], sizes, strict=True)]) if len(given) else codes
    return item_words.answer_hashes(short, chosen), sizes.astype(np.uint8)
