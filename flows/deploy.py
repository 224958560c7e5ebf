"""`python -m flows.deploy`: serve the flow `curate` as a deployment, on a schedule, from this process.

Everything is checked before the server hears of it: the plan, the schedule, the roots. Paths are made absolute, so that the
runs do not depend on where they start. The served process reads and writes only below its roots (`flows.serving.roots`): those
given, or else just what this deployment was made of.

Exit codes: 0 ended by the user once it serves; 1 a disk or the network failed; 2 wrong command, plan or no server; 130
interrupted before it serves.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows import errors
from pipeline.errors import OutputError, UsageError
from pipeline.store import places

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment
    from pydantic import JsonValue

    from pipeline.plan.model import Plan

NO_SERVER = """no Prefect server is configured; a deployment needs one that stays up:
  prefect server start                                              (in a terminal of its own)
  prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api      (once; or export PREFECT_API_URL)
then the same command again"""

SERVER_WAIT_S = 40.0
"""Longest wait, in seconds, for a server that was started a moment ago: it is up after some 15 s, 30 on a busy machine."""


@dataclass(frozen=True)
class Deployment:
    """What is served: its name, schedule, baked-in parameters and roots; all paths absolute.

    `written`: the roots as their author wrote them, for the form. `model`: the plan's, keys of its plugins included.
    """

    name: str
    cron: str | None
    parameters: dict[str, JsonValue]
    roots: tuple[str, ...]
    written: tuple[str, ...]
    model: type[Plan]
    notify: str | None = None
    log_json: bool = False
    runner: str = "local"
    runner_address: str | None = None


def parser() -> argparse.ArgumentParser:
    made = errors.Parser(
        prog="winnow deploy",
        description="Serve curation as a scheduled Prefect deployment from this process, until it is interrupted.",
        epilog="Each run takes what is new in the input. A failed check publishes nothing (checks.on_fail: stop).",
    )
    plan_help = "a YAML file or a preset's name (default: default@2)"
    made.add_argument("plan", nargs="?", metavar="PLAN", default=argparse.SUPPRESS, help=plan_help)  # as of curate
    made.add_argument("--plan", dest="plan", metavar="PLAN", help=argparse.SUPPRESS)  # as it was written before
    made.add_argument(
        "--input", nargs="+", action="extend", metavar="PATH", default=[], help="files, folders, globs, URLs; replace the plan's"
    )
    made.add_argument("--output", metavar="DIR", default="curated", help="folder of the result (default: curated)")
    made.add_argument("--set", action="append", metavar="KEY=VALUE", default=[], help="override one key of the plan")
    made.add_argument("--work", metavar="DIR", help="work directory (default: OUTPUT/.work)")
    made.add_argument("--workers", type=int, metavar="N", help="threads (default: the CPUs of this machine)")
    made.add_argument("--runner", choices=("local", "dask", "ray"), default="local", help="what runs the spans (default: local)")
    made.add_argument(
        "--runner-address", metavar="URL", help="a cluster that is there (default: one on this machine for each run)"
    )
    made.add_argument("--cron", metavar="CRON", help='schedule in UTC, such as "0 3 * * *" (default: runs on request only)')
    made.add_argument(
        "--notify",
        metavar="URL",
        help="post a small JSON to this webhook when a run ends: https, or http to this machine; a secret one belongs into the"
        " environment variable WINNOW_NOTIFY_URL",
    )
    made.add_argument("--log-json", action="store_true", help="runs write their events to stderr as JSON, one object a line")
    made.add_argument("--name", default="nightly", help="the deployment is called curate/NAME (default: nightly)")
    made.add_argument(
        "--root",
        action="append",
        metavar="DIR",
        default=[],
        help="runs read and write below these folders only (default: the input, output, work and plan given here)",
    )
    return made


def prepare(arguments: argparse.Namespace) -> Deployment:
    """Check everything that can be checked without a server. Raises UsageError."""
    from flows.serving import notify, roots
    from pipeline.plan.load import DEFAULT, assigned, load_plan
    from pipeline.store.secrets import refuse_secrets

    refuse_secrets(arguments.output, what="output", error=OutputError)
    refuse_secrets(arguments.work or "", what="work directory", error=OutputError)
    for text in (*arguments.input, *arguments.set, *arguments.root, arguments.plan or ""):
        refuse_secrets(text)
    webhook = arguments.notify or os.environ.get(notify.VARIABLE)
    if webhook is not None:
        notify.check(webhook)
    loaded = load_plan(arguments.plan, inputs=arguments.input, assignments=arguments.set)
    if not loaded.plan.source:
        raise UsageError("no input: give --input PATH, or source.paths in the plan")
    workers = arguments.workers if arguments.workers is not None else len(os.sched_getaffinity(0))
    if workers < 1:
        raise UsageError(f"--workers {workers}: expected at least 1")
    if arguments.runner_address is not None and arguments.runner == "local":
        raise UsageError(f"--runner-address {arguments.runner_address}: only with --runner dask or --runner ray")
    _check_cron(arguments.cron)
    made_of = roots.written_by(arguments.output, arguments.work) + roots.plan_files(arguments.plan) + roots.read_by(loaded)
    bounds = tuple(dict.fromkeys(roots.absolute(path) for path in arguments.root or made_of))
    if colons := [root for root in bounds if ":" in root.replace("://", "")]:
        raise UsageError(f"{colons[0]}: a root with a colon in its path cannot be told from two; name one above it with --root")
    roots.check_plan(arguments.plan, bounds)
    roots.check(loaded, output=arguments.output, work=arguments.work, bounds=bounds, matched=False)
    plan = arguments.plan or DEFAULT
    parameters: dict[str, JsonValue] = {
        "plan": _absolute(plan) if roots.plan_files(plan) else plan,
        "overrides": dict(assigned(text) for text in arguments.set),
        "input": [_absolute(path) for path in arguments.input],
        "output": _absolute(arguments.output),
        "work": _absolute(arguments.work) if arguments.work else "",
        "workers": workers,
    }
    return Deployment(
        name=arguments.name,
        cron=arguments.cron,
        parameters=parameters,
        roots=bounds,
        written=tuple(dict.fromkeys(_absolute(path) for path in arguments.root or made_of)),
        model=type(loaded.plan),
        notify=webhook,
        log_json=arguments.log_json,
        runner=arguments.runner,
        runner_address=arguments.runner_address,
    )


def _absolute(path: str) -> str:
    return places.absolute(path)


def _check_cron(cron: str | None) -> None:
    from prefect.client.schemas.schedules import CronSchedule
    from pydantic import ValidationError

    try:
        if cron is not None:
            CronSchedule(cron=cron)
    except ValidationError as error:
        raise UsageError(f'--cron {cron}: not a cron schedule; five fields, such as "0 3 * * *"') from error


def check_server() -> str:
    """The configured server's URL, once it answers. Raises UsageError where there is none or it does not."""
    from flows.serving import server

    url = server.configured()
    if url is None:
        raise UsageError(NO_SERVER)
    from prefect.client.orchestration import get_client

    give_up = time.monotonic() + SERVER_WAIT_S
    with get_client(sync_client=True) as client:
        while (failure := client.api_healthcheck()) is not None:
            if time.monotonic() >= give_up:
                raise UsageError(f"the Prefect server at {url} does not answer ({failure}); start it with `prefect server start`")
            time.sleep(1)
    return url


