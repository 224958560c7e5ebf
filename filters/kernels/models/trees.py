"""Sums of decision trees over columns of features, and which features decided.

Invariant: a row's sum is that of its leaves, added in the order of the trees. A row goes left where its feature is not above the
node's bound. What a feature *weighs* is how much the mean value below the row's place changed at the nodes that ask for it
(Saabas 2014, "Interpreting random forests"): the weights of a row and the value of the roots add up to its sum.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, kernel


class Trees(NamedTuple):
    """Nodes of all trees, one behind the other. A leaf has no feature (-1); a child's number is larger than its parent's."""

    roots: np.ndarray  # int32[trees + 1]
    feature: np.ndarray  # int16[nodes]
    bound: np.ndarray  # float32[nodes]
    left: np.ndarray  # int32[nodes]
    right: np.ndarray  # int32[nodes]
    value: np.ndarray  # float32[nodes]: of a leaf what it adds, of another node the mean of what is below it


@kernel
def _sums(
    features: Array, roots: Array, feature: Array, bound: Array, left: Array, right: Array, value: Array, out: Array
) -> None:
    for i in range(features.shape[0]):
        total = np.float64(0)
        for tree in range(roots.size - 1):
            node = np.int64(roots[tree])
            while feature[node] >= 0:
                node = np.int64(left[node] if features[i, feature[node]] <= bound[node] else right[node])
            total += value[node]
        out[i] = total


@kernel
def _weighed(
    features: Array, roots: Array, feature: Array, bound: Array, left: Array, right: Array, value: Array, out: Array
) -> None:
    for i in range(features.shape[0]):
        for tree in range(roots.size - 1):
            node = np.int64(roots[tree])
            while feature[node] >= 0:
                below = np.int64(left[node] if features[i, feature[node]] <= bound[node] else right[node])
                out[i, feature[node]] += np.float64(value[below]) - np.float64(value[node])
                node = below


def sums(trees: Trees, features: np.ndarray) -> np.ndarray:
    """float64[n] for `features` float32[n, m]."""
    out = np.empty(len(features))
    _sums(features, *trees, out)
    return out


def weighed(trees: Trees, features: np.ndarray) -> np.ndarray:
    """float64[n, m]: what each feature weighs in each row's sum."""
    out = np.zeros(features.shape)
    _weighed(features, *trees, out)
    return out
