"""What changed since the last generation, and inputs that change under `on_changed`."""

from __future__ import annotations

import json

import pytest

from pipeline.records.counts import Counts
from pipeline.records.metrics_json import Drift, ReasonChange
from pipeline.report.metrics import changes
from tests import counts as made
from tests.support import prose, table, winnow, write_rows


def metrics(generation: int, kept: int, dropped: int, *, edges: list[float], counts: list[int]) -> Counts:
    return made.counts(
        generation=generation,
        totals=made.totals(kept + dropped, kept, dropped),
        reasons=(made.reason("c4.x", dropped),),
        by_source=(made.source("s", kept + dropped, kept),),
        by_language=({"language": "en", "documents": kept, "kept": kept, "bytes_read": kept, "bytes_kept": kept},),
        signals=(made.signal("words", edges, counts),),
    )


def test_shares_and_drift_are_those_of_the_two_generations():
    before = metrics(1, 80, 20, edges=[0, 1, 2], counts=[50, 50])
    found = changes.since(before, metrics(2, 30, 20, edges=[1, 2, 4], counts=[20, 20]))
    assert dict(found.kept_share) == pytest.approx({"before": 0.8, "now": 0.6, "change": -0.2})
    assert found.reasons == (ReasonChange(reason="c4.x", before=0.2, now=0.4, change=0.2),)
    assert found.signals == (Drift(filter="f", signal="words", drift=0.5),)  # half of them left the lowest bin
    assert found.languages[0].language == "en"


@pytest.mark.parametrize(
    ("then", "now", "drift"), [([1, 0], [1, 0], 0.0), ([1, 0], [0, 1], 1.0), ([3, 1], [1, 3], 0.5), ([1, 1], [10, 10], 0.0)]
)
def test_drift_is_the_share_that_moved(then, now, drift):
    one, other = (metrics(g, 1, 0, edges=[0, 1, 2], counts=c) for g, c in ((1, then), (2, now)))
    assert changes.since(one, other).signals[0].drift == drift


def test_no_drift_is_told_where_the_bins_were_others():
    one, other = (metrics(g, 1, 0, edges=[0, 1, 2], counts=[1, 1]) for g in (1, 2))
    assert changes.since(one.model_copy(update={"schema_version": 1}), other).signals == ()


def test_a_changed_input_is_read_again_under_append_and_only_its_new_rows_are_kept(capsys, tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(k)} for k in range(5)])
    command = ("minimal", "--input", path, "--output", tmp_path / "out", "--set", "on_changed=append")
    assert winnow(capsys, *command).code == 0
    write_rows(path, [{"text": prose(k)} for k in range(7)])
    ran = winnow(capsys, *command)
    assert ran.code == 0 and "grew since it was read" in " ".join(ran.out.split())
    ledger = table(tmp_path / "out", "ledger").sort("generation", "source_ref")
    assert ledger["reason"].to_list() == [None] * 5 + ["exact_duplicate"] * 5 + [None] * 2
    assert json.loads((tmp_path / "out/metrics.json").read_text())["changes"]["since"] == 1
    assert "nothing new" in winnow(capsys, *command).out
