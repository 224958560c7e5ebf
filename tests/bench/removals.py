"""What tools remove of documents whose fates are known (`tests.bench.synthetic`): wrongly, and of what is there to be found."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from tests.bench import synthetic
from tests.bench.peers.environments import Peer
from tests.bench.timed import texts, timed

SEED, THRESHOLD, CERTAIN = 11, 0.8, 0.85
"""CERTAIN: from here on 98 of 100 pairs are to be found, whoever draws the permutations."""


def rows(out: Path) -> int:
    """Documents of an output: a file of lines, or a folder of such or of Parquet."""
    files = sorted(path for path in out.rglob("*") if path.is_file()) if out.is_dir() else [out]
    return sum(pq.read_metadata(file).num_rows if file.suffix == ".parquet" else len(texts(file)) for file in files)


def judged(documents: int, peers: Sequence[Peer], folder: Path) -> list[dict[str, Any]]:
    """A line for each tool: CPU seconds, documents removed wrongly, share found of those that are to be."""
    given = Path(tempfile.mkdtemp(dir=folder))
    synthetic.write(given, documents, seed=SEED)
    files = sorted(given.iterdir())
    made = []
    for tool in ("winnow", *peers):
        out = Path(tempfile.mkdtemp(dir=folder)) / "out.jsonl.zst"  # a folder, of winnow's and daft's
        if isinstance(tool, Peer):
            name, command = tool.name, tool.command(*files, "--output", out)
        else:
            name, command = tool, [sys.executable, "-m", "flows.curate", "minimal", "--inline", "--workers", "1"]
            command += ["--input", *map(str, files), "--output", str(out)]
        ran, _ = timed(command)
        wrong, share = _against(_kept(out, winnow=name == "winnow"), documents)
        print(
            f"{documents:,} documents of known fates: {name:<12}{ran.cpu:8.1f} CPU s{wrong:8,} wrongly removed, found {share:.4f}"
        )
        made.append({"tool": name, "documents": documents, "cpu": round(ran.cpu, 2), "wrong": wrong, "found": round(share, 4)})
    return made


def _kept(out: Path, *, winnow: bool) -> set[str]:
    """The ids that an output holds."""
    if winnow:
        return set(pl.read_parquet(out / "data" / "*.parquet", columns=["id"])["id"])
    if out.is_dir():
        return set(pl.read_parquet(out / "*.parquet", columns=["id"])["id"])
    return {json.loads(line)["id"] for line in texts(out)}


def _against(kept: set[str], documents: int) -> tuple[int, float]:
    """`(wrong, found)`. Wrong: a document that is gone although no copy of it at THRESHOLD or more stayed. Found: of the exact
    and near copies from CERTAIN on, the share that is gone, or whose original is."""
    numbers = np.arange(documents, dtype=np.uint64)
    plan = synthetic.plan(numbers, SEED)
    likeness = np.where(plan.kind == synthetic.COPY, 1.0, synthetic.similarity(plan.words, plan.end))
    there = np.zeros(documents, np.bool_)
    there[[int(name.split("-")[1]) for name in kept]] = True
    planted = (plan.kind == synthetic.COPY) | (plan.kind == synthetic.NEAR_COPY)
    original = plan.original.astype(np.int64)
    stayed: dict[int, float] = defaultdict(float)  # the most alike copy of each original that stayed
    for number in np.flatnonzero(planted & there).tolist():
        stayed[original[number]] = max(stayed[original[number]], likeness[number])
    alone = (plan.kind == synthetic.ORIGINAL) & ~there
    wrong = sum(stayed[number] < THRESHOLD for number in np.flatnonzero(alone).tolist())
    wrong += int((planted & ~there & (likeness < THRESHOLD)).sum())
    certain = planted & (likeness >= CERTAIN)
    return wrong, float((~there | ~there[original])[certain].mean())
