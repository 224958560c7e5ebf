"""`python -m tests.bench.signatures_speed`: MB of text per CPU-second of MinHash signatures with their band keys, on one thread.

Times `pipeline.text.signatures.annotate` on the texts of WINNOW_EVAL_DATA/throughput, at 128 permutations: with the bands that
`auto` takes at 0.8 (18 x 7 = 126 of them are used), and with all 128 used (16 x 8). Kernels are compiled before; texts are in
memory; the median of the rounds, and their range. Ends with status 1 below the target of 200 MB.

    python -m tests.bench.signatures_speed [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

import orjson
import pyarrow as pa

from filters.kernels import warm
from pipeline.text import bands, signatures
from tests.bench.throughput import DEFAULT_DATA
from tests.bench.timed import texts

TARGET = 200
_SLICE = 4 << 20


def columns(files: list[Path]) -> list[pa.LargeStringArray]:
    """The texts, in batches as a run has them."""
    made: list[pa.LargeStringArray] = []
    for path in files:
        rows, size = [], 0
        for line in texts(path):
            rows.append(orjson.loads(line)["text"])
            size += len(rows[-1])
            if size > _SLICE:
                made.append(pa.array(rows, pa.large_string()))
                rows, size = [], 0
        made.append(pa.array(rows, pa.large_string()))
    return made


def seconds(batches: list[pa.LargeStringArray], shape: tuple[int, int]) -> float:
    start = time.process_time()
    for batch in batches:
        signatures.annotate(batch, ngram=5, permutations=128, bands=shape[0], rows=shape[1], hash_="default")
    return time.process_time() - start


def megabytes_per_second(files: list[Path], rounds: int) -> float:
    """MB of text per CPU-second at the bands that `auto` takes at 0.8; the median of the rounds."""
    warm.warm()
    batches, shape = columns(files), bands.choose(0.8, 128, "auto")
    seconds(batches[:1], shape)
    return sum(batch.nbytes for batch in batches) / 1e6 / statistics.median(seconds(batches, shape) for _ in range(rounds))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    files = sorted((chosen.data / "throughput").glob("*.jsonl.*"))
    if not files:
        raise SystemExit(f"no text in {chosen.data / 'throughput'}: set WINNOW_EVAL_DATA")
    warm.warm()
    batches = columns(files)
    size = sum(batch.nbytes for batch in batches) / 1e6
    shapes = {"auto": bands.choose(0.8, 128, "auto"), "all 128": (16, 8)}
    seconds(batches[:1], shapes["auto"])
    print(f"{size:.1f} MB of text, {sum(map(len, batches)):,} documents, load {os.getloadavg()[0]:.2f}")
    missed = False
    taken: dict[str, list[float]] = {name: [] for name in shapes}
    for _ in range(chosen.rounds):
        for name, shape in shapes.items():
            taken[name].append(seconds(batches, shape))
    for name, shape in shapes.items():
        speed = size / statistics.median(taken[name])
        missed |= speed < TARGET
        spread = f"{size / max(taken[name]):.0f}-{size / min(taken[name]):.0f}"
        print(f"{name:<8} {shape[0]:3} x {shape[1]:<3}{speed:8.0f} MB per CPU-second ({spread}), target {TARGET}")
    raise SystemExit(missed)


if __name__ == "__main__":
    main()
