"""Lists of paths, as Common Crawl publishes them (`wet.paths.gz`): each line is an input below `source.base`.

Invariants: nothing is read that does not lie below `source.base`, whatever a list says; one that ends early, is no list, or has
a line that is no such path is refused whole, by the line's number. A file is called as it is below that base, from the name of
the crawl on, wherever the base is: a mirror and a disk give the same source_refs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pipeline.errors import InputError
from pipeline.read.archives import decoded
from pipeline.read.crawls import SCHEME, crawl_of
from pipeline.read.files import InputFile, input_file
from pipeline.read.lines import Unreadable
from pipeline.read.recognition import look
from pipeline.read.tree import Found, find_files
from pipeline.read.units import open_input, source_of
from pipeline.records.inputs import Listed, ListedFile
from pipeline.store.http_host import CONNECTIONS
from pipeline.store.places import absolute
from pipeline.store.secrets import refuse_secrets
from pipeline.text.visible import visible

if TYPE_CHECKING:
    from pipeline.read.source import Source

_PREFIXES = ("https://data.commoncrawl.org/", "s3://commoncrawl/")
"""What users put in front of the lines, as Common Crawl's instructions say."""
MOST_LINES = 1_000_000
"""A crawl of Common Crawl has 100,000 files of a kind."""
LONGEST = 1_024
"""Characters of a line; Common Crawl's have 140."""
_NAME = re.compile(r"\.paths(\.(gz|gzip|zst|zstd|bz2|xz|lz4))?$", re.IGNORECASE)
_LINE = re.compile(r"[A-Za-z0-9._~!$&'()+,;=:@%-]+(?:/[A-Za-z0-9._~!$&'()+,;=:@%-]+)*")
_TOP = "crawl-data/"
_SHOWN = 100


def _is_path(line: str) -> bool:
    if not _LINE.fullmatch(line):
        return False
    parts = [unquote(part) for part in line.split("/")]
    return all(part.strip(".") and not re.search(r"[/\\\x00-\x1f\x7f]", part) for part in parts)


def found_of(listed: Listed) -> list[Found]:
    """Its files, as other paths give theirs."""
    return [_found(listed.below, one) for one in listed.files]


def is_listing(name: str) -> bool:
    """Whether a file's name declares a list of paths."""
    return _NAME.search(name) is not None


def listed(source: Source, path: str, *, base: Path | None, pinned: Mapping[str, Listed]) -> Listed | None:
    """What a path of the plan stands for, if it is a crawl or one list of paths. `pinned`: lists as they were read before, by
    their keys, which are not read again. Raises InputError."""
    is_crawl = path.startswith(SCHEME)
    if not is_crawl and not is_listing(path.partition("?")[0]):
        return None
    below = _base(source, base)
    key = f"{path if '://' in path else absolute(path, base)} below {below}"
    pin = pinned.get(key)
    if pin is not None and pin.below == below and all(_is_path(one.line) for one in pin.files):
        return pin
    if is_crawl:
        return Listed(key=key, below=below, files=_files_of_crawl(source, path, below))
    found, _, is_one = find_files(path, base=base)
    if not found or not is_one:
        return None
    files = _looked_up(found[0].url, below, dict(_lines(source, found[0], below, top="")))
    return Listed(key=key, below=below, files=files)


def _files_of_crawl(source: Source, path: str, below: str) -> tuple[ListedFile, ...]:
    crawl = crawl_of(path)
    listing = below + crawl.listing
    found, _, _ = find_files(listing, base=None)
    if not found:
        raise InputError(f"{path}: {listing} is not there; https://commoncrawl.org/overview has the names of all crawls")
    lines = dict(_lines(source, found[0], below, top=f"{_TOP}{crawl.name}/"))
    try:
        chosen = set(crawl.chosen(list(lines.values())))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return _looked_up(listing, below, {number: line for number, line in lines.items() if line in chosen})


def _base(source: Source, base: Path | None) -> str:
    """With a slash behind it."""
    refuse_secrets(source.base, what="base of a source")
    return f"{absolute(source.base, base).rstrip('/')}/"


def _lines(source: Source, listing: Found, below: str, *, top: str) -> Iterator[tuple[int, str]]:
    """The paths of a list, which begin with `top`, by their lines' numbers. Raises InputError for the first line that is none."""
    seen: dict[str, int] = {}
    for number, raw in _raw_lines(source, listing):
        line = next((raw.removeprefix(prefix) for prefix in (below, *_PREFIXES) if raw.startswith(prefix)), raw)
        if not _is_path(line) or not line.startswith(top):
            example = f"{top or f'{_TOP}CC-MAIN-2026-05/'}segments/…/….gz"
            shown = visible(raw, limit=_SHOWN)
            raise InputError(f"{listing.url}: line {number} is {shown!r}; expected a path below {below}, such as {example}")
        if seen.setdefault(line, number) != number:
            raise InputError(f"{listing.url}: line {number} is line {seen[line]} again; each path is listed once")
        yield number, line
    if not seen:
        raise InputError(f"{listing.url}: an empty list; expected a path below {below} on each line")


def _raw_lines(source: Source, listing: Found) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, and their numbers."""
    named = input_file(source, folder=listing.folder, url=listing.url, path=listing.below, kind=("text", None), size=listing.size)
    file = look(replace(named, identity=listing.identity))
    if not isinstance(file, InputFile):
        raise InputError(f"{listing.url}: {file}; expected a list of paths, one a line")
    number, rest = 0, b""
    with open_input(file) as handle:
        try:
            for chunk in decoded(
                source_of(file, handle), file.compression, size=file.size, resumes=False, encoding=file.encoding
            ):
                if isinstance(chunk, Unreadable):
                    raise chunk
                *whole, rest = (rest + chunk).split(b"\n")
                for one in whole:
                    number += 1
                    yield from _decoded_line(listing, number, one)
                if len(rest) > LONGEST:
                    yield from _decoded_line(listing, number + 1, rest)
        except Unreadable as error:
            raise InputError(
                f"{listing.url}: the list cannot be read behind line {number} ({error.detail}); expected all of it: fetch it"
                " again"
            ) from error
    yield from _decoded_line(listing, number + 1, rest)


def _decoded_line(listing: Found, number: int, line: bytes) -> Iterator[tuple[int, str]]:
    if number > MOST_LINES:
        raise InputError(f"{listing.url}: line {number}: expected at most {MOST_LINES:,} paths; split the list")
    line = line.rstrip(b"\r")
    if len(line) > LONGEST:
        raise InputError(f"{listing.url}: line {number} has more than {LONGEST:,} characters; expected a path on each line")
    if line.strip():
        yield number, line.decode("utf-8", "backslashreplace")


def _looked_up(listing: str, below: str, lines: Mapping[int, str]) -> tuple[ListedFile, ...]:
    """The files of the lines, by their numbers."""

    def one(item: tuple[int, str]) -> ListedFile:
        number, line = item
        found, _, is_one = find_files(below + line, base=None)
        if not found or not is_one:
            raise InputError(f"{listing}: line {number}: {below}{line} is not there; expected a file")
        return ListedFile(line=line, size=found[0].size, identity=found[0].identity)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return tuple(pool.map(one, lines.items()))


def _found(below: str, file: ListedFile) -> Found:
    folder, mark, rest = file.line.removeprefix(_TOP).partition("/")
    if not mark:
        folder, rest = below.rstrip("/").rpartition("/")[2], folder
    return Found(folder, rest, below + file.line, file.size, file.identity)
