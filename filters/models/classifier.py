"""A fastText classifier of two kinds of text, with a calibrated score: what `flows.train` writes and the model filters load.

NAME.ftz holds the model, NAME.json beside it (`Sidecar`) what a score needs beyond that: which label is the positive one, how
text is made into tokens, how logits become probabilities. A fastText file without a sidecar reads text as it stands and gives
fastText's own probability of a label.

Invariant: the score of a text depends on its bytes alone, and is never NaN. A fastText model is linear: the mean of a text's rows
times the output matrix is the mean of the rows' products, so each row is kept as its products (one number for two labels).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from filters import models
from filters.kernels import buffers
from filters.kernels.models import bags, features, linear, windows
from filters.kernels.models.fasttext_tables import HS, SOFTMAX, Tables
from filters.models import ModelError, reader

TEXT_BYTES = 4 << 20
"""Text made into tokens in one go; they take up to twice as much."""
_ROWS = 1 << 16


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Text(_Part):
    """How a text is made into what the model reads.

    `tokens`: the version of `filters.kernels.models.features`, null for text as it stands. `sample_bytes`: longer texts are
    judged by a sample of them (`filters.kernels.models.windows`). `window_words`: length of the windows of `Classifier.windows`.
    `level_words`: rows are summed over different words and levelled by length (`filters.kernels.models.linear.levelled`); null:
    fastText's mean over all tokens.
    """

    tokens: int | None = None
    sample_bytes: int | None = Field(default=None, ge=64, le=1 << 30)
    window_words: int = Field(default=50, ge=1, le=1_000_000)
    level_words: int | None = Field(default=None, ge=1, le=1_000_000)


class Platt(_Part):
    """probability = sigmoid(a x logit + b)."""

    kind: Literal["platt"] = "platt"
    a: float = Field(gt=0)
    b: float


class Isotonic(_Part):
    """probability: `y` at the logits `x`, linear between them, level outside."""

    kind: Literal["isotonic"] = "isotonic"
    x: tuple[float, ...] = Field(min_length=1)
    y: tuple[Annotated[float, Field(ge=0, le=1)], ...]

    @model_validator(mode="after")
    def _ascends(self) -> Isotonic:
        if len(self.x) != len(self.y):
            raise ValueError("x and y differ in length")
        if any(a >= b for a, b in zip(self.x, self.x[1:], strict=False)) or any(
            a > b for a, b in zip(self.y, self.y[1:], strict=False)
        ):
            raise ValueError("x must ascend, and y must not descend")
        return self


class Sidecar(_Part):
    """NAME.json. `languages`: those with held-out figures. `thresholds`: named scores, `default` among them."""

    format: Literal[1] = 1
    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    label: str
    languages: tuple[str, ...]
    text: Text
    calibration: Annotated[Platt | Isotonic, Field(discriminator="kind")]
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]]
    figures: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_default(self) -> Sidecar:
        if "default" not in self.thresholds:
            raise ValueError("thresholds need a `default`")
        return self


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """A model in memory. `model`: its rows times its output, see the module; `sidecar` None: a plain fastText file."""

    path: Path
    sha256: str
    label: str
    sidecar: Sidecar | None
    text: Text
    model: models.Model
    positive: int
    index: linear.Index | None
    """The words of a model that `linear` reads: two labels, our own tokens, word n-grams up to 2."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that the model has held-out figures for; empty without a sidecar."""
        return self.sidecar.languages if self.sidecar else ()

    @property
    def threshold(self) -> float:
        """The sidecar's default threshold, else 0.5."""
        return self.sidecar.thresholds["default"] if self.sidecar else 0.5

    def texts(self, offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
        """float32[n]: the score of each text of an Arrow column; of long ones by the sample that the sidecar names."""
        return self.score(data, self.spans(offsets, data))

    def spans(self, offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
        """int64[n, parts, 2]: what of each text of an Arrow column is read, all of it or a sample."""
        limit = self.text.sample_bytes
        return models.whole(offsets) if limit is None else windows.sample(offsets, data, limit=limit)

    def score(self, data: np.ndarray, spans: np.ndarray) -> np.ndarray:
        """float32[n]: the probability of the positive label of n texts, calibrated; text i is `data[a:b]` for each (a, b) of
        `spans[i]` (int64[n, parts, 2])."""
        return self.calibrated(self.logits(data, spans))

    def logits(self, data: np.ndarray, spans: np.ndarray) -> np.ndarray:
        """float64[n]: log odds of the positive label, before calibration. A text without a known word: 0."""
        if self.text.tokens is None:
            return self._logits(data, spans)
        if self.text.level_words is not None:
            return self._levelled(bags.bags(data, spans), level=self.text.level_words)
        if self.index is not None:
            return linear.logits(self.model.tables, self.index, data, spans)
        found = np.empty(len(spans))
        for first, stop in _pieces(spans):
            starts, tokens = features.features(data, spans[first:stop])
            found[first:stop] = self._logits(tokens, models.whole(starts))
        return found

    def windows(self, offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`window_scores` of the texts of an Arrow column."""
        return self.window_scores(bags.Windows(offsets, data, self.text.window_words))

    def window_scores(self, windows: bags.Windows) -> tuple[np.ndarray, np.ndarray]:
        """`(max, share)` float32[n] of n texts over their windows: the largest score, and the share of windows whose score is
        above the default threshold."""
        rows, _ = windows.cut
        scores = self.calibrated(self.window_logits(windows))  # also without any text: so that kernels are compiled
        if not len(rows):
            return np.empty(0, np.float32), np.empty(0, np.float32)
        begins = np.flatnonzero(np.diff(rows, prepend=-1))
        above = np.add.reduceat(scores > self.threshold, begins, dtype=np.int64)
        share = above / np.diff(begins, append=len(rows))
        return np.maximum.reduceat(scores, begins), share.astype(np.float32)

    def window_logits(self, windows: bags.Windows) -> np.ndarray:
        """float64[m]: logits of all windows, those of a text next to each other."""
        if self.text.level_words is not None:
            return self._levelled(windows.bags, level=self.text.level_words)
        return self.logits(windows.data, windows.cut[1])

    def calibrated(self, logits: np.ndarray) -> np.ndarray:
        """float32[n]: probabilities of logits."""
        if self.sidecar is None:
            return _sigmoid(logits).astype(np.float32)
        calibration = self.sidecar.calibration
        if isinstance(calibration, Platt):
            return _sigmoid(calibration.a * logits + calibration.b).astype(np.float32)
        return np.asarray(np.interp(logits, calibration.x, calibration.y), np.float32)

    def _levelled(self, texts: bags.Bags, *, level: int) -> np.ndarray:
        assert self.index is not None, "load_classifier lets no other model have level_words"
        return linear.levelled(self.model.tables, self.index, texts, level=level)

    def _logits(self, data: np.ndarray, spans: np.ndarray) -> np.ndarray:
        means: np.ndarray = self.model.means(data, spans).astype(np.float64)
        if means.shape[1] == 1:
            return means[:, 0]
        others = np.delete(means, self.positive, axis=1)
        top = others.max(axis=1)
        logits: np.ndarray = means[:, self.positive] - top - np.log(np.exp(others - top[:, None]).sum(axis=1))
        return logits


def load_classifier(path: Path, *, label: str | None = None, text: Text | None = None) -> Classifier:
    """Read a classifier: a fastText file, and its sidecar if there is one.

    `label`, `text`: the positive label of a file without sidecar, and how it reads text (default: as it stands). Raises
    ModelError: missing, damaged, not the file that the sidecar was made for, a sidecar of another format, no such label or not
    the sidecar's, or a hierarchical softmax over more than two labels.
    """
    data = reader.read_bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    sidecar = _sidecar(path)
    if sidecar is not None:
        models.check_sha256(path, data, sidecar.sha256)
        if sidecar.text.tokens not in (None, features.VERSION):
            raise ModelError(f"{path}: made for tokens of version {sidecar.text.tokens}, not {features.VERSION}: train it again")
        if label not in (None, sidecar.label):
            raise ModelError(
                f"{path}: its card calibrates the score of label {sidecar.label}; found label {label}: leave `label` out"
            )
        label, text = sidecar.label, sidecar.text
    text = text or Text()
    labels, tables = reader.parse(path, data)
    names = tuple(name.removeprefix(models.LABEL_PREFIX) for name in labels)
    if label is None or label not in names:
        advice = "" if label else "; name it with `label`"
        raise ModelError(f"{path}: expected the positive label, one of {', '.join(names)}; found {label}{advice}")
    positive = names.index(label)
    products = _products(path, tables, positive)
    ours = text.tokens is not None and products.rows.shape[1] == 1 and products.ngrams.words <= 2
    index = linear.index(products) if ours else None
    if text.level_words is not None and (index is None or products.ngrams.words > 1):
        raise ModelError(f"{path}: level_words is for models of two labels over our tokens, single words; leave it out")
    return Classifier(
        path=path,
        sha256=digest,
        label=label,
        sidecar=sidecar,
        text=text,
        model=models.Model(path=path, labels=names, tables=products),
        positive=positive,
        index=index,
    )


def sidecar_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _sidecar(path: Path) -> Sidecar | None:
    place = sidecar_path(path)
    if not place.is_file():
        return None
    try:
        return Sidecar.model_validate_json(place.read_bytes())
    except (ValidationError, OSError) as error:
        raise ModelError(f"{place}: expected the description of {path.name}, format 1; {error}") from error


def _products(path: Path, tables: Tables, positive: int) -> Tables:
    """The tables with each row of the input matrix times what the logit needs of the output matrix."""
    loss, output = tables.head.loss, tables.head.output
    if loss == HS:
        if len(output) != 2:
            raise ModelError(f"{path}: a hierarchical softmax over {len(output)} labels; train it with the softmax loss")
        # The tree of two labels has one inner node, the root (number 2); its sigmoid is the probability of its right child.
        wanted = output[:1] if tables.head.right[2] == positive else -output[:1]
    elif loss == SOFTMAX:
        wanted = output[[positive]] - output[[1 - positive]] if len(output) == 2 else output
    else:
        wanted = output[[positive]]
    rows = np.empty((len(tables.rows), len(wanted)), np.float32)
    for first in range(0, len(rows), _ROWS):
        for column, weights in enumerate(wanted):
            # Not `@`: the order of a BLAS library's sums may depend on its threads.
            rows[first : first + _ROWS, column] = (tables.rows[first : first + _ROWS] * weights).sum(axis=1)
    return tables._replace(rows=rows, head=tables.head._replace(output=np.zeros((1, len(wanted)), np.float32)))


def _pieces(spans: np.ndarray) -> list[tuple[int, int]]:
    """Row ranges of about TEXT_BYTES of text each, or of one longer text."""
    lengths = (spans[:, :, 1] - spans[:, :, 0]).sum(axis=1)
    return list(buffers.slices(np.concatenate(([0], np.cumsum(lengths))), TEXT_BYTES))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * x))
