"""The plan's keys for training (`compute`): every constant of the ledger with unit and source, and the run that is planned.

They change no byte of the output and are no part of the recipe.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from filters.models import labels
from pipeline.settings import PlanModel

BYTES_PER_TOKEN = 4.0
"""UTF-8 bytes of English a token; chosen on the 3.94 characters a token of a 128k vocabulary on English (Llama 3, arXiv
2407.21783, section 3.2). Other scripts and vocabularies differ, easily by half: name `output.tokenizer` to count."""


TOKENS_A_PARAMETER = 20
"""Training tokens of the largest model that a text is enough for, a parameter: Hoffmann et al. 2022 (arXiv 2203.15556, table 3).
Its rounding hides a factor of about three either way: a rule of thumb for sizes, no law."""


class TrainingPlan(PlanModel):
    """One of `parameters` and `tokens` is enough: the other is then what 20 tokens a parameter make of it."""

    parameters: float = Field(gt=0, le=1e18, description="active parameters of the planned model; default: tokens / 20")
    total_parameters: float | None = Field(
        None, gt=0, le=1e18, description="all parameters of a mixture of experts, for memory; default: the active ones"
    )
    tokens: float = Field(gt=0, le=1e18, description="tokens the planned model will be trained on; default: 20 x parameters")
    languages: dict[str, float] = Field({}, description="share of the planned tokens by language; default: as they are kept")
    inference_tokens: float = Field(0, ge=0, le=1e20, description="tokens the model will serve in its life; 0: not counted")

    @model_validator(mode="before")
    @classmethod
    def _by_the_other(cls, data: Any) -> Any:
        known = {name: data[name] for name in ("parameters", "tokens") if name in data} if isinstance(data, dict) else {}
        if isinstance(data, dict) and not known:
            raise ValueError("expected parameters or tokens of the planned run, such as {parameters: 7e9}")
        if len(known) != 1:
            return data
        (name, value), factor = *known.items(), TOKENS_A_PARAMETER
        try:
            other = {"tokens": float(value) * factor} if name == "parameters" else {"parameters": float(value) / factor}
        except (TypeError, ValueError):  # said of the value itself
            other = {"tokens" if name == "parameters" else "parameters": 1.0}
        return {**data, **other}

    @field_validator("languages")
    @classmethod
    def _shares(cls, value: dict[str, float]) -> dict[str, float]:
        if any(share < 0 for share in value.values()) or sum(value.values()) > 1 + 1e-9:
            raise ValueError("expected shares from 0 to 1 that sum to at most 1")
        named = {labels.canonical(code): share for code, share in value.items()}
        if len(named) < len(value):
            raise ValueError(f"{', '.join(value)}: names a language twice")
        return named


class Compute(PlanModel):
    """What training costs, for the compute ledger, and the run that is planned, if one is. Changes no byte of the output."""

    plan: TrainingPlan | None = Field(None, description="the planned run; null: none is assumed")
    gpu: str = Field("H100", description="GPU of the planned run, a row of the GPU table")
    precision: Literal["bf16", "fp8"] = Field(
        "bf16", description="precision of the planned run; mfu is against the BF16 peak in both"
    )
    fp8_speedup: float = Field(
        1.0, ge=1, le=2, description="measured speed of FP8 over BF16 (1.2 to 1.6 is plausible; the peaks say 2)"
    )
    mfu: float = Field(0.4, gt=0, le=1, description="model FLOPs utilisation")
    gpu_hours_per_trillion_tokens: float | None = Field(
        None, gt=0, le=1e12, description="GPU-hours your trainer takes for 10^12 tokens; replaces 6ND / (peak x mfu)"
    )
    extra_gpu_hours: float = Field(0, ge=0, le=1e12, description="GPU-hours of later stages: context extension, post-training")
    price_per_gpu_hour: float = Field(2.0, ge=0, le=1e6, description="US dollars")
    gpu_kw: float | None = Field(
        None, gt=0, le=100, description="kW of a GPU, its share of the node included; default: TDP x 1.38 (arXiv 2506.14551)"
    )
    pue: float = Field(1.2, ge=1, le=10, description="power usage effectiveness of the data centre")
    grid_g_per_kwh: float = Field(445, ge=0, le=1e5, description="g CO2e per kWh (world average 2024, IEA Electricity 2025)")
    vcpu_price_per_hour: float = Field(0.04, ge=0, le=1e4, description="US dollars of a vCPU-hour (on-demand list prices)")
    vcpu_watts: float = Field(3.5, ge=0, le=1000, description="W of a fully used vCPU (Cloud Carbon Footprint, AWS constants)")
    mfu_inference: float = Field(0.1, gt=0, le=1, description="utilisation when the model serves (0.05 to 0.3 while decoding)")
    bytes_per_token: float = Field(
        BYTES_PER_TOKEN,
        gt=0,
        le=100,
        description="UTF-8 bytes a token where no tokenizer counts",
    )
    targets: tuple[str, ...] = Field(
        (), description="held-out sets of the measured saving (JSONL, Parquet), the primary one first"
    )

    @model_validator(mode="after")
    def _of_a_plan(self) -> Self:
        given = "gpu_hours_per_trillion_tokens" if self.gpu_hours_per_trillion_tokens is not None else "extra_gpu_hours"
        if self.plan is None and (self.gpu_hours_per_trillion_tokens is not None or self.extra_gpu_hours):
            raise ValueError(f"{given} is of a planned run: write compute.plan (parameters or tokens) too")
        return self
