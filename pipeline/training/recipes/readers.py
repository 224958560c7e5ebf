"""The quality model for all languages: what careful readers keep, learnt from documents that were read and judged.

Two steps. Words: a linear model of which words a text has. Shape: trees over the features of its layout, signs and repetition,
and over what the words say, each text's by a model that has not seen its site. The trees' target is half the reader's decision,
half the score that the reader gave. Beside the judged web pages stand texts that are what they are by their source (`SOURCES`),
at WEIGHT each, so that code, interface texts and books are known in more languages than people wrote about.

Parts by site: `train` and `calibrate` for the weights, and, each site by models that have not seen it, for the calibration and
the limits of `keep`; `test` for the figures alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from filters.kernels import buffers
from filters.kernels.models import shape, trees, windows
from filters.kernels.models.shape_counts import BUCKETS, Shape
from filters.kernels.models.trees import Trees
from filters.models import shape_features
from pipeline.training import forest, judged, words
from pipeline.training.examples import InputRecord
from pipeline.training.judged import Judged
from pipeline.training.words import Rows

SAMPLE_BYTES = 8_000
"""Of a longer text its beginning, middle and end. Chosen by cross-validation: 12,000 rank as well, 6,000 a little worse."""
WEIGHT = 0.3
FOLDS = 5
_STEEPNESS = 1.3
"""Of the curve from a score of 0 to 5 to a target of 0 to 1, with its middle between poor and acceptable."""


@dataclass(frozen=True)
class Source:
    """Texts that are good, or not, by what they are; `most` of them, those whose ids have the smallest hashes."""

    file: str
    keep: bool
    most: int
    licence: str
    label: str | None = None


SOURCES = (
    Source("junk_and_good/gov_18f_plainlanguage.jsonl.zst", True, 120, "US government guides: CC0 and public domain"),
    Source("junk_and_good/openstax_pl_es.jsonl.zst", True, 120, "OpenStax textbooks in Polish and Spanish: CC-BY 4.0"),
    Source("junk_and_good/wikinews_ja.jsonl.zst", True, 150, "Japanese Wikinews: CC-BY 2.5"),
    Source("throughput/peps.jsonl.gz", True, 50, "Python Enhancement Proposals: public domain or CC0"),
    *(
        Source(f"throughput/react_dev_{code}.jsonl.gz", True, 25, "react.dev: CC-BY 4.0, Meta and contributors")
        for code in ("en", "es", "fr", "ja", "ru", "tr")
    ),
    Source(
        "junk_and_good/ui_boilerplate_mit.jsonl.zst", False, 250, "interface texts of shops, banners, logins: MIT, BSD, Apache"
    ),
    Source("junk_and_good/code_config_data_junk.jsonl.zst", False, 150, "lock files, YAML, XML, style sheets: MIT, BSD, Apache"),
    Source("junk_and_good/chronam_ocr_1916.jsonl.zst", False, 80, "newspaper pages of 1916 read by machine: public domain"),
    Source("junk_and_good/sms_spam_uci.jsonl.zst", False, 100, "SMS spam collection (UCI 228): CC-BY 4.0", "spam"),
    Source("junk_and_good/youtube_spam_uci.jsonl.zst", False, 60, "YouTube spam collection (UCI 380): CC-BY 4.0", "spam"),
)


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Texts as the model sees them. `features` without what the words say; `fold`: of the site."""

    features: np.ndarray
    rows: Rows
    keep: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    fold: np.ndarray

    def take(self, rows: np.ndarray) -> Examples:
        return Examples(
            features=self.features[rows],
            rows=self.rows.take(rows),
            keep=self.keep[rows],
            target=self.target[rows],
            weight=self.weight[rows],
            fold=self.fold[rows],
        )


@dataclass(frozen=True)
class Fitted:
    """The weights of a model."""

    words: np.ndarray
    bias: float
    trees: Trees

    def logits(self, examples: Examples) -> np.ndarray:
        own = words.logits(examples.rows, self.words, self.bias)
        return trees.sums(self.trees, np.column_stack((examples.features, own.astype(np.float32))))


def fold_of(group: str) -> int:
    return int(hashlib.blake2b(f"fold {group}".encode(), digest_size=8).hexdigest(), 16) % FOLDS


