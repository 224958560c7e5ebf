"""For libraries that other libraries import on a chance, at a price, and that we never need.

The first `pyarrow.array` of a process imports pandas if it is there: 0.22 of a start's 2.17 CPU-seconds (`make bench B=tricks`).
`filters.kernels` imports this module before any of our code makes an array, so that pyarrow looks in vain; a reader of `datasets`
that needs pandas still gets it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class _Refuses:
    """An import finder that refuses one module. (Of None in `sys.modules`, modules in Cython make a module that is None.)"""

    name: str

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        if name == self.name:
            raise ModuleNotFoundError(f"{name} is not wanted here", name=name)


@contextmanager
def absent(name: str) -> Iterator[None]:
    """Within the block `import name` fails, unless that module was imported before."""
    finder: Any = _Refuses(name)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


with absent("pandas"):
    pa.array([])
