"""The flow, its mapper and its server, with small bodies in place of the stages; one real Prefect server."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import httpx
import psutil
import pytest
from prefect.context import FlowRunContext, TaskRunContext
from prefect.exceptions import ParameterTypeError
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import prefect_flow
from flows.serving import artifacts, server
from flows.serving.mapper import as_task
from flows.serving.server import Temporary
from pipeline.errors import BadRows, BrokenContract, CheckFailed, RunFailed
from pipeline.machine.events import Event
from pipeline.machine.schedule import Mapper
from pipeline.plan.load import load_plan
from pipeline.run.context import RUN
from pipeline.run.options import Result, RunOptions
from tests.counts import metrics, totals
from tests.support import ROOT, prose, winnow, write_rows

DONE = Result("out", 1, metrics().model_copy(update={"totals": totals(4, 3, 1)}), ())
Body = Callable[[Mapper], Result]


@dataclass(frozen=True)
class Item:
    name: str


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch, prefect_server: Temporary) -> Callable[..., Result]:
    """`flow(body, ...)`: runs `body(mapper)` as the flow's stages, as the command line does."""

    def run(body: Body, *, retries: int = 0, workers: int = 2, temporary: Any = prefect_server, events: Any = None) -> Result:
        def stages(_loaded: Any, _options: Any, *, mapper: Mapper, within: Any, **_: Any) -> Result:
            return within(RUN, lambda: body(mapper))

        monkeypatch.setattr(prefect_flow.execute, "execute", stages)
        monkeypatch.setattr(prefect_flow, "BACK_OFF_S", 0)
        options = RunOptions(output="out", workers=workers, retries=retries)
        shown = (lambda _: None) if events is None else events.append
        return prefect_flow.run_in_flow(load_plan(None, inputs=["in"]), options, on_event=shown, temporary=temporary)

    return run


def newest(url: str, what: str, count: int = 1) -> list[dict[str, Any]]:
    sort = {"flow_runs": "START_TIME_DESC", "artifacts": "CREATED_DESC"}[what]
    return httpx.post(f"{url}/{what}/filter", json={"sort": sort, "limit": count}).json()


def tasks_of(flow_run: dict[str, Any], url: str) -> list[dict[str, Any]]:
    return httpx.post(f"{url}/task_runs/filter", json={"flow_runs": {"id": {"any_": [flow_run["id"]]}}}).json()


def spans(function: Callable[[int], Any], count: int) -> Body:
    """A body that maps `function` over the indices and succeeds."""

    def body(mapper: Mapper) -> Result:
        items = [Item(f"span {index}") for index in range(count)]
        mapper("annotate", lambda item: function(items.index(item)), items)
        return DONE

    return body


def test_results_come_in_order_whatever_ends_first(flow: Callable[..., Result]) -> None:
    got = []

    def body(mapper: Mapper) -> Result:
        got.extend(mapper("annotate", lambda n: (time.sleep(0.05 * (4 - n)), n * n)[1], range(5)))
        return DONE

    assert flow(body, workers=5) == DONE
    assert got == [0, 1, 4, 9, 16]


def test_prefect_shows_readable_names_a_state_and_the_funnel(flow: Callable[..., Result], prefect_server: Temporary) -> None:
    hostile = "crawl/\u202egpj.\x1b[31mexe\udcff unit 3"
    flow(lambda mapper: (mapper("hostile", lambda _: 0, [Item(hostile)]), DONE)[1])
    run = newest(prefect_server.url, "flow_runs")[0]
    assert (run["state"]["type"], run["parameters"]["input"]) == ("COMPLETED", ["in"])
    until, name = time.monotonic() + 10, "crawl/[U+202E]gpj.[U+001B][31mexe[U+DCFF] unit 3"
    while not any(task["name"] == name and task["state"]["type"] == "COMPLETED" for task in tasks_of(run, prefect_server.url)):
        assert time.monotonic() < until  # the server records task runs a moment later
        time.sleep(0.2)
    shown = [a["data"] for a in newest(prefect_server.url, "artifacts", 5) if a["key"] == "winnow-curate-summary"]
    assert "| kept | 3 |" in shown[0]


class NeverReady:
    """A temporary server that is still on its way."""

    ready = False

    def wait(self) -> None:
        raise AssertionError("it was waited for")


def test_where_nothing_is_new_no_temporary_server_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(k)} for k in range(3)])
    out, folder = str(tmp_path / "out"), str(tmp_path / "in")
    assert winnow(capsys, "minimal", "--input", folder, "--output", out).code == 0
    options = RunOptions(output=out, workers=2)
    starting: Any = NeverReady()
    assert prefect_flow.run_in_flow(load_plan("minimal", inputs=[folder]), options, temporary=starting).generation is None
    write_rows(tmp_path / "in" / "b.jsonl", [{"text": prose(7)}])
    with pytest.raises(AssertionError, match="waited"):
        prefect_flow.run_in_flow(load_plan("minimal", inputs=[folder]), options, temporary=starting)


