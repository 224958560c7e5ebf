"""Files below a path: on disk and on object stores with one set of rules.

Invariants: the same tree gives the same `Found.folder` and `Found.below` wherever it lies; the order is that of the names;
whatever the path holds, or a pattern matches, is found or passed over with a reason. Passed over are hidden names and names that
begin with `_`, which markers have (`_SUCCESS`, `.part-0.crc`), below the wildcard-free part, where the pattern does not write
the `.` or `_` itself; and a README, which describes the files beside it (a data set's card), where no path or pattern names it.

Wildcards match files: `*` `?` `[ab]` `[!ab]` within a name, `**` any number of folders. A path that exists is taken as it is,
wildcard characters and all, and so is a folder in front of the first wildcard: `[news]/*.jsonl` reads a folder `[news]`. Braces
are wildcards too (`pipeline.read.braces`): each path that they stand for has to be there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

from pipeline.errors import InputError
from pipeline.read import braces
from pipeline.records.base import Json
from pipeline.store import http_host, remote
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


@dataclass(frozen=True)
class Passed:
    """A file that is not read, or a folder (`path` ends in a slash) nothing of which is; called as a file there would be."""

    path: str
    reason: str


HIDDEN = "hidden, or a marker (the name begins with . or _)"
ABOUT = "describes what lies beside it; name it to have it read"
_ABOUT = re.compile(r"readme(?:\.(?:md|markdown|rst))", re.IGNORECASE)
LINK = "a link to a folder, which is not followed"


def find_files(path: str, *, base: Path | None) -> tuple[list[Found] | None, list[Passed], bool]:
    """`(files, what was passed over, whether the path names one file)`; files is None if nothing is there."""
    fs, prefix, location = _filesystem(path, base)
    skipped: list[Passed] = []
    kind, info = _look(fs, prefix, location)
    if kind == "file":
        folder, _, name = _without_query(location).rpartition("/")
        return [Found(_last(folder), name, prefix + location, *_size_and_identity(prefix, info))], skipped, True
    if kind == "directory":
        return _files_below(fs, prefix, location, depth=None, skipped=skipped), skipped, False
    if braces.first(location) is not None:
        parts = location.split("/")
        free = wildcard_free(parts, lambda folder: _look(fs, prefix, folder)[0] == "directory")
        root, rest = "/".join(parts[:free]), "/".join(parts[free:])
        if braces.first(rest) is not None:
            return _of_braces(prefix, root, rest, skipped=skipped), skipped, False
    if _has_wildcard(path):
        return _matches(fs, prefix, location, skipped=skipped), skipped, False
    return None, skipped, False


def _of_braces(prefix: str, root: str, pattern: str, *, skipped: list[Passed]) -> list[Found]:
    """The files of all patterns below `root` that one stands for, called as they are below it."""
    found: dict[str, Found] = {}
    for one in braces.alternatives(pattern):
        if ".." in one.split("/"):
            raise InputError(f"{prefix}{root}/{pattern}: `..` in braces; write the folder itself")
        inner, beside, _ = find_files(f"{prefix}{root}/{one}", base=None)
        if not inner:
            raise InputError(f"{prefix}{root}/{pattern}: nothing matches {prefix}{root}/{one}, for which its braces stand")
        above = _above(inner[0], prefix + root)
        for item in inner:
            found[item.url] = replace(item, folder=_last(root), below="/".join(part for part in (above, item.below) if part))
        named = f"{_last(root)}/{above.rpartition('/')[0]}" if above else ""
        skipped += [replace(passed, path="/".join(filter(None, (*named.split("/"), passed.path)))) for passed in beside]
    return sorted(found.values(), key=lambda item: item.below)


def _above(file: Found, root: str) -> str:
    """The folders between `root` and what the file is below."""
    return _without_query(file.url).removesuffix(file.below)[len(root) :].strip("/")


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
    if prefix.removesuffix("://") not in remote.FLAT and remote.scheme_of(location) not in http_host.SCHEMES:
        kind = "file" if fs.isfile(location) else "directory" if fs.isdir(location) else ""
        return kind, fs.info(location) if kind == "file" else {}
    try:
        with remote.asked(prefix + location):
            info = dict(fs.info(location))
        return str(info["type"]), info
    except FileNotFoundError:
        return "", {}


def _size_and_identity(prefix: str, info: Json) -> tuple[int, str]:
    scheme = prefix.removesuffix("://") or remote.scheme_of(str(info["name"]))  # of a web server's file: its address
    return int(info.get("size") or 0), remote.identity_of(scheme, info)


def _last(folder: str) -> str:
    """Last folder of a location; the host or bucket if there is no other."""
    return folder.rstrip("/").rpartition("/")[2]


def _without_query(location: str) -> str:
    return location.partition("?")[0] if location.startswith("http") else location


def _has_wildcard(path: str) -> bool:
    # In http(s) a question mark begins the query.
    return bool(re.search(r"[*\[]", path) if path.startswith("http") else _WILDCARD.search(path))


def _matches(fs: Any, prefix: str, pattern: str, *, skipped: list[Passed]) -> list[Found]:
    parts = pattern.split("/")
    free = wildcard_free(parts, lambda folder: _look(fs, prefix, folder)[0] == "directory")
    root, rest = "/".join(parts[:free]), parts[free:]
    beside: list[Passed] = []
    found = _files_below(fs, prefix, root, depth=None if "**" in rest else len(rest), skipped=beside, written=rest)
    wanted = _matcher(rest)
    skipped += [one for one in beside if _concerns(one.path.split("/")[bool(_last(root)) :], rest)]
    return [item for item in found if wanted.match(item.below)]


def _matcher(parts: Sequence[str]) -> re.Pattern[str]:
    return re.compile(glob_translate("/".join(part if part == "**" else re.sub(r"\*+", "*", part) for part in parts)))


def wildcard_free(parts: Sequence[str], is_folder: Callable[[str], bool]) -> int:
    """How many parts of a pattern stand in front of its first wildcard. A folder that is there is no wildcard, but for `*`."""
    group = braces.first("/".join(parts))
    for number, part in enumerate(parts):
        if group is not None and len("/".join(parts[: number + 1])) > group and not is_folder("/".join(parts[: number + 1])):
            return number
        if _WILDCARD.search(part) and (not part.strip("*") or not is_folder("/".join(parts[: number + 1]))):
            return number
    return len(parts)


def _concerns(parts: list[str], rest: Sequence[str]) -> bool:
    """Whether a pattern would match a name, or what may lie in a folder (whose last part is empty)."""
    if "**" in rest:
        return not parts[-1] or bool(_matcher(rest).match("/".join(parts)))
    if not parts[-1]:
        return len(parts) <= len(rest) and bool(_matcher(rest[: len(parts) - 1]).match("/".join(parts[:-1])))
    return bool(_matcher(rest).match("/".join(parts)))


def _files_below(
    fs: Any, prefix: str, root: str, *, depth: int | None, skipped: list[Passed], written: Sequence[str] = ()
) -> list[Found]:
    """Files below `root`, at most `depth` levels down. `written`: the parts of a pattern, which may ask for hidden names."""
    folder = _last(root)
    found: list[Found] = []
    passed: set[tuple[str, str]] = set()
    walked = _walk(root or "/", depth, written) if isinstance(fs, LocalFileSystem) else _find(fs, prefix, root, depth=depth)
    for below, size, identity, reason in walked:
        hidden = _hidden(below, written)
        if why := HIDDEN if hidden else reason or _about(below, written):
            passed.add((hidden or below, why))
        else:
            found.append(Found(folder, below, f"{prefix}{root}/{below}", size, identity))
    skipped += [Passed(f"{folder}/{below}" if folder else below, reason) for below, reason in sorted(passed)]
    return sorted(found, key=lambda item: item.below)


def _about(below: str, written: Sequence[str]) -> str:
    """Why a README is no document; empty where it is none, or the pattern's last part begins as its name does."""
    name = below.rpartition("/")[2]
    named = bool(written) and written[-1][:4].lower() == "read"
    return ABOUT if _ABOUT.fullmatch(name) and not named else ""


