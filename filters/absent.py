"""For libraries that other libraries import on a chance, at a price, and that we never need."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class _Refuses:
    """An import finder that refuses one module."""

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
