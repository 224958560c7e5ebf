"""Runs `python -m flows.curate ARGUMENTS` (`flows.inspect`, where the first of them is `inspect`) and kills itself with
SIGKILL at the n-th change to a store.

    python -m tests.killed N|POINT EVENTS_FILE ARGUMENTS...

Every file that gets its name, is created, moved, or removed counts; half of the points fall just before the change and half
just after it. With N = 0 nothing is killed and EVENTS_FILE lists the points, one a line, so that tests can choose among them, by number or by
such a line.
WINNOW_TEST_STALE_S is the age, in seconds, at which the lock of an object store is stale: two minutes are long for a test.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import lease
from pipeline.store import Store


def main() -> int:
    if stale := float(os.environ.get("WINNOW_TEST_STALE_S", "0")):
        lease.STALE_S, lease.GIVE_UP_S, lease.HEARTBEAT_S = stale, stale * 2 / 3, stale / 6
    limit, events, arguments = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
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
        def wrapper(self: Store, *args: Any, **kwargs: Any) -> Any:
            short = str(args[label]).replace(self.root, "").lstrip("/")
            if short.startswith("attempts/"):  # they come by the clock: points behind them would have no fixed number
                return method(self, *args, **kwargs)
            point(f"before {name} {short}")
            result = method(self, *args, **kwargs)
            point(f"after {name} {short}")
            return result

        return wrapper

    for name, label in (("_rename", 1), ("_complete", 1), ("create", 0), ("place", 2), ("remove", 0)):
        setattr(Store, name, counted(name, getattr(Store, name), label))
    if arguments[0] == "inspect":
        from flows.inspect import main as inspect

        return inspect(arguments[1:])
    from flows.curate import main as curate

    return curate(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
