"""`winnow curate`: from arguments to an exit code.

Exit codes: 0 done; 1 the run failed, the same command resumes; 2 the command or plan is wrong; 3 a check refused to
publish; 130 interrupted. The result goes to stdout, everything else to stderr. Heavy imports happen after parsing, so that
`--help` and mistakes answer at once. For programs and notebooks it has `curate` and `judge` (docs/python.md).
"""

from __future__ import annotations

import argparse
import atexit
import gc
import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from flows import __version__, errors, running
from flows.python.calls import curate, judge

if TYPE_CHECKING:
    from flows.serving.server import Temporary
    from flows.terminal.progress import Json
    from pipeline.plan.load import LoadedPlan
    from pipeline.run.options import RunOptions

__all__ = ["curate", "judge", "main"]

SAMPLE = Path(__file__).resolve().parent.parent / "sample_data" / "plan.yaml"
"""Beside this package, in the source tree and where the wheel is installed."""


def parser() -> argparse.ArgumentParser:
    """The command line; the usage in docs/running.md is held to it by a test."""
    made = errors.Parser(
        prog="winnow curate",
        usage="winnow curate [PLAN] [--input PATH ...] [--output DIR] [OPTION ...]",
        description="Curate text for training language models: raw text in, Parquet shards out, every removal explained.",
        epilog="Without arguments: curates sample_data/ into curated/. Exit codes: 0 done, 1 failed (the same command"
        " resumes), 2 wrong command or plan, 3 a check failed or nothing was kept: nothing was published (--accept publishes),"
        " 130 interrupted.",
    )
    _add_plan(made.add_argument_group("plan and input"))
    _add_publishing(made.add_argument_group("what becomes of the output"))
    _add_looks(made.add_argument_group("look first"))
    _add_resources(made.add_argument_group("where and how it runs"))
    shown = made.add_argument_group("what is printed")
    shown.add_argument("--json", action="store_true", help="print the result as JSON")
    shown.add_argument("--log-json", action="store_true", help="progress, notes and errors as JSON, one object a line, on stderr")
    shown.add_argument("--version", action="version", version=f"winnow {__version__}", help="print the version and end")
    return made


def explain_parser() -> argparse.ArgumentParser:
    """The same of `winnow plan explain`, which is curate with --explain."""
    made = parser()
    made.prog = "winnow plan explain"
    made.usage = "winnow plan explain [PLAN] [--input PATH ...] [--output DIR] [OPTION ...]"
    made.description = "Show what a plan would do with its input, and all that would stop it; run nothing (curate --explain)."
    made.epilog = "Exit codes: 0 it can run, 2 something would stop it."
    made.set_defaults(explain=True)
    return made


def _add_plan(made: argparse._ArgumentGroup) -> None:
    made.add_argument(
        "plan",
        nargs="?",
        metavar="PLAN",
        help="a YAML file (`winnow plan init` writes one) or a preset's name (with --input, default: default@2)",
    )
    made.add_argument(
        "--input",
        nargs="+",
        action="extend",
        metavar="PATH",
        default=[],
        help="files, folders, globs, URLs; replace the plan's; may be repeated",
    )
    made.add_argument("--output", metavar="DIR", default="curated", help="folder of the result (default: curated)")
    made.add_argument("--text", metavar="COLUMN", help="column that holds the text (as --set source.text=COLUMN)")
    made.add_argument("--set", action="append", metavar="KEY=VALUE", default=[], help="override one key of the plan")


def _add_publishing(made: argparse._ArgumentGroup) -> None:
    made.add_argument("--replace", action="store_true", help="make the output anew; facts that still hold are used")
    made.add_argument("--fresh", action="store_true", help="as --replace, with an emptied work directory")
    made.add_argument("--clean", action="store_true", help="remove the work directory afterwards")
    made.add_argument(
        "--accept", action="store_true", help="publish although a check failed, or although nothing was kept; recorded"
    )


def _add_looks(made: argparse._ArgumentGroup) -> None:
    made.add_argument("--explain", action="store_true", help="show what would run, and why; run nothing")
    made.add_argument(
        "--sample", type=float, metavar="SHARE", help="judge a seeded share of the units, print estimates, publish nothing"
    )


