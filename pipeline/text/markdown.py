"""Markdown that nothing from outside can break: escaped text, code spans, blocks, tables."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence

from pipeline.text.visible import visible, visible_lines

LONGEST = 1000
"""Characters of a text."""


def escaped(text: str) -> str:
    """`text` on one line with every ASCII punctuation character escaped, as CommonMark allows (section 2.4): no markup at all."""
    return "".join(f"\\{c}" if c in string.punctuation else c for c in visible(text, limit=LONGEST)).strip()


def code(text: str, *, limit: int = 120) -> str:
    """`text` as a code span that also stands in a table: nothing in it is markup, a link or a mention."""
    inside = visible(text, limit=limit).replace("`", "[U+0060]").replace("|", "[U+007C]").strip()
    return f"`{inside}`" if inside else "(empty)"


def block(text: str, language: str) -> str:
    """`text` as it is, in a fence that is longer than any in it."""
    shown = visible_lines(text.rstrip("\n"))
    fence = "`" * (1 + max([2, *(len(run) for run in re.findall("`+", shown))]))
    return f"{fence}{language}\n{shown}\n{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table; a head that begins with `>` stands over numbers. Cells are Markdown: text from outside comes escaped."""
    sides = ["--:" if name.startswith(">") else ":--" for name in head]
    lines = (f"| {' | '.join(cells)} |" for cells in rows)
    return [f"| {' | '.join(name.removeprefix('>') for name in head)} |", f"|{'|'.join(sides)}|", *lines]
