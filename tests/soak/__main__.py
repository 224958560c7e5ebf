"""`make soak`: faults and hostile input against the real program, at length. Prints counts and figures; status 1 on a failure.

    python -m tests.soak [--only kills,hostile,increments,year,memory,fuzz] [--seed N] [--short]

Each part can be run alone. All that is random follows from the seed, which is printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from tests.soak.common import Report

PARTS = ("kills", "hostile", "increments", "year", "memory", "fuzz")


def say(line: str) -> None:
    print(f"    {line}", flush=True)


def part(name: str, given: argparse.Namespace) -> Callable[[], Report]:
    """A part as the arguments ask for it; imported when it runs."""
    short, seed = given.short, given.seed
    if name == "kills":
        from tests.soak import kills

        shares = (7, 2, 1) if short else (given.inline, given.prefect, given.dask)
        return lambda: kills.go(seed=seed, inline=shares[0], prefect=shares[1], dask=shares[2], log=say)
    if name == "increments":
        from tests.soak import increments

        sizes = (10, 400) if short else (50, 4000)
        return lambda: increments.go(seed=seed, increments=sizes[0], documents=sizes[1], log=say)
    if name == "year":
        from tests.soak import year

        return lambda: year.go(seed=seed, nights=40 if short else 365, log=say)
    if name == "memory":
        from tests.soak import memory

        minutes = given.minutes or (1 if short else 30)
        return lambda: memory.go(seed=seed, minutes=minutes, log=say)
    if name == "fuzz":
        from tests.soak import fuzz

        seconds = 60 * given.minutes if given.minutes else 20 if short else 600
        return lambda: fuzz.go(seed=seed, seconds=seconds, log=say)
    from tests.hostile import suite

    return lambda: suite.go(log=say)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, with commas between them: {', '.join(PARTS)}")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--short", action="store_true", help="a few of each: some minutes in all")
    parser.add_argument("--inline", type=int, default=70, help="kills of runs in one process")
    parser.add_argument("--prefect", type=int, default=20, help="kills under Prefect")
    parser.add_argument("--dask", type=int, default=10, help="kills under Dask")
    parser.add_argument("--minutes", type=float, help="how long `memory` (30) or `fuzz` (10) goes on")
    given = parser.parse_args()
    chosen = given.only.split(",")
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    print(f"soak: {', '.join(chosen)}; seed {given.seed}", flush=True)
    failed = []
    for name in chosen:
        start = time.monotonic()
        report = part(name, given)()
        report.show()
        print(f"  ({time.monotonic() - start:.0f} s)", flush=True)
        if report.failures:
            failed.append(name)
    print(f"\nsoak: {'FAILED in ' + ', '.join(failed) if failed else 'nothing failed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
