"""`winnow export`: what an output holds, in the form that others take. The name of a format exports data/ for a training job:
tokens or lines, shuffled, mixed, in shards; `hub` uploads it; `check` looks at an export again; `arms` is
`winnow savings export-arms`.

Exit codes as in `flows.curate`; the same command goes on where a run was killed. The result goes to stdout, all else to stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows import errors

if TYPE_CHECKING:
    from pipeline.export.prepared import Request

ARMS, CHECK, HUB = "arms", "check", "hub"
FORMATS = {
    "megatron": "Megatron-LM, NeMo, GPT-NeoX: .bin and .idx",
    "datatrove": "datatrove, nanotron: .ds with its index",
    "npy": "OLMo-core, nanoGPT: raw tokens for np.memmap, and .csv.gz",
    "packed": "datasets, torch: Parquet of sequences of one length",
    "jsonl": "trainers that tokenise themselves: a document a line",
}
"""As `pipeline.export.formats` has them, which help does not import."""
_WHAT = {
    **FORMATS,
    HUB: "a dataset repository of the Hugging Face Hub",
    CHECK: "how an export stands beside its output",
    ARMS: "raw and curated text for a trainer of your own",
}


def parser() -> argparse.ArgumentParser:
    made = errors.Parser(
        prog="winnow export",
        description="Write an output in the form that others take.",
        epilog=f"winnow export {next(iter(FORMATS))} --help says more. Parquet needs no export: load_dataset reads the shards.",
    )
    made.add_argument("what", choices=tuple(_WHAT), metavar="WHAT", help="; ".join(f"{n}: {about}" for n, about in _WHAT.items()))
    return made


def format_parser(name: str = "megatron") -> argparse.ArgumentParser:
    """The command line of an export for a trainer."""
    made = errors.Parser(
        prog=f"winnow export {name}",
        description="Write data/ as a training job reads it: shuffled, mixed, in shards, with the place of each document.",
        epilog=f"{name}: {FORMATS[name]}. The same command goes on where it stopped.",
    )
    made.set_defaults(format=name)
    made.add_argument("output", nargs="?", default="curated", metavar="OUT", help="an output of Winnow (default: curated)")
    made.add_argument("--to", required=True, metavar="DIR", help="folder to write: empty, or not there")
    made.add_argument(
        "--tokenizer",
        metavar="NAME",
        help="path of a tokenizer.json, hf://ORG/NAME[@REVISION] or pip://PACKAGE (jsonl: optional)",
    )
    made.add_argument("--eos", metavar="TOKEN", help="token that ends a document (default: the one that the tokenizer names)")
    made.add_argument("--shards", type=int, default=1, metavar="N", help="files, such as the world size (default: 1)")
    made.add_argument("--seed", type=int, default=0, metavar="N", help="of the shuffle (default: 0)")
    made.add_argument("--sequence", type=int, metavar="N", help="packed: tokens of a sequence (default: 4096)")
    made.add_argument("--validation", default="0", metavar="SHARE", help="of the documents, in a file of their own (default: 0)")
    made.add_argument("--by", default="source", metavar="COLUMN", help="source, language, metadata.KEY: what names groups")
    made.add_argument(
        "--weight",
        action="append",
        default=[],
        metavar="GROUP=W",
        help="a group's part of the tokens; * is all others; without one a group is left out",
    )
    made.add_argument("--tokens", metavar="N", help="budget, such as 3e9 (default: the most that --epochs allows)")
    made.add_argument(
        "--epochs",
        action="append",
        default=[],
        metavar="[GROUP=]N",
        help="how often a document may be read at most (default: 1)",
    )
    made.add_argument("--workers", type=int, metavar="N", help="threads (default: the CPUs of this machine)")
    made.add_argument("--explain", action="store_true", help="tell what each group would give, sizes estimated; write nothing")
    made.add_argument("--json", action="store_true", help="print exports.json")
    return made


def check_parser() -> argparse.ArgumentParser:
    made = errors.Parser(
        prog=f"winnow export {CHECK}",
        description="Tell whether an export is whole, whether its output has changed since, and what of it was taken down.",
    )
    made.add_argument("folder", metavar="DIR", help="what an export wrote")
    made.add_argument("--output", default="curated", metavar="OUT", help="the output that it was made of (default: curated)")
    made.add_argument("--json", action="store_true", help="print JSON")
    return made


def hub_parser() -> argparse.ArgumentParser:
    made = errors.Parser(
        prog=f"winnow export {HUB}",
        description="Upload data/ and the card to a dataset repository of the Hub, and remove there what the output lost.",
        epilog="The token is HF_TOKEN. The same command goes on where it stopped; what is there already is not sent again.",
    )
    made.add_argument("repository", metavar="ORG/NAME", help="made if it is not there; one with another dataset is refused")
    made.add_argument("output", nargs="?", default="curated", metavar="OUT", help="an output of Winnow (default: curated)")
    made.add_argument(
        "--with",
        dest="more",
        action="append",
        default=[],
        choices=("ledger", "signals"),
        help="upload this folder, too: no text, but the address, place and verdict of every row that was read",
    )
    made.add_argument("--private", action="store_true", help="make the repository private; refuse one that is public")
    made.add_argument("--revision", default="main", metavar="BRANCH", help="made if it is not there (default: main)")
    made.add_argument("--explain", action="store_true", help="list what would go; ask nothing of the Hub")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    what = parser().parse_args(given[:1]).what
    if what == ARMS:
        from flows import savings

        return savings.main(["export-arms", *given[1:]])
    if what == CHECK:
        arguments = check_parser().parse_args(given[1:])
        return errors.exit_code(lambda: _check(arguments), tell=errors.on_stderr("winnow"))
    if what == HUB:
        arguments = hub_parser().parse_args(given[1:])
        return errors.exit_code(lambda: _hub(arguments), tell=errors.on_stderr("winnow"), resumes=True)
    arguments = format_parser(what).parse_args(given[1:])
    return errors.exit_code(lambda: _export(arguments), tell=errors.on_stderr("winnow"), resumes=True)


def _export(arguments: argparse.Namespace) -> int:
    from flows.terminal import progress as show
    from flows.terminal.settle import settle

    request = _request(arguments)
    for library in ("RAYON_NUM_THREADS", "POLARS_MAX_THREADS"):  # the tokenizer has threads of its own
        os.environ.setdefault(library, str(request.workers))
    from pipeline.export import prepared, run, told
    from pipeline.report import table

    settle(request.output)
    if arguments.explain:
        table.show(run.explained(prepared.prepare(request)), sys.stdout)
        return 0
    progress = show.on_stderr()
    try:
        made = run.export(request, progress, tell=lambda said: table.show(said, sys.stderr))
    finally:
        progress.close()
    if arguments.json:
        print(made.model_dump_json())
    else:
        table.show(told.written(made, arguments.to), sys.stdout)
    return 0


def _request(arguments: argparse.Namespace) -> Request:
    from pipeline.export import mix
    from pipeline.export.prepared import Request

    return Request(
        output=arguments.output,
        to=arguments.to,
        format=arguments.format,
        tokenizer=arguments.tokenizer,
        eos=arguments.eos,
        mix=mix.wanted(arguments.by, weights=arguments.weight, epochs=arguments.epochs, budget=arguments.tokens),
        seed=arguments.seed,
        shards=arguments.shards,
        sequence=arguments.sequence,
        validation=mix.decimal(arguments.validation, "--validation"),
        workers=arguments.workers if arguments.workers is not None else len(os.sched_getaffinity(0)),
    )


def _hub(arguments: argparse.Namespace) -> int:
    from flows.terminal.settle import settle
    from pipeline.export import hub, told
    from pipeline.inspect.output import open_output_of
    from pipeline.report import table

    place = hub.Place(arguments.repository, arguments.revision, arguments.private)
    settle(arguments.output)
    upload = hub.upload_of(open_output_of(arguments.output), sorted(set(arguments.more)))
    if arguments.explain:
        table.show(told.upload(upload.sizes), sys.stdout)
    else:
        table.show(told.uploaded(hub.send(upload, place), arguments.repository), sys.stdout)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    """1 where a file is gone, or what was taken down is in it."""
    from flows.terminal.settle import settle
    from pipeline.errors import InputError
    from pipeline.export import since, target, told
    from pipeline.inspect.output import open_output_of
    from pipeline.report import table
    from pipeline.store.store import open_store

    settle(arguments.output)
    folder = open_store(arguments.folder, create=False)
    if not folder.has(target.NAME):
        raise InputError(f"{arguments.folder}: no finished export (no {target.NAME}); name its folder, or finish it first")
    found = since.standing(folder, target.read(folder), open_output_of(arguments.output).store)
    if arguments.json:
        print(told.standing_json(found))
    else:
        table.show(told.standing(found, arguments.folder), sys.stdout)
    return 1 if found.damaged or found.taken else 0


if __name__ == "__main__":
    raise SystemExit(main())