def seen(texts: list[str]) -> tuple[np.ndarray, Rows]:
    """Features without what the words say, and the words."""
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    found, buckets, ends = shape.listed(data, windows.sample(offsets, data, limit=SAMPLE_BYTES))
    features = shape_features.features(Shape(found.counts, np.zeros(len(texts)), found.number), bias=0.0)
    starts = np.concatenate((np.zeros(1, np.int64), ends))
    owner = np.repeat(np.arange(len(texts)), np.diff(starts))
    once = np.unique(owner * BUCKETS + buckets)  # two words may share a bucket, and then weigh once in training
    sizes = np.bincount(once // BUCKETS, minlength=len(texts))
    rows = Rows(once % BUCKETS, np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes))), found.number)
    return np.delete(features, shape_features.WORDS_AT, axis=1), rows


def examples_of(documents: list[Judged]) -> Examples:
    """Judged documents that a reader decided on."""
    features, rows = seen([document.text for document in documents])
    keep = np.array([bool(document.keep) for document in documents])
    scores = np.array([document.score for document in documents], float)
    return Examples(
        features=features,
        rows=rows,
        keep=keep,
        target=0.5 * keep + 0.5 / (1 + np.exp(-_STEEPNESS * (scores - 2.5))),
        weight=np.ones(len(documents)),
        fold=np.array([fold_of(document.site) for document in documents]),
    )


def sources(data: Path) -> tuple[Examples, list[InputRecord]]:
    """The texts of SOURCES. Raises InputError where a file is missing."""
    texts, keep, groups, records = [], [], [], []
    for source in SOURCES:
        found, record = judged.rows(data, source.file)
        records.append(record)
        own = [row for row in found if source.label in (None, row.get("label"))]
        own.sort(key=lambda row: hashlib.blake2b(str(row["id"]).encode(), digest_size=8).digest())
        texts += [row["text"] for row in own[: source.most]]
        groups += [str(row["id"]) for row in own[: source.most]]
        keep += [source.keep] * len(own[: source.most])
    features, rows = seen(texts)
    good = np.array(keep)
    made = Examples(
        features=features,
        rows=rows,
        keep=good,
        target=np.where(good, 0.97, 0.03),
        weight=np.full(len(texts), WEIGHT),
        fold=np.array([fold_of(group) for group in groups]),
    )
    return made, records


def together(one: Examples, other: Examples) -> Examples:
    """Two lots of examples as one."""
    rows = Rows(
        np.concatenate((one.rows.buckets, other.rows.buckets)),
        np.concatenate((one.rows.starts, one.rows.starts[-1] + other.rows.starts[1:])),
        np.concatenate((one.rows.number, other.rows.number)),
    )
    columns = {
        name: np.concatenate((getattr(one, name), getattr(other, name)))
        for name in ("features", "keep", "target", "weight", "fold")
    }
    return Examples(rows=rows, **columns)


def fit(examples: Examples) -> Fitted:
    """Words, then trees over the shape and over what words say of sites that they were not fitted on."""
    said = np.empty(len(examples.keep))
    for fold in np.unique(examples.fold):
        other, own = np.flatnonzero(examples.fold != fold), np.flatnonzero(examples.fold == fold)
        part = examples.take(other)
        said[own] = words.logits(examples.rows.take(own), *words.fit(part.rows, part.keep.astype(float), part.weight))
    weights, bias = words.fit(examples.rows, examples.keep.astype(float), examples.weight)
    weights = weights.astype(np.float16).astype(np.float64)  # as they are kept
    made = forest.fit(np.column_stack((examples.features, said.astype(np.float32))), examples.target, examples.weight)
    return Fitted(weights, bias, made)


def out_of_site(examples: Examples, others: Examples) -> np.ndarray:
    """float64[n]: the logit of each example by a model that has not seen its fold."""
    found = np.empty(len(examples.keep))
    for fold in range(FOLDS):
        inside = np.flatnonzero(examples.fold == fold)
        model = fit(together(examples.take(np.flatnonzero(examples.fold != fold)), others))
        found[inside] = model.logits(examples.take(inside))
    return found
