"""`make bench B=flat` (`python -m tests.bench.flat [--times N ...]`): does a larger corpus cost more for each MB?

WINNOW_EVAL_DATA/throughput as it is, and 4 times as much: copies in which each letter is another one of its alphabet, so that no
copy is like another and each has the duplicates that the original has. `winnow minimal` with one worker over both: MB of text a
CPU-second of the process tree, its peak memory, and the bytes of output and work directory beside what the contract of disk
allows: 1.3 times the kept text as it lies compressed, and .3 times the text that was read.

    python -m tests.bench.flat [--times 1 4 16] [--folder DIR] [--write]

`--write`: docs/results/scale.json, and the page that is made of it (`tests.bench.scale_page`).
Status 1 where a larger one takes more than 1.15 times as much for each MB, or the disk more than that.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

import orjson
import zstandard

from tests.bench import scale_page
from tests.bench.dedup_scale import below, watch
from tests.bench.throughput import DEFAULT_DATA
from tests.bench.timed import texts

MOST = 1.15
OF_KEPT, OF_READ = 1.3, 0.3
ALPHABETS = ((0x41, 0x5A), (0x61, 0x7A), (0x410, 0x42F), (0x430, 0x44F), (0x3042, 0x3093), (0x30A2, 0x30F3), (0x4E00, 0x9FA0))
"""Spans of code points of one length in UTF-8: Latin, Cyrillic, kana, Han."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--folder", type=Path, help="for inputs and outputs (default: the temporary folder)")
    parser.add_argument("--write", action="store_true", help="write docs/results/scale.json and its page")
    chosen = parser.parse_args()
    files = sorted((chosen.data / "throughput").glob("*.jsonl.*"))
    if not files:
        raise SystemExit(f"no text in {chosen.data / 'throughput'}: set WINNOW_EVAL_DATA")
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        _run(files[:1], Path(folder) / "first")  # compiles kernels
        runs = _measured(files, Path(folder), sorted(chosen.times))
    if chosen.write:
        scale_page.note([ran for ran, _ in runs])
    speeds = [ran.text_mb / ran.cpu_s for ran, _ in runs]
    ratio, over = max(speeds[0] / speed for speed in speeds), any(share > 1 for _, share in runs)
    print(
        f"MB per CPU-second, {chosen.times[0]} x / the least: {ratio:.2f}, at most {MOST}: {'met' if ratio <= MOST else 'missed'}"
    )
    print(f"disk: {'missed' if over else 'met'}")
    return int(ratio > MOST or over)


def _measured(files: list[Path], folder: Path, times: list[int]) -> list[tuple[scale_page.Ran, float]]:
    """Runs, and the bytes on disk of each over what they may be."""
    runs = []
    for number in times:
        inputs = [path for copy in range(number) for path in _copy(files, folder / f"copy{copy}", copy)]
        runs.append(_run(inputs, folder / f"out{number}", said=f"{number} x"))
        shutil.rmtree(folder / f"out{number}")
    return runs


def _copy(files: list[Path], folder: Path, number: int) -> list[Path]:
    """The files with other letters; `number` 0: as they are."""
    if not number:
        return files
    made = [folder / f"{path.name.split('.')[0]}_{number}.jsonl.zst" for path in files]
    if not folder.exists():
        folder.mkdir()
        for path, to in zip(files, made, strict=True):
            rows = (orjson.loads(line) for line in texts(path))
            lines = (orjson.dumps(row | {"text": row["text"].translate(letters(number))}) + b"\n" for row in rows)
            to.write_bytes(zstandard.ZstdCompressor(level=1).compress(b"".join(lines)))
    return made


@cache
def letters(number: int) -> dict[int, int]:
    """Each letter to the one that stands `number` places behind it in its alphabet, at whose end it goes on at the beginning."""
    return {
        code: first + (code - first + number) % (last - first + 1) for first, last in ALPHABETS for code in range(first, last + 1)
    }


def _run(inputs: list[Path], out: Path, *, said: str = "") -> tuple[scale_page.Ran, float]:
    """The run, and bytes on disk / what they may be."""
    command = [sys.executable, "-m", "flows.curate", "minimal", "--inline", "--workers", "1", "--json"]
    printed, cpu, wall, peak, most = watch([*command, "--input", *map(str, inputs), "--output", str(out)], out / ".work")
    totals = printed["metrics"]["totals"]
    read = totals["bytes_read"]
    data, work, index, every = (below(folder) for folder in (out / "data", out / ".work", out / "index", out))
    allowed = OF_KEPT * data + OF_READ * read
    if said:
        print(
            f"{said:>5}  {read / 1e6:8,.0f} MB of text  {cpu:7.1f} CPU s  {read / 1e6 / cpu:6.1f} MB/CPU-s  wall {wall:7.1f} s"
            f"  peak {peak / 1e6:6,.0f} MB  output {(every - work) / 1e6:6,.0f} MB, of it data {data / 1e6:,.0f},"
            f" work {work / 1e6:6,.0f} MB: {every / allowed:.2f} of what they may be",
            flush=True,
        )
    sizes = (size / 1e6 for size in (peak, index, data, max(most, work)))
    return scale_page.Ran(scale_page.LONG, totals["read"], read / 1e6, cpu, wall, *sizes, workers=1), every / allowed


if __name__ == "__main__":
    sys.exit(main())
