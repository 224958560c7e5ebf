"""The lock of object stores: one holder at a time, judged by the store's clock alone."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import OutputLocked
from pipeline.store import lease
from pipeline.store.lease import STALE_S, held
from tests.store.fakes import FakeStore, client
from tests.support import examples

FOLDER = "memory://bucket/out/.lock"
ROOT = "memory://bucket/out"


def locks(store: FakeStore) -> list[str]:
    return sorted(name.rsplit("/", 1)[-1] for name in store.find("/bucket/out/.lock"))


def crashed(store: FakeStore) -> None:
    """A lock that nobody keeps any more."""
    lease._taken(lease._Files(client(store), FOLDER, ROOT))


def test_a_held_lock_refuses_and_says_who_holds_it_and_until_when():
    store = FakeStore()
    crashed(store)
    store.clock.pass_(5)
    with pytest.raises(OutputLocked) as error, held(client(store), FOLDER, root=ROOT):
        pass
    assert "process" in str(error.value) and "heard of 5 s ago" in str(error.value)
    assert "00:02:00 UTC (now 00:00:05 UTC" in str(error.value)


def test_a_released_lock_is_taken_at_once_and_marked():
    store = FakeStore()
    for number in ("000001", "000002", "000003"):
        with held(client(store), FOLDER, root=ROOT):
            assert locks(store) == [number]
            assert b'"released": false' in store.cat_file(f"/bucket/out/.lock/{number}")
        assert b'"released": true' in store.cat_file(f"/bucket/out/.lock/{number}")


@pytest.mark.parametrize(("seconds", "taken"), [(STALE_S - 1, False), (STALE_S, False), (STALE_S + 1, True)])
def test_a_lock_is_stale_once_its_time_has_passed_on_the_stores_clock(seconds, taken):
    store = FakeStore()
    crashed(store)
    store.clock.pass_(seconds)
    if taken:
        with held(client(store), FOLDER, root=ROOT):
            assert locks(store) == ["000002"]
    else:
        with pytest.raises(OutputLocked), held(client(store), FOLDER, root=ROOT):
            pass
        assert locks(store) == ["000001"]


def test_this_machines_clock_decides_nothing(monkeypatch):
    store = FakeStore()
    crashed(store)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    with pytest.raises(OutputLocked), held(client(store), FOLDER, root=ROOT):
        pass


def test_a_heartbeat_keeps_the_lock(monkeypatch):
    monkeypatch.setattr(lease, "HEARTBEAT_S", 0.01)
    store = FakeStore()
    with held(client(store), FOLDER, root=ROOT) as kept:
        store.clock.pass_(STALE_S + 1)
        for _ in range(500):
            if store.modified("/bucket/out/.lock/000001") == store.clock.at:
                break
            time.sleep(0.01)
        kept.check()
        with pytest.raises(OutputLocked), held(client(store), FOLDER, root=ROOT):
            pass


def test_a_holder_that_was_superseded_stops_and_its_successor_goes_on():
    store = FakeStore()
    with held(client(store), FOLDER, root=ROOT) as first:
        store.clock.pass_(STALE_S + 1)
        with held(client(store), FOLDER, root=ROOT) as second:
            with pytest.raises(OutputLocked, match="lost its lock"):
                first.confirm()
            with pytest.raises(OutputLocked, match="took it over"):
                first.check()
            second.confirm()
    assert b'"released": true' in store.cat_file("/bucket/out/.lock/000002")


def test_a_holder_whose_heartbeats_are_not_answered_stops_before_anyone_may_take_over(monkeypatch):
    store = FakeStore()
    moment = [1000.0]
    monkeypatch.setattr(lease, "now", lambda: moment[0])
    with held(client(store), FOLDER, root=ROOT) as kept:
        moment[0] += lease.GIVE_UP_S
        kept.check()
        moment[0] += 1
        with pytest.raises(OutputLocked, match="has not answered this run for 81 s"):
            kept.check()
    assert lease.GIVE_UP_S + lease.HEARTBEAT_S + 10 < STALE_S + lease.HEARTBEAT_S  # time for what is on its way


def test_a_heartbeat_that_fails_is_tried_again(monkeypatch):
    monkeypatch.setattr(lease, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(lease, "RETRY_S", 0.01)
    store = FakeStore()
    failed = []

    def fail(operation: str, path: str) -> None:
        if operation == "put" and threading.current_thread().name == "lock" and len(failed) < 3:
            failed.append(path)
            raise OSError(121, "the network is down")

    with held(client(store), FOLDER, root=ROOT) as kept:
        before = kept._good
        store.fail = fail
        for _ in range(500):
            if len(failed) == 3 and kept._good > before:
                break
            time.sleep(0.01)
        assert len(failed) == 3 and kept._good > before
        kept.check()


def test_a_lock_whose_creation_was_answered_too_late_is_still_ours():
    """The client asks again when an answer is lost, and the store says that the file is there."""
    store = FakeStore()
    lost = []

    class Forgetful(FakeStore):
        def pipe_file(self, path, value, mode="overwrite", **more):
            super().pipe_file(path, value, mode, **more)
            if mode == "create" and not lost:
                lost.append(path)
                super().pipe_file(path, value, mode, **more)

    store = Forgetful()
    with held(client(store), FOLDER, root=ROOT) as kept:
        kept.confirm()
    assert lost


def test_an_unreadable_lock_counts_as_held():
    store = FakeStore()
    store.pipe_file("/bucket/out/.lock/000004", b"\xff not json")
    with pytest.raises(OutputLocked, match="an unreadable lock"), held(client(store), FOLDER, root=ROOT):
        pass


def test_who_comes_too_late_with_a_number_that_was_used_and_removed_steps_back(monkeypatch):
    store = FakeStore()
    with held(client(store), FOLDER, root=ROOT):
        pass
    real = lease._Files.create
    entered = []

    def slow(files, number, token):
        if not entered:  # meanwhile another run takes number 2, releases it, and takes number 3, which removes the others
            entered.append(number)
            lease._taken(lease._Files(client(store), FOLDER, ROOT)).release()
            entered.append(lease._taken(lease._Files(client(store), FOLDER, ROOT)))
        return real(files, number, token)

    monkeypatch.setattr(lease._Files, "create", slow)
    with pytest.raises(OutputLocked), held(client(store), FOLDER, root=ROOT):
        pass
    assert entered[0] == 2 and locks(store) == ["000003"]
    entered[1].confirm()


def test_removing_leaves_nothing_behind():
    store = FakeStore()
    with held(client(store), FOLDER, root=ROOT) as kept:
        kept.remove()
    assert locks(store) == []


@examples(0.25)
@given(
    contenders=st.integers(2, 6),
    number=st.integers(1, 9),
    released=st.booleans(),
    pauses=st.lists(st.integers(0, 3), max_size=60),
)
def test_of_runs_that_race_for_a_stale_lock_exactly_one_gets_it(contenders, number, released, pauses):
    store = FakeStore()
    store.pipe_file(f"/bucket/out/.lock/{number:06d}", lease._encode("old", released=released))
    store.clock.pass_(STALE_S + 1)
    waits = iter(pauses)
    store.fail = lambda operation, path: time.sleep(next(waits, 0) / 2000)
    won: list[lease.Lease] = []
    start = threading.Barrier(contenders)

    def contend() -> None:
        start.wait()
        with contextlib.suppress(OutputLocked):
            won.append(lease._taken(lease._Files(client(store), FOLDER, ROOT)))

    threads = [threading.Thread(target=contend) for _ in range(contenders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.fail = lambda operation, path: None
    assert len(won) == 1
    won[0].confirm()
