"""The rule kernels on one core, over real text: MB of text per CPU-second, cost by document size, scratch, compile and load time.

Needs WINNOW_EVAL_DATA (real text that is not part of the project). Everything is CPU time of this thread, best of three.

    python -m tests.bench.kernels [--mb 40]
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import zstandard

from filters import gopher_quality, gopher_repetition
from filters.contract import TextBatch, Tier
from filters.kernels import warm
from filters.kernels.lines import segments
from filters.kernels.ngrams import ngrams
from filters.kernels.words import tokens
from pipeline.plan import load, recipe
from pipeline.plan import presets as published
from pipeline.stages.unit.signals import run_filter
from pipeline.text import final

DEFAULT_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
PROFILES = ("paper", "datatrove", "dclm", "dolma")
FILTERS = (gopher_quality, gopher_repetition)
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)


def texts(folder: Path, limit: float) -> Iterator[str]:
    """As many bytes of each corpus, from its beginning, `limit` in all."""
    files = sorted((folder / "throughput").glob("*.jsonl.*"))
    if not files:
        raise SystemExit(f"no text in {folder / 'throughput'}: set WINNOW_EVAL_DATA to a folder with throughput/*.jsonl.gz")
    for path in files:
        data = path.read_bytes()
        raw = gzip.decompress(data) if path.suffix == ".gz" else zstandard.ZstdDecompressor().stream_reader(data).read()
        left = limit / len(files)
        for line in io.TextIOWrapper(io.BytesIO(raw), "utf-8"):
            text = json.loads(line)["text"]
            left -= len(text.encode())
            yield text
            if left < 0:
                break


def seconds(run: Callable[[], object], times: int = 3) -> float:
    """CPU seconds of this thread, the best of several."""
    best = float("inf")
    for _ in range(times):
        start = time.thread_time()
        run()
        best = min(best, time.thread_time() - start)
    return best


def annotate(text: pa.Array, profiles: tuple[str, ...]) -> None:
    """Signals of both filters, each profile, with the facts shared as in a run."""
    batch = TextBatch(text)
    needed = pa.record_batch({"language": pa.array(["en"] * len(text), pa.string())})
    for profile in profiles:
        for module in FILTERS:
            module.FILTER.annotate(batch, needed, module.Params.model_validate({"profile": profile}), None)


def speed(text: pa.Array) -> None:
    print(f"gopher_quality and gopher_repetition, {text.nbytes / 1e6:.0f} MB in {len(text):,} documents, MB per CPU-second")
    for profiles in (*((profile,) for profile in PROFILES), PROFILES):
        name = profiles[0] if len(profiles) == 1 else "all profiles together"
        print(f"  {name:<24} {text.nbytes / 1e6 / seconds(lambda p=profiles: annotate(text, p)):8.1f}")


def presets(text: pa.Array) -> None:
    """The cheap filters of each preset over the texts that they read, each fact once, as in a run; edits and language apart."""
    print("cheap signals of each preset but the language, MB of source text per CPU-second (edits made before, not measured)")
    english = {"language": pa.array(["en"] * len(text), pa.string())}
    for name in sorted(published.presets()):
        made = recipe.resolve(load.load_plan(name, inputs=["."]).plan)
        finished = final.finish(text, made.steps)
        chosen = [f for f in made.filters if f.filter.tier is Tier.CHEAP and f.filter.name != "language"]

        def run(finished: pa.Table = finished, made: recipe.Recipe = made, chosen: list[recipe.ActiveFilter] = chosen) -> None:
            source = TextBatch(text)
            whole = TextBatch(final.texts(text, finished), source) if final.edited(finished).any() else source
            columns: dict[str, pa.Array] = dict(english)
            for item in chosen:
                signals = run_filter(item, made.known, source if item.reads == "source" else whole, columns=columns)
                columns |= dict(zip(signals.schema.names, signals.columns, strict=True))

        if chosen:
            print(f"  {name:<24} {text.nbytes / 1e6 / seconds(run):8.1f}")


def by_size(whole: str) -> None:
    """The same 10 MB of text, cut into documents of one size, and hostile documents beside it."""
    size = len(whole.encode())
    print("cost by document size, ns per byte (scratch: peak of numpy's memory / document, above 1 MB)")
    print(f"  {'':<24}" + "".join(f"{n:>13,}" for n in SIZES))
    rng = np.random.default_rng(0)
    kinds = {
        "real text": whole,
        "one line": whole.replace("\n", " "),
        "one word": "a" * size,
        "a a a a": "a " * (size // 2),
        "words of one letter": " ".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), size // 2)),
        "all words differ": " ".join(f"{n:x}" for n in rng.integers(0, 1 << 40, size // 11)),
        "one paragraph over": (whole[:1_000] + "\n\n") * (size // 1_000),
    }
    for name, text in kinds.items():
        cells = []
        for n in SIZES:
            data = text.encode()[:size]
            parts = [data[k : k + n].decode("utf-8", "ignore") for k in range(0, len(data) - n + 1, n)] or [text]
            array = pa.array(parts, pa.large_string())
            cost = seconds(lambda a=array: annotate(a, ("paper",)), 2) / array.nbytes * 1e9
            cells.append(f"{cost:8.1f}" + (f" {scratch(array):3.1f}x" if n > 1_000_000 else " " * 5))
        print(f"  {name:<24}" + "".join(cells))


def scratch(array: pa.Array) -> float:
    """Peak memory of the measures of one document / its bytes."""
    batch = TextBatch(array[:1])
    run = (
        lambda: ngrams.repetition(*batch.buffers, kind=ngrams.SPLIT),
        lambda: segments.segments(*batch.buffers, kind=segments.LINES),
    )
    peak = 0
    for measure in run:
        tracemalloc.start()
        measure()
        peak = max(peak, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return peak / len(batch.buffers[1])


def compiling() -> None:
    """Wall and CPU seconds of `warm` in a process with an empty cache, then in one with a full one."""
    script = "import time; from filters.kernels import warm as w; a, c = time.perf_counter(), time.process_time(); w.warm();"
    script += "print(time.perf_counter() - a, time.process_time() - c)"
    with tempfile.TemporaryDirectory() as folder:
        for name in ("compiled on a fresh cache", "loaded from the cache"):
            ran = subprocess.run(
                [sys.executable, "-c", script],
                env=os.environ | {"XDG_CACHE_HOME": folder},
                capture_output=True,
                text=True,
                check=True,
            )
            wall, cpu = map(float, ran.stdout.split())
            print(f"all kernels {name:<28} {wall:6.2f} s wall, {cpu:6.2f} s CPU")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mb", type=float, default=40)
    options.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    chosen = options.parse_args()
    compiling()
    warm.warm()
    tokens.tables()
    corpus = list(texts(chosen.data, chosen.mb * 1e6))
    speed(pa.array(corpus, pa.large_string()))
    presets(pa.array(corpus, pa.large_string()))
    by_size("\n\n".join(corpus).encode()[:10_000_000].decode("utf-8", "ignore"))


if __name__ == "__main__":
    main()
