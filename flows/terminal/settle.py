"""What an earlier take-down left goes before anything of an output is shown or measured."""

from __future__ import annotations

import sys

from pipeline.report import table
from pipeline.takedown import complete


def settle(*folders: str) -> None:
    """Finish take-downs of these outputs, and say so."""
    table.show([f"note: {told}" for folder in folders if (told := complete.settle(folder))], sys.stderr)
