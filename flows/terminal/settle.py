"""What an earlier take-down left goes before anything of an output is shown or measured, and what is not ours in it is named."""

from __future__ import annotations

import sys

from pipeline.report import table
from pipeline.takedown import complete


def settle(*folders: str) -> None:
    """Finish take-downs of these outputs, and tell what is to be told of them."""
    table.show([f"note: {told}" for folder in folders for told in complete.settle(folder)], sys.stderr)
