"""Counts of n-grams after a curation: only where they cost a tenth, never instead of what was published."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from flows import counting
from pipeline.errors import Damaged
from pipeline.records.metrics_json import Metrics
from pipeline.run.options import Result, RunOptions
from pipeline.savings import automatic


def result(cpu_s: float, *, generation: int | None = 1) -> Result:
    metrics = Metrics.model_construct(cost=SimpleNamespace(cpu_s=cpu_s))
    return Result("out", generation, metrics, ())


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(automatic, "ngram_after", lambda out, **given: calls.append({"out": out, **given}))
    return calls


@pytest.mark.parametrize(("cpu_s", "calls"), [(199.9, 0), (200.0, 1), (1e6, 1)])
def test_a_short_curation_is_not_followed_by_counts(counted, cpu_s, calls):
    made = result(cpu_s)
    assert counting.after(made, RunOptions(output="out", work="w"), lambda _: None) is made
    assert len(counted) == calls
    assert all((call["out"], call["work"], call["curation_cpu_s"]) == ("out", "w", cpu_s) for call in counted)
    assert all(call["memory"] == 2_000_000_000 for call in counted)


def test_nothing_new_and_a_work_directory_that_goes_are_not_followed_by_counts(counted):
    counting.after(result(1e6, generation=None), RunOptions(output="out"), lambda _: None)
    counting.after(result(1e6), RunOptions(output="out", clean=True), lambda _: None)
    assert counted == []


@pytest.mark.parametrize("error", [Damaged("x is torn"), OSError(28, "No space left on device"), MemoryError()])
def test_what_goes_wrong_with_the_counts_is_a_note_and_the_run_is_done(monkeypatch, error):
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(automatic, "ngram_after", fail)
    said = []
    assert counting.after(result(1e6), RunOptions(output="out"), said.append).generation == 1
    assert [event.note.startswith("published; its saving could not be counted") for event in said] == [True]


def test_the_least_is_what_the_counts_themselves_ask_for():
    assert pytest.approx(counting.LEAST_CPU_S) == automatic.COUNTING_CPU_S / automatic.MOST_SHARE
