"""Spans as Prefect tasks on a Dask or Ray cluster, by the task runners of prefect-dask and prefect-ray.

A task runs on a worker and reports its states to Prefect's server from there, so workers elsewhere need a server that they reach.
The cluster is opened with the first stage, inside the flow run: workers of a local one inherit its environment.
"""

import ipaddress
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from prefect.task_runners import TaskRunner

from flows.serving import server
from flows.serving.mapper import Tasks, starter
from pipeline.errors import UsageError
from pipeline.machine import schedule
from pipeline.machine.schedule import Mapper
from pipeline.run.cluster import engine
from pipeline.run.cluster.engine import Engine
from pipeline.run.cluster.open import connect as connected
from pipeline.run.options import RunOptions

RUNNER, ADDRESS = "WINNOW_RUNNER", "WINNOW_RUNNER_ADDRESS"
"""What deployed runs run on. Not in the form: a cluster runs code, so only who serves the flow names one."""


def bound(options: RunOptions) -> RunOptions:
    """The options of a deployed run, on the cluster that its process was told of. Raises UsageError."""
    runner = os.environ.get(RUNNER, "local")
    if runner not in engine.RUNNERS:
        raise UsageError(f"{RUNNER}={runner}: expected one of {', '.join(engine.RUNNERS)}")
    made = replace(options, runner=runner, runner_address=os.environ.get(ADDRESS) or None)
    if runner != "local":
        check_server(made)
    return made


def check_server(options: RunOptions) -> None:
    """Raise UsageError where workers elsewhere would have to report to a server on this machine's loopback."""
    address = options.runner_address
    if address is not None and not _is_loopback(address) and server.configured() is None:
        raise UsageError(
            f"--runner-address {address}: workers elsewhere report to Prefect's server, and a temporary one answers on this"
            " machine only; set PREFECT_API_URL to a server that they reach, or run with --inline"
        )


def _is_loopback(address: str) -> bool:
    host = address.rpartition("://")[2].rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def cluster_mapper(options: RunOptions, *, back_off_s: float) -> Iterator[Mapper]:
    """A mapper like `flows.serving.mapper`, whose items run on the cluster that `options` name."""
    with ExitStack() as held:
        clusters: list[Engine] = []

        @contextmanager
        def opened(stage: str) -> Iterator[Tasks]:
            if not clusters:
                with _quiet_workers():
                    opening = connected(options.runner, options.runner_address, workers=options.workers)
                    clusters.append(held.enter_context(opening))
            with _runner(options.runner, clusters[0]) as runner:
                yield Tasks(starter(runner, stage, options, back_off_s=back_off_s), clusters[0])

        yield schedule.mapper(opened)


@contextmanager
def _quiet_workers() -> Iterator[None]:
    """Processes that are started now keep Prefect's lines off this terminal, unless PREFECT_LOGGING_LEVEL asks for them."""
    asked = "PREFECT_LOGGING_LEVEL" in os.environ
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    try:
        yield
    finally:
        if not asked:
            del os.environ["PREFECT_LOGGING_LEVEL"]


def _runner(name: str, cluster: Engine) -> TaskRunner[Any]:
    if name == "dask":
        from prefect_dask import DaskTaskRunner

        return DaskTaskRunner(address=cluster.address)
    from prefect_ray import RayTaskRunner

    return RayTaskRunner(address=cluster.address)  # Ray is connected: it uses that connection, and leaves it open
