"""What happened, in a line: messages of the states that Prefect shows of runs and tasks."""

from __future__ import annotations

from typing import Any

from pipeline.run.cluster.costs import Told
from pipeline.run.options import Result
from pipeline.run.shards import StagedShards
from pipeline.stages.dedup.decision import Decision
from pipeline.stages.select import Selected
from pipeline.stages.shards.parquet import Shard
from pipeline.stages.unit.annotate import Annotated
from pipeline.text import numbers


def of_stage(made: Any) -> str:
    """What a stage has made, or one item of a stage."""
    match made:
        case [Annotated(), *_]:
            documents, bad = sum(unit.rows for unit in made), sum(unit.bad_rows for unit in made)
            return f"{numbers.counted(documents, 'document')}, {numbers.counted(bad, 'bad row')}"
        case Decision(dropped=dropped) if dropped:
            by_url = f", {dropped['duplicate_url']:,} by URL" if dropped["duplicate_url"] else ""
            return f"{dropped['exact_duplicate']:,} exact, {dropped['near_duplicate']:,} near{by_url}"
        case Selected(selection=chosen) if chosen is not None:
            return f"{chosen.selected:,} selected, {chosen.not_selected:,} not"
        case Decision() | Selected():
            return "the plan asks for none"
        case StagedShards(every=shards):
            return of_stage(list(shards))
        case [Shard(), *_]:
            return f"{numbers.counted(len(made), 'file')}, {numbers.size(sum(shard.n_bytes for shard in made))}"
        case Result():
            return of_run(made)
        case Told(result=inner):
            return of_stage(inner)
        case _:
            return "done"


def of_run(result: Result) -> str:
    totals, newest = result.metrics.totals, result.metrics.generation
    if result.generation is None:
        return f"nothing new: generation {newest} stays"
    return f"generation {result.generation}: {totals.kept:,} of {totals.read:,} kept"
