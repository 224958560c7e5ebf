"""The model tier of the default plan on one core, over real English text: MB of scored text per CPU-second (target 55).

Needs WINNOW_EVAL_DATA (real text that is not part of the project). CPU time of this thread, best of three. Ends with 1 where the
target is missed.

    python -m tests.bench.model_tier [--mb 40]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pyarrow as pa

from filters import FILTERS, language
from filters.contract import TextBatch, Tier
from filters.kernels import buffers
from pipeline.plan.load import load_plan
from tests.bench.kernels import DEFAULT_DATA, seconds, texts

TARGET = 55
BATCH = 8_000_000


def batches(folder: Path, limit: float) -> list[pa.Array]:
    """English documents of all corpora, in batches as the pipeline makes them."""
    text = pa.array(list(texts(folder, 2 * limit)), pa.large_string())
    params = language.FILTER.params()
    load = language.FILTER.load
    assert load is not None
    found = language.FILTER.annotate(TextBatch(text), pa.RecordBatch.from_arrays([], names=[]), params, load(params))
    english = text.filter(pa.compute.equal(found["language"], "en"))
    return [english.slice(a, b - a) for a, b in buffers.slices(buffers.views(english)[0], BATCH)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=float, default=40)
    options = parser.parse_args()
    parts = batches(Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)), options.mb * 1e6)
    size = sum(part.nbytes for part in parts) / 1e6
    models = [filter_ for filter_ in FILTERS if filter_.tier is Tier.MODEL]
    plan = load_plan("default").plan
    params = [plan.filter_plan(filter_)[0] for filter_ in models]
    loaded = [filter_.load(own) for filter_, own in zip(models, params, strict=True) if filter_.load is not None]

    def score(wanted: list[int]) -> None:
        for part in parts:
            batch, given = TextBatch(part), pa.record_batch({"language": pa.array(["en"] * len(part), pa.string())})
            for i in wanted:
                models[i].annotate(batch, given, params[i], loaded[i])

    print(f"{size:.0f} MB of English text in {sum(map(len, parts)):,} documents, MB per CPU-second")
    for i, filter_ in enumerate(models):
        print(f"  {filter_.name:<24} {size / seconds(lambda i=i: score([i])):8.1f}")
    together = size / seconds(lambda: score(list(range(len(models)))))
    print(f"  {'the whole tier':<24} {together:8.1f}  target {TARGET}: {'met' if together >= TARGET else 'MISSED'}")
    return 0 if together >= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
