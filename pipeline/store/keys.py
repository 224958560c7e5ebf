"""The stages of a run, in order, and the keys under which their results are stored.

A **fact**'s key holds the unit's content, the text view, the keys of the columns it needs, the function's name and version,
its params and the sha256 of its model files; no threshold. A **judgement**'s key holds the recipe and the keys of its
inputs. What exists under its key is done: resume needs nothing else (law 3).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Stage:
    """`scope`: one unit of input at a time, or everything at once. `what` is the line that a user sees."""

    name: str
    scope: Literal["unit", "corpus"]
    what: str


STAGES: tuple[Stage, ...] = (
    Stage("scan", "unit", "list inputs, hash their content, split them into units"),
    Stage("read", "unit", "parse rows, normalise text; unreadable rows to quarantine"),
    Stage("edit", "unit", "edits: final text, its hash and size"),
    Stage("annotate", "unit", "signals of each filter"),
    Stage("decide", "unit", "verdicts of the filters' rules"),
    Stage("sign", "unit", "MinHash band keys of the documents that the filters kept"),
    Stage("tokens", "unit", "token counts with the plan's tokenizer"),
    Stage("dedup", "corpus", "exact and near duplicates, verified"),
    Stage("select", "corpus", "the best of what dedup kept, by score"),
    Stage("write", "corpus", "shards, ledger, quarantine"),
    Stage("publish", "corpus", "metrics, report, card; the commit"),
)
NAMES = tuple(stage.name for stage in STAGES)


def key(*parts: Any) -> str:
    """32 hex digits of BLAKE2b-128 over the parts' canonical JSON."""
    data = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(data.encode("ascii"), digest_size=16).hexdigest()
