"""Header fields of WARC and HTTP: `name: value` lines, as RFC 9112 (5) and WARC 1.1 (4) say, and as archives are.

Invariants: names are read without regard to case; a line that begins with white space goes on with the value before it (a
folded line); white space around name and value does not count; lines end in CRLF or LF. Time is linear in the header.
"""

from __future__ import annotations

import re

_BLANK = re.compile(rb"\r?\n(?:\r?\n|\Z)")
_LISTS = ("content-encoding", "transfer-encoding")
"""Fields whose lines, where there are several, are one list."""
Fields = dict[str, str]
"""Lower-case name → value: of lists all of them with commas between, of others the first that says something."""


def split(data: bytes) -> tuple[bytes, bytes]:
    """The header, its first line included, and what follows the blank line."""
    end = _BLANK.search(data)
    return (data[: end.start()], data[end.end() :]) if end else (data, b"")


def parse(header: bytes) -> Fields:
    """The fields of a header, whose first line is passed over."""
    found: list[tuple[str, list[str]]] = []
    for line in header.split(b"\n")[1:]:
        text = _text(line)
        if text[:1] in (" ", "\t"):
            if found:
                found[-1][1].append(text.strip())
            continue
        name, colon, value = text.partition(":")
        if colon:
            found.append((name.strip().lower(), [value.strip()]))
    made: Fields = {}
    for name, parts in found:
        value = " ".join(filter(None, parts))
        if name in _LISTS and made.get(name):
            made[name] += f", {value}"
        elif not made.get(name):
            made[name] = value
    return made


def listed(fields: Fields, name: str) -> list[str]:
    """The items of a list, lower-case, without their parameters."""
    items = (item.partition(";")[0].strip().lower() for item in fields.get(name, "").split(","))
    return [item for item in items if item]


def media_type(value: str) -> tuple[str, str | None]:
    """`type/subtype`, lower-case, and the charset; the type is empty where none is given."""
    type_, *parameters = value.split(",")[0].split(";")
    charset = None
    for parameter in parameters:
        name, _, given = parameter.partition("=")
        if charset is None and name.strip().lower() == "charset":
            charset = given.strip().strip("\"'").strip() or None
    type_ = type_.strip().lower()
    return type_ if "/" in type_ else "", charset


def _text(line: bytes) -> str:
    line = line.removesuffix(b"\r")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")
