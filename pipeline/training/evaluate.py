"""Figures of scores on examples that the model was not trained on, and thresholds that they suggest.

A text is positive at a threshold if its score is not below it. Invariant: a figure without enough examples is None, no guess.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.plan.compute import BYTES_PER_TOKEN
from pipeline.records import interval
from pipeline.records.interval import Estimate
from pipeline.training import metrics
from pipeline.training.examples import Document

PRECISIONS = (0.9, 0.95, 0.99)
SHARES = (0.1, 0.25, 0.5)
_MIN_ABOVE = 20
"""Fewest examples above a threshold for a precision: chosen, because 19 of 20 is known to within 0.2 only."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures of a group of examples at one threshold."""

    name: str
    positives: int
    negatives: int
    auc: Estimate | None
    recall: Estimate | None
    false_alarms: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A score, why it is proposed, and what it does on held-out examples."""

    name: str
    score: float
    precision: Estimate | None
    recall: Estimate | None


def figures(name: str, scores: np.ndarray, labels: np.ndarray, *, threshold: float) -> Figures:
    """Figures of one group."""
    y, above = np.asarray(labels, bool), np.asarray(scores) >= threshold
    m, n = int(y.sum()), int((~y).sum())
    return Figures(
        name=name,
        positives=m,
        negatives=n,
        auc=metrics.auc(scores, y),
        recall=_share(int((above & y).sum()), m),
        false_alarms=_share(int((above & ~y).sum()), n),
    )


def by(key: Callable[[Document], str], documents: Sequence[Document], scores: np.ndarray, *, threshold: float) -> list[Figures]:
    """Figures of each group of documents, by name."""
    names = np.array([key(document) for document in documents])
    labels = np.array([document.positive for document in documents])
    return [figures(str(name), scores[names == name], labels[names == name], threshold=threshold) for name in np.unique(names)]


def for_precision(scores: np.ndarray, labels: np.ndarray, *, precision: float) -> float | None:
    """The smallest threshold from which on at least this share is positive, rounded up to 4 places; None if there is none."""
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(np.asarray(labels, bool)[order])
    above = np.arange(1, len(scores) + 1)
    last_of_ties = np.append(np.diff(scores[order]) != 0, True)
    good = np.flatnonzero((right / above >= precision) & (above >= _MIN_ABOVE) & last_of_ties)
    return _up(float(scores[order][good[-1]])) if len(good) else None


def for_share(scores: np.ndarray, *, share: float) -> float:
    """The threshold that this share of the scores reaches."""
    return float(np.quantile(scores, 1 - share, method="lower"))


def for_false_alarms(scores: np.ndarray, *, share: float) -> float:
    """A threshold of 4 places, 1 at most, that this share of other texts of the kind reach.

    Hundreds of texts hold a few such scores, and their largest is mostly chance. So the tail of the log odds is taken to be
    exponential, beyond their highest tenth (Pickands 1975, peaks over threshold); with enough texts they are counted.
    """
    p = np.clip(np.sort(np.asarray(scores, float)), 1e-9, 1 - 1e-9)
    logits = np.log(p / (1 - p))
    n, top = len(p), max(1, len(p) // 10)
    if share * n >= _MIN_ABOVE or n <= top or share >= top / n:
        at = float(p[max(0, n - 1 - math.floor(share * n))])
    else:
        start = logits[n - top - 1]
        beyond = float((logits[n - top :] - start).mean()) * math.log(top / n / share)
        at = float(1 / (1 + np.exp(-(start + beyond))))
    return min(1.0, (math.floor(at * 1e4 + 1e-9) + 1) / 1e4)


def for_tokens(scores: np.ndarray, n_bytes: np.ndarray, *, tokens: float, corpus_bytes: int) -> float | None:
    """The threshold above which a corpus has about so many tokens, by a sample's scores and sizes; None if it has fewer."""
    order = np.argsort(-scores, kind="stable")
    total = np.cumsum(n_bytes[order]) * (corpus_bytes / n_bytes.sum()) / BYTES_PER_TOKEN
    at = int(np.searchsorted(total, tokens, side="right"))
    return float(scores[order][at]) if at < len(scores) else None


def describe(name: str, score: float, scores: np.ndarray, *, labels: np.ndarray) -> Threshold:
    """What a threshold does on examples."""
    y, above = np.asarray(labels, bool), scores >= score
    hits = int((above & y).sum())
    return Threshold(
        name=name,
        score=score,
        precision=_share(hits, int(above.sum())),
        recall=_share(hits, int(y.sum())),
    )


def _share(hits: int, n: int) -> Estimate | None:
    return interval.share(hits, n) if n else None


def _up(score: float) -> float:
    return min(1.0, math.ceil(score * 1e4 - 1e-9) / 1e4)
