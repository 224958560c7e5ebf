"""From examples to a calibrated model on disk: split, train, calibrate, measure, quantise, describe.

Invariant: documents of the `test` part are used for figures alone; those of `calibrate` for the calibration and for thresholds.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import JsonValue

from filters.models.classifier import Isotonic, Platt, Sidecar
from pipeline.errors import InputError
from pipeline.training import calibrate, evaluate, examples, fit, logistic, metrics
from pipeline.training.evaluate import Figures, Threshold
from pipeline.training.examples import Document, InputRecord, Part
from pipeline.training.fit import Settings

KEPT_OF_POSITIVES = 0.99
"""Default threshold of a model of good text: chosen so that a filter that is on by default loses 1 % of good text."""
HIGHEST_DEFAULT = 0.2
"""Such a default is at most this: where held-out examples are easier than the web, as patterns are, they would allow too much."""
FALSE_ALARMS = 0.005
"""Default threshold of a model of bad text: the share of ordinary documents (else of negatives) that may reach it; chosen so that
such a filter, on by default, costs one good document in two hundred."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to train. `licences`, `limits`: lines for the card. `corpus`: ordinary text that thresholds are set on, and that is
    no example. `corpus_bytes`: text of the corpus that it, or `ordinary` examples, were drawn from; with it `tokens`, a
    budget, gives a threshold. `default`: the default threshold, if not by rule. `least`: fewest documents of each class in
    each part. `languages`: those that the model covers, if not all with figures on the test part. `shares`: of the parts."""

    name: str
    documents: Sequence[Document]
    records: Sequence[InputRecord]
    settings: Settings
    seed: int
    command: str = ""
    calibration: Literal["auto", "platt", "isotonic"] = "auto"
    licences: Sequence[str] = ()
    limits: Sequence[str] = ()
    corpus: Sequence[Document] = ()
    corpus_bytes: int = 0
    tokens: float | None = None
    default: float | None = None
    least: int = examples.MIN_EACH
    languages: tuple[str, ...] | None = None
    shares: Mapping[Part, float] = field(default_factory=lambda: examples.PARTS)


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A model in memory, and all that is said about it."""

    request: Request
    data: bytes
    calibration: Platt | Isotonic
    why: str
    counts: dict[Part, tuple[int, int]]
    copies: int
    contradictions: int
    overall: Figures
    matched_auc: float | None
    calibration_error: float
    by_source: list[Figures]
    by_language: list[Figures]
    thresholds: list[Threshold]
    unquantised_auc: float
    notes: list[str] = field(default_factory=list)

    @property
    def default(self) -> float:
        return self.thresholds[0].score

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that the model covers."""
        found = (row.name for row in self.by_language if row.auc is not None)
        return tuple(sorted(found if self.request.languages is None else self.request.languages))

    @property
    def suffix(self) -> str:
        """Of the file: fastText's for a quantised model, or for one that is not."""
        return ".ftz" if self.request.settings.level_words is None else ".bin"

    @property
    def sidecar(self) -> Sidecar:
        return Sidecar(
            name=self.request.name,
            sha256=hashlib.sha256(self.data).hexdigest(),
            label=fit.POSITIVE,
            languages=self.languages,
            text=self.request.settings.text,
            calibration=self.calibration,
            thresholds={threshold.name: threshold.score for threshold in self.thresholds},
            figures=summary(self),
        )


def summary(trained: TrainedModel) -> dict[str, JsonValue]:
    """The figures of the sidecar and of `--json`, rounded."""
    auc = trained.overall.auc
    assert auc is not None  # the parts have at least examples.MIN_EACH of each class
    return {
        "auc": round(auc.value, 4),
        "auc_95": [round(auc.low, 4), round(auc.high, 4)],
        "auc_lengths_matched": None if trained.matched_auc is None else round(trained.matched_auc, 4),
        "auc_before_quantising": round(trained.unquantised_auc, 4),
        "calibration_error": round(trained.calibration_error, 4),
        "positives": trained.overall.positives,
        "negatives": trained.overall.negatives,
    }


