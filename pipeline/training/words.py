"""A linear model over which words a text has: logistic regression with an L2 penalty, by L-BFGS.

A text's row is 1 over the root of its number of different words at the bucket of each. Invariant: a bucket that fewer than
MIN_DOCUMENTS of the texts have weighs nothing, so that no model holds a word of one person's page. The same texts give the same
bytes, with one set of library versions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.kernels.models.shape_counts import BUCKETS

MIN_DOCUMENTS = 5
"""The law asks for 3; chosen by cross-validation over sites, where 3 and 5 do as well."""
PENALTY = 0.1
"""Of half the sum of squares, against the sum of the losses: chosen among 1, 0.3, 0.1, 0.03."""
_STEPS = 200


@dataclass(frozen=True)
class Rows:
    """Different buckets of texts: those of text i are `buckets[starts[i]:starts[i + 1]]`; `number`: of its different words."""

    buckets: np.ndarray
    starts: np.ndarray
    number: np.ndarray

    def take(self, rows: np.ndarray) -> Rows:
        sizes = np.diff(self.starts)[rows]
        at = np.repeat(self.starts[rows] - np.concatenate(([0], np.cumsum(sizes)[:-1])), sizes) + np.arange(sizes.sum())
        return Rows(self.buckets[at], np.concatenate(([0], np.cumsum(sizes))), self.number[rows])


def logits(rows: Rows, weights: np.ndarray, bias: float) -> np.ndarray:
    """float64[n]"""
    sums = np.add.reduceat(np.append(weights[rows.buckets], 0.0), rows.starts[:-1]) if len(rows.number) else np.zeros(0)
    sums[np.diff(rows.starts) == 0] = 0
    return bias + sums / np.sqrt(np.maximum(rows.number, 1))


def fit(
    rows: Rows, labels: np.ndarray, weight: np.ndarray, *, known_logits: np.ndarray | float = 0.0
) -> tuple[np.ndarray, float]:
    """`(float64[BUCKETS], bias)` for labels of 0 to 1 and a weight of each text; what is to be added to `known_logits`."""
    from scipy.optimize import minimize
    from scipy.sparse import csr_array
    from scipy.special import expit

    own = np.repeat(1 / np.sqrt(np.maximum(rows.number, 1)), np.diff(rows.starts))
    known = np.flatnonzero(_documents(rows) >= MIN_DOCUMENTS)
    matrix = csr_array((own, rows.buckets, rows.starts), shape=(len(rows.number), BUCKETS))[:, known]
    turned = matrix.T.tocsr()

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        z = known_logits + matrix @ w[:-1] + w[-1]
        slope = weight * (expit(z) - labels)
        value = float((weight * (np.logaddexp(0, z) - labels * z)).sum() + PENALTY / 2 * (w**2).sum())
        return value, np.concatenate((turned @ slope, [slope.sum()])) + PENALTY * w

    found = minimize(loss, np.zeros(len(known) + 1), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x
    weights = np.zeros(BUCKETS)
    weights[known] = found[:-1]
    return weights, float(found[-1])


def _documents(rows: Rows) -> np.ndarray:
    """int64[BUCKETS]: how many texts have each bucket; each text's buckets are different."""
    return np.bincount(rows.buckets, minlength=BUCKETS)
