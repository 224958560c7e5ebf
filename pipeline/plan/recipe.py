"""The recipe: what decides which bytes come out for a given input. Compared before a run, hashed into keys and manifest.

It is the resolved plan without `source`, `annotations[].path`, `output.keep_replaced`, `on_changed`, `checks` and `compute`,
leaving out the folders of models and tokenizer and each key still at the value it had when it was introduced, plus the version
of every function used and the sha256 of every model and tokenizer it names. So new inputs, prices and added keys never make a new
recipe; a changed model file always does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa

from filters import FILTERS
from filters.contract import ContractError, Filter, Tier, check_all, check_rules
from filters.edits import EDITS
from filters.edits.contract import Edit, Step, Walk
from filters.models import ModelError, labels
from filters.rules import AnyRule, Rule
from pipeline import schema
from pipeline.errors import BrokenContract, PlanError
from pipeline.plan import plugins, scores, tokenizer
from pipeline.plan.model import Plan
from pipeline.plan.paths import with_names_only
from pipeline.read import units
from pipeline.records.base import Json
from pipeline.records.inputs import RecipeDocument
from pipeline.store.keys import key
from pipeline.text import final, normalise, signatures, urls

DECIDE_VERSION = 4
"""Covers everything after the facts: verdicts, dedup, shard layout. Raise it when the same facts give other bytes."""


@dataclass(frozen=True)
class ActiveFilter:
    """A filter that the plan switches on, with its validated keys."""

    filter: Filter
    params: Any
    thresholds: Any
    action: str
    rules: tuple[AnyRule, ...]
    files: tuple[str, ...]  # sha256 of each model file, of each file of scores, and of a plugin's source

    @property
    def reads(self) -> Literal["source", "final"]:
        """The text that the filter reads: the plan's choice where its params have `reads`, else the filter's own."""
        return getattr(self.params, "reads", self.filter.reads)

    @property
    def identity(self) -> list[Any]:
        """Everything that its signals depend on, besides the text and the needed columns."""
        params = with_names_only({"filters": {self.filter.name: self.params.model_dump(mode="json")}})["filters"]
        return [self.filter.name, self.filter.version, params[self.filter.name], list(self.files)]


class Withheld(Protocol):
    """Documents that were taken down and are withheld from then on (`pipeline.output.tombstones`). `hash` names it."""

    @property
    def hash(self) -> str: ...

    def taken(self, text: pa.LargeStringArray, hashes: pa.Array, refs: Sequence[str]) -> np.ndarray:
        """bool[n]: which texts were taken down. `hashes`: of each text; `refs`: source_ref of each."""
        ...

    def touches(self, texts: Sequence[str]) -> np.ndarray:
        """bool[n]: which texts share something with what was taken down."""
        ...


@dataclass(frozen=True)
class Recipe:
    plan: Plan
    known: tuple[Filter, ...]  # every filter, also those that are off, in the order of reasons
    filters: tuple[ActiveFilter, ...]
    steps: tuple[Step | Walk, ...]
    edits: tuple[tuple[Any, ...], ...]  # name, version and params of each edit that is on
    tokenizer: str | None  # sha256 of tokenizer.json
    document: RecipeDocument
    tombstones: Withheld | None = field(default=None, compare=False)
    """Handed beside the recipe by the run that adds to an output: no part of it, but of the key of each judgement (law 2)."""
    layouts: tuple[str, ...] = ()
    """Layouts of the conversations that the output holds, whose columns its shards have: likewise."""

    @cached_property
    def dropping(self) -> dict[str, tuple[ActiveFilter, AnyRule]]:
        """`<filter>.<reason>` → rule that is on, of the filters that drop; those of models last, as a run asks them."""
        return {
            f"{item.filter.name}.{rule.reason}": (item, rule)
            for item in sorted(self.filters, key=lambda item: item.filter.tier is Tier.MODEL)
            if item.action == "drop"
            for rule in item.rules
            if rule.on
        }

    @cached_property
    def masks(self) -> tuple[tuple[Any, ...], ...]:
        """Those of `edits` that are masks: they apply to what stands beside the text as well."""
        names = {name for step in self.steps if step.mask for name in (step.names if isinstance(step, Walk) else (step.name,))}
        edits = {name.partition(".")[0] for name in names}
        return tuple(edit for edit in self.edits if edit[0] in edits)

    @cached_property
    def limits(self) -> dict[str, Rule]:
        """Those of `dropping` that compare numbers."""
        return {name: rule for name, (_, rule) in self.dropping.items() if isinstance(rule, Rule) and rule.numeric}

    @property
    def hash(self) -> str:
        return key("recipe", self.document.model_dump(mode="json"))


def sha256(path: Path) -> str:
    """Hex sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def active(plan: Plan, filters: Sequence[Filter]) -> Iterator[ActiveFilter]:
    """Those of the filters that the plan switches on, as `resolve` has them, and raises."""
    given: set[str] = set()
    for filter_ in filters:
        chosen = plan.filter_plan(filter_)
        if chosen is None:
            continue
        given.update(filter_.signals.names)
        params, thresholds, action = chosen
        try:
            files = tuple(sha256(Path(path)) for path in (filter_.files(params) if filter_.files else ()))
            files += plugins.source_of(filter_, plan.plugins)
        except ValueError as error:  # a model's own error says which file and what to do
            raise PlanError(str(error)) from error
        try:
            rules = filter_.rules(params, thresholds)
        except ModelError as error:  # limits may stand in a model's description
            raise PlanError(str(error)) from error
        check_rules(filter_, rules)
        absent = set(filter_.needs) - given  # of filters that the plan switches off
        known = tuple(rule.without(absent) if isinstance(rule, Rule) and absent else rule for rule in rules)
        yield ActiveFilter(filter_, params, thresholds, action, known, files)


