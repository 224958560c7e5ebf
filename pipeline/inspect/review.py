"""`inspect review`: a seeded sample of documents that were dropped for a reason (or kept), to be judged one key each.

The sample is uniform over documents with that reason and the same for the same output and seed; a larger one holds the
smaller. So a review goes on where it was left: documents that have a label are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np
import polars as pl

from pipeline.errors import InputError
from pipeline.inspect import why
from pipeline.inspect.margins import worded
from pipeline.inspect.output import Output
from pipeline.inspect.values import RunValues
from pipeline.output import reviews
from pipeline.output.reviews import KEPT, Label, ReviewCounts
from pipeline.report.table import Said, table
from pipeline.text import numbers
from pipeline.text.visible import visible

MOST = 10_000
"""Documents of a review; nobody judges more at a sitting."""
LINES = 24
"""Lines of a document that are shown."""
WIDTH = 110
KEYS = {"r": "right", "w": "wrong", "s": "skip", "b": "back", "q": "quit"}


@dataclass(frozen=True)
class Candidate:
    """A document to judge: its place in the output, and its first reason (`kept` of a kept one)."""

    generation: int
    source_ref: str
    reason: str


def sample(output: Output, reason: str, *, n: int, seed: int) -> list[Candidate]:
    """At most n documents dropped for `reason` (a first reason, or a filter's name), or kept ones for `kept`, in shard order.

    Raises InputError where there is none, or where the plan kept no text of dropped documents.
    """
    shards = list(_shards(output, reason))
    counts = [int(scan.select(pl.len()).collect().item()) for _, scan in shards]
    if not sum(counts):
        known = [line.reason for line in output.newest.metrics.reasons if line.first]
        if reason != KEPT and any(_meant(name, reason) for name in known):
            raise InputError(
                f"{output.store.root}: no text of documents dropped for {reason} was kept (output.rejected in the plan);"
                " curate with output.rejected: full and --replace"
            )
        raise InputError(
            f"{output.store.root}: nothing was dropped for {reason}; there are {', '.join([*known, KEPT])}, or a filter's name"
        )
    rows = np.sort(np.random.Generator(np.random.PCG64(seed)).permutation(sum(counts))[: min(n, MOST)])
    chosen, start = [], 0
    for (generation, scan), count in zip(shards, counts, strict=True):
        own = rows[(rows >= start) & (rows < start + count)] - start
        start += count
        if len(own):
            chosen += [Candidate(generation, *row) for row in scan.collect()[own].iter_rows()]
    return chosen


def _meant(name: str, reason: str) -> bool:
    return name == reason or name.startswith(f"{reason}.")


def _shards(output: Output, reason: str) -> Iterator[tuple[int, pl.LazyFrame]]:
    """Each shard's generation, with source_ref and reason of the documents that may be chosen and whose text it holds."""
    kept = reason == KEPT
    for made in output.live:
        for record in made.files:
            if record.path.startswith("data/" if kept else "rejected/") and record.rows:
                scan = output.store.scan([record.path])
                if not kept:
                    scan = scan.filter((pl.col("reason") == reason) | pl.col("reason").str.starts_with(f"{reason}."))
                yield made.generation, scan.select("source_ref", pl.lit(KEPT).alias("reason") if kept else "reason")


def unlabelled(output: Output, found: Sequence[Candidate]) -> list[Candidate]:
    """Candidates that have no label under the output's recipe."""
    recipe = output.newest.recipe_hash
    done = {(m.generation, m.source_ref, m.reason) for m in reviews.labels(output.store) if m.recipe == recipe}
    return [c for c in found if (c.generation, c.source_ref, c.reason) not in done]


def label(output: Output, candidate: Candidate, answer: str) -> Label:
    """Store the label of a document (`right` or `wrong`)."""
    made = Label(
        candidate.generation,
        candidate.source_ref,
        candidate.reason,
        "right" if answer == "right" else "wrong",
        output.newest.recipe_hash,
    )
    reviews.add(output.store, made)
    return made


def in_terminal(output: Output, found: Sequence[Candidate], keys: Iterator[str], *, screen: TextIO) -> list[Label]:
    """Show each document and wait for its key. The labels given, each document's last."""
    given: dict[int, Label] = {}
    at = 0
    while at < len(found):
        screen.write(f"\n{at + 1} of {len(found)}  " + "─" * 60 + "\n" + candidate_text(output, found[at]))
        question = "kept: rightly?" if found[at].reason == KEPT else f"dropped for {visible(found[at].reason)}: rightly?"
        screen.write(f"{question}  [r]ight  [w]rong  [s]kip  [b]ack  [q]uit  ")
        screen.flush()
        answer = _answer(keys)
        screen.write(answer + "\n")
        if answer == "quit":
            break
        if answer in ("right", "wrong"):
            given[at] = label(output, found[at], answer)
        at = max(0, at - 1) if answer == "back" else at + 1
    return [given[k] for k in sorted(given)]


def _answer(keys: Iterator[str]) -> str:
    """The next key that means something; the end of the input quits."""
    return next((KEYS[key] for key in map(str.lower, keys) if key in KEYS), "quit")


def candidate_text(output: Output, candidate: Candidate) -> str:
    """A document's fate and text for a terminal, and what of it the reason looked at."""
    row = next((f for f in why.find_rows(output, candidate.source_ref) if f.row["generation"] == candidate.generation), None)
    if row is None or row.kept is None:
        return f"{visible(candidate.source_ref)}: its text is not there any more\n"
    lines = [visible(candidate.source_ref, limit=WIDTH)]
    if row.row["duplicate_ref"]:
        lines.append(f"of {visible(row.row['duplicate_ref'], limit=80)}, similarity {row.row['similarity']:.4f}")
        if row.survivor is not None and row.survivor.text is not None:
            lines += ["", *_text(row.survivor.text, LINES // 2), "", "the document:"]
    lines += ["", *_text(row.kept.text, LINES)]
    if "." in candidate.reason and row.values is not None:
        lines += ["", *_evidence(candidate.reason, row.values)]
    return "\n".join(lines) + "\n\n"


def _text(text: str, most: int) -> list[str]:
    """The first lines, long ones folded; a last line says how much is left out."""
    folded: list[str] = []
    for line in text[: most * WIDTH].split("\n"):
        safe = visible(line)
        folded += [safe[k : k + WIDTH] for k in range(0, max(1, len(safe)), WIDTH)]
        if len(folded) >= most:
            break
    left = len(text) - most * WIDTH
    return [*folded[:most], *([f"… {numbers.counted(left, 'character')} more"] if left > 0 or len(folded) > most else [])]


def _evidence(reason: str, values: RunValues) -> list[str]:
    own = [rule for rule in values.measured.rules if rule.name == reason and rule.signal]
    return [f"{rule.signal}: {worded(rule.value)}, passes with {rule.passes}" for rule in own if rule.passes]


def summary(found: Sequence[ReviewCounts], *, session: Sequence[Label]) -> Said:
    """The precision of every reason."""
    rows = []
    for one in found:
        value, low, high = (numbers.percent(share) for share in (one.precision.value, one.precision.low, one.precision.high))
        rows.append((one.reason, numbers.count(one.right), numbers.count(one.wrong), value, f"{low} to {high}"))
    head = ("reason", ">right", ">wrong", ">precision", "95 % interval (Wilson)")
    return [f"{numbers.count(len(session))} judged now; all labels of this output's recipe:", table(head, rows)]
