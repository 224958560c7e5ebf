"""`python -m tests.bench.dedup_accuracy`: what dedup finds and removes on labelled and graded sets, beside four peers.

Curates each set of WINNOW_EVAL_DATA/dedup_eval as a user does (`minimal --inline`, threshold 0.8) and judges the output by
exact similarity, recomputed from the written texts with the plain Python definition for every pair that shares a shingle.

    python -m tests.bench.dedup_accuracy [--peers rensa datasketch ...] [--sets book_editions ...]

Per set and tool:
- removed: documents gone. below: of these, how many fall short of the threshold against their survivor (peers name none: the
  first row of the cluster). far: how many do against every document of their cluster.
- recall: share of the pairs of exact similarity >= 0.85 (and >= the threshold) of which at least one document is gone.
- P, R, F1: pairs of one cluster against pairs of one label, on the sets whose labels mean near-duplicate.
- "exact, joined": all pairs of exact similarity >= the threshold, joined transitively; no tool that removes nothing below the
  threshold makes larger clusters. "datatrove 14x8" is its default, of nominal threshold 0.72: shown, not compared with.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.text import bands
from tests.bench.peers import environments
from tests.bench.peers.environments import PEERS, Peer
from tests.bench.throughput import DEFAULT_DATA
from tests.text import definition

ROOT = Path(__file__).resolve().parents[2]
LABELLED = ("book_editions", "versioned_docs")
SETS = ("book_editions", "versioned_docs", "page_revisions", "licence_texts", "mccormick_articles")
THRESHOLD, CERTAIN, SECONDS = 0.8, 0.85, 600
OTHER_THRESHOLD = "datatrove 14x8"  # (1/14)^(1/8) = 0.72; 11 x 11 is 0.80


@dataclass(frozen=True)
class Documents:
    """A set, with the exact similarity of every pair; rows in the order of the file."""

    path: Path
    ids: list[str]
    texts: list[str]
    labels: list[str]
    similarity: np.ndarray
    """float64[n, n]"""


@dataclass(frozen=True)
class Found:
    """What a tool did: the survivor of each row, itself where the row is kept."""

    tool: str
    survivor: np.ndarray

    def gone(self) -> np.ndarray:
        return np.flatnonzero(self.survivor != np.arange(len(self.survivor)))


def documents(path: Path) -> Documents:
    with gzip.open(path, "rt") as file:
        rows = [json.loads(line) for line in file]
    texts = [row["text"] for row in rows]
    return Documents(path, [r["id"] for r in rows], texts, [r["cluster"] for r in rows], similarities(texts))


def similarities(texts: list[str]) -> np.ndarray:
    """Jaccard of all pairs, by an inverted index of the definition's shingles; 1 for texts alike but for white space."""
    number: dict[tuple[str, ...], int] = {}
    sets = [np.fromiter((number.setdefault(s, len(number)) for s in definition.shingles(t, 5)), np.int64) for t in texts]
    sizes = np.array([len(s) for s in sets])
    shingle, holder = np.concatenate(sets), np.repeat(np.arange(len(sets)), sizes)
    holders = holder[np.argsort(shingle, kind="stable")]
    ends = np.cumsum(np.bincount(shingle, minlength=len(number)))
    begins = np.append(0, ends[:-1])
    shared = np.zeros((len(sets), len(sets)), np.int64)
    for row, own in enumerate(sets):
        spans = [holders[begins[s] : ends[s]] for s in own]
        if spans:
            shared[row] = np.bincount(np.concatenate(spans), minlength=len(sets))
    found = shared / np.maximum(sizes[:, None] + sizes - shared, 1)
    folded = np.unique([" ".join(text.split()) for text in texts], return_inverse=True)[1]
    found[folded[:, None] == folded] = 1
    return found


