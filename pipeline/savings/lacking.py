"""What a measurement lacks, said before anything is loaded or gathered: no output, no torch, no target, too little text.

Invariant: it looks at names and at metrics.json alone, and imports nothing that takes long; what only the texts can tell is
said by the tier itself. An object store is not asked.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import NotInstalled, UsageError

if TYPE_CHECKING:
    from pipeline.records.base import Json

TARGET = "{option}: name a target (--target PATH, or compute.targets in the plan): which is best depends on it"
TRAINED = ("cpu", "gpu")
DRAWS = 5
"""Of the `ngram` tier, where none are asked for."""
LEAST_BYTES = {"ngram": 20_000, "cpu": 700_000, "gpu": 70_000_000}
"""Kept text without which a tier tells nothing: of `ngram` for each draw, as every draw is other text; of the others 300 steps,
as fewer are mostly warm-up (a step of `cpu` is 1,024 tokens of 2.3 bytes, as its vocabulary has them on English)."""


@dataclass(frozen=True)
class Asked:
    """What a command asks for. `files_alone`: all arms are named, and none of them is of the output; `draws`: None for the
    tier's own; `choice`: the option that compares plans, which needs a target."""

    output: str
    tier: str
    targets: Sequence[str] = ()
    files_alone: bool = False
    draws: int | None = None
    choice: str | None = None


def refuse(asked: Asked) -> None:
    """Raises UsageError or NotInstalled."""
    output, tier = asked.output, asked.tier
    if tier in TRAINED and importlib.util.find_spec("torch") is None:
        raise NotInstalled(
            f"--tier {tier} trains small models with torch, which is not installed: pip install 'winnow-curation[savings]', or"
            " --tier ngram, which needs nothing"
        )
    if "://" in output:
        return
    folder = os.path.expanduser(output)
    if not asked.files_alone and not os.path.isdir(os.path.join(folder, "manifests")):
        raise UsageError(f"{output}: no output of Winnow (it has no manifests/); curate into it first, or name all arms")
    for target in asked.targets:
        _refuse_target(target)
    if asked.choice is not None and not asked.targets and _names_no_target(folder):
        raise UsageError(TARGET.format(option=asked.choice))
    kept = None if asked.files_alone else _kept_bytes(folder)
    least = LEAST_BYTES.get(tier, 0) * (1 if tier in TRAINED else asked.draws or DRAWS)
    if kept is not None and kept < least:
        other = "; --tier ngram does with less" if tier in TRAINED and kept >= DRAWS * LEAST_BYTES["ngram"] else ""
        raise UsageError(f"{output}: {kept:,} bytes of kept text are too little for --tier {tier} ({least:,}){other}")


def _refuse_target(target: str) -> None:
    path = os.path.expanduser(target)
    if "://" in target or (set("*?[") & set(target) and not os.path.exists(path)):  # a pattern is matched when it is read
        return
    if not os.path.exists(path):
        raise UsageError(f"--target {target}: no such file; name held-out text, JSONL or Parquet, that no arm has seen")
    if os.path.isfile(path) and not os.path.getsize(path):
        raise UsageError(f"--target {target}: the file is empty; name held-out text, JSONL or Parquet, that no arm has seen")


def _names_no_target(folder: str) -> bool:
    """Whether the plan of the output is known to name none."""
    try:
        return not _read(folder, "manifest.json")["plan"]["compute"]["targets"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _read(folder: str, name: str) -> Json:
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        found: Json = json.load(file)
        return found


def _kept_bytes(folder: str) -> int | None:
    """Bytes of final text that all generations keep, as far as metrics.json says it: None where it cannot be told from there."""
    try:
        found = _read(folder, "metrics.json")
        return int(found["final_bytes"]["kept"]) if found["live"] == [found["generation"]] else None
    except (OSError, ValueError, KeyError, TypeError):  # the measurement itself says what is wrong with it
        return None
