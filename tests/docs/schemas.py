"""JSON Schemas of the JSON of an output and of what `inspect why --json` prints: `python -m tests.docs.schemas`, in the root.

They are made from the records, and committed under docs/schemas/, so that who reads an output without this package knows its
keys; a test holds them equal to the code. Source: JSON Schema 2020-12 (https://json-schema.org/draft/2020-12).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipeline.output.manifest import Manifest
from pipeline.records.exports_json import Exports
from pipeline.records.metrics_json import Metrics
from pipeline.records.savings_json import Savings
from pipeline.records.summary_json import Summary
from pipeline.records.why_json import Why

FOLDER = Path("docs/schemas")
SCHEMAS: dict[str, type[BaseModel]] = {
    "manifest.schema.json": Manifest,
    "metrics.schema.json": Metrics,
    "why.schema.json": Why,
    "savings.schema.json": Savings,
    "exports.schema.json": Exports,
    "summary.schema.json": Summary,
}
"""File in FOLDER → the record that it is the schema of."""


def text(model: type[BaseModel]) -> str:
    """The schema of what is written: every key that is always there is required."""
    schema = model.model_json_schema(by_alias=True, mode="serialization")
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_without_titles(schema)}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _without_titles(value: Any) -> Any:
    """Titles repeat the keys that they stand under. A key called `title` holds a schema, not a string."""
    if isinstance(value, dict):
        return {k: _without_titles(v) for k, v in value.items() if not (k == "title" and isinstance(v, str))}
    return [_without_titles(item) for item in value] if isinstance(value, list) else value


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, model in SCHEMAS.items():
        (FOLDER / name).write_text(text(model), "utf-8")
        print(f"{FOLDER / name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
