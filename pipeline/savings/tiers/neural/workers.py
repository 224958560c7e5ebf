"""Processes for training runs that can be ended at once: a run resumes from its last saved state, so nothing is lost by it.

Invariant: no worker outlives the block that it works for, whatever ends that block, nor its parent, whatever kills it: else it
would write beside the run that resumes. Each worker watches one end of a pipe whose other end only the parent has; it is
closed by the parent, or by the system when the parent dies.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection

LOOK_S = 0.5
"""Seconds between two looks of a worker at its parent, beside the pipe: a copy of the parent may hold the other end open."""


@contextlib.contextmanager
def pool(n: int) -> Iterator[ProcessPoolExecutor]:
    """`n` processes. Where the block raises, what they are at is given up; else it is waited for."""
    context = get_context("spawn")
    watched, held = context.Pipe(duplex=False)
    with watched, held:
        made = ProcessPoolExecutor(n, mp_context=context, initializer=_end_with, initargs=(os.getpid(), watched))
        try:
            yield made
        except BaseException:
            held.close()
            raise
        finally:
            made.shutdown(wait=True, cancel_futures=True)


def _end_with(parent: int, watched: Connection) -> None:
    """In a worker: end when the other end of `watched` is closed, or within a second of `parent`."""

    def watch() -> None:
        while os.getppid() == parent and not watched.poll(LOOK_S):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end-with").start()
