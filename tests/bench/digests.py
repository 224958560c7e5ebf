"""`python -m tests.bench.digests`: `content_sha256` of what the default plan makes of the sample, and of 21 MB of real text.

Prints one line for each folder of an output. Two trees that print the same lines write the same rows: run it before and after
a change that is meant to change no byte. The real text is five files of WINNOW_EVAL_DATA/throughput, in six languages of code
documentation (1,619 documents); without that folder only the sample is run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    "oi_wiki_zh.jsonl.gz",
    "react_dev_en.jsonl.gz",
    "react_dev_ja.jsonl.gz",
    "react_dev_ru.jsonl.gz",
    "rust_book.jsonl.gz",
)


def digests(name: str, arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "flows.curate", *arguments, "--inline", "--output", f"{folder}/out"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        made = json.loads((Path(folder) / "out" / "manifests" / "000001.json").read_text("utf-8"))
    totals = made["totals"]
    print(f"{name}: " + ", ".join(f"{key} {value:,}" for key, value in totals.items() if isinstance(value, int)))
    for part, sha256 in sorted(made["content_sha256"].items()):
        print(f"  {part:<10} {sha256}")


def main() -> None:
    """Print the digests of both inputs."""
    digests("sample", [])
    if "WINNOW_EVAL_DATA" not in os.environ:
        print("throughput: WINNOW_EVAL_DATA is not set")
        return
    data = Path(os.environ["WINNOW_EVAL_DATA"]) / "throughput"
    named = ("--set", "source.from=source")  # rows say whose they are
    digests("throughput", ["default", *named, "--input", *(str(data / name) for name in FILES)])


if __name__ == "__main__":
    main()
