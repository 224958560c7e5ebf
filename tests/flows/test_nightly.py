"""Deployments really served, and run by a worker, on a Prefect server as a user starts it: slow."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.flows.serving import PREFECT, SLOW_FILTER, Nightly, running
from tests.support import ROOT, SAMPLE, prose, write_rows

pytestmark = pytest.mark.slow
SAMPLE_PLAN = ("--plan", "sample_data/plan.yaml")
CANCELLED_WITHIN_S = 45
"""Prefect waits 30 s for a run to end before it kills it; the rest is how often the runner and this test look."""


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Its address, and what was posted to it."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook?secret=Zm9v", got
    finally:
        server.shutdown()
        server.server_close()


def wait_for(condition: Any, seconds: float) -> float:
    """Seconds until it held."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds
        time.sleep(0.2)
    return time.monotonic() - begin


def test_a_served_deployment_from_the_first_run_to_the_last_note(nightly: Nightly) -> None:
    out = nightly.folder / "served"
    crawl = nightly.folder / "crawl"
    for name in ("a", "b"):
        write_rows(crawl / f"{name}.jsonl", [{"text": prose(ord(name) * 50 + i)} for i in range(20)])
    run = "deployment run curate/served"
    with webhook() as (url, got):
        arguments = ("--input", "crawl", "--output", "served", "--cron", "0 3 * * *", "--name", "served", "--log-json")
        allowed = ("--root", "crawl", "--root", "served", "--root", "plans")
        with nightly.serving("--plan", "minimal", *arguments, *allowed, WINNOW_NOTIFY_URL=url) as log:
            assert "Completed" in nightly.prefect(f"{run} --watch")
            assert (out / "manifests" / "000001.json").is_file()
            shown = artifacts_of_last(nightly)
            assert {"summary", "funnel", "compute", "progress"} <= set(shown)
            assert shown["progress"] == 100
            assert "Too little text to plan a run" in shown["summary"]
            assert f"`{out}/report.html`" in shown["summary"]
            assert materialized(nightly, f"file://{out}") == {"generation": 1, "documents": {"read": 40, **counts(out)}}

            nightly.prefect(run)  # the next one waits for it: one at a time
            assert "Completed" in nightly.prefect(f"{run} --watch")
            assert not (out / "manifests" / "000002.json").exists()
            assert "nothing new" in artifacts_of_last(nightly)["summary"]

            write_rows(crawl / "c.jsonl", [{"text": prose(9000 + i)} for i in range(20)])
            (crawl / "b.jsonl").unlink()
            assert "Completed" in nightly.prefect(f"{run} --watch")
            shown = artifacts_of_last(nightly)
            assert r"| crawl\/b\.jsonl | no longer there \(its rows stay in the output\) |" in shown["inputs"]
            assert "Changed since generation 1" in shown["changes"]

            write_rows(crawl / "a.jsonl", [{"text": prose(9000)}])  # known from c: a duplicate
            assert "Failed" in nightly.prefect(f"{run} --watch", code=1)
            assert "crawl/a.jsonl" in artifacts_of_last(nightly)["failure"]
            assert "Completed" in nightly.prefect(f'{run} --watch --param overrides={{"on_changed":"ignore"}}')
            assert r"changed since it was read\, ignored" in artifacts_of_last(nightly)["inputs"]

            strict = '{"on_changed":"append","checks.max_drop_share":0,"checks.max_source_loss":0}'
            assert "Failed" in nightly.prefect(f"{run} --watch --param overrides={strict}", code=1)
            assert "max_drop_share" in artifacts_of_last(nightly)["failure"]

            assert "does not match" in nightly.prefect(f'{run} --param output="/tmp/elsewhere"', code=1)
            assert "less than the minimum" in nightly.prefect(f"{run} --param workers=0", code=1)
            assert "was unexpected" in nightly.prefect(f'{run} --param overrides={{"dedup.treshold":1}}', code=1)
            (nightly.folder / "plans").mkdir()
            (nightly.folder / "plans" / "bad.yaml").write_text("filters: {gopher_qualty: {}}\n")
            assert "Failed" in nightly.prefect(f'{run} --watch --param plan="{nightly.folder}/plans/bad.yaml"', code=1)
            state = nightly.newest("flow_runs")[0]["state"]
            assert "did you mean gopher_quality?" in state["message"]
            text = log.read_text()
    assert not Path("/tmp/elsewhere").exists()
    assert [item["event"] for item in got] == ["completed"] * 4 + ["failed", "completed", "refused", "failed"]
    assert [item["generation"] for item in got] == [1, None, None, 2, None, None, None, None]
    assert "Zm9v" not in text + json.dumps([nightly.newest("flow_runs"), nightly.newest("artifacts")])
    events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    done = [event for event in events if event["event"] == "done"]
    assert [event["generation"] for event in done] == [1, None, None, 2, None]
    metrics = json.loads((out / "manifests" / "000001.json").read_text())["metrics"]
    assert {name: done[0][name] for name in metrics["totals"]} == metrics["totals"]
    read = [e for e in events if e["event"] == "advance" and e["stage"] == "annotate" and e["generation"] == 1 and e["name"]]
    assert sum(event["documents"] for event in read) == metrics["totals"]["read"]
    assert {event["name"] for event in read} == {"crawl/a.jsonl unit 0", "crawl/b.jsonl unit 0"}


