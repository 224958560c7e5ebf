"""The form of the flow `curate`: the types of its parameters, and the JSON schema by which Prefect's server refuses bad values
before a run starts.

Overrides are typed by the plan's own models: a new filter's keys come by themselves. What the server cannot see (files, links,
what one key means for another) is looked at in the first second of the run, by the code that the command line uses.
"""

# No `from __future__ import annotations`: Prefect reads these types at run time.
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Annotated, Any

from pydantic import BaseModel, Field, JsonValue

from pipeline.plan.model import Plan
from pipeline.plan.presets import presets
from pipeline.records.base import Json
from pipeline.store.secrets import SECRET

NOT_HERE = ("source.paths", "plugins", "annotations")
"""Keys that a form does not set: `input` has the paths, and which code and scores a run uses is said by its plan."""
NO_SECRET = f"(?is)^(?!.*(?:{SECRET.pattern}))"
"""URLs with user info or a signature are refused before Prefect stores them."""


def preset_names() -> list[str]:
    """With and without version: `default`, `default@1`."""
    return sorted({shown for name in presets() for shown in (name, name.partition("@")[0])})


def override_schemas(model: type[BaseModel] = Plan) -> dict[str, Json]:
    """Dotted key of the plan → JSON schema of its value. Parts that can be switched off take true and false."""
    schema = model.model_json_schema()
    found = _keys(schema, schema.get("$defs", {}), "")
    return {key: value for key, value in found if not key.startswith(NOT_HERE)}


def _keys(node: Json, definitions: Json, prefix: str) -> Iterator[tuple[str, Json]]:
    for name, field in node.get("properties", {}).items():
        key = f"{prefix}{name}"
        inner = _inner(field, definitions)
        about = {"description": field["description"]} if "description" in field else {}
        if inner is None:
            yield key, _refusing_secrets({word: value for word, value in field.items() if word not in ("title", "default", "ge")})
            continue
        if "anyOf" in field:
            yield key, {"type": ["boolean", "null"], **about}
        yield from _keys(inner, definitions, f"{key}.")


def _inner(field: Json, definitions: Json) -> Json | None:
    """The model that a key holds, where it holds one, or a list of such."""
    for part in (field, field.get("items", {}), *field.get("anyOf", ())):
        if isinstance(part, dict) and "$ref" in part:
            return definitions[part["$ref"].rpartition("/")[2]]
    return None


def _refusing_secrets(schema: Any) -> Any:
    """The same, where free text must not hold a URL with a secret."""
    if isinstance(schema, list):
        return [_refusing_secrets(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {word: _refusing_secrets(value) for word, value in schema.items()}
    free = schema.get("type") == "string" and not {"enum", "const", "pattern"} & set(schema)
    return {**made, "pattern": NO_SECRET} if free else made


def overrides_schema(model: type[BaseModel] = Plan) -> Json:
    """Within `then`, so that the form shows one field of JSON and not two hundred fields."""
    return {"if": True, "then": {"properties": override_schemas(model), "additionalProperties": False}}


def plan_pattern() -> str:
    return rf"^(?:{'|'.join(preset_names())})$|\.ya?ml$"


Threads = Annotated[int, Field(ge=1, le=1024)]
Text = Annotated[str, Field(min_length=1)]
Place = Annotated[str, Field(min_length=1, json_schema_extra={"pattern": NO_SECRET})]
OptionalPlace = Annotated[str, Field(json_schema_extra={"pattern": NO_SECRET})]
PlanName = Annotated[str, Field(min_length=1, json_schema_extra={"pattern": plan_pattern()})]
Overrides = Annotated[dict[str, JsonValue], Field(json_schema_extra=overrides_schema())]


def bounded(schema: Json, bounds: Sequence[str], *, model: type[BaseModel]) -> Json:
    """A deployment's schema from the flow's: paths lie below `bounds` (absolute), overrides are keys of `model`."""
    made = deepcopy(schema)
    inside = rf"^(?!.*/\.\.(?:/|$))(?:{'|'.join(_literal(bound.rstrip('/')) for bound in bounds)})(?:/|$)"
    fields = made["properties"]
    presets_or_inside = rf"^(?:{'|'.join(preset_names())})$|{inside}"
    fields["plan"]["pattern"] = presets_or_inside
    fields["input"]["items"]["pattern"] = inside
    fields["output"]["pattern"] = inside
    fields["work"]["pattern"] = f"^$|{inside}"
    fields["overrides"].update(overrides_schema(model))
    return made


def _literal(text: str) -> str:
    """`text` as a regular expression, in Python and in browsers."""
    return re.sub(r"([\\^$.|?*+()\[\]{}])", r"\\\1", text)
