"""All keys of a plan, by the models that validate it: what `winnow plan keys` shows and the plan reference is made of."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.plan.model import Plan


def keys() -> list[tuple[str, str, str]]:
    """`(key, default, what it does)`, nested keys by their path; a part that is off by default has `false`."""
    return list(_keys(Plan, ""))


def _keys(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, info in model.model_fields.items():
        inner = _inner(info.annotation)
        path = f"{prefix}{info.alias or name}"
        about = info.description or ""
        if inner is None:
            yield path, _default(info), about
            continue
        off = info.default is None and name not in ("plan",)
        yield path, "false" if off else "", f"{about} (`false` = off)" if off else about
        yield from _keys(inner, f"{path}.")


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, tuple, typing.Annotated):
        for part in typing.get_args(annotation):
            found = _inner(part)
            if found is not None:
                return found
    return None


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return ""
    value = info.default
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1_000_000 and value % 1_000_000 == 0:
        return f"{value // 1_000_000}MB"
    return value if isinstance(value, str) else json.dumps(value)
