"""Threads that work beside each other, or one of them alone.

Invariant: while a thread is alone no other works; one that wants to be alone waits for those that work and for no one else, and
nobody begins meanwhile. So it comes to pass whatever waits in a pool's queue.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Turns:
    """Of the threads of one pool."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._working = self._wanting = 0

    def work(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call it, once nobody is alone or wants to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._wanting)
            self._working += 1
        try:
            return function(*args, **kwargs)
        finally:
            self._ended()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within `work`, by a thread that holds nothing: no other thread works while the block lasts."""
        with self._changed:
            self._wanting += 1
            self._working -= 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._working)
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._wanting -= 1
                self._changed.notify_all()

    def _ended(self) -> None:
        with self._changed:
            self._working -= 1
            self._changed.notify_all()
