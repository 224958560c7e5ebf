"""From what the user wrote (a YAML file, a preset's name, `--set`, `--input`) to a validated `Plan`, or one clear message.

YAML 1.2 by ruamel.yaml: readers of YAML 1.1 turn `no` into false and `1e12` into text. A mapping in a plan is merged into
the preset that it extends; lists and scalars replace. Every mistake is shown with the path to it and the nearest known key.
"""

from __future__ import annotations

import copy
import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from filters.models.places import SCHEME
from pipeline.errors import PlanError, Untrusted, WinnowError
from pipeline.plan import bounds
from pipeline.plan.model import Plan, with_plugins
from pipeline.plan.paths import with_absolute_paths
from pipeline.plan.presets import presets
from pipeline.records.base import Json
from pipeline.store.secrets import refuse_secrets

DEFAULT = "default@2"
_ALWAYS_ON = frozenset({"filters", "select", "output", "checks", "compute", "compute.plan"})
"""Mappings that `false` does not switch off as a whole."""
_MOST_ROUNDS = 10
"""Of looking for what is wrong with a plan: what is asked of whole parts is asked once their keys are right. Chosen."""


@dataclass(frozen=True)
class LoadedPlan:
    """A validated plan and the names it came from, for messages and `plan.resolved.yaml`."""

    plan: Plan
    name: str
    extends: str


def preset_text(name: str) -> str:
    """The YAML of a preset, the newest where no version is named. Raises PlanError."""
    return presets()[_full_name(name)].read_text("utf-8")


def _preset(name: str) -> tuple[str, Json]:
    full = _full_name(name)
    data = _read_yaml(preset_text(full), where=f"preset {name}")
    base = data.pop("extends", None)
    return full, data if base is None else _merge(_preset(base)[1], data)


def _full_name(name: str) -> str:
    known = presets()
    versions = [name] if name in known else sorted(full for full in known if full.split("@")[0] == name)
    if versions:
        return versions[-1]
    near = difflib.get_close_matches(name, [*known, *(full.split("@")[0] for full in known)], n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise PlanError(f"preset {name}: unknown; {hint}there are {', '.join(known)}; a file's name ends in .yaml")


@lru_cache(64)
def _parsed(text: str, where: str) -> Any:
    """Kept: a preset is looked at more than once, and ruamel.yaml takes 40 ms for a long one."""
    return bounds.load(text, where=where)


def _read_yaml(text: str, *, where: str) -> Json:
    value = copy.deepcopy(_parsed(text, where))
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise PlanError(f"{where}: expected a mapping of keys, got {type(value).__name__}")
    return value


def _merge(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: _merge(base.get(key), value) for key, value in over.items()}}
    if isinstance(base, dict) and (over is True or over is None):
        return base
    if isinstance(base, list) and len(base) == 1 and isinstance(base[0], dict) and isinstance(over, dict):
        return [_merge(base[0], over)]
    return over


def assigned(text: str) -> tuple[str, Any]:
    """Key and value of `KEY=VALUE`, the value as YAML reads it. Raises PlanError."""
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_][\w.]*", key.strip()) or key.count(".") > bounds.MOST_DEPTH:
        raise PlanError(f"--set {text}: expected KEY=VALUE, such as filters.gopher_quality.min_words=30")
    return key.strip(), _read_yaml(f"value: {value}" if value.strip() else "value: ''", where=f"--set {text}")["value"]


def assignments_of(overrides: Mapping[str, object]) -> list[str]:
    """`KEY=VALUE` of each key and value, as `load_plan` takes them. Raises PlanError for a value that no plan can hold."""
    try:
        return [f"{key}={json.dumps(value, default=os.fspath)}" for key, value in overrides.items()]
    except (TypeError, ValueError) as error:
        raise PlanError(f"overrides: {error}; give numbers, texts, true, false, lists and mappings of these") from error


def _assignment(text: str) -> Json:
    key, value = assigned(text)
    *outer, last = key.split(".")
    parsed = {last: value}
    for part in reversed(outer):
        parsed = {part: parsed}
    return parsed


def _known_keys(plan: type[Plan], path: Sequence[str | int]) -> list[str]:
    """Keys that the model has at `path`."""
    model: Any = plan
    for part in path:
        if isinstance(part, int) or not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        if part not in model.model_fields:
            return []
        model = _inner_model(model.model_fields[part].annotation)
    fields = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}
    return [info.alias or name for name, info in fields.items()]


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _inner_model(part)
        if found is not None:
            return found
    return None


