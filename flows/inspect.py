"""`python -m flows.inspect`: look at what was kept, what was dropped, and why. Read-only.

Exit codes as in `flows.curate`: 0 done, 1 failed, 2 the command is wrong or there is no such output or document.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m flows.inspect", description="Look at what a curation kept, what it dropped, and why. Changes nothing."
    )
    made.add_argument("--output", metavar="DIR", default="curated", help="folder that was curated into (default: curated)")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    why = commands.add_parser("why", help="everything that decided one document's fate")
    why.add_argument("name", nargs="?", metavar="ID", help="the document's id or source_ref")
    why.add_argument("--text", metavar="TEXT", help="judge this text instead, as the output's plan would (- reads stdin)")
    sweep = commands.add_parser("sweep", help="what other thresholds would keep, from the stored signals")
    sweep.add_argument("key", metavar="KEY=FROM:TO:STEP", help="a filter's threshold and values, such as filters.x.min_y=0:1:0.1")
    sweep.add_argument("--by", choices=("language",), help="a line for each language")
    sweep.add_argument("--work", metavar="DIR", help="work directory of the run (default: .work in the output)")
    sweep.add_argument("--json", action="store_true", help="print JSON")
    compare = commands.add_parser("compare", help="what enters and what leaves between this output and another")
    compare.add_argument("other", metavar="OUT2", help="folder of the other output")
    compare.add_argument("--json", action="store_true", help="print JSON")
    for command in (why, sweep, compare):  # as people write it: behind the command too
        command.add_argument("--output", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = parser().parse_args(argv)
    from flows.show import harmless
    from pipeline.errors import WinnowError

    try:
        print({"why": _why, "sweep": _sweep, "compare": _compare}[arguments.command](arguments), end="")
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


def _sweep(arguments: argparse.Namespace) -> str:
    from pipeline.errors import UsageError
    from pipeline.inspect import opened, sweep

    key, equals, text = arguments.key.partition("=")
    if not equals or not text.strip():
        raise UsageError(f"sweep {arguments.key}: expected KEY=FROM:TO:STEP, such as filters.gopher_quality.min_words=20:80:10")
    output = opened.open_output_of(arguments.output)
    lines = sweep.sweep(output, key, sweep.values(text), by_language=arguments.by == "language", work=arguments.work)
    if arguments.json:
        return json.dumps([asdict(line) for line in lines]) + "\n"
    return sweep.shown(key, lines, now=opened.value_of(output, key))


def _compare(arguments: argparse.Namespace) -> str:
    from pipeline.inspect import compare, opened

    found = compare.compare(opened.open_output_of(arguments.output), opened.open_output_of(arguments.other))
    return json.dumps(asdict(found), sort_keys=True) + "\n" if arguments.json else compare.shown(found)


if __name__ == "__main__":
    raise SystemExit(main())
