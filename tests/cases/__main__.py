"""`python -m tests.cases [CASE ...]`: public bug reports of this field, run as their READMEs ask, beside what is expected.

    python -m tests.cases [CASE ...] [--failed] [--json]

CASE is part of a case's name (`parquet-types`); without one, all are run, in some two minutes. --failed prints only what is
not as expected. The inputs lie in WINNOW_EVAL_DATA/cases, which is not part of the project: without it nothing is run, and
that is said. Each case is copied to a temporary folder, and its own programs complete it there. Prints a table: case, file,
what is expected, what was seen, ok. Status 1 where anything is not as expected.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tests.cases import stories
from tests.cases.expect import seen
from tests.cases.runs import copied, curate
from tests.cases.stories import Told
from tests.cases.table import RUNS, Run

WIDTHS = (14, 44, 46)
"""Of the table's columns but the last; what is longer is folded by nobody: the line is as long as it needs to be."""


def carried_out(run: Run, case: Path, out: Path) -> Told:
    """One line of the table. A file that neither lies there nor is made there is said to be absent."""
    given = case / run.file
    shown = " ".join((run.file.replace("\n", "\\n"), *run.set))
    if not os.path.lexists(given):
        return Told(run.case, shown, run.expect.about, "absent", ok=True)
    settings = [part for value in run.set for part in ("--set", value)]
    slash = "/" if run.file.endswith("/") else ""
    ran = curate(run.plan, "--input", f"{given}{slash}", *settings, given=given, out=out)
    return Told(run.case, shown, run.expect.about, seen(ran), _holds(run, ran))


def _holds(run: Run, ran: object) -> bool:
    try:
        return bool(run.expect.holds(ran))  # type: ignore[arg-type]
    except (KeyError, ValueError, TypeError, AttributeError):
        return False  # the output has not what the expectation asks about


def lines_of(case: Path, name: str, folder: Path) -> Iterator[Told]:
    """All lines of one case, whose folder is given; `folder` is an empty one for outputs."""
    with copied(case) as here:
        for k, run in enumerate(run for run in RUNS if run.case == name):
            yield carried_out(run, here, folder / f"o{k}")
        if name == "paths":
            yield stories.one_name(here, folder / "one")
    if name == "paths":
        (folder / "places").mkdir()
        yield from stories.places(folder / "places")
    if name == "incremental":
        yield from stories.increments(folder)


def line(told: Told) -> str:
    cells = (told.case, told.name, told.about)
    padded = [cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)]
    return "  ".join([*padded, "ok  " if told.ok else "FAIL", told.saw])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cases", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("case", nargs="*", metavar="CASE", help="part of a case's name (default: all)")
    parser.add_argument("--failed", action="store_true", help="print only what is not as expected")
    parser.add_argument("--json", action="store_true", help="an object a line")
    given = parser.parse_args(arguments)
    data = os.environ.get("WINNOW_EVAL_DATA")
    cases = Path(data) / "cases" if data else None
    if cases is None or not cases.is_dir():
        print("cases: nothing is run, WINNOW_EVAL_DATA/cases is not there")
        return 0
    count = failed = 0
    for case in sorted(cases.iterdir()):
        name = case.name.partition("-")[2]
        if not case.is_dir() or (given.case and not any(part in name for part in given.case)):
            continue
        with tempfile.TemporaryDirectory(prefix="winnow-cases-") as folder:
            for told in lines_of(case, name, Path(folder)):
                count, failed = count + 1, failed + (not told.ok)
                if given.json:
                    print(json.dumps(asdict(told), ensure_ascii=False), flush=True)
                elif not (told.ok and given.failed):
                    print(line(told), flush=True)
    print(f"{count - failed} of {count} as expected", file=sys.stderr if given.json else sys.stdout)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
