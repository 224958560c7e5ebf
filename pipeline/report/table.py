"""What a command says to a person: lines, tables and labelled paragraphs, which `rich` lays out.

Invariants: text is never markup, and what is hidden in it is made visible here, so no caller can forget it. On a terminal a table
folds its cells to the window and its head is bold, unless `NO_COLOR` is set; elsewhere it is as wide as it needs to be, without a
code of any kind. Columns line up whatever their cells are written in. A cell is cut only where no name is that long (`LONGEST`).
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO, TypeAlias

from pipeline.text.visible import visible

if TYPE_CHECKING:  # rich is imported when there is something to say: a run has its own start to make
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

Part: TypeAlias = "str | Table"
Said: TypeAlias = "Sequence[Part]"
"""Lines and tables, from the top down."""

LONGEST = 300
"""Characters of a cell; chosen because paths stay below, and a hostile name fills no screen."""
PARAGRAPH = 66
"""Columns of a paragraph; with its label 80."""
_LABEL = 12
_NO_LIMIT = 100_000


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Part:
    """A table; a head that begins with `>` stands over numbers, which are set to the right. A row may lack its last cells."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in head:
        made.add_column(_cell(name.removeprefix(">")), justify="right" if name.startswith(">") else "left", overflow="fold")
    for row in rows:
        made.add_row(*map(_cell, row))
    return made


def paragraphs(labelled: Iterable[tuple[str, str]]) -> Part:
    """Texts behind their labels; an empty label goes on with the one above."""
    from rich.table import Table

    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(min_width=_LABEL, overflow="fold")
    made.add_column(max_width=PARAGRAPH, overflow="fold")
    for label, text in labelled:
        made.add_row(_cell(label), _text(visible(text)))
    return made


def _cell(text: str) -> Text:
    return _text(visible(text, limit=LONGEST))


def _text(shown: str) -> Text:
    from rich.text import Text

    return Text(shown)


def text(said: Said, *, width: int = _NO_LIMIT) -> str:
    """`said` as it stands in a file or a message: plain, no blanks at ends of lines. `width`: columns of a table at most."""
    from rich.console import Console

    stream = io.StringIO()
    _print(said, Console(file=stream, width=width, color_system=None, force_terminal=False))
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().split("\n")[:-1])


def show(said: Said, stream: TextIO) -> None:
    """`said` on a terminal, or plain elsewhere."""
    from rich.console import Console

    if stream.isatty():
        colours = None if os.environ.get("NO_COLOR") else "auto"
        _print(said, Console(file=stream, color_system=colours, force_terminal=True))  # type: ignore[arg-type]
    else:
        stream.write(text(said))
    stream.flush()


def _print(said: Said, console: Console) -> None:
    for part in said:
        console.print(_text(visible(part)) if isinstance(part, str) else part, soft_wrap=isinstance(part, str))
