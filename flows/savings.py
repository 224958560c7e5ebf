"""`python -m flows.savings`: measure the training compute that a curation saves, at equal quality.

Exit codes as in `flows.curate`. The result goes to stdout, everything else to stderr; it is in `savings.json` and `report.html`
of the output too. "No evidence" and "costs" are results, and end with 0.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from flows import errors

if TYPE_CHECKING:
    from pipeline.records.savings_json import Savings, Tier
    from pipeline.savings.measure import Request

COMMANDS = ("export-arms", "score")


def parser() -> argparse.ArgumentParser:
    """The command line of a measurement."""
    made = errors.Parser(
        prog="winnow savings",
        description="Train the same small model on raw and on curated text; report at how much less compute it is as good.",
        epilog="Also: winnow savings export-arms --help, winnow savings score --help.",
    )
    _common(made)
    made.add_argument(
        "--tier",
        choices=("ngram", "cpu", "gpu"),
        default="ngram",
        help="ngram ranks; cpu and gpu measure (extra savings)",
    )
    made.add_argument("--thorough", action="store_true", help="also other sizes of the model, and a tenth of the learning rate")
    made.add_argument("--sweep", metavar="KEY=V1,V2", help="measure values of a plan key")
    made.add_argument("--by-reason", action="store_true", help="switch each filter off and rank them (ngram)")
    made.add_argument("--trust", action="store_true", help="variants may run the plugins, and fetch the models, of OUT's plan")
    made.add_argument("--minutes", type=float, metavar="M", help="stop after M minutes; the same command goes on")
    made.add_argument("--inline", action="store_true", help="in this process, without a Prefect server")
    made.add_argument("--json", action="store_true", help="print the result as JSON")
    return made


def _common(made: argparse.ArgumentParser) -> None:
    made.add_argument("output", nargs="?", default="curated", metavar="OUT", help="an output of Winnow (default: curated)")
    made.add_argument(
        "--arm",
        action="append",
        metavar="NAME=WHAT",
        default=[],
        help="source, 'same mix', an output, or files; the first is the baseline (default: raw text, OUT, raw text in OUT's mix)",
    )
    made.add_argument(
        "--target",
        action="append",
        metavar="PATH",
        default=[],
        help="held-out text, primary first (default: compute.targets)",
    )
    made.add_argument("--draws", type=int, metavar="N", help="paired draws of the text (default: 5 of ngram, at most 8 trained)")
    made.add_argument("--work", metavar="DIR", help="work directory (default: OUT/.work)")
    made.add_argument("--workers", type=int, metavar="N", help="processes (default: the CPUs of this machine)")


def export_parser() -> argparse.ArgumentParser:
    made = errors.Parser(prog="winnow savings export-arms", description="Write arms and held-out sets for your own trainer.")
    _common(made)
    made.add_argument("--to", required=True, metavar="DIR", help="folder to write")
    made.add_argument("--tokens", type=float, required=True, metavar="N", help="tokens that each run will see")
    return made


def score_parser() -> argparse.ArgumentParser:
    made = errors.Parser(prog="winnow savings score", description="Findings from the losses of your own trainer.")
    made.add_argument("folder", metavar="DIR", help="what export-arms wrote")
    made.add_argument("results", metavar="RESULTS", help="JSON lines: arm, draw, params, tokens, set, metric (bpb), value")
    made.add_argument("--json", action="store_true", help="print the result as JSON")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    command = given[0] if given and given[0] in COMMANDS else None
    parse = {"export-arms": export_parser, "score": score_parser}.get(command or "", parser)
    arguments = parse().parse_args(given[1:] if command else given)
    os.environ.setdefault("POLARS_MAX_THREADS", str(max(1, _workers(arguments))))
    act: Callable[[argparse.Namespace], int] = {"export-arms": _export, "score": _score}.get(command or "", _measure)

    def run() -> int:
        if command != "score":
            _refuse(arguments)
            from flows.terminal.settle import settle

            settle(arguments.output)
        return act(arguments)

    return errors.exit_code(run, tell=errors.on_stderr("winnow"), resumes=True)


def _refuse(arguments: argparse.Namespace) -> None:
    """What can be told at once that is lacking."""
    from pipeline.savings import lacking

    arms = [given.partition("=")[2] for given in arguments.arm]
    files_alone = bool(arms) and all(what not in ("source", arguments.output) for what in arms)
    exported = not hasattr(arguments, "tier")
    sweeps = None if exported or arguments.sweep is None else "--sweep"
    asked = lacking.Asked(
        arguments.output,
        tier="own trainer" if exported else arguments.tier,
        targets=arguments.target,
        files_alone=files_alone,
        draws=arguments.draws,
        choice="--by-reason" if not exported and arguments.by_reason else sweeps,
    )
    lacking.refuse(asked)


def _workers(arguments: argparse.Namespace) -> int:
    given = getattr(arguments, "workers", None)
    return given if given is not None else len(os.sched_getaffinity(0))


def _request(arguments: argparse.Namespace, tier: Tier) -> Request:
    from pipeline.errors import UsageError
    from pipeline.savings.arms import Spec
    from pipeline.savings.measure import Request

    specs = []
    for given in arguments.arm:
        name, _, what = given.partition("=")
        if not name or not what or "/" in name:
            raise UsageError(f"--arm {given}: expected NAME=source, NAME='same mix' or NAME=PATH")
        specs.append(Spec(name, what))
    if (arguments.draws is not None and arguments.draws < 1) or _workers(arguments) < 1:
        raise UsageError("--draws and --workers: expected at least 1")
    return Request(
        output=arguments.output,
        tier=tier,
        arms=tuple(specs),
        targets=tuple(arguments.target),
        draws=arguments.draws,
        thorough=getattr(arguments, "thorough", False),
        work=arguments.work,
        workers=_workers(arguments),
        minutes=getattr(arguments, "minutes", None),
        trust=getattr(arguments, "trust", False),
    )


def _measure(arguments: argparse.Namespace) -> int:
    from flows.terminal import progress as show

    request = _request(arguments, arguments.tier)
    progress = show.on_stderr()
    try:
        if arguments.inline:
            from pipeline.savings.run import carry_out

            made = carry_out(request, progress, sweep=arguments.sweep, by_reason=arguments.by_reason)
        else:
            from flows.serving import savings_flow

            made = savings_flow.measure_in_flow(request, progress, sweep=arguments.sweep, by_reason=arguments.by_reason)
    finally:
        progress.close()
    reported = os.path.isfile(os.path.join(arguments.output, "report.html"))
    _show(made, arguments, out=arguments.output if reported else None)
    return 0


def _show(made: Savings, arguments: argparse.Namespace, *, out: str | None) -> None:
    from pipeline.report import table
    from pipeline.report.page.savings import summary

    if arguments.json:
        print(json.dumps(made.plain(), sort_keys=True))
    else:
        table.show(summary(made, out=out), sys.stdout)


def _export(arguments: argparse.Namespace) -> int:
    from pipeline.report import table
    from pipeline.savings import exchange, measure
    from pipeline.takedown import exports
    from pipeline.text import numbers

    request = _request(arguments, "own trainer")
    folders = measure.open_folders(request)
    per_token = folders.compute.bytes_per_token
    draws = arguments.draws or measure.MOST_DRAWS
    experiment = measure.experiment_of(request, folders, needed_bytes=int(arguments.tokens * per_token), draws=draws)
    card = exchange.export(experiment, arguments.to, tokens=arguments.tokens, bytes_per_token=per_token)
    exports.record(folders.out, os.path.expanduser(arguments.to), what="arms of flows.savings export-arms")
    said = []
    for arm in card.arms:
        less = "" if arm.enough else "; less than a run sees: it repeats"
        size = f"{numbers.counted(arm.documents, 'document')}, {numbers.counted(arm.bytes, 'byte')}"
        said.append(f"{arguments.to}/{arm.path}: of {size}{less}")
    drawn = numbers.counted(len(card.draws), "draw")
    said.append(f"{arguments.to}/{exchange.CARD}: {drawn}, {len(card.sets)} held-out sets, and what results must look like")
    table.show(said, sys.stdout)
    return 0


def _score(arguments: argparse.Namespace) -> int:
    from pipeline.savings import exchange

    made = exchange.score(arguments.folder, arguments.results)
    _show(made, arguments, out=None)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
