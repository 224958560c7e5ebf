"""A process shares its memory out between units and decoders, and a thread that needs much works alone."""

from __future__ import annotations

import threading
import time

import pytest

from pipeline.errors import UsageError
from pipeline.machine import workers
from pipeline.machine.turns import Turns

MB = 1_000_000


@pytest.mark.parametrize(
    ("memory", "threads", "units", "beside", "alone"),
    [
        (588, 2, 1, 160, 160),
        (600, 2, 1, 160, 160),
        (1_400, 2, 3, 160, 812),
        (2_000, 1, 2, 1_124, 1_400),
        (2_000, 2, 3, 418, 1_400),
        (2_000, 8, 5, 160, 1_400),
        (64_000, 16, 17, 1_400, 1_400),
    ],
)
def test_what_units_leave_is_for_decoders(memory: int, threads: int, units: int, beside: int, alone: int) -> None:
    made = workers.budget(memory * MB, 64 * MB, threads=threads)
    assert (made.units, made.beside // MB, made.alone // MB, made.enough) == (units, beside, alone, 1_988 * MB)


@pytest.mark.parametrize("memory", [587_999_999, 300_000_000, 1])
def test_less_than_a_unit_needs_is_refused_by_its_number(memory: int) -> None:
    assert workers.least_memory(64 * MB) == 588 * MB
    with pytest.raises(UsageError, match=r"588 MB"):
        workers.budget(memory, 64 * MB, threads=2)


def test_whoever_is_alone_waits_for_those_that_work_and_two_who_want_it_take_turns() -> None:
    turns, said = Turns(), list[str]()
    begun, go, asked = threading.Event(), threading.Event(), threading.Barrier(3)

    def small() -> None:
        begun.set()
        go.wait(10)
        said.append("small")

    def large() -> None:
        asked.wait(10)
        with turns.alone():
            said.append("alone")
            time.sleep(0.02)
            said.append("done")

    threads = [threading.Thread(target=turns.work, args=(job,)) for job in (small, large, large)]
    for thread in threads:
        thread.start()
    begun.wait(10)
    asked.wait(10)
    time.sleep(0.1)
    assert said == []
    go.set()
    for thread in threads:
        thread.join(20)
    assert said == ["small", "alone", "done", "alone", "done"]


def test_an_error_ends_a_turn() -> None:
    turns = Turns()

    def fails() -> None:
        with turns.alone():
            raise ValueError

    for _ in range(2):
        with pytest.raises(ValueError):
            turns.work(fails)
    assert turns.work(lambda: 1) == 1
