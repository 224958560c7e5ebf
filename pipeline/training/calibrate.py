"""From logits to probabilities, fitted on examples that the model has not seen.

Platt 1999, "Probabilistic outputs for support vector machines", with Lin, Lin and Weng's (2007) targets; isotonic regression by
pooling adjacent violators. Platt's two numbers are the first choice, because the sigmoid keeps different scores different, which
selection by quantile needs, and cannot follow noise. Isotonic regression is taken where the sigmoid's calibration error, by
cross-validation within these examples, passes MAX_ERROR and the steps' is smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from filters.models.classifier import Isotonic, Platt
from pipeline.training.metrics import calibration_error

MAX_ERROR = 0.05
_FOLDS = 5
_MIN_POOL = 10
"""Fewest examples of a step: chosen, so that the ends are not 0 or 1 because of one example."""


def platt(logits: np.ndarray, labels: np.ndarray) -> Platt:
    """The sigmoid of largest likelihood."""
    from scipy.optimize import minimize
    from scipy.special import expit

    y = np.asarray(labels, bool)
    positives, negatives = int(y.sum()), int((~y).sum())
    target = np.where(y, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    scale = float(np.std(logits)) or 1.0
    x = np.stack((np.asarray(logits, float) / scale, np.ones(len(logits))))

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        z = weights @ x
        return float((np.logaddexp(0, z) - target * z).mean()), x @ (expit(z) - target) / len(target)

    a, b = minimize(loss, [1.0, 0.0], jac=True, method="BFGS", options={"gtol": 1e-9}).x
    return Platt(a=max(round(float(a / scale), 6), 1e-6), b=round(float(b), 6))


def isotonic(logits: np.ndarray, labels: np.ndarray) -> Isotonic:
    """Pooled steps, at the mean logit of each."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(logits, kind="stable")
    x, y = np.asarray(logits, float)[order], np.asarray(labels, float)[order]
    starts = np.arange(0, len(x), _MIN_POOL)
    sizes = np.diff(starts, append=len(x))
    steps = starts[isotonic_regression(np.add.reduceat(y, starts) / sizes, weights=sizes).blocks[:-1]]
    at, share = (np.round(np.add.reduceat(of, steps) / np.diff(steps, append=len(x)), 6).tolist() for of in (x, y))
    knots = dict(zip(at, share, strict=True))
    return Isotonic(x=tuple(knots), y=tuple(np.maximum.accumulate(list(knots.values())).tolist()))


def choose(
    logits: np.ndarray, labels: np.ndarray, *, kind: Literal["auto", "platt", "isotonic"] = "auto"
) -> tuple[Platt | Isotonic, str]:
    """The calibration, and why it was chosen, in words."""
    if kind != "auto":
        return (platt if kind == "platt" else isotonic)(logits, labels), "asked for"
    sigmoid, stepped = _cross_validated(logits, labels, platt), _cross_validated(logits, labels, isotonic)
    said = f"cross-validated calibration error: Platt {sigmoid:.3f}, isotonic {stepped:.3f}"
    if sigmoid > MAX_ERROR and stepped < sigmoid:
        return isotonic(logits, labels), f"{said}; the sigmoid does not fit"
    return platt(logits, labels), f"{said}; a sigmoid keeps different scores different"


def probabilities(calibration: Platt | Isotonic, logits: np.ndarray) -> np.ndarray:
    """Probabilities, as `Classifier.calibrated` gives them."""
    if isinstance(calibration, Platt):
        return 0.5 * (1 + np.tanh(0.5 * (calibration.a * logits + calibration.b)))
    return np.interp(logits, calibration.x, calibration.y)


def _cross_validated(logits: np.ndarray, labels: np.ndarray, fit: Callable[..., Platt | Isotonic]) -> float:
    found = np.empty(len(logits))
    fold = np.arange(len(logits)) % _FOLDS
    for k in range(_FOLDS):
        found[fold == k] = probabilities(fit(logits[fold != k], labels[fold != k]), logits[fold == k])
    return calibration_error(found, labels)
