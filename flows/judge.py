"""`python -m flows.train judge`: a language model judges a sample of an output by our guide, and how far it agrees with you.

Nothing is asked before --yes: what it would cost comes first. Exit codes as in `flows.train`; 1 also where the endpoint fails.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows import errors

if TYPE_CHECKING:
    from pipeline.report.table import Said
    from pipeline.training.judge.judgements import Agreement, Cost, Result


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = errors.Parser(
        prog="winnow train judge",
        description="Have a language model judge documents of an output by docs/judging.md; compare it with your reviews.",
        epilog="Without --yes it says what it would ask and cost, and asks nothing. The texts go to the endpoint.",
    )
    made.add_argument("output", metavar="OUT", help="folder that was curated into")
    made.add_argument("--endpoint", metavar="URL", required=True, help="OpenAI-compatible, such as http://127.0.0.1:8000/v1")
    made.add_argument("--model", metavar="NAME", required=True, help="model, as the endpoint calls it")
    made.add_argument("--api-key-env", metavar="NAME", help="environment variable that holds the key (default: no key)")
    made.add_argument(
        "-n", type=int, default=500, metavar="N", help="documents to judge, reviewed ones among them (default: 500)"
    )
    made.add_argument("--to", metavar="FILE", type=Path, default=Path("judgements.jsonl"), help="default: judgements.jsonl")
    made.add_argument("--cache", metavar="DIR", type=Path, help="where answers are kept (default: in the user's cache)")
    made.add_argument("--at-once", type=int, default=4, metavar="N", help="requests at a time, 64 at most (default: 4)")
    made.add_argument(
        "--price", nargs=2, type=float, metavar=("IN", "OUT"), help="of a million tokens in and out, to say the cost"
    )
    made.add_argument("--body", metavar="JSON", help='more fields of the request, null removes one: {"max_tokens": null}')
    made.add_argument("--seed", type=int, default=0, metavar="N", help="of the sample (default: 0)")
    made.add_argument("--yes", action="store_true", help="ask; without it the cost is said, and nothing asked")
    made.add_argument("--json", action="store_true", help="print the result as JSON")
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    arguments = parser().parse_args(list(argv))
    return errors.exit_code(lambda: _run(arguments), tell=errors.on_stderr("winnow"), resumes=True)


def _run(arguments: argparse.Namespace) -> int:
    from pipeline.errors import UsageError
    from pipeline.report import table
    from pipeline.store.store import open_output
    from pipeline.training.judge import endpoint as endpoints
    from pipeline.training.judge import judgements

    if arguments.n < 1 or not 1 <= arguments.at_once <= 64 or arguments.seed < 0:
        raise UsageError("judge: -n must be 1 or more, --at-once 1 to 64, --seed 0 or more")
    prices = None if arguments.price is None else (arguments.price[0], arguments.price[1])
    if prices is not None and not all(0 <= price < 1e9 for price in prices):
        raise UsageError("--price IN OUT: expected two numbers of 0 or more")
    asked = endpoints.connect(arguments.endpoint, arguments.model, key_from=arguments.api_key_env, body=arguments.body)
    out = open_output(arguments.output, create=False)
    documents, own = judgements.chosen(out, n=arguments.n, seed=arguments.seed)
    cache = judgements.Cache.of(arguments.cache or _cache(), asked)
    cost = judgements.cost(documents, cache, prices=prices)
    table.show(_cost(cost), sys.stderr)
    if cost.documents and not arguments.yes:
        print("nothing was asked; the same command with --yes asks", file=sys.stderr)
        return 0
    path = arguments.to.expanduser()
    found = judgements.judge(
        documents, own, endpoint=asked, cache=cache, path=path, at_once=arguments.at_once, done=_progress(len(documents))
    )
    if arguments.json:
        print(json.dumps(judgements.plain(found), sort_keys=True))
    table.show(_shown(found, path, arguments.output), sys.stderr if arguments.json else sys.stdout)
    return 0


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "winnow" / "judge"


class _Progress:
    """A line now and then."""

    def __init__(self, of: int) -> None:
        self.of, self.step = of, max(1, of // 20)

    def __call__(self, count: int) -> None:
        if count % self.step == 0 or count == self.of:
            print(f"judged {count:,} of {self.of:,}", file=sys.stderr)


def _progress(of: int) -> _Progress:
    return _Progress(of)


def _cost(cost: Cost) -> Said:
    from pipeline.text import numbers

    price = "" if cost.price is None else f", {cost.price:,.2f} at the prices given"
    tokens = f"about {numbers.count(cost.tokens_in)} tokens in, {numbers.count(cost.tokens_out)} out"
    asked = f"{numbers.counted(cost.documents, 'request')}: {tokens}{price} (by bytes; what is tried again may cost again)"
    return [f"{asked}; {numbers.count(cost.cached)} answered before"]


def _shown(found: Result, path: Path, output: str) -> Said:
    from pipeline.text import numbers

    tokens = f"{numbers.count(found.tokens_in)} tokens in, {numbers.count(found.tokens_out)} out, as the endpoint counts"
    lines: list[str] = [f"{path}: {numbers.counted(found.judged, 'judgement')}; {tokens}"]
    if found.asked_again:
        lines.append(f"{numbers.counted(found.asked_again, 'answer was', 'answers were')} not of the form, and asked again")
    if found.bad:
        where = f"{path.name}.quarantine.jsonl"
        lines.append(f"{numbers.counted(found.bad, 'document has', 'documents have')} no answer of the form, twice: {where}")
    return [*lines, "", *agreement(found.agreement, output, file=str(path))]


def agreement(found: Agreement | None, output: str, *, file: str = "FILE") -> Said:
    """How far the model agrees with the user, whose judgements lie in `file`."""
    from pipeline.records import interval
    from pipeline.report.table import table
    from pipeline.training.judge.judgements import LEAST_AGREED

    more = f"review more of them (`winnow inspect --output {shlex.quote(output)} review`), then run this command again"
    if found is None or not found.n:
        return [f"none of these documents has a review of yours: nobody knows whether to trust it; {more}"]
    same = found.both_keep + found.both_drop
    rows = [
        ("you keep", f"{found.both_keep:,}", f"{found.person_keeps:,}"),
        ("you drop", f"{found.model_keeps:,}", f"{found.both_drop:,}"),
    ]
    kappa = "unknown" if found.kappa is None else f"{found.kappa:.2f}"
    said = f"agreement with your reviews: {same:,} of {found.n:,}, {interval.share(same, found.n)}; kappa {kappa}"
    lines = [said, table(("", ">it keeps", ">it drops"), rows)]
    lines += [f"{found.undecided:,} more it could not decide"] if found.undecided else []
    if found.n < LEAST_AGREED:
        return [*lines, f"too few to train on its judgements: {LEAST_AGREED} are needed; {more}"]
    command = f"winnow train quality_mine --reviews {shlex.quote(output)} --judgements {shlex.quote(file)}"
    return [*lines, f"train on them, if that is enough for you: `{command}`"]
