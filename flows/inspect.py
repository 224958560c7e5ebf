"""`python -m flows.inspect`: look at what was kept, what was dropped, and why. Read-only.

Exit codes as in `flows.curate`: 0 done, 1 failed, 2 the command is wrong or there is no such output or document.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m flows.inspect", description="Look at what a curation kept, what it dropped, and why. Changes nothing."
    )
    made.add_argument("--output", metavar="DIR", default="curated", help="folder that was curated into (default: curated)")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    why = commands.add_parser("why", help="everything that decided one document's fate")
    why.add_argument("name", nargs="?", metavar="ID", help="the document's id or source_ref")
    why.add_argument("--text", metavar="TEXT", help="judge this text instead, as the output's plan would (- reads stdin)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = parser().parse_args(argv)
    from flows.show import harmless
    from pipeline.errors import WinnowError

    try:
        print(_why(arguments), end="")
        return 0
    except WinnowError as error:
        print(f"winnow inspect: {harmless(str(error))}", file=sys.stderr)
        return error.exit_code


def _why(arguments: argparse.Namespace) -> str:
    from pipeline.errors import UsageError
    from pipeline.inspect import opened, why

    if (arguments.name is None) == (arguments.text is None):
        raise UsageError("why: give the id or source_ref of a document, or --text TEXT")
    output = opened.open_output_of(arguments.output)
    if arguments.text is not None:
        return why.shown_text(output, sys.stdin.read() if arguments.text == "-" else arguments.text)
    return "\n".join(why.shown(output, found) for found in why.find(output, arguments.name))


if __name__ == "__main__":
    raise SystemExit(main())
