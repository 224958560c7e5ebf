"""`python -m tests.bench.urls`: what `dedup.exact_url` costs: URLs per CPU-second, and their share of a run's CPU time.

The runs are of the presets `minimal` and `default` over real text, inline and with one worker. Status 1: the share is 10 % or
more. Needs WINNOW_EVAL_DATA (real text that is not part of the project).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from flows import curate
from pipeline.text import urls
from tests.bench.throughput import DEFAULT_DATA

SHARE = 0.10
FILES = ("astro_docs", "cakephp_docs", "oi_wiki_zh", "php_doc_en", "react_dev_en")


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    folder = Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)) / "throughput"
    inputs = [str(path) for name in FILES for path in folder.glob(f"{name}.jsonl.*")]
    if not inputs:
        raise SystemExit(f"no text in {folder}: set WINNOW_EVAL_DATA")
    url_keys, spent = urls.url_keys, [0.0, 0.0]

    def timed(column: Any) -> Any:
        start = time.thread_time()
        made = url_keys(column)
        spent[0] += time.thread_time() - start
        spent[1] += len(column)
        return made

    urls.url_keys = timed
    url_keys(pa.array(["http://a.b"]))  # loads the library
    missed = False
    for preset in ("minimal", "default"):
        with tempfile.TemporaryDirectory() as out, contextlib.redirect_stdout(io.StringIO()):
            spent[:] = 0.0, 0.0
            start = time.process_time()
            options = ["--output", f"{out}/out", "--inline", "--workers", "1", "--set", "dedup.exact_url=true"]
            status = curate.main([preset, "--input", *inputs, *options])
            used = time.process_time() - start
        missed |= spent[0] >= SHARE * used or status != 0
        print(f"{preset:8} {spent[1]:,.0f} URLs, {spent[1] / spent[0]:,.0f} a CPU-second, {spent[0] / used:.1%} of {used:.1f} s")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
