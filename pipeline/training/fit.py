"""Examples to a fastText model: tokens, windows of documents, training in a new process, quantisation.

Documents are cut into windows of random length, so that length is no cue and a long document is not one example only. Invariant:
the same examples, settings and seed give the same files.
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from filters import models
from filters.kernels import buffers
from filters.kernels.models import features
from filters.kernels.models.bags import Windows
from filters.models import classifier
from filters.models.classifier import Classifier, Text
from pipeline.errors import NotInstalled, RunFailed
from pipeline.training.examples import Document
from pipeline.training.worker import NOT_INSTALLED

MAX_BYTES = 3_000_000
"""Largest model file: chosen so that the package stays small."""
HARD_SHARE = 0.05
POSITIVE, NEGATIVE = "positive", "negative"
_TUNABLES = "glibc.malloc.perturb=255:glibc.malloc.mmap_threshold=131072"
"""perturb=255: memory that is not initialised holds zeros (fastText 0.9.3 relies on that, see `worker.py`)."""
MISSING = (
    "fastText that trains is not installed: `pip install 'winnow-curation[fasttext]'`, then, since fasttext-predict has a"
    " module of the same name, `pip install --force-reinstall --no-deps fasttext` (it needs a C++ compiler)"
)
_TIMEOUT_S = 6 * 3600


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a model is trained and used.

    `cut`: words of a training window, from, to; `windows`: most windows of one document, drawn at random. `by_window`: the score
    of a text is the largest of its windows, and a high one means a bad text; else it is that of its sample, and means a good one.
    `hard`: a first model picks the ordinary windows that it finds most positive (HARD_SHARE of them); the second is trained on
    each so many times more. `level_words`: not fastText but `logistic` trains the model, and scores are levelled by length.
    """

    dim: int = 10
    epoch: int = 5
    lr: float = 0.3
    min_count: int = 2
    word_ngrams: int = 2
    minn: int = 0
    maxn: int = 0
    bucket: int = 1 << 18
    cut: tuple[int, int] = (50, 400)
    windows: int = 8
    cutoff: int = 100_000
    sample_bytes: int | None = 6000
    window_words: int = 50
    by_window: bool = False
    hard: int = 0
    level_words: int | None = None

    @property
    def text(self) -> Text:
        return Text(
            tokens=features.VERSION,
            sample_bytes=self.sample_bytes,
            window_words=self.window_words,
            level_words=self.level_words,
        )


QUALITY = Settings()
"""Documents of prose: words and pairs of words; a text is judged by its beginning, middle and end."""
TOXICITY = Settings(
    dim=4, minn=3, maxn=6, cut=(15, 150), windows=1000, sample_bytes=None, window_words=150, by_window=True, hard=2
)
"""Short, creatively spelt texts: character n-grams too, which cost speed on unknown words only."""
LEVELLED = Settings(
    dim=1,
    min_count=3,
    word_ngrams=1,
    minn=3,
    maxn=6,
    cut=(100, 150),
    windows=3,
    sample_bytes=None,
    window_words=150,
    by_window=True,
    level_words=20,
)
"""For `logistic`: a window is judged by its different words, a long one by how dense its insults are."""
CAP = 3000
"""Most windows of one source and class, in weight."""


def tokens(texts: Sequence[str]) -> list[str]:
    """What the model reads of each text, for fastText's training file."""
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    starts, made = features.features(data, models.whole(offsets))
    return [made[a:b].tobytes().decode() for a, b in pairwise(starts)]


def windows(text: str, settings: Settings, chance: random.Random) -> list[str]:
    """Consecutive windows of token text, of lengths spread evenly on a logarithmic scale; the last one may be shorter."""
    words = text.split()
    low, high = settings.cut
    made: list[str] = []
    at = 0
    while at < len(words):
        size = int(math.exp(chance.uniform(math.log(low), math.log(high))))
        made.append(" ".join(words[at : at + size]))
        at += size
    if len(made) > 1 and len(made[-1].split()) < low // 2:
        made[-2:] = [f"{made[-2]} {made[-1]}"]
    return made if len(made) <= settings.windows else chance.sample(made, settings.windows)


