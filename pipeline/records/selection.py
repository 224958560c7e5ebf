"""What selection by score says: where each group is cut, what manifests record of it, and what metrics.json shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.records.base import Number, Record

Kind = Literal["at", "all", "nothing"]


@dataclass(frozen=True)
class Cut:
    """Where a group is cut: `at` keeps every document up to the named one, itself included; `all` and `nothing` say so."""

    kind: Kind
    score: Number = 0.0
    text_hash: str = "0" * 32
    source_ref: str = "#0"
    scored: int = 0  # documents that it was fitted to
    kept: int = 0  # how many of them it keeps


Cuts = dict[str, dict[str, Cut]]
"""`keep_top` or `token_budget` → group (JSON list of its values, or EVERYTHING) → cut."""


class Fitted(Record):
    """The cuts that a generation fitted, and the tokens that it selected."""

    cuts: Cuts
    tokens: int


class NothingFitted(Record):
    """The plan selects nothing."""


class Group(Record):
    """Where a group of `select.keep_top` is cut; `score` is null where it keeps everything or nothing."""

    group: str
    kind: Kind
    score: Number | None
    scored: int
    kept: int


class Selection(Record):
    """Documents selected among what dedup kept, and how a token budget stands."""

    score: str
    selected: int
    not_selected: int
    unscored: int
    tokens: int
    budget: int | None
    tokens_of_all_generations: int
    over_budget: int | None
    groups: tuple[Group, ...]
