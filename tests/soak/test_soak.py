"""Short forms of parts of the soak."""

from __future__ import annotations

from tests.soak import increments


def test_ten_increments_lose_and_double_nothing_and_keep_what_one_run_keeps() -> None:
    report = increments.go(seed=11, increments=10, documents=300)
    assert not report.failures, report.failures
    assert any(line.startswith("0 documents lost or doubled over 10 increments") for line in report.lines)
