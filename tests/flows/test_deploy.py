"""`flows.deploy` and prefect.yaml: refusals before anything is served, and (slow) both really served on a Prefect server."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from flows import deploy, prefect_flow
from pipeline.errors import InputError, OutputError, PlanError
from pipeline.execute import Result, RunOptions
from tests.support import ROOT, SAMPLE

PREFECT = str(Path(sys.executable).parent / "prefect")


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`refused(arguments…)`: the message of a command that ends with 2 and serves nothing."""
    monkeypatch.setattr(deploy, "serve", lambda _: pytest.fail("it was served"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)

    def run(*arguments: str | Path) -> str:
        assert deploy.main([*map(str, arguments)]) == 2
        return capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "filters.gopher_qualty.min_words=3"], "did you mean gopher_quality?"),
        (["--plan", "nowhere.yaml"], "plan nowhere.yaml: no such file"),
        (["--cron", "at three"], "--cron at three: not a cron schedule"),
        (["--workers", "0"], "--workers 0: expected at least 1"),
        (["--root", "/nowhere"], "output curated lies outside the roots of this deployment (/nowhere)"),
        (["--root", "/a:b"], "a root with a colon"),
    ],
)
def test_mistakes_are_refused_before_the_server_hears_of_them(
    refused: Callable[..., str], arguments: list[str], message: str
) -> None:
    assert message in refused("--input", SAMPLE / "input", *arguments)


def test_without_input_there_is_nothing_to_deploy(refused: Callable[..., str]) -> None:
    assert "no input: give --input PATH" in refused()


def test_without_a_server_the_commands_that_make_one_are_named(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.server.configured", lambda: None)
    said = refused("--input", SAMPLE / "input")
    assert "prefect server start" in said
    assert "prefect config set PREFECT_API_URL=" in said


def test_a_server_that_does_not_answer_is_named(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/api"
        monkeypatch.setenv("PREFECT_API_URL", url)
        with prefect_flow.temporary_settings({prefect_flow.PREFECT_API_URL: url}):
            assert f"the Prefect server at {url} does not answer" in refused("--input", SAMPLE / "input")


def test_a_deployment_bakes_in_absolute_paths_and_is_bound_to_what_it_was_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.yaml").write_text("seed: 1\n")
    arguments = [
        "--plan",
        "plan.yaml",
        "--input",
        "in/*.jsonl",
        "--output",
        "out",
        "--set",
        "dedup.threshold=0.7",
        "--workers",
        "3",
    ]
    made = deploy.prepare(deploy.parser().parse_args(arguments))
    assert made.parameters == {
        "plan": f"{tmp_path}/plan.yaml",
        "overrides": {"dedup.threshold": "0.7"},
        "input": [f"{tmp_path}/in/*.jsonl"],
        "output": f"{tmp_path}/out",
        "work": None,
        "workers": 3,
    }
    assert made.roots == tuple(str((tmp_path / name).resolve()) for name in ("out", "plan.yaml", "in"))
    prefect_flow.curate.validate_parameters(made.parameters)


@pytest.fixture
def bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`bound(plan=, input=, output=)`: the plan that a deployment with the roots `in` and `out` would run."""
    for folder in ("in", "out", "secret"):
        (tmp_path / folder).mkdir()
    (tmp_path / "in" / "a.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "secret" / "s.jsonl").write_text('{"text": "s"}\n')
    monkeypatch.setenv("WINNOW_ROOTS", f"{tmp_path}/in:{tmp_path}/out")
    monkeypatch.setattr(prefect_flow, "get_run_logger", lambda: logging.getLogger("test"))
    ran = []

    def stages(loaded: Any, options: RunOptions, **_: Any) -> Result:
        ran.append(loaded.plan)
        return Result(options.output, None, {}, ())

    monkeypatch.setattr(prefect_flow.execute, "run", stages)

    def run(plan: str | None = None, *, path: str = "in/*.jsonl", output: str = "out/x", **overrides: str) -> Any:
        chosen = {key.replace("__", "."): value for key, value in overrides.items()}
        options = RunOptions(output=str(tmp_path / output))
        prefect_flow._deployed(plan, chosen, [str(tmp_path / path)], options)
        return ran[-1]

    return run


def test_a_deployment_stops_on_failed_checks_unless_it_is_told_otherwise(bound: Callable[..., Any]) -> None:
    assert bound().checks.on_fail == "stop"
    assert bound(checks__on_fail="warn").checks.on_fail == "warn"


def test_the_form_cannot_reach_outside_the_roots(bound: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "in" / "link.jsonl").symlink_to(tmp_path / "secret" / "s.jsonl")
    (tmp_path / "out" / "way").symlink_to(tmp_path / "secret")
    (tmp_path / "secret" / "plan.yaml").write_text("seed: 1\n")
    assert bound(path="in/a.jsonl").source[0].paths == (f"{tmp_path}/in/a.jsonl",)
    for path in ("secret/*.jsonl", "in/../secret/s.jsonl", "in/link.jsonl", "in/*.jsonl", "inn/a.jsonl"):
        with pytest.raises(InputError, match="lies outside the roots"):
            bound(path=path)
    for output in ("secret/out", "out/../secret", "out/way/x", "."):
        with pytest.raises(OutputError, match="lies outside the roots"):
            bound(path="in/a.jsonl", output=output)
    with pytest.raises(InputError, match=r"tokenizer\.json lies outside"):
        bound(path="in/a.jsonl", output__tokenizer=str(tmp_path / "secret" / "tokenizer.json"))
    with pytest.raises(PlanError, match="lies outside the roots"):
        bound(str(tmp_path / "secret" / "plan.yaml"))


def test_prefect_yaml_is_a_nightly_deployment_that_the_flow_accepts() -> None:
    (made,) = YAML(typ="safe", pure=True).load((ROOT / "prefect.yaml").read_text())["deployments"]
    module, _, name = made["entrypoint"].rpartition(".")
    assert getattr(sys.modules[module], name) is prefect_flow.curate
    prefect_flow.curate.validate_parameters(made["parameters"])
    assert (made["schedules"][0]["cron"], made["work_pool"]["name"]) == ("0 3 * * *", "winnow")
    assert made["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    assert made["work_pool"]["job_variables"]["env"]["WINNOW_ROOTS"]


@contextmanager
def running(*command: str, environment: dict[str, str], folder: Path, until: Callable[[str], bool]) -> Iterator[Path]:
    """A command in the background with its output in a file; waits until `until(output)`, ends it by SIGINT."""
    log = folder / f"{time.monotonic_ns()}.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            give_up = time.monotonic() + 120
            while not until(log.read_text()):
                assert process.poll() is None and time.monotonic() < give_up, log.read_text()
                time.sleep(0.3)
            yield log
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def nightly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with the sample and prefect.yaml, and an environment that names a real Prefect server."""
    folder = tmp_path_factory.mktemp("nightly")
    shutil.copytree(SAMPLE, folder / "sample_data")
    shutil.copy(ROOT / "prefect.yaml", folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    url = f"http://127.0.0.1:{port}/api"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "WINNOW_"))}
    environment = kept | {"PREFECT_API_URL": url, "PREFECT_HOME": str(folder / "home"), "DO_NOT_TRACK": "1", "PWD": str(folder)}
    environment |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "0", "PYTHONPATH": str(ROOT), "PREFECT_RUNNER_POLL_FREQUENCY": "2"}
    start = (PREFECT, "server", "start", "--host", "127.0.0.1", "--port", port)
    with running(*start, environment=environment, folder=folder, until=lambda _: healthy(url)):
        yield folder, environment


