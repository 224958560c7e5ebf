from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.export import corpus
from tests.once import made_once


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`out` and `tokenizer.json` (`corpus.make`). Nobody changes it, but for exports.jsonl."""
    return made_once(tmp_path_factory, "export", corpus.make)


@pytest.fixture
def export(made: Path, tmp_path: Path) -> Callable[..., Path]:
    """Exports the output with these options into a folder of the test; fails it unless that succeeds."""

    def run(what: str, *options: str | Path, to: str = "to") -> Path:
        more = () if what == "jsonl" else ("--tokenizer", made / "tokenizer.json")
        assert corpus.run(what, made / "out", "--to", tmp_path / to, *more, "--workers", "2", *options) == 0
        return tmp_path / to

    return run