def _explain(plan: type[Plan], error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        path = [part for part in item["loc"] if not (isinstance(part, str) and re.search(r"[\[(]", part))]
        where = ".".join(map(str, path)) or "plan"
        if item["type"] == "extra_forbidden":
            known = _known_keys(plan, path[:-1])
            near = difflib.get_close_matches(str(path[-1]), known, n=1)
            within = [f"{part}.{path[0]}" for part in ("filters", "edits") if path[0] in _known_keys(plan, [part])]
            near = within if len(path) == 1 and within else near
            hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
            lines.append(f"{where}: unknown key; {hint}")
        elif item["type"] in ("model_type", "model_attributes_type", "dict_type") and (keys := _known_keys(plan, path)):
            off = "" if ".".join(map(str, path)) in _ALWAYS_ON else ", or false to switch it off"
            shown = f"{{{keys[0]}: ...}}" + (f" (keys: {', '.join(keys)})" if len(keys) > 1 else "")
            lines.append(f"{where}: expected a mapping, such as {shown}{off} (got {item['input']!r})")
        else:
            got = "" if isinstance(item["input"], dict) else f" (got {item['input']!r})"
            lines.append(f"{where}: {item['msg'].removeprefix('Value error, ')}{got}")
    return "\n".join(dict.fromkeys(lines))


def validate(data: Json, *, where: str) -> Plan:
    """A `Plan` from plain data; PlanError names every mistake with its path."""
    modules = data.get("plugins") or ()
    named = isinstance(modules, list | tuple) and all(isinstance(module, str) for module in modules)
    model = with_plugins(tuple(modules)) if named else Plan
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise PlanError(f"{where}:\n{_explain(model, error)}") from error


def of_output(plan: Json, *, where: str, trusted: bool) -> Plan:
    """The plan of an output, which somebody else may have made. Raises Untrusted where it names code or what would be fetched."""
    if not trusted:
        refuse_untrusted(plan, where=where)
    return validate(plan, where=where)


def refuse_untrusted(plan: Json, *, where: str) -> None:
    """Raise Untrusted where a plan names plugins, which are imported, or models or a tokenizer of the Hub, which are fetched."""
    filters = plan.get("filters")
    keys = [value for value in filters.values() if isinstance(value, dict)] if isinstance(filters, dict) else []
    output = plan.get("output")
    keys += [output] if isinstance(output, dict) else []
    models = {value for found in keys for value in found.values() if isinstance(value, str) and value.startswith(SCHEME)}
    plugins = plan.get("plugins")
    named = [f"plugins: {plugins}, code that this command would run"] if plugins else []
    named += [f"{model}, which this command would fetch" for model in sorted(models)]
    if named:
        raise Untrusted(f"{where}: its plan names {'; '.join(named)}. Give --trust if you trust whoever made this output")


def part_of_output(plan: Json, part: str, *, where: str) -> Plan:
    """A plan that has one part of an output's: nothing is imported for it, or fetched."""
    return validate({part: plan[part]} if part in plan else {}, where=where)


def load_plan(plan: str | None, *, inputs: Sequence[str] = (), assignments: Sequence[str] = ()) -> LoadedPlan:
    """The plan of a run.

    `plan`: a YAML file's path, a preset's name, or None for the default. `inputs` replace the plan's paths; each entry of
    `assignments` is `KEY=VALUE`. Raises PlanError (unknown key, wrong type).
    """
    written = _written(plan, inputs, assignments)
    made = LoadedPlan(validate(written.data, where=written.name), written.name, written.extends)
    for path in _paths(made.plan):
        refuse_secrets(path)
    return made


def load_leniently(plan: str | None, *, inputs: Sequence[str], assignments: Sequence[str]) -> tuple[LoadedPlan, list[str]]:
    """The same, and all that is wrong with the plan, which is left out of it, so that the rest can be looked at."""
    faults: list[str] = []
    fit = []
    for assignment in assignments:
        try:
            assigned(assignment)
            fit.append(assignment)
        except PlanError as error:
            faults.append(str(error))
    try:
        written = _written(plan, inputs, fit)
    except WinnowError as error:
        faults.append(str(error))
        written = _written(None, inputs, ())
    made = LoadedPlan(_sound(written, faults), written.name, written.extends)
    for path in _paths(made.plan):
        try:
            refuse_secrets(path)
        except WinnowError as error:
            faults.append(str(error))
    return made, faults


def _sound(written: _Written, faults: list[str]) -> Plan:
    """The plan without the keys that are wrong, of which `faults` is told."""
    data = copy.deepcopy(written.data)
    for _ in range(_MOST_ROUNDS):
        try:
            return validate(data, where=written.name)
        except WinnowError as error:
            faults.append(str(error))
            cause = error.__cause__
            places = [item["loc"] for item in cause.errors()] if isinstance(cause, ValidationError) else [("plugins",)]
        if not sum(_without(data, place) for place in places) and data.pop("annotations", None) is None:
            _drop_names(data)
    return Plan()


def _without(data: Any, place: Sequence[str | int]) -> bool:
    """Take the innermost key of a mapping out of plain data that stands on the way to a place."""
    found: tuple[Json, str] | None = None
    for part in place:
        if isinstance(data, dict) and isinstance(part, str) and part in data:
            found, data = (data, part), data[part]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
    if found is not None:
        found[0].pop(found[1], None)
    return found is not None


def _drop_names(data: Json) -> None:
    """Of sources: two of one name are what is wrong with a plan as a whole."""
    for source in data["source"] if isinstance(data.get("source"), list) else ():
        source.pop("name", None)


def _paths(plan: Plan) -> Iterator[str]:
    yield from (path for source in plan.source for path in source.paths)
    yield from (entry.path for entry in plan.annotations)
    yield from plan.own_files()


@dataclass(frozen=True)
class _Written:
    """A plan as plain data, presets and overrides merged, before anything of it is validated."""

    data: Json
    name: str
    extends: str


def _written(plan: str | None, inputs: Sequence[str], assignments: Sequence[str]) -> _Written:
    if plan is not None:
        refuse_secrets(plan, what="plan", error=PlanError)
    name, data = _named(plan)
    extends = data.pop("extends", DEFAULT)
    if not isinstance(extends, str):
        raise PlanError(f"{name}: extends: expected the name of a preset, got {extends!r}")
    extends, base = _preset(extends)
    several = isinstance(data.get("source"), list) and len(data["source"]) > 1
    for assignment in assignments:
        if several and assignment.strip().startswith("source."):
            raise PlanError(f"--set {assignment}: the plan names several sources; set it in the plan")
        data = _merge(data, _assignment(assignment))
    if inputs:
        data["source"] = _with_paths(data.get("source"), list(inputs), where=name)
    return _Written(_merge(base, data), name, extends)


def _named(plan: str | None) -> tuple[str, Json]:
    if plan is None:
        return DEFAULT, {}
    path = Path(plan).expanduser()
    if path.is_dir() or plan.endswith((".jsonl", ".gz", ".zst", ".parquet")):
        raise PlanError(f"{plan} is not a plan; to read it, write --input {plan}")
    if path.suffix in (".yaml", ".yml") or path.is_file():
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError as error:
            raise PlanError(f"plan {plan}: no such file; give a YAML file or one of {', '.join(presets())}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise PlanError(
                f"plan {plan}: cannot be read ({error}); give a YAML file or one of {', '.join(presets())}"
            ) from error
        return path.name, _read_yaml(text, where=plan)
    full, _ = _preset(plan)
    return full, {"extends": full}


def _with_paths(source: Any, paths: list[str], *, where: str) -> Any:
    if isinstance(source, list) and len(source) > 1:
        raise PlanError(f"{where}: --input replaces the paths of one source, but the plan names {len(source)}")
    settings = (source[0] if isinstance(source, list) else source) or {}
    return {**settings, "paths": paths} if isinstance(settings, dict) else settings


def dump(plan: Plan) -> Json:
    """The resolved plan as plain data, defaults included, its paths absolute: it holds from any folder."""
    return with_absolute_paths(plan.model_dump(mode="json"))


def overridden(resolved: Json, assignments: Sequence[str]) -> Plan:
    """A plan from its resolved form (plain data, as manifests hold it) and `KEY=VALUE` overrides. Raises PlanError."""
    data: Any = resolved
    for text in assignments:
        data = _merge(data, _assignment(text))
    return validate(data, where="the output's plan with --set")
