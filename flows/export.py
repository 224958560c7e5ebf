"""`winnow export`: what an output holds, in the form that others take. Today `arms`, which `flows.savings export-arms` writes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from flows import errors

ARMS = "arms"


def parser() -> argparse.ArgumentParser:
    made = errors.Parser(
        prog="winnow export",
        description="Write an output in the form that others take.",
        epilog=f"winnow export {ARMS} --help says more. Shards need no export: they are Parquet that load_dataset reads.",
    )
    made.add_argument("what", choices=(ARMS,), metavar="WHAT", help=f"{ARMS}: raw and curated text for a trainer of your own")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser().parse_args(given[:1])
    from flows import savings

    return savings.main(["export-arms", *given[1:]])


if __name__ == "__main__":
    raise SystemExit(main())
