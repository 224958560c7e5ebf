"""Keys as they are pressed on a terminal; elsewhere the characters of the input, so that a review can be piped in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def pressed(source: TextIO) -> Iterator[Iterator[str]]:
    """The keys, one at a time and unseen; the terminal is as before when the block ends, however it ends."""
    if not source.isatty():
        yield iter(lambda: source.read(1), "")
        return
    import termios
    import tty

    before = termios.tcgetattr(source)
    try:
        tty.setcbreak(source)
        yield iter(lambda: source.read(1), "")
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, before)