def artifacts_of_last(nightly: Nightly) -> dict[str, Any]:
    return nightly.artifacts(nightly.newest("flow_runs")[0]["id"])


def counts(out: Path) -> dict[str, int]:
    totals = json.loads((out / "manifests" / "000001.json").read_text())["totals"]
    return {name: totals[name] for name in ("kept", "dropped", "quarantined")}


def materialized(nightly: Nightly, key: str) -> Any:
    """The payload of the event that says an asset was made."""
    asked = {"filter": {"event": {"name": ["prefect.asset.materialization.succeeded"]}, "resource": {"id": [key]}}}
    found: list[Any] = []

    def there() -> bool:
        found[:] = httpx.post(f"{nightly.api}/events/filter", json=asked).json()["events"]
        return bool(found)

    wait_for(there, 20)  # events are written a moment later
    return found[0]["payload"]


def commands_of_page(number: int) -> list[list[str]]:
    """The commands of a block of docs/nightly.md; a comment that begins with `stays` is kept as a word."""
    block = (ROOT / "docs/nightly.md").read_text("utf-8").split("```")[2 * number + 1]
    return [
        shlex.split(line.partition("   # ")[0]) + (["stays"] if "# stays" in line else []) for line in block.splitlines() if line
    ]


def test_the_pages_five_commands_give_a_nightly_run(tmp_path: Path) -> None:
    """Exactly those commands, in a copy of the tree; only the port is another, so that a server of the user's is left alone."""
    for name in ("flows", "pipeline", "filters", "Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(SAMPLE, tmp_path / "sample_data")
    venv = tmp_path / ".venv"
    venv.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    for name in (".needed", ".fasttext", ".run", ".dev"):  # the environment is there: `make setup` finds nothing to do
        (venv / name).touch()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "WINNOW_"))}
    environment = kept | {"PREFECT_HOME": str(tmp_path / "home"), "PREFECT_SERVER_API_PORT": port, "DO_NOT_TRACK": "1"}
    environment |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "0", "PYTHONPATH": str(tmp_path)}
    commands = commands_of_page(0)
    assert len(commands) == 5
    with ExitStack() as stays:
        for command in commands:
            words = [word.replace(":4200/", f":{port}/") for word in command if word != "stays"]
            if command[-1] == "stays":
                stays.enter_context(running(*words, environment=environment, folder=tmp_path, until=is_up))
                continue
            ran = said(words, environment, tmp_path)
            assert ran.returncode == 0, (words, ran.stdout + ran.stderr)
        assert "Completed" in ran.stdout
    assert (tmp_path / "curated" / "manifests" / "000001.json").is_file()
    assert (tmp_path / "curated" / "report.html").is_file()


