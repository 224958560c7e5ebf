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
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

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
MAX_BYTES = 1 << 26
"""Of all arrays as they are in memory: two of so many nodes' would fit."""
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

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if any(not 0 <= hits <= n for hits, n in (self.kept, self.dropped)):
            raise ValueError("expected how many, and of how many")
        return self


class Card(_Part):
    """NAME.json. `languages`: those with at least 60 judged documents. `expected`: of a logit, the score that readers give on
    average, as a share of 5. `choices`: what each setting of `keep` did on the test part."""

    format: Literal[1] = 1
    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    features: tuple[str, ...]
    sample_bytes: int = Field(ge=64, le=1 << 30)
    bias: float = Field(ge=-1e6, le=1e6)
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
        card = Card.model_validate_json(place.read_bytes())
    except (ValidationError, OSError) as error:
        raise ModelError(f"{place}: expected the description of {path.name}, format 1; {error}") from error
    if missing := [level for level in KEEP if level not in card.keep or not card.choices.get(level)]:
        raise ModelError(
            f"{place}: expected limits and what they did for each of {', '.join(KEEP)}; {', '.join(missing)} is not there"
        )
    return card


def load_readers(path: Path) -> Readers:
    """Read a model. Raises ModelError: missing, damaged, not the file that its description was made for, other features."""
    data, card = reader.read_bytes(path), load_card(path)
    models.check_sha256(path, data, card.sha256)
    if list(card.features) != FEATURES:
        raise ModelError(f"{path}: made for other features than this release computes: train it again")
    arrays = _arrays(path, data)
    words = arrays.pop("words")
    made = Trees(**arrays)
    if words.shape != (BUCKETS,) or not np.isfinite(words).all() or not _sound(made):
        raise ModelError(f"{path}: its numbers do not fit together; fetch the file again")
    return Readers(path=path, card=card, words=words.astype(np.float32), trees=made)


_TYPES: dict[str, type[np.generic]] = {
    "words": np.float16,
    "roots": np.int32,
    "feature": np.int16,
    "bound": np.float32,
    "left": np.int32,
    "right": np.int32,
    "value": np.float32,
}


def _arrays(path: Path, data: bytes) -> dict[str, np.ndarray]:
    """Raises ModelError unless the file has each array, in its own type."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise ValueError(f"they are larger than {MAX_BYTES:,} bytes")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in _TYPES}
        if odd := [name for name, kind in _TYPES.items() if arrays[name].dtype.newbyteorder("=") != kind]:
            raise ValueError(f"{', '.join(odd)}: of another type")
    except Exception as error:  # a damaged header may end in almost any: a token, a key, memory, a compression not known
        raise ModelError(f"{path}: expected arrays {', '.join(_TYPES)}; {type(error).__name__}: {error}") from error
    return {name: np.ascontiguousarray(arrays[name], kind) for name, kind in _TYPES.items()}


def _sound(made: Trees) -> bool:
    """Whether the trees share out the nodes, and every node leads to later ones of its tree, by a feature that is there: so a row
    takes as many steps as there are nodes at most."""
    n, roots = len(made.feature) if made.feature.ndim == 1 else 0, made.roots
    if not 0 < n <= MAX_NODES or any(array.shape != (n,) for array in made[1:]) or roots.ndim != 1 or len(roots) < 2:
        return False
    if roots[0] != 0 or roots[-1] != n or not (roots[1:] > roots[:-1]).all():
        return False
    inner = made.feature >= 0
    nodes, ends = np.arange(n)[inner], np.repeat(roots[1:], np.diff(roots))[inner]
    below = [side[inner] for side in (made.left, made.right)]
    return bool(
        (made.feature < len(FEATURES)).all()
        and all((side > nodes).all() and (side < ends).all() for side in below)
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
