"""What the parts of the soak share: a report of counts and failures, the real command in a process, and what an output holds."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.support import ROOT, SAMPLE

PROMISED = ("data", "rejected", "ledger", "quarantine", "index")
"""Folders whose bytes must be the same after a fault."""
SAMPLE_FLAGS = (SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--set", "source.unit_bytes=60000")


@dataclass
class Report:
    """What a part found: lines for a person, and what failed."""

    title: str
    lines: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def fail(self, line: str) -> None:
        self.failures.append(line)
        print(f"    failed: {line}", flush=True)

    def show(self) -> None:
        print(f"\n{self.title}")
        for line in self.lines:
            print(f"  {line}")
        for line in self.failures[:20]:
            print(f"  FAILED: {line}")
        if len(self.failures) > 20:
            print(f"  … and {len(self.failures) - 20} more")
        sys.stdout.flush()


def command(*arguments: str | Path, module: Sequence[str] = ("flows.curate",)) -> list[str]:
    return [sys.executable, "-m", *module, *map(str, arguments)]


def run(
    *arguments: str | Path,
    module: Sequence[str] = ("flows.curate",),
    env: dict[str, str] | None = None,
    timeout: float = 300,
    kill_after: float | None = None,
    meanwhile: Callable[[subprocess.Popen[bytes]], None] = lambda _: None,
) -> subprocess.CompletedProcess[str]:
    """The command in a process group of its own; the process is SIGKILLed after `kill_after` seconds, its children are not.

    `meanwhile(process)` is called once it has started. What it prints goes to files: children that outlive it would hold pipes.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command(*arguments, module=module),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        try:
            meanwhile(process)
            if kill_after is not None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(kill_after)
                process.kill()
            status, why = process.wait(timeout), ""
        except subprocess.TimeoutExpired:
            status, why = -999, f"no end within {timeout:.0f} s\n"
        if not why and not gone(process.pid):
            status, why = -998, "processes of the run outlived it\n"
        if why:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return subprocess.CompletedProcess(process.args, status, _text(out), why + _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def gone(group: int, within: float = 20.0) -> bool:
    """Whether no process of the group is left after some seconds."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def digests(out: Path, folders: Sequence[str] = PROMISED) -> dict[str, str]:
    """sha256 of every file in the folders."""
    found = {}
    for folder in folders:
        for file in sorted((out / folder).rglob("*")):
            if file.is_file():
                found[str(file.relative_to(out))] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def differences(expected: dict[str, str], found: dict[str, str]) -> str:
    """Names of the files that differ, or nothing."""
    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    return ", ".join(names[:5])


def newest(out: Path) -> dict:
    return json.loads((out / "manifest.json").read_text())


def leftovers(out: Path) -> list[str]:
    """Files and folders that a finished run must not leave."""
    found = [str(path.relative_to(out)) for path in out.rglob(".tmp-*")]
    work = out / ".work"
    found += [str(path.relative_to(out)) for path in work.glob("judgements/*/*/scratch")]
    found += [str(path.relative_to(out)) for folder in ("staging", "attempts") for path in (work / folder).glob("*")]
    return found


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[str | None]:
    """A small tmpfs at `folder` while the block runs; yields why not, or None."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        yield f"a tmpfs cannot be mounted here ({done.stderr.strip() or done.returncode})"
        return
    try:
        yield None
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
