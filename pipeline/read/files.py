"""One input file as every reader sees it, and the formats that the endings of names declare."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pipeline.records.inputs import Listed, PassedOver
from pipeline.store.traffic import Traffic

if TYPE_CHECKING:
    from pipeline.read.source import Source

COMPRESSIONS = {
    ".gz": "gzip",
    ".gzip": "gzip",
    ".zst": "zstd",
    ".zstd": "zstd",
    ".bz2": "bzip2",
    ".xz": "xz",
    ".lz4": "lz4",
}
_DECLARED = {
    "jsonl": ("jsonl", "ndjson", "jsonlines", "ldjson"),
    "parquet": ("parquet", "pq"),
    "csv": ("csv",),
    "tsv": ("tsv", "tab"),
    "text": ("txt", "md", "markdown", "rst"),
    "html": ("html", "htm"),
    "warc": ("warc", "wet"),
}
FORMATS = {f".{name}": format_ for format_, names in _DECLARED.items() for name in names}
"""Ending → format. Others, `.json` among them, are known by their content (`pipeline.read.recognition`)."""
READ_TODAY = (
    ".jsonl (also .ndjson, .jsonlines), .json, .csv, .tsv, .txt, .md, .html, .htm, .warc, .wet, each also with .gz, .zst, .bz2,"
    " .xz or .lz4; .parquet; JSON, Parquet, WARC and HTML under any other name; hf://datasets/ORG/NAME"
)
_COLUMN = re.compile(r"[A-Za-z_][\w.-]{0,127}")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
LATER = re.compile(r"\.arc(\.gz)?$", re.IGNORECASE)


ANY = "\0"
"""Stands for the column of the text where nobody knows it yet (`pipeline.read.peek`): the text of a row is then empty, and all
its columns are metadata. No plan may name it."""
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
    on_truncated: str = "fail"
    turns: str = ""
    """Name of the layout of its conversations (`pipeline.text.conversations`); empty where its rows are texts, and `auto` where
    nobody looked yet (`pipeline.read.layouts`)."""
    identity: str = ""
    """Identity of the content where the store knows it without a read; else empty (`remote.identity_of`)."""
    encoding: str = ""
    """Of text that is not UTF-8 (`pipeline.read.encodings`)."""
    fault: str = ""
    """Why nothing of it can be read, whatever its name declares."""
    partitions: tuple[tuple[str, str], ...] = ()
    """Columns that stand in the names of its folders, as Hive writes them."""
    weight: int = field(default=0, compare=False)
    """Bytes that its rows may come to, of a file so small that its beginning is all of it; 0: not known."""
    looked: bool = field(default=False, compare=False)
    """Whether the format is known by the content (`pipeline.read.recognition`), not only by the name."""
    traffic: Traffic = field(default_factory=Traffic, compare=False, repr=False)


@dataclass(frozen=True)
class Inputs:
    """`files` are sorted by path; `passed_over` names what was found beside them and is not read, and why; `listed` are the
    crawls and lists of paths that some of them come from."""

    files: list[InputFile]
    passed_over: tuple[PassedOver, ...]
    listed: tuple[Listed, ...] = ()
    traffic: Traffic = field(default_factory=Traffic, compare=False)


def input_file(
    source: Source, *, folder: str, url: str, path: str, kind: tuple[str, str | None], size: int, identity: str = ""
) -> InputFile:
    settings = source.model_dump(exclude={"paths", "name", "named_by", "base", "format"})
    return InputFile(
        source=source.name or folder or "input",
        named_by=source.named_by,
        url=url,
        path=path,
        format=kind[0],
        compression=kind[1],
        size=size,
        identity=identity,
        partitions=partitions_of(url),
        turns="" if source.format == "text" or source.text == ANY else source.format,
        **settings,
    )


def own_path(path: str) -> str:
    """A file's path without a source's name before it."""
    return path.rpartition(APART)[2]


def kind_of(name: str) -> tuple[str, str | None]:
    """(format, compression) that the name declares by its ending; the format is empty where it declares none."""
    stem, ending = os.path.splitext(name.lower())
    compression = COMPRESSIONS.get(ending)
    return FORMATS.get(os.path.splitext(stem)[1] if compression else ending, ""), compression


def partitions_of(url: str) -> tuple[tuple[str, str], ...]:
    """Columns and values of the folders that the file lies in, as Hive and Spark write them (`lang=de/year=2024/…`).

    A run of such folders next to the file counts, however the plan names the file. Values are unquoted (`%3A`).
    """
    found: list[tuple[str, str]] = []
    for folder in reversed(url.partition("?")[0].split("/")[:-1] if url.startswith("http") else url.split("/")[:-1]):
        name, is_one, value = folder.partition("=")
        if not is_one or not _COLUMN.fullmatch(name):
            break
        if value != _NO_VALUE:
            found.append((name, unquote(value)))
    return tuple(reversed(found))
