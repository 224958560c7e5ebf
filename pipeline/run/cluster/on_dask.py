"""Dask: a scheduler elsewhere, or a cluster of this machine's processes for one run (docs: distributed.dask.org).

The client polls: futures of a lost scheduler are never told, but its connection is. Dask runs a task of a dead worker again on
another one, three times (`distributed.scheduler.allowed-failures`); then the task fails.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import dask
from distributed import Client, LocalCluster
from distributed.scheduler import KilledWorker

from pipeline.run.cluster.engine import LOST_S, POLL_S, Engine, foreign, lost, unreachable

CONNECT_S = 10.0
_SETTINGS = {
    "distributed.comm.timeouts.connect": CONNECT_S,
    "distributed.admin.tick.limit": "1h",  # kernels hold a worker's loop up; no need to warn of it
    "distributed.worker.daemon": True,
}


@contextlib.contextmanager
def connect(address: str | None, *, workers: int) -> Iterator[Engine]:
    """See `pipeline.run.cluster.open`."""
    for name in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what of it a user must know is in our own errors
    with contextlib.ExitStack() as held:
        held.enter_context(dask.config.set(_SETTINGS))
        where = address
        if where is None:
            folder = held.enter_context(tempfile.TemporaryDirectory(prefix="winnow-dask-", ignore_cleanup_errors=True))
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                local_directory=folder,
                memory_limit=0,  # a run's own budget holds; pausing workers would hang it
                silence_logs=logging.CRITICAL,
            )
            held.callback(_quietly, lambda: cluster.close(timeout=10))
            where = cluster.scheduler_address
        try:
            client = Client(where, set_as_default=False, timeout=CONNECT_S, name="winnow")
        except (OSError, TimeoutError, ValueError) as error:
            raise unreachable("Dask", where, error) from error
        held.callback(_quietly, lambda: client.close(timeout=2))
        yield Dask(where, client)


def _quietly(close: Callable[[], Any]) -> None:
    with contextlib.suppress(Exception):
        close()


@dataclass(frozen=True)
class Dask:
    """See `engine.Engine`."""

    address: str
    client: Client

    def submit(self, function: Callable[[Any], Any], item: Any, *, stage: str, name: str) -> Any:
        return self.client.submit(function, item, key=f"winnow-{uuid4().hex}", pure=False)

    def ended(self, futures: Sequence[Any]) -> Iterator[int]:
        waiting = dict(enumerate(futures))
        answered = time.monotonic()
        while waiting:
            over = [at for at, future in waiting.items() if future.status != "pending"]
            for at in over:
                if waiting.pop(at).status in ("lost", "cancelled"):
                    raise lost(f"the Dask scheduler at {self.address} lost the run's tasks")
                yield at
            if self.client.status == "running" and self.client.scheduler_info()["workers"]:
                answered = time.monotonic()
            elif self.client.status in ("closed", "closing"):
                raise lost(f"the Dask scheduler at {self.address} is gone")
            elif time.monotonic() - answered > LOST_S:
                missing = "has no worker" if self.client.status == "running" else "does not answer"
                raise lost(f"the Dask scheduler at {self.address} {missing} for {LOST_S:.0f} s")
            if not over:
                time.sleep(POLL_S)

    def result(self, future: Any) -> Any:
        while True:
            try:
                return future.result(timeout=CONNECT_S)
            except KilledWorker as error:
                raise lost(f"Dask workers died over one task, again and again ({error})") from error
            except Exception as error:
                if future.status == "error":
                    raise foreign(error, "Dask") from error.__cause__
                if not isinstance(error, TimeoutError) or self.client.status != "running":
                    raise lost(f"the Dask scheduler at {self.address} is gone ({type(error).__name__})") from error
                # its worker died with the result in hand: the task runs again

    def cancel(self, futures: Sequence[Any]) -> Sequence[int]:
        if self.client.status == "running":
            _quietly(lambda: self.client.cancel(list(futures), asynchronous=False, force=True))
        return ()
