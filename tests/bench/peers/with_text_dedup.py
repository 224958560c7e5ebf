"""text-dedup 0.4.0: its own command line, word 5-grams, 128 permutations, its choice of bands for the threshold.

Its output is an Arrow dataset, its clusters are in the union-find that `--debug` leaves beside it.
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("inputs", nargs=1, type=Path)
    options.add_argument("--output", type=Path, required=True)
    options.add_argument("--clusters", type=Path)
    options.add_argument("--threshold", type=float, default=0.8)
    options.add_argument("--workers", type=int, default=2)
    chosen = options.parse_args()
    command = [sys.executable, "-m", "text_dedup.minhash", "--path", "json", "--data_files", chosen.inputs[0], "--split", "train"]
    command += ["--column", "text", "--ngram", 5, "--num_perm", 128, "--threshold", chosen.threshold, "--batch_size", 10_000]
    command += ["--output", chosen.output, "--num_proc", chosen.workers, *(["--debug"] if chosen.clusters else [])]
    with tempfile.TemporaryDirectory() as cache:
        subprocess.run([*map(str, command), "--cache_dir", cache], check=True)
    if chosen.clusters:
        import gzip

        with open(chosen.output / "uf.pkl", "rb") as file:
            found = pickle.load(file)
        with gzip.open(chosen.inputs[0]) as file:
            rows = sum(1 for _ in file)
        chosen.clusters.write_text(json.dumps([int(found.find(row)) for row in range(rows)]))


if __name__ == "__main__":
    main()
