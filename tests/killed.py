"""Runs `python -m flows.curate ARGUMENTS` (`flows.inspect`, where the first of them is `inspect`) and kills itself with
SIGKILL at the n-th change to a store.

    python -m tests.killed N|POINT EVENTS_FILE ARGUMENTS...

Every file that gets its name, is created, moved, or removed counts; half of the points fall just before the change and half
just after it. With N = 0 nothing is killed and EVENTS_FILE lists the points, one a line, so that tests can choose among them,
by number or by such a line.
WINNOW_TEST_STALE_S is the age, in seconds, at which the lock of an object store is stale: two minutes are long for a test.

`ready()` gives a process that has imported everything and forks a child for each command: the imports, and the charts of its
report, which are empty there, are most of a short run's time.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.store import lease
from pipeline.store.local import LocalFolder
from pipeline.store.remote_folder import RemoteFolder

READY = "ready"


def main() -> int:
    if sys.argv[1] == READY:
        return _serve()
    return _carry_out(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])


def _carry_out(limit: str, events: Path, arguments: Sequence[str]) -> int:
    if stale := float(os.environ.get("WINNOW_TEST_STALE_S", "0")):
        lease.STALE_S, lease.GIVE_UP_S, lease.HEARTBEAT_S = stale, stale * 2 / 3, stale / 6
    lock = threading.Lock()
    count = 0

    def point(what: str) -> None:
        nonlocal count
        with lock:
            count += 1
            if limit == "0":
                with events.open("a") as file:
                    print(what, file=file)
            elif limit in (str(count), what):
                os.kill(os.getpid(), signal.SIGKILL)

    def counted(name: str, method: Callable[..., Any], label: int) -> Callable[..., Any]:
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            short = str(args[label]).replace(self.root, "").lstrip("/")
            if short.startswith("attempts/"):  # they come by the clock: points behind them would have no fixed number
                return method(self, *args, **kwargs)
            point(f"before {name} {short}")
            result = method(self, *args, **kwargs)
            point(f"after {name} {short}")
            return result

        return wrapper

    labels = {"_rename": 1, "_complete": 1, "create": 0, "place": 2, "remove": 0}
    for kind in (LocalFolder, RemoteFolder):
        for name in labels.keys() & vars(kind).keys():
            setattr(kind, name, counted(name, getattr(kind, name), labels[name]))
    if arguments[0] == "inspect":
        from flows.inspect import main as inspect

        return inspect(arguments[1:])
    from flows.curate import main as curate

    return curate(arguments)


@contextlib.contextmanager
def ready(root: Path) -> Iterator[Callable[[int | str, Path, Sequence[str]], tuple[int, str]]]:
    """`run(n or a point, events file, arguments)` → exit status (negative: the signal) and what was printed, one at a time."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.killed", READY],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # no thread of ours may be there at a fork
    )

    def run(limit: int | str, events: Path, arguments: Sequence[str]) -> tuple[int, str]:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([str(limit), str(events), list(arguments)]) + "\n")
        process.stdin.flush()
        status, printed = json.loads(process.stdout.readline())
        return status, printed

    with process:
        yield run
        assert process.stdin is not None
        process.stdin.close()


def _serve() -> int:
    import gc
    import tempfile

    from filters.kernels import warm
    from flows import curate  # noqa: F401
    from flows.serving import progress  # noqa: F401
    from flows.terminal import progress as bars  # noqa: F401
    from pipeline import report  # noqa: F401
    from pipeline.output import manifest
    from pipeline.plan import load
    from pipeline.report import publish
    from pipeline.run import execute  # noqa: F401
    from tests.support import SAMPLE

    warm.warm_stages()
    publish.yaml(load.dump(load.load_plan(str(SAMPLE / "plan.yaml")).plan))  # what a process keeps of plans and packages
    manifest.versions()
    gc.freeze()
    # The allocators' and Polars' own housekeepers are there; they rest, and hold no lock.
    warnings.filterwarnings("ignore", message=".*multi-threaded", category=DeprecationWarning)
    for line in sys.stdin:
        limit, events, arguments = json.loads(line)
        with tempfile.TemporaryFile() as printed:
            child = os.fork()
            if child == 0:
                os.dup2(printed.fileno(), 1)
                os.dup2(printed.fileno(), 2)
                code = 1
                with contextlib.suppress(BaseException):
                    try:
                        code = _carry_out(limit, Path(events), arguments)
                    except BaseException:
                        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
                    sys.stdout.flush()
                os._exit(code)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            printed.seek(0)
            print(json.dumps([status, printed.read().decode("utf-8", "replace")]), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
