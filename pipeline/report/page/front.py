"""The first screen of the page: the verdict in sentences, and three dropped documents that convince.

Invariant: what stands here follows from metrics.json, savings.json, samples/ and reviews.jsonl alone, so the same files give the
same screen. Nothing here is a claim of its own: compute is put into words by `pipeline.report.compute.statement`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.output.reviews import KEPT, ReviewCounts
from pipeline.records.counts import ReasonLine
from pipeline.records.metrics_json import Check, Metrics
from pipeline.records.samples import Sample, Samples
from pipeline.report.compute.statement import Statement
from pipeline.report.page import charts, tables
from pipeline.text import numbers

SHOWN = 3
"""Documents of the first screen; chosen so that they stand beside the chart without scrolling."""
UNSHOWN = ("toxicity", "adult")
"""Filters whose drops are no sight for the top of a page that people send on; their examples stand folded below."""


MOST_TOLD = 240
"""Characters of a document quoted on the first screen."""


@dataclass(frozen=True)
class Verdict:
    """The run in sentences. `compute`: of one pass over the kept text; `saving`: what was measured, its word apart; `agreement`:
    what people said of its drops; `checks`: how many passed."""

    compute: str
    saving: str
    agreement: str
    checks: str


def verdict(metrics: Metrics, closing: Statement, reviews: Sequence[ReviewCounts]) -> Verdict:
    """`closing`: what is said of compute; `reviews`: what people said of the reasons."""
    return Verdict(_compute(closing), closing.measured or "", _agreement(metrics, reviews), _checks(metrics.checks))


def _compute(closing: Statement) -> str:
    if closing.share is None:
        return closing.cost
    return f"Training on it takes {closing.share} of the compute of training on everything that was read."


def _agreement(metrics: Metrics, reviews: Sequence[ReviewCounts]) -> str:
    """Counts alone: reasons are not reviewed in the shares in which they drop, so that a share of all would mislead."""
    judged = [one for one in reviews if one.reason != KEPT and one.n]
    if not judged:
        return "Nobody has looked yet at what was dropped." if metrics.totals.dropped else ""
    right, n = sum(one.right for one in judged), sum(one.n for one in judged)
    looked = f"Of {numbers.counted(n, 'dropped document')} that people looked at"
    return f"{looked}, {numbers.count(right)} {'was' if right == 1 else 'were'} rightly dropped."


def _checks(checks: Sequence[Check]) -> str:
    failed = sum(check.failed for check in checks)
    if failed or not checks:
        return f"{numbers.count(failed)} of {numbers.counted(len(checks), 'check')} failed." if checks else ""
    passed = {1: "The one check", 2: "Both checks"}.get(len(checks), f"All {numbers.count(len(checks))} checks")
    return f"{passed} passed."


@dataclass(frozen=True)
class Telling:
    """A dropped document, its reason, and in a few words the number that decided."""

    line: ReasonLine
    sample: Sample
    why: str

    @property
    def title(self) -> str:
        return in_words(self.line.reason)


def telling(metrics: Metrics, samples: Samples | None) -> tuple[Telling, ...]:
    """The clearest document of the reasons that dropped the most: of different filters as far as there are such."""
    if samples is None:
        return ()
    reasons = sorted(
        (line for line in metrics.reasons if line.first and line.stage != "select"), key=lambda line: (-line.first, line.reason)
    )
    chosen: list[Telling] = []
    for again in (False, True):
        families = {_family(one.line) for one in chosen}
        for line in reasons:
            known = any(one.line is line for one in chosen)
            if len(chosen) == SHOWN or known or _family(line) in UNSHOWN or (not again and _family(line) in families):
                continue
            if found := _clearest(line, samples.dropped.get(line.reason, ())):
                chosen.append(found)
                families.add(_family(line))
    return tuple(sorted(chosen, key=lambda one: -one.line.first))


def _family(line: ReasonLine) -> str:
    return line.stage if line.stage == "dedup" else line.reason.partition(".")[0]


def _clearest(line: ReasonLine, found: Sequence[Sample]) -> Telling | None:
    """The quoted sample that lies farthest beyond the limit; of duplicates one whose survivor is quoted too, and
    that differs from it, the most similar."""
    quoted = [sample for sample in found if sample.text is not None and sample.text.strip()]
    best = max(quoted, key=_beyond, default=None)
    return None if best is None else Telling(line, best, ", ".join(_decided(line, best)))


def _beyond(sample: Sample) -> tuple[bool, bool, float]:
    value = float(sample.value or 0)
    if sample.signal is None:
        return sample.survivor is not None, _marked(sample), value
    return True, True, abs(value - float(sample.limit or 0)) / (abs(float(sample.limit or 0)) or 1)


def _marked(sample: Sample) -> bool:
    """Whether something of it is struck out on the first screen."""
    return any(piece.own for piece in tables.compared(sample, limit=MOST_TOLD))


def _decided(line: ReasonLine, sample: Sample) -> Iterator[str]:
    if line.stage == "dedup":
        near = line.reason == "near_duplicate"  # it may have the same words, and differ in case or punctuation
        yield f"similarity {tables.similarity(sample.value)}" if near else "word for word"
        if _marked(sample):
            yield "struck out where the kept one differs"
    elif sample.signal is not None and sample.value is not None and sample.limit is not None:
        value, limit = numbers.apart(sample.value, sample.limit)
        unit = charts.unit_of(sample.signal, (), whole=float(sample.value).is_integer())
        yield f"{unit}: {value}"
        yield f"{'at least' if sample.value < sample.limit else 'at most'} {limit} passes"


def in_words(reason: str) -> str:
    """A reason as a phrase: its rule's name, without its filter's."""
    name = (reason.rpartition(".")[2] or reason).replace("_", " ")
    return name[:1].upper() + name[1:]
