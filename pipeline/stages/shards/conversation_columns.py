"""The columns that conversations have in shards: their structure as it was read, with the texts that edits left in it.

A turn is a struct of strings. What is a string in the row has a field of its own; anything else (calls of tools, parts of a
content, a number) is JSON: calls in `tool_calls`, the rest in `other`, an object of the turn's other keys. So nothing of a turn
is lost but the difference between null and absent, and the order of keys in objects. `restored` is the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from filters.kernels import buffers
from pipeline.errors import BrokenContract
from pipeline.records.base import Json
from pipeline.text import conversations, exact_json, turns
from pipeline.text.conversations import CALLS, LAYOUTS, OTHER, Layout

AT_ONCE = 1_000_000
"""Bytes of metadata that are Python's objects at a time, which take several times as much: chosen because eight times as many
take 1.7 times as long, since more of them outlive a collection of garbage."""


def of_rows(layout: str, metadata: pa.Array, text: pa.LargeStringArray, *, read: pa.Array) -> dict[str, pa.Array]:
    """The columns of a layout, and `metadata` without them. `metadata`, `text`: final, the text with marks; `read`: metadata
    before masks, which could make two texts one and so hide which pieces there were."""
    sizes = pc.binary_length(metadata.cast(pa.large_string())).to_numpy()
    ends = np.append(0, np.cumsum(sizes, dtype=np.int64))
    parts = [
        _of_rows(layout, metadata.slice(a, b - a), text.slice(a, b - a), read=read.slice(a, b - a))
        for a, b in buffers.slices(ends, AT_ONCE)
    ]
    parts = parts or [_of_rows(layout, metadata, text, read=read)]
    return {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}


def _of_rows(layout: str, metadata: pa.Array, text: pa.LargeStringArray, *, read: pa.Array) -> dict[str, pa.Array]:
    own = LAYOUTS[layout]
    pieces = turns.split(text)
    said, first = pieces.texts.to_pylist(), pieces.first.tolist()
    talks = turns.marked(text).tolist()
    found: dict[str, list[Any]] = {name: [] for name in own.columns}
    left: list[bytes] = []
    before = read.cast(pa.large_binary())
    for i, raw in enumerate(metadata.cast(pa.large_binary()).to_pylist()):
        record = _loaded(raw)
        if talks[i]:
            was = before[i].as_py() if own.name.startswith("preference") else raw
            _put(own, record, said[first[i] : first[i + 1]], read=record if was == raw else _loaded(was))
        for name, values in found.items():
            values.append(record.pop(name, None))
        left.append(exact_json.dumps(record) if record else b"{}")
    made = {name: _column(own, name, values) for name, values in found.items()}
    return made | {"metadata": pa.array(left, pa.large_binary()).cast(pa.large_string())}


def nulls(layout: str, n: int) -> dict[str, pa.Array]:
    """The same of rows of another layout, or of texts."""
    return {name: pa.nulls(n, LAYOUTS[layout].type_of(name)) for name in LAYOUTS[layout].columns}


def _loaded(raw: bytes) -> Json:
    """The value of metadata, which are compact and sorted: where orjson does not write them again it has not kept all."""
    value = orjson.loads(raw)
    if orjson.dumps(value, None, orjson.OPT_SORT_KEYS) != raw:
        value = exact_json.loads(raw.decode())
    assert type(value) is dict
    return value


def _put(layout: Layout, record: Json, said: Sequence[str], *, read: Json) -> None:
    try:
        conversations.put(record, conversations.walk(layout, read), said)
    except ValueError as error:  # NoConversation, or as many pieces as there were not
        raise BrokenContract(f"a conversation is not the one that was read: {error}") from error


def _column(layout: Layout, name: str, values: list[Any]) -> pa.Array:
    if name not in layout.turns:
        return pa.array(values, pa.string())
    for value in values:
        for at, turn in enumerate(value or ()):
            if len(turn) != 2 or type(turn.get(layout.content)) is not str or type(turn[layout.role]) is not str:
                value[at] = _fitted(layout, turn)
    return pa.array(values, layout.type_of(name))


def _fitted(layout: Layout, turn: Json) -> Json:
    """A turn with strings in its fields, and JSON of what is none, or has no field, in `other`."""
    made = {name: turn[name] for name in layout.fields[:-1] if name in turn and _fits(name, turn[name])}
    if made.get(CALLS) is not None:
        made[CALLS] = exact_json.dumps(made[CALLS]).decode()
    left = {name: value for name, value in turn.items() if name not in made and value is not None}
    return made | {OTHER: exact_json.dumps(left).decode() if left else None}


def _fits(field: str, value: Any) -> bool:
    return type(value) is str or field == CALLS


def restored(layout: str, row: Json) -> Json:
    """A row of a shard as its input had it: the columns of the layout, less keys that are null."""
    own = LAYOUTS[layout]
    record: Json = {}
    for name in own.columns:
        value = row.get(name)
        if value is None:
            continue
        record[name] = [_turn(turn) for turn in value] if name in own.turns else value
    return record


def _turn(turn: Json) -> Json:
    other = turn.get(OTHER)
    made = {key: value for key, value in turn.items() if value is not None and key != OTHER}
    if CALLS in made:
        made[CALLS] = _loaded_value(made[CALLS])
    return made | (_loaded_value(other) if other else {})


def _loaded_value(text: str) -> Any:
    return orjson.loads(text) if exact_json.is_exact(text.encode()) else exact_json.loads(text)


def marked(layouts: Sequence[str], table: pa.Table) -> pa.LargeStringArray:
    """The final texts of a shard's rows, as dedup and tombstones have them. `table`: `text` and the columns of these layouts."""
    bare = table["text"].combine_chunks().cast(pa.large_string())
    if not layouts:
        return bare
    texts: list[str] = bare.to_pylist()
    for i, row in enumerate(table.to_pylist()):
        for layout in layouts:
            record = restored(layout, row)
            if texts[i] and all(name in record for name in LAYOUTS[layout].required):
                pieces = conversations.walk(LAYOUTS[layout], record)
                texts[i] = turns.joined((piece.mark, piece.text) for piece in pieces)
                break
    return pa.array(texts, pa.large_string())


def bare_text(column: Any) -> pa.Array:
    """A column of final texts without marks."""
    text = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return turns.bare(text.cast(pa.large_string()))
