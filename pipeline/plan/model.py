"""The plan: one frozen pydantic model of everything a user may decide. Unknown keys are refused.

The model's defaults are all "off" or the value a key had when it was introduced, and never change afterwards: a recipe
(see `pipeline.plan.recipe`) leaves out each key that still has its default, so a key added by a later release does not alter
old recipes. What a preset switches on stands in `pipeline/plan/presets/`. The same model is the Prefect flow's parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ByteSize,
    Field,
    WrapSerializer,
    create_model,
    field_validator,
    model_validator,
)

from filters import FILTERS
from filters.contract import Filter, Settings
from filters.edits import EDITS
from pipeline.errors import BrokenContract
from pipeline.plan import plugins, scores
from pipeline.plan.annotations import Annotation
from pipeline.plan.compute import Compute
from pipeline.read.source import Source
from pipeline.records.base import Json
from pipeline.settings import Bytes, PlanModel


def _off_to_none(value: Any) -> Any:
    """`false` switches a part off, `true` or an empty mapping switches it on with its defaults."""
    return None if value is False else {} if value is True else value


def switchable(model: type[Settings]) -> Any:
    """Type of a key that takes `false` or a mapping of `model`'s keys; `None` in memory, `false` in YAML."""
    return Annotated[
        model | None,
        BeforeValidator(_off_to_none),
        WrapSerializer(lambda value, handler: False if value is None else handler(value)),
    ]


def _filter_model(filter_: Filter) -> Any:
    fields: Json = {}
    for part in (filter_.params, filter_.thresholds):
        for name, info in part.model_fields.items():
            fields[name] = (info.annotation, info)
    fields["action"] = (
        Literal["drop", "annotate"],
        Field("drop", description="drop: documents that fail are dropped; annotate: signals only"),
    )
    model = create_model(f"{filter_.name}_plan", __base__=(filter_.params, filter_.thresholds), **fields)
    model.__doc__ = f"Filter {filter_.name}: keys of its params and thresholds."
    return model


FilterPlans = create_model(
    "FilterPlans",
    __base__=PlanModel,
    **{f.name: (switchable(_filter_model(f)), Field(None, description=f"filter {f.name}")) for f in FILTERS},  # type: ignore[call-overload]
)
EditPlans = create_model(
    "EditPlans",
    __base__=PlanModel,
    **{e.name: (switchable(e.params), Field(None, description=e.summary)) for e in EDITS},  # type: ignore[call-overload]
)


