"""Messages of states: what a stage or a run did, in a line."""

from __future__ import annotations

from typing import Any

import pytest

from flows.serving import outcomes
from pipeline.records.selection import NothingFitted, Selection
from pipeline.run.options import Result
from pipeline.run.shards import StagedShards
from pipeline.stages.dedup.decision import Decision
from pipeline.stages.select import Selected
from pipeline.stages.shards.parquet import Shard
from pipeline.stages.unit.annotate import Annotated
from tests.counts import metrics, totals


def unit(rows: int, bad_rows: int) -> Annotated:
    names: Any = None
    return Annotated("in/a", 1, 0, names, rows, bad_rows, n_bytes=9, kept=rows, costs=())


def shard(n_bytes: int) -> Shard:
    return Shard("data", "train", 1, n_bytes, "", "", indexed=0, indexed_bytes=0, indexed_sha256="")


def dropped(exact: int, near: int, by_url: int = 0) -> Decision:
    return Decision((), dropped={"exact_duplicate": exact, "near_duplicate": near, "duplicate_url": by_url})


def selected(chosen: Selection | None) -> Selected:
    return Selected((), NothingFitted.model_construct(), chosen)


def result(generation: int | None) -> Result:
    counted = metrics().model_copy(update={"generation": 3, "totals": totals(555, 215)})
    return Result("out", generation, counted, ())


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([unit(12_000, 300)], "12,000 documents, 300 bad rows"),
        ([unit(1, 0), unit(0, 1)], "1 document, 1 bad row"),
        (dropped(1204, 311), "1,204 exact, 311 near"),
        (dropped(0, 0), "0 exact, 0 near"),
        (dropped(1, 2, 3000), "1 exact, 2 near, 3,000 by URL"),
        (Decision((None,)), "the plan asks for none"),
        (selected(Selection.model_construct(selected=1200, not_selected=34)), "1,200 selected, 34 not"),
        (selected(None), "the plan asks for none"),
        (StagedShards("staging", (shard(1_000_000), shard(500_000))), "2 files, 1.50 MB"),
        ([shard(1000)], "1 file, 1.00 kB"),
        (result(3), "generation 3: 215 of 555 kept"),
        (result(None), "nothing new: generation 3 stays"),
        (None, "done"),
        ([], "done"),
    ],
)
def test_a_state_says_what_was_made(made: Any, message: str) -> None:
    assert outcomes.of_stage(made) == message
