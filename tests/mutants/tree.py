"""A copy of the tree in which one line at a time is broken, and pytest upon it.

Invariants: the checkout is not touched; no broken line is read from an old .pyc, since each change of a file gets a time of its
own; a broken kernel is compiled anew with all that call it, and the others are not: their machine code is linked from the copy's
own cache, which goes with the copy.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filters.kernels.cache import IN_USE
from tests.mutants.table import Mutant

KERNELS = "filters/kernels"
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", re.MULTILINE)
_SAYS_FAILED = (1, 2)
"""pytest's statuses of failed tests and of modules that cannot be imported; others say that it was called wrongly."""


class Stale(Exception):
    """The table does not fit the tree."""


class Unfit(Exception):
    """The tests cannot be run, or fail on the tree as it is."""


class Tree:
    """The copy. Uncommitted changes are in it; what git ignores is not."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._tree, self._caches, self._scratch = folder / "tree", folder / "cache", folder / "tmp"
        self._made = 0
        for made in (self._caches, self._scratch):
            made.mkdir()
        listed = subprocess.run(
            ["git", "ls-files", "-coz", "--exclude-standard"], cwd=root, check=True, capture_output=True, text=True
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (root / name).is_file():
                (self._tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, self._tree / name)

    def check(self, mutant: Mutant) -> None:
        """Raise Stale unless the line to break stands once in its file."""
        file = self._tree / mutant.path
        found = file.read_text("utf-8").count(mutant.old) if file.is_file() else 0
        if found != 1:
            raise Stale(f"{mutant.name}: {mutant.old!r} stands {found} times in {mutant.path}; mend tests/mutants/table.py")

    def unbroken(self, tests: Sequence[str], *, seconds: float) -> None:
        """Run these tests on the tree as it is, which also compiles their kernels. Raises Unfit if one fails."""
        if by := self.noticed(tests, seconds=seconds):
            raise Unfit(f"nothing is broken yet, but: {by}")

    @contextmanager
    def broken(self, mutant: Mutant) -> Iterator[None]:
        """The tree with this mutant."""
        self.check(mutant)
        file = self._tree / mutant.path
        sound, before = file.read_text("utf-8"), file.stat()
        self._made += 1
        at = int(before.st_mtime) + 10 * self._made
        whole = self._kernels() if mutant.path.startswith(f"{KERNELS}/") else None
        file.write_text(sound.replace(mutant.old, mutant.new), "utf-8")
        os.utime(file, (at, at))
        own = self._linked(whole, file) if whole is not None else None
        try:
            yield
        finally:
            file.write_text(sound, "utf-8")
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
            if own is not None:
                shutil.rmtree(own, ignore_errors=True)
            shutil.rmtree(self._scratch)
            self._scratch.mkdir()

    def noticed(self, tests: Sequence[str], *, seconds: float) -> str | None:
        """The first test that fails, or what else happened to pytest; None where all pass."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--hypothesis-seed=0", "--ignore=tests/mutants", *tests]
        process = self._started(command)
        try:
            printed, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            return f"stood still: no end within {seconds:.0f} s"
        _end(process)
        status = process.returncode
        if status == 0:
            return None
        if failed := _FAILED.search(printed):
            return failed[1]
        if status < 0:
            return f"pytest died of {signal.Signals(-status).name}"
        if status in _SAYS_FAILED:
            return f"pytest ended with {status}"
        raise Unfit(f"pytest ended with {status}:\n{printed[-2000:]}")

    def _started(self, command: Sequence[str]) -> subprocess.Popen[str]:
        own = {"PYTHONPATH": self._tree, "XDG_CACHE_HOME": self._caches, "TMPDIR": self._scratch}
        environment = {**os.environ, **{name: str(value) for name, value in own.items()}}
        environment.pop("NUMBA_CACHE_DIR", None)
        return subprocess.Popen(
            command,
            cwd=self._tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def _kernels(self) -> Path:
        """Where the tree, as it is now, has its kernels compiled to."""
        process = self._started([sys.executable, "-c", f"import {KERNELS.replace('/', '.')} as k; print(k.FOLDER)"])
        printed, _ = process.communicate()
        if process.returncode:
            raise Unfit(f"where kernels are compiled to is not known:\n{printed[-2000:]}")
        return Path(printed.splitlines()[-1])

    def _linked(self, whole: Path, broken: Path) -> Path | None:
        """A cache for the tree with a broken kernel: what that kernel is compiled into is left out."""
        own = self._kernels()
        if own == whole:
            raise Unfit(f"{broken.name} was changed, and its kernels would not be compiled anew")
        gone = {path.stem for path in _callers(self._tree, broken)}

        def stale(_: str, names: list[str]) -> set[str]:
            return {name for name in names if name == IN_USE or name.partition(".")[0] in gone}

        if whole.is_dir():
            shutil.copytree(whole, own, ignore=stale, copy_function=os.link, dirs_exist_ok=True)
        return own


def _callers(tree: Path, changed: Path) -> set[Path]:
    """The kernel modules that import `changed`, itself and those that import them included."""
    uses = {path: _imported(path) for path in (tree / KERNELS).rglob("*.py")}
    found, new = {changed}, {changed}
    while new:
        names = {".".join(path.relative_to(tree).with_suffix("").parts) for path in new}
        new = {path for path, used in uses.items() if path not in found and used & names}
        found |= new
    return found


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _end(process: subprocess.Popen[str]) -> None:
    """Whatever is left of the processes that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