def _each_once(columns: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ValueError(f"{twice[0]!r} is named twice; name each column once")
    return columns


class Dedup(PlanModel):
    """Exact and near duplicates, as docs/how-it-works.md defines them."""

    scope: Literal["corpus"] | tuple[str, ...] = Field(
        "corpus", description="duplicates compete in the whole corpus, or within equal values of these columns"
    )
    threshold: float = Field(0.8, gt=0, le=1, description="near duplicate from this Jaccard similarity of word shingles on")
    ngram: int = Field(5, ge=1, le=32, description="words in a shingle")
    permutations: int = Field(128, ge=16, le=1024, description="length of the MinHash signature")
    bands: Literal["auto", "datasketch"] | tuple[int, int] = Field(
        "auto", description="LSH bands and rows: auto (>= 98 % detection at the threshold), datasketch, or [bands, rows]"
    )
    bucket_cap: int = Field(64, ge=1, le=1_000_000, description="a document is compared with this many earlier ones of a bucket")
    hash: Literal["default", "datasketch"] = Field("default", description="family of the MinHash permutations")
    similarity: Literal["jaccard", "containment"] = Field("jaccard", description="what the threshold is compared with")
    exact_url: bool = Field(False, description="also drop documents whose normalised URL was seen")
    keep: tuple[str, ...] = Field(
        ("quality_score desc", "n_bytes desc"), description="who survives: these columns, then the smaller source_ref"
    )

    source_count: bool = Field(
        False, description="write to data/ how many sources hold a copy of each document, and let select.score name source_count"
    )

    @field_validator("scope")
    @classmethod
    def _some_columns(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not value:
            raise ValueError("expected corpus, or the names of one or more columns")
        return value if isinstance(value, str) else _each_once(value)

    @field_validator("keep")
    @classmethod
    def _columns_and_directions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            column, _, direction = item.rpartition(" ")
            if not column or direction not in ("asc", "desc"):
                raise ValueError(f"{item!r}: expected '<column> asc' or '<column> desc'")
        _each_once(tuple(item.rpartition(" ")[0] for item in value))
        return value

    @model_validator(mode="after")
    def _bands_fit(self) -> Dedup:
        if isinstance(self.bands, tuple) and (min(self.bands) < 1 or self.bands[0] * self.bands[1] > self.permutations):
            raise ValueError(f"bands {list(self.bands)}: bands x rows must be between 1 and permutations ({self.permutations})")
        return self


class KeepTop(PlanModel):
    share: float = Field(gt=0, le=1, description="share of the scored documents to keep")
    by: tuple[str, ...] = Field((), description="within equal values of these columns")


class Select(PlanModel):
    """The last judgement, over what dedup kept."""

    score: str = Field("quality_score", min_length=1, description="signal to select by: the best have the highest")
    keep_top: switchable(KeepTop) = Field(None, description="keep the best share")  # type: ignore[valid-type]
    token_budget: int | None = Field(None, ge=1, description="keep the best documents up to this many tokens")


DURATION = "^([1-9][0-9]{0,3})([hd])$"
"""Hours or days."""
LICENCE = "^[A-Za-z0-9][A-Za-z0-9.+-]{0,99}$"
"""What SPDX identifiers (SPDX specification, annex on licence expressions) and the Hub's names are made of."""


class Output(PlanModel):
    shard_bytes: Bytes = Field(ByteSize(256_000_000), ge=1_000, description="a shard is closed at this many bytes of final text")
    rejected: Literal["full", "none"] | float = Field("full", description="dropped documents to keep: full, none, or a share")
    tokenizer: str | None = Field(
        None, description="path of a tokenizer.json, or hf://ORG/NAME, also with @REVISION; token counts are null without one"
    )
    signals: bool = Field(False, description="write signals/ beside the ledger")
    licence: str | None = Field(
        None,
        description="licence that the dataset card names, such as odc-by or Apache-2.0; null: the card names none",
        json_schema_extra={"pattern": LICENCE},
    )

    keep_replaced: Literal[False] | str = Field(
        "next_run",
        description="how long shards that --replace or a changed input replaced stay for readers that opened them: next_run"
        " (until the next run opens the output), at least so long (12h, 7d), or false; a take-down removes them at once",
        json_schema_extra={"pattern": f"^next_run$|{DURATION}"},
    )

    @field_validator("keep_replaced")
    @classmethod
    def _time(cls, value: Any) -> Any:
        if value is not False and value != "next_run" and not re.fullmatch(DURATION, str(value)):
            raise ValueError("expected next_run, a number of hours or days such as 12h or 7d, or false")
        return value

    @field_validator("licence")
    @classmethod
    def _identifier(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(LICENCE, value):
            raise ValueError("expected one SPDX identifier or name of the Hub, such as odc-by: ASCII letters, digits, . + -")
        return value

    @field_validator("rejected")
    @classmethod
    def _share(cls, value: Any) -> Any:
        if isinstance(value, float) and not 0 <= value <= 1:
            raise ValueError("expected full, none, or a share between 0 and 1")
        return value


class Checks(PlanModel):
    """Limits on what a run may lose before it publishes."""

    max_drop_share: float = Field(0.95, ge=0, le=1, description="share of the rows read that may be dropped")
    max_source_loss: float = Field(
        0.99, ge=0, le=1, description="share of the rows of one of the plan's sources that may be lost (20 rows or more)"
    )
    max_change: float = Field(
        0.3, ge=0, le=1, description="change of the kept share, and of the share of each reason, since the last generation"
    )
    plants: int = Field(180, ge=0, le=100_000, description="planted copies of the dedup self-test; 0 switches it off")
    on_fail: Literal["warn", "stop"] = Field(
        "warn",
        description="stop: publish nothing and exit 3; a run that kept nothing does so in either case (--accept publishes)",
    )


class Plan(PlanModel):
    """Everything a user may decide. Every key is optional."""

    source: tuple[Source, ...] = Field((), description="the inputs: one mapping or a list of such")
    filters: FilterPlans = Field(FilterPlans(), description="filters by name: a mapping of keys, or false")  # type: ignore[valid-type]
    edits: switchable(EditPlans) = Field(None, description="edits by name, or false")  # type: ignore[valid-type]
    dedup: switchable(Dedup) = Field(None, description="exact and near duplicates, or false")  # type: ignore[valid-type]
    select: Select = Field(Select(), description="selection among what dedup kept")
    output: Output = Field(Output(), description="shards")
    checks: Checks = Field(Checks(), description="limits before publishing")
    compute: Compute = Field(Compute(), description="the planned training run")
    plugins: tuple[str, ...] = Field((), description="modules with filters of your own (FILTER or FILTERS)")
    annotations: tuple[Annotation, ...] = Field((), description="scores computed elsewhere")
    audit_fraction: float = Field(0, ge=0, le=1, description="share of all documents that the model tier scores regardless")
    on_changed: Literal["fail", "append", "replace", "ignore"] = Field(
        "fail",
        description="an input that changed since it was read: fail, append (read it again; dedup drops known rows, and may drop a"
        " corrected document in favour of its old version), replace (what was read of it gives way, in one commit), ignore",
    )
    seed: int = Field(0, ge=0, description="of everything that is sampled")

    @field_validator("source", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _sources_have_one_name(self) -> Plan:
        names = [source.name for source in self.source if source.name]
        double = {name for name in names if names.count(name) > 1}
        if double:
            raise ValueError(f"two entries of source are named {', '.join(sorted(double))}; names must differ")
        return self

    @model_validator(mode="after")
    def _columns_are_there(self) -> Plan:
        annotated = [name for annotation in self.annotations for name in annotation.columns]
        double = {name for name in annotated if annotated.count(name) > 1}
        if double:
            raise ValueError(f"annotations: {', '.join(sorted(double))} stands in two entries")
        return self

    def own_files(self) -> Iterator[str]:
        """Paths of the user's files that filters and edits read: evaluation sets, opt-outs."""
        for part in (getattr(self.filters, "decontaminate", None), getattr(self.edits, "decontaminate", None)):
            yield from (own.path for own in (part.own if part is not None else ()))
        robots = getattr(self.filters, "robots", None)
        yield from (one.path for one in ((*robots.snapshots, *robots.domains) if robots is not None else ()))

    def added_filters(self) -> tuple[Filter, ...]:
        """Filters that come after ours: the annotations, then those of plugins."""
        joined = (scores.filter_of(self.annotations),) if self.annotations else ()
        return (*joined, *plugins.filters_of(self.plugins))

    def filter_plan(self, filter_: Filter) -> tuple[Any, Any, str] | None:
        """`(params, thresholds, action)` of a filter, or None where it is off."""
        if filter_.name == scores.NAME:
            return scores.Entries(entries=self.annotations), scores.Limits(limits=self.annotations), "drop"
        chosen = getattr(self.filters, filter_.name)
        if chosen is None:
            return None
        keys = chosen.model_dump()
        return (
            filter_.params(**{k: keys[k] for k in filter_.params.model_fields}),
            filter_.thresholds(**{k: keys[k] for k in filter_.thresholds.model_fields}),
            chosen.action,
        )


@lru_cache(maxsize=8)
def with_plugins(modules: tuple[str, ...]) -> type[Plan]:
    """`Plan`, with the keys of the filters of these modules. Raises PlanError, or BrokenContract for a filter at fault."""
    if not modules:
        return Plan
    added = plugins.filters_of(modules)
    names = [f.name for f in (*FILTERS, *added)]
    for name in (f.name for f in added):
        if names.count(name) > 1 or name == scores.NAME or not name.isidentifier():
            raise BrokenContract(f"plugins: a filter cannot be named {name!r}: it is no name, or another filter has it")
    fields: Any = {f.name: (switchable(_filter_model(f)), Field(None, description=f"filter {f.name}")) for f in added}
    filter_plans = create_model("FilterPlans", __base__=FilterPlans, **fields)
    about = Field(filter_plans(), description=Plan.model_fields["filters"].description)
    return create_model("Plan", __base__=Plan, filters=(filter_plans, about))
