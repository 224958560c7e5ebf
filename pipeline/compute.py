"""The compute ledger: what one training pass over the raw and over the curated corpus costs. Accounting, never a saving.

Deleting text at random shrinks these numbers just as much, so no difference of them is called a saving; that is measured at
equal quality. Every number carries its unit, a tag (`measured`, `counted`, `estimated`, `computed` or `assumed`) and its
source. An unknown GPU is an error, never a guess. Sources: C = 6 N D of Kaplan et al. 2020 (arXiv 2001.08361), and those
beside each constant below.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pipeline.errors import PlanError
from pipeline.plan import Compute


@dataclass(frozen=True)
class Gpu:
    """Peaks in dense TFLOP/s (vendors' pages often print sparse ones, twice as high), TDP in watts."""

    bf16: float
    fp8: float | None
    tdp_w: float
    source: str


_NVIDIA = "NVIDIA datasheet, SXM, dense; TDP also in mlco2/impact gpus.csv"

GPUS: dict[str, Gpu] = {
    "A100": Gpu(
        bf16=312, fp8=None, tdp_w=400, source="NVIDIA A100 80GB datasheet, SXM, dense; TDP also in mlco2/impact gpus.csv"
    ),
    "H100": Gpu(bf16=989, fp8=1979, tdp_w=700, source=_NVIDIA),
    "H800": Gpu(bf16=989, fp8=1979, tdp_w=700, source="the H100's chip with slower NVLink; its TDP is assumed to be the H100's"),
    "H200": Gpu(bf16=989, fp8=1979, tdp_w=700, source=_NVIDIA),
    "B200": Gpu(
        bf16=2250, fp8=4500, tdp_w=1000, source="NVIDIA datasheet, SXM, dense (pages that say 9000 for FP8 print sparse)"
    ),
}

ALL_IN_PER_TDP = 10_200 * 0.76 / 8 / 700
"""Watts of the whole node per watt of GPU TDP: an 8 x H100 node (8 x 700 W) in transformer training draws 76 % of its
10.2 kW rating (arXiv 2506.14551, abstract), 0.97 kW a GPU. For other GPUs the same ratio is assumed."""

VCPU_DOLLARS_PER_HOUR = 0.04
"""US dollars; chosen on on-demand list prices of general-purpose cloud machines, because the run's own price is unknown."""

VCPU_WATTS = 3.5
"""W of a fully used vCPU (Cloud Carbon Footprint, AwsFootprintEstimationConstants.ts: 0.74 idle, 3.5 full). Without memory."""

BYTES_PER_TOKEN = 4.0
"""UTF-8 bytes of English a token; chosen on the 3.94 characters a token of a 128k vocabulary on English (Llama 3, arXiv
2407.21783, section 3.2). Other scripts and vocabularies differ, easily by half: name `output.tokenizer` to count."""

NOT_A_SAVING = (
    "This is accounting for one pass, not a saving: the two models would not be equally good, and deleting text at random"
    " would show the same difference. The saving is measured at equal quality, separately."
)

EPOCHS_CHEAP = 4
EPOCHS_COSTLY = 16
"""Value of the marginal epoch against new text: 4th 0.82, 8th 0.63, 16th 0.38 (law of Muennighoff et al., arXiv 2305.16264,
with the constants of huggingface/datablations: R_D = 15.39)."""

Kind = Literal["counted", "estimated"]
_PLAN = "the plan"


@dataclass(frozen=True)
class Quantity:
    """A number with its unit and where it comes from; `value` is None where it is undefined."""

    value: float | None
    unit: str
    tag: Literal["measured", "counted", "estimated", "computed", "assumed"]
    source: str


def estimate(bytes_: int) -> int:
    """Estimated tokens of `bytes_` bytes of final text."""
    return round(bytes_ / BYTES_PER_TOKEN)


def find_gpu(name: str) -> Gpu:
    """The row of the GPU table. Raises PlanError, naming the known ones."""
    if name not in GPUS:
        raise PlanError(f"compute.gpu: {name!r} is not in the GPU table; known: {', '.join(GPUS)}")
    return GPUS[name]


def ledger(compute: Compute, *, tokens_read: int, tokens_kept: int, tokens_kind: Kind, curation_cpu_s: float) -> dict[str, Any]:
    """The ledger as JSON-able data: `sentence`, `assumptions`, `passes`, `curation`, `sufficiency`.

    Each leaf is a Quantity's dict. `tokens_*`: tokens of the final text of all documents and of the kept ones.
    `curation_cpu_s`: CPU-seconds (user + system) that the curation used.
    """
    read = Quantity(tokens_read, "tokens", tokens_kind, "final text of all documents")
    kept = Quantity(tokens_kept, "tokens", tokens_kind, "final text of the kept documents")
    less = Quantity(tokens_read - tokens_kept, "tokens", "computed", "raw - curated")
    planned = Quantity(compute.plan.tokens, "tokens", "assumed", f"{_PLAN}: compute.plan.tokens")
    passes = {
        "one pass over raw": read,
        "one pass over curated": kept,
        "one-pass difference (not a saving: the models are not equally good)": less,
        "the planned run": planned,
    }
    return {
        "sentence": NOT_A_SAVING,
        "assumptions": {name: asdict(quantity) for name, quantity in assumptions(compute).items()},
        "passes": [{"pass": name, **_training(compute, tokens)} for name, tokens in passes.items()],
        "curation": _curation(compute, curation_cpu_s),
        "sufficiency": _sufficiency(planned, kept),
    }


def assumptions(compute: Compute) -> dict[str, Quantity]:
    """What the ledger assumes, each with unit and source."""
    gpu = find_gpu(compute.gpu)
    return {
        "active parameters": Quantity(compute.plan.parameters, "parameters", "assumed", f"{_PLAN}: compute.plan.parameters"),
        f"{compute.gpu} peak, BF16 dense": Quantity(gpu.bf16 * 1e12, "FLOP/s", "assumed", gpu.source),
        "MFU against that peak": Quantity(compute.mfu, "share", "assumed", f"{_PLAN}: compute.mfu"),
        "price of a GPU-hour": Quantity(
            compute.price_per_gpu_hour, "US dollars", "assumed", f"{_PLAN}: compute.price_per_gpu_hour"
        ),
        "power of a GPU, all-in": Quantity(
            gpu.tdp_w * ALL_IN_PER_TDP / 1000, "kW", "assumed", "TDP x 1.38: node power of 8 x H100 in training, arXiv 2506.14551"
        ),
        "PUE of the data centre": Quantity(compute.pue, "ratio", "assumed", f"{_PLAN}: compute.pue"),
        "carbon of the grid": Quantity(
            compute.grid_g_per_kwh,
            "g CO2e/kWh",
            "assumed",
            f"{_PLAN}: compute.grid_g_per_kwh (445: world 2024, IEA Electricity 2025)",
        ),
        "price of a vCPU-hour": Quantity(VCPU_DOLLARS_PER_HOUR, "US dollars", "assumed", "on-demand list prices of cloud vCPUs"),
        "power of a vCPU": Quantity(
            VCPU_WATTS / 1000, "kW", "assumed", "Cloud Carbon Footprint, AWS constants, full load, without memory"
        ),
    }


def _training(compute: Compute, tokens: Quantity) -> dict[str, Any]:
    """FLOPs, GPU-hours, dollars, energy and carbon of training once on `tokens`."""
    gpu = find_gpu(compute.gpu)
    flops = 6 * compute.plan.parameters * (tokens.value or 0)
    hours = flops / (gpu.bf16 * 1e12 * compute.mfu) / 3600
    kwh = hours * gpu.tdp_w * ALL_IN_PER_TDP / 1000 * compute.pue
    return {
        "tokens": asdict(tokens),
        "flops": _computed(flops, "FLOP", "6 x parameters x tokens, without the attention term"),
        "gpu_hours": _computed(hours, f"{compute.gpu}-hours", "FLOPs / (BF16 dense peak x MFU) / 3600"),
        "dollars": _computed(hours * compute.price_per_gpu_hour, "US dollars", "GPU-hours x price"),
        "kwh": _computed(kwh, "kWh", "GPU-hours x all-in kW x PUE"),
        "kg_co2e": _computed(kwh * compute.grid_g_per_kwh / 1000, "kg CO2e", "kWh x g/kWh / 1000"),
    }


def _curation(compute: Compute, cpu_s: float) -> dict[str, Any]:
    hours = cpu_s / 3600
    kwh = hours * VCPU_WATTS / 1000 * compute.pue
    return {
        "cpu_hours": asdict(Quantity(hours, "CPU-hours", "measured", "user + system time of the run")),
        "dollars": _computed(hours * VCPU_DOLLARS_PER_HOUR, "US dollars", "CPU-hours x assumed price of a vCPU"),
        "kwh": _computed(kwh, "kWh", "CPU-hours x assumed power of a vCPU x PUE"),
        "kg_co2e": _computed(kwh * compute.grid_g_per_kwh / 1000, "kg CO2e", "kWh x g/kWh / 1000"),
    }


def _sufficiency(planned: Quantity, kept: Quantity) -> dict[str, Any]:
    """How often the planned run reads each kept token: planned tokens / kept tokens."""
    epochs = (planned.value or 0) / kept.value if kept.value else None
    verdict, sentence = _judge(epochs)
    return {
        "planned_tokens": asdict(planned),
        "kept_tokens": asdict(kept),
        "epochs": _computed(epochs, "epochs", "planned tokens / kept tokens (unique as far as dedup compared them)"),
        "verdict": verdict,
        "sentence": sentence,
    }


def _judge(epochs: float | None) -> tuple[str, str]:
    if epochs is None:
        return "nothing", "Nothing was kept, so there is nothing to train on."
    if epochs <= 1:
        return "enough", "Enough: the planned run does not read any document twice."
    if epochs <= EPOCHS_CHEAP:
        return "repeats", "Enough with repeats: up to about 4 epochs cost little (the 4th is worth 0.82 of new text)."
    if epochs <= EPOCHS_COSTLY:
        return "costly", "Scarce: later epochs are worth much less (the 8th 0.63, the 16th 0.38 of new text)."
    return "too_few", "Too few for that plan: past 16 epochs a repeat is worth little. Curate more text, or plan a shorter run."


def _computed(value: float | None, unit: str, source: str) -> dict[str, Any]:
    return asdict(Quantity(value, unit, "computed", source))