def _add_resources(made: argparse._ArgumentGroup) -> None:
    made.add_argument("--work", metavar="DIR", help="work directory (default: OUTPUT/.work)")
    made.add_argument(
        "--workers", type=int, metavar="N", help="threads, or processes of a local cluster (default: the CPUs of this machine)"
    )
    made.add_argument("--memory", metavar="BYTES", default="2GB", help="memory budget of the run (default: 2GB)")
    made.add_argument("--inline", action="store_true", help="the same stages in this process, without a Prefect server")
    made.add_argument(
        "--runner",
        choices=("local", "dask", "ray"),
        default="local",
        help="where tasks run: threads of this process (default), or a cluster",
    )
    made.add_argument(
        "--runner-address",
        metavar="URL",
        help="of a Dask scheduler or a Ray cluster that sees input, output and work (default: a cluster of this machine's"
        " processes, for this run)",
    )
    made.add_argument(
        "--retries", type=int, metavar="N", default=2, help="of a task that failed for a passing cause (default: 2)"
    )
    made.add_argument(
        "--unlocked",
        action="store_true",
        help="allow an object store without conditional writes as output: nothing keeps two runs apart",
    )


def main(argv: Sequence[str] | None = None, *, own_process: bool = False, explains: bool = False) -> int:
    """Run the command; returns the exit code. `own_process`: this process was started for it and ends with it; `explains`: it is
    `winnow plan explain`."""
    made = explain_parser() if explains else parser()
    arguments = made.parse_args(argv, argparse.Namespace(own_process=own_process))
    workers = arguments.workers if arguments.workers is not None else len(os.sched_getaffinity(0))
    os.environ.setdefault("POLARS_MAX_THREADS", str(max(1, workers)))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # others loop: 0.11 of a start's 0.86 CPU-seconds (`make bench B=tricks`)
    from flows.terminal import progress as show

    lines = show.Json(sys.stderr) if arguments.log_json else None
    tell = lines.failed if lines is not None else errors.on_stderr("winnow")
    return errors.exit_code(lambda: _run(arguments, workers, lines), tell=tell, resumes=True)


def _run(arguments: argparse.Namespace, workers: int, lines: Json | None) -> int:
    _check(arguments, workers)
    if arguments.inline or arguments.explain or arguments.sample is not None:
        return _carry_out(arguments, workers, None, lines=lines)
    from flows.serving import server

    with server.for_this_run() as temporary:
        return _carry_out(arguments, workers, temporary, lines=lines)


def _carry_out(arguments: argparse.Namespace, workers: int, temporary: Temporary | None, *, lines: Json | None) -> int:
    gc.disable()  # half a million objects of imports live for ever: 0.49 of a start's 2.58 CPU-seconds (`make bench B=tricks`)
    from flows.terminal import progress as show
    from pipeline.plan.load import load_plan
    from pipeline.report import table

    gc.freeze()
    gc.enable()
    plan, inputs = _asked(arguments)
    if arguments.explain:
        return _explain(arguments, workers, plan=plan, inputs=inputs)
    loaded = load_plan(plan, inputs=inputs, assignments=_assigned(arguments))
    options = _options(arguments, workers, memory=_bytes(arguments.memory))
    progress = lines or show.on_stderr()
    if arguments.sample is not None:
        return _look(loaded, options, arguments, progress=progress)
    try:
        result = running.run(loaded, options, on_event=progress, inline=arguments.inline, temporary=temporary)
    finally:
        progress.close()
    if isinstance(progress, show.Json):
        progress.result(result)
    else:
        told = () if arguments.json or result.generation is None else result.metrics.notes  # by the summary
        table.show([f"note: {note}" for note in result.notes if note not in told], sys.stderr)
    if arguments.json:
        new = result.generation is not None
        shown = {"output": result.out, "new": new, "generation": result.generation, "notes": result.notes}
        print(json.dumps({**shown, "metrics": result.metrics.model_dump(mode="json")}, sort_keys=True))
    else:
        ended = [""] if result.generation is not None else []
        table.show([*running.said(result), *ended], sys.stdout)
    return 0


def _options(arguments: argparse.Namespace, workers: int, *, memory: int) -> RunOptions:
    from pipeline.run.options import RunOptions

    return RunOptions(
        output=arguments.output,
        work=arguments.work,
        workers=workers,
        replace=arguments.replace,
        fresh=arguments.fresh,
        clean=arguments.clean,
        accept=arguments.accept,
        memory=memory,
        retries=arguments.retries,
        runner=arguments.runner,
        runner_address=arguments.runner_address,
        unlocked=arguments.unlocked,
        own_process=arguments.own_process,
    )


