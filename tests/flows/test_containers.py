"""The image and the examples for Kubernetes: what they name is there, and what they promise holds."""

from __future__ import annotations

import re
import shlex
import tomllib
from typing import Any

import pytest
from ruamel.yaml import YAML

from flows import __version__
from flows.curate import _bytes, parser
from flows.serving import roots
from pipeline.plan.load import load_plan
from pipeline.run.options import DEFAULT_MEMORY
from tests.support import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"


def documents(name: str) -> list[dict[str, Any]]:
    return list(YAML(typ="safe", pure=True).load_all((KUBERNETES / name).read_text("utf-8")))


def test_the_image_copies_what_a_build_needs_and_runs_as_nobody_special():
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    copied = {name for line in lines if line.startswith("COPY ") and "--from" not in line for name in shlex.split(line)[1:-1]}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)
    assert copied >= {"pyproject.toml", "filters", "pipeline", "flows", "sample_data", "README.md", "LICENSE"}
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["10001:10001"] and "VOLUME /cache" in lines
    assert any("XDG_CACHE_HOME=/cache" in line for line in lines)
    extras = next(re.findall(r"EXTRAS=(\w+)", line) for line in lines if line.startswith("ARG EXTRAS"))
    assert set(extras) <= set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"])


def pods() -> list[tuple[str, dict[str, Any]]]:
    worker = next(one for one in documents("worker.yaml") if one["kind"] == "Deployment")
    cron = documents("cronjob.yaml")[0]
    return [("worker", worker["spec"]["template"]["spec"]), ("cronjob", cron["spec"]["jobTemplate"]["spec"]["template"]["spec"])]


@pytest.mark.parametrize(("name", "pod"), pods(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_pod_has_the_cache_on_a_volume_no_rights_and_room_for_what_a_run_may_hold(name, pod):
    (container,) = pod["containers"]
    assert container["image"].endswith(f"winnow:{__version__}")
    assert {"name": "XDG_CACHE_HOME", "value": "/cache"} in container["env"]
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert set(mounted.values()) == set(volumes)
    claims = {one["metadata"]["name"] for one in documents("worker.yaml") if one["kind"] == "PersistentVolumeClaim"}
    assert volumes[mounted["/cache"]]["persistentVolumeClaim"]["claimName"] in claims
    assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
    limit = container["resources"]["limits"]["memory"]
    arguments = container["args"]
    budget = _bytes(arguments[arguments.index("--memory") + 1]) if name == "cronjob" else DEFAULT_MEMORY
    assert _bytes(f"{limit}B") >= budget + (900 << 20), "a limit has room for more than what a run may hold"


def test_the_command_of_the_cron_job_is_one_that_curate_takes():
    arguments = pods()[1][1]["containers"][0]["args"]
    asked = parser().parse_args(arguments[1:])
    assert (arguments[0], asked.memory, asked.output) == ("curate", "6GiB", "s3://CORPUS/curated")


def test_the_worker_s_plan_loads_and_its_deployment_stays_below_the_roots(tmp_path, monkeypatch):
    given = next(one for one in documents("worker.yaml") if one["kind"] == "ConfigMap")["data"]
    plan, deployed = tmp_path / "plan.yaml", YAML(typ="safe", pure=True).load(given["prefect.yaml"])
    plan.write_text(given["plan.yaml"], "utf-8")
    loaded = load_plan(str(plan))
    (deployment,) = deployed["deployments"]
    monkeypatch.setenv(roots.VARIABLE, deployment["work_pool"]["job_variables"]["env"][roots.VARIABLE])
    allowed = roots.configured()
    assert allowed == ("/plans", "s3://CRAWL", "s3://CORPUS")
    assert loaded.plan.checks.on_fail == "stop" and loaded.plan.source[0].paths[0].startswith(allowed[1])
    assert deployment["parameters"]["output"].startswith(allowed[2])
    template = next(one for one in documents("worker.yaml") if one["kind"] == "Deployment")["spec"]["template"]["spec"]
    assert f"--pool {deployment['work_pool']['name']} --limit 1" in template["containers"][0]["args"][0]
    assert {volume["configMap"]["name"] for volume in template["volumes"] if "configMap" in volume} == {"winnow-nightly"}
