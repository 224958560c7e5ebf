"""Pages of docs/: their tables, and the modules that they name."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from tests.support import ROOT

_DOTTED = re.compile(r"`((?:filters|pipeline|flows)(?:\.\w+)+)`")


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def tables(page: str, first: str) -> list[list[list[str]]]:
    """Rows of every table whose first column has this heading."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        lines = block.splitlines()
        if cells(lines[0])[0] == first:
            found.append([cells(line) for line in lines[2:]])
    return found


def table(page: str, marker: str) -> list[list[str]]:
    """Rows of the first table behind a marker, which stands once at the beginning of a line."""
    places = [match.end() for match in re.finditer(rf"^{re.escape(marker)}", page, re.MULTILINE)]
    assert len(places) == 1, (marker, len(places))
    block = re.search(r"(?:^\|.*\n)+", page[places[0] :], re.MULTILINE)
    assert block is not None, marker
    return [cells(line) for line in block[0].splitlines()[2:]]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def named(page: str) -> list[str]:
    """Modules of ours, and functions of modules, that a page names."""
    return sorted(set(_DOTTED.findall(page)))


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or stands at the top level of one."""
    if _file(name) is not None:
        return True
    module, _, attribute = name.rpartition(".")
    file = _file(module)
    return file is not None and attribute in _top_level(file)


def _file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def _top_level(file: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return frozenset(found)
