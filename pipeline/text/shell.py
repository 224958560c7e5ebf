"""Commands that a person may paste into a shell: a name in them stays one word, whatever characters it has."""

from __future__ import annotations

import shlex

from pipeline.text.visible import visible

_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\e"}


def quoted(name: str) -> str:
    """`name` as one word of a shell. One that holds what would be hidden is written in the `$'…'` of bash, zsh and ksh, so
    that the word can be seen and still is the name."""
    if name.startswith("-"):
        name = f"./{name}"
    if visible(name) == name:
        return shlex.quote(name)
    return "$'" + "".join(map(_escaped, name)) + "'"


def _escaped(character: str) -> str:
    if character in _ESCAPES or visible(character) == character:
        return _ESCAPES.get(character, character)
    lone = "surrogateescape" if "\udc80" <= character <= "\udcff" else "surrogatepass"
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", lone))
