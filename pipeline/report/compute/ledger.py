"""The compute ledger: what one training pass over the raw and over the curated corpus costs. Accounting, never a saving.

Deleting text at random shrinks these numbers just as much, so no difference of them is called a saving; that is measured at
equal quality (`pipeline.savings`). Every number carries its unit, a tag (`measured`, `counted`, `estimated`, `computed` or
`assumed`) and its source; every constant is a key of `compute:` in the plan. Sources: C = 6 N D of Kaplan et al. 2020 (arXiv
2001.08361), and those beside each constant. A mixture of experts computes with its active parameters only.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Literal

from pipeline.plan.compute import Compute
from pipeline.records.base import Quantity
from pipeline.records.ledger import Curation, Ledger, Pass
from pipeline.report.compute.gpus import ALL_IN_PER_TDP, find_gpu
from pipeline.report.compute.levers import levers, speedup
from pipeline.report.compute.sufficiency import sufficiency

NOT_A_SAVING = (
    "This is accounting for one pass, not a saving: the two models would not be equally good, and deleting text at random"
    " would show the same difference. The saving is measured at equal quality, separately."
)

Kind = Literal["counted", "estimated"]
_PLAN = "the plan"


def estimate(bytes_: int, bytes_per_token: float) -> int:
    """Estimated tokens of `bytes_` bytes of final text. Other scripts and vocabularies than the ratio's differ, easily by half:
    name `output.tokenizer` to count."""
    return round(bytes_ / bytes_per_token)


def ledger(
    compute: Compute,
    *,
    tokens_read: int,
    tokens_kept: int,
    tokens_kind: Kind,
    curation_cpu_s: float,
    lost_cpu_s: float = 0.0,
    languages: Sequence[tuple[str, int]] = (),
) -> Ledger:
    """The ledger of one generation.

    `tokens_*`: tokens of the final text of all documents and of the kept ones.
    `curation_cpu_s`: CPU-seconds (user + system) of the run that published; `lost_cpu_s`: of attempts before it that did not.
    `languages`: kept bytes by language, where it is known.
    """
    read = Quantity(tokens_read, "tokens", tokens_kind, "final text of all documents")
    kept = Quantity(tokens_kept, "tokens", tokens_kind, "final text of the kept documents")
    less = Quantity(tokens_read - tokens_kept, "tokens", "computed", "raw - curated")
    planned = _assumed(compute, "plan.tokens", "tokens")
    passes = {
        "one pass over raw": read,
        "one pass over curated": kept,
        "one-pass difference (not a saving: the models are not equally good)": less,
        "the planned run": planned,
    }
    lines = [training(compute, tokens, name=name) for name, tokens in passes.items()]
    if compute.extra_gpu_hours:
        lines.append(training(compute, planned, name="the planned run with its later stages", later_stages=True))
    return Ledger(
        sentence=NOT_A_SAVING,
        assumptions=assumptions(compute),
        passes=tuple(lines),
        curation=curation(compute, curation_cpu_s, lost_cpu_s),
        sufficiency=sufficiency(planned, kept, compute.plan, languages=languages),
        levers=levers(compute, training_dollars=lines[-1].dollars.number),
    )


def assumptions(compute: Compute) -> dict[str, Quantity]:
    """What the ledger assumes, each with unit and source."""
    gpu = find_gpu(compute.gpu)
    power = "TDP x 1.38: node power of 8 x H100 in training, arXiv 2506.14551"
    found = {
        "active parameters": _assumed(compute, "plan.parameters", "parameters"),
        f"{compute.gpu} peak, BF16 dense": Quantity(gpu.bf16 * 1e12, "FLOP/s", "assumed", gpu.source),
        "MFU against that peak": _assumed(compute, "mfu", "share"),
        "price of a GPU-hour": _assumed(compute, "price_per_gpu_hour", "US dollars"),
        "power of a GPU, all-in": Quantity(kilowatts(compute), "kW", "assumed", power)
        if compute.gpu_kw is None
        else _assumed(compute, "gpu_kw", "kW"),
        "PUE of the data centre": _assumed(compute, "pue", "ratio", note=" (1.1 to 1.58 are usual)"),
        "carbon of the grid": _assumed(compute, "grid_g_per_kwh", "g CO2e/kWh", note=" (445: world 2024, IEA Electricity 2025)"),
        "price of a vCPU-hour": _assumed(compute, "vcpu_price_per_hour", "US dollars", note=" (on-demand list prices)"),
        "power of a vCPU": Quantity(
            compute.vcpu_watts / 1000,
            "kW",
            "assumed",
            f"{_PLAN}: compute.vcpu_watts (Cloud Carbon Footprint, AWS constants, full load, without memory)",
        ),
    }
    hours = f"{compute.gpu}-hours"
    if compute.precision == "fp8":
        found["speed of FP8 over BF16"] = _assumed(compute, "fp8_speedup", "ratio")
    if compute.gpu_hours_per_trillion_tokens is not None:
        note = "; peak, MFU and precision are not used"
        found["GPU-hours for 10^12 tokens"] = _assumed(compute, "gpu_hours_per_trillion_tokens", hours, note=note)
    if compute.extra_gpu_hours:
        found["later stages"] = _assumed(compute, "extra_gpu_hours", hours)
    return found


def _assumed(compute: Compute, key: str, unit: str, *, note: str = "") -> Quantity:
    """A key of the plan's `compute` as it stands there."""
    return Quantity(attrgetter(key)(compute), unit, "assumed", f"{_PLAN}: compute.{key}{note}")


