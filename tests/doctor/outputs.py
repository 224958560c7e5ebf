"""An output of generations 1 and 2, take-down 3 and generation 4, made once, and its copies that tests harm."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.once import made_once
from tests.support import curate, prose, write_rows

SHARD = "data/train-00000-of-00001-g0002.parquet"


def arguments(folder: Path, *days: int) -> tuple[str | Path, ...]:
    keys = ("output.tokenizer=null", "source.max_bad_fraction=0.5", "source.name=diary")
    inputs = [folder / "in" / f"day{day}.jsonl" for day in days]
    return ("minimal", "--input", *inputs, "--output", folder / "out", *(part for key in keys for part in ("--set", key)))


def _make(folder: Path) -> None:
    from flows.inspect import main

    for day in (1, 2, 4, 5):
        rows = [{"id": f"d{day}-{k}", "text": prose(100 * day + k)} for k in range(4)]
        write_rows(folder / "in" / f"day{day}.jsonl", [*rows, rows[0] | {"id": f"again-{day}"}, b"{torn"])
    curate(*arguments(folder, 1))
    curate(*arguments(folder, 1, 2))
    (folder / "keys").write_text("d1-1\n")
    assert main(["takedown", "--yes", "--output", str(folder / "out"), "--keys", str(folder / "keys")]) == 0
    curate(*arguments(folder, 1, 2, 4))


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A copy with the inputs beside it."""
    made = made_once(tmp_path_factory, "doctor", _make)
    shutil.copytree(made / "out", tmp_path / "out")
    (tmp_path / "in").symlink_to(made / "in")
    return tmp_path


def content(out: Path) -> dict[str, bytes]:
    """Every file of an output but its lock and the marker of its work directory, which say who opened it last."""
    files = (path for path in out.rglob("*") if path.is_file() and path.name not in (".lock", ".winnow-work"))
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
