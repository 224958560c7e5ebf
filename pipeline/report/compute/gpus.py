"""The GPU table. An unknown GPU is an error, never a guess."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from pipeline.errors import PlanError


@dataclass(frozen=True)
class Gpu:
    """Peaks in dense TFLOP/s (vendors' pages often print sparse ones, twice as high), TDP in watts."""

    bf16: float
    fp8: float | None
    tdp_w: float
    memory_gb: float
    source: str


_NVIDIA = "NVIDIA datasheet, SXM, dense; TDP also in mlco2/impact gpus.csv"

GPUS: dict[str, Gpu] = {
    "A100": Gpu(312, None, 400, 80, "NVIDIA A100 80GB datasheet, SXM, dense; TDP also in mlco2/impact gpus.csv"),
    "H100": Gpu(989, 1979, 700, 80, _NVIDIA),
    "H800": Gpu(989, 1979, 700, 80, "the H100's chip with slower NVLink; its TDP is assumed to be the H100's"),
    "H200": Gpu(989, 1979, 700, 141, _NVIDIA),
    "B200": Gpu(2250, 4500, 1000, 180, "NVIDIA datasheet, SXM, dense (pages that say 9000 for FP8 print sparse)"),
}

ALL_IN_PER_TDP = 10_200 * 0.76 / 8 / 700
"""Watts of the whole node per watt of GPU TDP: an 8 x H100 node (8 x 700 W) in transformer training draws 76 % of its
10.2 kW rating (arXiv 2506.14551, abstract), 0.97 kW a GPU. For other GPUs the same ratio is assumed."""


def find_gpu(name: str) -> Gpu:
    """The row of the GPU table. Raises PlanError, naming the known ones."""
    if name not in GPUS:
        near = difflib.get_close_matches(name.upper(), GPUS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise PlanError(f"compute.gpu: {name!r} is not in the GPU table; {hint}known: {', '.join(GPUS)}")
    return GPUS[name]
