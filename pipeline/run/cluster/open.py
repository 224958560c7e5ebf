"""The cluster that a run is carried out on, by the name of its engine. An engine's package is imported where it is asked for."""

from __future__ import annotations

from contextlib import AbstractContextManager

from pipeline.errors import NotInstalled
from pipeline.run.cluster.engine import Engine


def connect(runner: str, address: str | None, *, workers: int) -> AbstractContextManager[Engine]:
    """The cluster at `address`, or one of `workers` processes on this machine for as long as the block lasts.

    Raises NotInstalled without the engine's package, UsageError where nothing answers at the address.
    """
    try:
        if runner == "dask":
            from pipeline.run.cluster import on_dask

            return on_dask.connect(address, workers=workers)
        from pipeline.run.cluster import on_ray

        return on_ray.connect(address, workers=workers)
    except ImportError as error:
        raise NotInstalled(f"--runner {runner}: {error}; install winnow-curation[{runner}]") from error
