"""One huge document raises the peak of the process tree by at most six times its size, from reading to the last shard."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

HUGE = 100_000_000
"""Bytes of text; below the 128 MB that the plan allows a row to have."""
MOST = 6
LATIN, CYRILLIC = "abcdefghijklmnopqrstuvwxyz", "абвгдежзиклмнопрстуфхцчшщ"


def varied_words(alphabet: str, n_bytes: int, seed: int = 7) -> str:
    source = random.Random(seed)
    vocabulary = ["".join(source.choices(alphabet, k=source.randint(2, 9))) for _ in range(200_000)]
    words: list[str] = []
    size = 0
    while size < n_bytes:
        more = source.choices(vocabulary, k=100_000)
        words += more
        size += len(" ".join(more).encode()) + 1
    return " ".join(words)


def peak(folder: Path, name: str, texts: list[str], *flags: str) -> int:
    """Peak resident bytes of a run in a process of its own, by the kernel's account: samples miss a peak of a quarter second."""
    data = b"".join(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n" for text in texts)
    path = folder / name
    path.write_bytes(gzip.compress(data, compresslevel=1) if name.endswith(".gz") else data)
    command = [sys.executable, "-m", "flows.curate", "minimal", "--input", str(path), "--output", str(folder / f"out-{name}")]
    command += ["--inline", "--json", "--workers", "2", "--set", "source.max_row_bytes=128MB", *flags]
    with open(folder / f"{name}.json", "w+b") as stdout:
        process = subprocess.Popen(command, stdout=stdout)
        _, status, usage = os.wait4(process.pid, 0)
        stdout.seek(0)
        assert status == 0 and json.load(stdout)["metrics"]["totals"]["kept"] == len(texts)
    return usage.ru_maxrss * 1024


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(["--set", "dedup=false"], id="without dedup"),
        pytest.param([], id="with dedup"),
    ],
)
@pytest.mark.parametrize("alphabet", [LATIN, CYRILLIC], ids=["latin", "cyrillic"])
@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_a_document_of_100_mb_takes_at_most_six_times_its_size(
    tmp_path: Path, ending: str, alphabet: str, flags: list[str]
) -> None:
    small = [f"number {i} " + varied_words(alphabet, 300, seed=i)[:200] for i in range(5)]
    huge = varied_words(alphabet, HUGE)
    without = peak(tmp_path, f"small.{ending}", small, *flags)
    assert peak(tmp_path, f"huge.{ending}", [*small, huge], *flags) - without <= MOST * len(huge.encode())
