r"""Lines that are no JSON: those of a known slip are read all the same, of others the cause is named.

Read: a byte order mark or a record separator in front (files that were joined, RFC 7464), a comma behind, and `NaN` or
`Infinity`, as Python's json module writes them; these become the strings "NaN", "Infinity" and "-Infinity", as in Parquet, and
null where they stand for text, id, source, url or date. Invariant: what is read is exactly one object, every value of it kept.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import orjson

_BEFORE = re.compile(rb"(?:[ \t\r\n\x1e]|\xef\xbb\xbf)*+")
_BEHIND = b" \t\r\n,"
_NOT_FINITE = re.compile(rb'("(?:[^"\\]++|\\.)*+")|-?\bInfinity\b|\bNaN\b', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.S)
_COMMENTS = (b"//", b"#", b"/*")
_TYPES = {list: "an array", str: "a string", int: "a number", float: "a number", bool: "true or false", type(None): "null"}


def mended(line: bytes, columns: Collection[str]) -> dict[str, Any] | None:
    """The object of a line that orjson refuses, if its only faults are slips. `columns`: those that hold what is text."""
    bare = _BEFORE.sub(b"", line, count=1).rstrip(_BEHIND)
    found = _object(bare)
    if found is None and (b"NaN" in bare or b"Infinity" in bare):
        found = _object(_NOT_FINITE.sub(_quoted, bare))
        nulls = _object(_NOT_FINITE.sub(_null, bare)) or {}
        for name in columns:
            if found and name in nulls and nulls[name] is None:
                found[name] = None
    return found


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return found if type(found) is dict else None


def _quoted(found: re.Match[bytes]) -> bytes:
    return found[0] if found[1] else b'"%b"' % found[0]


def _null(found: re.Match[bytes]) -> bytes:
    return found[0] if found[1] else b"null"


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
    return f"expected one object, found {_TYPES[type(value)]}{size}"
