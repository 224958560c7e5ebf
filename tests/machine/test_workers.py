"""A process shares its memory out between units and decoders, and a thread that needs much works alone."""

from __future__ import annotations

import threading

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


def test_whoever_is_alone_is_so_and_two_who_want_it_take_turns() -> None:
    turns, working, seen = Turns(), [0], list[int]()
    lock, begun = threading.Lock(), threading.Barrier(3)

    def count(change: int) -> int:
        with lock:
            working[0] += change
            return working[0]

    def large() -> None:
        begun.wait(10)
        with turns.alone():
            seen.append(count(1))
            count(-1)

    def small() -> None:
        count(1)
        count(-1)

    def later() -> None:
        begun.wait(10)
        for _ in range(50):
            turns.work(small)

    threads = [threading.Thread(target=turns.work, args=(job,)) for job in (large, large)]
    threads.append(threading.Thread(target=later))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads) and seen == [1, 1]
    turns.work(lambda: None)


def test_an_error_ends_a_turn() -> None:
    turns = Turns()

    def fails() -> None:
        with turns.alone():
            raise ValueError

    for _ in range(2):
        with pytest.raises(ValueError):
            turns.work(fails)
    assert turns.work(lambda: 1) == 1
