"""Masks for what stands beside the text: an address that the text no longer shows must not stand in `url` or `metadata`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from filters.edits.contract import Step, Walk


def masked(column: pa.ChunkedArray, steps: Sequence[Step | Walk], *, json: bool) -> pa.Array:
    """The masked value of each row, null where nothing changed. `json`: the strings in it are masked, not its bytes."""
    masks = [step for step in steps if isinstance(step, Step) and step.mask]
    values = pl.Series("value", pl.from_arrow(column), dtype=pl.String)
    rows = values.drop_nulls()
    found = _apply(rows, masks) != rows if masks and len(rows) else pl.Series([], dtype=pl.Boolean)
    changed: list[str | None] = [None] * len(values)
    present = values.is_not_null().arg_true()
    for place in found.arg_true():
        row = present[place]
        changed[row] = _in_json(values[row], masks) if json else _apply(values[row : row + 1], masks)[0]
    return pa.array(changed, pa.large_string())


def _apply(texts: pl.Series, masks: Sequence[Step]) -> pl.Series:
    for step in masks:
        texts = step.apply(texts)
    return texts


def _in_json(text: str, masks: Sequence[Step]) -> str:
    """Keys too: they are strings of the input as well."""

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return _apply(pl.Series([value]), masks)[0]
        if isinstance(value, list):
            return [walk(item) for item in value]
        if isinstance(value, dict):
            return {walk(key): walk(item) for key, item in value.items()}
        return value

    return orjson.dumps(walk(orjson.loads(text)), option=orjson.OPT_SORT_KEYS).decode()
