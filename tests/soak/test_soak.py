"""Short forms of parts of the soak."""

from __future__ import annotations

import random

import pytest

from tests.soak import fuzz, increments, memory
from tests.soak.common import Report


@pytest.mark.slow
def test_ten_increments_lose_and_double_nothing_and_keep_what_one_run_keeps() -> None:
    report = increments.go(seed=11, increments=10, documents=300, kinds=("jsonl", "jsonl.gz"))
    assert not report.failures, report.failures
    assert any(line.startswith("0 documents lost or doubled over 10 increments") for line in report.lines)


def test_some_hundred_damaged_inputs_crash_nothing() -> None:
    report = fuzz.go(seed=11, seconds=60, most=280)
    assert not report.failures, report.failures
    assert any(line.startswith("280 executions") for line in report.lines), report.lines


def _runs(grows: int, *, file_at: int = 10_000) -> list[memory.Sample]:
    chosen = random.Random(3)
    return [
        memory.Sample(2.0 * k, int(4e8 + grows * k + chosen.gauss(0, 1e6)), 11 + (k > file_at), 12 + (k % 7 == 0), 0)
        for k in range(400)
    ]


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (_runs(0), []),
        (_runs(20_000), []),
        (_runs(100_000), ["memory grows by 10"]),
        (_runs(0, file_at=200), ["open files after each run are not the same number: [11, 12]"]),
    ],
    ids=["flat", "below the bound", "a leak", "a file left open"],
)
def test_a_leak_of_memory_or_of_a_file_is_told_from_noise(samples: list[memory.Sample], said: list[str]) -> None:
    report = Report("")
    memory.judged(samples, report)
    assert len(report.failures) == len(said), report.failures
    assert all(failure.startswith(line) for failure, line in zip(report.failures, said, strict=True)), report.failures
