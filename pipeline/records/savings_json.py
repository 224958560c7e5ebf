"""savings.json: what measurements of the compute saving found, at equal quality. Figures only: the sentences are the report's.

One measurement a tier of the newest generation, the strongest evidence first. A number is null where it is not defined or not
finite. Losses are bits per byte; compute is FLOPs, in the tier `ngram` bytes of text.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Json, Number, Quantity, Record

SCHEMA = 2
"""Version of the keys of savings.json; it rises when one changes its meaning."""

Range = tuple[Number, Number]
"""The low and the high end of a 95 % interval."""

Tier = Literal["own trainer", "gpu", "cpu", "ngram"]
TIERS: tuple[Tier, ...] = ("own trainer", "gpu", "cpu", "ngram")
"""Levels of evidence, the strongest first. `ngram` counts and gives no percentage; the others trained models."""

Status = Literal["ok", "at_floor", "reached_then_overfits", "not_reached", "no_learning"]
"""What one draw's arm did: reached the baseline's final loss; had it at the first checkpoint (the multiplier is a lower bound);
reached it and ended above it; never reached it (the multiplier, below 1, is the share of its own compute that the *baseline*
needs for the arm's best loss); neither arm learnt."""

TARGET_DOCUMENTS = 600
"""Of a target, for a verdict: the choice of documents then moves the logarithm of the multiplier by 0.01 to 0.02 (measured)."""

Verdict = Literal["saves", "costs", "no difference", "no interval", "too few draws"]
"""`saves`: the interval lies above 1; `costs`: below 1; `no difference`: it holds 1; `no interval`: none is defined, as
the draws, the multiplier or the choice of the target's documents allow none; `too few draws`: fewer than three."""

Role = Literal["target", "curated_heldout", "raw_heldout", "dropped"]
"""`target`: named by the user. Split off by us: `curated_heldout` (biased for the curation), `raw_heldout` (biased against it),
`dropped` (what the rules removed, all reasons together: what was given up)."""


class DrawLine(Record):
    """One draw: documents, their order, and the learner's start."""

    multiplier: Number | None
    status: Status


class Budget(Record):
    """The multiplier if the run had ended at this compute of the baseline: geometric mean over draws. No verdict goes by it."""

    compute: Number
    multiplier: Number | None


class Comparison(Record):
    """An arm against the baseline on one held-out set.

    `multiplier`: compute of the baseline / compute at which the arm first has the baseline's final loss, geometric mean over the
    draws. `bound`: the multiplier is only a lower or an upper bound, as at least one draw's is. `worth`: w, what a dropped token
    was worth in kept ones, from multiplier = 1 / (k + (1 - k) w) with k the kept share; null where nothing was dropped. `gap`:
    bits per byte at the baseline's full compute, the arm's minus the baseline's. `sd`: of the draws' log multipliers;
    `target_error`: standard error of their mean from the choice of the target's clusters; `freedom`: Satterthwaite's.
    """

    arm: str
    baseline: str
    kept_share: Number
    multiplier: Number | None
    interval: Range | None
    bound: Literal["lower", "upper"] | None
    verdict: Verdict
    worth: Number | None
    worth_interval: Range | None
    reached: int
    per_draw: tuple[DrawLine, ...]
    gap: Number
    gap_interval: Range | None
    sd: Number | None
    target_error: Number | None
    freedom: Number | None
    budgets: tuple[Budget, ...]

    @property
    def draws(self) -> int:
        """`reached` is of this many."""
        return len(self.per_draw)


class Decontaminated(Record):
    """Lines of a held-out set, and how many of them were removed because training text holds them."""

    lines: int
    removed: int


class SetLine(Record):
    """A held-out set, the curves of all arms on it, and a comparison for every arm but the baseline.

    `curves`: by arm, `(compute, bits per byte, standard deviation over draws)` of each checkpoint. `clusters`: documents of one
    site or book are one, drawn together. `enough`: it has the documents that a verdict needs (a target 600, `dropped` 200)."""

    name: str
    role: Role
    bytes: int
    documents: int
    clusters: int
    enough: bool
    sha256: str
    decontaminated: Decontaminated
    curves: dict[str, tuple[tuple[Number, Number, Number], ...]]
    comparisons: tuple[Comparison, ...]


class ArmSize(Record):
    """An arm's text. `kept_share`: its corpus over the baseline's, in tokens (`ngram`: bytes), duplicates included. `read`: bytes
    that one draw reads; tokens are known where models were trained, the path where it was exported."""

    arm: str
    what: str
    path: str = ""
    documents: int
    bytes: int
    corpus_bytes: Number
    kept_share: Number = 1
    bytes_per_token: Number = 0
    corpus_tokens: Number = 0
    enough: bool = True


class Learner(Record):
    """What was trained, or counted. `unit`: of compute. `largest`: compute that one run ends with; `tokens`: that it sees."""

    what: str
    unit: Literal["bytes", "FLOPs"]
    largest: Number
    parameters: Number = 0
    tokens: Number = 0
    learning_rate: Number = 0
    schedule: str = ""
    vocabulary: int = 0
    cpu_s: Number = 0


class Size(Record):
    """The judged arm with a model of another size, at equal tokens per parameter (`--thorough`)."""

    parameters: Number
    tokens: Number
    comparison: Comparison


class SmallRate(Record):
    """A branch at a tenth of the learning rate (`--thorough`): the loss gap with its interval; its sign is what it tells."""

    learning_rate: Number
    set: str
    gap: Number
    gap_interval: Range | None


class Repeats(Record):
    """What repetition makes of the multiplier in the run that the plan names: computed by a law, not measured."""

    law: str
    planned_tokens: Number
    epochs: dict[str, Number]
    multiplier: Number
    multiplier_interval: Range | None


class MeasuringCost(Record):
    """What the measurement itself cost."""

    cpu_hours: Quantity
    dollars: Quantity
    kwh: Quantity


class BreakEven(Record):
    """From which training size on curation and measurement pay, by the interval's low end. Tiers `gpu` and `own trainer` only,
    and only within three orders of magnitude of what was measured: a smaller model tells nothing of that size."""

    flops: Number
    gpu_hours: Number


class Costs(Record):
    """What measurement and curation cost. `curation_cpu_s`: of all live generations."""

    measuring: MeasuringCost
    curation_cpu_s: Number
    curation_dollars: Number
    break_even: BreakEven | None = None


class Measured(Record):
    """One measurement. `primary`: the declared target that the headline is about; null: none was named, and the two sets that
    were split off are a bracket, without a headline. `control`: a second, disjoint target, if one was named. `arms[0]` is the
    baseline, `arms[1]` what is judged. `shared`: mean share of a draw's text that another draw reads too (small corpora)."""

    tier: Tier
    definition: str
    primary: str | None
    control: str | None = None
    targets: str
    draws: int
    arms: tuple[ArmSize, ...]
    learner: Learner
    sets: tuple[SetLine, ...]
    sample_share: Number = 1
    split_off_documents: int = 0
    shared: Number = 0
    stopped_early: bool = False
    sizes: tuple[Size, ...] = ()
    small_rate: SmallRate | None = None
    repeats: Repeats | None = None
    notes: tuple[str, ...] = ()
    attempt: int | None = None
    costs: Costs | None = None

    def comparison(self, name: str | None, arm: str | None = None) -> Comparison | None:
        """Of an arm (default: what is judged) on a set; None for a set or an arm that is not there."""
        wanted = self.arms[1].arm if arm is None else arm
        return next((c for held in self.sets if held.name == name for c in held.comparisons if c.arm == wanted), None)

    def of_role(self, role: Role) -> SetLine | None:
        """The first set of a role."""
        return next((held for held in self.sets if held.role == role), None)


class Against(Record):
    """A variant of the plan against the best one, on the same draws: its multiplier over the best one's."""

    variant: str
    multiplier: Number | None
    interval: Range | None


class Sweep(Record):
    """The values of one key of the plan on a set, the best first, each compared with the best directly. `recommended` is null
    where it is not told from another."""

    key: str
    set: str
    variants: tuple[Against, ...]
    recommended: str | None


class Family(Record):
    """What a filter adds: the multiplier of the whole plan over the plan without it, and its CPU seconds."""

    family: str
    multiplier: Number | None
    interval: Range | None
    cpu_s: Number | None


class Families(Record):
    """What each filter adds on the primary target, the most useful first."""

    set: str
    families: tuple[Family, ...]


class Savings(Record):
    """The whole of savings.json. `generation` and `recipe_hash` are null where every arm is a folder of files."""

    schema_version: int = Field(SCHEMA, alias="schema")
    generation: int | None = None
    recipe_hash: str | None = None
    measured: tuple[Measured, ...] = ()
    sweep: Sweep | None = None
    by_reason: Families | None = None

    @property
    def best(self) -> Measured | None:
        """The strongest evidence."""
        return self.measured[0] if self.measured else None

    def plain(self) -> Json:
        """JSON with the keys that were set."""
        return self.model_dump(mode="json", exclude_unset=True)
