"""Texts and whole commands, as the benches of speed need them: files of rows, a slice of them, CPU seconds of a process tree."""

from __future__ import annotations

import contextlib
import ctypes
import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil
import zstandard

from tests.bench.throughput import measure

SECONDS = 1_500
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True)
class Corpus:
    """Files of rows, and the size of their text."""

    name: str
    files: list[Path]
    documents: int
    megabytes: float


@dataclass(frozen=True)
class Run:
    """One run of a command: seconds and bytes of its process tree; others: CPU seconds of everything else meanwhile."""

    cpu: float
    wall: float
    peak: int
    others: float


def texts(path: Path) -> list[bytes]:
    """The rows of a file, undecoded."""
    raw = path.read_bytes()
    if path.suffix == ".zst":
        with zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as reader:
            raw = reader.read()
    elif path.suffix == ".gz":
        raw = gzip.decompress(raw)
    return [line for line in raw.split(b"\n") if line]


def corpus(name: str, files: list[Path]) -> Corpus:
    rows, size = 0, 0
    for path in files:
        for line in texts(path):
            rows, size = rows + 1, size + len(orjson.loads(line)["text"].encode())
    return Corpus(name, files, rows, size / 1e6)


def cut(whole: Corpus, megabytes: float, folder: Path) -> Corpus:
    """Every n-th document, in two .jsonl.gz files."""
    step = max(1, round(whole.megabytes / megabytes))
    folder.mkdir()
    lines = [line for path in whole.files for line in texts(path)][::step]
    files = [folder / "0.jsonl.gz", folder / "1.jsonl.gz"]
    for number, file in enumerate(files):
        file.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines[number::2]), compresslevel=1))
    return corpus(f"{whole.name}-slice", files)


def timed(command: list[str]) -> tuple[Run, str]:
    """Run a command; its figures and what it printed."""
    _adopt_orphans()
    busy, before = _busy(), os.times()
    ran = measure(["timeout", str(SECONDS), *command])
    _reap()
    after = os.times()  # not ran["cpu"], which adds up over the children of this process
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    own = after.user + after.system - before.user - before.system
    others = max(0.0, _busy() - busy - cpu - own)
    return Run(cpu, float(str(ran["wall"])), int(str(ran["peak"])), others), str(ran["out"])


def _adopt_orphans() -> None:
    """Make orphaned grandchildren children of this process: datatrove's fork server is waited for by nobody else."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl: no subreaper, so CPU of orphans would be missing")


def _reap() -> None:
    """Wait for adopted orphans, so that their CPU is counted."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _busy() -> float:
    times = psutil.cpu_times()
    return times.user + times.nice + times.system
