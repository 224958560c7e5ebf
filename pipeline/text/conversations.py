"""Rows that are conversations: which columns they have, what of them is judged, and where each piece of it stands.

Judged, filtered and compared is what users and assistants say. What frames it is not: turns of the system, of tools and of
functions, calls of tools, names, images. A row is kept or dropped as a whole.

Invariant: `walk` gives the pieces of a row in one order, so that what an edit makes of the n-th goes back to where that stood;
it changes nothing, and says in a sentence why a row is no conversation (`NoConversation`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from pipeline.records.base import Json
from pipeline.text import exact_json
from pipeline.text.turns import ASSISTANT, MORE, REJECTED, USER, cleaned
from pipeline.text.visible import visible

VERSION = 1
"""Covers what is judged of a row: raise it when the same row gives another text."""
AUTO, TEXT = "auto", "text"
CALLS, OTHER = "tool_calls", "other"
"""Fields of a turn in shards that are JSON."""
_USERS = ("user", "human", "prompter")
_ASSISTANTS = ("assistant", "gpt", "chatgpt", "claude", "model", "bot", "bing", "bard")
_LEFT_OUT = (
    *("system", "developer", "tool", "function", "function_call", "function_response", "tool_call", "tool_response"),
    *("observation", "ipython", "context", "environment"),
)
_MARKS = {**dict.fromkeys(_USERS, USER), **dict.fromkeys(_ASSISTANTS, ASSISTANT), **dict.fromkeys(_LEFT_OUT, "")}
_KINDS = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    exact_json.Number: "a number",
    exact_json.Replacement: "nested too deep, or not UTF-8",
    str: "a string",
    list: "a list",
    dict: "an object",
}
_NAME = 40


class NoConversation(ValueError):
    """Why a row is none, in one sentence."""


class Piece(NamedTuple):
    """What one says, or a part of it, and each place in the row where it stands: keys, from the column on."""

    mark: str
    text: str
    places: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Layout:
    """A way to write conversations. `required`: columns that a row of it has, `optional`: that it may have; `turns`: those that
    are lists of turns, the others are texts; `role`, `content`: keys of a turn."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    turns: tuple[str, ...] = ()
    role: str = "role"
    content: str = "content"

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of a turn in shards, all of them strings; the last one has as JSON what has no other."""
        return (self.role, self.content, *(("name", CALLS, "tool_call_id") if self.role == "role" else ()), OTHER)

    def type_of(self, column: str) -> pa.DataType:
        """Of a column in shards."""
        turn = pa.struct([(name, pa.string()) for name in self.fields])
        return pa.list_(turn) if column in self.turns else pa.string()

    @property
    def columns(self) -> tuple[str, ...]:
        """In the order of shards."""
        return (*self.optional, *self.required) if self.name.startswith("preference") else (*self.required, *self.optional)


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("messages", ("messages",), turns=("messages",)),
        Layout("conversations", ("conversations",), turns=("conversations",), role="from", content="value"),
        Layout("preference", ("chosen", "rejected"), ("prompt",), ("chosen", "rejected")),
        Layout("preference_turns", ("chosen", "rejected", "prompt"), (), ("prompt", "chosen", "rejected")),
        Layout("preference_text", ("chosen", "rejected"), ("prompt",)),
        Layout("instruction", ("instruction", "output"), ("input",)),
        Layout("instruction_response", ("instruction", "response"), ("context",)),
        Layout("conversation", ("conversation",), turns=("conversation",)),
        Layout("completion", ("prompt", "completion")),
        Layout("completion_turns", ("prompt", "completion"), turns=("prompt", "completion")),
    )
}
"""By the name that `source.format` has for it; the first that fits a row is its own."""
FORMATS = (AUTO, TEXT, *LAYOUTS)


def layout_of(record: Json) -> str:
    """The layout of a row by its columns and their kinds; empty where it has none of them."""
    for layout in LAYOUTS.values():
        given = {name: record.get(name) for name in layout.required}
        if all(value is not None and _fits(layout, name, value) for name, value in given.items()) and all(
            record.get(name) is None or _fits(layout, name, record[name]) for name in layout.optional
        ):
            return layout.name
    return ""


def _fits(layout: Layout, name: str, value: Any) -> bool:
    if name not in layout.turns:
        return isinstance(value, str)
    if isinstance(value, str):
        value = _parsed(value)
    return isinstance(value, list) and all(isinstance(turn, dict) and layout.role in turn for turn in value[:1])


def _parsed(text: str) -> Any:
    """The value of a JSON text; the text where it is none, or one that could not be written again."""
    try:
        raw = text.encode()
        value = orjson.loads(raw) if exact_json.is_exact(raw) else exact_json.settled(exact_json.loads(text), lambda _: None)
        exact_json.dumps(value)
        return value
    except (ValueError, RecursionError, TypeError):
        return text


def open_texts(layout: Layout, record: Json) -> None:
    """Put the value in place of the JSON text that a column of turns may be."""
    for name in layout.turns:
        if type(value := record.get(name)) is str:
            record[name] = _parsed(value)


def walk(layout: Layout, record: Json) -> list[Piece]:
    """What is judged of a row. Raises NoConversation."""
    for name in layout.required:
        if record.get(name) is None:
            raise NoConversation(f"column {name!r} is {'null' if name in record else 'not there'}")
    return _WALKS[layout.name](layout, record)


def put(record: Json, pieces: Sequence[Piece], texts: Sequence[str]) -> None:
    """Write each text where its piece stands."""
    for piece, text in zip(pieces, texts, strict=True):
        for place in piece.places:
            container: Any = record
            for key in place[:-1]:
                container = container[key]
            container[place[-1]] = text


def _conversation(layout: Layout, record: Json) -> list[Piece]:
    return list(_turns(layout, record, layout.turns[0]))


def _preference(layout: Layout, record: Json) -> list[Piece]:
    """The prompt, the chosen answer, and what the rejected one has behind the turns that both have. What stands twice (a prompt
    that is the first turn too) is judged once."""
    if not layout.turns:
        return [
            *_texts(record, ("prompt",), USER),
            *_texts(record, ("chosen",), ASSISTANT),
            *_texts(record, ("rejected",), REJECTED),
        ]
    prompt = list(_turns(layout, record, "prompt") if "prompt" in layout.turns else _texts(record, ("prompt",), USER))
    chosen, rejected = (list(_turns(layout, record, name)) for name in ("chosen", "rejected"))
    again = _same(chosen, rejected)
    known = _same(prompt, chosen)
    others = [piece._replace(mark=REJECTED) if piece.mark == ASSISTANT else piece for piece in rejected[again:]]
    return [*prompt, *chosen[known:], *others]


def _same(before: list[Piece], after: list[Piece]) -> int:
    """How many pieces both begin with; those of `before` then stand in the places of both."""
    n = 0
    while n < min(len(before), len(after)) and before[n][:2] == after[n][:2]:
        before[n].places.extend(after[n].places)
        n += 1
    return n


def _instruction(layout: Layout, record: Json) -> list[Piece]:
    task, answer = layout.required
    asked = list(_texts(record, (task, *layout.optional), USER))
    return [*asked[:1], *(piece._replace(mark=MORE) for piece in asked[1:]), *_texts(record, (answer,), ASSISTANT)]


def _completion(layout: Layout, record: Json) -> list[Piece]:
    return [piece for column in layout.turns for piece in _turns(layout, record, column)]


def _texts(record: Json, names: Sequence[str], mark: str) -> Iterator[Piece]:
    for name in names:
        value = record.get(name)
        if value is None:
            continue
        if type(value) is not str:
            raise NoConversation(f"column {name!r} is {_kind(value)}; in this format it is a string")
        if text := cleaned(value):
            yield Piece(mark, text, [(name,)])


def _turns(layout: Layout, record: Json, column: str) -> Iterator[Piece]:
    turns = record.get(column)
    if turns is None:
        return
    if type(turns) is not list:
        raise NoConversation(f"column {column!r} is {_kind(turns)}; it is a list of turns, or its JSON text")
    speaker, words = layout.role, layout.content
    for at, turn in enumerate(turns):
        if type(turn) is not dict:
            raise NoConversation(f"turn {at + 1} of {column!r} is {_kind(turn)}; a turn is an object")
        role, content = turn.get(speaker), turn.get(words)
        mark = _MARKS.get(role) if type(role) is str else None
        if mark is None:
            mark = _mark(role, layout, f"turn {at + 1} of {column!r}")
        if content is None:
            continue
        if type(content) is str:
            if mark and (text := cleaned(content)):
                yield Piece(mark, text, [(column, at, words)])
        elif type(content) is exact_json.Replacement and not mark:
            continue
        elif type(content) is list:
            place = (column, at, layout.content)
            yield from _parts(content, mark, place, where=f"turn {at + 1} of {column!r}")
        else:
            said = f"turn {at + 1} of {column!r} has a {layout.content!r} that is {_kind(content)}"
            raise NoConversation(f"{said}; it is a string, null or a list of parts")


def _mark(role: Any, layout: Layout, where: str) -> str:
    if not isinstance(role, str):
        has = f"has a {layout.role!r} that is {_kind(role)}" if role is not None else f"has no {layout.role!r}"
        raise NoConversation(f"{where} {has}; it names who speaks")
    mark = _MARKS.get(role.strip().lower())
    if mark is None:
        known = ", ".join((*_USERS[:2], *_ASSISTANTS[:2], *_LEFT_OUT[:3]))
        raise NoConversation(
            f"{where} is of {visible(role, limit=_NAME)!r}, which no speaker is called; known are {known} and others"
        )
    return mark


def _parts(content: list[Any], mark: str, place: tuple[Any, ...], *, where: str) -> Iterator[Piece]:
    """The texts among the parts of a turn."""
    for at, part in enumerate(content):
        if type(part) is str:
            own, value = (at,), part
        elif type(part) is dict:
            own, value = (at, "text"), part.get("text")  # type: ignore[assignment]
            if mark and value is not None and type(value) is not str:
                raise NoConversation(f"part {at + 1} of {where} has a text that is {_kind(value)}")
        else:
            raise NoConversation(f"part {at + 1} of {where} is {_kind(part)}; a part is an object or a string")
        if mark and value and (text := cleaned(value)):
            yield Piece(mark, text, [(*place, *own)])
            mark = MORE


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), f"of type {type(value).__name__}")


_WALKS: dict[str, Callable[[Layout, Json], list[Piece]]] = {
    "messages": _conversation,
    "conversations": _conversation,
    "preference": _preference,
    "preference_turns": _preference,
    "preference_text": _preference,
    "instruction": _instruction,
    "instruction_response": _instruction,
    "conversation": _conversation,
    "completion": _instruction,
    "completion_turns": _completion,
}
