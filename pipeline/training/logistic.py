"""A linear model over words and character n-grams by logistic regression, written in fastText's file format with one column.

What fastText's own training cannot do: each source of examples has an intercept of its own, so that its share of positive
examples, and what tells it from the others, need not be learnt as words; ordinary text has a fixed one, so that it must be told
apart by words; the weight of a source's class is bounded; and negative examples of a source whose labels mean something narrower
are left out where a first model, of the other sources, finds them positive.

Invariant: a text's log odds are `filters.kernels.models.linear.levelled` of it; a word stands in the file only if at least
`min_count` documents hold it. The same examples and settings give the same weights, to the four digits that are kept.
"""

from __future__ import annotations

import random
import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from filters.models import LABEL_PREFIX, reader
from filters.models.classifier import Classifier
from pipeline.training import fit
from pipeline.training.examples import Document
from pipeline.training.fit import NEGATIVE, POSITIVE, Settings

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NGRAM = 0.7
"""Value of a character n-gram beside 1 of a word. Chosen with `RIDGE` and the lengths of n-grams on sources held out in turn."""
RIDGE = 2.0
SOURCE_RIDGE = 0.02
ORDINARY = -4.0
"""Intercept of ordinary text: about one window in fifty is then expected to be positive."""
SCALE = 2.0
STEPS = 40
"""Steps of L-BFGS: more overfit the sources that are trained on."""
DOUBT = 0.0
"""Log odds of the first model from which on a negative example of a narrower label is left out."""
DIGITS = 4
_WORD = re.compile(r"[a-z\u00c0-\U0010ffff]")
"""How a token begins that the kernel takes for a word."""
_SEED, _PRIME = 2166136261, 16777619


class Windows(NamedTuple):
    """Windows of examples: which example each is of, and its different words; how many words it has in all."""

    documents: list[Document]
    words: list[list[str]]
    lengths: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Space:
    """The columns: words of the vocabulary, then buckets of n-grams."""

    vocabulary: dict[str, int]
    settings: Settings

    @property
    def columns(self) -> int:
        return len(self.vocabulary) + self.settings.bucket


def train(examples: Sequence[Document], settings: Settings, *, folder: Path, seed: int) -> Classifier:
    """Train on `examples`; writes model.bin into `folder`. The scores are not calibrated."""
    cut = _cut(examples, settings, seed=seed)
    space = Space(vocabulary=_vocabulary(cut, settings), settings=settings)
    matrix = _matrix(cut, space)
    positive = np.array([document.positive for document in cut.documents])
    doubtful = np.array([document.doubtful for document in cut.documents])
    kept = np.ones(len(positive), bool)
    if doubtful.any():
        first, intercept = _weights(matrix, cut, ~doubtful)
        kept = ~(doubtful & ~positive & (matrix @ first + intercept > DOUBT))
    weights, _ = _weights(matrix, cut, kept)
    weights[len(space.vocabulary) :] *= NGRAM
    path = folder / "model.bin"
    path.write_bytes(_file(space, np.round(weights, DIGITS)))
    return fit.raw(path, settings)


def _cut(examples: Sequence[Document], settings: Settings, *, seed: int) -> Windows:
    """The windows of all examples that hold a word."""
    chance = random.Random(seed)
    documents, words, lengths = [], [], []
    for document, window in fit.cut(examples, settings, chance):
        found = [token for token in window.split() if _WORD.match(token)]
        if found:
            documents.append(document)
            words.append(list(dict.fromkeys(found)))
            lengths.append(len(found))
    return Windows(documents, words, np.array(lengths, float))


def _vocabulary(cut: Windows, settings: Settings) -> dict[str, int]:
    """Words of at least `min_count` documents, by number; the most frequent first, as in fastText's files."""
    holders: dict[str, set[int]] = {}
    for document, words in zip(cut.documents, cut.words, strict=True):
        for word in words:
            holders.setdefault(word, set()).add(id(document))
    counts = Counter({word: len(ids) for word, ids in holders.items() if len(ids) >= settings.min_count})
    return {word: number for number, (word, _) in enumerate(sorted(counts.items(), key=lambda item: (-item[1], item[0])))}


