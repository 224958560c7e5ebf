"""Masks for what stands beside the text: an address that the text no longer shows must not stand in another column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from filters.edits.contract import Step, Walk, apply
from pipeline.text import exact_json


def masked(column: pa.ChunkedArray, steps: Sequence[Step | Walk], *, json: bool) -> pa.Array:
    """The masked value of each row, null where nothing changed. `json`: the strings in it are masked, not its bytes."""
    masks = [step for step in steps if step.mask]
    values = column.cast(pa.large_string()).combine_chunks()
    present = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
    rows = values.drop_null()
    changed: list[str | None] = [None] * len(values)
    if masks and len(rows):
        made, found = _apply(_bare(rows) if json else rows, masks)
        for place in np.flatnonzero(found).tolist():
            changed[present[place]] = _in_json(rows[place].as_py(), masks) if json else made[place].as_py()
    return pa.array(changed, pa.large_string())


def masked_names(table: pa.Table, column: str, steps: Sequence[Step | Walk]) -> pa.Table:
    """The table with each value of a column of few values masked."""
    names = table[column].unique()
    made = masked(pa.chunked_array([names]), steps, json=False)
    if made.null_count == len(made):
        return table
    chosen = pa.compute.coalesce(made.cast(names.type), names)
    values = chosen.take(pa.compute.index_in(table[column].combine_chunks(), value_set=names))
    return table.set_column(table.schema.get_field_index(column), table.schema.field(column), values)


def _bare(rows: pa.LargeStringArray) -> pa.LargeStringArray:
    """JSON in which no letter of an escape stands before or after an address."""
    return pa.compute.replace_substring_regex(rows, r"\\(u[0-9a-f]{4}|.)", " ")


def _apply(texts: pa.LargeStringArray, masks: Sequence[Step | Walk]) -> tuple[pa.LargeStringArray, np.ndarray]:
    """The masked texts, and which of them changed."""
    made, changed = apply(masks, texts)
    return made, np.logical_or.reduce([rows for _, rows in changed])


def _in_json(text: str, masks: Sequence[Step | Walk]) -> str | None:
    """Null where no string changed. Keys too: they are strings of the input as well."""
    value = exact_json.loads(text)
    strings: list[str] = []
    _each(value, lambda string: strings.append(string) or string)  # type: ignore[func-returns-value]
    made, changed = _apply(pa.array(strings, pa.large_string()), masks)
    if not changed.any():
        return None
    left = iter(made.to_pylist())
    return exact_json.dumps(_each(value, lambda _: next(left))).decode()


def _each(value: Any, change: Callable[[str], str]) -> Any:
    """JSON with each of its strings changed, in one order."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    if isinstance(value, dict):
        return {change(key): _each(item, change) for key, item in value.items()}
    return value
