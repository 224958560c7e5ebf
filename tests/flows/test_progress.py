"""The progress artifact: it only grows, follows the stages, and a server that is gone costs next to nothing."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from flows.serving import progress
from flows.serving.server import Temporary
from flows.serving.settings import command_settings
from flows.terminal import progress as terminal
from pipeline.machine.events import Event
from tests.flows.test_prefect_flow import newest


def events(*given: Event) -> list[float]:
    made = progress.Progress()
    found = []
    for event in given:
        made(event)
        found.append(made.percent)
    return found


def test_it_follows_bytes_within_a_stage_and_stages_within_a_run() -> None:
    assert events(
        Event("begin", "compile"),
        Event("begin", "scan", total=2),
        Event("advance", "scan", steps=1),
        Event("end", "scan"),
        Event("begin", "annotate", total=100),
        Event("advance", "annotate", documents=5, n_bytes=7),
        Event("advance", "annotate", steps=50),
        Event("advance", "annotate", steps=500),
        Event("end", "annotate"),
        Event("begin", "dedup"),
        Event("end", "dedup"),
        Event("begin", "write", total=0),
        Event("end", "write"),
        Event("note", "publish", note="x"),
        Event("end", "publish"),
    ) == [0, 0, 2.5, 5, 5, 5, 37.5, 70, 70, 70, 85, 85, 97, 97, 100]


@pytest.mark.parametrize(("done", "left"), [(1, False), (40, False), (50, True), (999, True), (1000, False)])
def test_the_time_left_is_said_once_enough_is_done_to_tell_it(done: int, left: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "EVERY_S", 0.0)
    stream = io.StringIO()
    lines = terminal.Lines(stream)
    lines(Event("begin", "annotate", total=1000))
    lines(Event("advance", "annotate", documents=5, n_bytes=7, steps=done))
    assert (" left" in stream.getvalue()) is left


@pytest.fixture
def in_flow(prefect_server: Temporary) -> Callable[[Callable[[], None]], dict[str, Any]]:
    """Runs a body within a flow run; its newest progress artifact."""
    from prefect import flow

    def run(body: Callable[[], None]) -> dict[str, Any]:
        with command_settings(prefect_server):
            flow(name="progress", persist_result=False)(body)()
        return next(a for a in newest(prefect_server.url, "artifacts", 5) if a["key"] == progress.KEY)

    return run


def test_the_artifact_ends_where_the_run_ended(in_flow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0.02)

    def done() -> None:
        made = progress.Progress()
        with progress.progress_bars(made):
            made(Event("begin", "dedup"))
            time.sleep(0.1)

    def failed() -> None:
        made = progress.Progress()
        with pytest.raises(ValueError), progress.progress_bars(made):
            made(Event("begin", "dedup"))
            raise ValueError

    assert in_flow(done)["data"] == 100
    found = in_flow(failed)
    assert (found["data"], found["description"]) == (70, "finding duplicates")


@pytest.mark.parametrize("gone", ["at once", "later"])
def test_a_server_that_is_gone_costs_a_run_next_to_nothing(in_flow: Any, gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    took = []

    def hang(*_: Any, **__: Any) -> None:
        if gone == "later":
            time.sleep(5)
        raise ConnectionError("no server")

    def body() -> None:
        monkeypatch.setattr(progress, "EVERY_S", 0.01)
        monkeypatch.setattr(progress, "LAST_S", 0.2)
        if gone == "at once":
            monkeypatch.setattr(progress, "create_progress_artifact", hang)
        monkeypatch.setattr(progress, "get_client", lambda **_: nullcontext(SimpleNamespace(update_artifact=hang)))
        begin = time.monotonic()
        with progress.progress_bars(progress.Progress()):
            time.sleep(0.05)
        took.append(time.monotonic() - begin)

    in_flow(body)
    assert took[0] < 1
