"""`inspect compare --set`: what would enter and what would leave under other thresholds, from stored signals; nothing is written.

Exact for the filters' verdicts, before dedup and selection, as `sweep` is (same rules, same signals: `verdicts`). What enters may
still be a duplicate, and a model may not have scored it yet: both are counted, and neither is guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from pipeline.inspect.compare import SAMPLES, side_text
from pipeline.inspect.output import Output
from pipeline.inspect.thresholds.stored_signals import Rows, rethresholded, units_of
from pipeline.report.table import Part
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.refs import ref
from pipeline.stages.unit.tables import texts_at
from pipeline.store.store import Store
from pipeline.text import numbers


@dataclass
class Side:
    """Documents that cross, `[name, documents]` by reason, source and language, largest first; samples `[ref, reason, text]`."""

    documents: int = 0
    n_bytes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    samples: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class WhatIf:
    """`enter` by the reason that drops them now, `leave` by the one that would. `kept`: by the filters, before and after."""

    rows: int
    kept: tuple[int, int]
    enter: Side
    leave: Side
    unscored: int  # of those that enter: the plan's models have not scored them
    uncompared: int  # of those that enter: dedup has not seen them


def rethink(output: Output, assignments: Sequence[str], *, work: str | None = None) -> WhatIf:
    """What `KEY=VALUE` assignments of thresholds or actions would change, over all live generations.

    Raises PlanError for a wrong key or value, UsageError for one that changes more than a threshold, InputError where the
    signals are gone.
    """
    recipe = rethresholded(output, assignments)
    store = (replace(output, work_at=work) if work else output).work
    enter, leave = Side(), Side()
    rows = before_all = after_all = unscored = 0
    for unit in units_of(output, store):
        seen = Rows(store, output.recipe, [unit])
        before, after = seen.kept(output.recipe), seen.kept(recipe)
        entering, leaving = np.flatnonzero(after & ~before), np.flatnonzero(before & ~after)
        _add(enter, store, seen, unit=unit, rows=entering, reasons=seen.first_reasons(output.recipe, entering))
        _add(leave, store, seen, unit=unit, rows=leaving, reasons=seen.first_reasons(recipe, leaving))
        rows, before_all, after_all = rows + len(seen), before_all + int(before.sum()), after_all + int(after.sum())
        unscored += int((~seen.scored[entering]).sum()) if seen.models else 0
    compared = output.plan.dedup is not None
    return WhatIf(rows, (before_all, after_all), enter, leave, unscored, enter.documents if compared else 0)


def _add(side: Side, work: Store, seen: Rows, *, unit: Annotated, rows: np.ndarray, reasons: Sequence[str]) -> None:
    if not len(rows):
        return
    side.documents += len(rows)
    side.n_bytes += int(seen.n_bytes[rows].sum())
    side.reasons.update(reasons)
    side.languages.update(str(label or "none") for label in seen.languages[rows])
    side.sources.update(work.take(unit.names.documents, ["source"], rows)["source"].to_pylist())
    known = {reason for _, reason, _ in side.samples}
    for at, reason in zip(rows.tolist(), reasons, strict=True):
        if len(side.samples) >= SAMPLES:
            break
        if reason not in known:
            known.add(reason)
            side.samples.append([*_text(work, unit, at, reason=reason)])


def _text(work: Store, unit: Annotated, row: int, *, reason: str) -> tuple[str, str, str]:
    at = np.array([row])
    number = work.take(unit.names.documents, ["row"], at)["row"][0].as_py()
    return ref(unit.names, number), reason, texts_at(work, unit.names, at)[0].as_py()[:1_000]


def plain(found: WhatIf) -> dict[str, object]:
    """The changes as JSON: counters as lists, largest first."""
    made = {one.name: getattr(found, one.name) for one in fields(found)}
    return {**made, "enter": _plain(found.enter), "leave": _plain(found.leave)}


def _plain(side: Side) -> dict[str, object]:
    counts = {kind: _ordered(getattr(side, kind)) for kind in ("reasons", "sources", "languages")}
    return {"documents": side.documents, "n_bytes": side.n_bytes, "samples": side.samples, **counts}


def _ordered(counts: Counter[str]) -> list[list[Any]]:
    return [[name, n] for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def what_if_text(found: WhatIf, assignments: Sequence[str]) -> list[Part]:
    """The changes as a person reads them."""
    kept = " → ".join(map(numbers.count, found.kept))
    rows = numbers.counted(found.rows, "row")
    said: list[Part] = [
        f"with {', '.join(assignments)}: of {rows} the filters keep {kept}, before dedup and selection; nothing was written"
    ]
    for name, side, meaning in (("enter", found.enter, "dropped now for"), ("leave", found.leave, "would be dropped for")):
        counted = {meaning: side.reasons, "source": side.sources, "language": side.languages}
        size = f"{numbers.counted(side.documents, 'document')}, {numbers.counted(side.n_bytes, 'byte')} of final text"
        ordered = {title: _ordered(counts) for title, counts in counted.items()}
        said += ["", f"{name}: {size}", *side_text(ordered, side.samples)]
    if found.unscored:
        unscored = numbers.count(found.unscored)
        said += ["", f"not yet scored by the plan's models: {unscored} of those that enter; they count as kept"]
    if found.uncompared:
        uncompared = numbers.count(found.uncompared)
        said += ["", f"not yet compared for duplicates: {uncompared}; a run with these values decides that"]
    return said
