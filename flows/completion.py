"""`winnow completion SHELL`: the script that makes a shell complete commands, options and choices.

The script asks `winnow completion words -- WORD ...` at each key press: what may stand in the place of the last word, one a line;
nothing where a file may. Invariant: it reads no input and prints nothing but words of our own parsers and names of presets.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from flows import errors

SHELLS = {
    "bash": """_winnow() {
    local IFS=$'\\n'
    COMPREPLY=($("$1" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o bashdefault -o default -F _winnow winnow""",
    "zsh": """#compdef winnow
_winnow() {
    local -a found
    found=(${(f)"$("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#found )); then compadd -- $found; else _files; fi
}
compdef _winnow winnow""",
    "fish": """complete -c winnow -a '(winnow completion words -- (commandline -opc)[2..-1] "$(commandline -ct)" 2>/dev/null)'""",
}
WORDS = "words"


def parser() -> argparse.ArgumentParser:
    made = errors.Parser(
        prog="winnow completion",
        description="Print the script that makes a shell complete commands and options of `winnow`.",
        epilog='bash: eval "$(winnow completion bash)" in ~/.bashrc. zsh: the same in ~/.zshrc, behind compinit.'
        " fish: winnow completion fish > ~/.config/fish/completions/winnow.fish",
    )
    made.add_argument("shell", choices=tuple(SHELLS), metavar="SHELL", help=", ".join(SHELLS))
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:2] == [WORDS, "--"]:
        print("\n".join(candidates(given[2:] or [""])))
        return 0
    print(SHELLS[parser().parse_args(given).shell])
    return 0


def candidates(words: Sequence[str]) -> list[str]:
    """What may stand in the place of the last word; nothing where only a file may."""
    from flows import command

    *before, last = words
    if not before:
        found = [*command.COMMANDS, *command.OPTIONS]
    elif before[0] not in command.COMMANDS:
        found = []
    else:
        within = command.subcommands(before[0])
        named = next((word for word in before[1:] if word in within), None)
        parser_ = within[named] if named else command.parser_of(command.COMMANDS[before[0]].parser)
        found = _of(parser_, before[-1], within=[] if named else list(within))
    return sorted(word for word in found if word.startswith(last) and (last.startswith("-") or not word.startswith("-")))


def _of(parser_: argparse.ArgumentParser, previous: str, *, within: list[str]) -> list[str]:
    """Behind the word `previous`: values of its option, or options, subcommands and choices."""
    options = {text: action for action in parser_._actions for text in action.option_strings if action.help != argparse.SUPPRESS}
    if previous in options and options[previous].nargs != 0:
        return [str(choice) for choice in options[previous].choices or ()]
    found = [text for text in options if text.startswith("--")] + within
    for action in parser_._actions:
        if not action.option_strings and action.metavar == "PLAN":
            from pipeline.plan.presets import presets

            found += presets()
        elif not action.option_strings and not isinstance(action, argparse._SubParsersAction):
            found += [str(choice) for choice in action.choices or ()]
    return found


if __name__ == "__main__":
    raise SystemExit(main())
