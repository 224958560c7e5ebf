"""Other ways to make a model cheap: one line a lever, each tagged computed or assumed. Data is one lever among six.

Training multiplies: hours = 6 N_active D / (BF16 peak x MFU x speed-up of the precision), dollars = hours x price; serving adds
2 N_active a token. The lines are alternatives to look at, never summed, and not independent (a mixture of experts changes
what data are worth).
"""

from __future__ import annotations

from pipeline.plan.compute import Compute, TrainingPlan
from pipeline.records.base import Quantity
from pipeline.records.ledger import Lever
from pipeline.report.compute.gpus import find_gpu

_BYTES_PER_WEIGHT = {"bf16": 2.0, "fp8": 1.0}


def levers(compute: Compute, plan: TrainingPlan, *, training_dollars: float) -> tuple[Lever, ...]:
    """The table, one line a lever. `training_dollars`: of the planned run."""
    gpu = find_gpu(compute.gpu)
    total = plan.total_parameters or plan.parameters
    rate = gpu.bf16 * 1e12 * compute.mfu_inference * 3600
    served = plan.inference_tokens * 2 * plan.parameters / rate * compute.price_per_gpu_hour
    return (
        Lever(
            lever="active parameters",
            setting=Quantity(plan.parameters, "parameters", "assumed", "compute.plan.parameters"),
            effect=Quantity.computed(
                total / plan.parameters, "times cheaper", "total / active parameters: against a dense model of that size"
            ),
            note="Memory and serving hold all parameters, not only the active ones.",
        ),
        Lever(
            lever="weights in memory",
            setting=Quantity(total, "parameters", "assumed", "compute.plan.total_parameters, else the active ones"),
            effect=Quantity.computed(
                total * _BYTES_PER_WEIGHT[compute.precision] / 1e9 / gpu.memory_gb,
                f"{compute.gpu}s",
                "total parameters x bytes a weight / memory of a GPU: the least that can serve it",
            ),
            note="Without the cache of keys and values.",
        ),
        Lever(
            lever=f"precision {compute.precision}",
            setting=Quantity(compute.fp8_speedup, "ratio", "assumed", "compute.fp8_speedup: measure it on your trainer"),
            effect=Quantity.computed(speedup(compute), "times cheaper", "speed over BF16, where the precision is fp8"),
            note="Peaks promise 2; whole training runs see less.",
        ),
        Lever(
            lever="utilisation",
            setting=Quantity(compute.mfu, "share", "assumed", "compute.mfu, against the BF16 dense peak"),
            effect=Quantity.computed(1 / compute.mfu, "times cheaper at most", "1 / MFU: what is left to gain"),
            note="Published runs reach 0.38 to 0.45; below 1B parameters 0.2 to 0.3 is usual.",
        ),
        Lever(
            lever="price",
            setting=Quantity(compute.price_per_gpu_hour, "US dollars an hour", "assumed", "compute.price_per_gpu_hour"),
            effect=Quantity.computed(training_dollars, "US dollars", "the planned run at that price; it is proportional"),
            note="List prices of one GPU differ by a factor of two to three.",
        ),
        Lever(
            lever="inference volume",
            setting=Quantity(plan.inference_tokens, "tokens", "assumed", "compute.plan.inference_tokens"),
            effect=Quantity.computed(
                served, "US dollars", "tokens x 2 x active parameters / (BF16 peak x mfu_inference) x price"
            ),
            note="A smaller model trained longer pays where this outweighs training (arXiv 2401.00448).",
        ),
    )


def speedup(compute: Compute) -> float:
    """Speed over BF16 of the planned run."""
    return compute.fp8_speedup if compute.precision == "fp8" else 1.0