def is_up(log: str) -> bool:
    return "Check out the dashboard" in log or "being served" in log


def said(words: list[str], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False)


def test_a_schedule_starts_runs_by_itself(nightly: Nightly) -> None:
    """Every minute, because nobody waits for 3 o'clock."""
    arguments = (*SAMPLE_PLAN, "--input", "sample_data/input", "--output", "minutely", "--name", "minutely")
    with nightly.serving(*arguments, "--cron", "* * * * *"):
        wait_for((nightly.folder / "minutely" / "manifests" / "000001.json").is_file, 200)
    runs = [run for run in nightly.newest("flow_runs") if run["deployment_id"] == deployment_id(nightly, "minutely")]
    assert any(run["auto_scheduled"] and run["start_time"] for run in runs)


def test_prefect_yaml_deploys_and_runs_on_a_process_worker(nightly: Nightly) -> None:
    *once, worker = commands_of_page(1)
    for command in once:
        nightly.prefect(" ".join(command[1:]))
    assert worker[-1] == "stays"
    with nightly.running(PREFECT, *worker[1:-1], until=lambda log: "started" in log):
        assert "Completed" in nightly.prefect("deployment run curate/nightly --watch")
        assert "does not match" in nightly.prefect('deployment run curate/nightly --param plan="defalt"', code=1)
        outside = nightly.prefect('deployment run curate/nightly --watch --param output="/tmp/elsewhere"', code=1)
        assert "Failed" in outside
    assert "lies outside the roots" in nightly.newest("flow_runs")[0]["state"]["message"]
    assert (nightly.folder / "curated" / "manifests" / "000001.json").is_file()


@pytest.mark.parametrize("how", ["served", "worker"])
def test_cancel_stops_within_bounds_publishes_nothing_and_the_next_run_resumes(nightly: Nightly, how: str) -> None:
    folder, name = nightly.folder / how, f"cancel-{how}"
    for number in range(8):
        write_rows(folder / "in" / f"{number}.jsonl", [{"text": f"file {number} " + prose(number * 10 + i)} for i in range(3)])
    (nightly.folder / "patience.py").write_text(SLOW_FILTER)
    (folder / "plan.yaml").write_text("extends: minimal@1\nplugins: [patience]\nfilters: {patience: {seconds: 1.5}}\n")
    worked = folder / "worked.log"
    with webhook() as (url, got), deployed(nightly, how, name, PATIENCE_LOG=str(worked), WINNOW_NOTIFY_URL=url):
        answer = nightly.prefect(f"deployment run curate/{name}")
        begun = answer.partition("UUID: ")[2].split()[0]
        wait_for(lambda: worked.is_file() and worked.read_text().count("file ") >= 2, 60)
        nightly.prefect(f"flow-run cancel {begun}")
        took = wait_for(lambda: state_of(nightly, begun) == "CANCELLED", CANCELLED_WITHIN_S)
        print(f"{how}: cancelled after {took:.1f} s")
        wait_for(lambda: not processes_on(folder), CANCELLED_WITHIN_S)
        before = worked.read_text().count("file ")
        time.sleep(2)
        assert worked.read_text().count("file ") == before < 8
        assert not list((folder / "out").glob("manifests/*.json"))
        assert not list((folder / "out").glob("data/*.parquet"))
        assert "Completed" in nightly.prefect(f"deployment run curate/{name} --watch")
        wait_for(lambda: len(got) == 2, 10)
    assert (folder / "out" / "manifests" / "000001.json").is_file()
    assert worked.read_text().count("file ") <= 8 + 3, "what was done before the cancel was done again"
    assert [item["event"] for item in got] == ["cancelled", "completed"]


