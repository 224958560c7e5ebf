"""`make bench B=peers` (`python -m tests.bench.peers_speed`): Winnow and its peers, each in an environment of its own.

A = WINNOW_EVAL_DATA/throughput (tidy, long documents), B = WINNOW_EVAL_DATA/web (raw web text in short ones). Near-dedup, read
to written: every tool reads the files as they are and writes what is left with all columns; Winnow's `minimal` with one worker
verifies each pair exactly and writes rejected rows, ledger, index and report beside it, its peers write none. Signatures alone;
the whole job of the plans `default` and `fineweb`; datatrove on a slice, since it is slow. Then documents of known fates: who is
removed wrongly, and who is not found.

    python -m tests.bench.peers_speed [--rounds N] [--known DOCUMENTS] [--slice-mb MB] [--peers NAME ...] [--write]

CPU is user + system of the whole process tree, the median of the rounds; tools take turns; "others" is what other processes used
meanwhile. MB are of the text alone, without JSON. Kernels are compiled before. `--write`: docs/results/speed.json, and what is
made of it (`tests.bench.peers_page`). Status 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tests.bench import peers_page, removals, signatures_speed
from tests.bench.peers import environments
from tests.bench.peers.environments import DAFT, DATASKETCH, DATATROVE, GAOYA, RENSA, RENSA_BLANKS, RENSA_RHO, Peer
from tests.bench.throughput import DEFAULT_DATA
from tests.bench.timed import Corpus, Run, corpus, cut, timed

PEERS = (DAFT, RENSA_BLANKS, RENSA_RHO, RENSA, GAOYA, DATASKETCH, DATATROVE)
ONCE = (DATASKETCH, DATATROVE)
"""So slow that one round says enough."""
WINNOW = "winnow"


@dataclass(frozen=True)
class Line:
    """A tool, a job and a corpus."""

    job: str
    tool: str
    corpus: str
    megabytes: float
    documents: int
    command: str


@dataclass(frozen=True)
class Case:
    """`run`: in a folder of its own; gives documents written too."""

    line: Line
    run: Callable[[Path], tuple[Run, int]]
    rounds: int


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    options.add_argument("--rounds", type=int, default=3, help="of all but datasketch and datatrove, which run once")
    options.add_argument("--slice-mb", type=float, default=10)
    options.add_argument("--known", type=float, default=100_000, help="documents of known fates")
    options.add_argument("--peers", nargs="*", choices=[peer.name for peer in PEERS], default=[peer.name for peer in PEERS])
    options.add_argument("--write", action="store_true", help="write docs/results/speed.json and the page")
    chosen = options.parse_args()
    peers = [peer for peer in PEERS if peer.name in chosen.peers and environments.installed(peer)]
    with tempfile.TemporaryDirectory() as name:
        measured = _measured(chosen, peers, Path(name))
    if chosen.write:
        peers_page.RESULTS.write_text(json.dumps(measured, indent=1) + "\n")
        peers_page.write()
    ratios = list(peers_page.ratios(measured))
    print("\ntargets")
    for ratio in ratios:
        print(f"  {ratio.what:<58}{ratio.value:8.2f}   target {ratio.target:g}: {'met' if ratio.met else 'missed'}")
    raise SystemExit(not all(ratio.met for ratio in ratios))


def _measured(chosen: argparse.Namespace, peers: Sequence[Peer], folder: Path) -> dict[str, Any]:
    a, b = (_corpus(chosen.data, name) for name in ("throughput", "web"))
    cases = [*_dedup(a, peers, chosen.rounds), *_dedup(b, peers, chosen.rounds), *_whole(a, b, chosen.rounds)]
    if DATATROVE in peers:
        part = cut(b, chosen.slice_mb, folder / "slice")
        cases += [_winnow("near-dedup", "minimal", part, chosen.rounds), _peer("near-dedup", DATATROVE, part, 1)]
    for plan in ("default", "fineweb"):
        first, _ = _winnow("near-dedup", plan, corpus("first", a.files[:1]), 1).run(folder)
        print(f"first run of winnow {plan}, kernels compiled if they were not: {first.cpu:.1f} CPU s", flush=True)
    runs = _turns(cases, chosen.rounds, folder)
    print(f"{'job':<12}{'corpus':<16}{'tool':<18}{'CPU s':>8}{'range':>14}{'MB/CPU-s':>9}{'wall s':>8}{'others':>8}{'kept':>10}")
    for case, some in zip(cases, runs, strict=True):
        _show(case.line, some)
    signed = signatures_speed.megabytes_per_second(a.files, chosen.rounds)
    theirs = _daft_signatures(a, chosen.rounds) if DAFT in peers else None
    print(f"signatures alone, MB per CPU-second on one thread: winnow {signed:.0f}, daft {theirs or 0:.0f}")
    known = (
        removals.judged(int(chosen.known), [p for p in peers if p in (DAFT, RENSA, RENSA_RHO, RENSA_BLANKS)], folder)
        if chosen.known
        else []
    )
    return {
        "machine": peers_page.machine(),
        "versions": {WINNOW: peers_page.version(), **{peer.name: peer.requirements[0] for peer in peers}},
        "rounds": chosen.rounds,
        "lines": [_told(case.line, some) for case, some in zip(cases, runs, strict=True)],
        "signatures": {WINNOW: signed, **({} if theirs is None else {"daft": theirs})},
        "known": known,
    }


def _corpus(data: Path, name: str) -> Corpus:
    files = sorted((data / name).glob("*.jsonl.*"))
    if not files:
        raise SystemExit(f"no text in {data / name}: set WINNOW_EVAL_DATA")
    found = corpus(name, files)
    print(f"{name}: {found.megabytes:.1f} MB of text, {found.documents:,} documents, {len(files)} files", flush=True)
    return found


def _dedup(given: Corpus, peers: Sequence[Peer], rounds: int) -> list[Case]:
    others = [_peer("near-dedup", peer, given, 1 if peer in ONCE else rounds) for peer in peers if peer is not DATATROVE]
    return [_winnow("near-dedup", "minimal", given, rounds), *others]


def _whole(a: Corpus, b: Corpus, rounds: int) -> list[Case]:
    return [_winnow("whole job", plan, given, rounds) for plan in ("default", "fineweb") for given in (a, b)]


def _winnow(job: str, plan: str, given: Corpus, rounds: int) -> Case:
    command = ["-m", "flows.curate", plan, "--inline", "--workers", "1", "--accept"]

    def run(folder: Path) -> tuple[Run, int]:
        out = Path(tempfile.mkdtemp(dir=folder)) / "out"
        ran, printed = timed([sys.executable, *command, "--json", "--input", *map(str, given.files), "--output", str(out)])
        totals = json.loads(printed)["metrics"]["totals"]
        if totals["read"] != given.documents:
            raise SystemExit(f"winnow read {totals['read']} of {given.documents} documents")
        return ran, totals["kept"]

    told = " ".join(["winnow curate", *command[2:-1], "--input", given.name])
    tool = WINNOW if job == "near-dedup" else f"{WINNOW} {plan}"
    return Case(Line(job, tool, given.name, given.megabytes, given.documents, told), run, rounds)


def _peer(job: str, peer: Peer, given: Corpus, rounds: int) -> Case:
    def run(folder: Path) -> tuple[Run, int]:
        out = Path(tempfile.mkdtemp(dir=folder)) / "out.jsonl.zst"
        ran, _ = timed(peer.command(*given.files, "--output", out))
        return ran, removals.rows(out)

    told = f"python tests/bench/peers/{peer.script} {given.name}"
    return Case(Line(job, peer.name, given.name, given.megabytes, given.documents, told), run, rounds)


def _turns(cases: Sequence[Case], rounds: int, folder: Path) -> list[list[tuple[Run, int]]]:
    """The runs of each case: all cases of a round follow each other."""
    made: list[list[tuple[Run, int]]] = [[] for _ in cases]
    for number in range(rounds):
        for case, runs in zip(cases, made, strict=True):
            if number < case.rounds:
                with tempfile.TemporaryDirectory(dir=folder) as own:
                    runs.append(case.run(Path(own)))
    return made


def _told(line: Line, runs: Sequence[tuple[Run, int]]) -> dict[str, Any]:
    figures = {"cpu": [round(ran.cpu, 2) for ran, _ in runs], "wall": [round(ran.wall, 2) for ran, _ in runs]}
    return {
        **asdict(line),
        "megabytes": round(line.megabytes, 1),
        **figures,
        "peak_mb": round(max(ran.peak for ran, _ in runs) / 1e6),
        "kept": runs[-1][1],
    }


def _show(line: Line, runs: Sequence[tuple[Run, int]]) -> None:
    cpu = sorted(ran.cpu for ran, _ in runs)
    middle, spread = statistics.median(cpu), f"{cpu[0]:.1f}-{cpu[-1]:.1f}"
    wall, others = min(ran.wall for ran, _ in runs), statistics.median(ran.others for ran, _ in runs)
    print(
        f"{line.job:<12}{line.corpus:<16}{line.tool:<18}{middle:8.1f}{spread:>14}{line.megabytes / middle:9.1f}{wall:8.1f}"
        f"{others:8.1f}{runs[-1][1]:10,}",
        flush=True,
    )


def _daft_signatures(given: Corpus, rounds: int) -> float:
    """MB per CPU-second of daft's `minhash` alone."""
    with tempfile.TemporaryDirectory() as name:
        texts = Path(name) / "texts.parquet"
        columns = [text for batch in signatures_speed.columns(given.files) for text in batch.to_pylist()]
        pl.DataFrame({"text": columns}).write_parquet(texts)
        took = [float(timed(DAFT.command(texts, "--output", name, "--signatures"))[1].split()[-1]) for _ in range(rounds)]
    return given.megabytes / statistics.median(took)


if __name__ == "__main__":
    main()
