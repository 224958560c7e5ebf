"""Filters of the user's own: modules that the plan names under `plugins`, each with a FILTER or a tuple FILTERS.

Invariant: a plugin is code that the user chose to run, by its name in the plan and nowhere else; it is imported as Python
finds it (installed, or on PYTHONPATH) and held to `filters.contract` like our own. The sha256 of its source belongs to the
recipe and to the keys of its signals: the file of a module, every .py file below the folder of a package. What it imports from
elsewhere does not: raise `Filter.version` when that changes.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from filters.contract import Filter
from pipeline.errors import PlanError

MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Plugin:
    """An imported module or package, the sha256 of its source, and its filters."""

    module: str
    sha256: str
    filters: tuple[Filter, ...]


@lru_cache(maxsize=8)
def load_plugins(modules: tuple[str, ...]) -> tuple[Plugin, ...]:
    """Import the modules, once in a process. Raises PlanError for one that cannot be imported or holds no filter."""
    if len(set(modules)) < len(modules):
        raise PlanError(f"plugins: {', '.join(modules)}: a module is named twice")
    return tuple(_plugin(module) for module in modules)


def _plugin(module: str) -> Plugin:
    if not MODULE.fullmatch(module):
        raise PlanError(f"plugins: {module!r}: expected the name of a Python module, such as package.module")
    try:
        made = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise PlanError(f"plugins: {module}: {error}; install it, or put its folder on PYTHONPATH") from error
    except Exception as error:
        raise PlanError(f"plugins: {module}: its import raised {type(error).__name__}: {error}") from error
    found = getattr(made, "FILTERS", None) or (getattr(made, "FILTER", None),)
    if not isinstance(found, tuple | list) or not all(isinstance(item, Filter) for item in found):
        raise PlanError(f"plugins: {module}: expected FILTER = Filter(...) or a tuple FILTERS of such; see filters/contract.py")
    source = getattr(made, "__file__", None)
    if source is None or not Path(source).is_file():
        raise PlanError(f"plugins: {module}: has no source file to hash; expected a .py file or a compiled module")
    own = _package_sha256(made.__path__) if hasattr(made, "__path__") else hashlib.sha256(Path(source).read_bytes()).hexdigest()
    return Plugin(module, own, tuple(found))


def _package_sha256(folders: Iterable[str]) -> str:
    """The sha256 of the names and contents of all .py files of a package and its subpackages, in the order of their names."""
    digest = hashlib.sha256()
    for folder in map(Path, folders):
        for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*.py")):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def filters_of(modules: tuple[str, ...]) -> tuple[Filter, ...]:
    """All filters of the modules, in the order of the plan."""
    return tuple(item for plugin in load_plugins(modules) for item in plugin.filters)


def source_of(filter_: Filter, modules: tuple[str, ...]) -> tuple[str, ...]:
    """The sha256 of the source of the plugin that `filter_` comes from; nothing for a filter of ours."""
    return tuple(plugin.sha256 for plugin in load_plugins(modules) if any(item is filter_ for item in plugin.filters))
