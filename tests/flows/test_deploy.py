"""`flows.deploy` and prefect.yaml: what is refused before anything is served, and what a server is told."""

from __future__ import annotations

import json
import logging
import socket
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.utilities.schema_tools.validation import ValidationError, validate
from ruamel.yaml import YAML

from flows import deploy, prefect_flow
from flows.serving import form
from flows.serving.server import Temporary
from flows.serving.settings import command_settings
from pipeline.errors import InputError, OutputError, PlanError
from pipeline.run.options import Result, RunOptions
from tests.counts import metrics
from tests.flows.serving import SLOW_FILTER
from tests.support import ROOT, SAMPLE


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
        (["--output", "out", "nowhere.yaml"], "plan nowhere.yaml: no such file"),
        (["--cron", "at three"], "--cron at three: not a cron schedule"),
        (["--workers", "0"], "--workers 0: expected at least 1"),
        (["--root", "/nowhere"], "output curated lies outside the roots of this deployment (/nowhere)"),
        (["--root", "/a:b"], "a root with a colon"),
        (["--output", "s3://user:word@bucket/out"], "an output on s3:// carries a user, password"),
        (["--set", "compute.targets=[https://x/t.jsonl?sig=1]"], "an input on https:// carries a user, password"),
        (["--notify", "http://example.org/x"], "expected https://…, or http:// to this machine"),
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
    monkeypatch.setattr("flows.serving.server.configured", lambda: None)
    said = refused("--input", SAMPLE / "input")
    assert "prefect server start" in said
    assert "prefect config set PREFECT_API_URL=" in said


def test_a_server_that_does_not_answer_is_named(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/api"
        monkeypatch.setenv("PREFECT_API_URL", url)
        monkeypatch.setattr(deploy, "SERVER_WAIT_S", 0)
        with temporary_settings({PREFECT_API_URL: url}):
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
        "overrides": {"dedup.threshold": 0.7},
        "input": [f"{tmp_path}/in/*.jsonl"],
        "output": f"{tmp_path}/out",
        "work": "",
        "workers": 3,
    }
    assert made.roots == tuple(str((tmp_path / name).resolve()) for name in ("out", "plan.yaml", "in"))
    prefect_flow.curate.validate_parameters(made.parameters)


def deployed(folder: Path, *arguments: str) -> dict[str, Any]:
    """The schema by which a server judges the parameters of a deployment made of these arguments."""
    made = deploy.prepare(deploy.parser().parse_args(["--input", "in", "--output", "out", *arguments]))
    return deploy.registered(made)._parameter_openapi_schema.model_dump()


def server_says(schema: dict[str, Any], **parameters: Any) -> str:
    """What Prefect's server answers to these parameters; empty: it takes them."""
    try:
        validate(parameters, schema, raise_on_error=True, ignore_required=True)
    except ValidationError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("parameters", "refused_because"),
    [
        ({"plan": "default"}, ""),
        ({"plan": "c4@1"}, ""),
        ({"plan": "defalt"}, "'defalt' does not match"),
        ({"plan": "/elsewhere/plan.yaml"}, "does not match"),
        ({"overrides": {"dedup.threshold": 0.7, "dedup.exact_url": True, "filters.c4": True, "output.shard_bytes": "1GB"}}, ""),
        ({"overrides": {"dedup.keep": ["n_bytes desc"], "compute.plan.tokens": 1e12, "edits": False, "seed": 3}}, ""),
        ({"overrides": {"dedup.treshold": 0.7}}, "'dedup.treshold' was unexpected"),
        ({"overrides": {"dedup.threshold": 7}}, "7 is greater than the maximum of 1"),
        ({"overrides": {"dedup.threshold": "high"}}, "'high' is not of type 'number'"),
        ({"overrides": {"on_changed": "perhaps"}}, "'perhaps' is not one of"),
        ({"overrides": {"plugins": ["os"]}}, "'plugins' was unexpected"),
        ({"overrides": {"filters.quality.model": "https://u:p@host/m.bin"}}, "does not match"),
        ({"output": "{folder}/out/night"}, ""),
        ({"output": "{folder}/output"}, "does not match"),
        ({"output": "{folder}/out/../secret"}, "does not match"),
        ({"output": "/"}, "does not match"),
        ({"work": ""}, ""),
        ({"work": "/elsewhere"}, "does not match"),
        ({"input": []}, ""),
        ({"input": ["{folder}/in/*.jsonl", "{folder}/in"]}, ""),
        ({"input": ["{folder}/in", "/etc/passwd"]}, "does not match"),
        ({"workers": 0}, "0 is less than the minimum"),
    ],
)
def test_the_server_refuses_bad_values_before_a_run_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, Any], refused_because: str
) -> None:
    monkeypatch.chdir(tmp_path)
    filled = json.loads(json.dumps(parameters).replace("{folder}", str(tmp_path)))
    said = server_says(deployed(tmp_path), **filled)
    assert refused_because in said if refused_because else said == ""