def kilowatts(compute: Compute) -> float:
    """kW of one GPU with its share of the node."""
    return compute.gpu_kw if compute.gpu_kw is not None else find_gpu(compute.gpu).tdp_w * ALL_IN_PER_TDP / 1000


def gpu_hours(compute: Compute, tokens: float) -> float:
    """GPU-hours of training on `tokens`."""
    if compute.gpu_hours_per_trillion_tokens is not None:
        return compute.gpu_hours_per_trillion_tokens * tokens / 1e12
    return 6 * compute.plan.parameters * tokens / (find_gpu(compute.gpu).bf16 * 1e12 * compute.mfu * speedup(compute)) / 3600


def training(compute: Compute, tokens: Quantity, *, name: str, later_stages: bool = False) -> Pass:
    """FLOPs, GPU-hours, dollars, energy and carbon of training once on `tokens`."""
    hours = gpu_hours(compute, tokens.number) + (compute.extra_gpu_hours if later_stages else 0)
    measured = compute.gpu_hours_per_trillion_tokens is not None
    how = "tokens x GPU-hours for 10^12 tokens" if measured else "FLOPs / (BF16 dense peak x MFU x speed-up) / 3600"
    kwh = hours * kilowatts(compute) * compute.pue
    return Pass(
        name=name,
        tokens=tokens,
        flops=Quantity.computed(
            6 * compute.plan.parameters * tokens.number, "FLOP", "6 x active parameters x tokens, without the attention term"
        ),
        gpu_hours=Quantity.computed(hours, f"{compute.gpu}-hours", how + (" + later stages" if later_stages else "")),
        dollars=Quantity.computed(hours * compute.price_per_gpu_hour, "US dollars", "GPU-hours x price"),
        kwh=Quantity.computed(kwh, "kWh", "GPU-hours x all-in kW x PUE"),
        kg_co2e=Quantity.computed(kwh * compute.grid_g_per_kwh / 1000, "kg CO2e", "kWh x g/kWh / 1000"),
    )


def curation(compute: Compute, cpu_s: float, lost_cpu_s: float) -> Curation:
    """The cost of CPU work: hours, and lost hours among them, dollars, energy and carbon."""
    hours = (cpu_s + lost_cpu_s) / 3600
    kwh = hours * compute.vcpu_watts / 1000 * compute.pue
    return Curation(
        cpu_hours=Quantity(hours, "CPU-hours", "measured", "user + system time of the process tree, lost attempts included"),
        lost_cpu_hours=Quantity(lost_cpu_s / 3600, "CPU-hours", "measured", "attempts before this one that published nothing"),
        dollars=Quantity.computed(hours * compute.vcpu_price_per_hour, "US dollars", "CPU-hours x assumed price of a vCPU"),
        kwh=Quantity.computed(kwh, "kWh", "CPU-hours x assumed power of a vCPU x PUE"),
        kg_co2e=Quantity.computed(kwh * compute.grid_g_per_kwh / 1000, "kg CO2e", "kWh x g/kWh / 1000"),
    )