def winnow(given: Documents, folder: Path) -> tuple[Found, pl.DataFrame]:
    """Run the command; the survivors that `rejected/` names, and `rejected/` itself joined with each survivor's text."""
    out = folder / "winnow"
    command = [sys.executable, "-m", "flows.curate", "minimal", "--inline", "--input", str(given.path), "--output", str(out)]
    ran(["timeout", str(SECONDS), *command, "--workers", "2", "--set", f"dedup.threshold={THRESHOLD}"])
    columns = ["id", "text", "source_ref"]
    kept = pl.concat([pl.read_parquet(file, columns=columns) for file in sorted(out.glob("data/*.parquet"))])
    rejected = pl.concat([pl.read_parquet(file) for file in sorted(out.glob("rejected/*.parquet"))])
    ledger = pl.concat([pl.read_parquet(file) for file in sorted(out.glob("ledger/*.parquet"))])
    if sorted(kept["id"].to_list() + rejected["id"].to_list()) != sorted(given.ids):
        raise SystemExit(f"{given.path.name}: data/ and rejected/ together do not hold every document once")
    evidence = ["id", "reason", "duplicate_of", "duplicate_ref", "similarity"]
    if not ledger.filter(pl.col("verdict") == "dropped").select(evidence).sort("id").equals(rejected.select(evidence).sort("id")):
        raise SystemExit(f"{given.path.name}: ledger/ and rejected/ name different evidence")
    survivors = kept.select(pl.col("source_ref").alias("duplicate_ref"), pl.col("text").alias("survivor_text"))
    removals = rejected.join(survivors, on="duplicate_ref", how="left")
    if removals["survivor_text"].null_count():
        raise SystemExit(f"{given.path.name}: a survivor is not in data/")
    row = {id_: number for number, id_ in enumerate(given.ids)}
    survivor = np.arange(len(given.ids))
    for id_, other in removals.select("id", "duplicate_of").rows():
        survivor[row[id_]] = row[other]
    return Found("winnow", survivor), removals


def evidence_faults(removals: pl.DataFrame) -> tuple[int, float]:
    """Removals below the threshold by the definition, and the largest error of a similarity that the ledger names."""
    below, error = 0, 0.0
    for text, other, named in removals.select("text", "survivor_text", "similarity").rows():
        exact = 1.0 if text.split() == other.split() else definition.jaccard(text, other)
        below += exact < THRESHOLD
        error = max(error, abs(exact - named))
    return below, error


def peer(tool: Peer, given: Documents, folder: Path, label: str, *flags: object) -> Found:
    """The clusters of a peer's script; the first row of a cluster is its survivor."""
    clusters = folder / f"{label}.json"
    ran(["timeout", str(SECONDS), *tool.command(given.path, "--output", folder / label, "--clusters", clusters, *flags)])
    return Found(label, np.array(json.loads(clusters.read_text())))


def peers(names: Iterable[str], given: Documents, folder: Path) -> list[Found]:
    found = []
    for tool in PEERS:
        if tool.name not in names:
            continue
        if tool is environments.DATATROVE:
            found.append(peer(tool, given, folder, "datatrove 11x11", "--bands", 11, "--rows", 11))
            found.append(peer(tool, given, folder, OTHER_THRESHOLD))
        else:
            found.append(peer(tool, given, folder, tool.name, "--threshold", THRESHOLD))
    return found


def joined(given: Documents) -> Found:
    """Clusters of all pairs that reach the threshold, transitively."""
    linked, first = given.similarity >= THRESHOLD, np.arange(len(given.ids))
    np.fill_diagonal(linked, True)
    while True:
        least = np.where(linked, first, len(first)).min(axis=1)
        if (least == first).all():
            return Found("exact, joined", first)
        first = least


def ran(command: list[str]) -> None:
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{done.stderr}\n{' '.join(command)}: exit {done.returncode}")


def recall(given: Documents, found: Found, least: float) -> tuple[int, list[tuple[int, int]]]:
    """Pairs of at least this similarity, and those of which both documents are still there."""
    one, other = np.nonzero(np.triu(given.similarity >= least, 1))
    gone = np.isin(np.arange(len(given.ids)), found.gone())
    missed = ~gone[one] & ~gone[other]
    return len(one), list(zip(one[missed].tolist(), other[missed].tolist(), strict=True))


