"""What a measurement lacks, said before anything is loaded or gathered: no output, no torch, no target, too little text.

Invariant: it looks at names and at metrics.json alone, and imports nothing that takes long; what only the texts can tell is
said by the tier itself. An object store is not asked.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Sequence

from pipeline.errors import NotInstalled, UsageError

TRAINED = ("cpu", "gpu")
LEAST_BYTES = {"ngram": 20_000, "cpu": 700_000, "gpu": 70_000_000}
"""Kept text without which a tier tells nothing: of `ngram` what it refuses itself; of the others 300 steps, as fewer are mostly
warm-up (a step of `cpu` is 1,024 tokens of 2.3 bytes, as its vocabulary has them on English)."""


def refuse(output: str, *, tier: str, targets: Sequence[str], files_alone: bool) -> None:
    """Raises UsageError or NotInstalled. `files_alone`: all arms are named, and none of them is of the output."""
    if tier in TRAINED and importlib.util.find_spec("torch") is None:
        raise NotInstalled(
            f"--tier {tier} trains small models with torch, which is not installed: pip install 'winnow-curation[savings]', or"
            " --tier ngram, which needs nothing"
        )
    if "://" in output:
        return
    folder = os.path.expanduser(output)
    if not files_alone and not os.path.isdir(os.path.join(folder, "manifests")):
        raise UsageError(f"{output}: no output of Winnow (it has no manifests/); curate into it first, or name all arms")
    for target in targets:
        if "://" not in target and not os.path.exists(os.path.expanduser(target)):
            raise UsageError(f"--target {target}: no such file; name held-out text, JSONL or Parquet, that no arm has seen")
    kept = None if files_alone else _kept_bytes(folder)
    if kept is not None and kept < LEAST_BYTES[tier]:
        other = "; --tier ngram does with less" if tier in TRAINED and kept >= LEAST_BYTES["ngram"] else ""
        raise UsageError(f"{output}: {kept:,} bytes of kept text are too little for --tier {tier} ({LEAST_BYTES[tier]:,}){other}")


def _kept_bytes(folder: str) -> int | None:
    """Bytes of final text that all generations keep, as far as metrics.json says it: None where it cannot be told from there."""
    try:
        with open(os.path.join(folder, "metrics.json"), encoding="utf-8") as file:
            found = json.load(file)
        return int(found["final_bytes"]["kept"]) if found["live"] == [found["generation"]] else None
    except (OSError, ValueError, KeyError, TypeError):  # the measurement itself says what is wrong with it
        return None
