"""Kernels are compiled in two processes where none of a plan's are: this one begins at one end of what the plan needs, a helper
at the other, and a kernel that one of them has at work is waited for, not compiled twice (`filters.kernels.overloads`).

Invariant: the helper only fills the cache. Whether it starts, fails or is ended, the run compiles or loads what it needs itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TextIO

from filters import kernels
from filters.kernels import overloads, warm
from pipeline.plan import load, recipe
from pipeline.plan.recipe import Recipe
from pipeline.stages.unit import signals


@dataclass
class Helper:
    """The process beside; `cpu_s`: what it used, known once it has ended."""

    process: subprocess.Popen[bytes] | None
    cpu_s: float = 0.0

    def end(self) -> None:
        """End it: all that the plan needs is there, and it may be at what only it would have tried."""
        if self.process is not None and self.process.stdin is not None:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.process.kill()
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
            self.process.wait()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextlib.contextmanager
def beside(resolved: Recipe) -> Iterator[Helper]:
    """The helper, while the body compiles from its own end; nothing where a run has compiled for such a plan already."""
    mark = _mark(resolved)
    if mark is None or kept(resolved) or resolved.plan.plugins or len(os.sched_getaffinity(0)) < 2:
        yield Helper(None)
    else:
        helper = Helper(_started(resolved))
        try:
            yield helper
        finally:
            helper.end()
    if mark is not None:
        with contextlib.suppress(OSError):
            mark.touch()


def kept(resolved: Recipe) -> bool:
    """Whether a run has compiled for such a plan already, so that kernels are loaded."""
    mark = _mark(resolved)
    return mark is not None and mark.exists()


def _mark(resolved: Recipe) -> Path | None:
    """The file which says that plans with these filters and edits were compiled for; None where the cache is not ours."""
    if kernels.FOLDER is None:
        return None
    edits = [name for name, *_ in resolved.edits]
    needed = [sys.version, overloads.COMPILER, *sorted(item.filter.name for item in resolved.filters), "", *sorted(edits)]
    return kernels.FOLDER / f"compiled-{blake2b(json.dumps(needed).encode(), digest_size=8).hexdigest()}"


def _started(resolved: Recipe) -> subprocess.Popen[bytes] | None:
    """The helper with the plan on its standard input; None where it cannot start. It sees the modules that this process sees."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    try:
        helper = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert helper.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            helper.stdin.write(json.dumps(load.dump(resolved.plan)).encode() + b"\n")
            helper.stdin.flush()  # and stays open: its end tells the helper that the run is no more
    except OSError:
        return None
    return helper


def _end_with(given: TextIO) -> None:
    given.read()
    os._exit(0)


def _help() -> None:
    """Compile for the plan on standard input, from the end of what its run tries out last; end with that input."""
    plan = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    resolved = recipe.resolve(load.overridden(plan, ()))
    recipe.load_models(resolved)
    signals.try_backwards(resolved)
    for kernel in reversed(warm.STAGES):
        kernel()


if __name__ == "__main__":
    _help()
