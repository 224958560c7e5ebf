"""Passages that hold an item of an evaluation set are cut, and the text around them stays.

What a passage is: filter `decontaminate`, whose signals tell afterwards what is still there; with `reads` = the source text its
evidence names what was cut. A passage goes with the signs that its last word ends with.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from filters.edits.contract import Edit, Walk
from filters.evaluations import index
from filters.evaluations.index import Sets
from filters.kernels.items import scan
from filters.kernels.items.passages import LEAST


class DecontaminateParams(Sets):
    max_coverage: float = Field(
        0.5, ge=LEAST, le=1, description="share of an evaluation item, by the rarity of its words, above which its passage is cut"
    )


def steps(params: DecontaminateParams) -> list[Walk]:
    def apply(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        loaded, above = index.load(params), float(np.nextafter(np.float32(params.max_coverage), np.float32(2)))
        return scan.cut(offsets, data, loaded.items, loaded.seeds, limit=above)

    return [Walk(names=("decontaminate.evaluation_item",), apply=apply)]


EDIT = Edit(
    name="decontaminate",
    version=2,
    summary="passages that hold an item of an evaluation set are cut",
    params=DecontaminateParams,
    steps=steps,
    files=index.files,
    load=index.load,
)
