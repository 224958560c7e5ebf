"""Makes text from outside safe to show: what would act on a terminal or deceive a reader becomes a visible code point.

Invariant: the result is one line of printable characters; what was replaced can be read off it (`[U+202E]`); applying it
twice changes nothing. HTML is escaped by the template engine behind it, Markdown by `markdown`. Dangerous are control characters
(ECMA-48 escapes), format characters (bidi overrides: CVE-2021-42574, zero-width ones), lone surrogates, separators, and letters
that draw nothing.
"""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_BLANK = set("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols without a glyph (Hangul fillers, empty Braille)."""

_MOST_MARKS = 4
"""Combining marks on one letter; chosen because Vietnamese, Hebrew and Indic text stay below and stacks overdraw lines."""


def visible(text: str, *, limit: int | None = None) -> str:
    """`text` on one line with everything hidden made visible; longer than `limit` characters: cut, ending in `…`."""
    if text.isascii() and text.isprintable() and (limit is None or len(text) <= limit):
        return text  # most of what a page shows
    shown: list[str] = []
    marks = length = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        hidden = category in _HIDDEN or character in _BLANK or marks > _MOST_MARKS
        shown.append(f"[U+{ord(character):04X}]" if hidden else character)
        length += len(shown[-1])
        if limit is not None and length > limit:
            return _cut(shown, length, limit)
    return "".join(shown)


def _cut(shown: list[str], length: int, limit: int) -> str:
    while shown and length > limit - 1:
        length -= len(shown.pop())
    return "".join(shown) + "…"


def visible_lines(text: str) -> str:
    """`text` with its line breaks, everything else that is hidden made visible: messages and plans."""
    return "\n".join(visible(line) for line in text.split("\n"))


def folded(text: str, *, limit: int) -> str:
    """`text` made visible on one line, each run of white space one space."""
    return visible(" ".join(text.split()), limit=limit)
