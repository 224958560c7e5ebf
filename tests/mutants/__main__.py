"""`make mutants`: breaks one line at a time and shows which test of the fast suite notices.

    python -m tests.mutants [--only NAME ...] [--list] [--no-whole] [--seconds N] [--whole-seconds N]

Each mutant of `table.py` is made in a copy of the tree, never in the checkout. Its own tests run first, then, where they all
pass, the whole fast suite; what passes that survives. A run that stands still counts as caught, and is called so. Status 1
where one survives (with `--no-whole`: its own tests), 2 where a name, a line of the table or the tree before any change is
wrong.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.table import MUTANTS, Mutant
from tests.mutants.tree import Stale, Tree, Unfit

ROOT = Path(__file__).resolve().parents[2]
WHOLE = ("tests",)


@dataclass(frozen=True)
class Line:
    """`by`: the test that failed, or how else the mutant was noticed; None where it survives."""

    mutant: Mutant
    by: str | None
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parsed(arguments)
    chosen = [mutant for mutant in MUTANTS if not given.only or mutant.name in given.only]
    if unknown := {*given.only} - {mutant.name for mutant in chosen}:
        print(f"no mutant is called {min(unknown)!r}; --list shows their names", file=sys.stderr)
        return 2
    if given.list:
        print("\n".join(f"{mutant.area}: {mutant.name} ({mutant.path}): {mutant.law}" for mutant in chosen))
        return 0
    try:
        lines = _all(chosen, given)
    except (Stale, Unfit) as error:
        print(error, file=sys.stderr)
        return 2
    return _summary(lines)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description="breaks one line at a time; the tests must notice"
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these mutants alone")
    parser.add_argument("--list", action="store_true", help="show them and run nothing")
    parser.add_argument("--no-whole", action="store_true", help="run a mutant's own tests only")
    parser.add_argument("--seconds", type=float, default=300, help="most that a mutant's own tests may take")
    parser.add_argument("--whole-seconds", type=float, default=1800, help="most that the whole suite may take")
    return parser.parse_args(arguments)


def _all(chosen: Sequence[Mutant], given: argparse.Namespace) -> list[Line]:
    lines = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Tree(ROOT, Path(folder))
        for mutant in chosen:
            tree.check(mutant)
        print(f"{len(chosen)} mutants; first their tests on the tree as it is", flush=True)
        tree.unbroken(sorted({test for mutant in chosen for test in mutant.tests}), seconds=given.whole_seconds)
        for mutant in chosen:
            line = _one(tree, mutant, given)
            lines.append(line)
            print(_shown(line), flush=True)
    return lines


def _one(tree: Tree, mutant: Mutant, given: argparse.Namespace) -> Line:
    started = time.monotonic()
    with tree.broken(mutant):
        by = tree.noticed(mutant.tests, seconds=given.seconds)
        if by is None and not given.no_whole:
            by = tree.noticed(WHOLE, seconds=given.whole_seconds)
    return Line(mutant, by, time.monotonic() - started)


def _shown(line: Line) -> str:
    return f"{line.mutant.area:<13} | {line.mutant.name:<52} | {line.seconds:5.0f} s | {line.by or 'SURVIVED'}"


def _summary(lines: Sequence[Line]) -> int:
    survivors = [line for line in lines if line.by is None]
    seconds = sum(line.seconds for line in lines)
    areas = len({line.mutant.area for line in lines})
    caught = len(lines) - len(survivors)
    print(f"{len(lines)} mutants in {areas} areas: {caught} caught, {len(survivors)} survived ({seconds:.0f} s)")
    for line in survivors:
        print(f"SURVIVED: {line.mutant.name} ({line.mutant.path}): {line.mutant.law}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
