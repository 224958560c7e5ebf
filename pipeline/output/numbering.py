"""The numbers that an output has given to manifests: what its files say of them.

Numbers run from 1 without a gap, and each stands in the name of its manifest and in it. Listings of object stores may lag behind,
so a number that a listing lacks is asked for by name. Files that are written after a commit (`manifest.json`, `metrics.json`,
receipts) are witnesses: where one knows a number, a manifest has had it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.errors import Damaged
from pipeline.output.folders import RECEIPTS, TOMBSTONES
from pipeline.records.base import Json
from pipeline.store.store import Store

MANIFESTS = "manifests"
COPY = "manifest.json"
METRICS = "metrics.json"
MOST_MISSING = 20
"""Missing numbers that are looked for: each is a request on an object store, and one stops a run."""


def name(number: int) -> str:
    """The path of a manifest."""
    return f"{MANIFESTS}/{number:06d}.json"


def number_of(file: str, ending: str = "json") -> int | None:
    """The number in a file's name; None where Winnow gives no manifest, receipt or file of tombstones such a name."""
    match = re.fullmatch(rf"([0-9]{{6,}})\.{ending}", file)
    number = int(match[1]) if match else 0
    return number if number and file == f"{number:06d}.{ending}" else None


@dataclass(frozen=True)
class Numbers:
    """`listed`: of files with a manifest's name, ascending. `strays`: names of the other files beside them."""

    listed: tuple[int, ...]
    strays: tuple[str, ...]


def numbers(out: Store) -> Numbers:
    """What the listing of manifests/ says."""
    files = {file: number_of(file) for file in out.names(MANIFESTS)}
    return Numbers(
        tuple(sorted(n for n in files.values() if n is not None)), tuple(file for file, n in files.items() if n is None)
    )


@dataclass(frozen=True)
class Witness:
    """A file that was written after manifest `number` was, or beside it."""

    number: int
    path: str


def witness(out: Store, last: int) -> Witness:
    """What knows the highest number, where that is above `last`; of the last manifest itself where nothing does."""
    here = Witness(last, name(last))
    copy = read_number(out, COPY)
    if copy is not None and copy >= last:
        return Witness(copy, COPY) if copy > last else here
    found = [here, Witness(copy or 0, COPY), Witness(read_number(out, METRICS) or 0, METRICS)]
    found += [Witness(n, f"{RECEIPTS}/{file}") for file in out.names(RECEIPTS) if (n := number_of(file))]
    if copy is None:  # else they may be of a take-down that was killed before its commit
        found += [Witness(n, f"{TOMBSTONES}/{file}") for file in out.names(TOMBSTONES) if (n := number_of(file, "parquet"))]
    found += [Witness(1, file) for file in sorted(set(out.names("")) & {COPY, METRICS, "report.html", "plan.resolved.yaml"})]
    return max(found, key=lambda one: one.number)


def read_number(out: Store, path: str) -> int | None:
    """What a JSON file says that its generation is; None where it is not there, or cannot be read."""
    try:
        found: Json = out.read_json(path)
        number = found["generation"]
    except (FileNotFoundError, Damaged, TypeError, KeyError):
        return None
    return number if type(number) is int and number > 0 else None


def newer(out: Store, last: int) -> int:
    """The number of the newest manifest, by name, from `last` on: a listing may lag behind."""
    while out.has(name(last + 1)):
        last += 1
    return last
