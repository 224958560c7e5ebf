"""Names in an output and in a work directory that more than one stage needs."""

from __future__ import annotations

LOCK = ".lock"


MARKER = ".winnow-work"
"""In each work directory: nothing is removed from a folder without it."""


RECEIPTS = "takedowns"
TOMBSTONES = "index/tombstones"
