"""The model of what readers keep, adapted to what somebody else keeps: few examples, and the shipped model as what is known.

Two corrections, each to be added to the shipped model and each held back by a penalty, so that few examples say little (Chelba
and Acero 2004, "Adaptation of maximum entropy capitalizer: little data can help a lot"): what words say, and trees of one
question about the features (Friedman 2001, "Greedy function approximation", Newton's steps). They are kept only where they
predict examples of other sites better than the shipped model with a calibration of its own: else the model stays as it was,
and its calibration and limits alone are the examples'.

Invariant: every figure of an example comes from models and limits that have not seen its group. The same examples give the same
bytes, with one set of library versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from filters.kernels.models import trees
from filters.kernels.models.trees import Trees
from filters.models.classifier import Platt
from filters.models.readers import Readers
from pipeline.training import calibrate, words
from pipeline.training.recipes import readers
from pipeline.training.recipes.readers import Examples, Fitted

ROUNDS = 60
RATE = 0.1
HELD_BACK = 10.0
"""Of a leaf, in examples at a probability of one half: four times as many. These three are chosen by `make bench B=reviews`: with
200 reviews the ROC AUC rises from .82 to .92 where recipes and forums are to go, and stays where somebody keeps what we keep."""
LEAST = 10
"""Fewest examples on either side of a question."""
CUTS = 12
LEAST_SLOPE = 0.05
"""Where the shipped model says less than this of the examples, what is added to it is not scaled up any further."""
FEW_SITES = 20
"""With fewer sites than this, documents are dealt out one by one."""


@dataclass(frozen=True)
class Adapted:
    """A model in memory: its weights, its calibration, and whether the shipped weights were corrected. `held_out`: float64[n],
    the probability of each example by a model that has not seen its group."""

    fitted: Fitted
    calibration: Platt
    corrected: bool
    held_out: np.ndarray


def groups(sites: Sequence[str], places: Sequence[str]) -> tuple[np.ndarray, bool]:
    """int64[n]: the fold of each example, and whether sites decide it (else documents, where there are few sites)."""
    by_site = len(set(sites)) >= FEW_SITES
    return np.array([readers.fold_of(name) for name in (sites if by_site else places)]), by_site


def adapt(base: Readers, examples: Examples) -> Adapted:
    """Examples with both classes in all folds but any one."""
    known = Fitted(base.words.astype(float), base.card.bias, base.trees)
    plain = known.logits(examples)
    kept = examples.keep
    corrected = np.empty(len(kept))
    recalibrated = np.empty(len(kept))
    for fold in np.unique(examples.fold):
        inside, others = np.flatnonzero(examples.fold == fold), np.flatnonzero(examples.fold != fold)
        corrected[inside] = correct(known, examples.take(others)).logits(examples.take(inside))
        recalibrated[inside] = calibrate.probabilities(calibrate.platt(plain[others], kept[others]), plain[inside])
    found = _out_of_fold(corrected, examples)
    better = _loss(found, kept) < _loss(recalibrated, kept)
    if not better:
        return Adapted(known, calibrate.platt(plain, kept), False, recalibrated)
    return Adapted(correct(known, examples), calibrate.platt(corrected, kept), True, found)


def _out_of_fold(logits: np.ndarray, examples: Examples) -> np.ndarray:
    """Probabilities of logits, each calibrated on the other folds'."""
    found = np.empty(len(logits))
    for fold in np.unique(examples.fold):
        inside = examples.fold == fold
        found[inside] = calibrate.probabilities(calibrate.platt(logits[~inside], examples.keep[~inside]), logits[inside])
    return found


def _loss(p: np.ndarray, kept: np.ndarray) -> float:
    right = np.where(kept, p, 1 - p)
    return float(-np.log(np.maximum(right, 1e-9)).mean())


