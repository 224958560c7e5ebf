"""What is installed is what the code needs: its dependencies."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from functools import lru_cache

import pytest

from tests.support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PACKAGES = ("filters", "pipeline", "flows")
NOT_FOR_RUNNING = {"dev", "cluster-test"}
"""Extras of the tests: the code may import nothing of them."""
WITHOUT_IMPORT = {"sqlalchemy"}
"""Dependencies of a dependency, named to keep releases away in which it fails (pyproject.toml says which)."""


def distribution(requirement: str) -> str:
    """`Huggingface_Hub[x]>=1,<3` → `huggingface-hub` (PEP 503)."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


@lru_cache
def imported() -> dict[str, set[str]]:
    """Top-level module of others → files of ours that import it, within functions and under TYPE_CHECKING too."""
    found: dict[str, set[str]] = {}
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in names:
                found.setdefault(name.partition(".")[0], set()).add(path.relative_to(ROOT).as_posix())
    return {name: files for name, files in found.items() if name not in sys.stdlib_module_names and name not in PACKAGES}


@lru_cache
def distributions() -> dict[str, set[str]]:
    """Module → what may have brought it; a module of an extra that is not installed is looked for under its own name."""
    installed = importlib.metadata.packages_distributions()
    return {name: {distribution(made) for made in installed.get(name, [name])} for name in imported()}


def declared() -> set[str]:
    extras = {name: made for name, made in PROJECT["optional-dependencies"].items() if name not in NOT_FOR_RUNNING}
    return {distribution(text) for texts in (PROJECT["dependencies"], *extras.values()) for text in texts}


@pytest.mark.parametrize("module", sorted(imported()))
def test_what_the_code_imports_is_declared(module):
    made_by = distributions()[module]
    files, made = sorted(imported()[module]), ", ".join(sorted(made_by))
    assert made_by & declared(), f"{files} import {module} (of {made}), which pyproject.toml does not name"


def test_what_is_declared_is_imported():
    used = set().union(*distributions().values())
    drivers = {distribution(text) for text in PROJECT["optional-dependencies"]["s3"]}  # fsspec finds them by themselves
    assert declared() - used - WITHOUT_IMPORT - drivers == set()


def test_the_walk_sees_imports_within_functions_and_of_extras():
    found = imported()
    assert "pipeline/run/cluster/on_ray.py" in found["ray"] and "flows/serving/notify.py" in found["httpx"]
    assert distribution("Huggingface_Hub[x]>=1,<3") == "huggingface-hub"
