"""A worker's share of a run, as plain functions of a site and a small item.

Invariant: a result lies in the work directory under its key before the function returns, so that a task may run anywhere, twice,
or again after its worker died.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

from pipeline import read
from pipeline.errors import RunFailed
from pipeline.machine import scratch, workers
from pipeline.machine.events import silent
from pipeline.machine.schedule import Mapper
from pipeline.machine.scratch import Scratch
from pipeline.run import spans
from pipeline.run.cluster import site as site_
from pipeline.run.cluster.site import Site
from pipeline.run.spans import Span
from pipeline.stages.dedup import part as part_
from pipeline.stages.dedup.handover import Files
from pipeline.stages.dedup.index import Index
from pipeline.stages.dedup.small_parts import IndexPart
from pipeline.stages.dedup.steps import Job, Worker, carry_out
from pipeline.stages.shards import write
from pipeline.stages.shards.joined_rows import Inputs
from pipeline.stages.shards.parquet import Shard
from pipeline.stages.unit.annotate import Annotated


def span(site: Site, item: Span) -> list[Annotated]:
    """`spans.run_span` with threads of this task's own."""
    here = site_.at(site)
    _see_inputs(item)
    largest = max((part.file.unit_bytes for part in item.items), default=1)
    budget = workers.budget(site.memory, largest, threads=site.threads)
    with workers.workers(site.threads, budget=budget, alone=False, at_end=read.close) as pool:
        return spans.run_span(here.work, here.recipe, item, pool=pool, on_event=silent)


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
    """A job of dedup (`pipeline.stages.dedup.steps`) with all that it looks at."""

    name: str
    job: Job
    folder: str  # of the work directory, for what jobs hand on
    units: Mapping[int, Annotated]  # those of the job's parts
    index: tuple[IndexPart, ...]


def run_steps(
    site: Site,
    mapper: Mapper,
    stop: Callable[[], None],
    *,
    folder: str,
    index: Index,
    units: Sequence[Annotated],
    stage: str,
    jobs: Sequence[Job],
) -> None:
    """Carry jobs of dedup out on the workers."""
    items = [Step(job.name, job, folder, {number: units[number] for number in job.parts}, index.parts) for job in jobs]
    mapper(stage, partial(step, site), items, stop=stop)


def step(site: Site, item: Step) -> None:
    """Do a job of dedup on a worker."""
    here = site_.at(site)
    dedup = here.recipe.plan.dedup
    assert dedup is not None

    def part(number: int) -> part_.Part:
        return part_.of_unit(here.work, here.recipe, dedup, unit=item.units[number])

    handover = Files(here.work, item.folder)
    carry_out(Worker(handover, Index(here.out, item.index), part, partial(_scratch, site)), item.job)


@contextmanager
def _scratch(site: Site) -> Iterator[Scratch]:
    """A folder on this worker's own disk."""
    with (
        tempfile.TemporaryDirectory(prefix="winnow-") as folder,
        scratch.open_scratch(Path(folder) / "scratch", site.memory // 4) as made,
    ):
        yield made


MOST_BATCHES = 128
"""Tasks that write shards: chosen so that a run stays below 2,000 task runs."""


@dataclass(frozen=True)
class Batch:
    """Shards to write, and what they are made from but for the work directory."""

    name: str
    jobs: tuple[write.Job, ...]
    inputs: Callable[..., Inputs]


def write_shards(
    site: Site,
    mapper: Mapper,
    stop: Callable[[], None],
    *,
    inputs: Inputs,
    jobs: Sequence[write.Job],
    advance: Callable[[Shard], None],
) -> list[Shard]:
    """Have the workers write the shards, a few a task."""
    each = max(1, -(-len(jobs) // MOST_BATCHES))
    batches = [_batch(inputs, tuple(jobs[start : start + each])) for start in range(0, len(jobs), each)]

    def done(_: Batch, shards: list[Shard]) -> None:
        for shard in shards:
            advance(shard)

    return [shard for shards in mapper("write", partial(shards_of, site), batches, stop=stop, done=done) for shard in shards]


def _batch(inputs: Inputs, jobs: tuple[write.Job, ...]) -> Batch:
    used = {segment.unit for job in jobs for segment in job.segments}
    own = {item.name: getattr(inputs, item.name) for item in fields(inputs) if item.name not in ("work", "remembered")}
    own |= {name: {unit: own[name][unit] for unit in used} for name in ("units", "fates", "unselected")}
    return Batch(f"{jobs[0].folder}/{jobs[0].name}", jobs, partial(Inputs, **own))


def shards_of(site: Site, batch: Batch) -> list[Shard]:
    """Write the shards of a batch."""
    inputs = batch.inputs(work=site_.at(site).work)
    return [write.write(inputs, job) for job in batch.jobs]
