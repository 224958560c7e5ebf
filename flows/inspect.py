"""`python -m flows.inspect`: look at what was kept, what was dropped, and why.

Read-only, but for `takedown`, and the labels of `review` and the report that shows them.

Exit codes as in `flows.curate`: 0 done, 1 failed, 2 the command is wrong or there is no such output or document, 130
interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.records.receipt import Receipt
    from pipeline.report.table import Part, Said

from flows import errors


def parser() -> argparse.ArgumentParser:
    made = errors.Parser(
        prog="winnow inspect",
        description="Look at what was kept, what was dropped, and why; takedown removes. Without a command: browse.",
    )
    made.add_argument("--output", metavar="DIR", default="curated", help="folder that was curated into (default: curated)")
    made.add_argument("--trust", action="store_true", help="run the plugins, and fetch the models, that the output's plan names")
    commands = made.add_subparsers(dest="command", metavar="COMMAND")
    browse = commands.add_parser("browse", help="a local page: documents by reason, thresholds with a slider (the default)")
    browse.add_argument("--port", type=int, default=0, metavar="N", help="port on 127.0.0.1 (default: a free one)")
    browse.add_argument("--work", metavar="DIR", help="work directory of the run (default: .work in the output)")
    browse.add_argument("--save-plan", metavar="FILE", help="new file that the page may write the plan with other thresholds to")
    review = commands.add_parser("review", help="judge documents, a key each: what the model is least sure of, or a sample")
    review.add_argument(
        "--reason", metavar="REASON", help="a reason, a filter's name, or kept (default: what the quality model decides)"
    )
    review.add_argument(
        "--order",
        choices=("uncertain", "random"),
        default="uncertain",
        help="uncertain: first what the model is least sure of, for winnow train (default); random: for a rule's precision",
    )
    review.add_argument("-n", type=int, default=100, metavar="N", help="documents to offer (default: 100)")
    review.add_argument("--seed", type=int, default=0, metavar="N", help="of the random order (default: 0)")
    review.add_argument("--work", metavar="DIR", help="work directory of the run (default: .work in the output)")
    _add_why(commands)
    sweep = commands.add_parser("sweep", help="what other thresholds would keep, from the stored signals")
    sweep.add_argument("key", metavar="KEY=FROM:TO:STEP", help="a filter's threshold and values, such as filters.x.min_y=0:1:0.1")
    sweep.add_argument("--by", choices=("language",), help="a line for each language")
    sweep.add_argument("--work", metavar="DIR", help="work directory of the run (default: .work in the output)")
    sweep.add_argument("--json", action="store_true", help="print JSON")
    summary = commands.add_parser(
        "summary", help="what a run ended with: documents by reason, duplicates, tokens, compute, the report"
    )
    summary.add_argument("--json", action="store_true", help="print metrics.json")
    summary.add_argument(
        "--to", metavar="DIR", help="write what a public summary of training content asks for (EU AI Act), and Croissant metadata"
    )
    _add_takedown(commands)
    compare = commands.add_parser("compare", help="what enters and what leaves: another output, or other thresholds")
    compare.add_argument("other", nargs="?", metavar="OUT2", help="folder of the other output")
    compare.add_argument(
        "--set",
        action="append",
        metavar="KEY=VALUE",
        default=[],
        help="instead of OUT2: a threshold of this output's plan; exact before dedup",
    )
    compare.add_argument("--work", metavar="DIR", help="with --set: work directory of the run (default: .work in the output)")
    compare.add_argument("--json", action="store_true", help="print JSON")
    for choice in commands._choices_actions:  # each --help says in a sentence what the list of commands says of it
        said = choice.help or ""
        commands.choices[choice.dest].description = commands.choices[choice.dest].description or f"{said[:1].upper()}{said[1:]}."
    for command in commands.choices.values():  # as people write it: behind the command too
        command.add_argument("--output", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        command.add_argument("--trust", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return made


def _with_command(given: list[str]) -> list[str]:
    """The command line with `browse` in front where, apart from --output, it begins with an option or nothing at all."""
    before = errors.Parser(prog="winnow inspect", add_help=False)
    before.add_argument("--output")
    before.add_argument("--trust", action="store_true")
    rest = argparse.ArgumentParser.parse_known_args(before, given)[1]  # ours refuses what it does not know
    named = bool(rest) and (not rest[0].startswith("-") or rest[0] in ("-h", "--help"))
    return given if named else ["browse", *given]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = parser().parse_args(_with_command(list(sys.argv[1:] if argv is None else argv)))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as of a run
    act: dict[str, Callable[[argparse.Namespace], str | Said]]
    act = {
        "browse": _browse,
        "review": _review,
        "why": _why,
        "sweep": _sweep,
        "compare": _compare,
        "summary": _summary,
        "takedown": _takedown,
    }

    def run() -> int:
        from flows.terminal.settle import settle
        from pipeline.report import table

        others = [arguments.other] if getattr(arguments, "other", None) else []
        settle(arguments.output, *others, finish=arguments.command != "takedown")
        said = act[arguments.command](arguments)
        if isinstance(said, str):
            print(said)
        else:
            table.show(said, sys.stdout)
        return 0

    return errors.exit_code(run, tell=errors.on_stderr("winnow inspect"))


def _browse(arguments: argparse.Namespace) -> Said:
    from flows.terminal.browse import browse

    browse(arguments.output, port=arguments.port, work=arguments.work, save_plan=arguments.save_plan, trust=arguments.trust)
    return []


def _review(arguments: argparse.Namespace) -> Said:
    from flows.terminal.keys import pressed
    from pipeline.errors import OutputLocked, UsageError
    from pipeline.inspect import output as opened
    from pipeline.inspect import review
    from pipeline.output import reviews
    from pipeline.output.folders import LOCK
    from pipeline.report import publish

    if arguments.n < 1 or arguments.seed < 0:
        raise UsageError("review: -n must be 1 or more, --seed 0 or more")
    output = opened.open_output_of(arguments.output, work=arguments.work, trust=arguments.trust)
    found = review.sample(output, arguments.reason, n=arguments.n, seed=arguments.seed, order=arguments.order)
    with pressed(sys.stdin) as keys:
        given = review.in_terminal(output, found, keys, screen=sys.stderr)
    if given:
        with contextlib.suppress(OutputLocked), output.store.lock(LOCK):  # the run that holds it makes the page anew itself
            publish.repaint(output.store)
    return review.summary(reviews.present(output.store), session=given)


def _why(arguments: argparse.Namespace) -> str | Said:
    from pipeline.errors import UsageError
    from pipeline.inspect import output as opened
    from pipeline.inspect import verdict, why, why_json

    if sum(given is not None for given in (arguments.name, arguments.text, arguments.tokens)) != 1:
        raise UsageError("why: give the id or source_ref of a document, or --tokens FILE:PLACE, or --text TEXT")
    output = opened.open_output_of(arguments.output, work=arguments.work, trust=arguments.trust)
    if arguments.text is not None:
        text = sys.stdin.read() if arguments.text == "-" else arguments.text
        made = verdict.judge_text(output.recipe, text)
        return (
            why_json.written(why_json.of_text(text, made))
            if arguments.json
            else why.explanation_of_text(made, every=arguments.all)
        )
    said: list[Part] = []
    if arguments.tokens is not None:
        from pipeline.export.trace import trace

        traced = trace(arguments.tokens, output.store)
        said = [str(traced), ""]
        found = why.find_rows(output, traced.source_ref)
        found = [one for one in found if one.row["generation"] == traced.generation] or found
    else:
        found = why.find_rows(output, arguments.name)
    if arguments.json:
        return why_json.written(why_json.of_documents(found))
    return said + [
        part
        for number, one in enumerate(found)
        for part in ([*([""] * (number > 0)), *why.explanation(one, every=arguments.all)])
    ]


def _sweep(arguments: argparse.Namespace) -> str | Said:
    from pipeline.errors import UsageError
    from pipeline.inspect import output as opened
    from pipeline.inspect.thresholds import plan_thresholds, sweep

    key, equals, text = arguments.key.partition("=")
    if not equals or not text.strip():
        raise UsageError(f"sweep {arguments.key}: expected KEY=FROM:TO:STEP, such as filters.gopher_quality.min_words=20:80:10")
    output = opened.open_output_of(arguments.output, trust=arguments.trust)
    lines = sweep.sweep(output, key, sweep.values(text), by_language=arguments.by == "language", work=arguments.work)
    if arguments.json:
        return json.dumps([asdict(line) for line in lines])
    return sweep.sweep_text(key, lines, now=plan_thresholds.meaning(output, key))


def _compare(arguments: argparse.Namespace) -> str | Said:
    from pipeline.errors import UsageError
    from pipeline.inspect import compare
    from pipeline.inspect import output as opened
    from pipeline.inspect.thresholds import what_if

    if bool(arguments.set) == (arguments.other is not None):
        raise UsageError("compare: give OUT2, the folder of another output, or --set KEY=VALUE")
    if "=" in (arguments.other or "") and not os.path.lexists(arguments.other):
        raise UsageError(f"compare {arguments.other}: no such folder; another threshold is written --set {arguments.other}")
    first = opened.open_output_of(arguments.output, trust=arguments.trust)
    if arguments.set:
        made = what_if.rethink(first, arguments.set, work=arguments.work)
        if arguments.json:
            return json.dumps(what_if.plain(made), sort_keys=True)
        return what_if.what_if_text(made, arguments.set)
    found = compare.compare(first, opened.open_output_of(arguments.other, trust=arguments.trust))
    return json.dumps(asdict(found), sort_keys=True) if arguments.json else compare.comparison_text(found)


def _summary(arguments: argparse.Namespace) -> str | Said:
    from pipeline import report
    from pipeline.inspect import output as opened
    from pipeline.report import publish

    output = opened.open_output_of(arguments.output, trust=arguments.trust)
    if arguments.to is not None:
        from pipeline.inspect import public_summary

        written = public_summary.write(output, arguments.to, name=os.path.basename(os.path.abspath(arguments.output)))
        blanks = sum(map(len, written.made.blanks.values()))
        return f"{arguments.to}: {', '.join(written.files)}\n{blanks} blanks are left to fill in: [to fill in: …] in summary.md"
    metrics = publish.metrics_of(output.store)
    if arguments.json:
        return json.dumps(metrics.model_dump(mode="json"), sort_keys=True)
    return report.summary(metrics, out=arguments.output, savings=publish.savings_of(output.store))


def _add_why(commands: Any) -> None:
    why = commands.add_parser("why", help="everything that decided one document's fate")
    why.add_argument("name", nargs="?", metavar="ID", help="the document's id or source_ref")
    why.add_argument(
        "--tokens", metavar="FILE:PLACE", help="of an export's shard: the document whose token (jsonl: byte) is there"
    )
    why.add_argument("--text", metavar="TEXT", help="judge this text instead, as the output's plan would (- reads stdin)")
    why.add_argument("--all", action="store_true", help="also the rules that the document passes with room to spare")
    why.add_argument("--work", metavar="DIR", help="work directory of the run (default: .work in the output)")
    why.add_argument("--json", action="store_true", help="print JSON: docs/schemas/why.schema.json")


def _add_takedown(commands: Any) -> None:
    made = commands.add_parser(
        "takedown",
        help="remove documents, and what is like them, so that they do not come back",
        description=(
            "Remove documents, what is similar to them, and copies of them that were dropped, from the output and its work"
            " directory. Later runs drop them as taken_down. A receipt in takedowns/ says what went, and what was not reached."
            " It cannot be undone; --dry-run shows what would go."
        ),
    )
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("--keys", metavar="FILE", help="ids or source_refs, one a line (- reads stdin)")
    what.add_argument("--domain", metavar="DOMAIN", help="all documents whose url is of this domain or below it")
    what.add_argument("--like", metavar="TEXT", help="documents with this text, or nearly (@FILE reads a file, - stdin)")
    made.add_argument("--request", metavar="ID", help="what the receipt calls the request (default: random)")
    made.add_argument("--work", metavar="DIR", help="work directory of the run (default: .work in the output)")
    made.add_argument("--unlocked", action="store_true", help="an object store without conditional writes may be changed")
    made.add_argument("--dry-run", action="store_true", help="show what would go; change nothing")
    made.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal")
    made.add_argument("--json", action="store_true", help="print the receipt as JSON")


def _takedown(arguments: argparse.Namespace) -> str | Said:
    from pipeline.errors import UsageError
    from pipeline.report import table
    from pipeline.takedown import run
    from pipeline.takedown.find import TakedownRequest

    asked = TakedownRequest(
        keys=_keys(arguments.keys) if arguments.keys else (),
        domain=arguments.domain,
        like=None if arguments.like is None else _text(arguments.like),
    )
    if asked.domain is not None and set("/:@") & set(asked.domain):
        raise UsageError(
            f"takedown --domain {asked.domain}: expected a domain alone, such as bad.example: no scheme, port or path"
        )
    if not any((asked.keys, (asked.domain or "").strip(" ."), (asked.like or "").strip())):
        raise UsageError("takedown: what was given is empty; expected ids or source_refs, a domain, or a text")

    def confirm(receipt: Receipt) -> bool:
        if arguments.yes:
            return True
        if not sys.stdin.isatty():
            raise UsageError("takedown: give --yes where there is no terminal to ask; --dry-run shows what would go")
        table.show(run.receipt_text(run.Outcome(receipt, False, "this cannot be undone")), sys.stderr)
        print("take down? [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    done = run.take_down(
        arguments.output,
        asked,
        request=arguments.request,
        work=arguments.work,
        unlocked=arguments.unlocked,
        dry_run=arguments.dry_run,
        trust=arguments.trust,
        confirm=confirm,
    )
    return json.dumps(done.receipt.model_dump(mode="json"), indent=1) if arguments.json else run.receipt_text(done)


def _keys(path: str) -> tuple[str, ...]:
    """Lines of a file, each once."""
    return tuple(dict.fromkeys(line.strip() for line in _read(path).splitlines() if line.strip()))


def _text(given: str) -> str:
    return _read(given.removeprefix("@")) if given == "-" or given.startswith("@") else given


def _read(path: str) -> str:
    from pipeline.errors import InputError

    if path == "-":
        return sys.stdin.read()
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error})") from error


if __name__ == "__main__":
    raise SystemExit(main())
