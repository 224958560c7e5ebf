"""The model of what careful readers keep: words by hash and decision trees over the shape of a text, with a calibrated score.

NAME.npz holds the numbers, NAME.json beside it (`Card`) what a score needs beyond them. Made by `python -m flows.train NAME
--recipe readers` from documents that were read and judged (`pipeline/training/judgements`).

Invariant: the scores of a text depend on its bytes alone and are never NaN; whatever the files hold, loading ends in
`ModelError` or in tables in which every index is in range.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from filters import models
from filters.kernels.models import shape, trees, windows
from filters.kernels.models.shape_counts import BUCKETS
from filters.kernels.models.trees import Trees
from filters.models import ModelError, reader, shape_features
from filters.models.classifier import Isotonic, Platt

Level = Literal["lenient", "balanced", "strict"]
KEEP: tuple[Level, ...] = ("lenient", "balanced", "strict")
FEATURES = list(shape_features.NAMES)
SHORT = FEATURES.index("chars_5_of_chars")
MAX_NODES = 1 << 20
HIGHEST = 5
"""The best score that a reader gives."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Limits(_Part):
    """Smallest probabilities of a kept text: of most languages, and of those where another one agrees better with readers."""

    score: float = Field(ge=0, le=1)
    by_language: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)


class Choice(_Part):
    """Of a group of judged documents that the model has not seen, how many were kept: of those that readers keep, and of those
    that they drop."""

    group: str
    kept: tuple[int, int]
    dropped: tuple[int, int]


class Card(_Part):
    """NAME.json. `languages`: those with at least 60 judged documents. `expected`: of a logit, the score that readers give on
    average, as a share of 5. `choices`: what each setting of `keep` did on the test part."""

    format: Literal[1] = 1
    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    features: tuple[str, ...]
    sample_bytes: int = Field(ge=64)
    bias: float
    calibration: Platt
    expected: Isotonic
    languages: tuple[str, ...]
    keep: dict[Level, Limits]
    choices: dict[Level, tuple[Choice, ...]]
    figures: dict[str, JsonValue] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Readers:
    """The model in memory."""

    path: Path
    card: Card
    words: np.ndarray
    trees: Trees

    def logits(self, offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
        """float64[n], before calibration, of the texts of an Arrow column; of long ones by a sample."""
        return trees.sums(self.trees, self.features(offsets, data))

    def features(self, offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
        """float32[n, len(FEATURES)]"""
        spans = windows.sample(offsets, data, limit=self.card.sample_bytes)
        return shape_features.features(shape.shape(data, spans, weights=self.words), bias=self.card.bias)

    def scores(self, offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`(probability, expected, short)` float32[n]: that a reader keeps the text; the score of 0 to 5 that a reader gives it;
        the share of its characters in lines of up to five words."""
        features = self.features(offsets, data)
        logits = trees.sums(self.trees, features)
        return self.calibrated(logits), self.expected(logits), np.ascontiguousarray(features[:, SHORT])

    def calibrated(self, logits: np.ndarray) -> np.ndarray:
        """float32[n]: probabilities of logits."""
        platt = self.card.calibration
        return np.asarray(0.5 * (1 + np.tanh(0.5 * (platt.a * logits + platt.b))), np.float32)

    def expected(self, logits: np.ndarray) -> np.ndarray:
        """float32[n]: expected scores of logits."""
        return np.asarray(HIGHEST * np.interp(logits, self.card.expected.x, self.card.expected.y), np.float32)

    def weighed(self, offsets: np.ndarray, data: np.ndarray, *, most: int = 5) -> list[list[tuple[str, float, float]]]:
        """For each text the features that weighed most, first the heaviest: what it is in words, its value, and by how much it
        raised (or lowered) the logit."""
        features = self.features(offsets, data)
        weights = trees.weighed(self.trees, features)
        order = np.argsort(-np.abs(weights), axis=1, kind="stable")[:, :most]
        names = list(shape_features.NAMES.values())
        values = shape_features.readable(features)
        return [
            [(names[k], float(values[i, k]), float(weights[i, k])) for k in row if weights[i, k]] for i, row in enumerate(order)
        ]


def load_card(path: Path) -> Card:
    """The description beside a model. Raises ModelError."""
    place = path.with_suffix(".json")
    try:
        return Card.model_validate_json(place.read_bytes())
    except (ValidationError, OSError) as error:
        raise ModelError(f"{place}: expected the description of {path.name}, format 1; {error}") from error


def load_readers(path: Path) -> Readers:
    """Read a model. Raises ModelError: missing, damaged, not the file that its description was made for, other features."""
    data, card = reader.read_bytes(path), load_card(path)
    models.check_sha256(path, data, card.sha256)
    if list(card.features) != FEATURES:
        raise ModelError(f"{path}: made for other features than this release computes: train it again")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("words", *Trees._fields)}
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: expected arrays words, {', '.join(Trees._fields)}; {error}") from error
    words = arrays.pop("words")
    made = Trees(**{name: np.ascontiguousarray(arrays[name], dtype) for name, dtype in _TYPES.items()})
    if words.shape != (BUCKETS,) or not np.isfinite(words).all() or not _sound(made):
        raise ModelError(f"{path}: its numbers do not fit together; fetch the file again")
    return Readers(path=path, card=card, words=words.astype(np.float32), trees=made)


_TYPES = {
    "roots": np.int32,
    "feature": np.int16,
    "bound": np.float32,
    "left": np.int32,
    "right": np.int32,
    "value": np.float32,
}


def _sound(made: Trees) -> bool:
    """Whether every node leads to later nodes of the same arrays, by a feature that is there."""
    n = len(made.feature)
    if not 0 < n <= MAX_NODES or any(array.shape != (n,) for array in made[1:]) or made.roots.ndim != 1 or len(made.roots) < 2:
        return False
    inner = made.feature >= 0
    nodes = np.arange(n)[inner]
    below = [side[inner] for side in (made.left, made.right)]
    return bool(
        (made.feature < len(FEATURES)).all()
        and all((side > nodes).all() and (side < n).all() for side in below)
        and (made.roots[:-1] >= 0).all()
        and (made.roots[:-1] < n).all()
        and np.isfinite(made.bound).all()
        and np.isfinite(made.value).all()
    )


def write(path: Path, *, words: np.ndarray, made: Trees) -> str:
    """Write NAME.npz; returns its sha256. The same arrays give the same bytes."""
    stream = io.BytesIO()
    np.savez(stream, words=words.astype(np.float16), **{name: getattr(made, name) for name in Trees._fields})
    data = stream.getvalue()
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