def test_every_stage_is_a_task_and_names_and_messages_say_what_happened(tmp_path: Path, prefect_server: Temporary) -> None:
    texts = [prose(i) for i in range(20)]
    write_rows(tmp_path / "in" / "a.jsonl", [{"text": text} for text in [*texts, *texts[:4], texts[0] + " more"]])
    with open(tmp_path / "in" / "a.jsonl", "a") as file:
        file.write("{not json\n")
    out = str(tmp_path / "out")
    loaded = load_plan("minimal", inputs=[str(tmp_path / "in")], assignments=["source.max_bad_fraction=0.5"])
    shown = []
    for _ in range(2):
        with temporary_settings({PREFECT_API_URL: prefect_server.url}):  # of the user's own, which has each night in its history
            prefect_flow.run_in_flow(loaded, RunOptions(output=out, workers=2))
        run = newest(prefect_server.url, "flow_runs")[0]
        shown.append((run["name"], run["state"]["message"]))
        if len(shown) == 1:
            first = run
    assert shown == [
        ("out: generation 1", "generation 1: 20 of 26 kept"),
        ("out: nothing new", "nothing new: generation 1 stays"),
    ]
    expected = {
        "in/a.jsonl unit 0": "25 documents, 1 bad row",
        "dedup": "4 exact, 1 near",
        "select": "the plan asks for none",
        "publish": "generation 1: 20 of 26 kept",
    }
    until = time.monotonic() + 10
    while True:
        told = {task["name"]: task["state"]["message"] for task in tasks_of(first, prefect_server.url)}
        if expected.items() <= told.items() and told.get("write", "").startswith("4 files, "):
            break
        assert time.monotonic() < until, told  # the server records task runs a moment later
        time.sleep(0.2)


def test_a_stages_error_is_its_own_and_what_it_made_counts_though_prefect_fails(
    flow: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = BadRows("too many")

    def fail() -> None:
        raise error

    def of_the_flow() -> Result:
        assert FlowRunContext.get() is not None and TaskRunContext.get() is None  # which no worker of a cluster could be sent
        return DONE

    assert flow(lambda _: as_task("dedup", of_the_flow)) == DONE
    with pytest.raises(BadRows) as caught:
        flow(lambda _: as_task("dedup", fail))
    assert caught.value is error
    monkeypatch.setattr("prefect.task_engine.SyncTaskRunEngine.handle_success", lambda *_, **__: 1 / 0)
    assert flow(lambda _: as_task("dedup", lambda: DONE)) == DONE


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (ConnectionResetError("reset by peer"), 3),
        (TimeoutError("slow"), 3),
        (FileNotFoundError(2, "gone"), 1),
        (OSError(28, "No space left on device"), 1),
        (BrokenContract("NaN"), 1),
        (BadRows("too many"), 1),
        (ValueError("bug"), 1),
    ],
)
def test_only_what_can_pass_is_tried_again_and_the_very_error_reaches_the_caller(
    flow: Callable[..., Result], error: Exception, attempts: int
) -> None:
    calls = []

    def fail(index: int) -> None:
        calls.append(index)
        raise error

    with pytest.raises(type(error)) as caught:
        flow(spans(fail, 1), retries=2)
    assert caught.value is error
    assert len(calls) == attempts


def test_a_retry_that_works_is_a_success_and_is_told(flow: Callable[..., Result]) -> None:
    calls: list[int] = []
    events: list[Event] = []

    def once(index: int) -> int:
        calls.append(index)
        if len(calls) == 1:
            raise ConnectionError("dropped")
        return index

    assert flow(spans(once, 1), retries=2, events=events) == DONE
    assert calls == [0, 0]
    assert [e.note for e in events] == ["span 0: ConnectionError: dropped; tried again unless it failed too often"]


def test_nothing_more_is_begun_after_a_failure(flow: Callable[..., Result]) -> None:
    begun = []

    def second_fails(index: int) -> None:
        begun.append(index)
        if index == 1:
            raise BrokenContract("second")

    with pytest.raises(BrokenContract, match="second"):
        flow(spans(second_fails, 50), workers=1)
    assert begun == [0, 1]


