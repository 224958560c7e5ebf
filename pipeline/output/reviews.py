"""The reviews of an output by people: `reviews.jsonl` beside its manifests, and how often each rule was right.

One JSON object a line: generation, source_ref, reason (`kept` of a kept document), label (`right` | `wrong`), recipe (hash of the
output's), drawn (`random` | `uncertain`: how the document came to be judged). No text. The file is appended to; of several lines
for one document and reason the last counts. No run touches it, and it is no part of any dataset config.

Precision counts labels that were drawn at random, while the output has the recipe that they were given under: what the model was
least sure of is no sample of what a rule drops, and other thresholds drop other documents.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from pipeline.errors import Damaged, OutputError
from pipeline.output import manifest
from pipeline.records.interval import Estimate, share
from pipeline.store.store import Store

FILE = "reviews.jsonl"
KEPT = "kept"
"""Stands for the reason of a kept document."""


@dataclass(frozen=True)
class Label:
    """One judgement: was it right to drop this document for this reason, or to keep it?"""

    generation: int
    source_ref: str
    reason: str
    label: Literal["right", "wrong"]
    recipe: str
    drawn: Literal["random", "uncertain"] = "random"


@dataclass(frozen=True)
class ReviewCounts:
    """How many documents that a reason dropped, drawn at random, were rightly dropped, how many wrongly."""

    reason: str
    right: int
    wrong: int

    @property
    def n(self) -> int:
        """Documents that were looked at."""
        return self.right + self.wrong

    @property
    def precision(self) -> Estimate:
        return share(self.right, self.n)


def labels(out: Store) -> list[Label]:
    """The labels that stand: the last of each document and reason, drawn at random if an earlier one of its recipe was. Damaged
    names a line that is none."""
    if not out.has(FILE):
        return []
    found: dict[tuple[int, str, str], Label] = {}
    lines = out.read_bytes(FILE).split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            made = Label(**json.loads(line))
            if made.label not in ("right", "wrong") or made.drawn not in ("random", "uncertain"):
                raise ValueError(f"label {made.label!r}, drawn {made.drawn!r}")
            if not all(isinstance(v, str) for v in (made.source_ref, made.reason, made.recipe)):
                raise ValueError("source_ref, reason and recipe are texts")
            if type(made.generation) is not int:
                raise ValueError(f"generation {made.generation!r}")
        except (ValueError, TypeError) as error:
            if number == len(lines):  # a writer was killed within its last line
                continue
            raise Damaged(
                f"{out.path(FILE)}: line {number} is no label ({error}); remove that line, the others stay valid"
            ) from error
        place = made.generation, made.source_ref, made.reason
        before = found.get(place)
        if before is not None and before.drawn == "random" and before.recipe == made.recipe:
            made = replace(made, drawn="random")
        found[place] = made
    return list(found.values())


def add(out: Store, label: Label) -> None:
    """Append a label; the file is the owner's alone. Raises OutputError where it cannot be written."""
    path = out.local_path(FILE)
    if path is None:
        raise OutputError(f"{out.path(FILE)}: reviews need a local folder")
    line = (json.dumps(asdict(label), ensure_ascii=True) + "\n").encode()
    try:
        where = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with contextlib.closing(os.fdopen(where, "r+b", buffering=0)) as file:
            os.fchmod(where, 0o600)
            size = os.fstat(where).st_size
            if size and os.pread(where, 1, size - 1) != b"\n":  # a killed writer's rest becomes a line of its own
                os.ftruncate(where, _last_line(where, size))
            file.write(line)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; labels are kept there") from error


def _last_line(where: int, size: int) -> int:
    """Where the unfinished last line begins."""
    tail = os.pread(where, min(size, 1 << 20), max(0, size - (1 << 20)))
    return size - len(tail) + tail.rfind(b"\n") + 1


def precision(out: Store) -> list[ReviewCounts]:
    """Reasons with random labels given under the output's present recipe, most labels first; empty where there are none."""
    return of_labels(present(out))


def present(out: Store) -> list[Label]:
    """The labels that were given under the output's present recipe."""
    live = manifest.live(manifest.load_all(out))
    return [label for label in labels(out) if label.recipe == live[-1].recipe_hash] if live else []


def of_labels(found: Sequence[Label]) -> list[ReviewCounts]:
    """As `precision`, for these labels."""
    found = [label for label in found if label.drawn == "random"]
    counts = Counter((label.reason, label.label) for label in found)
    made = [ReviewCounts(name, counts[name, "right"], counts[name, "wrong"]) for name in {label.reason for label in found}]
    return sorted(made, key=lambda review: (-review.n, review.reason))