def test_what_a_deployment_bakes_in_fits_its_own_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "in (1)").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    Path("plan.yml").write_text("seed: 1\n")
    arguments = [
        "--plan",
        "plan.yml",
        "--input",
        "in (1)/*.jsonl",
        "--output",
        "out",
        "--set",
        "dedup.threshold=0.7",
        "--work",
        "w",
    ]
    made = deploy.prepare(deploy.parser().parse_args(arguments))
    schema = deploy.registered(made)._parameter_openapi_schema.model_dump()
    assert server_says(schema, **made.parameters) == ""
    assert server_says(schema, input=[f"{tmp_path}/real/a.jsonl"]) == ""


def test_keys_of_the_plans_own_plugins_are_part_of_the_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "patience.py").write_text(SLOW_FILTER)
    (tmp_path / "plan.yaml").write_text("plugins: [patience]\nfilters: {patience: {seconds: 0}}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    schema = deployed(tmp_path, "--plan", "plan.yaml")
    assert server_says(schema, overrides={"filters.patience.seconds": 2}) == ""
    assert "unexpected" in server_says(schema, overrides={"filters.patient.seconds": 2})
    assert "unexpected" in server_says(prefect_flow.curate.parameters.model_dump(), overrides={"filters.patience.seconds": 2})


def test_every_key_of_the_plan_has_a_description_in_the_form() -> None:
    schemas = form.override_schemas()
    assert len(schemas) > 100
    undescribed = [key for key, schema in schemas.items() if not schema.get("description")]
    assert undescribed == []
    assert "URL" not in server_says(prefect_flow.curate.parameters.model_dump(), overrides={}, input=["s3://bucket/in"])
    assert server_says(prefect_flow.curate.parameters.model_dump(), input=["s3://u:p@bucket/in"]) != ""


def test_one_run_at_a_time_and_later_ones_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = deploy.registered(deploy.prepare(deploy.parser().parse_args(["--input", "in", "--cron", "0 3 * * *"])))
    assert made.concurrency_limit == 1
    assert made.concurrency_options.collision_strategy.value == "ENQUEUE"
    assert made.entrypoint == "flows.prefect_flow.curate"
    assert [item.schedule.cron for item in made.schedules] == ["0 3 * * *"]


def test_a_server_of_this_environment_schedules_the_runs(
    prefect_server: Temporary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SQLAlchemy 2.1, Prefect 3.8 takes a schedule and never runs it: see pyproject.toml."""
    monkeypatch.chdir(tmp_path)
    made = deploy.registered(deploy.prepare(deploy.parser().parse_args(["--input", "in", "--cron", "0 3 * * *"])))
    with command_settings(prefect_server):
        known = str(made.apply())
    assert httpx.post(f"{prefect_server.url}/deployments/{known}/schedule", json={}).status_code == 200
    asked = {"deployments": {"id": {"any_": [known]}}, "sort": "EXPECTED_START_TIME_ASC"}
    runs = httpx.post(f"{prefect_server.url}/flow_runs/filter", json=asked).json()
    httpx.delete(f"{prefect_server.url}/deployments/{known}")
    for run in runs:  # other tests look for the newest run of this server
        httpx.delete(f"{prefect_server.url}/flow_runs/{run['id']}")
    assert len(runs) >= 3
    assert {(run["state"]["type"], run["expected_start_time"][11:16]) for run in runs} == {("SCHEDULED", "03:00")}


@pytest.fixture
def bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`bound(plan=, input=, output=)`: the plan that a deployment with the roots `in` and `out` would run."""
    for folder in ("in", "out", "secret"):
        (tmp_path / folder).mkdir()
    (tmp_path / "in" / "a.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "secret" / "s.jsonl").write_text('{"text": "s"}\n')
    monkeypatch.setenv("WINNOW_ROOTS", f"{tmp_path}/in:{tmp_path}/out")
    monkeypatch.setattr(prefect_flow, "get_run_logger", lambda: logging.getLogger("test"))
    monkeypatch.setattr(prefect_flow.progress, "progress_bars", lambda _: nullcontext())
    ran = []

    def stages(loaded: Any, options: RunOptions, **_: Any) -> Result:
        ran.append(loaded.plan)
        return Result(options.output, None, metrics(), ())

    monkeypatch.setattr(prefect_flow.execute, "execute", stages)

    def run(plan: str = "default", *, path: str = "in/*.jsonl", output: str = "out/x", **overrides: str) -> Any:
        chosen = {key.replace("__", "."): value for key, value in overrides.items()}
        options = RunOptions(output=str(tmp_path / output))
        prefect_flow._deployed(plan, chosen, [str(tmp_path / path)], options=options)
        return ran[-1]

    return run


def test_a_deployment_stops_on_failed_checks_unless_it_is_told_otherwise(bound: Callable[..., Any]) -> None:
    assert bound().checks.on_fail == "stop"
    assert bound(checks__on_fail="warn").checks.on_fail == "warn"


@pytest.mark.parametrize(
    ("pattern", "fixed"),
    [
        ("s3://bucket/in/*.jsonl", "s3://bucket/in"),
        ("s3://bucket/in/**/a.jsonl", "s3://bucket/in"),
        ("s3://bucket/in/a.jsonl", "s3://bucket/in/a.jsonl"),
        ("s3://*/a.jsonl", "s3://*/a.jsonl"),
        ("https://host/a.jsonl?v=2", "https://host/a.jsonl?v=2"),
        ("/data/in/*.jsonl", "/data/in"),
    ],
)
def test_a_deployments_root_is_the_folder_before_the_first_wildcard(pattern: str, fixed: str) -> None:
    from flows.serving.roots import fixed_part

    assert fixed_part(pattern) == fixed


def test_an_output_with_a_secret_is_refused_before_the_server_hears_of_it() -> None:
    arguments = deploy.parser().parse_args(["--input", "in", "--output", "s3://key:hunter2@bucket/out"])
    with pytest.raises(OutputError, match="credentials come from the environment") as error:
        deploy.prepare(arguments)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("errors", "runs"),
    [
        ([], 1),
        ([ConnectionError("cut")] * 2, 3),
        ([TimeoutError("slow")] * 5, 3),
        ([OSError(28, "full")], 1),
        ([InputError("gone")], 1),
    ],
)
def test_a_deployed_run_is_tried_again_as_a_whole_for_what_can_pass(
    bound: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errors: list[Exception], runs: int
) -> None:
    begun = []

    def stages(_loaded: Any, options: RunOptions, **_: Any) -> Result:
        begun.append(1)
        if len(begun) <= len(errors):
            raise errors[len(begun) - 1]
        return Result(options.output, None, metrics(), ())

    monkeypatch.setattr(prefect_flow, "RUN_BACK_OFF_S", 0)
    monkeypatch.setattr(prefect_flow.execute, "execute", stages)
    options, inputs = RunOptions(output=str(tmp_path / "out"), retries=2), [str(tmp_path / "in" / "a.jsonl")]
    if len(errors) < runs:
        assert prefect_flow._deployed("none", {}, inputs, options=options).result.generation is None
    else:
        with pytest.raises(type(errors[0])):
            prefect_flow._deployed("none", {}, inputs, options=options)
    assert len(begun) == runs


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


@pytest.mark.parametrize("key", ["plugins", "plugins.0", " plugins", "plugins ", 'plugins=["os"] #', "plugins\n", "", "a b", "9"])
def test_no_key_smuggles_in_plugins(bound: Callable[..., Any], key: str) -> None:
    with pytest.raises(PlanError, match=r"plugins cannot be set|is no key of a plan"):
        bound(path="in/a.jsonl", **{key: ["os"]})


def test_prefect_yaml_is_a_nightly_deployment_that_the_flow_accepts() -> None:
    (made,) = YAML(typ="safe", pure=True).load((ROOT / "prefect.yaml").read_text())["deployments"]
    module, _, name = made["entrypoint"].rpartition(".")
    assert getattr(sys.modules[module], name) is prefect_flow.curate
    prefect_flow.curate.validate_parameters(made["parameters"])
    assert (made["schedules"][0]["cron"], made["work_pool"]["name"]) == ("0 3 * * *", "winnow")
    assert made["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    assert made["work_pool"]["job_variables"]["env"]["WINNOW_ROOTS"]


def test_a_deployed_run_takes_its_cluster_from_its_process_and_not_from_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.prefect_flow import curate
    from flows.serving import cluster_flow
    from pipeline.errors import UsageError

    assert not [name for name in curate.parameters.model_dump()["properties"] if "runner" in name]
    monkeypatch.setenv(cluster_flow.RUNNER, "dask")
    monkeypatch.setenv(cluster_flow.ADDRESS, "tcp://127.0.0.1:8786")
    made = cluster_flow.bound(RunOptions(output="out"))
    assert (made.runner, made.runner_address, made.output) == ("dask", "tcp://127.0.0.1:8786", "out")
    monkeypatch.setenv(cluster_flow.RUNNER, "spark")
    with pytest.raises(UsageError, match="WINNOW_RUNNER=spark: expected one of local, dask, ray"):
        cluster_flow.bound(RunOptions(output="out"))


def test_a_crawl_and_a_list_of_paths_read_below_the_base_of_their_source():
    from flows.serving import roots
    from pipeline.plan.load import load_plan

    for path in ("cc://CC-MAIN-2026-05/wet", "/in/wet.paths.gz"):
        loaded = load_plan(None, inputs=[path], assignments=["source.base=https://mirror.example.org/cc/"])
        bounds = ("/in", "/out", "https://mirror.example.org/cc")
        roots.check(loaded, output="/out/x", work=None, bounds=bounds, matched=False)
        with pytest.raises(InputError, match=r"input https://mirror\.example\.org/cc/ lies outside the roots"):
            roots.check(loaded, output="/out/x", work=None, bounds=bounds[:2], matched=False)
