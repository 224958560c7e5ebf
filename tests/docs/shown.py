"""The commands of Winnow that pages show: in blocks, which a reader copies, and in sentences."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

from flows import command
from tests.support import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_OURS = re.compile(r"(?:\.venv/bin/)?(?:winnow|python -m flows\.\w+)(?: |$)")


def in_blocks(page: Path) -> list[str]:
    """Commands of the blocks without a language, comments cut; a usage, which has options in brackets, is none."""
    found = []
    for language, block in _BLOCK.findall(page.read_text("utf-8")):
        if language or "[--" in block:
            continue
        lines = block.replace("\\\n", " ").splitlines()
        found += [re.split(r" +# ", line)[0].strip() for line in lines if _OURS.match(line)]
    return found


def in_sentences(page: Path) -> list[str]:
    """Commands between backticks; those with a gap (`…`) or a placeholder for the command itself are none."""
    text = _BLOCK.sub("", page.read_text("utf-8"))
    found = [code for code in re.findall(r"`([^`]+)`", text) if _OURS.match(code)]
    return [" ".join(code.split()) for code in found if not re.search(r"…|\[--|COMMAND|SHELL|flows\.[A-Z]|winnow$", code)]


def words(shown: str) -> list[str]:
    """The arguments of `winnow`, for a command of a module as well."""
    given = shlex.split(shown.replace(".venv/bin/", ""))
    return given[1:] if given[0] == "winnow" else [given[2].removeprefix("flows."), *given[3:]]


def is_a_name(shown: str) -> bool:
    """Whether it is a command or subcommand without arguments, as a sentence names one."""
    name, *rest = words(shown)
    return name in command.COMMANDS and (not rest or (len(rest) == 1 and rest[0] in command.subcommands(name)))


def parsed(shown: str) -> argparse.Namespace:
    """What the command's own parser makes of it; SystemExit where it refuses."""
    name, *rest = words(shown)
    one = command.COMMANDS[name]
    if rest and rest[0] in one.within:
        return command.parser_of(one.within[rest[0]]).parse_args(rest[1:])
    return command.parser_of(one.parser).parse_args(rest)
