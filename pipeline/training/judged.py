"""Documents that were read and judged, with their texts, and which part each of them is in.

The labels and parts stand in `judgements/`, the texts in the folder of evaluation data, by id. Invariant: a site's documents
are all in one part; what weights may not be trained on (`APART`) is in a part of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import orjson
import pyarrow as pa

from pipeline.errors import InputError
from pipeline.records.base import Json
from pipeline.training.examples import InputRecord

Part = Literal["train", "calibrate", "test", "apart"]
SHARES: dict[Part, float] = {"train": 0.7, "calibrate": 0.08, "test": 0.22}
APART = ("twisted_pipermail", "juriscraper_courts", "congressional_record", "city_scrapers_gov")
"""Sets of `web/` that may serve tests, and train no weights: archives of mail, courts, public records."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A document, what a reader said of it (`keep` None: undecided), and where it belongs. `source`: its set of `web/`."""

    id: str
    text: str
    score: int
    keep: bool | None
    problem: str
    source: str
    site: str
    part: Part


def site(id_: str, url: str | None) -> str:
    """16 hex digits for the site of a document: its host without `www.`; without an address the document is by itself."""
    host = (urlsplit(url or "").hostname or "").lower().removeprefix("www.")
    return hashlib.blake2b((host or id_).encode(), digest_size=8).hexdigest()


def part_of(site_: str) -> Part:
    """The part of a site, by its hash alone."""
    place = int(site_, 16) / 2**64
    for part, share in SHARES.items():
        place -= share
        if place < 0:
            return part
    return "test"


def labels() -> Iterator[tuple[Json, Json]]:
    """Each first judgement, and its line of parts.jsonl."""
    folder = resources.files("pipeline.training") / "judgements"
    parts = {line["id"]: line for line in map(orjson.loads, (folder / "parts.jsonl").read_bytes().splitlines())}
    for line in map(orjson.loads, (folder / "first.jsonl").read_bytes().splitlines()):
        yield line, parts[line["id"]]


def load(data: Path) -> tuple[list[Judged], list[InputRecord]]:
    """All judged documents, in the order of the labels. Raises InputError where a file or a text is missing."""
    chosen = list(labels())
    texts: dict[str, str] = {}
    records: list[InputRecord] = []
    for source in sorted({part["source"] for _, part in chosen}):
        found, record = rows(data, f"web/{source}.jsonl.zst")
        texts |= {row["id"]: row["text"] for row in found}
        records.append(record)
    missing = [line["id"] for line, _ in chosen if line["id"] not in texts]
    if missing:
        raise InputError(f"{data}/web: {len(missing)} judged documents are not there, such as {missing[0]}")
    return [
        Judged(
            id=line["id"],
            text=texts[line["id"]],
            score=line["score"],
            keep={"y": True, "n": False}.get(line["keep"]),
            problem=line["problem"],
            source=part["source"],
            site=part["site"],
            part=part["part"],
        )
        for line, part in chosen
    ], records


def rows(data: Path, file: str) -> tuple[list[Json], InputRecord]:
    """The rows of a compressed file of the evaluation data, and what the card says of it. Raises InputError."""
    try:
        stored = (data / file).read_bytes()
        with pa.input_stream(pa.BufferReader(stored), compression="gzip" if file.endswith(".gz") else "zstd") as stream:
            found = [orjson.loads(line) for line in stream.read().splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(
            f"{data / file}: expected compressed lines of JSON, from the folder of evaluation data; {error}"
        ) from error
    return found, InputRecord(file, hashlib.sha256(stored).hexdigest(), len(found), 0)
