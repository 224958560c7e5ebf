"""How every command ends: what stopped it becomes one message on stderr and an exit code.

Exit codes are those of `pipeline.errors`; 1 also where the operating system failed or memory ran out, 130 for Ctrl-C.
Invariant: messages are harmless to a terminal, whatever names, plans and arguments hold. What is no failure of input, disk
or user is a bug, and keeps its traceback.
"""

from __future__ import annotations

import argparse
import difflib
import errno
import os
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import flows

_HOME = os.path.dirname(os.path.realpath(__file__))
if os.path.dirname(os.path.realpath(flows.__file__ or "")) != _HOME:  # every command imports this module before anything else
    from winnow import hidden

    if os.path.dirname(os.path.realpath((sys.argv or [""])[0])) != _HOME:
        raise ImportError(hidden())  # a program of the user's
    print(f"winnow: {hidden()}", file=sys.stderr)
    raise SystemExit(2)

Tell = Callable[[str, int], None]
"""Takes the message and the exit code."""


class Parser(argparse.ArgumentParser):
    """A command line whose mistakes end as those of a plan do. Arguments may be names that a shell found: they are escaped."""

    def _parse_optional(self, arg_string: str) -> Any:
        """None where an argument is no option: here also a path that begins with a dash, which argparse takes for one."""
        known = arg_string in self._option_string_actions or arg_string.startswith("--")
        if not known and arg_string.startswith("-") and ("/" in arg_string or os.path.lexists(arg_string)):
            return None
        return super()._parse_optional(arg_string)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Here also a subcommand says what it does not know: it has the options that may be meant, and the command above not."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def error(self, message: str) -> NoReturn:
        from pipeline.text.visible import visible_lines

        said = message.replace("unrecognized arguments", "no such argument")
        print(f"{self.prog}: {visible_lines(f'{said}{self._hint(message)}')} ({self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)

    def _hint(self, message: str) -> str:
        """The option or choice that may be meant, or how a name is written that looks like an option."""
        if re.search("expected .*argument", message):
            return "; a name that begins with - is written ./-name"
        options = [option for action in self._actions for option in action.option_strings if option.startswith("--")]
        unknown = re.match("unrecognized arguments: (--[^ =]+)", message)
        choice = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)$", message)
        given, known = (unknown[1], options) if unknown else ("", [])
        if choice:
            given, known = choice[1], re.findall(r"[\w-]+", choice[2])
        near = difflib.get_close_matches(given, known, n=1)
        return f"; did you mean {near[0]}?" if near else ""


def on_stderr(name: str) -> Tell:
    """Messages as lines of text that begin with the command's name."""

    def tell(message: str, code: int) -> None:
        from pipeline.text.visible import visible_lines

        print(f"{name}: {visible_lines(message)}", file=sys.stderr)

    return tell


def exit_code(run: Callable[[], int], *, tell: Tell, resumes: bool = False) -> int:
    """The exit code of `run`, or of what ended it, which `tell` has then been told.

    `resumes`: the same command goes on where it stopped.
    """
    from pipeline.errors import WinnowError

    try:
        return run()
    except WinnowError as error:
        message, code = str(error), error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output left: the run is done
        return 0
    except OSError as error:
        message, code = _of_system(error, resumes=resumes), 1
    except MemoryError as error:
        message, code = _of_memory(error, resumes=resumes), 1
    except RecursionError:
        message, code = "a file of the output or the work directory has values nested too deep: it is not what Winnow wrote", 1
    except KeyboardInterrupt:
        message, code = "interrupted" + ("; the same command goes on where it stopped" if resumes else ""), 130
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of Polars, and no Exception: a Parquet file made its reader give up
            raise
        said = (str(error).splitlines() or [""])[0][:300]
        message, code = f"a Parquet file is damaged, and its reader gave up ({said}); restore it, or make it anew", 1
    tell(message, code)
    return code


def _of_system(error: OSError, *, resumes: bool) -> str:
    """Which file, what is wrong with it, what to do. A file's name is one line, whatever it holds."""
    from pipeline.text.visible import visible

    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename or "")
    where = f"{visible(name)}: " if name else ""
    todo = "free some space there" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend that"
    then = "run the same command, it resumes" if resumes else "run the same command again"
    return f"{where}{error.strerror or error}; {todo} and {then}"


def _of_memory(error: MemoryError, *, resumes: bool) -> str:
    said = f" ({error})" if str(error) else ""
    if not resumes:
        return f"out of memory{said}; give less at a time, or run it where there is more"
    return (
        f"out of memory{said}; lower --memory (fewer units at a time) or --workers; source.unit_bytes, where a single unit is"
        " too large; the same command then resumes"
    )
