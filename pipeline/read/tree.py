"""Files below a path: on disk and on object stores with one set of rules.

Invariants: the same tree gives the same `Found.folder` and `Found.below` wherever it lies; the order is that of the names;
nothing is passed over silently but hidden names and names that begin with `_`, below the wildcard-free part.

Wildcards match files: `*` `?` `[ab]` `[!ab]` within a name, `**` any number of folders. A path that exists is taken as it is,
wildcard characters and all, and so is a folder in front of the first wildcard: `[news]/*.jsonl` reads a folder `[news]`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

from pipeline.errors import InputError
from pipeline.records.base import Json
from pipeline.store import remote
from pipeline.store.places import absolute

_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Found:
    """A file below `folder`, the last folder of the wildcard-free part."""

    folder: str
    below: str
    url: str
    size: int
    identity: str = ""  # of its content, where the store knows it (`remote.identity_of`)


def find_files(path: str, *, base: Path | None) -> tuple[list[Found] | None, list[str], bool]:
    """`(files, what was passed over, whether the path names one file)`; files is None if nothing is there."""
    fs, prefix, location = _filesystem(path, base)
    skipped: list[str] = []
    kind, info = _look(fs, prefix, location)
    if kind == "file":
        folder, _, name = _without_query(location).rpartition("/")
        return [Found(_last(folder), name, prefix + location, *_size_and_identity(prefix, info))], skipped, True
    if kind == "directory":
        return _files_below(fs, prefix, location, depth=None, skipped=skipped), skipped, False
    if _has_wildcard(path):
        return _matches(fs, prefix, location, skipped=skipped), skipped, False
    return None, skipped, False


def _filesystem(path: str, base: Path | None) -> tuple[Any, str, str]:
    """`(fs, prefix, location)`: prefix + location is what `InputFile.url` says, location is what `fs` is asked for."""
    if "::" in path and "://" in path:
        raise InputError(f"{path.partition('::')[0]}::…: chained URLs are not supported; give the URL of the files themselves")
    scheme, mark, _ = path.partition("://")
    if not mark or scheme == "file":
        return LocalFileSystem(), "", absolute(path, base)
    fs, location = remote.filesystem(path, error=InputError)
    if ".." in location.split("/"):
        raise InputError(f"{path}: `..` in a URL; write the folder itself")
    return fs, "" if "://" in location else f"{scheme}://", location.rstrip("/")


def _look(fs: Any, prefix: str, location: str) -> tuple[str, Json]:
    """`("file" | "directory" | "", what is known of it)`. Raises OSError where a store does not answer or allow it."""
    if prefix.removesuffix("://") not in remote.FLAT:
        kind = "file" if fs.isfile(location) else "directory" if fs.isdir(location) else ""
        return kind, fs.info(location) if kind == "file" else {}
    try:
        with remote.asked(prefix + location):
            info = dict(fs.info(location))
        return str(info["type"]), info
    except FileNotFoundError:
        return "", {}


def _size_and_identity(prefix: str, info: Json) -> tuple[int, str]:
    return int(info.get("size") or 0), remote.identity_of(prefix.removesuffix("://"), info)


def _last(folder: str) -> str:
    """Last folder of a location; the host or bucket if there is no other."""
    return folder.rstrip("/").rpartition("/")[2]


def _without_query(location: str) -> str:
    return location.partition("?")[0] if location.startswith("http") else location


def _has_wildcard(path: str) -> bool:
    # In http(s) a question mark begins the query.
    return bool(re.search(r"[*\[]", path) if path.startswith("http") else _WILDCARD.search(path))


def _matches(fs: Any, prefix: str, pattern: str, *, skipped: list[str]) -> list[Found]:
    parts = pattern.split("/")
    free = wildcard_free(parts, lambda folder: _look(fs, prefix, folder)[0] == "directory")
    root, rest = "/".join(parts[:free]), parts[free:]
    found = _files_below(fs, prefix, root, depth=None if "**" in rest else len(rest), skipped=skipped)
    wanted = re.compile(glob_translate("/".join(part if part == "**" else re.sub(r"\*+", "*", part) for part in rest)))
    return [item for item in found if wanted.match(item.below)]


def wildcard_free(parts: Sequence[str], is_folder: Callable[[str], bool]) -> int:
    """How many parts of a pattern stand in front of its first wildcard. A folder that is there is no wildcard, but for `*`."""
    for number, part in enumerate(parts):
        if _WILDCARD.search(part) and (not part.strip("*") or not is_folder("/".join(parts[: number + 1]))):
            return number
    return len(parts)


def _files_below(fs: Any, prefix: str, root: str, *, depth: int | None, skipped: list[str]) -> list[Found]:
    """Files below `root`, at most `depth` levels down."""
    sizes = _walk(root or "/", depth, skipped) if isinstance(fs, LocalFileSystem) else _find(fs, prefix, root, depth=depth)
    return [
        Found(_last(root), below, f"{prefix}{root}/{below}", size, identity)
        for below, size, identity in sorted(sizes)
        if not any(part.startswith((".", "_")) for part in below.split("/"))
    ]


def _walk(root: str, depth: int | None, skipped: list[str]) -> Iterable[tuple[str, int, str]]:
    # Not LocalFileSystem.find: it follows links to folders, and two that form a cycle would never end.
    for folder, folders, names in os.walk(root, onerror=_cannot_list):
        below = os.path.relpath(folder, root)
        below = "" if below == "." else below + "/"
        last = depth is not None and below.count("/") + 1 >= depth
        folders[:] = [] if last else sorted(name for name in folders if not name.startswith((".", "_")))
        skipped += [f"the link to a folder {below}{name}" for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in sorted(names):
            full = os.path.join(folder, name)
            if os.path.isfile(full):
                yield below + name, os.path.getsize(full), ""
            else:
                skipped.append(f"{below}{name}, which is no file")


def _cannot_list(error: OSError) -> NoReturn:
    if isinstance(error, FileNotFoundError):
        raise InputError(f"{error.filename}: no such folder") from error
    raise InputError(f"{error.filename}: the folder cannot be listed ({error.strerror})") from error


def _find(fs: Any, prefix: str, root: str, *, depth: int | None) -> Iterable[tuple[str, int, str]]:
    with remote.asked(prefix + root):
        found = fs.find(root, maxdepth=depth, detail=True)
    for name, info in found.items():
        if info["type"] == "file" and not name.endswith("/"):  # some tools leave empty objects that stand for folders
            yield name[len(root) :].lstrip("/"), *_size_and_identity(prefix, info)
