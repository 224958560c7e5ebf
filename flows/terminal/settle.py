"""What an earlier take-down left goes before anything of an output is shown or measured, and what is not ours in it is named."""

from __future__ import annotations

import sys

from pipeline.report import table
from pipeline.store.store import open_output
from pipeline.takedown import complete


def settle(*folders: str, finish: bool = True) -> None:
    """Finish take-downs of these outputs, unless the command does so itself, and tell what is to be told of them."""
    for folder in folders:
        told = complete.settle(folder) if finish else complete.noted(open_output(folder, create=False))[0]
        table.show([f"note: {note}" for note in told], sys.stderr)