def correct(known: Fitted, examples: Examples) -> Fitted:
    """The known model with what the examples say of words and of features."""
    kept = examples.keep.astype(float)
    level = calibrate.platt(known.logits(examples), examples.keep)
    first = level.a * known.logits(examples) + level.b
    more, _ = words.fit(examples.rows, kept, examples.weight, known_logits=first)
    own = (known.words + more).astype(np.float16).astype(np.float64)  # as they are kept
    # The trees are fitted to what words say of examples that they were not fitted on.
    said = np.empty(len(kept))
    for fold in np.unique(examples.fold):
        other, inside = np.flatnonzero(examples.fold != fold), np.flatnonzero(examples.fold == fold)
        part = examples.take(other)
        held, _ = words.fit(part.rows, kept[other], part.weight, known_logits=first[other])
        said[inside] = words.logits(examples.take(inside).rows, known.words + held, known.bias)
    features = np.column_stack((examples.features, said.astype(np.float32)))
    sums = trees.sums(known.trees, features)
    level = calibrate.platt(sums, examples.keep)
    made = stumps(features, kept, examples.weight, known_logits=level.a * sums + level.b)
    # What is added is in the unit of the calibrated logit: the level's `a` brings it to that of the known trees.
    unit = max(level.a, LEAST_SLOPE)
    return Fitted(own, known.bias, with_stumps(known.trees, [(k, at, low / unit, high / unit) for k, at, low, high in made]))


Stump = tuple[int, float, float, float]
"""A feature, a bound, and what is added where the feature is not above it, and where it is."""


def stumps(features: np.ndarray, target: np.ndarray, weight: np.ndarray, *, known_logits: np.ndarray) -> list[Stump]:
    """Questions about one feature each, in the order in which they were found; those of no gain are left out."""
    bounds: list[tuple[int, float]] = []
    below: list[np.ndarray] = []
    for k in range(features.shape[1]):
        for at in np.unique(np.quantile(features[:, k], np.arange(1, CUTS) / CUTS, method="lower")):
            low = features[:, k] <= at
            if LEAST <= low.sum() <= len(low) - LEAST:
                bounds.append((k, float(at)))
                below.append(low)
    if not bounds:
        return []
    matrix = np.stack(below).astype(np.float64)
    found: list[Stump] = []
    logits = known_logits.copy()
    for _ in range(ROUNDS):
        p = 0.5 * (1 + np.tanh(0.5 * logits))
        slope, curve = weight * (p - target), weight * p * (1 - p)
        g_low, h_low = matrix @ slope, matrix @ curve
        g_high, h_high = slope.sum() - g_low, curve.sum() - h_low
        gain = g_low**2 / (h_low + HELD_BACK) + g_high**2 / (h_high + HELD_BACK)
        best = int(gain.argmax())
        low, high = (-RATE * g[best] / (h[best] + HELD_BACK) for g, h in ((g_low, h_low), (g_high, h_high)))
        found.append((*bounds[best], float(low), float(high)))
        logits += np.where(matrix[best] > 0, low, high)
    return found


def with_stumps(made: Trees, more: Sequence[Stump]) -> Trees:
    """Trees with one more of three nodes for each stump."""
    if not more:
        return made
    first = len(made.feature) + 3 * np.arange(len(more), dtype=np.int32)
    feature, bound, low, high = (np.array(column) for column in zip(*more, strict=True))
    zeros, leaves = np.zeros(len(more)), np.full(len(more), -1)
    columns = {
        "feature": (feature, leaves, leaves),
        "bound": (bound, zeros, zeros),
        "left": (first + 1, zeros, zeros),
        "right": (first + 2, zeros, zeros),
        "value": ((low + high) / 2, low, high),
    }
    arrays = {
        name: np.concatenate((getattr(made, name), np.stack(parts, axis=1).ravel().astype(getattr(made, name).dtype)))
        for name, parts in columns.items()
    }
    end = np.array([len(arrays["feature"])], made.roots.dtype)
    return Trees(roots=np.concatenate((made.roots[:-1], first.astype(made.roots.dtype), end)), **arrays)