def prefect(arguments: str, nightly: tuple[Path, dict[str, str]], *, code: int = 0) -> str:
    folder, environment = nightly
    command = [PREFECT, *arguments.split()]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return re.sub(r"\s+", " ", ran.stdout + ran.stderr)


@pytest.mark.slow
def test_a_served_deployment_runs_and_finds_nothing_new_the_second_time(nightly: tuple[Path, dict[str, str]]) -> None:
    folder, environment = nightly
    arguments = ["--plan", "sample_data/plan.yaml", "--input", "sample_data/input", "--output", "served", "--cron"]
    command = (sys.executable, "-m", "flows.deploy", *arguments, "0 3 * * *", "--name", "served")
    with running(*command, environment=environment, folder=folder, until=lambda log: "being served" in log):
        assert "Completed" in prefect("deployment run curate/served --watch", nightly)
        assert (folder / "served" / "manifests" / "000001.json").is_file()
        prefect("deployment run curate/served", nightly)  # the next one waits for it: one at a time
        assert "Completed" in prefect("deployment run curate/served --watch", nightly)
        assert not (folder / "served" / "manifests" / "000002.json").exists()
        outside = prefect('deployment run curate/served --watch --param output="/tmp/elsewhere"', nightly, code=1)
        assert "Failed" in outside
        assert "less than the minimum" in prefect("deployment run curate/served --param workers=0", nightly, code=1)
    assert not Path("/tmp/elsewhere").exists()


@pytest.mark.slow
def test_prefect_yaml_deploys_and_runs_on_a_process_worker(nightly: tuple[Path, dict[str, str]]) -> None:
    folder, environment = nightly
    prefect("work-pool create winnow --type process", nightly)
    prefect("--no-prompt deploy --all", nightly)
    worker = (PREFECT, "worker", "start", "--pool", "winnow")
    with running(*worker, environment=environment, folder=folder, until=lambda log: "started" in log):
        assert "Completed" in prefect("deployment run curate/nightly --watch", nightly)
    assert (folder / "curated" / "manifests" / "000001.json").is_file()
