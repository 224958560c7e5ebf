"""Pre-registration: what was to be measured, written down before the first run, and every attempt counted.

`savings_history.jsonl` in the output has a line when a measurement starts and one when it ends. The same measurement, resumed
after a kill, is one attempt; another one of the same tier is the next, with other targets too: who looks often enough finds one
that saves. A tier after another is no second look. Results are never taken off the list.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pipeline.records.base import Json
from pipeline.records.savings_json import Comparison
from pipeline.store.store import Store

NAME = "savings_history.jsonl"


@dataclass(frozen=True)
class About:
    """What was to be measured, with keys of the targets and of the whole. `sets`: name → sha256 of its texts; `recipe`: of the
    output, None where every arm is a folder."""

    targets: str
    identity: str
    tier: str
    primary: str | None
    draws: int
    arms: tuple[str, ...]
    sets: dict[str, str]
    recipe: str | None


def lines(out: Store) -> list[Json]:
    """All lines, oldest first; of any release."""
    if not out.has(NAME):
        return []
    return [json.loads(line) for line in out.read_bytes(NAME).splitlines() if line.strip()]


def started(out: Store, about: About) -> int:
    """Register a measurement; returns the number of the attempt in this tier, from 1."""
    before = [line for line in lines(out) if line["event"] == "started" and line["tier"] == about.tier]
    known = list(dict.fromkeys(line["identity"] for line in before))
    if about.identity in known:
        return known.index(about.identity) + 1
    _append(out, {"event": "started", "attempt": len(known) + 1, **asdict(about)})
    return len(known) + 1


def ended(out: Store, about: About, *, attempt: int, found: Sequence[Comparison]) -> None:
    """Write down what came out on the sets that decide."""
    own = {"attempt": attempt, "tier": about.tier, "targets": about.targets, "identity": about.identity}
    results = [{"multiplier": line.multiplier, "interval": line.interval, "verdict": line.verdict} for line in found]
    line = json.loads(json.dumps({"event": "ended", **own, "found": results}))
    if line not in lines(out):
        _append(out, line)


def _append(out: Store, line: Json) -> None:
    before = out.read_bytes(NAME) if out.has(NAME) else b""
    added = json.dumps(line, sort_keys=True, ensure_ascii=False).encode("utf-8", "backslashreplace")
    out.write_bytes(NAME, before + added + b"\n", durable=True)
