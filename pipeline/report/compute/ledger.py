"""The compute ledger: what one training pass over the raw and over the curated corpus costs. Accounting, never a saving.

Deleting text at random shrinks these numbers just as much, so no difference of them is called a saving; that is measured at
equal quality (`pipeline.savings`). Every number carries its unit, a tag (`measured`, `counted`, `estimated`, `computed` or
`assumed`) and its source; every constant is a key of `compute:` in the plan. Sources: C = 6 N D of Kaplan et al. 2020 (arXiv
2001.08361), and those beside each constant. A mixture of experts computes with its active parameters only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Literal

from pipeline.plan.compute import Compute
from pipeline.records.base import Quantity
from pipeline.records.ledger import Curation, Ledger, Pass
from pipeline.records.metrics_json import RunMetrics
from pipeline.report.compute.gpus import ALL_IN_PER_TDP, find_gpu
from pipeline.report.compute.levers import levers, speedup
from pipeline.report.compute.prospect import prospect
from pipeline.report.compute.sufficiency import sufficiency

NOT_A_SAVING = (
    "This is accounting for one pass, not a saving: the two models would not be equally good, and deleting text at random"
    " would show the same difference. The saving is measured at equal quality, separately."
)

Kind = Literal["counted", "estimated"]
_PLAN = "the plan"
PARAMETERS = "active parameters"
"""What is assumed of the model that the passes train."""


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
    """The ledger of one generation, or of all that an output holds.

    `tokens_*`: tokens of all documents as they were read, and of the kept ones as they are written.
    `curation_cpu_s`: CPU-seconds (user + system) of the run that published; `lost_cpu_s`: of attempts before it that did not.
    `languages`: kept bytes by language, where it is known. Where no run is planned, the passes train the largest model that
    the kept text is enough for in one pass.
    """
    read = Quantity(tokens_read, "tokens", tokens_kind, "text of all documents, as read")
    kept = Quantity(tokens_kept, "tokens", tokens_kind, "final text of the kept documents")
    plan, found = compute.plan, prospect(read, kept)
    model = found.one_pass if plan is None else _assumed(compute, "plan.parameters", "parameters")
    lines = () if model is None else tuple(_passes(compute, model, read=read, kept=kept))
    return Ledger(
        sentence=NOT_A_SAVING,
        assumptions=assumptions(compute, model),
        passes=lines,
        curation=curation(compute, curation_cpu_s, lost_cpu_s),
        sufficiency=None if plan is None else sufficiency(_tokens(compute), kept, plan, languages=languages),
        levers=() if plan is None else levers(compute, plan, training_dollars=lines[-1].dollars.number),
        prospect=found,
    )


def of_generations(live: Sequence[RunMetrics], compute: Compute) -> Ledger:
    """The ledger of all that an output holds: sums of its live generations. Tokens are counted where all were."""
    languages: dict[str, int] = {}
    for line in (line for made in live for line in made.by_language if line.language):
        languages[line.language or ""] = languages.get(line.language or "", 0) + line.bytes_kept
    return ledger(
        compute,
        tokens_read=sum(made.tokens.read for made in live),
        tokens_kept=sum(made.tokens.kept for made in live),
        tokens_kind="counted" if {made.tokens.kind for made in live} == {"counted"} else "estimated",
        curation_cpu_s=sum(made.cost.cpu_s for made in live),
        lost_cpu_s=sum(made.cost.lost_cpu_s for made in live),
        languages=list(languages.items()),
    )


def _passes(compute: Compute, model: Quantity, *, read: Quantity, kept: Quantity) -> Iterator[Pass]:
    less = Quantity(read.number - kept.number, "tokens", "computed", "raw - curated")
    passes = {
        "one pass over raw": read,
        "one pass over curated": kept,
        "one-pass difference (not a saving: the models are not equally good)": less,
    }
    for name, tokens in passes.items():
        yield training(compute, model, tokens, name=name)
    if compute.plan is not None:
        yield training(compute, model, _tokens(compute), name="the planned run")
    if compute.extra_gpu_hours:
        yield training(compute, model, _tokens(compute), name="the planned run with its later stages", later_stages=True)


def _tokens(compute: Compute) -> Quantity:
    """Of the planned run."""
    return _assumed(compute, "plan.tokens", "tokens")


def assumptions(compute: Compute, model: Quantity | None) -> dict[str, Quantity]:
    """What the ledger assumes, each with unit and source. `model`: active parameters, None where no run can be planned."""
    gpu = find_gpu(compute.gpu)
    power = "TDP x 1.38: node power of 8 x H100 in training, arXiv 2506.14551"
    found = {} if model is None else {PARAMETERS: model}
    found |= {
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


def gpu_hours(compute: Compute, parameters: float, tokens: float) -> float:
    """GPU-hours of training a model on `tokens`."""
    if compute.gpu_hours_per_trillion_tokens is not None:
        return compute.gpu_hours_per_trillion_tokens * tokens / 1e12
    return 6 * parameters * tokens / (find_gpu(compute.gpu).bf16 * 1e12 * compute.mfu * speedup(compute)) / 3600


def dollars_per_flop(compute: Compute) -> float:
    """What a FLOP of training costs; where GPU-hours by tokens were measured, of the planned model."""
    parameters = 1.0 if compute.plan is None else compute.plan.parameters
    return gpu_hours(compute, parameters, 1e12) * compute.price_per_gpu_hour / (6 * parameters * 1e12)


def training(compute: Compute, model: Quantity, tokens: Quantity, *, name: str, later_stages: bool = False) -> Pass:
    """FLOPs, GPU-hours, dollars, energy and carbon of training once on `tokens`. `model`: its active parameters."""
    hours = gpu_hours(compute, model.number, tokens.number) + (compute.extra_gpu_hours if later_stages else 0)
    measured = compute.gpu_hours_per_trillion_tokens is not None
    how = "tokens x GPU-hours for 10^12 tokens" if measured else "FLOPs / (BF16 dense peak x MFU x speed-up) / 3600"
    kwh = hours * kilowatts(compute) * compute.pue
    return Pass(
        name=name,
        tokens=tokens,
        flops=Quantity.computed(
            6 * model.number * tokens.number, "FLOP", "6 x active parameters x tokens, without the attention term"
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
