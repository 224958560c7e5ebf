"""Shards that gave way to a newer generation, and stay a while under their names for readers that opened or listed them.

Invariant: no live manifest names them, nor does the card; a take-down removes all of them at once, and what is private never
stays. They go when the next run opens the output, or later where the plan says so (`output.keep_replaced`), by the clock of the
place where the output lies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from pipeline.output import numbering
from pipeline.output.manifest import Manifest
from pipeline.plan.model import DURATION
from pipeline.store.store import Store

READ = ("data", "ledger", "signals")
"""Folders that others read; those that are private give way at once."""


def of_commit(manifests: Sequence[Manifest], keep: str | bool) -> list[str]:
    """Paths of the shards that the newest generation replaced and that stay for now, none with `keep` False."""
    *before, newest = manifests
    if keep is False or not before:
        return []
    return list(_retired(before, newest))


def staying(out: Store, manifests: Sequence[Manifest], keep: str | bool) -> list[str]:
    """Paths of the replaced shards that still stay when a run opens the output."""
    found = re.fullmatch(DURATION, str(keep))
    if found is None:
        return []
    kept = timedelta(hours=int(found[1]) * (24 if found[2] == "d" else 1))
    now: datetime | None = None
    paths: list[str] = []
    for number in range(len(manifests) - 1, 0, -1):  # newest first
        retired = list(_retired(manifests[:number], manifests[number]))
        if retired:
            now = now or out.now()
            if out.modified(numbering.name(manifests[number].generation)) < now - kept:
                break
        paths += retired
    return paths


def _retired(before: Sequence[Manifest], by: Manifest) -> Iterator[str]:
    """The shards that others read of generations that were live and are not since `by`."""
    gone = set(before[-1].live) - set(by.live)
    for made in before:
        if made.generation in gone:
            yield from (record.path for record in made.files if record.path.startswith(READ))
