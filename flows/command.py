"""The console script `winnow`: which command is meant, and what there is.

Each command is a module, which `python -m flows.NAME` runs as well: it alone has the parser and does the work. Invariant: help,
completion and mistakes import no more than the parsers, which are standard library.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from flows import __version__


@dataclass(frozen=True)
class Command:
    """A command: what it is for; `parser`: where that is, as `module:function`; `within`: subcommands that have their own."""

    about: str
    parser: str
    within: dict[str, str] = field(default_factory=dict)

    @property
    def module(self) -> str:
        return self.parser.partition(":")[0]


GROUPS: dict[str, dict[str, Command]] = {
    "curate text": {
        "curate": Command("raw text in, Parquet shards out, every removal explained", "flows.curate:parser"),
        "plan": Command(
            "init, keys, explain, presets: write a plan, and look up what it may say",
            "flows.plan:parser",
            {"explain": "flows.curate:explain_parser"},
        ),
    },
    "look at an output": {
        "inspect": Command("browse, why, review, sweep, compare, summary, takedown", "flows.inspect:parser"),
        "doctor": Command("what is damaged, and what can be brought back", "flows.doctor:parser"),
    },
    "use it": {
        "savings": Command(
            "measure the training compute that the curation saves, at equal quality",
            "flows.savings:parser",
            {"export-arms": "flows.savings:export_parser", "score": "flows.savings:score_parser"},
        ),
        "train": Command(
            "a classifier of your own, or the quality model with your reviews",
            "flows.train:parser",
            {"judge": "flows.judge:parser"},
        ),
        "export": Command(
            "megatron, datatrove, npy, packed, jsonl: for a training job; hub; check; arms: for a measurement of your own",
            "flows.export:parser",
            {
                "megatron": "flows.export:format_parser",
                "datatrove": "flows.export:format_parser",
                "npy": "flows.export:format_parser",
                "packed": "flows.export:format_parser",
                "jsonl": "flows.export:format_parser",
                "hub": "flows.export:hub_parser",
                "check": "flows.export:check_parser",
                "arms": "flows.savings:export_parser",
            },
        ),
        "deploy": Command("curate what is new, on a schedule (Prefect)", "flows.deploy:parser"),
    },
    "this command": {
        "completion": Command(
            "bash, zsh, fish: what your shell needs to complete commands and options", "flows.completion:parser"
        ),
    },
}
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}
OPTIONS = ("--help", "--version")
EXAMPLES = """examples:
  winnow curate --input crawl/*.jsonl.gz --output curated
  winnow inspect --output curated why ID

winnow COMMAND --help, or winnow help COMMAND, says more; winnow --version"""


def help_text() -> str:
    """What a bare `winnow` prints."""
    shown = argparse.ArgumentParser(
        prog="winnow",
        usage="winnow COMMAND ...",
        description="Curates text for training language models.",
        epilog=EXAMPLES,
        add_help=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for title, group in GROUPS.items():
        section = shown.add_argument_group(title)
        for name, command in group.items():
            section.add_argument(name, help=command.about)
    return shown.format_help()


def parser_of(where: str) -> argparse.ArgumentParser:
    """The parser at `module:function`."""
    module, _, function = where.partition(":")
    made: argparse.ArgumentParser = getattr(importlib.import_module(module), function)()
    return made


def subcommands(name: str) -> dict[str, argparse.ArgumentParser]:
    """The subcommands of a command, with their parsers."""
    command = COMMANDS[name]
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser_of(command.parser)._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= action.choices
    return found | {one: parser_of(where) for one, where in command.within.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is asked for; returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    name = given[0] if given else "--help"
    if name in ("-h", "--help"):
        print(help_text(), end="")
        return 0
    if name == "help":
        return main([*given[1:], "--help"])
    if name == "--version":
        print(f"winnow {__version__}")
        return 0
    if name not in COMMANDS:
        from pipeline.text.visible import visible

        print(f"winnow: {visible(_unknown(given), limit=600)}", file=sys.stderr)
        return 2
    run: Callable[..., int] = importlib.import_module(COMMANDS[name].module).main
    more: dict[str, Any] = {"own_process": True} if name == "curate" else {}
    return run(given[1:], **more)


def _unknown(given: Sequence[str]) -> str:
    """What is wrong with the first word, and what may be meant."""
    word = given[0]
    kind = "option" if word.startswith("-") else "command"
    said = f"{word}: no such {kind}"
    if meant := next(_meant(word), None):
        return f"{said}; did you mean `winnow {meant}`?"
    return f"{said}; there are {', '.join(COMMANDS)} (`winnow --help`)"


def _meant(word: str) -> Iterator[str]:
    """What to write for a word, the likeliest first."""
    inner = {one: f"{name} {one}" for name in COMMANDS for one in subcommands(name)}
    if word in inner:
        yield inner[word]
    if f"--{word}" in OPTIONS:
        yield f"--{word}"
    option = word.partition("=")[0]
    own = [text for action in parser_of(COMMANDS["curate"].parser)._actions for text in action.option_strings]
    if option in own or word in _plans() or word.endswith((".yaml", ".yml")):
        yield f"curate {word}"
    if option.startswith("-"):
        known = {one: f"curate {one}" for one in own if one.startswith("--")} | {one: one for one in OPTIONS}
    else:
        known = {**{name: name for name in COMMANDS}, **inner, "run": "curate"}
    yield from (known[near] for near in difflib.get_close_matches(option, known, n=1))


def _plans() -> set[str]:
    from pipeline.plan.presets import presets

    return {shown for name in presets() for shown in (name, name.partition("@")[0])}


def entry() -> None:
    """The console script."""
    from flows.curate import ended

    ended(main())
