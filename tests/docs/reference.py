"""The plan reference of README.md, generated from the models: `python -m tests.docs.reference` prints it, `--write` puts it
between the markers in README.md. A test fails when they differ."""

from __future__ import annotations

import json
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.plan.model import Plan

BEGIN, END = "<!-- plan reference: begin -->", "<!-- plan reference: end -->"


def markdown() -> str:
    """One table row per key of the plan, nested keys by their path."""
    lines = ["| key | default | what it does |", "|---|---|---|"]
    for path, default, about in _rows(Plan, ""):
        lines.append(f"| `{path}` | {_cell(default)} | {about} |")
    return "\n".join(lines)


def _cell(default: str) -> str:
    return f"`{default}`" if default else ""


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, info in model.model_fields.items():
        inner = _inner(info.annotation)
        path = f"{prefix}{info.alias or name}"
        about = (info.description or "").replace("|", "\\|")
        if inner is None:
            yield path, _default(info), about
            continue
        off = info.default is None and name not in ("plan",)
        yield path, "false" if off else "", f"{about} (`false` = off)" if off else about
        yield from _rows(inner, f"{path}.")


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


def main() -> int:
    readme = Path(__file__).resolve().parents[2] / "README.md"
    if "--write" not in sys.argv:
        print(markdown())
        return 0
    text = readme.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{markdown()}\n{END}{after}", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
