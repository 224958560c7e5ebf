"""`python -m flows.doctor`: whether an output is what its manifests say, and what of it can be brought back.

It looks and changes nothing, but with `--repair` or `--rebuild-manifest`. Exit codes: 0 nothing is damaged, 1 something is, 2 the
command is wrong or there is no output, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.doctor.examination import Examination
    from pipeline.report.table import Said
    from pipeline.store.store import Store

from flows import errors


def parser() -> argparse.ArgumentParser:
    made = errors.Parser(
        prog="winnow doctor",
        description="Check everything in an output: manifests, shards, index, tombstones, samples, what is made from them.",
    )
    made.add_argument(
        "output", nargs="?", metavar="OUT", default="curated", help="folder that was curated into (default: curated)"
    )
    made.add_argument("--deep", action="store_true", help="read every file and compare its sha256, not its length alone")
    made.add_argument(
        "--repair", action="store_true", help="put back manifests of which a copy is left, and make again what is made from them"
    )
    made.add_argument(
        "--rebuild-manifest",
        action="store_true",
        help="as --repair, and make a lost manifest from the shards and the ledger of its generation, where these suffice",
    )
    made.add_argument("--trust", action="store_true", help="with --rebuild-manifest: import plugins and fetch models of its plan")
    made.add_argument("--work", metavar="DIR", help="work directory of the run (default: .work in the output)")
    made.add_argument("--unlocked", action="store_true", help="an object store without conditional writes may be changed")
    made.add_argument("--json", action="store_true", help="print JSON")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = parser().parse_args(argv)
    return errors.exit_code(lambda: _run(arguments), tell=errors.on_stderr("winnow doctor"))


def _run(arguments: argparse.Namespace) -> int:
    from pipeline.doctor.examination import examine
    from pipeline.errors import InputError
    from pipeline.output.work import is_output
    from pipeline.report import table
    from pipeline.store.store import open_output, open_store

    out = open_output(arguments.output, create=False)
    if not out.entries(""):
        raise InputError(f"{arguments.output}: no output of `winnow curate` (nothing is there); name the folder of one")
    work = open_store(arguments.work or out.path(".work"), create=False)
    found = examine(out, work, deep=arguments.deep)
    if not (found.manifests or found.damaged or is_output(out, out.entries(""))):
        raise InputError(f"{arguments.output}: no output of `winnow curate` (no manifests); name its folder")
    done: list[str] = []
    if arguments.repair or arguments.rebuild_manifest:
        done = _mended(out, work, arguments)
        found = examine(out, work, deep=arguments.deep)
    if arguments.json:
        print(json.dumps(_plain(found, done), sort_keys=True))
    else:
        table.show(_said(found, done), sys.stdout)
    return 1 if found.damaged else 0


def _mended(out: Store, work: Store, arguments: argparse.Namespace) -> list[str]:
    """What was done; copies first, since they say more than shards do. Raises Damaged where nothing could be done."""
    from pipeline.doctor import repair
    from pipeline.doctor.rebuild import rebuild
    from pipeline.errors import Damaged
    from pipeline.output.folders import LOCK

    done: list[str] = []
    with out.writable(unlocked=arguments.unlocked).lock(LOCK) as held:
        try:
            done += repair.put_back(held)
            if arguments.rebuild_manifest:
                done += rebuild(held, trusted=arguments.trust)
            done += repair.repair(held, work)
        except Damaged as error:
            if not done:
                raise
            done.append(f"no more than that: {error}")
    return done


def _plain(found: Examination, done: Sequence[str]) -> dict[str, object]:
    """The examination as JSON."""
    from pipeline.machine import workers

    unit_bytes = _unit_bytes(found)
    newest = found.manifests[-1] if found.manifests else None
    return {
        "output": found.root,
        "damaged": found.damaged,
        "generation": newest.generation if newest else None,
        "live": list(newest.live) if newest else [],
        "deep": found.deep,
        "files": found.files,
        "least_memory": workers.least_memory(unit_bytes),
        "enough_memory": workers.enough_memory(unit_bytes),
        "bytes": found.n_bytes,
        "findings": [asdict(finding) for finding in found.findings],
        "done": list(done),
    }


def _unit_bytes(found: Examination) -> int:
    """Bytes of the largest units that the plan of the newest generation allows."""
    from pipeline.plan.load import part_of_output
    from pipeline.plan.model import Plan

    plan = part_of_output(found.manifests[-1].plan, "source", where=found.root) if found.manifests else Plan()
    return max((int(source.unit_bytes) for source in plan.source), default=0)


def _said(found: Examination, done: Sequence[str]) -> Said:
    """The examination as a person reads it."""
    from pipeline.machine import workers
    from pipeline.report.table import paragraphs
    from pipeline.text import numbers

    live = len(found.manifests[-1].live) if found.manifests else 0
    how = "the content" if found.deep else "the length"
    files = f"{numbers.counted(found.files, 'file')} ({numbers.size(found.n_bytes)})"
    lines = [("done", told) for told in done]
    lines += [(f.kind, f"{f.path}: {f.what}; {f.todo}") for f in found.findings]
    whole = f"{numbers.counted(live, 'live generation')}: {files} have {how} that their manifests say"
    least, enough = (-(-of(_unit_bytes(found)) // 1_000_000) for of in (workers.least_memory, workers.enough_memory))
    memory = (
        [f"the smallest --memory for units as its plan has them: {least}MB; {enough}MB for any page of Parquet"] if live else []
    )
    ended = "the output is damaged: a run stops before it changes anything" if found.damaged else "nothing is damaged"
    deeper = [] if found.deep or found.damaged else ["--deep compares the content of every file, too"]
    return [found.root, whole, *([paragraphs(lines)] if lines else []), ended, *memory, *deeper]


if __name__ == "__main__":
    raise SystemExit(main())
