"""Runs of the real command in this process, and what can be asked of one afterwards."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Ran:
    """One command: its exit code (-1: it ended in a traceback), what it printed, and the folder that it wrote to."""

    code: int
    printed: str
    out: Path
    given: Path
    """The file or folder that it read."""
    shown: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @cached_property
    def committed(self) -> bool:
        return (self.out / "manifest.json").is_file()

    def rows(self, folder: str) -> list[dict[str, Any]]:
        """Committed rows of a folder of the output; none where nothing was committed."""
        if not self.committed:
            return []
        if folder not in self.shown:
            files = [self.out / record["path"] for record in self._files if record["path"].startswith(f"{folder}/")]
            tables = [pq.ParquetFile(str(file)).read() for file in sorted(files)]  # `pl.read_parquet` takes `[` for a pattern
            self.shown[folder] = pa.concat_tables(tables).to_pylist() if tables else []
        return self.shown[folder]

    @cached_property
    def _files(self) -> list[dict[str, Any]]:
        live = json.loads((self.out / "manifest.json").read_text("utf-8"))["live"]
        made = [json.loads((self.out / f"manifests/{number:06d}.json").read_text("utf-8")) for number in live]
        return [record for one in made for record in one["files"]]

    @cached_property
    def texts(self) -> list[str]:
        return [row["text"] for row in self.rows("data")]

    @cached_property
    def told(self) -> str:
        """All that a user is told without opening a table of documents: the terminal, causes and details of quarantine."""
        bad = [f"{row['cause']} {row['detail']}" for row in self.rows("quarantine")]
        return "\n".join([self.printed, *bad])

    def says(self, *words: str, of: str) -> bool:
        """Whether this has all words, whatever their case and hyphens. The input's name is not counted for a word in it."""
        plain = of.lower().replace("-", "")
        name = self.given.name.lower().replace("-", "")
        bare = plain.replace(name, "")
        asked = [word.lower().replace("-", "") for word in words]
        return all(word in (plain if word == name else bare) for word in asked)


def command(main: Callable[[list[str]], int], *arguments: str | Path) -> tuple[int, str]:
    """Exit code and what was printed. A traceback is exit code -1."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            code = main([*map(str, arguments)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        except Exception:
            traceback.print_exc()
            code = -1
    return code, printed.getvalue()


def curate(*arguments: str | Path, given: Path, out: Path) -> Ran:
    """`winnow ARGUMENTS --output OUT --inline`."""
    from flows.curate import main

    code, printed = command(main, *arguments, "--output", out, "--inline", "--workers", "1")
    return Ran(code, printed, out, given)


@contextlib.contextmanager
def copied(case: Path) -> Iterator[Path]:
    """A copy of a case's folder, completed by its own programs (`make*.py`, `sib.py`) where they run here.

    What was there stays as it is: a program may write other bytes with other versions of its libraries.
    """
    with tempfile.TemporaryDirectory(prefix="winnow-cases-") as temporary:
        made, here = Path(temporary) / "made", Path(temporary) / case.name
        made.mkdir()
        for program in sorted(case.glob("*.py")):
            shutil.copyfile(program, made / program.name)
        for program in sorted(made.glob("*.py")):
            for folder in ("more", "warc"):
                (made / folder).mkdir(exist_ok=True)
            subprocess.run([sys.executable, program.name], cwd=made, capture_output=True, check=False, timeout=120)
        shutil.copytree(made, here, symlinks=True)
        for folder, _, names in os.walk(case):
            below = here / Path(folder).relative_to(case)
            below.mkdir(exist_ok=True)
            for name in names:
                target = below / name
                if target.is_symlink():
                    continue  # as a program made it: copies of the data may hold a link's target as text
                target.unlink(missing_ok=True)
                shutil.copyfile(Path(folder) / name, target)
        shutil.rmtree(made)
        yield here
