"""`python -m tests.bench.dedup_speed`: read → deduplicated output, beside rensa, datasketch and datatrove, in one run.

Every tool reads the files of WINNOW_EVAL_DATA/throughput as they are and writes what is left: `winnow minimal --inline` (with
two workers, and with one as its peers, since two threads of one core take more CPU-seconds for the same work) writes Parquet
with its evidence (rejected rows, ledger, index, report); the rensa and datasketch scripts write the kept lines as JSONL with
zstd level 1, without evidence. datatrove's four MinHash steps are slow, so they read a slice: every n-th document, about
--slice-mb, as .jsonl.gz, one file a worker; winnow is timed on that slice too.

    python -m tests.bench.dedup_speed [--rounds N] [--slice-mb MB] [--peers rensa datasketch datatrove]

CPU is user + system of the whole process tree, the median of the rounds; tools take turns. MB are of the text alone. Kernels
are compiled before (a first run of winnow on one file, shown). "others" is what other processes used meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gzip
import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil
import zstandard

from tests.bench.peers import environments
from tests.bench.peers.environments import DATASKETCH, DATATROVE, RENSA
from tests.bench.throughput import DEFAULT_DATA, measure

TARGETS = {"rensa": 3, "datasketch": 9, "datatrove": 50}
"""How many times less CPU than the peer winnow is to use."""
SECONDS = 1_500
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
TOOLS = (RENSA, DATASKETCH, DATATROVE)


@dataclass(frozen=True)
class Corpus:
    """Files of rows, and the size of their text."""

    files: list[Path]
    documents: int
    megabytes: float


@dataclass(frozen=True)
class Run:
    """One run of a tool: seconds and bytes of its process tree; others: CPU seconds of everything else meanwhile."""

    cpu: float
    wall: float
    peak: int
    others: float
    kept: int | None
    stages: dict[str, float]


def texts(path: Path) -> list[bytes]:
    """The rows of a file, undecoded."""
    raw = path.read_bytes()
    if path.suffix == ".zst":
        with zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as reader:
            raw = reader.read()
    else:
        raw = gzip.decompress(raw)
    return [line for line in raw.split(b"\n") if line]


def corpus(files: list[Path]) -> Corpus:
    rows, size = 0, 0
    for path in files:
        for line in texts(path):
            rows, size = rows + 1, size + len(orjson.loads(line)["text"].encode())
    return Corpus(files, rows, size / 1e6)


def cut(whole: Corpus, megabytes: float, folder: Path) -> Corpus:
    """Every n-th document, in two .jsonl.gz files."""
    step = max(1, round(whole.megabytes / megabytes))
    folder.mkdir()
    lines = [line for path in whole.files for line in texts(path)][::step]
    files = [folder / "0.jsonl.gz", folder / "1.jsonl.gz"]
    for number, file in enumerate(files):
        file.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines[number::2]), compresslevel=1))
    return corpus(files)


def timed(command: list[str]) -> tuple[Run, str]:
    """Run a command; its figures and what it printed."""
    _adopt_orphans()
    busy, before = _busy(), os.times()
    ran = measure(["timeout", str(SECONDS), *command])
    _reap()
    after = os.times()  # not ran["cpu"], which adds up over the children of this process
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    own = after.user + after.system - before.user - before.system
    others = max(0.0, _busy() - busy - cpu - own)
    return Run(cpu, float(str(ran["wall"])), int(str(ran["peak"])), others, None, {}), str(ran["out"])


def _adopt_orphans() -> None:
    """Make orphaned grandchildren children of this process: datatrove's fork server is waited for by nobody else."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl: no subreaper, so CPU of orphans would be missing")