def train(request: Request) -> TrainedModel:
    """Train and measure. Raises InputError (too few examples) or RunFailed (fastText)."""
    cleaned = examples.clean(request.documents)
    if not cleaned.documents:
        raise InputError(
            f"no example is left: all {len(request.documents):,} are texts that stand in both classes: give each text to one"
        )
    parts = examples.split(cleaned.documents, seed=request.seed, least=request.least, shares=request.shares)
    settings = request.settings
    with tempfile.TemporaryDirectory(prefix="winnow-train-") as folder:
        how = fit.fit if settings.level_words is None else logistic.train
        model = how(parts["train"], settings, folder=Path(folder), seed=request.seed)
        data = model.path.read_bytes()
        unquantised = fit.raw(Path(folder) / "model.bin", settings)
        logits = {part: fit.logits(model, [d.text for d in parts[part]], settings) for part in ("calibrate", "test")}
        beside = fit.logits(model, [d.text for d in request.corpus], settings) if request.corpus else np.zeros(0)
        before = fit.logits(unquantised, [d.text for d in parts["test"]], settings)
    labels = {part: np.array([d.positive for d in parts[part]]) for part in ("calibrate", "test")}
    sure = np.array([not d.doubtful for d in parts["calibrate"]])
    calibration, why = calibrate.choose(logits["calibrate"][sure], labels["calibrate"][sure], kind=request.calibration)
    scores = {
        part: calibrate.probabilities(calibration, found).astype(np.float32).astype(float) for part, found in logits.items()
    }
    corpus = calibrate.probabilities(calibration, beside).astype(np.float32).astype(float)
    thresholds = _thresholds(request, parts["calibrate"], scores, labels=labels, corpus=corpus)
    test = parts["test"]
    lengths = np.array([len(d.text).bit_length() for d in test])
    unquantised_auc = metrics.auc(before, labels["test"])
    assert unquantised_auc is not None  # as in `summary`
    return TrainedModel(
        request=request,
        data=data,
        calibration=calibration,
        why=why,
        counts={part: _count(inside) for part, inside in parts.items()},
        copies=cleaned.copies,
        contradictions=cleaned.contradictions,
        overall=evaluate.figures("all", scores["test"], labels["test"], threshold=thresholds[0].score),
        matched_auc=metrics.matched_auc(scores["test"], labels["test"], lengths),
        calibration_error=metrics.calibration_error(scores["test"], labels["test"]),
        by_source=evaluate.by(lambda d: d.source, test, scores["test"], threshold=thresholds[0].score),
        by_language=evaluate.by(lambda d: d.language, test, scores["test"], threshold=thresholds[0].score),
        thresholds=thresholds,
        unquantised_auc=unquantised_auc.value,
        notes=_notes(request),
    )


def _count(documents: Sequence[Document]) -> tuple[int, int]:
    positives = sum(document.positive for document in documents)
    return positives, len(documents) - positives


def _thresholds(
    request: Request,
    documents: Sequence[Document],
    scores: dict[str, np.ndarray],
    *,
    labels: dict[str, np.ndarray],
    corpus: np.ndarray,
) -> list[Threshold]:
    """The default, then by precision, share and token budget; set on the calibration part and the corpus, described on the test
    part."""
    own, y = scores["calibrate"], labels["calibrate"]
    ordinary = [document for document, of_corpus in zip(documents, _ordinary(documents), strict=True) if of_corpus]
    if request.corpus:
        ordinary = list(request.corpus)
    else:
        corpus = own[_ordinary(documents)] if ordinary else own[~y]
    if request.settings.by_window:
        found: dict[str, float | None] = {"default": evaluate.for_false_alarms(corpus, share=FALSE_ALARMS)}
    else:
        found = {"default": round(min(HIGHEST_DEFAULT, evaluate.for_share(own[y], share=KEPT_OF_POSITIVES)), 4)}
    if request.default is not None:
        found["default"] = request.default
    for precision in evaluate.PRECISIONS:
        found[f"precision_{precision}"] = evaluate.for_precision(own, y, precision=precision)
    for share in evaluate.SHARES:
        found[f"share_{share}"] = round(evaluate.for_share(corpus if ordinary else own, share=share), 4)
    if request.tokens is not None:
        n_bytes = np.array([len(document.text.encode()) for document in ordinary])
        found["tokens"] = evaluate.for_tokens(corpus, n_bytes, tokens=request.tokens, corpus_bytes=request.corpus_bytes)
    return [
        evaluate.describe(name, score, scores["test"], labels=labels["test"])
        for name, score in found.items()
        if score is not None
    ]


def _ordinary(documents: Sequence[Document]) -> np.ndarray:
    return np.array([document.ordinary for document in documents], bool)


def _notes(request: Request) -> list[str]:
    sources = Counter(document.source for document in request.documents if not document.train_only)
    classes = {(document.source, document.positive) for document in request.documents if not document.train_only}
    one_sided = [source for source in sources if not {(source, True), (source, False)} <= classes]
    if len(one_sided) == len(sources) > 1:
        return ["every source has examples of one class only: the model may know sources, not what you mean by the classes"]
    return []
