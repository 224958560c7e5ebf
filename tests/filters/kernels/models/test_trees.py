"""Sums of trees are those of the leaves that each row comes to by itself, whatever the trees' heights and the number of rows."""

from __future__ import annotations

import numpy as np
import pytest

from filters.kernels.models import trees
from filters.kernels.models.trees import Trees

FEATURES = 3


def grown(chance: np.random.Generator, count: int) -> Trees:
    """Random trees, each leaf of which is split or not: from a root that is a leaf to long chains."""
    roots, nodes = [], []

    def add(depth: int) -> int:
        number = len(nodes)
        nodes.append([-1, 0.0, 0, 0, chance.normal()])
        if depth and chance.random() < 0.7:
            nodes[number][:2] = [chance.integers(FEATURES), float(chance.integers(-2, 3))]
            nodes[number][2:4] = [add(depth - 1), add(depth - 1)]
        return number

    for k in range(count):
        roots.append(len(nodes))
        add(k % 9)
    columns = zip(*nodes, strict=True)
    types = (np.int16, np.float32, np.int32, np.int32, np.float32)
    return Trees(np.array([*roots, len(nodes)], np.int32), *(np.array(c, t) for c, t in zip(columns, types, strict=True)))


def plain(made: Trees, row: np.ndarray) -> float:
    total = 0.0
    for root in made.roots[:-1]:
        node = root
        while made.feature[node] >= 0:
            node = made.left[node] if row[made.feature[node]] <= made.bound[node] else made.right[node]
        total += float(made.value[node])
    return total


@pytest.mark.parametrize("rows", [0, 1, 31, 32, 33, 100])
def test_sums_are_those_of_one_row_at_a_time(rows):
    chance = np.random.default_rng(rows)
    made = grown(chance, 20)
    features = chance.integers(-3, 4, (rows, FEATURES)).astype(np.float32)  # bounds are met exactly
    assert trees.sums(made, features).tolist() == [plain(made, row) for row in features]
