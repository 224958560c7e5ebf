"""JSON whose values stay what was written: numbers keep their digits, and what JSON or UTF-8 cannot hold becomes text.

orjson reads and writes the common case at full speed. This module is for what it cannot keep: integers beyond 64 bits (orjson
makes floats of them), decimals that are not the shortest of their float (1.10), NaN and Infinity, half characters, bytes that are
not UTF-8, and nesting that no library follows to its end.

Invariants: a number is written as it was read, unless it lies beyond float64 (1e400), which most readers of JSON refuse: then it
is a string of its digits. What stands for another value is named (`Odd`), never silently put in its place.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from pipeline.records.base import Json

MOST_LEVELS = 200
"""Levels of nesting that a row may have; orjson writes 254, and readers such as Python's stop at fewer than a thousand."""
NOT_FINITE, TOO_LARGE, TOO_DEEP, TWICE = "not_finite", "number_too_large", "too_deep", "double_key"
SURROGATE, NOT_UTF8, UNREADABLE = "lone_surrogate", "invalid_utf8", "unreadable"
KINDS = (NOT_FINITE, TOO_LARGE, TOO_DEEP, TWICE, SURROGATE, NOT_UTF8, UNREADABLE)
"""What may be odd of a value."""


class Number:
    """A number whose digits no Python number gives back."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def is_integer(self) -> bool:
        return self.text.lstrip("-").isdecimal()


class Odd:
    """`value` stands for what JSON cannot hold; `kind` says what that was."""

    __slots__ = ("kind", "value")

    def __init__(self, kind: str, value: Any) -> None:
        self.kind, self.value = kind, value


class Replacement(str):
    """A string that stands for a value which is none, or is another one."""

    __slots__ = ()


def loads(text: str) -> Any:
    """The value of a JSON text: `Number` and `Odd` where needed. Raises ValueError, or RecursionError where it is too deep."""
    return _DECODER.decode(text)


def dumps(value: Any) -> bytes:
    """Compact JSON, keys sorted. `value`: what orjson takes, and `Number`. Raises TypeError for anything else."""
    return orjson.dumps(value, _digits, orjson.OPT_SORT_KEYS)


def _digits(value: Any) -> orjson.Fragment:
    if type(value) is not Number:
        raise TypeError(f"a value of type {type(value).__name__}")
    return orjson.Fragment(value.text)


def number(text: str) -> int | float | Number | Odd:
    """A number as JSON writes it."""
    if text.lstrip("-").isdecimal() and len(text) <= 18 and text != "-0":
        return int(text)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        return Odd(TOO_LARGE, text)
    return value if orjson.dumps(value).decode() == text else Number(text)


def _pairs(pairs: list[tuple[str, Any]]) -> Any:
    """An object; of equal keys the last counts, and that there were several is said."""
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen: set[str] = set()
    double = [key for key, _ in pairs if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
    return Odd(TWICE, Twice(made, tuple(dict.fromkeys(double))))


class Twice:
    """An object in which some keys stood twice."""

    __slots__ = ("keys", "made")

    def __init__(self, made: Json, keys: tuple[str, ...]) -> None:
        self.made, self.keys = made, keys


def _constant(text: str) -> Odd:
    return Odd(NOT_FINITE, text)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=number, parse_int=number, parse_constant=_constant)


def settled(value: Any, note: Callable[[str], None]) -> Any:
    """`value` without `Odd`, and with strings that UTF-8 can hold; each oddity's kind is told to `note`."""
    if type(value) is str:
        return value if value.isascii() else _utf8(value, note)
    if type(value) is dict:
        return {str(settled(key, note)): settled(item, note) for key, item in value.items()}
    if type(value) is list:
        return [settled(item, note) for item in value]
    if type(value) is Odd:
        note(value.kind)
        inner = settled(value.value.made if type(value.value) is Twice else value.value, note)
        return Replacement(inner) if type(inner) is str else inner
    return value


def _utf8(text: str, note: Callable[[str], None]) -> str:
    if kind := odd_of(text):
        note(kind)
        return Replacement(text.encode("utf-8", "winnow.escapes").decode())
    return text


def odd_of(text: str) -> str:
    """Why UTF-8 cannot hold the text; empty where it can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return NOT_UTF8 if any("\udc80" <= char <= "\udcff" for char in text) else SURROGATE
    return ""


def _escapes(error: UnicodeError) -> tuple[str, int]:
    r"""Half characters as `\ud800`, and bytes that were not UTF-8 (surrogateescape) as `\xff`."""
    assert isinstance(error, UnicodeEncodeError)
    codes = map(ord, error.object[error.start : error.end])
    return "".join(f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}" for code in codes), error.end


codecs.register_error("winnow.escapes", _escapes)


def outside_strings(line: bytes) -> bytes:
    """A line of JSON with its strings emptied."""
    return b'""'.join(line.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])


_NUMBER = re.compile(rb"-?[0-9][0-9.eE+-]*")


def is_exact(text: bytes) -> bool:
    """Whether each number of a JSON text is what orjson makes of it."""
    return all(orjson.dumps(orjson.loads(token)) == token for token in _NUMBER.findall(outside_strings(text)))


def keys(value: Any) -> int:
    """Keys of all objects in a value."""
    found, left = 0, [value]
    while left:
        item = left.pop()
        if type(item) is dict:
            found += len(item)
            item = item.values()
        left += [inner for inner in item if type(inner) in (dict, list)]
    return found
