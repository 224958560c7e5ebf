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
    """The sigmoid of largest likelihood, by Newton's method with halved steps."""
    y = np.asarray(labels, bool)
    positives, negatives = int(y.sum()), int((~y).sum())
    target = np.where(y, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    scale = float(np.std(logits)) or 1.0
    x = np.stack((np.asarray(logits, float) / scale, np.ones(len(logits))))
    weights = np.array([1.0, 0.0])
    loss = _loss(weights @ x, target)
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(weights @ x, -500, 500)))
        gradient = x @ (p - target)
        hessian = (x * (p * (1 - p))) @ x.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        while (found := _loss((weights - step) @ x, target)) > loss and np.abs(step).max() > 1e-12:
            step /= 2
        weights = weights - step
        if loss - found < 1e-10 * len(logits):
            break
        loss = found
    a, b = float(weights[0] / scale), float(weights[1])
    return Platt(a=max(round(a, 6), 1e-6), b=round(b, 6))


def _loss(z: np.ndarray, target: np.ndarray) -> float:
    return float((np.logaddexp(0, z) - target * z).sum())


def isotonic(logits: np.ndarray, labels: np.ndarray) -> Isotonic:
    """Pooled steps, at the mean logit of each."""
    order = np.argsort(logits, kind="stable")
    pools: list[list[float]] = []  # sum of labels, examples, sum of logits
    for x, y in zip(np.asarray(logits, float)[order], np.asarray(labels, float)[order], strict=True):
        if pools and pools[-1][1] < _MIN_POOL:
            pools[-1] = [pools[-1][0] + y, pools[-1][1] + 1, pools[-1][2] + x]
        else:
            pools.append([y, 1, x])
    merged: list[list[float]] = []
    for pool in pools:
        merged.append(pool)
        while len(merged) > 1 and merged[-2][0] * merged[-1][1] >= merged[-1][0] * merged[-2][1]:
            last = merged.pop()
            merged[-1] = [a + b for a, b in zip(merged[-1], last, strict=True)]
    knots: dict[float, float] = {round(x / n, 6): round(y / n, 6) for y, n, x in merged}
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