def _matrix(cut: Windows, space: Space) -> csr_array:
    """float32[windows, columns]: values of words and n-grams, levelled by the root of the length."""
    from scipy.sparse import csr_array, diags_array

    numbers: dict[str, int] = {}
    flat = [numbers.setdefault(word, len(numbers)) for words in cut.words for word in words]
    starts = np.cumsum([0, *(len(words) for words in cut.words)])
    held = csr_array((np.ones(len(flat), np.float32), np.array(flat), starts), shape=(len(cut.words), len(numbers)))
    columns, values, begins = [], [], [0]
    buckets: dict[str, int] = {}
    for word in numbers:
        number = space.vocabulary.get(word)
        found = [len(space.vocabulary) + bucket for bucket in _buckets(word, space.settings, buckets)]
        columns += found if number is None else [number, *found]
        values += [NGRAM] * len(found) if number is None else [1.0, *[NGRAM] * len(found)]
        begins.append(len(columns))
    of_words = csr_array((np.array(values, np.float32), np.array(columns), np.array(begins)), shape=(len(numbers), space.columns))
    return (diags_array((SCALE / np.sqrt(cut.lengths)).astype(np.float32)) @ (held @ of_words)).tocsr()


def _buckets(word: str, settings: Settings, known: dict[str, int]) -> Iterator[int]:
    """fastText's buckets of a word's character n-grams (Dictionary::computeSubwords, lengths from 2)."""
    marked = f"<{word}>"
    for size in range(settings.minn, settings.maxn + 1):
        for at in range(len(marked) - size + 1):
            ngram = marked[at : at + size]
            if ngram not in known:
                known[ngram] = _hash(ngram.encode()) % settings.bucket
            yield known[ngram]


def _hash(data: bytes) -> int:
    """32-bit FNV-1a over signed bytes, as in every released fastText."""
    h = _SEED
    for byte in data:
        h = ((h ^ (byte | 0xFFFFFF00 if byte >= 128 else byte)) * _PRIME) & 0xFFFFFFFF
    return h


def _weights(matrix: csr_array, cut: Windows, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the columns, and each window's intercept (zero for sources that were not trained on)."""
    from scipy.optimize import minimize

    positive = np.array([float(document.positive) for document in cut.documents])
    ordinary = np.array([document.ordinary for document in cut.documents])
    names, source = np.unique([document.source for document in cut.documents], return_inverse=True)
    weight = _shares(cut, kept)
    rows = matrix[kept]
    across = rows.T.tocsr()
    y, of, fixed, w, n = positive[kept], source[kept], ordinary[kept], weight[kept], rows.shape[1]

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        weights, intercepts = x[:n], x[n:]
        z = rows @ weights.astype(np.float32) + np.where(fixed, ORDINARY, intercepts[of])
        residual = w * (0.5 * (1 + np.tanh(0.5 * z)) - y)
        value = float(((np.logaddexp(0, z) - y * z) * w).sum())
        value += 0.5 * RIDGE * float((weights * weights).sum()) + 0.5 * SOURCE_RIDGE * float((intercepts * intercepts).sum())
        of_intercepts = np.bincount(of, np.where(fixed, 0, residual), len(names)) + SOURCE_RIDGE * intercepts
        return value, np.concatenate((across @ residual.astype(np.float32) + RIDGE * weights, of_intercepts))

    found = minimize(loss, np.zeros(n + len(names)), jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "maxcor": 6}).x
    return found[:n], found[n:][source]


def _shares(cut: Windows, kept: np.ndarray) -> np.ndarray:
    """Weight of each window: its document's, less where its source and class have more than CAP windows; ordinary text counts in
    full."""
    classes = [(document.source, document.positive) for document in cut.documents]
    sizes = Counter(key for key, own in zip(classes, kept, strict=True) if own)
    return np.array(
        [
            document.weight if document.ordinary else document.weight * min(1.0, fit.CAP / max(1, sizes[key]))
            for document, key in zip(cut.documents, classes, strict=True)
        ]
    )


def _file(space: Space, weights: np.ndarray) -> bytes:
    """The file, as fastText 0.9.3 writes it (src/{args,dictionary,densematrix}.cc): one column, two labels of weights 1 and 0."""
    settings = space.settings
    words = [*space.vocabulary, LABEL_PREFIX + POSITIVE, LABEL_PREFIX + NEGATIVE]
    softmax = 3
    args = (1, 5, settings.epoch, settings.min_count, 5, 1, softmax, reader.SUPERVISED)
    pieces = [
        struct.pack("<ii", reader.MAGIC, reader.VERSION),
        struct.pack("<12id", *args, settings.bucket, settings.minn, settings.maxn, 100, 1e-4),
        struct.pack("<iiiqq", len(words), len(space.vocabulary), 2, len(words), -1),
        *(word.encode() + struct.pack("<bqb", 0, 1, number >= len(space.vocabulary)) for number, word in enumerate(words)),
        struct.pack("<?qq", False, len(weights), 1),
        weights.astype("<f4").tobytes(),
        struct.pack("<?qq", False, 2, 1),
        np.array([1, 0], "<f4").tobytes(),
    ]
    return b"".join(pieces)
