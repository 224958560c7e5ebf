"""`python -m tests.bench.estimates [--only NAME,...] [--shares 0.3,1]`: what `--sample` says, beside what the run then takes.

Inputs: the sample; of WINNOW_EVAL_DATA real text of many kinds (throughput), raw web text in short documents (web), the same as
Parquet and as plain JSON lines in many units, JSONL.gz, and an archive of pages cut into a dozen. Status 1 where a figure that
was told is off by more than 20 %.
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
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("WINNOW_EVAL_DATA", ""))
LIMIT = 0.2


@dataclass(frozen=True)
class Line:
    what: str
    said: float | None
    truth: float

    @property
    def off(self) -> float | None:
        return None if self.said is None else abs(self.said - self.truth) / self.truth if self.truth else abs(self.said)


def _documents(folder: Path) -> list[dict[str, Any]]:
    import zstandard

    found = []
    for file in sorted(folder.glob("*.jsonl.zst")):
        with file.open("rb") as handle:
            for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(handle), "utf-8"):
                found.append({name: value for name, value in json.loads(line).items() if name in ("id", "text", "url")})
    return found


def _sample(_: Path) -> list[str]:
    return ["sample_data/plan.yaml", "--input", str(ROOT / "sample_data" / "input")]


def _throughput(_: Path) -> list[str]:
    files = sorted((DATA / "throughput").glob("*.jsonl.*"), key=lambda file: file.stat().st_size)[:16]
    return ["default", "--input", *map(str, files)]


def _gz(_: Path) -> list[str]:
    files = sorted((DATA / "throughput").glob("*.jsonl.gz"), key=lambda file: file.stat().st_size)[:10]
    return ["default", "--input", *map(str, files)]


def _web(_: Path) -> list[str]:
    return ["default", "--input", str(DATA / "web")]


def _lines(folder: Path) -> list[str]:
    import random

    rows = _documents(DATA / "web")
    random.Random(0).shuffle(rows)
    with (folder / "web.jsonl").open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return ["minimal", "--input", str(folder), "--set", "source.unit_bytes=1MB"]


def _parquet(folder: Path) -> list[str]:
    import random

    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"id": str(row.get("id")), "text": row["text"]} for row in _documents(DATA / "web") if isinstance(row["text"], str)]
    random.Random(1).shuffle(rows)
    each = -(-len(rows) // 24)
    for k in range(24):
        pq.write_table(pa.Table.from_pylist(rows[k * each : (k + 1) * each]), folder / f"{k:02}.parquet", compression="zstd")
    return ["default", "--input", str(folder)]


def _warc(folder: Path) -> list[str]:
    """The archive's members, a dozen files of them."""
    packed = (DATA / "warc" / "webpages.warc.gz").read_bytes()
    parts = [b"" for _ in range(12)]
    records = gzip.decompress(packed).split(b"WARC/1.0\r\n")[1:]
    for k, record in enumerate(records):
        parts[k % 12] += gzip.compress(b"WARC/1.0\r\n" + record, 1)
    for k, part in enumerate(parts):
        (folder / f"{k:02}.warc.gz").write_bytes(part)
    return ["default", "--input", str(folder), "--set", "source.max_bad_fraction=1"]


INPUTS: dict[str, Callable[[Path], list[str]]] = {
    "sample": _sample, "gz": _gz, "web": _web, "lines": _lines, "parquet": _parquet, "warc": _warc, "throughput": _throughput,
}  # fmt: skip


def _run(arguments: list[str]) -> Any:
    command = [sys.executable, "-m", "flows.curate", *arguments, "--json"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if ran.returncode:
        raise RuntimeError(ran.stderr.decode()[-2000:])
    return json.loads(ran.stdout)


class _Peak:
    """The most bytes that files of a folder took, looked at five times a second while the block runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bytes, self._stop = folder, 0, threading.Event()

    def __enter__(self) -> _Peak:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._stop.wait(0.2):
            self.bytes = max(self.bytes, _size(self.folder))

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def _size(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except OSError:
                continue
    return total


def compare(arguments: list[str], out: Path, share: str) -> Iterator[Line]:
    """Each figure of the estimate beside its truth, from the run that follows in the same output."""
    where = ["--output", str(out), "--workers", "2"]
    said = _run([*arguments, *where, "--sample", share])
    with _Peak(out) as peak:
        made = _run([*arguments, *where, "--inline"])["metrics"]
    totals, cost = made["totals"], made["cost"]
    read = totals["read"]
    filtered = read - sum(line["first"] for line in made["reasons"] if line["stage"] not in ("dedup", "select"))
    files = sum(record["bytes"] for record in made["files"])
    filtered -= totals["quarantined"]
    truths = {"read": read, "kept by the filters": filtered, "kept": totals["kept"]}
    disk = {"output": files, "index": cost["output_bytes"] - files, "work directory": cost["work_bytes"], "peak": peak.bytes}

    def figure(value: Any) -> float | None:
        return None if value is None else float(value["value"])

    yield Line("share kept by the filters", figure(said["kept"]), filtered / read if read else 0.0)
    for line in made["reasons"]:
        if line["reason"] in said["reasons"]:
            yield Line(f"share {line['reason']}", figure(said["reasons"][line["reason"]]), line["first"] / read)
    for name, truth in truths.items():
        yield Line(f"documents {name}", figure(said["documents"][name]), truth)
    for name, truth in disk.items():
        yield Line(f"bytes {name}", figure(said["disk_bytes"][name]), truth)
    yield Line("CPU seconds", figure(said["cpu_s"]), cost["cpu_s"])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=",".join(INPUTS))
    parser.add_argument("--shares", default="0.3,1")
    given = parser.parse_args()
    missed = 0
    for name in given.only.split(","):
        if name != "sample" and not DATA.joinpath("web").is_dir():
            print(f"{name}: WINNOW_EVAL_DATA is not set")
            continue
        for share in given.shares.split(","):
            with tempfile.TemporaryDirectory() as temporary:
                source = Path(temporary) / "in"
                source.mkdir()
                for line in compare(INPUTS[name](source), Path(temporary) / "out", share):
                    missed += line.off is not None and line.off > LIMIT
                    told = "not told" if line.said is None else f"{line.said:,.4g}"
                    off = "" if line.off is None else f"{100 * line.off:.1f} %"
                    print(f"{name:11}{share:>5}  {line.what:48}{told:>12}{line.truth:>14,.4g}  {off}", flush=True)
    print(f"{missed} figures off by more than {LIMIT:.0%}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
