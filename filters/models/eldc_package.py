"""eldc's table of n-grams, from the installed package `eldc` to the arrays that `filters.kernels.models.eldc` reads.

The package is read as data and not imported: its compiled module holds the table as plain arrays of C (little-endian, in the
section for constants, in whatever format the platform has), each found by its first bytes and known by its sha256. What is made
of them is kept in the user's cache and mapped into memory, so that processes share it.

Made of it: of the 64 bits of an n-gram's hash the upper 32 stay (of 1.2 million n-grams 131 pairs fall together, and one that the
table does not have is taken for one that it has 3 times in 10,000), and of a score of 24 bits its place among 256, evenly by
logarithm (at most .8 % off). No logarithm is so near the middle between two places, nor a value between two numbers of 32 bits,
that another library of mathematics would give other bytes (the nearest is a ten-thousandth of a step away).

Invariant: `table` ends in `ModelError` or in arrays of the sha256 that is asked for, whatever package and cache hold.
Source: eldc 0.4.0 (N. Tomassini, Apache-2.0), src/eldc/large_db.h, eld_unicode_bits.h, eld_tolower.h.
"""

from __future__ import annotations

import hashlib
import importlib.util
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from filters.kernels.models import eldc
from filters.models import places
from filters.models.reader import ModelError

VERSION, LANGUAGES = "0.4.0", 60


class _Array(NamedTuple):
    """An array of the package. `mark`: the bytes that stand `at` bytes behind its beginning, and hardly anywhere else."""

    dtype: str
    size: int
    at: int
    mark: str
    sha256: str


_ARRAYS = {
    "ELD_hashtable": _Array(
        "<u4", 1 << 24, 0, "dab916286c2f02010000000000000000", "f6871d48f941c6bf6c4da7553eb8f941ad56083fc31cb9e626d83333f417a0fa"
    ),
    "ELD_blob": _Array(
        "<u4",
        6_431_356,
        0,
        "00b5304700612c47003e2a4700f52847",
        "0ee4cf8013dc6233f3cb3fdcae2704ba6d3410eff0e48b1d98bb552f733ee2f9",
    ),
    "ELD_avg_score": _Array(
        "<f4", 240, 0, "b29d6f3fd7a3703f83c06a3f14ae673f", "86b17bd00a854dfc0be0e04f94bea682ae092fde3f0a65a51bede699b6da47d7"
    ),
    "LETTER_BITS": _Array(
        "u1", 8192, 104, "000000000000dfbc40d7fffffbffffff", "30999c12636e6a2e12873bc36c2d9ec776109953cf5073a8e06d72df4934757e"
    ),
    "CJK_BITS": _Array(
        "u1", 8192, 1528, "ffff3f0000000000eefffbfffeffbfff", "d12d78f67d04dcc1edc1d1f535b837972769d060b6f84624e07561fc35d038a7"
    ),
    "TOLOWER_BMP2": _Array(
        "<u2", 3840, 128, "e000e100e200e300e400e500e600e700", "a179e17c8e6e52a5a382552f75e63c7d8b7497464fda4a314912c1a635a2dc48"
    ),
}
_LAYOUT = {
    "averages": ("<f8", LANGUAGES),
    "values": ("<f4", 256),
    "small": ("u1", 2 * 1920),
    "kinds": ("u1", 1 << 16),
    "starts": ("<u4", (1 << eldc.MAIN_BITS) + 1),
    "entries": ("<u4", -1),
}
"""The arrays of the file in the cache, one behind the other; the last one is the rest."""


def place(expected: str) -> Path:
    """Where the table of this sha256 lies, if it is there."""
    return places.cache() / f"eldc-{expected[:16]}.table"


