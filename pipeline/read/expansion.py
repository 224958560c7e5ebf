"""The plan's paths to a sorted list of input files.

Invariants: `path` names a file in every output and is the same on disk and on an object store: last folder of the
wildcard-free part, then what lies below; no scheme, host, query, user or `..`. No two files have one path: files of one source
that would have are told apart by folders in front, those of two by the source's name and `//`, which no path has (`told_apart`).
A URL that carries a secret is refused, and no message repeats it.

Forms: a file; a folder (all files below it); wildcards; fsspec URLs of all three (see `pipeline.read.tree`); a list of paths and
`cc://...` (see `pipeline.read.listings`); `hf://datasets/...` (see `pipeline.read.formats.huggingface`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pipeline.errors import CannotRead, InputError, NotYet
from pipeline.read.files import APART, LATER, READ_TODAY, InputFile, Inputs, input_file, kind_of, own_path
from pipeline.read.formats import huggingface
from pipeline.read.listings import found_of, is_listing, listed
from pipeline.read.recognition import EMPTY, look
from pipeline.read.tree import ABOUT, Found, Passed, find_files
from pipeline.records.inputs import MOST_PATHS, Listed, PassedOver
from pipeline.store.secrets import refuse_secrets
from pipeline.store.traffic import Traffic
from pipeline.text.visible import visible

if TYPE_CHECKING:
    from pipeline.read.source import Source


LATER_REASON = "a format of a later release"
LISTING_REASON = "a list of paths; it is read where it is named by itself"
MOST_NAMED = 3
_ROWS_OF_CONTENT = ("jsonl", "csv", "tsv", "warc")
_LOOKS_AT_ONCE = 16
"""Files of a store that are looked at together: a look is a request or three, and mostly waiting."""
MOST_FOLDERS = 20
MOST_REASONS = 100
"""Reasons that are told apart: the words for a file may quote what it holds."""


def expand(sources: Sequence[Source], *, base: Path | None = None, pinned: Mapping[str, Listed] = MappingProxyType({})) -> Inputs:
    """All files of the sources; relative paths start at `base` (default: the working directory). `pinned`: lists of paths and
    crawls as they were read before.

    Raises InputError (nothing there, nothing that can be read, two files with one path) or NotYet (a format of a later release).
    """
    files: list[InputFile] = []
    passed: list[Passed] = []
    lists: list[Listed] = []
    traffic = Traffic()
    for source in sources:
        for path in source.paths:
            refuse_secrets(path)
            if path.startswith("hf://"):
                files += huggingface.expand(source, path, base=base)
            else:
                made = listed(source, path, base=base, pinned=pinned)
                found, beside = _expand(source, path, base=base, traffic=traffic, made=made)
                lists += [made] if made else []
                files += found
                passed += beside
    if not files:
        raise InputError("no input: give paths in the plan's `source`, or --input PATH")
    traffic = Traffic()
    files = told_apart([replace(file, traffic=traffic) for file in _apart_by_folders(files)], {})
    return Inputs(files, _by_reason(passed), tuple(lists), traffic)


def told_apart(files: Sequence[InputFile], owners: Mapping[str, str]) -> list[InputFile]:
    """The files, sorted by path, no two of them with one. `owners`: path → source of inputs that an output holds already.

    A path that another source has as well, in the plan or in the output, is written `SOURCE//PATH`; that of an input which the
    output holds stays. Raises InputError where two files of one source have one path.
    """
    sources: dict[str, set[str]] = {}
    for file in files:
        sources.setdefault(own_path(file.path), set()).add(file.source)
    made = []
    for file in files:
        path = own_path(file.path)
        owner = owners.get(path)
        apart = f"{file.source}{APART}{path}"
        alone = sources[path] == {file.source} and owner is None and apart not in owners
        made.append(replace(file, path=path if alone or owner == file.source else apart))
    made.sort(key=_path_bytes)
    for one, other in pairwise(made):
        if one.path == other.path:
            raise InputError(
                f"two inputs of source {one.source} are called {own_path(one.path)} (last folder and name) and their rows could"
                f" not be told apart: {one.url} and {other.url}; make two sources of them (source.name), leave one out, or move"
                " one to a folder of another name"
            )
    return made


def _apart_by_folders(files: Sequence[InputFile]) -> list[InputFile]:
    """The files; those of one source that would be called the same have as many folders more in front as tell them apart."""
    called: dict[tuple[str, str], list[InputFile]] = {}
    for file in files:
        called.setdefault((file.source, file.path), []).append(file)
    made: list[InputFile] = []
    for (_, path), same in called.items():
        above = [_folders_above(file) for file in same]
        more = next((n for n in range(MOST_FOLDERS) if len({tuple(parts[-n:]) for parts in above if n}) == len(same)), 0)
        paths = ["/".join([*parts[-more:], path]) if more and len(same) > 1 else path for parts in above]
        made += [replace(file, path=name) for file, name in zip(same, paths, strict=True)]
    return made


def _folders_above(file: InputFile) -> list[str]:
    """Folders in front of the path that a file is called by, without scheme and query."""
    location = file.url.partition("?")[0] if file.url.startswith("http") else file.url
    return location.rpartition("://")[2].removesuffix(file.path).strip("/").split("/")


def _by_reason(passed: Sequence[Passed]) -> tuple[PassedOver, ...]:
    found: dict[str, list[str]] = {}
    for one in dict.fromkeys(passed):
        reason = one.reason if one.reason in found or len(found) < MOST_REASONS else "other reasons"
        found.setdefault(reason, []).append(visible(one.path))
    return tuple(
        PassedOver(reason=reason, files=len(paths), paths=tuple(paths[:MOST_PATHS])) for reason, paths in sorted(found.items())
    )


def _path_bytes(file: InputFile) -> bytes:
    try:
        return file.path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"the file name {os.fsencode(file.path)!r} is not valid UTF-8; rename the file") from error


def _expand(
    source: Source, path: str, *, base: Path | None, traffic: Traffic, made: Listed | None
) -> tuple[list[InputFile], list[Passed]]:
    found, passed, explicit = (found_of(made), list[Passed](), False) if made else find_files(path, base=base)
    if found is None:
        raise InputError(f"{path}: no such file or folder{_where(path, base)}")
    all_files = [(item, _of_found(source, item, traffic)) for item in found]
    later = [item.below for item in found if LATER.search(item.below)]
    passed_by = {item.url: LATER_REASON for item in found if LATER.search(item.below)}
    passed_by |= {item.url: LISTING_REASON for item in found if is_listing(item.below)}
    unknown = [file for _, file in all_files if not file.format and file.url not in passed_by]
    looked = dict(zip((file.url for file in unknown), _looks(unknown), strict=True))
    files = []
    for item, file in all_files:
        known = passed_by.get(file.url) or looked.get(file.url, file)
        if isinstance(known, str):
            passed.append(Passed(file.path, known))
        else:
            files.append(known)
            if not item.size and file.format in _ROWS_OF_CONTENT and "://" not in file.url:
                passed.append(Passed(file.path, EMPTY))
    if not files:
        raise _nothing(path, found, passed, explicit=explicit, later=later, base=base)
    return files, passed


def _looks(files: Sequence[InputFile]) -> list[InputFile | str]:
    if not any("://" in file.url for file in files):
        return [_look(file) for file in files]
    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        return list(pool.map(_look, files))


def _look(file: InputFile) -> InputFile | str:
    try:
        return look(file)
    except CannotRead as error:
        if isinstance(error.cause, PermissionError):
            return "may not be opened (permission denied)"
        raise


def _of_found(source: Source, found: Found, traffic: Traffic) -> InputFile:
    path = f"{found.folder}/{found.below}" if found.folder else found.below
    kind = kind_of(found.below)
    made = input_file(source, folder=found.folder, url=found.url, path=path, kind=kind, size=found.size, identity=found.identity)
    return replace(made, traffic=traffic)


def _nothing(
    path: str, found: list[Found], passed: list[Passed], *, explicit: bool, later: list[str], base: Path | None
) -> InputError | NotYet:
    about = [one for one in passed if one.reason == ABOUT]
    if not found and not about:
        hint = "hidden files and names that begin with _ are passed over; wildcards match files, `**` those of all folders below"
        return InputError(f"{path}: matches no file{_where(path, base)} ({hint})")
    if explicit:
        message = f"{path}: {passed[0].reason}; read today: {READ_TODAY}"
    else:
        counts = sorted(_by_reason(passed), key=lambda one: (-one.files, one.reason))[:8]
        listed = "; ".join(in_words(one) for one in counts)
        message = f"{path}: no file among the {len(found) + len(about)} found can be read ({listed}); read today: {READ_TODAY}"
    return NotYet(message) if later else InputError(message)


def in_words(passed: PassedOver) -> str:
    """A line for the user."""
    shown = ", ".join(passed.paths[:MOST_NAMED])
    more = f" and {passed.files - MOST_NAMED:,} more" if passed.files > MOST_NAMED else ""
    return f"{passed.files:,} {'file' if passed.files == 1 else 'files'}, {passed.reason}: {shown}{more}"


def _where(path: str, base: Path | None) -> str:
    return "" if "://" in path or os.path.isabs(os.path.expanduser(path)) else f" in {base or Path.cwd()}"
