"""`winnow plan`: write a plan for an input, look up keys and presets, and see what a plan would do.

Exit codes as in `flows.curate`: 0 done, 2 the command or the input is wrong, or the file to be written is there.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows import errors

if TYPE_CHECKING:
    from pipeline.report.table import Said

EXPLAIN = "explain"


def parser() -> argparse.ArgumentParser:
    made = errors.Parser(
        prog="winnow plan",
        description="Write a plan for an input, look up what a plan may say, see what it would do.",
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND")
    init = commands.add_parser(
        "init",
        help="write a commented plan for an input that it looks at",
        description="Look at an input (columns, languages, sizes) and write a commented plan for it, the text's column proposed.",
    )
    init.add_argument("input", nargs="+", metavar="INPUT", help="files, folders, globs, URLs")
    init.add_argument("--to", metavar="FILE", default="plan.yaml", help="file to write, - for stdout (default: plan.yaml)")
    init.add_argument("--text", metavar="COLUMN", help="column that holds the text (default: one is proposed)")
    init.add_argument("--force", action="store_true", help="write over FILE where it is there")
    keys = commands.add_parser(
        "keys",
        help="all keys of a plan, with defaults and what they do",
        description="Print the keys of a plan with their defaults and what they do.",
    )
    keys.add_argument("words", nargs="*", metavar="WORD", help="only keys with all these words in them or in what they do")
    commands.add_parser(
        EXPLAIN,
        help="what a plan would do, and why; runs nothing (curate --explain)",
        description="The same as `winnow curate [PLAN] ... --explain`, with the arguments of curate.",
        add_help=False,
    )
    presets = commands.add_parser(
        "presets",
        help="the presets, or one of them as it stands",
        description="Print the presets with what each is, or the YAML of one.",
    )
    presets.add_argument("name", nargs="?", metavar="PRESET", help="such as fineweb or default@2")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == [EXPLAIN]:
        from flows import curate

        return curate.main(given[1:], explains=True)
    made = parser()
    if not given:
        made.print_help()
        return 0
    arguments = made.parse_args(given)
    act = {"init": _init, "keys": _keys, "presets": _presets}[arguments.command]

    def run() -> int:
        from pipeline.report import table

        table.show(act(arguments), sys.stdout)
        return 0

    return errors.exit_code(run, tell=errors.on_stderr("winnow plan"))


def _init(arguments: argparse.Namespace) -> Said:
    import shlex

    from pipeline import read
    from pipeline.errors import OutputError, UsageError
    from pipeline.plan.draft import commands, draft, output_of
    from pipeline.plan.proposal import propose

    to = os.path.expanduser(arguments.to)
    if any("\ud800" <= c <= "\udfff" for text in (*arguments.input, arguments.text or "", to) for c in text):
        raise UsageError("INPUT, --text and --to: expected names that UTF-8 can hold, as a plan can; rename the file")
    there = f"{arguments.to}: is there; name another file with --to, or write over it with --force"
    if to != "-" and not arguments.force and os.path.lexists(to):
        raise OutputError(there)
    quoted = shlex.quote("plan.yaml" if to == "-" else arguments.to)
    try:
        proposed = propose(arguments.input, text=arguments.text)
        made = draft(proposed, file=quoted)
    finally:
        read.close()
    if to == "-":
        sys.stdout.write(made)
        return []
    try:
        with open(to, "w" if arguments.force else "x", encoding="utf-8") as file:
            file.write(made)
    except FileExistsError as error:
        raise OutputError(there) from error
    return [
        f"{arguments.to}: read it, above all what it proposes as the text; then",
        *(f"  {command}" for command in commands(quoted, output_of(proposed))),
    ]


def _keys(arguments: argparse.Namespace) -> Said:
    from pipeline.errors import UsageError
    from pipeline.plan.keys import keys
    from pipeline.report import table

    words = [word.lower() for word in arguments.words]
    found = [row for row in keys() if all(word in " ".join(row).lower() for word in words)]
    if not found:
        raise UsageError(f"keys: no key has {' and '.join(arguments.words)} in it or in what it does")
    return [table.table(("key", "default", "what it does"), found)]


def _presets(arguments: argparse.Namespace) -> Said:
    from pipeline.plan.load import preset_text
    from pipeline.plan.presets import presets
    from pipeline.report import table

    if arguments.name is not None:
        return preset_text(arguments.name).rstrip("\n").split("\n")
    rows = [(name, _about(path.read_text("utf-8"))) for name, path in presets().items()]
    return [table.table(("preset", "what it is"), rows), "", "winnow plan presets NAME shows one; a plan names it: extends: NAME"]


def _about(text: str) -> str:
    """The first sentence of the comment that a preset begins with."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return re.split(r"\. (?=[A-Z])|; ", " ".join(lines))[0].rstrip(".")


if __name__ == "__main__":
    raise SystemExit(main())