def resolve(plan: Plan) -> Recipe:
    """The recipe of a plan. Raises PlanError for a missing model or tokenizer, BrokenContract for a filter at fault."""
    try:
        filters = (*FILTERS, *plan.added_filters())
        scores.check_names(plan.annotations, filters)
        check_all(filters)
        switched_on = tuple(active(plan, filters))
        taken = {*schema.REJECTED.names, *schema.LEDGER.names, *schema.QUARANTINE.names}
        if clash := sorted(taken.intersection(name for item in switched_on for name in item.filter.evidence)):
            raise ContractError(f"evidence named {', '.join(clash)}: data/, rejected/ or ledger/ has such a column")
    except ContractError as error:
        raise BrokenContract(str(error)) from error
    except OSError as error:
        raise PlanError(f"a model file cannot be read: {error}") from error
    edits = [] if plan.edits is None else [(e, getattr(plan.edits, e.name)) for e in EDITS]
    chosen = [(edit, params) for edit, params in edits if params is not None]
    tokens = tokenizer_of(plan)
    versions = {
        "schema": schema.VERSION,
        "decide": DECIDE_VERSION,
        "read": units.VERSION,
        "normalise": normalise.VERSION,
        "final": final.VERSION,
        **{f"filters.{a.filter.name}": a.filter.version for a in switched_on},
        **{f"edits.{edit.name}": edit.version for edit, _ in chosen},
        **({"dedup": signatures.VERSION} if plan.dedup is not None else {}),
        **({"urls": urls.VERSION} if plan.dedup is not None and plan.dedup.exact_url else {}),
    }
    # Files of scores are inputs: new ones do not make a new recipe.
    files = {a.filter.name: a.files for a in switched_on if a.files and a.filter.name != scores.NAME}
    files |= {f"edits.{edit.name}": _edit_files(edit, params) for edit, params in chosen if edit.files is not None}
    document = RecipeDocument(plan=_decisive(plan), versions=versions, files=files | ({"tokenizer": (tokens,)} if tokens else {}))
    return Recipe(
        plan=plan,
        known=filters,
        filters=switched_on,
        steps=tuple(step for edit, params in chosen for step in edit.steps(params)),
        edits=tuple(_edit(edit, params, files) for edit, params in chosen),
        tokenizer=tokens,
        document=document,
    )


def _edit_files(edit: Edit, params: Any) -> tuple[str, ...]:
    """The sha256 of each file that an edit reads."""
    try:
        return tuple(sha256(path) for path in (edit.files(params) if edit.files else ()))
    except (ValueError, OSError) as error:
        raise PlanError(str(error)) from error


def _edit(edit: Edit, params: Any, files: dict[str, tuple[str, ...]]) -> tuple[Any, ...]:
    """What the final text depends on of an edit."""
    keys = with_names_only({"edits": {edit.name: params.model_dump(mode="json")}})["edits"][edit.name]
    read = files.get(f"edits.{edit.name}")
    return (edit.name, edit.version, keys) if read is None else (edit.name, edit.version, keys, list(read))


def tokenizer_of(plan: Plan) -> str | None:
    """The sha256 of the plan's tokenizer. Raises PlanError where it is not there, or is none."""
    if plan.output.tokenizer is None:
        return None
    path = tokenizer.find(plan.output.tokenizer)
    _check_tokenizer(path)
    return sha256(path)


def _check_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer

    try:
        Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare exceptions
        raise PlanError(
            f"output.tokenizer: {path} is not a tokenizer.json ({error}); give a file that tokenizers' Tokenizer.save wrote"
        ) from error


