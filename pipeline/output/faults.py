"""What is wrong with an output, a file at a time, and the error that a run ends with before it changes anything.

Absence is never permission to delete: a file that is not there, or is not what was written, stops whoever would go on from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import Damaged
from pipeline.store.store import Store
from pipeline.text import shell

RESTORE = "restore it from a copy of the output"


@dataclass(frozen=True)
class Fault:
    """A file of the output, by its path there, what is wrong with it, and how it can be brought back."""

    path: str
    what: str
    todo: str = RESTORE


def damaged(out: Store, faults: Sequence[Fault]) -> Damaged:
    """The error that names the first of them, and says what to do."""
    first = faults[0]
    more = f" ({len(faults)} faults in all)" if len(faults) > 1 else ""
    return Damaged(
        f"{out.path(first.path)}: {first.what}{more}; the output is damaged, and nothing in it was changed: {first.todo};"
        f" `{command(out)}` says what is damaged and what can be mended"
    )


def command(out: Store, *options: str) -> str:
    """The command that examines the output."""
    return " ".join(["winnow doctor", shell.quoted(out.root), *options])