@pytest.mark.parametrize(
    ("error", "state"), [(CheckFailed("drop share"), "FAILED"), (BadRows("bad"), "FAILED"), (KeyboardInterrupt(), "CRASHED")]
)
def test_errors_of_the_stages_end_the_flow_run_and_reach_the_caller(
    flow: Callable[..., Result], prefect_server: Temporary, error: BaseException, state: str
) -> None:
    def body(_: Mapper) -> Result:
        raise error

    with pytest.raises(type(error)) as caught:
        flow(body)
    assert caught.value is error
    assert newest(prefect_server.url, "flow_runs")[0]["state"]["type"] == state


def test_a_published_run_is_a_success_though_prefect_fails_afterwards(
    flow: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise httpx.ConnectError("server gone")

    monkeypatch.setattr(prefect_flow.results, "of_result", broken)
    events: list[Event] = []
    assert flow(lambda _: DONE, events=events) == DONE
    assert "could not record it: ConnectError: server gone" in events[-1].note


def test_prefects_own_failure_says_how_to_go_on(flow: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise httpx.ConnectError("no server")

    monkeypatch.setattr("prefect.flow_engine.FlowRunEngine.create_flow_run", broken)
    with pytest.raises(RunFailed, match="same command resumes, with --inline"):
        flow(lambda _: DONE)


def test_the_server_starts_in_the_background_and_the_wait_is_told(
    flow: Callable[..., Result], started: Any, prefect_server: Temporary
) -> None:
    class Late:
        """A server that is ready once it was waited for."""

        ready = False
        url = prefect_server.url

        def wait(self) -> None:
            self.ready = True

    late, events = Late(), []
    assert started.start_s < 1
    assert not started.ready_at_once
    assert flow(lambda _: DONE, temporary=late, events=events) == DONE
    assert (late.ready, [e.kind for e in events]) == (True, ["wait"])
    events.clear()
    flow(lambda _: DONE, events=events)
    assert events == []


def test_prefects_lines_stay_off_the_terminal(flow: Callable[..., Result], capfd: pytest.CaptureFixture[str]) -> None:
    flow(spans(lambda index: index, 3))
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_a_proxy_in_the_environment_does_not_come_between(flow: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "internal.example")
    assert flow(spans(lambda index: index, 1)) == DONE
    assert "no_proxy" not in os.environ


def test_a_server_needs_no_home_asks_for_no_password_and_dies_with_a_killed_parent() -> None:
    code = "from flows.serving import server; s = server.temporary().start(); s.wait(); print(s.url, flush=True); input()"
    unwanted = {"PREFECT_SERVER_API_AUTH_STRING": "admin:secret", "PREFECT_SERVER_API_BASE_PATH": "/elsewhere"}
    given = os.environ | unwanted | {"PREFECT_HOME": "/dev/null/home"}
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=given, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin and child.stdout
    url = child.stdout.readline().decode().strip()
    (own,) = psutil.Process(child.pid).children()
    assert httpx.post(f"{url}/flows/filter", json={}).json() == []
    child.send_signal(signal.SIGKILL)
    child.wait()
    psutil.wait_procs([own], timeout=10)
    assert not own.is_running()
    child.stdin.close()
    child.stdout.close()


def test_a_server_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "__file__", "/nonexistent/server.py")
    with server.temporary() as broken, pytest.raises(RunFailed, match=r"ended while it started; .*--inline(.|\n)*nonexistent"):
        broken.wait()


SPY = """
import os, sys
def seen(event, args):
    place = args[1] if event == "socket.connect" else args[0] if event == "socket.getaddrinfo" else ""
    host = str(place[0] if isinstance(place, tuple) else place)
    if host and not host.startswith(("127.", "localhost", "/", "b'")):
        open(os.environ["SPIED"], "a").write(host + chr(10))
sys.addaudithook(seen)
"""
"""`sitecustomize.py` of every process: notes whom it looks for outside this machine."""


@dataclass(frozen=True)
class InTerminal:
    """A run in a terminal, with a new home: its folder, exit status, and what it showed."""

    folder: Path
    status: int
    shown: bytes


@pytest.fixture(scope="module")
def in_terminal(tmp_path_factory: pytest.TempPathFactory) -> InTerminal:
    folder = tmp_path_factory.mktemp("terminal")
    (folder / "sitecustomize.py").write_text(SPY)
    write_rows(folder / "in.jsonl", [{"text": prose(i)} for i in range(3)])
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_") and k not in ("DO_NOT_TRACK", "CI")}
    own = {"HOME": str(folder), "PYTHONPATH": f"{folder}:{ROOT}", "SPIED": str(folder / "spied"), "COLUMNS": "200"}
    own["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "flows.curate", "minimal", "--input", "in.jsonl", "--output", "out"]
    with subprocess.Popen(command, cwd=folder, env=kept | own, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # the end of a terminal
            while read := os.read(ours, 65536):
                shown += read
    os.close(ours)
    return InTerminal(folder, process.returncode, shown)


def test_a_run_in_a_terminal_with_a_new_home_tells_nobody_and_shows_no_notice(in_terminal: InTerminal) -> None:
    shown = in_terminal.shown
    assert in_terminal.status == 0, shown.decode()
    assert not (in_terminal.folder / "spied").exists()
    assert not re.search(rb"Prefect collects|docs.prefect.io|Starting|Stopping|WARNING|INFO|Warning:", shown), shown.decode()


def test_the_history_of_runs_stays_in_the_users_profile_and_nothing_else_does(in_terminal: InTerminal) -> None:
    home = in_terminal.folder / ".prefect"
    own = {".sdk_telemetry"}  # of Prefect's client: what it would have told its maker
    assert {file.name for file in home.iterdir()} - own == {"prefect.db"}
    with closing(sqlite3.connect(home / "prefect.db")) as database:
        assert database.execute("select name from flow").fetchall() == [("curate",)]
        assert database.execute("select name, state_type from flow_run").fetchall() == [("out: generation 1", "COMPLETED")]


@pytest.mark.slow
def test_the_history_of_a_later_prefect_is_left_as_it_is(in_terminal: InTerminal, tmp_path: Path) -> None:
    shutil.copy(in_terminal.folder / ".prefect" / "prefect.db", tmp_path)
    with closing(sqlite3.connect(tmp_path / "prefect.db")) as database:
        database.execute("update alembic_version set version_num = 'ffffffffffff'")
        database.commit()
    with pytest.MonkeyPatch.context() as patched, server.temporary() as own:
        patched.setenv("PREFECT_HOME", str(tmp_path))
        own.start().wait()
        assert httpx.post(f"{own.url}/flows/filter", json={}).json() == []


def configured_in_a_new_process(folder: Path, **environment: str) -> str:
    code = "from flows.serving import server; print(server.configured())"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    made = {**kept, "PREFECT_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT), **environment}
    ran = subprocess.run([sys.executable, "-c", code], cwd=folder, env=made, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def test_the_server_that_the_user_configured_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    assert server.configured() == "http://127.0.0.1:4200/api"
    monkeypatch.delenv("PREFECT_API_URL")
    assert server.configured() is None
    assert configured_in_a_new_process(tmp_path) == "None"
    (tmp_path / "home").mkdir(exist_ok=True)
    profile = 'active = "team"\n[profiles.team]\nPREFECT_API_URL = "http://prefect.example/api"\n[profiles.bare]\n'
    (tmp_path / "home" / "profiles.toml").write_text(profile)
    assert configured_in_a_new_process(tmp_path) == "http://prefect.example/api"
    assert configured_in_a_new_process(tmp_path, PREFECT_PROFILE="bare") == "None"


def test_a_configured_server_is_used_and_none_is_started(
    flow: Callable[..., Result], prefect_server: Temporary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "configured", lambda: prefect_server.url)
    monkeypatch.setattr(server, "temporary", lambda: pytest.fail("a server was started"))
    before = httpx.post(f"{prefect_server.url}/flow_runs/count", json={}).json()
    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        assert flow(lambda _: DONE, temporary=None) == DONE
    assert httpx.post(f"{prefect_server.url}/flow_runs/count", json={}).json() == before + 1


def test_the_summary_escapes_what_comes_from_outside() -> None:
    made = artifacts.summary(Result("/tmp/<img src=x>|`", None, metrics(), ("[click](javascript:1)",)))
    assert "Output: `/tmp/<img src=x>[U+007C][U+0060]`" in made.splitlines()
    outside_code = re.sub(r"(?<!\\)`[^`\n]*`", "", made)
    assert not re.search(r"(?<!\\)[<`]", outside_code)
    assert r"\[click\]\(javascript\:1\)" in made


def test_the_flow_can_be_pickled_as_serving_it_does() -> None:
    copy = cloudpickle.loads(cloudpickle.dumps(prefect_flow.curate))
    assert copy.validate_parameters({"workers": 3})["workers"] == 3


def test_every_parameter_of_the_form_is_described_and_bad_values_are_refused() -> None:
    shown = prefect_flow.curate.parameters.properties
    assert [name for name, field in shown.items() if not field.get("description")] == []
    for bad in ({"workers": 0}, {"output": ""}, {"overrides": ["a=b"]}, {"replace": "perhaps"}):
        with pytest.raises(ParameterTypeError):
            prefect_flow.curate.validate_parameters(bad)
    prefect_flow.curate.validate_parameters({"workers": 1, "overrides": {"dedup.threshold": 0.7}})
