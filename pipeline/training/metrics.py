"""How good scores are: ROC AUC, precision, recall, calibration error, each with a 95 % interval where one is due.

Positive examples have label 1 (true). Sources: DeLong, DeLong and Clarke-Pearson 1988, "Comparing the areas under two or more
correlated receiver operating characteristic curves", for the interval of the AUC.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pipeline.records.interval import Z_95, Estimate


def ranks(values: np.ndarray) -> np.ndarray:
    """float64[n]: 1 for the smallest; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def auc(scores: np.ndarray, labels: np.ndarray) -> Estimate | None:
    """ROC AUC with DeLong's interval, within 0 and 1; None unless both classes have two examples or more."""
    labels = np.asarray(labels, bool)
    positive, negative = np.asarray(scores, float)[labels], np.asarray(scores, float)[~labels]
    m, n = len(positive), len(negative)
    if min(m, n) < 2:
        return None
    joint = ranks(np.concatenate((positive, negative)))
    # For each example the share of the other class that it is on the right side of.
    of_positive = (joint[:m] - ranks(positive)) / n
    of_negative = 1 - (joint[m:] - ranks(negative)) / m
    value = float(of_positive.mean())
    error = float(np.sqrt(of_positive.var(ddof=1) / m + of_negative.var(ddof=1) / n))
    return Estimate(value, max(0.0, value - Z_95 * error), min(1.0, value + Z_95 * error))


def matched_auc(scores: np.ndarray, labels: np.ndarray, strata: np.ndarray) -> float | None:
    """ROC AUC over pairs of examples of one stratum only, as where both classes have the same lengths; None without pairs."""
    labels = np.asarray(labels, bool)
    right = pairs = 0.0
    for stratum in np.unique(strata):
        inside = strata == stratum
        m, n = int((inside & labels).sum()), int((inside & ~labels).sum())
        if m and n:
            order = ranks(scores[inside])
            right += order[labels[inside]].sum() - m * (m + 1) / 2
            pairs += m * n
    return float(right / pairs) if pairs else None


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 10) -> float:
    """Expected calibration error: mean of |share of positives - mean probability| over bins of equal numbers of examples."""
    order = np.argsort(probabilities, kind="stable")
    p, y = np.asarray(probabilities, float)[order], np.asarray(labels, float)[order]
    edges = np.linspace(0, len(p), min(bins, len(p)) + 1).astype(int)
    gaps = [(b - a) * abs(y[a:b].mean() - p[a:b].mean()) for a, b in pairwise(edges)]
    return float(sum(gaps) / len(p))
