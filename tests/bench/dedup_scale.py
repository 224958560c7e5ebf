"""`python -m tests.bench.dedup_scale --documents 1e6 [--also 1e7]`: dedup of many documents, and whether it was right.

Writes documents of known fates (`tests/bench/synthetic.py`, some 320 bytes a line) and runs `winnow minimal --inline --workers 2`
on them in a process of its own, kernels compiled before. Prints CPU per document (the whole process tree, and the stages sign and
dedup), the tree's peak memory, index bytes per document, the most that the work directory took, and the share of planted pairs
that was found, by similarity. Every fate is compared with what was planted: exact copies must go, documents without a near one
must stay, whoever goes below the threshold is an error. With `--also`, the ratios between the two sizes too.

    python -m tests.bench.dedup_scale [--documents N] [--also N] [--seed N] [--folder DIR] [--write] [other arguments of winnow]

`--write`: docs/results/scale.json, and the page that is made of it (`tests.bench.scale_page`).

Ends with status 1 where a fate is wrong or a target is missed: 1.3 times the CPU per document, 2 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil

from tests.bench import scale_page, synthetic
from tests.bench.throughput import tree

TARGET_RATIO, TARGET_PEAK = 1.3, 2e9
THRESHOLD = 0.8
_NAMES = np.array(["kept", "exact_duplicate", "near_duplicate"])


@dataclass(frozen=True)
class Ran:
    """One run: CPU seconds of the tree, of sign and dedup; bytes of peak, work directory, index, data."""

    documents: int
    cpu: float
    wall: float
    dedup: float
    peak: int
    work: int
    index: int
    data: int
    kept: int
    metrics: dict[str, Any]


def watch(command: list[str], work: Path) -> tuple[dict[str, Any], float, float, int, int]:
    """Run a command: what it printed, CPU seconds, wall seconds, peak bytes of its tree, most bytes below `work`."""
    before, start = os.times(), time.monotonic()
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        running = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=os.environ | {"NO_COLOR": "1"})
        process, peak, most, step = psutil.Process(running.pid), 0, 0, 0
        while running.poll() is None:
            peak = max(peak, tree(process)[0])
            if step % 10 == 0:
                most = max(most, below(work))
            step += 1
            time.sleep(0.1)
        stderr.seek(0)
        if running.returncode:
            raise SystemExit(stderr.read().decode(errors="replace") + f"exit {running.returncode}")
        stdout.seek(0)
        printed = json.loads(stdout.read())
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return printed, cpu, time.monotonic() - start, peak, most


def below(folder: Path) -> int:
    """Bytes that a folder's files take; files that go meanwhile count nothing."""
    size = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.stat(os.path.join(where, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return size


def dedup_cpu(metrics: dict[str, Any]) -> float:
    """CPU seconds of the stages sign and dedup."""
    return sum(s["cpu_s"] for s in metrics["cost"]["stages"] if s["stage"] == "sign" or s["stage"].startswith("dedup"))


def curate(documents: int, folder: Path, *, seed: int, more: list[str]) -> tuple[Ran, Path]:
    """Write the documents, if they are not there, and run on them; the run, and its output."""
    data, out = folder / f"documents-{documents}-{seed}", folder / f"out-{documents}"
    if not (data / ".whole").exists():
        size = synthetic.write(data, documents, seed=seed)
        (data / ".whole").write_text(str(size))
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "flows.curate", "minimal", "--inline", "--workers", "2", "--json"]
    command += ["--input", f"{data}/*.jsonl", "--output", str(out), *more]
    printed, cpu, wall, peak, work = watch(command, out / ".work")
    metrics = printed["metrics"]
    index, data = below(out / "index"), below(out / "data")
    return Ran(documents, cpu, wall, dedup_cpu(metrics), peak, work, index, data, metrics["totals"]["kept"], metrics), out


def fates(out: Path) -> dict[str, np.ndarray]:
    """`document`, `fate` (index into _NAMES), `original`, `similarity` of every row."""
    files = sorted((out / "ledger").glob("*.parquet"))
    columns = ["id", "reason", "duplicate_of", "similarity"]
    rows = pl.concat([pl.read_parquet(file, columns=columns) for file in files])
    if not set(rows["reason"].drop_nulls().unique()) <= set(_NAMES[1:]):
        raise SystemExit(f"unexpected reasons: {rows['reason'].unique().to_list()}")
    reason = rows["reason"].fill_null("kept")
    found = {
        "document": rows["id"].str.slice(5, 9).cast(pl.UInt64).to_numpy(),
        "fate": np.select([(reason == name).to_numpy() for name in _NAMES], range(3)),
        "survivor": rows["duplicate_of"].str.slice(5, 9).cast(pl.UInt64).fill_null(2**63).to_numpy(),
        "similarity": rows["similarity"].fill_null(np.nan).to_numpy(),
    }
    order = np.argsort(found["document"])
    return {name: column[order] for name, column in found.items()}


def judge(found: dict[str, np.ndarray], seed: int) -> tuple[list[str], int]:
    """Lines about the planted pairs, and how many fates are wrong."""
    made, fate = synthetic.plan(found["document"], seed), found["fate"]
    exact = synthetic.similarity(made.words, made.end)
    near = (made.kind == synthetic.NEAR_COPY) | (made.kind == synthetic.CHAIN_A)
    middle_gone = np.append(False, fate[:-1] != 0)
    must_stay = (
        (made.kind == synthetic.ORIGINAL) | (near & (exact < THRESHOLD)) | ((made.kind == synthetic.CHAIN_B) & middle_gone)
    )
    gone = (fate == 2) & near
    # Another near copy of the same original, which the bands missed and which so was kept, may be the more similar one.
    at = np.minimum(np.searchsorted(found["document"], found["survivor"]), len(fate) - 1)
    named = gone & ~(near[at] & (fate[at] == 0) & (made.original[at] == made.original))
    wrong = {
        "documents that had to stay and went": must_stay & (fate != 0),
        "exact copies that did not go as such": (made.kind == synthetic.COPY) & (fate != 1),
        "other documents that went as exact copies": (made.kind != synthetic.COPY) & (fate == 1),
        "near copies with another survivor": named & (found["survivor"] != made.original),
        "near copies with another similarity": named & ~np.isclose(found["similarity"], exact, rtol=0, atol=1e-12),
        "copies with another survivor": (made.kind == synthetic.COPY) & (found["survivor"] != made.original),
        "documents missing or there twice": np.diff(found["document"], prepend=np.uint64(0)) != (np.arange(len(fate)) > 0),
    }
    lines = ["planted pairs found, by similarity"]
    levels = [*np.arange(0.5, THRESHOLD, 0.1), *np.arange(THRESHOLD, 1, 0.05), 1.0]
    for low, high in pairwise(levels):
        inside = near & (exact >= low - 1e-12) & (exact < high - 1e-12)
        if inside.any():
            lines.append(f"  {low:.2f} to {high:.2f}  {int((gone & inside).sum()):>10,} of {int(inside.sum()):>10,}"
                         f"  {(gone & inside).sum() / inside.sum():8.4f}")  # fmt: skip
    chains = made.kind == synthetic.CHAIN_B
    lines.append(f"chains: {int((chains & (fate == 0)).sum()):,} of {int(chains.sum()):,} ends kept")
    lines += [f"WRONG {what}: {int(which.sum()):,}" for what, which in wrong.items() if which.any()]
    return lines, sum(int(which.sum()) for which in wrong.values())


def show(ran: Ran) -> None:
    print(f"{ran.documents:,} documents, {ran.metrics['totals']['bytes_read'] / 1e6:,.0f} MB of text, {ran.kept:,} kept")
    print(f"CPU, process tree    {ran.cpu:10.1f} s   {1e6 * ran.cpu / ran.documents:8.2f} µs a document   wall {ran.wall:.1f} s")
    print(f"CPU, sign + dedup    {ran.dedup:10.1f} s   {1e6 * ran.dedup / ran.documents:8.2f} µs a document")
    print(f"peak, process tree   {ran.peak / 1e6:10,.0f} MB")
    print(f"index                {ran.index / 1e6:10,.1f} MB  {ran.index / ran.kept:8.1f} bytes a kept document")
    print(f"work directory       {ran.work / 1e6:10,.0f} MB  {ran.work / ran.documents:8.0f} bytes a document, at most")
    for stage in ran.metrics["cost"]["stages"]:
        print(f"  {stage['stage']:<28}{stage['cpu_s']:10.2f} s")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--documents", type=float, default=1e6)
    options.add_argument("--also", type=float)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--write", action="store_true", help="write docs/results/scale.json and its page")
    options.add_argument("--folder", type=Path, help="keep documents and outputs here; default: a temporary folder")
    chosen, more = options.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        curate(2_000, folder, seed=chosen.seed, more=more)  # compiles the kernels
        runs, wrong = [], 0
        for documents in (chosen.documents, chosen.also):
            if documents:
                ran, out = curate(int(documents), folder, seed=chosen.seed, more=more)
                lines, errors = judge(fates(out), chosen.seed)
                show(ran)
                print("\n".join(lines), f"\nwrong fates: {errors:,}\n", sep="", flush=True)
                runs, wrong = [*runs, ran], wrong + errors
    if chosen.write:
        scale_page.note([_told(ran) for ran in runs])
    missed = [f"peak {ran.peak / 1e9:.2f} GB, target {TARGET_PEAK / 1e9:g}" for ran in runs if ran.peak > TARGET_PEAK]
    if len(runs) == 2:
        one, two = runs
        for what, ratio in ratios(one, two).items():
            print(
                f"CPU per document, {what}: {ratio:.2f} times from {one.documents:,} to {two.documents:,}, target {TARGET_RATIO}"
            )
            missed += [f"{what} {ratio:.2f}"] if ratio > TARGET_RATIO else []
    print("missed: " + "; ".join(missed) if missed else "targets met")
    raise SystemExit(bool(missed or wrong))


def _told(ran: Ran) -> scale_page.Ran:
    sizes = (size / 1e6 for size in (ran.peak, ran.index, ran.data, ran.work))
    text_mb = ran.metrics["totals"]["bytes_read"] / 1e6
    return scale_page.Ran(scale_page.SHORT, ran.documents, text_mb, ran.cpu, ran.wall, *sizes, workers=2)


def ratios(one: Ran, two: Ran) -> dict[str, float]:
    """CPU per document of the second run over that of the first."""
    scale = one.documents / two.documents
    return {"process tree": two.cpu / one.cpu * scale, "sign + dedup": two.dedup / one.dedup * scale}


if __name__ == "__main__":
    main()