def _decisive(plan: Plan) -> Json:
    data = plan.model_dump(mode="json", exclude_defaults=True, exclude={"source", "on_changed", "checks", "compute"})
    for annotation in data.get("annotations", ()):
        annotation.pop("path", None)
    data.get("output", {}).pop("keep_replaced", None)
    _unpin(data.get("output", {}))
    if not data.get("output", True):
        del data["output"]
    return with_names_only(data)


def _unpin(output: Json) -> None:
    """The tokenizer's revision decides nothing: its sha256 is in the recipe."""
    if isinstance(output.get("tokenizer"), str):
        output["tokenizer"] = tokenizer.unpinned(output["tokenizer"])


def decisive(plan: Json) -> Json:
    """The part of a resolved plan (plain data) that belongs to the recipe, defaults included, those of later releases too."""
    whole = _with_defaults(plan, Plan().model_dump(mode="json"))
    kept = {key: value for key, value in whole.items() if key not in ("source", "on_changed", "checks", "compute")}
    kept["output"] = {key: value for key, value in kept["output"].items() if key != "keep_replaced"}
    _unpin(kept["output"])
    kept["annotations"] = [{k: v for k, v in entry.items() if k != "path"} for entry in plan.get("annotations", ())]
    return with_names_only(kept)


def _with_defaults(plan: Any, defaults: Any) -> Any:
    """`plan` with each key that it lacks: a release that does not know a key writes none."""
    if not (isinstance(plan, dict) and isinstance(defaults, dict)):
        return plan
    return {**defaults, **{name: _with_defaults(value, defaults.get(name)) for name, value in plan.items()}}


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Lines `key: old → new` where two recipe documents differ, the values as a plan would have them."""
    if isinstance(old, dict) and isinstance(new, dict):
        lines = []
        for name in sorted({*old, *new}):
            lines += differences(old.get(name, "default"), new.get(name, "default"), f"{path}.{name}".lstrip("."))
        return lines
    return [] if old == new else [f"{path}: {_in_yaml(old)} → {_in_yaml(new)}"]


def _in_yaml(value: Any) -> str:
    """A value in YAML's words; texts bare, as long as nobody takes them for something else."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_in_yaml(inner)}' for name, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_in_yaml, value))}]"
    return value if isinstance(value, str) and not _OTHERWISE.fullmatch(value) else json.dumps(value, ensure_ascii=False)


_OTHERWISE = re.compile(r"|null|true|false|[-+.\d].*|.*[,:{}\[\]\s].*", re.IGNORECASE | re.DOTALL)
"""Texts that are quoted."""


def load_models(recipe: Recipe) -> None:
    """Read every model file once, before any work is done. Raises PlanError for one that is not what it should be, and for
    thresholds, or languages of other keys, that it gives no meaning."""
    for item in recipe.filters:
        load_model(recipe.plan, recipe.filters, item=item)
    for edit in EDITS:
        params = getattr(recipe.plan.edits, edit.name, None)
        try:
            if params is not None and edit.load is not None:
                edit.load(params)
        except (ValueError, OSError) as error:
            raise PlanError(str(error)) from error


def load_model(plan: Plan, filters: Sequence[ActiveFilter], *, item: ActiveFilter) -> None:
    """The same for the model of one of the plan's filters."""
    said: list[str] = []
    try:
        made = loaded(item)
        if "language" in item.filter.signals.names and hasattr(made, "labels"):
            said = list(_unknown_languages(plan, filters, known=made.labels))
        if item.filter.refuse is not None:
            item.filter.refuse(item.thresholds, made)
    except (ValueError, OSError) as error:
        raise PlanError("\n".join([*said, str(error)])) from error
    if said:
        raise PlanError("\n".join(said))


def _unknown_languages(plan: Plan, filters: Sequence[ActiveFilter], *, known: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with languages that the language model never gives: no document would be in them."""
    listed = {f"filters.{item.filter.name}.languages": getattr(item.params, "languages", None) for item in filters}
    planned = plan.compute.plan
    listed["compute.plan.languages"] = None if planned is None else tuple(planned.languages)
    for name, codes in listed.items():
        if isinstance(codes, tuple) and (said := labels.unknown(codes, known)):
            yield f"{name}: {said}"


def loaded(item: ActiveFilter) -> Any:
    """What the filter's `load` gives: once in a process, as long as its files stay the same."""
    return _load(item.filter, item.params, item.files)


@lru_cache(maxsize=32)
def _load(filter_: Filter, params: Any, files: tuple[str, ...]) -> Any:
    return None if filter_.load is None else filter_.load(params)