def test_of_a_run_by_hand_and_a_deployment_on_one_output_one_is_refused_in_words_and_nothing_is_lost(nightly: Nightly) -> None:
    folder, out = nightly.folder / "beside", nightly.folder / "beside" / "out"
    for number in range(6):
        write_rows(folder / "in" / f"{number}.jsonl", [{"text": f"file {number} " + prose(number * 10 + i)} for i in range(3)])
    (nightly.folder / "patience.py").write_text(SLOW_FILTER)
    (folder / "plan.yaml").write_text("extends: minimal@1\nplugins: [patience]\nfilters: {patience: {seconds: 4}}\n")
    worked = folder / "worked.log"
    places = ("--input", "beside/in", "--output", "beside/out", "--workers", "1")
    by_hand = [sys.executable, "-m", "flows.curate", "beside/plan.yaml", *places, "--inline"]
    with nightly.serving("--plan", "beside/plan.yaml", *places, "--name", "beside", PATIENCE_LOG=str(worked)):
        begun = nightly.prefect("deployment run curate/beside").partition("UUID: ")[2].split()[0]
        wait_for(worked.is_file, 120)
        refused = said(by_hand, nightly.environment, nightly.folder)
        assert refused.returncode == 1 and "is locked by a live run (process " in refused.stderr, refused.stderr
        assert "Traceback" not in refused.stderr
        wait_for(lambda: state_of(nightly, begun) == "COMPLETED", 120)

        for number in range(8):  # half a minute, in which the deployment's process starts
            write_rows(folder / "in" / f"new{number}.jsonl", [{"text": f"file new {number} " + prose(900 + number)}])
        with subprocess.Popen(by_hand, cwd=nightly.folder, env=nightly.environment | {"PATIENCE_LOG": str(worked)}) as running_:
            wait_for(lambda: "file new" in worked.read_text(), 120)
            assert "Failed" in nightly.prefect("deployment run curate/beside --watch", code=1)
        assert running_.returncode == 0
        assert "is locked by a live run (process " in nightly.newest("flow_runs")[0]["state"]["message"]
        assert "Completed" in nightly.prefect("deployment run curate/beside --watch")
        assert "nothing new" in nightly.newest("flow_runs")[0]["state"]["message"]
    made = [json.loads(path.read_text()) for path in sorted((out / "manifests").iterdir())]
    assert [(one["live"], sum(one["totals"][name] for name in ("kept", "dropped"))) for one in made] == [([1], 18), ([1, 2], 8)]


@contextmanager
def deployed(nightly: Nightly, how: str, name: str, **environment: str) -> Iterator[None]:
    arguments = {"plan": f"{how}/plan.yaml", "input": [f"{how}/in"], "output": f"{how}/out", "workers": 1}
    if how == "served":
        flags = ("--plan", arguments["plan"], "--input", f"{how}/in", "--output", arguments["output"], "--workers", "1")
        with nightly.serving(*map(str, flags), "--name", name, **environment):
            yield
        return
    text = (nightly.folder / "prefect.yaml").read_text()
    made = text.partition("deployments:")[0] + f"deployments: {json.dumps([of_worker(name, arguments)])}\n"
    (nightly.folder / "cancel.yaml").write_text(made)
    httpx.post(f"{nightly.api}/work_pools/", json={"name": "cancel", "type": "process"})
    nightly.prefect(f"--no-prompt deploy --prefect-file cancel.yaml --name {name}")
    with nightly.running(PREFECT, "worker", "start", "--pool", "cancel", until=lambda log: "started" in log, **environment):
        yield


def of_worker(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "entrypoint": "flows.prefect_flow.curate", "parameters": arguments, "work_pool": {"name": "cancel"}}


def deployment_id(nightly: Nightly, name: str) -> str:
    return httpx.get(f"{nightly.api}/deployments/name/curate/{name}").json()["id"]


def state_of(nightly: Nightly, flow_run: str) -> str:
    return httpx.get(f"{nightly.api}/flow_runs/{flow_run}").json()["state"]["type"]


def processes_on(folder: Path) -> list[int]:
    """Processes that hold a file below this folder open: a lock, or a shard that is being written."""
    found = []
    for process in psutil.process_iter():
        try:
            held = any(file.path.startswith(f"{folder}/out/") for file in process.open_files())
        except psutil.Error:
            continue
        found += [process.pid] if held else []
    return found
