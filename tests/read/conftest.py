"""Input files without a plan."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.read.files import InputFile, kind_of


def make(file: Path, /, **changes: object) -> InputFile:
    kind = kind_of(file.name) or ("parquet", None)
    settings = {
        "source": "src",
        "priority": 0,
        "url": str(file),
        "path": f"{file.parent.name}/{file.name}",
        "format": kind[0],
        "compression": kind[1],
        "size": file.stat().st_size,
        "text": "text",
        "id": "id",
        "unit_bytes": 64_000_000,
        "max_row_bytes": 64_000_000,
        "max_bad_fraction": 0.01,
    }
    return InputFile(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.fixture
def input_of() -> Callable[..., InputFile]:
    """`(path, **changed fields)` → InputFile."""
    return make


@pytest.fixture
def hostile() -> Path:
    root = os.environ.get("WINNOW_EVAL_DATA")
    if not root:
        pytest.skip("WINNOW_EVAL_DATA is not set: the hostile files are not here")
    return Path(root) / "hostile"
