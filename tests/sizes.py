"""`python -m tests.sizes`: how large modules and functions are, by room. `test_architecture` holds the limits.

Limits: chosen because a function must fit a screen, and a module one sitting.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("filters", "pipeline", "flows")
MODULE_LINES = 350
FUNCTION_LINES = 60


def files() -> list[Path]:
    """Every module of the three packages."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def name(path: Path) -> str:
    """The path below the root, with `/`."""
    return path.relative_to(ROOT).as_posix()


def long_modules() -> dict[str, int]:
    """Modules over the limit, with their lines."""
    found = {name(path): len(path.read_text("utf-8").splitlines()) for path in files()}
    return {module: lines for module, lines in found.items() if lines > MODULE_LINES}


def functions() -> Iterator[tuple[str, int]]:
    """Every function or method as `module:name`, with its lines from `def` to its end."""
    for path in files():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name(path)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def long_functions() -> dict[str, int]:
    """Functions over the limit, with their lines."""
    return {function: lines for function, lines in functions() if lines > FUNCTION_LINES}


def loose_modules() -> list[str]:
    """Modules of `pipeline/` that belong to no room."""
    return sorted(path.stem for path in (ROOT / "pipeline").glob("*.py") if path.stem != "__init__")


def main() -> None:
    """Print lines and modules by room, the longest module and function, and what is over a limit."""
    rooms: dict[str, list[int]] = {}
    for path in files():
        parts = path.relative_to(ROOT).parts[:-1]
        rooms.setdefault("/".join(parts[:2]), []).append(len(path.read_text("utf-8").splitlines()))
    for room, sizes in sorted(rooms.items()):
        print(f"{room:<24} {len(sizes):>4} modules {sum(sizes):>7,} lines, longest {max(sizes):>4}")
    where, longest = max(functions(), key=lambda found: found[1])
    modules, lines = sum(map(len, rooms.values())), sum(map(sum, rooms.values()))
    print(f"{modules} modules, {lines:,} lines; longest function {longest}: {where}")
    print(f"modules over {MODULE_LINES} lines: {long_modules() or 'none'}")
    print(f"functions over {FUNCTION_LINES} lines: {long_functions() or 'none'}")
    print(f"loose modules of pipeline/: {', '.join(loose_modules())}")


if __name__ == "__main__":
    main()
