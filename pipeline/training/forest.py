"""Decision trees over features, boosted by LightGBM and kept as the arrays that `filters.kernels.models.trees` reads.

Invariant: the sum of the arrays is the booster's raw score, up to float32's rounding; one thread and a fixed seed, so that the
same examples give the same bytes with one version of LightGBM. Ke et al. 2017, "LightGBM: a highly efficient gradient boosting
decision tree".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from filters.kernels.models.trees import Trees
from pipeline.errors import UsageError

TREES = 400
SETTINGS: dict[str, Any] = {
    "objective": "cross_entropy",
    "learning_rate": 0.04,
    "num_leaves": 12,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "seed": 1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
"""Chosen by cross-validation over sites: of 7 to 15 leaves 12 rank as well as 15, 7 a little worse (AUC .907 and .905);
more trees and other rates rank no better."""


def fit(features: np.ndarray, target: np.ndarray, weight: np.ndarray) -> Trees:
    """Trees for targets of 0 to 1. Raises UsageError where LightGBM is not installed."""
    try:
        import lightgbm
    except ImportError as error:
        raise UsageError("LightGBM is not installed; `pip install winnow-curation[train]` brings it") from error
    booster = lightgbm.train(SETTINGS, lightgbm.Dataset(features, target, weight=weight), TREES)
    return _arrays([tree["tree_structure"] for tree in booster.dump_model()["tree_info"]])


def _arrays(structures: list[dict[str, Any]]) -> Trees:
    """Nodes of each tree, a parent before its children; the value of an inner node is the mean of its leaves by their weight."""
    roots: list[int] = []
    nodes: list[list[float]] = []
    for structure in structures:
        roots.append(len(nodes))
        _add(structure, nodes)
    columns = list(zip(*nodes, strict=True))
    types = (np.int16, np.float32, np.int32, np.int32, np.float32)
    return Trees(np.array([*roots, len(nodes)], np.int32), *(np.array(c, t) for c, t in zip(columns, types, strict=True)))


def _add(node: dict[str, Any], nodes: list[list[float]]) -> tuple[int, float, float]:
    """Appends a node and what is below it; returns its number, its mean value, and the examples there."""
    number = len(nodes)
    if "leaf_value" in node:
        nodes.append([-1, 0.0, 0, 0, node["leaf_value"]])
        return number, node["leaf_value"], float(node.get("leaf_count", 1))
    nodes.append([node["split_feature"], _below(node["threshold"]), 0, 0, 0.0])
    left, left_value, left_count = _add(node["left_child"], nodes)
    right, right_value, right_count = _add(node["right_child"], nodes)
    count = left_count + right_count
    mean = (left_value * left_count + right_value * right_count) / count
    nodes[number][2:] = [left, right, mean]
    return number, mean, count


def _below(bound: float) -> float:
    """The largest float32 that is not above the bound: features are float32, so the same rows go left."""
    found = np.float32(bound)
    return float(found if float(found) <= bound else np.nextafter(found, np.float32(-np.inf)))
