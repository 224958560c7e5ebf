"""`python -m tests.bench.export`: MB of text of an export per CPU-second, beside `encode_batch` of the library in one run.

Text of WINNOW_EVAL_DATA/throughput, curated once with `none@1` (no filter, no dedup: not measured), on one thread, in turn: the
library tokenises the texts from memory, the export reads shards, tokenises, shuffles and writes Megatron files with their tables.
The tokenizer is trained on the first texts, unless one is named. Prints both rates and their ratio by CPU seconds, round by
round, and the peak memory of the process. Ends with status 1 below the target of 80 %.

    python -m tests.bench.export [--rounds N] [--mb N] [--tokenizer NAME]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"

from flows import curate
from pipeline.export import mix, prepared, run, tokenizer
from pipeline.machine.events import silent
from pipeline.machine.resources import PeakMemory
from tests.bench.throughput import DEFAULT_DATA
from tests.bench.timed import texts
from tests.export import corpus
from tests.support import write_rows

TARGET = 0.8
VOCABULARY = 16_000
_TRAINED_ON = 4_000_000
_BATCH = 1000


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def gathered(data: Path, most: int) -> list[str]:
    import orjson

    found, size = [], 0
    for path in sorted(data.iterdir()):
        for line in texts(path):
            found.append(orjson.loads(line)["text"])
            size += len(found[-1].encode())
            if size > most:
                return found
    return found


def main(arguments: list[str]) -> int:
    given = argparse.ArgumentParser(prog="python -m tests.bench.export")
    given.add_argument("--rounds", type=int, default=3)
    given.add_argument("--mb", type=int, default=12)
    given.add_argument("--tokenizer")
    options = given.parse_args(arguments)
    found = gathered(Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)) / "throughput", options.mb * 1_000_000)
    size = sum(len(text.encode()) for text in found)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_rows(root / "in/texts.jsonl", [{"text": text} for text in found])
        plan = ["none@1", "--input", str(root / "in"), "--output", str(root / "out"), "--inline", "--clean"]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert curate.main(plan) == 0
        named = options.tokenizer or _trained(root, found)
        loaded = tokenizer.load(named).made

        def library() -> None:
            for start in range(0, len(found), _BATCH):
                loaded.encode_batch(found[start : start + _BATCH])

        def ours(number: int) -> None:
            asked = mix.wanted("source", weights=(), epochs=(), budget=None)
            request = prepared.Request(
                str(root / "out"), str(root / f"to-{number}"), "megatron", tokenizer=named, eos=None, mix=asked
            )
            run.export(request, silent, tell=lambda said: None)

        ours(-1)  # kernels are compiled, and the library's cache of words is filled for both
        ratios = []
        with PeakMemory() as memory:
            for number in range(options.rounds):
                alone, whole = cpu(library), cpu(lambda number=number: ours(number))
                ratios.append(alone / whole)
                print(f"encode_batch {size / alone / 1e6:.2f} MB/CPU-s, export {size / whole / 1e6:.2f}: {alone / whole:.2f}")
    median = statistics.median(ratios)
    print(f"{size / 1e6:.0f} MB: {median:.2f} of the library's rate (target {TARGET}); peak memory {memory.peak / 1e6:.0f} MB")
    return 0 if median >= TARGET else 1


def _trained(root: Path, found: list[str]) -> str:
    some, size = [], 0
    for text in found:
        some.append(text)
        size += len(text)
        if size > _TRAINED_ON:
            break
    corpus.train(some, vocabulary=VOCABULARY).save(str(root / "tokenizer.json"))
    return str(root / "tokenizer.json")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
