"""How a file's JSON is laid out, by its beginning: `jsonl` one object a line, or a format of `pipeline.read.formats` that reads
another layout.

Invariants: what is one object a line by its first or its second line is read by lines, whatever follows; no more is looked at
than `max_row_bytes` and what is read in one go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson

from pipeline.read.formats import columns
from pipeline.read.formats.document import SPACE, Nesting
from pipeline.read.formats.mending import object_of
from pipeline.read.lines import Chunks, Unreadable
from pipeline.text.conversations import LAYOUTS, layout_of
from pipeline.text.visible import visible

LOOK_BYTES = 1 << 20
"""Bytes in which a file that no ending declares must have its text, and in which an object's members are looked for."""
MOST_NAMES = 8
_ARRAY_OF_OBJECTS = re.compile(rb"\[[%b]*+\{" % SPACE)


class Head:
    """The beginning of a stream, as much of it as was asked for."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = iter(chunks)
        self.data = b""
        self.ended = self.damaged = False

    def chunks(self) -> Iterator[bytes | Unreadable]:
        """The stream from its beginning, for one who goes on with it."""
        yield self.data
        yield from self._chunks

    def grow(self, size: int) -> bool:
        """Hold at least `size` bytes, or all there are; whether there are more than before. What cannot be read ends it."""
        parts, held = [self.data], len(self.data)
        while held < size and not self.ended:
            try:
                part = next(self._chunks, b"")
            except Unreadable as error:
                part = error
            if isinstance(part, Unreadable):
                part, self.damaged = b"", True
            self.ended = not part
            parts.append(part)
            held += len(part)
        grown = held > len(self.data)
        self.data = b"".join(parts)
        return grown


def shape_of(head: Head, *, text: str, limit: int) -> str:
    """The format of a file that is JSON; empty where it does not begin as an array or an object does."""
    head.grow(1)
    while not (begin := head.data.lstrip(SPACE)) and head.grow(2 * len(head.data)) and len(head.data) < limit:
        pass
    if begin[:1] == b"[":
        return "json"
    return _of_object(head, len(head.data) - len(begin), text=text, limit=limit) if begin[:1] == b"{" else ""


def _of_object(head: Head, begin: int, *, text: str, limit: int) -> str:
    end = _find_newline(head, begin, limit)
    line = head.data[begin:end]
    if (first := object_of(line)) is not None:
        alone = not isinstance(first.get(text), str) and not _follows(head, end, limit)
        return (_of_one(first, text) if alone else "") or "jsonl"
    nesting = Nesting()
    value_end = nesting.feed(line)
    if value_end >= 0:
        return "json" if line[value_end:].lstrip(SPACE).startswith((b"{", b"[")) else "jsonl"
    if nesting.in_string and end < len(head.data):  # no string has a line break
        return "jsonl"
    open_ = end == len(head.data) or line.rstrip(SPACE).endswith((b"{", b"[", b",", b":"))
    return (_of_many_lines(head, begin, text=text, limit=limit) if open_ else "") or (
        "jsonl" if _second_is_object(head, end, limit) else "json"
    )


def _second_is_object(head: Head, end: int, limit: int) -> bool:
    """Whether the line behind the one that ends here is an object."""
    second = _find_newline(head, end + 1, limit)
    try:
        return isinstance(orjson.loads(head.data[end + 1 : second]), dict)
    except orjson.JSONDecodeError:
        return False


def _of_many_lines(head: Head, begin: int, *, text: str, limit: int) -> str:
    """Of a file whose first value has several lines; empty where it has no end."""
    nesting, at = Nesting(), begin
    while (found := nesting.feed(head.data, at)) < 0:
        at = len(head.data)
        if at - begin > limit or not head.grow(2 * at):
            return "json_members" if _has_records(head.data[begin : begin + LOOK_BYTES]) else ""
    if _follows(head, found, limit):
        return "json"
    value = object_of(head.data[begin:found])
    if value is None and _has_records(head.data[begin : begin + LOOK_BYTES]):
        return "json_members"
    return (value and _of_one(value, text)) or "json"


def _of_one(value: dict[str, Any], text: str) -> str:
    """Of a file that is one object; empty where that is the row."""
    if text in value and not isinstance(value[text], dict | list):
        return ""
    if (layout := layout_of(value)) and not any(text in turn for name in LAYOUTS[layout].turns for turn in value.get(name) or ()):
        return ""  # one conversation
    if any(isinstance(item, list) and item and isinstance(item[0], dict) for item in value.values()):
        return "json_members"
    return "json_table" if columns.holds_table(value, text) else ""


def _find_newline(head: Head, at: int, limit: int) -> int:
    """Where the line ends, or what may be looked at."""
    while (found := head.data.find(b"\n", at)) < 0:
        at = max(at, len(head.data))
        if len(head.data) > limit or not head.grow(2 * len(head.data)):
            return len(head.data)
    return found


def _follows(head: Head, at: int, limit: int) -> bool:
    """Whether more than white space is behind."""
    while not head.data[at:].strip(SPACE):
        at = len(head.data)
        if at > 2 * limit or not head.grow(2 * at):
            return False
    return True


def _has_records(data: bytes) -> bool:
    """Whether a member of the object that begins here is an array of objects."""
    at = 1
    while (at := _member(data, at)) < len(data):
        if _ARRAY_OF_OBJECTS.match(data, at):
            return True
        end = Nesting().feed(data, at)
        if end < 0:
            return False
        at = end
    return False


def _member(data: bytes, at: int) -> int:
    while at < len(data) and data[at] in b" \t\r\n,:":
        at += 1
    return at


def begins_with_object(data: bytes) -> bool:
    """Whether the first value is an object, in an array or not."""
    begin = data.lstrip(SPACE)
    return (begin[1:].lstrip(SPACE) if begin[:1] == b"[" else begin)[:1] == b"{"


def names_text(data: bytes, text: str) -> bool:
    """Whether a member of that name is in the data, whatever holds it."""
    quoted = {json.dumps(text).encode(), orjson.dumps(text)}
    return any(part.lstrip(b" \t\r\n")[:1] == b":" for name in quoted for part in data.split(name)[1:])


def described(data: bytes, shape: str) -> str:
    """What JSON without a text holds, in words."""
    words = {"jsonl": "JSON lines", "json_members": "a JSON object with lists of records"}.get(shape, "JSON")
    begin = data.find(b"{")
    end = Nesting().feed(data, begin) if begin >= 0 else -1
    found = object_of(data[begin:end]) if end >= 0 else None
    if not found:
        return words
    names = ", ".join(repr(visible(name, limit=40)) for name in list(found)[:MOST_NAMES]) + (
        ", …" if len(found) > MOST_NAMES else ""
    )
    return f"{words} (its first object has {names})"
