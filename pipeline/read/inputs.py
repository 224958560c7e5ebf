"""The plan's paths to a sorted list of input files.

Invariants: `path` names a file in every output and is the same on disk and on an object store: last folder of the
wildcard-free part, then what lies below; no scheme, host, query, user or `..`. No two files have one path. A URL that
carries a secret is refused, and no message repeats it.

Forms: a file; a folder (all files below it); wildcards `*` `?` `[ab]`, and `**` for any number of folders (they match
files); fsspec URLs of all three; `hf://datasets/...` (see `pipeline.read.huggingface`). Below the wildcard-free part hidden
names, names that begin with `_`, and links to folders are passed over.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import InputError, NotYet

if TYPE_CHECKING:
    from pipeline.plan import Source

FORMATS: dict[str, tuple[str, str | None]] = {
    ".jsonl": ("jsonl", None),
    ".jsonl.gz": ("jsonl", "gzip"),
    ".jsonl.zst": ("jsonl", "zstd"),
    ".ndjson": ("jsonl", None),
    ".ndjson.gz": ("jsonl", "gzip"),
    ".ndjson.zst": ("jsonl", "zstd"),
    ".json.gz": ("jsonl", "gzip"),  # C4 and Dolma name JSON lines so
    ".json.zst": ("jsonl", "zstd"),
    ".parquet": ("parquet", None),
}
READ_TODAY = ".jsonl, .jsonl.gz, .jsonl.zst (also .ndjson, .json.gz, .json.zst), .parquet, hf://datasets/ORG/NAME"
LATER = re.compile(r"\.(csv|tsv|txt|warc|wet|arc|html|htm)(\.gz|\.zst)?$", re.IGNORECASE)

_SECRET = re.compile(
    r"://[^/?#]*@|[?&;](x-amz-[a-z-]*|x-goog-[a-z-]*|signature|awsaccesskeyid|sig|token|access_token|api_?key|key)=",
    re.IGNORECASE,
)
_WILDCARD = re.compile(r"[*?\[]")


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


@dataclass(frozen=True)
class Inputs:
    """`files` are sorted by path; `skipped` says what was passed over, one line for the user each."""

    files: list[InputFile]
    skipped: list[str]


@dataclass(frozen=True)
class Found:
    """A file below `folder`, the last folder of the wildcard-free part."""

    folder: str
    below: str
    url: str
    size: int


def expand(sources: Sequence[Source], *, base: Path | None = None) -> Inputs:
    """All files of the sources; relative paths start at `base` (default: the working directory).

    Raises InputError (nothing there, unknown format, two files with one path) or NotYet (a format of a later release).
    """
    files: list[InputFile] = []
    skipped: list[str] = []
    for source in sources:
        for path in source.paths:
            refuse_secrets(path)
            if path.startswith("hf://"):
                from pipeline.read import huggingface

                files += huggingface.expand(source, path, base=base)
            else:
                found, passed = _expand(source, path, base)
                files += found
                skipped += passed
    if not files:
        raise InputError("no input: give paths in the plan's `source`, or --input PATH")
    files.sort(key=_path_bytes)
    for one, other in pairwise(files):
        if one.path == other.path:
            raise InputError(
                f"two inputs are called {one.path} (last folder and name) and their rows could not be told apart: "
                f"{one.url} and {other.url}; leave one out, or move one to a folder of another name"
            )
    return Inputs(files, list(dict.fromkeys(skipped)))


def refuse_secrets(path: str) -> None:
    """Raises InputError for a URL with user info or a signature, without repeating either."""
    if "://" in path and _SECRET.search(path):
        scheme = path.partition("://")[0]
        raise InputError(
            f"a {scheme}:// input carries a user, password, key or signature; credentials come from the environment "
            "(for example AWS_PROFILE), so that no plan, log or output holds them"
        )


def input_file(source: Source, *, folder: str, url: str, path: str, kind: tuple[str, str | None], size: int) -> InputFile:
    return InputFile(
        source=source.name or folder or "input",
        priority=source.priority,
        url=url,
        path=path,
        format=kind[0],
        compression=kind[1],
        size=size,
        text=source.text,
        id=source.id,
        unit_bytes=int(source.unit_bytes),
        max_row_bytes=int(source.max_row_bytes),
        max_bad_fraction=source.max_bad_fraction,
    )


def kind_of(name: str) -> tuple[str, str | None] | None:
    """(format, compression) by the name's ending."""
    lower = name.lower()
    return next((kind for ending, kind in FORMATS.items() if lower.endswith(ending)), None)


def _path_bytes(file: InputFile) -> bytes:
    try:
        return file.path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"the file name {os.fsencode(file.path)!r} is not valid UTF-8; rename the file") from error


def _expand(source: Source, path: str, base: Path | None) -> tuple[list[InputFile], list[str]]:
    fs, prefix, location = _filesystem(path, base)
    if fs.isfile(location):
        folder, _, name = location.rpartition("/")
        explicit = Found(_last(folder), name, prefix + location, _size(fs.info(location)))
        kind = kind_of(name) or (("jsonl", None) if name.lower().endswith(".json") else None)
        if kind is None:
            raise _unsupported(path)
        return [_of_found(source, explicit, kind)], []
    if fs.isdir(location):
        found, links = _files_below(fs, prefix, location, depth=None)
    elif _has_wildcard(path):
        found, links = _matches(fs, prefix, location)
    else:
        raise InputError(f"{path}: no such file or folder{_where(path, base)}")
    files = [_of_found(source, item, kind) for item in found if (kind := kind_of(item.below))]
    if not files:
        raise _nothing(path, found, base)
    later = [item.below for item in found if LATER.search(item.below)]
    notes = [f"{path}: skipped {len(later)} files of formats of a later release, the first: {min(later)}"] if later else []
    return files, notes + [f"{path}: skipped the link to a folder {link}" for link in links]


