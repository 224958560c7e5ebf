"""Documents of made-up words with planted duplicates at known similarities, made fast, each id saying what its document is.

Invariant: document d of a seed is the same however many there are. Words of a new document come from a hash of (document,
place); all words have five letters, so that a plant has as many bytes as its original and stands behind it in priority order.

An id is `KIND-DOCUMENT-ORIGINAL-CHANGED`, whose original is an earlier document:

- `orig`: all its words are its own. It shares no five words with any other but its plants, and must be kept.
- `copy`: the original's text: an exact duplicate.
- `near`: the original with its last `CHANGED` words replaced; with S shingles in both, (S - c) / (S + c) are shared.
- `chna`, `chnb`: rows 2 and 3 of a chain whose row 1 is `orig`: a near duplicate of it by its last words, and a near duplicate of
  that one by its first words, too far from the first: kept where the middle was dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

NGRAM = 5
WORDS = (36, 57)
"""Fewest, and one more than most; chosen so that 10 million lines are some 3 GB."""
COPIES, NEAR, CHAINS = 0.10, 0.10, 0.01
"""Shares of the documents: exact copies, near copies at LEVELS, chains of three."""
LEVELS = (0.95, 0.9, 0.85, 0.82, 0.75, 0.6)
"""Similarities aimed at; the exact one follows from whole numbers of words."""
_CHAIN = 0.84
_CHUNK = 100_000
_LETTERS = (b"bcdfghjklmnprstvwz", b"aeiou")
_FIELD = 9
_PLACES = np.uint64(64)
_KINDS = np.frombuffer(b"origcopynearchnachnb", np.uint8).reshape(5, 4)
ORIGINAL, COPY, NEAR_COPY, CHAIN_A, CHAIN_B = range(5)


@dataclass(frozen=True)
class Plan:
    """What documents are: kind, original (itself where it has none), words replaced at the end and at the start."""

    kind: np.ndarray
    original: np.ndarray
    words: np.ndarray
    end: np.ndarray
    start: np.ndarray


def write(folder: Path, documents: int, *, seed: int) -> int:
    """JSONL files of `documents` rows; the bytes written."""
    folder.mkdir(parents=True, exist_ok=True)
    size, vocabulary = 0, _vocabulary()
    for number, first in enumerate(range(0, documents, _CHUNK)):
        data = _lines(np.arange(first, min(first + _CHUNK, documents), dtype=np.uint64), vocabulary, seed)
        (folder / f"part-{number:05d}.jsonl").write_bytes(data.data)
        size += data.nbytes
    return size


def similarity(words: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """Of two documents of so many words, `changed` of which, at one end, differ."""
    shingles = words - NGRAM + 1
    return (shingles - changed) / (shingles + changed)


def words_of(document: np.ndarray, seed: int) -> np.ndarray:
    """int64[n]: the number of words of original documents."""
    return (WORDS[0] + _hash(document, 1, seed) % np.uint64(WORDS[1] - WORDS[0])).astype(np.int64)


def plan(document: np.ndarray, seed: int) -> Plan:
    """`document` uint64[n], in any order."""
    drawn, chain = _share(_hash(document, 2, seed)), _in_chain(document, seed)
    kind = np.where(drawn < COPIES, COPY, np.where(drawn < COPIES + NEAR, NEAR_COPY, ORIGINAL))
    kind = np.where(chain >= 0, np.array([ORIGINAL, CHAIN_A, CHAIN_B])[chain], kind)
    original = document - np.maximum(chain, 0).astype(np.uint64)
    planted = (kind == COPY) | (kind == NEAR_COPY)
    for attempt in range(16):
        chosen = _hash(document, 16 + attempt, seed) % np.maximum(document, np.uint64(1))
        fits = planted & (original == document) & (chosen < document) & _is_original(chosen, seed)
        original = np.where(fits, chosen, original)
    kind = np.where(planted & (original == document), ORIGINAL, kind)
    words = words_of(original, seed)
    level = np.array(LEVELS)[(_hash(document, 3, seed) % np.uint64(len(LEVELS))).astype(np.int64)]
    end = np.where(kind == NEAR_COPY, _replaced(words, level), np.where(kind >= CHAIN_A, _replaced(words, _CHAIN), 0))
    return Plan(kind, original, words, end, np.where(kind == CHAIN_B, _replaced(words, _CHAIN), 0))


def _replaced(words: np.ndarray, level: np.ndarray | float) -> np.ndarray:
    shingles = words - NGRAM + 1
    return np.maximum(1, np.rint(shingles * (1 - level) / (1 + level))).astype(np.int64)


def _in_chain(document: np.ndarray, seed: int) -> np.ndarray:
    """0, 1, 2 for the rows of a chain, -1 for others. Chains take whole groups of three rows."""
    group, place = document // np.uint64(3), (document % np.uint64(3)).astype(np.int64)
    return np.where(_share(_hash(group, 4, seed)) < CHAINS * 3, place, -1)


def _is_original(document: np.ndarray, seed: int) -> np.ndarray:
    """Outside chains, so that no plant has one in its neighbourhood."""
    return (_share(_hash(document, 2, seed)) >= COPIES + NEAR) & (_in_chain(document, seed) < 0)


def _lines(document: np.ndarray, vocabulary: np.ndarray, seed: int) -> np.ndarray:
    made = plan(document, seed)
    head = _heads(document, made)
    sizes = head.shape[1] + 6 * made.words + 2
    starts = np.cumsum(sizes) - sizes
    out = np.empty(int(sizes.sum()), np.uint8)
    out[starts[:, None] + np.arange(head.shape[1])] = head
    row = np.repeat(np.arange(len(document)), made.words)
    place = np.arange(len(row)) - np.repeat(np.cumsum(made.words) - made.words, made.words)
    at = starts[row] + head.shape[1] + 6 * place
    word = vocabulary[_word(document, made, row, place, seed)]
    for letter in range(5):
        out[at + letter] = word[:, letter]
    out[at + 5] = 0x20
    ends = starts + sizes - 3
    for k, byte in enumerate(b'"}\n'):
        out[ends + k] = byte
    return out


def _word(document: np.ndarray, made: Plan, row: np.ndarray, place: np.ndarray, seed: int) -> np.ndarray:
    """The word at each place: its original's, or, where it was replaced, another one.

    The end of a chain's third row is that of its second, which stands just before it.
    """
    replaced = (place >= (made.words - made.end)[row]) | (place < made.start[row])
    n, at = np.uint64(_N_WORDS), place.astype(np.uint64)
    word = _hash(made.original[row] * _PLACES + at, 5, seed) % n
    owner = np.where(made.kind == CHAIN_B, document - np.uint64(1), document)
    row, at = row[replaced], at[replaced]
    whose = np.where(at < made.start[row].astype(np.uint64), document[row], owner[row])
    other = _hash(whose * _PLACES + at, 6, seed) % (n - np.uint64(1))
    word[replaced] = (word[replaced] + np.uint64(1) + other) % n
    return word


def _heads(document: np.ndarray, made: Plan) -> np.ndarray:
    """`{"id":"…","text":"` of each row, all of one width."""

    def column(text: bytes) -> np.ndarray:
        return np.broadcast_to(np.frombuffer(text, np.uint8), (len(document), len(text)))

    def digits(number: np.ndarray, places: int) -> np.ndarray:
        powers = np.uint64(10) ** np.arange(places - 1, -1, -1, dtype=np.uint64)
        return (number.astype(np.uint64)[:, None] // powers % np.uint64(10) + np.uint64(48)).astype(np.uint8)

    parts = [column(b'{"id":"'), _KINDS[made.kind], column(b"-"), digits(document, _FIELD), column(b"-")]
    parts += [digits(made.original, _FIELD), column(b"-"), digits(made.end, 2), column(b'","text":"')]
    return np.concatenate(parts, axis=1)


_N_WORDS = len(_LETTERS[0]) ** 3 * len(_LETTERS[1]) ** 2


def _vocabulary() -> np.ndarray:
    """uint8[n, 5]: consonant, vowel, consonant, vowel, consonant."""
    consonants, vowels = (np.frombuffer(letters, np.uint8) for letters in _LETTERS)
    grids = np.meshgrid(consonants, vowels, consonants, vowels, consonants, indexing="ij")
    return np.stack([grid.reshape(-1) for grid in grids], axis=1)


def _hash(number: np.ndarray, what: int, seed: int) -> np.ndarray:
    """splitmix64 (Steele, Lea, Flood 2014) of the number, seeded with what it is for."""
    mask = (1 << 64) - 1
    value = number.astype(np.uint64) + np.uint64((seed * 1_000_003 + what) * 0x9E3779B97F4A7C15 & mask)
    for multiplier in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
        value = (value ^ (value >> np.uint64(30 if multiplier >> 60 == 0xB else 27))) * np.uint64(multiplier)
    return value ^ (value >> np.uint64(31))


def _share(value: np.ndarray) -> np.ndarray:
    return value.astype(np.float64) / 2.0**64
