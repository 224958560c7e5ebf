"""Attempts that published nothing are part of what a curation cost."""

from __future__ import annotations

import json

import pytest

from pipeline.errors import BadRows
from pipeline.machine.schedule import in_process
from pipeline.plan.load import load_plan
from pipeline.run import attempts, execute
from pipeline.run.options import RunOptions
from pipeline.store.store import open_store
from tests.support import prose, write_rows


def test_a_failed_attempt_is_counted_by_the_run_that_publishes_and_only_once(tmp_path):
    rows = [{"text": prose(i)} for i in range(20)]
    source = write_rows(tmp_path / "in/a.jsonl", [*rows, b"not json"])
    options = RunOptions(output=str(tmp_path / "out"), workers=1)

    def run(limit):
        loaded = load_plan("minimal", inputs=[str(source)], assignments=[f"source.max_bad_fraction={limit}"])
        return execute.execute(loaded, options, mapper=in_process(1))

    with pytest.raises(BadRows):
        run(0.001)
    work = open_store(str(tmp_path / "out/.work"))
    (lost,) = work.names(attempts.FOLDER)
    kept = json.loads((tmp_path / "out/.work" / attempts.FOLDER / lost).read_text())["cpu_s"]
    assert kept > 0
    metrics = run(0.5).metrics
    assert metrics.cost.lost_cpu_s == pytest.approx(kept)
    assert metrics.compute.curation.lost_cpu_hours.value == pytest.approx(kept / 3600)
    assert not work.names(attempts.FOLDER)