def _hidden(below: str, written: Sequence[str]) -> str:
    """The path as far as its first hidden part, with a slash behind a folder's name; empty if there is none."""
    parts = below.split("/")
    for i, part in enumerate(parts):
        asked_for = i < len(written) and "**" not in written[:i] and written[i][:1] == part[:1]
        if part[:1] in (".", "_") and not asked_for:
            return "/".join(parts[: i + 1]) + ("/" if i + 1 < len(parts) else "")
    return ""


def _walk(root: str, depth: int | None, written: Sequence[str]) -> Iterable[tuple[str, int, str, str]]:
    """`(path below, size, identity, why it is no file)`; the path of a folder that is not gone into ends in a slash."""
    # Not LocalFileSystem.find: it follows links to folders, and two that form a cycle would never end.
    for folder, folders, names in os.walk(root, onerror=_cannot_list):
        below = os.path.relpath(folder, root)
        below = "" if below == "." else below + "/"
        last = depth is not None and below.count("/") + 1 >= depth
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        hidden = [name for name in folders if name not in links and _hidden(below + name, written)]
        yield from ((f"{below}{name}/", 0, "", LINK) for name in links if not last)
        yield from ((f"{below}{name}/", 0, "", HIDDEN) for name in hidden if not last)
        folders[:] = [] if last else sorted({*folders} - {*links, *hidden})
        for name in sorted(names):
            full = os.path.join(folder, name)
            is_file = os.path.isfile(full)
            broken = "a link to nothing" if os.path.islink(full) else "no file (a pipe, a socket or a device)"
            yield below + name, os.path.getsize(full) if is_file else 0, "", "" if is_file else broken


def _cannot_list(error: OSError) -> NoReturn:
    if isinstance(error, FileNotFoundError):
        raise InputError(f"{error.filename}: no such folder") from error
    raise InputError(f"{error.filename}: the folder cannot be listed ({error.strerror})") from error


def _find(fs: Any, prefix: str, root: str, *, depth: int | None) -> Iterable[tuple[str, int, str, str]]:
    with remote.asked(prefix + root):
        found = fs.find(root, maxdepth=depth, detail=True)
    for name, info in found.items():
        if info["type"] == "file" and not name.endswith("/"):  # some tools leave empty objects that stand for folders
            yield name[len(root) :].lstrip("/"), *_size_and_identity(prefix, info), ""
