"""Every error that ends a run, and the exit code that it ends it with.

    WinnowError
    ├── UsageError            2   the command or the plan is wrong; nothing was started
    │   ├── PlanError             unknown key, wrong type, value out of range
    │   ├── InputError            missing or unsupported input, two inputs with one source_ref
    │   ├── OutputError           the output folder cannot be used
    │   ├── RecipeDiffers         the output was made with another recipe
    │   ├── NewerRelease          a file of the output or work directory is of a newer release
    │   ├── Untrusted             an output names code, or what would be fetched, and was not said to be trusted
    │   ├── NotInstalled          an optional package that the command needs
    │   └── NotYet                a documented feature that this release does not have
    ├── RunFailed             1   the run failed; the same command resumes it
    │   ├── OutputLocked          another live run holds the output
    │   ├── BadRows               more unreadable rows than the budget allows
    │   ├── InputChanged          an input changed since it was read
    │   ├── CannotRead            a disk or network failed while an input was read; may pass
    │   ├── Damaged               a file of the work directory or the output is not what was written
    │   └── BrokenContract        a filter or a stage broke its contract: a bug, not bad data
    └── CheckFailed           3   a check refused to publish, or nothing was kept

Messages say which file or key, what was expected, and what to do next. Bad data never raises: it is quarantined.
Errors of the operating system stay OSError (exit 1); `named` lets them say which file they are about.
"""

import contextlib
import os
from collections.abc import Iterator


class WinnowError(Exception):
    """Base of all errors with a message for the user; `exit_code` is the process's exit status."""

    exit_code = 1


class UsageError(WinnowError):
    exit_code = 2


class PlanError(UsageError):
    pass


class InputError(UsageError):
    pass


class OutputError(UsageError):
    pass


class RecipeDiffers(UsageError):
    pass


class NewerRelease(UsageError):
    pass


class Untrusted(UsageError):
    pass


class NotInstalled(UsageError):
    pass


class NotYet(UsageError):
    pass


class RunFailed(WinnowError):
    pass


class OutputLocked(RunFailed):
    pass


class BadRows(RunFailed):
    pass


class InputChanged(RunFailed):
    pass


class CannotRead(RunFailed):
    """`cause` says whether another try may succeed; it goes with the error to another process, where `__cause__` does not."""

    cause: Exception | None = None


class BrokenContract(RunFailed):
    pass


class Damaged(RunFailed):
    """A file in the work directory or the output is not what was written: truncated, flipped, or deleted."""


class CheckFailed(WinnowError):
    exit_code = 3


@contextlib.contextmanager
def named(path: object) -> Iterator[None]:
    """An OSError within the block gets this file's name if it has none: one of an open file, such as a full disk, has none."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
