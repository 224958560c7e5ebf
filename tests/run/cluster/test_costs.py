"""CPU seconds that tasks elsewhere tell: each second once, whatever goes on beside them in their process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.plan.load import load_plan
from pipeline.run import execute
from pipeline.run.cluster import costs, engine
from pipeline.run.options import RunOptions
from tests.run.cluster.clusters import many_files
from tests.run.cluster.in_process import Pickling


def test_tasks_that_overlap_in_a_process_tell_each_second_once_and_nobody_tells_of_its_rest(monkeypatch):
    clock = [10.0]
    monkeypatch.setattr(costs.resources, "tree_cpu_s", lambda: clock[0])
    process = costs._Process(at=9.0)  # imports
    told = []
    for used, step in ((5.0, "begin"), (1.0, "begin"), (2.0, "end"), (4.0, "end"), (7.0, "begin"), (1.0, "end")):
        clock[0] += used
        if step == "begin":
            process.begin()
        else:
            told.append(process.end())
    assert told == [9.0, 4.0, 1.0]


def test_a_task_that_fails_ends_in_its_process_too(monkeypatch):
    process = costs._Process()
    monkeypatch.setattr(costs, "_process", lambda: process)
    with pytest.raises(ZeroDivisionError):
        costs.telling(lambda number: 1 // number, 0)
    assert process.tasks == 0 and costs.telling(lambda number: 1 // number, 1).result == 1


@pytest.mark.parametrize("address", ["nowhere", None], ids=["elsewhere", "of this process's tree"])
def test_what_the_tasks_of_every_stage_tell_is_part_of_the_cost(tmp_path: Path, monkeypatch, address):
    many_files(tmp_path / "in", 2)
    monkeypatch.setattr(costs._Process, "end", lambda _: 1000.0)
    made = Pickling()
    options = RunOptions(output=str(tmp_path / "out"), runner="dask", runner_address=address)
    execute.execute(load_plan("minimal", inputs=[str(tmp_path / "in")]), options, mapper=engine.mapper(made))
    cost = json.loads((tmp_path / "out/metrics.json").read_text())["cost"]
    stages = {line["stage"]: line["cpu_s"] for line in cost["stages"]}
    assert sum(stages.values()) == pytest.approx(cost["cpu_s"])
    for stage in ("annotate", "dedup", "write"):
        tasks = sum(name.split()[0] == stage for name in made.begun)
        spent = sum(used for name, used in stages.items() if stage == name or (stage == "annotate" and name in PARTS))
        assert tasks and spent // 1000 == (tasks if address else 0), (stage, stages)


PARTS = ("read", "decide", "sign", "edit")
