"""Names in an output and in a work directory that more than one stage needs."""

from __future__ import annotations

LOCK = ".lock"


MARKER = ".winnow-work"
"""In each work directory: nothing is removed from a folder without it."""

OUTPUT_MARKER = ".winnow-output"
"""In each output, from its first run on: nothing is written into a folder without it, unless it is empty or has manifests."""

STAMP = "tombstones.json"
"""In a work directory: the tombstones that it was cleaned of."""

RECEIPTS = "takedowns"
TOMBSTONES = "index/tombstones"
