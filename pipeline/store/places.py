"""Where a path that a user wrote lies: one rule for inputs, outputs, plans, models and lists, wherever the command runs.

A path is a name, whatever characters it holds: only the paths of inputs may be patterns (`pipeline.read.tree`). A leading `~` or
`~user` is a home folder if there is such a one, as in a shell, which leaves it alone behind `--output=` and in a plan.
"""

from __future__ import annotations

import os
from pathlib import Path


def absolute(path: str, base: Path | None = None) -> str:
    """The absolute path of `path`, which starts at `base` (default: the current folder); a URL of another scheme as it is."""
    scheme, mark, rest = path.partition("://")
    if mark and scheme.lower() not in ("file", "local"):
        return path
    full = os.path.join(base or Path.cwd(), os.path.expanduser(rest if mark else path))
    # A link's target may lie elsewhere, so that `..` behind it is not the folder written in front of it.
    return os.path.realpath(full) if ".." in full.split("/") else os.path.normpath(full)
