r"""Lines that are no JSON: those of a known slip are read all the same, of others the cause is named.

Read: a byte order mark or a record separator in front (files that were joined, RFC 7464), and a comma behind. `NaN` and
`Infinity`, as Python's json module writes them, are values (`pipeline.text.exact_json`).
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

_BEFORE = re.compile(rb"(?:[ \t\r\n\x1e]|\xef\xbb\xbf)*+")
_BEHIND = b" \t\r\n,"
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.S)
_COMMENTS = (b"//", b"#", b"/*")
_TYPES = {list: "an array", str: "a string", int: "a number", float: "a number", bool: "true or false", type(None): "null"}


def without_slips(line: bytes) -> bytes:
    """The line without what stands beside its value by mistake."""
    return _BEFORE.sub(b"", line, count=1).rstrip(_BEHIND)


def object_of(line: bytes) -> dict[str, Any] | None:
    """The object that a line holds, to be looked at and not kept: numbers may differ in their last digits."""
    bare = without_slips(line)
    try:
        found = orjson.loads(bare)
    except orjson.JSONDecodeError:
        try:
            found = json.loads(bare.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
    return found if type(found) is dict else None


def why_not_json(line: bytes, said: str) -> tuple[str, str]:
    """Cause and detail, without reading orjson's messages, which change: `said` is one."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return "invalid_utf8", not_utf8(error)
    if rb"\ud" in line.lower():
        try:  # a line whose only fault is a lone surrogate escape parses once that is replaced
            orjson.loads(_ESCAPE.sub(lambda match: rb"\ufffd" if match[1] else match[0], line))
            return "lone_surrogate", said
        except orjson.JSONDecodeError:
            pass
    known = _known(_BEFORE.sub(b"", line, count=1))
    return "invalid_json", f"{known}; {said}" if known else said


def not_utf8(error: UnicodeDecodeError) -> str:
    """Where bytes are not UTF-8, and what they may be."""
    byte = error.object[error.start]
    return f"byte 0x{byte:02x} at {error.start} is not UTF-8 ({error.reason}); is it Latin-1 or Windows-1252?"


def _known(line: bytes) -> str:
    if line.startswith(_COMMENTS):
        return "a comment, which JSON has not"
    if line.startswith(b"{'"):
        return "single quotes, as Python prints a dict; json.dumps writes JSON"
    if b"\0" in line:
        return "zero bytes: another encoding, or no text"
    return ""


def not_an_object(value: object) -> str:
    """What a value is that is no object, in words."""
    size = f" of {len(value):,}" if isinstance(value, list) else ""
    return f"expected one object, found {_TYPES.get(type(value), 'a number')}{size}"
