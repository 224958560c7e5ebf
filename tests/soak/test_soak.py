"""Short forms of parts of the soak."""

from __future__ import annotations

from tests.soak import fuzz, increments


def test_ten_increments_lose_and_double_nothing_and_keep_what_one_run_keeps() -> None:
    report = increments.go(seed=11, increments=10, documents=300, kinds=("jsonl", "jsonl.gz"))
    assert not report.failures, report.failures
    assert any(line.startswith("0 documents lost or doubled over 10 increments") for line in report.lines)


def test_some_hundred_damaged_inputs_crash_nothing() -> None:
    report = fuzz.go(seed=11, seconds=60, most=280)
    assert not report.failures, report.failures
    assert any(line.startswith("280 executions") for line in report.lines), report.lines
