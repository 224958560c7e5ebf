"""The plan's paths to a sorted list of input files.

Invariants: `path` names a file in every output and is the same on disk and on an object store: last folder of the
wildcard-free part, then what lies below; no scheme, host, query, user or `..`. No two files have one path: where files of two
sources do, the source's name and `//`, which no path has, stand before it (`told_apart`). A URL that carries a secret is refused,
and no message repeats it.

Forms: a file; a folder (all files below it); wildcards; fsspec URLs of all three (see `pipeline.read.tree`);
`hf://datasets/...` (see `pipeline.read.formats.huggingface`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import InputError, NotYet
from pipeline.read.files import APART, LATER, READ_TODAY, InputFile, Inputs, input_file, kind_of, own_path
from pipeline.read.formats import huggingface
from pipeline.read.tree import Found, find_files
from pipeline.store.secrets import refuse_secrets
from pipeline.store.traffic import Traffic

if TYPE_CHECKING:
    from pipeline.read.source import Source


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
                files += huggingface.expand(source, path, base=base)
            else:
                found, passed = _expand(source, path, base)
                files += found
                skipped += passed
    if not files:
        raise InputError("no input: give paths in the plan's `source`, or --input PATH")
    traffic = Traffic()
    files = told_apart([replace(file, traffic=traffic) for file in files], {})
    return Inputs(files, list(dict.fromkeys(skipped)), traffic)


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
        alone = sources[path] == {file.source} and owner is None
        made.append(replace(file, path=path if alone or owner == file.source else f"{file.source}{APART}{path}"))
    made.sort(key=_path_bytes)
    for one, other in pairwise(made):
        if one.path == other.path:
            raise InputError(
                f"two inputs of source {one.source} are called {own_path(one.path)} (last folder and name) and their rows could"
                f" not be told apart: {one.url} and {other.url}; make two sources of them (source.name), leave one out, or move"
                " one to a folder of another name"
            )
    return made


def _path_bytes(file: InputFile) -> bytes:
    try:
        return file.path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"the file name {os.fsencode(file.path)!r} is not valid UTF-8; rename the file") from error


def _expand(source: Source, path: str, base: Path | None) -> tuple[list[InputFile], list[str]]:
    found, skipped, explicit = find_files(path, base=base)
    if found is None:
        raise InputError(f"{path}: no such file or folder{_where(path, base)}")
    kinds = [(item, kind_of(item.below)) for item in found]
    if explicit and found[0].below.lower().endswith(".json"):  # in a folder it is rather a settings file
        kinds = [(found[0], ("jsonl", None))]
    files = [_of_found(source, item, kind) for item, kind in kinds if kind]
    if not files:
        raise _unsupported(path) if explicit else _nothing(path, found, base)
    later = [item.below for item in found if LATER.search(item.below)]
    notes = [f"{path}: skipped {len(later)} files of formats of a later release, the first: {later[0]}"] if later else []
    return files, notes + [f"{path}: skipped {what}" for what in skipped]


def _of_found(source: Source, found: Found, kind: tuple[str, str | None]) -> InputFile:
    path = f"{found.folder}/{found.below}" if found.folder else found.below
    return input_file(source, folder=found.folder, url=found.url, path=path, kind=kind, size=found.size, identity=found.identity)


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
