"""The compute ledger as metrics.json holds it: what one training pass costs, for what the text is enough, which levers there are.

Every figure is a Quantity: with its unit, how it came about and from where.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Quantity, Record

Enough = Literal["nothing", "enough", "repeats", "costly", "too_few"]
"""Whether the kept text is enough for the planned run."""


class Pass(Record):
    """Training once on some tokens: FLOPs, GPU-hours, dollars, energy and carbon."""

    name: str = Field(alias="pass")
    tokens: Quantity
    flops: Quantity
    gpu_hours: Quantity
    dollars: Quantity
    kwh: Quantity
    kg_co2e: Quantity


class Curation(Record):
    """What work on CPUs cost; lost hours are of attempts that published nothing."""

    cpu_hours: Quantity
    lost_cpu_hours: Quantity
    dollars: Quantity
    kwh: Quantity
    kg_co2e: Quantity


class LanguageSufficiency(Record):
    """How often the planned run reads each kept token of one language."""

    language: str
    kept_tokens: Quantity
    planned_tokens: Quantity
    epochs: Quantity
    verdict: Enough | Literal["not planned"]


class Sufficiency(Record):
    """How often the planned run reads each kept token, in all and by language."""

    planned_tokens: Quantity
    kept_tokens: Quantity
    epochs: Quantity
    verdict: Enough
    sentence: str
    by_language: tuple[LanguageSufficiency, ...]


class Prospect(Record):
    """What the kept text is good for, and between what its curation may save: counts of tokens, nothing measured.

    `read`, `kept`: tokens of all documents and of the kept ones; `kept_share`: null of no text; `most`: the multiplier if nothing
    that was dropped was of use, null where nothing was kept. The parameters of the largest model
    that the text is enough for are null where it is too little to plan a run.
    """

    read: Quantity
    kept: Quantity
    kept_share: Quantity
    most: Quantity
    one_pass: Quantity | None
    four_passes: Quantity | None


class Lever(Record):
    """Something other than data that makes a model cheap: its setting and its effect."""

    lever: str
    setting: Quantity
    effect: Quantity
    note: str


class Ledger(Record):
    """What one training pass over the raw and over the curated corpus costs: accounting, never a saving.

    `passes` are empty where the text is too little to plan a run and no run is planned; `sufficiency` and `levers` are of a
    planned run. `prospect` is null in manifests of earlier releases, which took a plan for granted.
    """

    sentence: str
    assumptions: dict[str, Quantity]
    passes: tuple[Pass, ...]
    curation: Curation
    sufficiency: Sufficiency | None = None
    levers: tuple[Lever, ...] = ()
    prospect: Prospect | None = None
