"""Addresses of crawls: `cc://CC-MAIN-2026-05/wet`, and which of a crawl's files are read.

Invariant: which files are chosen depends on their paths and the seed alone; fewer files of one seed are among more of them, so
that a choice that is raised later only adds.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from pipeline.errors import InputError

SCHEME = "cc://"
_FORM = re.compile(r"cc://(CC-[A-Z]{2,10}-\d{4}-\d{2,4})/(wet|warc)(?:\?([^#]*))?")
_EXPECTED = "expected cc://CC-MAIN-YEAR-WEEK/wet or /warc, and behind it nothing, ?files=20 or ?share=0.01, and &seed=1"


@dataclass(frozen=True)
class Crawl:
    """Files of one kind of a crawl: all, so many, or each with so much of a chance."""

    name: str
    kind: str
    files: int | None = None
    share: float | None = None
    seed: int = 0

    @property
    def listing(self) -> str:
        """The list of its files' paths, below where Common Crawl's files lie."""
        return f"crawl-data/{self.name}/{self.kind}.paths.gz"

    def chosen(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths that are read, in their order. Raises InputError where there are too few."""
        if self.files is not None:
            if len(paths) < self.files:
                raise InputError(f"files={self.files}: the crawl has {len(paths)}; lower it, or leave it out to read all")
            best = set(heapq.nsmallest(self.files, paths, key=self._rank))
            return [path for path in paths if path in best]
        if self.share is None:
            return list(paths)
        made = [path for path in paths if self._rank(path)[0] < self.share * 2**64]
        if not made:
            raise InputError(f"share={self.share}: none of the crawl's {len(paths)} files; raise it, or say files=1")
        return made

    def _rank(self, path: str) -> tuple[int, str]:
        digest = hashlib.blake2b(f"{self.seed}\n{path}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big"), path


def crawl_of(address: str) -> Crawl:
    """Raises InputError where it is no such address."""
    found = _FORM.fullmatch(address)
    if found is None:
        raise InputError(f"{address}: {_EXPECTED}")
    given = parse_qsl(found[3] or "", keep_blank_values=True)
    keys = dict(given)
    if len(keys) < len(given) or not keys.keys() <= {"files", "share", "seed"} or {"files", "share"} <= keys.keys():
        raise InputError(f"{address}: {_EXPECTED}")
    try:
        files = int(keys["files"]) if "files" in keys else None
        share = float(keys["share"]) if "share" in keys else None
        seed = int(keys.get("seed", 0))
    except ValueError as error:
        raise InputError(f"{address}: {error}; {_EXPECTED}") from error
    if (files is not None and files < 1) or (share is not None and not (math.isfinite(share) and 0 < share <= 1)) or seed < 0:
        raise InputError(f"{address}: files is 1 or more, share above 0 and at most 1, seed 0 or more")
    return Crawl(found[1], found[2], files, share, seed)
