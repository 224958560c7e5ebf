"""The shards of a generation, from the sizes of rows to finished files in the staging folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from pipeline.machine.events import Event
from pipeline.output import manifest
from pipeline.plan.model import Output
from pipeline.run.cluster import tasks
from pipeline.run.context import Context
from pipeline.run.state import Run
from pipeline.stages.shards import layout, write
from pipeline.stages.shards.joined_rows import Inputs
from pipeline.stages.shards.layout import Piece
from pipeline.stages.shards.parquet import Shard
from pipeline.stages.shards.write import Job
from pipeline.store.keys import key


@dataclass(frozen=True)
class StagedShards:
    """Finished shards, with those that only the dedup index knows (`layout.UNSELECTED`)."""

    staging: str
    every: tuple[Shard, ...]

    @property
    def shards(self) -> list[Shard]:
        """The shards of the output."""
        return [shard for shard in self.every if shard.folder != layout.UNSELECTED]


def write_shards(context: Context, inputs: Inputs, pieces: Iterable[Piece]) -> StagedShards:
    """Write every shard, here or on the run's site."""
    run, tell = context.run, context.tell
    staging = _staging(run, inputs)
    jobs = list(_jobs(staging, list(pieces), run.recipe.plan.output, generation=run.generation))
    tell(Event("begin", "write", total=len(jobs)))

    def advance(shard: Shard) -> None:
        tell(Event("advance", "write", n_bytes=shard.n_bytes, steps=1, name=f"{shard.folder}/{shard.name}"))

    def one(job: Job) -> Shard:
        shard = write.write(inputs, job)
        advance(shard)
        return shard

    elsewhere = context.on_site(tasks.write_shards)
    done = run.pool.map(one, jobs) if elsewhere is None else elsewhere(inputs=inputs, jobs=jobs, advance=advance)
    tell(Event("end", "write"))
    return StagedShards(staging, tuple(done))


def _staging(run: Run, inputs: Inputs) -> str:
    """The staging folder, named by the key of all that its shards depend on."""
    names = [asdict(inputs.units[number].names) for number in range(len(inputs.units))]
    return "staging/" + key("staging", run.recipe.hash, run.generation, names, inputs.fates, inputs.unselected, *inputs.layouts)


def _jobs(staging: str, ordered: Sequence[Piece], output: Output, *, generation: int) -> Iterator[Job]:
    """The jobs that write shards, folder by folder."""
    for folder in (*manifest.FOLDERS, layout.UNSELECTED):
        if (folder == "rejected" and output.rejected == "none") or (folder == "signals" and not output.signals):
            continue
        limit = int(output.shard_bytes) if folder in layout.WITH_TEXT else layout.LEDGER_ROWS
        shards = layout.shards(ordered, folder, limit)
        if folder == layout.UNSELECTED and not any(shards):
            continue
        for number, segments in enumerate(shards):
            name = f"train-{number:05d}-of-{len(shards):05d}-g{generation:04d}.parquet"
            yield Job(staging, folder, name, tuple(segments))