def _reap() -> None:
    """Wait for adopted orphans, so that their CPU is counted."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _busy() -> float:
    times = psutil.cpu_times()
    return times.user + times.nice + times.system


def winnow(given: Corpus, folder: Path, *, workers: int = 2) -> Run:
    out = tempfile.mkdtemp(dir=folder)
    command = [sys.executable, "-m", "flows.curate", "minimal", "--inline", "--workers", str(workers), "--json"]
    ran, printed = timed([*command, "--input", *map(str, given.files), "--output", f"{out}/out"])
    metrics = json.loads(printed)["metrics"]
    if metrics["totals"]["read"] != given.documents:
        raise SystemExit(f"winnow read {metrics['totals']['read']} of {given.documents} documents")
    stages = {item["stage"]: item["cpu_s"] for item in metrics["cost"]["stages"]}
    return Run(ran.cpu, ran.wall, ran.peak, ran.others, metrics["totals"]["kept"], stages)


def peer(tool: environments.Peer, given: Corpus, folder: Path) -> Run:
    out = Path(tempfile.mkdtemp(dir=folder)) / "out.jsonl.zst"
    ran, _ = timed(tool.command(*given.files, "--output", out))
    written = sorted(out.iterdir()) if out.is_dir() else [out]
    return Run(ran.cpu, ran.wall, ran.peak, ran.others, sum(len(texts(file)) for file in written), {})


def show(tool: str, given: Corpus, runs: list[Run]) -> float:
    """Print a line; MB of text per CPU-second."""
    cpu = statistics.median(run.cpu for run in runs)
    spread = f"{min(run.cpu for run in runs):.1f}-{max(run.cpu for run in runs):.1f}"
    wall, others = min(run.wall for run in runs), statistics.median(run.others for run in runs)
    speed, peak = given.megabytes / cpu, max(run.peak for run in runs) / 1e6
    print(f"{tool:<22}{cpu:8.1f}{spread:>13}{speed:9.2f}{wall:8.1f}{others:8.1f}{peak:9,.0f}{runs[-1].kept:10,}", flush=True)
    return speed


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    options.add_argument("--rounds", type=int, default=3, help="of winnow and rensa; the slower peers run once")
    options.add_argument("--slice-mb", type=float, default=24)
    options.add_argument("--peers", nargs="*", choices=list(TARGETS), default=list(TARGETS))
    chosen = options.parse_args()
    files = sorted((chosen.data / "throughput").glob("*.jsonl.*"))
    if not files:
        raise SystemExit(f"no text in {chosen.data / 'throughput'}: set WINNOW_EVAL_DATA")
    tools = [tool for tool in TOOLS if tool.name in chosen.peers and environments.installed(tool)]
    with tempfile.TemporaryDirectory() as name:
        bench(chosen, tools, corpus(files), Path(name))


def bench(chosen: argparse.Namespace, tools: list[environments.Peer], whole: Corpus, folder: Path) -> None:
    part = cut(whole, chosen.slice_mb, folder / "slice")
    print(f"whole: {whole.megabytes:.1f} MB of text, {whole.documents:,} documents, {len(whole.files)} files")
    print(f"slice: {part.megabytes:.1f} MB of text, {part.documents:,} documents")
    first = winnow(corpus(whole.files[:1]), folder)
    print(f"first run of winnow on {whole.files[0].name}, kernels compiled if they were not: {first.cpu:.1f} CPU s")
    print("load average", ", ".join(f"{load:.2f}" for load in os.getloadavg()))
    ours: list[Run] = []
    alone: list[Run] = []
    theirs: dict[str, list[Run]] = {tool.name: [] for tool in tools}
    for number in range(chosen.rounds):
        ours.append(winnow(whole, folder))
        alone.append(winnow(whole, folder, workers=1))
        for tool in tools:
            if tool is RENSA or (number == 0 and tool is not DATATROVE):
                theirs[tool.name].append(peer(tool, whole, folder))
    head = f"{'tool':<22}{'CPU s':>8}{'range':>13}{'MB/CPU-s':>9}{'wall s':>8}{'others':>8}{'peak MB':>9}{'kept':>10}"
    print(head)
    show("winnow, 2 workers", whole, ours)
    speed = {"winnow": show("winnow, 1 worker", whole, alone)}
    for tool in tools:
        if tool is not DATATROVE:
            speed[tool.name] = show(tool.name, whole, theirs[tool.name])
    if DATATROVE in tools:
        show("winnow, slice", part, [winnow(part, folder, workers=1) for _ in range(chosen.rounds)])
        speed["datatrove"] = show("datatrove 14x8, slice", part, [peer(DATATROVE, part, folder)])
    print("load average", ", ".join(f"{load:.2f}" for load in os.getloadavg()))
    print("winnow's CPU per stage, last round with one worker")
    for stage, seconds in alone[-1].stages.items():
        print(f"  {stage:<28}{seconds:8.2f} s")
    print("MB of text per CPU-second, winnow with one worker / peer")
    failed = False
    for tool in tools:
        ratio = speed["winnow"] / speed[tool.name]
        failed |= ratio < TARGETS[tool.name]
        print(f"  {tool.name:<12}{ratio:8.1f}   target {TARGETS[tool.name]}")
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
