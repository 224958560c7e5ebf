"""Tables that take a while to build, kept beside the compiled kernels.

Invariant: what is loaded is what `build` gave under the same Python, version of Unicode and sources. A file that cannot be read
is built anew; where the folder cannot be written nothing is kept, and the next process builds the tables again.
"""

from __future__ import annotations

import os
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar, cast
from zipfile import BadZipFile

import numpy as np
from numba.core import config

from filters.kernels import DIGEST

Arrays = TypeVar("Arrays", bound=tuple[np.ndarray, ...])


def kept(build: Callable[[], Arrays]) -> Callable[[], Arrays]:
    """`build`, called once per machine; its arrays are read-only."""

    @cache
    def tables() -> Arrays:
        name = f"{build.__module__}-{sys.implementation.cache_tag}-{unicodedata.unidata_version}-{DIGEST}.npz"
        path = Path(config.CACHE_DIR) / name  # type: ignore[attr-defined]
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = cast(Arrays, tuple(file[name] for name in file.files))
        except (OSError, ValueError, BadZipFile):
            arrays = build()
            _write(path, arrays)
        for array in arrays:
            array.flags.writeable = False
        return arrays

    return tables


def _write(path: Path, arrays: tuple[np.ndarray, ...]) -> None:
    """At once: another process may read it or write it too."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            np.savez(file, *arrays)
        os.replace(file.name, path)
    except OSError:
        return
