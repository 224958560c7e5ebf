"""The one loop that has jobs carried out: order, what begins after a failure, and which error is raised."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.machine import schedule, workers
from pipeline.machine.schedule import Mapper, NotBegun, Stopped, in_process
from pipeline.run.cluster import engine
from tests.run.cluster.in_process import Pickling

MAPPERS: list[Callable[[int], Mapper]] = [in_process, lambda _: engine.mapper(Pickling())]


def squared(number: int) -> int:
    time.sleep(0.02 * (4 - number))
    return number * number


@pytest.mark.parametrize("made", MAPPERS)
def test_results_come_in_order_whatever_ends_first_and_each_is_told_on_the_callers_thread(made):
    told = {}
    found = made(5)("stage", squared, range(5), done=lambda item, result: told.update({item: (result, threading.get_ident())}))
    assert found == [0, 1, 4, 9, 16]
    assert told == {n: (n * n, threading.get_ident()) for n in range(5)}
    assert made(2)("stage", squared, []) == []


def test_nothing_more_is_begun_after_a_failure_and_stop_is_called_once():
    begun, stopped = [], []

    def one(number: int) -> None:
        begun.append(number)
        if number == 1:
            raise ValueError("one")

    with pytest.raises(ValueError, match="one"):
        in_process(1)("stage", one, range(50), stop=lambda: stopped.append(True))
    assert (begun, stopped) == ([0, 1], [True])


A, B, CAUSE = ValueError("a"), KeyError("b"), OSError("cause")


@pytest.mark.parametrize(
    ("outcomes", "raised"),
    [
        ([None, A, B], A),
        ([B, A, None], B),
        ([Stopped(), B, A], B),
        ([NotBegun(), Stopped(), A], A),
    ],
)
def test_the_error_of_the_first_item_is_raised_but_for_those_that_a_stop_makes(outcomes, raised):
    """All fail at once."""
    together = threading.Barrier(len(outcomes))

    def one(at: int) -> None:
        together.wait()
        error = outcomes[at]
        if error is not None:
            raise error from CAUSE

    with pytest.raises(type(raised)) as caught:
        in_process(len(outcomes))("stage", one, range(len(outcomes)))
    assert caught.value is raised and caught.value.__cause__ is CAUSE
    with workers.workers(len(outcomes)) as pool, pytest.raises(type(raised)) as caught:
        pool.map(one, range(len(outcomes)))
    assert caught.value is raised


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ArithmeticError()])
def test_after_an_interrupt_what_runs_has_ended_before_it_is_raised_and_wins_over_errors_of_items(error):
    ended, begun = [], threading.Event()

    def one(number: int) -> None:
        if number == 0:
            begun.wait()
            return
        begun.set()
        time.sleep(0.1)
        ended.append(number)
        raise ValueError("of an item")

    def interrupted(_item: int, _result: Any) -> None:
        raise error

    with pytest.raises(type(error)):
        in_process(2)("stage", one, range(2), done=interrupted)
    assert ended == [1]


def test_what_was_submitted_before_a_pool_stops_is_over_when_that_is_raised():
    """A stream's units are submitted as they are read."""
    ended: list[int] = []

    def slow() -> None:
        time.sleep(0.05)
        ended.append(1)

    with workers.workers(1) as pool:

        def units():
            yield pool.submit(slow)
            pool.stop()
            yield pool.submit(slow)

        with pytest.raises(Stopped):
            pool.gather(units())
        assert ended == [1]


def test_an_interrupt_while_the_rest_is_waited_for_wins_and_the_rest_is_waited_for_all_the_same():
    interrupt, asked = KeyboardInterrupt(), []

    class Waiting:
        """An item that failed, and one on whose wait the interrupt comes."""

        def ended(self, _futures: Any) -> Any:
            return iter([0])

        def result(self, future: str) -> None:
            asked.append(future)
            if future == "failed":
                raise ValueError
            if asked.count(future) == 1:
                raise interrupt

        def cancel(self, _futures: Any) -> list[int]:
            return [0, 1]

    with pytest.raises(KeyboardInterrupt) as caught:
        schedule.gather(Waiting(), ["failed", "running"])  # type: ignore[arg-type]
    assert caught.value is interrupt and asked == ["failed", "failed", "running", "running"]