def serve(deployment: Deployment) -> None:
    """Register the deployment and run what the server schedules, one run at a time, until interrupted.

    A run that falls due while another is going on waits for it, and then finds what is new.
    """
    from flows.serving import notify, roots

    os.environ[roots.VARIABLE] = ":".join(deployment.roots)
    if deployment.notify is not None:
        os.environ[notify.VARIABLE] = deployment.notify
    from flows import prefect_flow  # after the webhook is known: its hooks are part of the flow
    from flows.serving import cluster_flow

    os.environ[cluster_flow.RUNNER] = deployment.runner
    os.environ[cluster_flow.ADDRESS] = deployment.runner_address or ""
    if deployment.log_json:
        os.environ[prefect_flow.LOG_JSON] = "1"
    from prefect import serve as serve_deployments

    serve_deployments(registered(deployment), limit=1)


def registered(deployment: Deployment) -> RunnerDeployment:
    """The deployment as the server learns of it: the flow's form, its paths below the roots."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.deployments.runner import EntrypointType, RunnerDeployment
    from prefect.utilities.callables import ParameterSchema

    from flows.prefect_flow import curate
    from flows.serving import form

    made = RunnerDeployment.from_flow(
        curate,
        name=deployment.name,
        cron=deployment.cron,
        parameters=deployment.parameters,
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    bounds = list(dict.fromkeys((*deployment.written, *deployment.roots)))
    schema = form.bounded(curate.parameters.model_dump(), bounds, model=deployment.model)
    made._parameter_openapi_schema = ParameterSchema(**schema)  # Prefect has no public place for a deployment's own schema
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = parser().parse_args(argv)
    return errors.exit_code(lambda: _run(arguments), tell=errors.on_stderr("winnow deploy"))


def _run(arguments: argparse.Namespace) -> int:
    deployment = prepare(arguments)
    check_server()
    serve(deployment)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