def pairwise(labels: list[str], survivor: np.ndarray) -> tuple[float, float, float]:
    """Precision, recall and F1 of the pairs of one cluster against the pairs of one label."""

    def pairs(keys: Iterable[object]) -> int:
        return sum(n * (n - 1) // 2 for n in Counter(keys).values())

    made, true, both = pairs(survivor.tolist()), pairs(labels), pairs(zip(labels, survivor.tolist(), strict=True))
    precision, share = both / (made or 1), both / (true or 1)
    return precision, share, 2 * both / ((made + true) or 1)


def line(given: Documents, found: Found, labelled: bool) -> str:
    gone = found.gone()
    below = int((given.similarity[gone, found.survivor[gone]] < THRESHOLD).sum())
    far = 0
    for row in gone:
        mates = np.flatnonzero(found.survivor == found.survivor[row])
        far += given.similarity[row, mates[mates != row]].max() < THRESHOLD
    shares = []
    for least in (CERTAIN, THRESHOLD):
        pairs, missed = recall(given, found, least)
        shares.append(f"{1 - len(missed) / (pairs or 1):9.4f}")
    precision = 1 - below / (len(gone) or 1)
    text = f"  {found.tool:<16}{len(gone):8,}{below:7,}{far:6,}{precision:11.4f}{''.join(shares)}"
    return text + ("".join(f"{value:8.4f}" for value in pairwise(given.labels, found.survivor)) if labelled else "")


def show(given: Documents, ours: Found, removals: pl.DataFrame, others: list[Found]) -> tuple[int, int, int, list[str]]:
    """Print a set's table; removals below the threshold, pairs >= CERTAIN, pairs missed, and targets missed."""
    name = given.path.name.partition(".")[0]
    below, error = evidence_faults(removals)
    pairs, missed = recall(given, ours, CERTAIN)
    at = recall(given, ours, THRESHOLD)[0]
    counts = dict(removals["reason"].value_counts().rows())
    print(f"\n{name}: {len(given.ids):,} documents; exact pairs >= {CERTAIN}: {pairs:,}, >= {THRESHOLD}: {at:,}")
    print(f"  winnow: {counts}; {below} removals below {THRESHOLD}; largest error of a named similarity {error:.1e}")
    head = f"  {'tool':<16}{'removed':>8}{'below':>7}{'far':>6}{'precision':>11}{'r>=.85':>9}{'r>=.80':>9}"
    print(head + (f"{'P':>8}{'R':>8}{'F1':>8}" if name in LABELLED else ""))
    reference = joined(given)
    for found in (ours, *others, reference):
        print(line(given, found, name in LABELLED))
    for one, other in missed[:10]:
        print(f"  missed: {given.ids[one]} | {given.ids[other]}: {given.similarity[one, other]:.4f}")
    failed = []
    if name in LABELLED and others:
        scores = {found.tool: pairwise(given.labels, found.survivor)[2] for found in (ours, *others, reference)}
        best = max((found.tool for found in others if found.tool != OTHER_THRESHOLD), key=scores.__getitem__)
        if scores["winnow"] < scores[best]:
            most = scores[reference.tool]
            failed.append(f"{name}: {scores['winnow']:.4f}, {best} {scores[best]:.4f} ({reference.tool} {most:.4f})")
    return below, pairs, len(missed), failed


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    options.add_argument("--peers", nargs="*", default=[tool.name for tool in PEERS])
    options.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    chosen = options.parse_args()
    missing = [name for name in chosen.sets if not (chosen.data / "dedup_eval" / f"{name}.jsonl.gz").exists()]
    if missing:
        raise SystemExit(f"no {', '.join(missing)} in {chosen.data / 'dedup_eval'}: set WINNOW_EVAL_DATA")
    names = [tool.name for tool in PEERS if tool.name in chosen.peers and environments.installed(tool)]
    shape = bands.choose(THRESHOLD, 128, "auto")
    print(f"threshold {THRESHOLD}, {shape[0]} bands of {shape[1]}: LSH finds", end=" ")
    print(", ".join(f"{bands.detection_probability(s, *shape):.4f} of pairs at {s}" for s in (THRESHOLD, CERTAIN, 0.9)))
    below = pairs = missed = 0
    failed: list[str] = []
    for name in chosen.sets:
        given = documents(chosen.data / "dedup_eval" / f"{name}.jsonl.gz")
        with tempfile.TemporaryDirectory() as folder:
            ours, removals = winnow(given, Path(folder))
            counts = show(given, ours, removals, peers(names, given, Path(folder)))
        below, pairs, missed, failed = below + counts[0], pairs + counts[1], missed + counts[2], failed + counts[3]
    print(f"\nremovals below {THRESHOLD}: {below} (target 0)")
    print(f"recall of pairs >= {CERTAIN}: {1 - missed / (pairs or 1):.5f}, {missed} of {pairs:,} missed (target 0.99)")
    print("F1 at least the best peer's: " + ("; ".join(failed) if failed else "yes"))
    raise SystemExit(bool(below or missed > 0.01 * pairs or failed))


if __name__ == "__main__":
    main()
