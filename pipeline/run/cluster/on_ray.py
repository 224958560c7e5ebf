"""Ray: a cluster elsewhere, or one of this machine's processes for one run (docs: docs.ray.io).

Ray ends a driver's process a minute after its head node is gone, so the head is asked more often than that. A task whose
worker died runs again elsewhere, three times.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ or Path("~/.ray/auth_token").expanduser().exists():
    os.environ.setdefault("RAY_AUTH_MODE", "token")  # a driver uses a token that is there only when told to

import ray
from ray.exceptions import RayError, RayTaskError

from pipeline.run.cluster.engine import LOST_S, POLL_S, Engine, foreign, lost, unreachable

RETRIES = 3
STORE_BYTES = 100_000_000
"""Size of a local cluster's object store: only names and counts pass through it."""
PROBE_S = 2.0
CLOSE_S = 10.0


@contextlib.contextmanager
def connect(address: str | None, *, workers: int) -> Iterator[Engine]:
    """See `pipeline.run.cluster.open`."""
    try:
        if address is None:
            ray.init(
                "local",
                num_cpus=workers,
                include_dashboard=False,
                object_store_memory=STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                namespace="winnow",
            )
        else:
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, namespace="winnow")
    except (RayError, OSError, ConnectionError, ValueError, RuntimeError) as error:
        raise unreachable("Ray", address or "local", error) from error
    where = str(ray.get_runtime_context().gcs_address) if address in (None, "auto", "local") else str(address)
    try:
        yield Ray(where)
    finally:
        closing = threading.Thread(target=ray.shutdown, daemon=True, name="ray-shutdown")
        closing.start()
        closing.join(CLOSE_S)  # with its head gone, Ray waits for it longer than a user does


@dataclass(frozen=True)
class Ray:
    """See `engine.Engine`."""

    address: str

    def submit(self, function: Callable[[Any], Any], item: Any, *, stage: str, name: str) -> Any:
        return ray.remote(_call).options(name=f"{stage} {name}"[:100], num_cpus=1, max_retries=RETRIES).remote(function, item)

    def ended(self, futures: Sequence[Any]) -> Iterator[int]:
        places = {future: at for at, future in enumerate(futures)}
        answered = asked = time.monotonic()
        while places:
            over, _ = ray.wait(list(places), num_returns=len(places), timeout=POLL_S, fetch_local=False)
            for future in over:
                yield places.pop(future)
            if time.monotonic() - asked > PROBE_S:
                asked = time.monotonic()
                if self._answers():
                    answered = asked
                elif asked - answered > LOST_S:
                    raise lost(f"the head of the Ray cluster at {self.address} does not answer for {LOST_S:.0f} s")

    def _answers(self) -> bool:
        host, _, port = self.address.rpartition("://")[2].rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_S):
                return True
        except OSError:
            return False

    def result(self, future: Any) -> Any:
        try:
            return ray.get(future, timeout=LOST_S)
        except RayTaskError as error:
            cause = error.cause if isinstance(getattr(error, "cause", None), Exception) else error
            raise foreign(cause, "Ray") from None
        except RayError as error:
            raise lost(f"Ray could not run a task at {self.address} ({type(error).__name__}: {error})") from error

    def cancel(self, futures: Sequence[Any]) -> Sequence[int]:
        if self._answers():
            for future in futures:
                with contextlib.suppress(Exception):
                    ray.cancel(future)
        return ()


def _call(function: Callable[[Any], Any], item: Any) -> Any:
    return function(item)
