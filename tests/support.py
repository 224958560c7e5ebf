"""What tests share: the real command in this process, and readers of what it wrote."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import polars as pl
import pytest

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sample_data"
FOLDERS = ("data", "rejected", "ledger", "quarantine")


def examples(share: float = 1, **more: Any) -> hypothesis.settings:
    """That share of the profile's examples (`conftest.py`): less than 1 where an example is a whole run or a model, more where
    it costs next to nothing and what it looks for is rare, as in texts of any characters. `more`: other settings."""
    profile = hypothesis.settings.default
    assert profile is not None
    return hypothesis.settings(profile, max_examples=max(1, round(share * profile.max_examples)), **more)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def winnow(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Ran:
    """`python -m flows.curate ARGUMENTS --inline`, in this process."""
    from flows.curate import main

    capsys.readouterr()
    try:
        code = main([*map(str, arguments), "--inline"])
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    shown = capsys.readouterr()
    return Ran(code, shown.out, shown.err)


def curate(*arguments: str | Path, workers: int = 2) -> None:
    """The command with `--inline`; fails the test unless it exits 0. `--accept`: some of what is tested keeps nothing."""
    from flows.curate import main

    code = main([*map(str, arguments), "--inline", "--accept", "--workers", str(workers)])
    assert code == 0, f"exit {code}"


def table(out: Path, folder: str) -> pl.DataFrame:
    """All committed rows of a folder."""
    manifest = json.loads((out / "manifest.json").read_text())
    files = []
    for generation in manifest["live"]:
        made = json.loads((out / f"manifests/{generation:06d}.json").read_text())
        files += [out / record["path"] for record in made["files"] if record["path"].startswith(f"{folder}/")]
    return pl.concat([pl.read_parquet(file, glob=False) for file in sorted(files)])


def digests(out: Path, folders: tuple[str, ...] = ("data", "rejected", "ledger")) -> dict[str, str]:
    """sha256 of every file in the folders whose bytes are promised."""
    found = {}
    for folder in folders:
        for file in sorted((out / folder).glob("*.parquet")):
            found[f"{folder}/{file.name}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def write_rows(path: Path, rows: list[dict[str, Any] | bytes]) -> Path:
    """A JSONL file; bytes are written as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for row in rows:
            file.write((row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode()) + b"\n")
    return path


def eval_data() -> Path:
    """Real text that is not part of the project; tests that need it skip where it is not given."""
    where = os.environ.get("WINNOW_EVAL_DATA")
    if not where or not Path(where).is_dir():
        pytest.skip("WINNOW_EVAL_DATA is unset: acceptance tests need the evaluation data")
    return Path(where)


PROSE = (
    "The ferry leaves the northern pier at six in the morning and crosses the bay while most of the town is still asleep. "
    "On board are bakers with warm trays, two teachers who correct exercise books, and a man that repairs clocks. "
    "He says that the crossing is the best part of his day, because nobody asks him what time it is. "
    "When the fog is thick the captain sounds the horn every minute, and the passengers count the seconds for something to do."
)
"""A good document of our own, kept by every default rule."""


def prose(number: int) -> str:
    """Good documents that differ from each other in most of their words."""
    names = ["Ada", "Bela", "Chiara", "Dusan", "Edda", "Farid", "Greta", "Hana", "Ivo", "Jana", "Kofi", "Lena", "Miro", "Nura"]
    things = ["lantern", "ladder", "orchard", "kettle", "harbour", "ribbon", "mirror", "carpet", "engine", "garden", "letter"]
    verbs = ["mended", "painted", "carried", "measured", "forgot", "sold", "hid", "borrowed", "washed", "counted", "weighed"]
    tails = [
        "and told {e} that a {d} is worth {n} coins",
        "while {e} asked {n} neighbours about some {d}",
        "before {e} brought back the {d} with {n} marks",
        "because {e} needs a {d} for {n} days",
        "but {e} never saw {n} people with that {d}",
        "so {e} wrote {n} lines on a {d}",
        "after {e} had left {n} notes to the {d}",
    ]
    parts = []
    for step in range(14):
        seed = number * 31 + step * 17
        a, b, c = names[seed % 14], things[(seed // 3) % 11], verbs[(seed // 7) % 11]
        d, e = things[(seed * 5 + number) % 11], names[(seed * 3 + step) % 14]
        tail = tails[step % 7].format(d=d, e=e, n=seed % 97)
        parts.append(f"{a}{number} {c} the {b} of house {seed} {tail}.")
    return " ".join(parts)
