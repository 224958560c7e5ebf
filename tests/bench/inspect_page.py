"""How fast the page of `inspect browse` answers: the slider over a million rows, pages and searches of an output.

`python -m tests.bench.inspect_page [--rows 1e6]`. The rows are those of 20,000 documents of our own, whose unit the slider is
told of as often as it takes: it reads, holds and judges that many rows. Prints wall times and the resident memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

DOCUMENTS = 20_000
MOVES = {
    "filters.gopher_quality.min_words": (20, 130),
    "filters.gopher_repetition.max_top_2gram": (0.01, 0.2),
    "filters.quality.min_score": (0.05, 0.95),
    "filters.toxicity.max_score": (0.05, 0.95),
}
ROUNDS = 12


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=float, default=1e6)
    rows = int(parser.parse_args().rows)
    with tempfile.TemporaryDirectory() as folder:
        out = _output(Path(folder))
        _repeated(out, max(1, rows // DOCUMENTS))
        _slider(out)
        _pages(out)


def _output(folder: Path) -> Path:
    from tests.support import curate, prose, write_rows

    texts = ({"text": " ".join(prose(k).split()[: 15 + k % 160])} for k in range(DOCUMENTS))
    path = write_rows(folder / "in" / "a.jsonl", list(texts))
    curate("default", "--input", path, "--output", folder / "out", "--set", "dedup=false", "--set", "checks.max_drop_share=1")
    return folder / "out"


def _repeated(out: Path, times: int) -> None:
    file = out / ".work" / "generations" / "000001.json"
    file.write_text(json.dumps(json.loads(file.read_text()) * times))


def _slider(out: Path) -> None:
    import psutil

    from pipeline.inspect.output import open_output_of
    from pipeline.inspect.thresholds.slider import Slider
    from pipeline.store.store import open_store

    memory = psutil.Process(os.getpid()).memory_info
    before = memory().rss
    start = time.perf_counter()
    slider = Slider(open_output_of(str(out)), open_store(str(out / ".work"), create=False))
    rows = sum(map(len, slider._blocks))
    print(f"{rows:,} rows: opened in {time.perf_counter() - start:.2f} s")
    for key, (low, high) in MOVES.items():
        start = time.perf_counter()
        slider.histograms(key)
        slider.effect({key: str(low)})
        first = time.perf_counter() - start
        took = []
        for step in range(ROUNDS):
            start = time.perf_counter()
            slider.effect({key: f"{low + (high - low) * step / ROUNDS:.4g}" if isinstance(low, float) else str(low + step * 9)})
            took.append(time.perf_counter() - start)
        print(
            f"{key:<44} first {first:.2f} s, then median {1e3 * statistics.median(took):.0f} ms, largest {1e3 * max(took):.0f} ms"
        )
    print(f"memory {(memory().rss - before) / 1e6:,.0f} MB more than before")


def _pages(out: Path) -> None:
    from pipeline.inspect import listing
    from pipeline.inspect.output import open_output_of

    output = open_output_of(str(out))
    for name, wanted in {
        "first page": listing.DocumentQuery(),
        "dropped for a reason": listing.DocumentQuery("dropped", reason="gopher_quality"),
        "text that stands nowhere": listing.DocumentQuery(text="no document has this"),
    }.items():
        start = time.perf_counter()
        made = listing.page(output, wanted)
        print(f"{name:<44} {1e3 * (time.perf_counter() - start):.0f} ms, {made.looked:,} of {made.total:,} rows looked at")


if __name__ == "__main__":
    main()
