"""What a worker does of a run, as plain functions of a site and a small item.

Invariant: a result lies in the work directory under its key before the function returns, so that a task may run anywhere, twice,
or again after its worker died.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import scratch, spans
from pipeline.annotate import Annotated
from pipeline.cluster import site as site_
from pipeline.cluster.site import Site
from pipeline.dedup import part as part_
from pipeline.dedup.index import Index, IndexPart
from pipeline.dedup.steps import Job, Worker
from pipeline.errors import RunFailed
from pipeline.events import silent
from pipeline.scratch import Scratch
from pipeline.spans import Mapper, Span


def span(site: Site, item: Span) -> list[Annotated]:
    """`spans.run_span` with threads of this task's own."""
    here = site_.at(site)
    _see_inputs(item)
    largest = max((part.file.unit_bytes for part in item.items), default=1)
    with spans.workers(site.threads, units=spans.units_within(site.memory, largest), alone=False) as pool:
        return spans.run_span(here.work, here.recipe, item, pool, silent)


def _see_inputs(item: Span) -> None:
    for part in item.items:
        url = part.file.url.removeprefix("file://")
        if "://" not in url and not os.path.exists(url):
            raise RunFailed(
                f"worker on {socket.gethostname()} does not see the input {part.file.path}; inputs must be on storage that all"
                " workers share"
            )


@dataclass(frozen=True)
class Step:
    """A step of dedup (`pipeline.dedup.steps`) with all that it looks at."""

    name: str
    function: Callable[[Worker, Any], None]
    job: Job
    units: Mapping[int, Annotated]  # those of the job's parts
    index: tuple[IndexPart, ...]


def run_step(
    site: Site,
    mapper: Mapper,
    stop: Callable[[], None],
    index: Index,
    units: Sequence[Annotated],
    stage: str,
    function: Callable[[Worker, Any], None],
    jobs: Sequence[Job],
) -> None:
    """Carry a step of dedup out on the workers, for each of the jobs."""
    items = [Step(job.name, function, job, {number: units[number] for number in job.parts}, index.parts) for job in jobs]
    mapper(stage, partial(step, site), items, stop)


def step(site: Site, item: Step) -> None:
    """Carry out one step."""
    here = site_.at(site)
    dedup = here.recipe.plan.dedup
    assert dedup is not None

    def part(number: int) -> part_.Part:
        return part_.of_unit(here.work, here.recipe, dedup, item.units[number])

    item.function(Worker(here.work, Index(here.out, item.index), part, partial(_scratch, site)), item.job)


@contextmanager
def _scratch(site: Site) -> Iterator[Scratch]:
    """A folder on this worker's own disk."""
    with (
        tempfile.TemporaryDirectory(prefix="winnow-") as folder,
        scratch.opened(Path(folder) / "scratch", site.memory // 4) as made,
    ):
        yield made
