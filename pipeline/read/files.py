"""One input file as every reader sees it, and the formats that are known by the endings of names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.store.traffic import Traffic

if TYPE_CHECKING:
    from pipeline.read.source import Source

_PACKED: dict[str, str | None] = {"": None, ".gz": "gzip", ".zst": "zstd"}
FORMATS: dict[str, tuple[str, str | None]] = {
    **{f".{name}{end}": ("jsonl", packed) for name in ("jsonl", "ndjson") for end, packed in _PACKED.items()},
    ".json.gz": ("jsonl", "gzip"),  # C4 and Dolma name JSON lines so
    ".json.zst": ("jsonl", "zstd"),
    ".parquet": ("parquet", None),
    **{f".{name}{end}": (name, packed) for name in ("csv", "tsv") for end, packed in _PACKED.items()},
    **{f".txt{end}": ("text", packed) for end, packed in _PACKED.items()},
    **{f".{name}{end}": ("html", packed) for name in ("html", "htm") for end, packed in _PACKED.items()},
    # Not .zst: in WARC files that has a dictionary of its own in front.
    **{f".{name}{end}": ("warc", packed) for name in ("warc", "wet") for end, packed in _PACKED.items() if packed != "zstd"},
}
READ_TODAY = (
    ".jsonl (also .ndjson), .csv, .tsv, .txt, .html, .htm, each also with .gz or .zst; .json.gz, .json.zst, .parquet, "
    ".warc, .wet, .warc.gz, .wet.gz, hf://datasets/ORG/NAME"
)
LATER = re.compile(r"\.(arc(\.gz)?|(warc|wet)\.zst)$", re.IGNORECASE)


APART = "//"
"""Stands between a source's name and a path that a file of another source has too; a path has no empty part."""


@dataclass(frozen=True)
class InputFile:
    """One file, or one split of a Hugging Face dataset. `url`: absolute local path or URL; source_ref is `path` + #row."""

    source: str
    priority: int
    url: str
    path: str
    format: str
    compression: str | None
    size: int
    text: str
    id: str
    unit_bytes: int
    max_row_bytes: int
    max_bad_fraction: float
    named_by: str | None = None
    """Column of the data that holds the name of a row's source; None: `source` is that of all rows."""
    identity: str = ""
    """Identity of the content where the store knows it without a read; else empty (`remote.identity_of`)."""
    traffic: Traffic = field(default_factory=Traffic, compare=False, repr=False)


@dataclass(frozen=True)
class Inputs:
    """`files` are sorted by path; `skipped` says what was passed over, one line for the user each."""

    files: list[InputFile]
    skipped: list[str]
    traffic: Traffic = field(default_factory=Traffic, compare=False)


def input_file(
    source: Source, *, folder: str, url: str, path: str, kind: tuple[str, str | None], size: int, identity: str = ""
) -> InputFile:
    settings = source.model_dump(exclude={"paths", "name", "named_by"})
    return InputFile(
        source=source.name or folder or "input",
        named_by=source.named_by,
        url=url,
        path=path,
        format=kind[0],
        compression=kind[1],
        size=size,
        identity=identity,
        **settings,
    )


def own_path(path: str) -> str:
    """A file's path without a source's name before it."""
    return path.rpartition(APART)[2]


def kind_of(name: str) -> tuple[str, str | None] | None:
    """(format, compression) by the name's ending."""
    lower = name.lower()
    return next((kind for ending, kind in FORMATS.items() if lower.endswith(ending)), None)
