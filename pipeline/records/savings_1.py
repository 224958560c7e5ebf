"""savings.json: what a measurement of the compute saving found, at equal quality.

Which keys are there depends on the tier and on what was asked for; a field that was not set is not written (`plain`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Json, Number, Quantity, Record

SCHEMA = 1
"""Version of the keys of savings.json; it rises when one changes its meaning."""

Range = tuple[Number, Number]
"""The low and the high end of an interval."""


class Trend(Record):
    """Multipliers at the last budgets, each as if the run had ended there, and how they move."""

    budgets: tuple[Number, ...]
    multipliers: tuple[Number, ...]
    direction: str


class SeedLine(Record):
    """One seed's multiplier, null where it is not finite."""

    multiplier: Number | None
    status: str


class ArmLine(Record):
    """An arm against the baseline on one set. Numbers are null where they are not defined or not finite."""

    arm: str
    multiplier: Number | None
    interval: Range | None
    interval_t: Range | None
    interval_bootstrap: Range | None
    bound: Literal["lower", "upper"] | None
    status: str
    status_in_words: str
    reached_in_seeds: int
    verdict: str
    clears_noise: bool
    distinguishable: Number | None
    gap: Number
    gap_interval: Range | None
    best_gap: Number
    kept_yield: Number | None = Field(alias="yield")
    trend: Trend
    per_seed: tuple[SeedLine, ...]


class Decontaminated(Record):
    """Lines of a held-out set, and how many of them were removed because training text holds them."""

    lines: int
    removed: int


class SetLine(Record):
    """A held-out set: its role, `(compute, bits per byte, standard deviation)` of each checkpoint and arm, and a line an arm."""

    name: str
    role: str
    about: str
    bytes: int
    documents: int
    sha256: str
    decontaminated: Decontaminated
    baseline: str
    noise_floor: Range | None
    curves: dict[str, tuple[tuple[Number, Number, Number], ...]]
    arms: tuple[ArmLine, ...]


class RegimeLine(Record):
    """The sets where the models were trained in another way. `unique_tokens`: different ones that each arm repeats."""

    regime: str
    unique_tokens: dict[str, int] | None
    sets: tuple[SetLine, ...]


class Ranked(Record):
    """An arm in an order; `same`: its interval does not exclude the baseline."""

    arm: str
    multiplier: Number | None
    interval: Range | None
    same: bool


class Ranking(Record):
    """The arms from best to worst on a set."""

    set: str
    arms: tuple[Ranked, ...]


class Sweep(Record):
    """The values of one key of the plan, ranked on a set; `recommended` is null where no difference is measurable."""

    key: str
    set: str
    ranking: tuple[Ranked, ...]
    recommended: str | None
    sentence: str


class Family(Record):
    """What a filter adds: the multiplier of the whole plan over the plan without it, and its CPU seconds."""

    family: str
    worth: Number | None
    interval: Range | None
    cpu_s: Number | None


class Families(Record):
    """What each filter adds on a set, the most useful first."""

    set: str
    families: tuple[Family, ...]


class ArmSize(Record):
    """An arm's text. Tokens are known where models were trained, the path where it was exported."""

    arm: str
    what: str
    path: str = ""
    documents: int
    bytes: int
    corpus_bytes: Number
    kept_share: Number = 1
    bytes_per_token: Number = 0
    corpus_tokens: Number = 0
    planned_epochs: Number = 0
    repeated_as_planned: bool = False
    enough: bool = True


class Model(Record):
    """What was trained, or counted."""

    what: str
    unit_of_compute: str = ""
    parameters: Number = 0
    tokens: Number = 0
    seeds: int
    learning_rate: Number = 0
    schedule: str = ""
    vocabulary: int = 0
    training_cpu_s: Number = 0


class ProxyCost(Record):
    """What the measurement itself cost."""

    cpu_hours: Quantity
    dollars: Quantity
    kwh: Quantity


class BreakEven(Record):
    """From which training size on curation and measurement pay; null where no saving was shown."""

    dollars: Number
    flops: Number | None
    gpu_hours: Number | None
    sentence: str


class NoExtrapolation(Record):
    """Why nothing is said of the planned run."""

    suppressed: str
    orders: Number | None = None


class Extrapolation(Record):
    """What a scaling law says of the planned run; `net_multiplier` and `loss_difference` are named in it."""

    orders: Number
    caution: str
    law: str
    net_multiplier: dict[str, Number]
    crossover_tokens: Number | None
    loss_difference: dict[str, Number]


class Costs(Record):
    """What measurement and curation cost, from which size on they pay, and the flagged extrapolation."""

    proxy: ProxyCost
    curation_dollars: Number
    break_even: BreakEven
    extrapolation: NoExtrapolation | Extrapolation


class Savings(Record):
    """The whole of it. `generation` and `recipe_hash` are null where every arm is a folder of files."""

    schema_version: int = Field(SCHEMA, alias="schema")
    tier: str
    generation: int | None = None
    recipe_hash: str | None = None
    definition: str = ""
    primary: str | None
    targets: str
    sample_share: Number = 1
    split_off_documents: int = 0
    arms: tuple[ArmSize, ...]
    provenance: dict[str, str] = Field(default_factory=dict)
    headline: str
    ranking: Ranking | None
    model: Model
    sets: tuple[SetLine, ...]
    regimes: tuple[RegimeLine, ...]
    notes: tuple[str, ...]
    attempt: int | None = None
    costs: Costs | None = None
    sweep: Sweep | None = None
    by_reason: Families | None = None

    def plain(self) -> Json:
        """JSON with the keys that were set."""
        return self.model_dump(mode="json", exclude_unset=True)
