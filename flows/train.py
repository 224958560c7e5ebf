"""`python -m flows.train`: from examples to a calibrated classifier, a card, and the plan line that uses it.

`flows.train quality --reviews OUT` adapts the shipped model to what you said of documents in `flows.inspect review`;
`flows.train judge` (`flows/judge.py`) has a language model judge some.
Exit codes: 0 done; 1 training failed; 2 the command or its examples are wrong; 130 interrupted. The result goes to stdout,
everything else to stderr. Training is one process and needs no Prefect server.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows import errors

if TYPE_CHECKING:
    from pipeline.report.table import Said
    from pipeline.training.examples import Document
    from pipeline.training.reviewed import Reviewed
    from pipeline.training.train import Request, TrainedModel

RECIPES = ("quality", "toxicity", "toxicity2", "adult")
PROFILES = ("quality", "toxicity")
READERS = "readers"
"""The recipe of the model of what readers keep, which is no fastText classifier."""
CORPUS = "corpus"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = errors.Parser(
        prog="winnow train",
        description="Train a fastText classifier of two kinds of text, or adapt the quality model to your reviews; measure,"
        " calibrate, describe it. `winnow train judge --help`: have a language model judge documents.",
        epilog="Writes DIR/NAME.ftz, .bin or .npz, NAME.json and NAME.md. Exit codes: 0 done, 1 failed, 2 wrong command or data.",
    )
    made.add_argument("name", metavar="NAME", help="quality, toxicity, or another name; the model's file is called so")
    made.add_argument("--positive", nargs="+", metavar="PATH", default=[], help="examples of the class that gets high scores")
    made.add_argument(
        "--negative",
        nargs="+",
        metavar="PATH",
        default=[],
        help="examples of the other; `corpus` among them: a sample of --corpus",
    )
    made.add_argument("--input", nargs="+", metavar="PATH", default=[], help="examples of both, told apart by --label")
    made.add_argument("--label", metavar="COLUMN", help="of --input: true/false, 1/0 or positive/negative")
    made.add_argument(
        "--corpus",
        nargs="+",
        metavar="PATH",
        default=[],
        help="ordinary text, or what `winnow curate` wrote: thresholds are set on it; an example only with `--negative corpus`",
    )
    made.add_argument(
        "--reviews", metavar="OUT", help="learn from your reviews of this output, beside what the shipped model knows"
    )
    made.add_argument("--judgements", metavar="FILE", type=Path, help="with --reviews: what `winnow train judge` wrote, as well")
    made.add_argument("--keep", choices=("lenient", "balanced", "strict"), help="with --reviews: which setting to compare")
    made.add_argument("--sample", type=int, metavar="N", default=20_000, help="documents drawn from --corpus (default: 20000)")
    made.add_argument("--tokens", type=float, metavar="N", help="propose the threshold that leaves N tokens of --corpus")
    made.add_argument("--text", metavar="COLUMN", default="text", help="column of the text (default: text)")
    made.add_argument("--group", metavar="COLUMN", help="documents with one value stay in one part (default: each by itself)")
    made.add_argument("--language", metavar="CODE", default="en", help="language of the examples (default: en)")
    made.add_argument("--language-column", metavar="COLUMN", help="where each row says its language")
    made.add_argument("--profile", choices=PROFILES, help="how to train and score (default: by NAME, else quality)")
    made.add_argument("--recipe", choices=(*RECIPES, READERS), help="make a model that Winnow ships, from --data")
    made.add_argument("--data", metavar="DIR", type=Path, help="folder of the recipe's files")
    made.add_argument("--calibration", choices=("auto", "platt", "isotonic"), default="auto", help="default: auto")
    made.add_argument("--licence", action="append", metavar="TEXT", default=[], help="a line on the examples' licence")
    made.add_argument("--output", metavar="DIR", type=Path, default=Path("models"), help="default: models")
    made.add_argument("--seed", type=int, metavar="N", default=0, help="default: 0")
    made.add_argument("--json", action="store_true", help="print the result as JSON")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["judge"]:
        from flows import judge

        return judge.main(given[1:])
    arguments = parser().parse_args(given)
    command = f"winnow train {shlex.join(given)}"
    return errors.exit_code(lambda: _run(arguments, command), tell=errors.on_stderr("winnow"))


def _run(arguments: argparse.Namespace, command: str) -> int:
    _check(arguments)
    if importlib.util.find_spec("scipy") is None:
        from pipeline.errors import NotInstalled

        raise NotInstalled(
            "training needs scipy, which is not installed: pip install 'winnow-curation[train]'; to train a fastText classifier,"
            " 'winnow-curation[fasttext]'"
        )
    if arguments.recipe == READERS:
        return _readers(arguments)
    if arguments.reviews:
        return _reviews(arguments)
    from pipeline.report import table
    from pipeline.training import card, train

    trained = train.train(_recipe(arguments, command) if arguments.recipe else _request(arguments, command))
    path = card.write(trained, arguments.output.expanduser())
    line = card.plan_line(trained, path)
    table.show([f"note: {note}" for note in trained.notes], sys.stderr)
    if arguments.json:
        thresholds = {threshold.name: threshold.score for threshold in trained.thresholds}
        shown = {"model": str(path), "plan": line, "thresholds": thresholds, "figures": train.summary(trained)}
        print(json.dumps(shown, sort_keys=True))
    else:
        table.show(_shown(trained, path, line), sys.stdout)
    return 0


def _readers(arguments: argparse.Namespace) -> int:
    """Make the model of what readers keep."""
    from pipeline.report import table
    from pipeline.training import readers_card

    made = readers_card.make(arguments.data, arguments.output, name=arguments.name)
    if arguments.json:
        print(json.dumps({"model": str(made.path), "figures": made.card.figures}, sort_keys=True))
        return 0
    figures = [(name, f"{value:.4f}") for name, value in made.card.figures.items()]
    table.show([f"{made.path}: sha256 {made.card.sha256}", "", table.table(("held out", ">figure"), figures)], sys.stdout)
    return 0


def _reviews(arguments: argparse.Namespace) -> int:
    """Adapt the shipped quality model to reviews."""
    from dataclasses import asdict

    from filters import quality
    from filters.models import readers
    from flows import reviewed
    from pipeline.report import table
    from pipeline.store.store import open_output
    from pipeline.training import reviews_card
    from pipeline.training.judge import judgements

    out = open_output(arguments.reviews, create=False)
    more: list[Reviewed] = []
    if arguments.judgements is not None:
        head, more, left_out = judgements.load(arguments.judgements.expanduser(), out)
        table.show(reviewed.of_model(head, left_out, len(more), output=arguments.reviews), sys.stderr)
    made = reviews_card.make(
        out,
        readers.load_readers(quality.PATH),
        arguments.output.expanduser(),
        name=arguments.name,
        level=arguments.keep or "balanced",
        more=more,
        seed=arguments.seed,
    )
    table.show([f"note: {note}" for note in made.notes], sys.stderr)
    if arguments.json:
        shown = {"model": str(made.path), "plan": reviewed.plan_line(made), "figures": made.card.figures}
        crossed = [asdict(one) for one in made.crossed]
        print(json.dumps(shown | {"crossed": crossed, "left_out": made.found.left_out, "notes": made.notes}, sort_keys=True))
    else:
        table.show(reviewed.shown(made), sys.stdout)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    from pipeline.errors import UsageError

    if not arguments.name.translate(dict.fromkeys(map(ord, "_-@"))).isalnum():
        raise UsageError(f"NAME {arguments.name!r}: expected letters, digits, -, _ and @; it names files")
    if arguments.reviews is None and (arguments.judgements or arguments.keep):
        raise UsageError("--judgements and --keep go with --reviews OUT, whose texts they are about")
    if arguments.reviews is not None:
        _check_reviews(arguments)
        return
    if arguments.recipe:
        if arguments.data is None or arguments.positive or arguments.negative or arguments.input:
            raise UsageError("--recipe needs --data DIR, and takes no other examples")
        return
    if arguments.input and (arguments.label is None or arguments.positive or arguments.negative):
        raise UsageError("--input needs --label COLUMN, and stands in place of --positive and --negative")
    if not arguments.input and not (arguments.positive and arguments.negative):
        raise UsageError("give --positive PATH and --negative PATH (or `corpus`), or --input PATH and --label COLUMN")
    if arguments.label is not None and not arguments.input:
        raise UsageError("--label tells the rows of --input apart; --positive and --negative say it by themselves")
    if arguments.sample < 1 or (arguments.tokens is not None and not arguments.tokens > 0):
        raise UsageError("--sample N and --tokens N: expected a number above 0")
    if (CORPUS in arguments.negative or arguments.tokens is not None) and not arguments.corpus:
        raise UsageError("`--negative corpus` and --tokens need --corpus PATH")


def _check_reviews(arguments: argparse.Namespace) -> None:
    from pipeline.errors import UsageError

    others = (
        "positive",
        "negative",
        "input",
        "corpus",
        "label",
        "recipe",
        "data",
        "tokens",
        "group",
        "profile",
        "language_column",
    )
    given = [f"--{name.replace('_', '-')}" for name in others if getattr(arguments, name)]
    if given:
        raise UsageError(f"--reviews OUT brings its own examples; leave out {', '.join(given)}")
    if not arguments.name.startswith("quality"):
        raise UsageError(f"NAME {arguments.name!r}: --reviews makes a quality model; call it quality, or quality_mine")


def _profile(arguments: argparse.Namespace) -> str:
    return arguments.profile or ("toxicity" if arguments.name.startswith("toxicity") else "quality")


def _request(arguments: argparse.Namespace, command: str) -> Request:
    from pipeline.training import examples, fit, train

    columns = examples.Columns(
        text=arguments.text,
        label=arguments.label,
        group=arguments.group,
        language_column=arguments.language_column,
        language=arguments.language,
    )
    documents, records, corpus_bytes = [], [], 0
    negative = [path for path in arguments.negative if path != CORPUS]
    wanted = [(arguments.positive, True), (negative, False), (arguments.input, False)]
    for paths, positive in wanted:
        if paths:
            found, read = examples.load_examples(paths, positive=positive, columns=columns)
            documents += found
            records += read
    ordinary: list[Document] = []
    if arguments.corpus:
        ordinary, read, corpus_bytes = examples.sample(arguments.corpus, n=arguments.sample, seed=arguments.seed, columns=columns)
        records += read
    if CORPUS in arguments.negative:
        documents, ordinary = documents + ordinary, []
    return train.Request(
        name=arguments.name,
        documents=documents,
        records=records,
        settings=fit.TOXICITY if _profile(arguments) == "toxicity" else fit.QUALITY,
        seed=arguments.seed,
        command=command,
        calibration=arguments.calibration,
        licences=arguments.licence,
        corpus=ordinary,
        corpus_bytes=corpus_bytes,
        tokens=arguments.tokens,
    )


def _recipe(arguments: argparse.Namespace, command: str) -> Request:
    from dataclasses import replace

    from pipeline.training.recipes import adult, quality, toxicity, toxicity2

    recipes = dict(zip(RECIPES, (quality, toxicity, toxicity2, adult), strict=True))
    request = recipes[arguments.recipe].request(arguments.data.expanduser(), name=arguments.name, seed=arguments.seed)
    # The folder is the maker's own: the command in the card names it as a reader would have to.
    shown = command.replace(shlex.quote(str(arguments.data)), "DATA").replace(shlex.quote(str(arguments.output)), "DIR")
    asked = arguments.calibration if arguments.calibration != "auto" else request.calibration
    return replace(request, command=shown, calibration=asked)


def _shown(trained: TrainedModel, path: Path, line: str) -> Said:
    from pipeline.report.table import table
    from pipeline.text import numbers
    from pipeline.training import card

    counts = ", ".join(f"{part} {numbers.count(m)} + {numbers.count(n)}" for part, (m, n) in trained.counts.items())
    left = f"{numbers.counted(trained.copies, 'copy', 'copies')}, {numbers.counted(trained.contradictions, 'text')}"
    return [
        f"{path}: {numbers.count(len(trained.data))} bytes; positive + negative documents: {counts}",
        f"left out: {left} in both classes",
        f"calibration error {trained.calibration_error:.3f} ({trained.why})",
        f"ROC AUC before quantising {trained.unquantised_auc:.4f}, after {trained.overall.auc}",
        "",
        f"held out, at the default threshold {trained.default:g}:",
        table(*card.figures_rows([trained.overall, *trained.by_source])),
        "",
        table(*card.thresholds_rows(trained)),
        "",
        "use it with:",
        line,
    ]


if __name__ == "__main__":
    raise SystemExit(main())