def cut(examples: Sequence[Document], settings: Settings, chance: random.Random) -> Iterator[tuple[Document, str]]:
    """Each example with each of its windows."""
    for example, text in zip(examples, tokens([example.text for example in examples]), strict=True):
        for window in windows(text, settings, chance):
            yield example, window


def fit(examples: Sequence[Document], settings: Settings, *, folder: Path, seed: int, quantise: bool = True) -> Classifier:
    """Train on `examples`; writes model.bin, and model.ftz unless told otherwise, into `folder`. The scores are not calibrated.

    Raises RunFailed if fastText does, or if the model has more than MAX_BYTES.
    """
    chance = random.Random(seed)
    pieces = list(cut(examples, settings, chance))
    labels = {True: POSITIVE, False: NEGATIVE}
    lines = [f"__label__{labels[example.positive]} {window}\n" for example, window in pieces for _ in range(example.weight)]
    ordinary = [window for example, window in pieces if example.ordinary]
    if settings.hard and ordinary:
        first = _fit(lines, settings, folder=folder, seed=seed, quantise=False)
        offsets, data = buffers.views(pa.array(ordinary, pa.large_string()))
        found = first.logits(data, models.whole(offsets))
        hardest = np.argsort(-found, kind="stable")[: max(1, int(HARD_SHARE * len(ordinary)))]
        lines += [f"__label__{NEGATIVE} {ordinary[i]}\n" for i in hardest for _ in range(settings.hard)]
    return _fit(lines, settings, folder=folder, seed=seed, quantise=quantise)


def _fit(lines: list[str], settings: Settings, *, folder: Path, seed: int, quantise: bool) -> Classifier:
    corpus = folder / "train.txt"
    shuffled = list(lines)
    random.Random(seed).shuffle(shuffled)
    corpus.write_text("".join(shuffled), "utf-8")
    train = {
        "dim": settings.dim,
        "epoch": settings.epoch,
        "lr": settings.lr,
        "minCount": settings.min_count,
        "wordNgrams": settings.word_ngrams,
        "minn": settings.minn,
        "maxn": settings.maxn,
        "bucket": settings.bucket,
        "seed": seed,
    }
    asked = {"input": str(corpus), "output": str(folder / "model"), "train": train, "cutoff": settings.cutoff if quantise else 0}
    worker = Path(__file__).with_name("worker.py")
    ran = subprocess.run(
        [sys.executable, str(worker)],
        input=json.dumps(asked).encode(),
        env=os.environ | {"GLIBC_TUNABLES": _TUNABLES},
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    corpus.unlink()
    if ran.returncode == NOT_INSTALLED:
        raise NotInstalled(MISSING)
    if ran.returncode:
        raise RunFailed(f"fastText could not train: {ran.stderr.decode(errors='replace').strip()[-500:]}")
    path = folder / ("model.ftz" if quantise else "model.bin")
    if quantise and path.stat().st_size > MAX_BYTES:
        raise RunFailed(f"the model has {path.stat().st_size:,} bytes, more than {MAX_BYTES:,}; use a smaller cutoff")
    return raw(path, settings)


def raw(path: Path, settings: Settings) -> Classifier:
    """A model file that has no sidecar yet, reading text as `settings` say."""
    return classifier.load_classifier(path, label=POSITIVE, text=settings.text)


def logits(model: Classifier, texts: Sequence[str], settings: Settings) -> np.ndarray:
    """float64[n]: log odds of texts, of a sample of each or of its highest window."""
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    if not settings.by_window or not texts:
        return model.logits(data, model.spans(offsets, data))
    cut = Windows(offsets, data, model.text.window_words)
    rows, _ = cut.cut
    return np.maximum.reduceat(model.window_logits(cut), np.flatnonzero(np.diff(rows, prepend=-1)))