def _filesystem(path: str, base: Path | None) -> tuple[Any, str, str]:
    """`(fs, prefix, location)`: prefix + location is what `InputFile.url` says, location is what `fs` is asked for."""
    if "::" in path:
        raise InputError(f"{path.partition('::')[0]}::…: chained URLs are not supported; give the URL of the files themselves")
    scheme, mark, rest = path.partition("://")
    if not mark or scheme == "file":
        full = os.path.join(base or Path.cwd(), os.path.expanduser(rest if mark else path))
        # A link's target may lie elsewhere, so that `..` behind it is not the folder written in front of it.
        full = os.path.realpath(full) if ".." in full.split("/") else os.path.normpath(full)
        return LocalFileSystem(), "", full
    try:
        fs, location = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:
        raise InputError(f"{scheme}://: {error}") from error
    return fs, "" if "://" in location else f"{scheme}://", location.rstrip("/")


def _of_found(source: Source, found: Found, kind: tuple[str, str | None]) -> InputFile:
    path = f"{found.folder}/{found.below}" if found.folder else found.below
    return input_file(source, folder=found.folder, url=found.url, path=path, kind=kind, size=found.size)


def _last(folder: str) -> str:
    """Last folder of a location; the host or bucket if there is no other."""
    return folder.rstrip("/").rpartition("/")[2]


def _size(info: dict[str, Any]) -> int:
    return int(info.get("size") or 0)


def _has_wildcard(path: str) -> bool:
    # In http(s) a question mark begins the query.
    return bool(re.search(r"[*\[]", path) if path.startswith("http") else _WILDCARD.search(path))


def _matches(fs: Any, prefix: str, pattern: str) -> tuple[list[Found], list[str]]:
    parts = pattern.split("/")
    free = next(i for i, part in enumerate(parts) if _WILDCARD.search(part))
    root, rest = "/".join(parts[:free]), parts[free:]
    found, links = _files_below(fs, prefix, root, depth=None if "**" in rest else len(rest))
    regex = re.compile(_regex(rest), re.DOTALL)
    return [item for item in found if regex.fullmatch(item.below)], links if "**" in rest else []


def _regex(parts: Iterable[str]) -> str:
    """Regular expression of a pattern's components."""
    made = []
    parts = list(parts)
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        if part == "**":
            made.append(".*" if last else "(?:[^/]+/)*")
            continue
        pieces = re.split(r"(\*+|\?|\[!?\]?[^\]]*\])", part)
        for piece in pieces:
            if piece.startswith("*"):
                made.append("[^/]*")
            elif piece == "?":
                made.append("[^/]")
            elif piece.startswith("[") and len(piece) > 2:
                inner = piece[1:-1].replace("\\", "\\\\")
                made.append(f"[{'^' + inner[1:] if inner.startswith('!') else inner}]")
            else:
                made.append(re.escape(piece))
        made.append("" if last else "/")
    return "".join(made)


def _files_below(fs: Any, prefix: str, root: str, *, depth: int | None) -> tuple[list[Found], list[str]]:
    """Files below `root`, at most `depth` levels down, and the links to folders that were passed over."""
    folder = _last(root)
    links: list[str] = []
    sizes = _walk(root, depth, links) if isinstance(fs, LocalFileSystem) else _find(fs, root, depth)
    found = [
        Found(folder, below, f"{prefix}{root}/{below}", size)
        for below, size in sizes
        if not any(part.startswith((".", "_")) for part in below.split("/"))
    ]
    return found, links


def _walk(root: str, depth: int | None, links: list[str]) -> Iterable[tuple[str, int]]:
    # Not LocalFileSystem.find: it follows links to folders, and two that form a cycle would never end.
    for folder, folders, names in os.walk(root or "/"):
        below = os.path.relpath(folder, root or "/")
        below = "" if below == "." else below + "/"
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        links += [below + name for name in folders if os.path.islink(os.path.join(folder, name))]
        if depth is not None and below.count("/") + 1 >= depth:
            folders.clear()
        for name in names:
            full = os.path.join(folder, name)
            if os.path.isfile(full):
                yield below + name, os.path.getsize(full)


def _find(fs: Any, root: str, depth: int | None) -> Iterable[tuple[str, int]]:
    for name, info in fs.find(root, maxdepth=depth, detail=True).items():
        if info["type"] == "file":
            yield name[len(root) :].lstrip("/"), _size(info)


def _unsupported(path: str) -> InputError | NotYet:
    if LATER.search(path):
        return NotYet(f"{path}: this format comes with a later release; read today: {READ_TODAY}")
    return InputError(f"{path}: the ending is not known; read today: {READ_TODAY}")


def _nothing(path: str, found: list[Found], base: Path | None) -> InputError | NotYet:
    if not found:
        hint = "hidden files and names that begin with _ are passed over; wildcards match files, `**` those of all folders below"
        return InputError(f"{path}: matches no file{_where(path, base)} ({hint})")
    endings = Counter(_ending(item.below) for item in found)
    counts = sorted(endings.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{count} × {ending}" for ending, count in counts[:8])
    message = f"{path}: no supported file among the {len(found)} found ({listed}); read today: {READ_TODAY}"
    if any(LATER.search(item.below) for item in found):
        return NotYet(message)
    return InputError(message)


def _ending(name: str) -> str:
    stem, ending = os.path.splitext(name)
    if ending.lower() in (".gz", ".zst"):
        return os.path.splitext(stem)[1] + ending
    return ending or "(no ending)"


def _where(path: str, base: Path | None) -> str:
    return "" if "://" in path or os.path.isabs(path) else f" in {base or Path.cwd()}"