def table(expected: str) -> Path:
    """The file with the table, in the user's cache: made where it is not there, or is not the one of this sha256.

    Raises ModelError: the package is missing or another one, or the cache cannot be written.
    """
    path = place(expected)
    try:
        with open(path, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == expected:
                return path
    except OSError:
        pass
    made = _packed(_read())
    if (found := hashlib.sha256(made).hexdigest()) != expected:
        raise ModelError(f"eldc's table became one with sha256 {found}, expected {expected}; {_INSTEAD}")
    try:
        places.put(made, path)
    except OSError as error:
        raise ModelError(
            f"{path} cannot be written ({error}); set XDG_CACHE_HOME to a folder that can be, or {_INSTEAD}"
        ) from error
    return path


def mapped(path: Path, expected: str) -> tuple[eldc.Table, np.ndarray]:
    """The table, and what an n-gram of a text in each language says for it on average. Raises ModelError for another file."""
    try:
        with open(path, "rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); remove it, and it is made again") from error
    if hashlib.sha256(data).hexdigest() != expected:
        raise ModelError(f"{path}: expected sha256 {expected}; remove it, and it is made again")
    found, at = {}, 0
    for name, (dtype, length) in _LAYOUT.items():
        found[name] = np.frombuffer(data, dtype, length, at)
        at += found[name].nbytes
    small = found["small"].reshape(-1, 2)
    return eldc.Table(found["starts"], found["entries"], found["values"], found["kinds"], small), found["averages"]


_INSTEAD = "ask lid.176 alone with `--set filters.language.model=null`"
_INSTALL = f"install it with `pip install eldc=={VERSION}`, or {_INSTEAD}"


def _read() -> dict[str, np.ndarray]:
    """The package's arrays. Raises ModelError unless they are those of VERSION."""
    try:
        spec = importlib.util.find_spec("eldc")
    except ValueError:  # a module of this name that says nothing of where it is from
        spec = None
    folders = [Path(folder) for folder in (spec.submodule_search_locations or () if spec is not None else ())]
    modules = [path for folder in folders for path in sorted(folder.glob("_eldc*")) if path.suffix in (".so", ".pyd")]
    if not modules:
        raise ModelError(
            f"the table of `filters.language.model: eldc` is in the package eldc, which is not installed; {_INSTALL}"
        )
    try:
        with open(modules[0], "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = {name: next(_places(data, one), None) for name, one in _ARRAYS.items()}
    except (OSError, ValueError) as error:
        raise ModelError(f"{modules[0]}: cannot be read ({error}); {_INSTALL}") from error
    arrays = {name: np.frombuffer(one, _ARRAYS[name].dtype) for name, one in found.items() if one is not None}
    if missing := [name for name in _ARRAYS if name not in arrays]:
        raise ModelError(f"{modules[0]}: expected the arrays of eldc {VERSION}, found no such {', '.join(missing)}; {_INSTALL}")
    return arrays


def _places(data: mmap.mmap, one: _Array) -> Iterator[bytes]:
    """The array, wherever its mark is found."""
    mark, place = bytes.fromhex(one.mark), -1
    while (place := data.find(mark, place + 1)) >= 0:
        if (start := place - one.at) >= 0:
            found = data[start : start + one.size]
            if len(found) == one.size and hashlib.sha256(found).hexdigest() == one.sha256:
                yield found


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    """The file in the cache. A slot of the package's table of hashes: an n-gram's upper 32 bits, and where in the blob its scores
    begin (24 bits) and how many they are (8 bits); a score: its upper 24 bits as a number of 32, and the language."""
    slots = arrays["ELD_hashtable"].reshape(-1, 2)
    keys, where = slots[slots[:, 1] > 0].astype(np.int64).T
    counts = where >> 24
    first = np.cumsum(counts) - counts
    scored = arrays["ELD_blob"][np.repeat((where & 0xFFFFFF) - first, counts) + np.arange(counts.sum())]
    logs = np.log((scored & np.uint32(0xFFFFFF00)).view(np.float32).astype(np.float64))
    low, high = logs.min(), logs.max()
    codes = np.rint((logs - low) / (high - low) * 255).astype(np.uint64)
    whole = np.repeat(keys.astype(np.uint64), counts) << np.uint64(16) | (scored & np.uint32(0xFF)).astype(
        np.uint64
    ) << np.uint64(8)
    whole = np.sort(whole | codes)
    keys = whole >> np.uint64(16)
    buckets = np.arange((1 << eldc.MAIN_BITS) + 1, dtype=np.uint64)
    lower, code = arrays["TOLOWER_BMP2"].astype(np.int64), np.arange(1920) + 0x80
    lower = np.where(lower > 0, lower, code)
    made = {
        "averages": np.round(-np.log(1 - np.round(arrays["ELD_avg_score"].astype(np.float64), 3)) * 1e4, 1),
        "values": np.exp(low + np.arange(256) * (high - low) / 255),
        "small": np.stack((0xC0 | lower >> 6, 0x80 | lower & 0x3F), axis=1),
        "kinds": _kinds(arrays["LETTER_BITS"], arrays["CJK_BITS"]),
        "starts": np.searchsorted(keys >> np.uint64(32 - eldc.MAIN_BITS), buckets),
        "entries": (keys << np.uint64(eldc.MAIN_BITS) | whole & np.uint64(0xFFFF)) & np.uint64(0xFFFFFFFF),
    }
    return b"".join(made[name].astype(dtype).tobytes() for name, (dtype, _) in _LAYOUT.items())


def _kinds(letters: np.ndarray, wide: np.ndarray) -> np.ndarray:
    code = np.arange(1 << 16)
    kinds = np.where(np.unpackbits(letters, bitorder="little") > 0, eldc.LETTER, 0)
    kinds[:128] = [eldc.LETTER if chr(one).isalpha() else 0 for one in range(128)]
    kinds[(np.unpackbits(wide, bitorder="little") > 0) & (code >= 0x1100) & (code <= 0xFFDC)] = eldc.WIDE
    kinds[[ord("'"), ord("`"), 0x2019]] = eldc.JOINT
    return kinds