def _explain(arguments: argparse.Namespace, workers: int, *, plan: str | None, inputs: Sequence[str]) -> int:
    """`--explain`: on stdout what would run; all that would stop it is one error."""
    from pipeline.errors import UsageError
    from pipeline.plan.load import load_leniently
    from pipeline.report import table
    from pipeline.run.explain import explain
    from pipeline.run.options import DEFAULT_MEMORY

    loaded, faults = load_leniently(plan, inputs=inputs, assignments=_assigned(arguments))
    memory = DEFAULT_MEMORY
    try:
        memory = _bytes(arguments.memory)
    except UsageError as error:
        faults.append(str(error))
    found = explain(loaded, _options(arguments, workers, memory=memory), faults=faults)
    if arguments.json:
        print(json.dumps({"explain": found.lines, "faults": found.faults}))
    else:
        table.show(found.lines, sys.stdout)
    if not found.faults:
        return 0
    many = f"{len(found.faults)} faults would stop" if len(found.faults) > 1 else "one fault would stop"
    raise UsageError("\n".join([f"{many} the run:", *("- " + fault.replace("\n", "\n  ") for fault in found.faults)]))


def _look(loaded: LoadedPlan, options: RunOptions, arguments: argparse.Namespace, *, progress: Any) -> int:
    """`--sample`: estimates on stdout."""
    from pipeline.machine.schedule import in_process
    from pipeline.report import table
    from pipeline.run import estimate
    from pipeline.run.estimate_text import estimate_text

    try:
        mapper = in_process(options.workers)
        found = estimate.estimate(loaded, options, arguments.sample, mapper=mapper, on_event=progress)
    finally:
        progress.close()
    if arguments.json:
        print(json.dumps(estimate.plain(found), sort_keys=True))
    else:
        table.show([*estimate_text(found), ""], sys.stdout)
    return 0


def _bytes(given: str) -> int:
    """Bytes of `--memory`: a number, with or without a unit (`800MB`, `1.5GB`, `2GiB`)."""
    from pydantic import ByteSize, TypeAdapter, ValidationError

    from pipeline.errors import UsageError

    try:
        return int(TypeAdapter(ByteSize).validate_python(given))
    except ValidationError as error:
        raise UsageError(f"--memory {given}: expected bytes, such as 800MB or 2GiB") from error


def _asked(arguments: argparse.Namespace) -> tuple[str | None, list[str]]:
    """Plan and inputs; without either, the sample data that come with the project."""
    if arguments.plan is not None or arguments.input:
        return arguments.plan, arguments.input
    if not SAMPLE.is_file():
        from pipeline.errors import InputError

        raise InputError("no input: give a PLAN or --input PATH (the sample data are not beside this package)")
    return str(SAMPLE), [str(SAMPLE.parent / "input")]


def _assigned(arguments: argparse.Namespace) -> list[str]:
    """`KEY=VALUE` of all options that change the plan."""
    from pipeline.plan.load import assignments_of

    return [*([] if arguments.text is None else assignments_of({"source.text": arguments.text})), *arguments.set]


def _check(arguments: argparse.Namespace, workers: int) -> None:
    from pipeline.errors import UsageError

    if arguments.runner == "local" and arguments.runner_address is not None:
        raise UsageError(f"--runner-address {arguments.runner_address}: only with --runner dask or --runner ray")
    if workers < 1:
        raise UsageError(f"--workers {workers}: expected at least 1")
    if arguments.sample is not None and not 0 < arguments.sample <= 1:
        raise UsageError(f"--sample {arguments.sample}: expected a share between 0 and 1, such as 0.01")
    if arguments.retries < 0:
        raise UsageError(f"--retries {arguments.retries}: expected 0 or more")


def ended(code: int) -> NoReturn:
    """End this process as multiprocessing ends its own: what waits for the end is done, and memory is left to the system.
    (To take what Prefect and our imports made apart takes 0.18 of 2.96 CPU-seconds: `make bench B=tricks`.)"""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:  # the interpreter says so, and exits with 120
        raise SystemExit(code) from error
    os._exit(code)


if __name__ == "__main__":
    ended(main(own_process=True))
