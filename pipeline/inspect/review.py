"""`inspect review`: documents that were dropped for a reason (or kept), to be judged one key each.

First come those whose quality score is nearest to the limit that decides them: of these the model is least sure, and learns most
(Lewis and Gale 1994, "A sequential algorithm for training text classifiers"). Or they are drawn at random: of that order every
beginning is a uniform sample, so that its labels, and no others, say how often a rule is right. Both orders are the same for the
same output and seed, and of both a longer one begins with the shorter. Documents that have a label are passed over; one that was
judged for another order counts as drawn as soon as a random review has come past it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TextIO

import numpy as np
import polars as pl

from filters.rules import Rule
from pipeline.errors import InputError
from pipeline.inspect import why as fates
from pipeline.inspect.output import Output
from pipeline.inspect.values import RunValues
from pipeline.output import reviews
from pipeline.output.reviews import KEPT, Label
from pipeline.report.table import Part, Said, table
from pipeline.text import numbers
from pipeline.text.visible import visible

MOST = 10_000
"""Documents of a review; nobody judges more at a sitting."""
LINES = 24
"""Lines of a document that are shown."""
WIDTH = 110
NEAREST = ("kept", "quality")
"""What is judged where no reason is named: what the quality model decides on, either way."""
NO_LIMIT = 0.5
"""Stands for the limit where a plan has none for a language: where the model says that readers are divided."""
Order = Literal["uncertain", "random"]
KEYS = {"r": "right", "w": "wrong", "s": "skip", "b": "back", "q": "quit"}


@dataclass(frozen=True)
class Candidate:
    """A document to judge: its place in the output, its first reason (`kept` of a kept one), and why it is offered."""

    generation: int
    source_ref: str
    reason: str
    drawn: Order


def sample(output: Output, reason: str | None, *, n: int, seed: int, order: Order = "uncertain") -> list[Candidate]:
    """At most n documents dropped for `reason` (a first reason, or a filter's name), kept ones for `kept`, or (None) those that
    the quality model decides on. Where none has a quality score both orders are the random one.

    Raises InputError where there is none, or where the plan kept no text of dropped documents.
    """
    shards = [(made, scan) for name in ([reason] if reason else NEAREST) for made, scan in _shards(output, name)]
    counts = [int(scan.select(pl.len()).collect().item()) for _, scan in shards]
    if not sum(counts):
        raise _nothing(output, reason or NEAREST[0])
    most = min(n, MOST)
    found = _nearest(output, shards, most=most) if order == "uncertain" else []
    if found:
        return found
    rows = np.random.Generator(np.random.PCG64(seed)).permutation(sum(counts))[:most]
    chosen: dict[int, Candidate] = {}
    start = 0
    for (generation, scan), count in zip(shards, counts, strict=True):
        own = rows[(rows >= start) & (rows < start + count)]
        if len(own):
            taken = scan.select("source_ref", "reason").collect()[own - start].iter_rows()
            chosen |= {int(at): Candidate(generation, ref, why, "random") for at, (ref, why) in zip(own, taken, strict=True)}
        start += count
    return [chosen[int(at)] for at in rows]


def _nothing(output: Output, reason: str) -> InputError:
    known = [line.reason for line in output.newest.metrics.reasons if line.first]
    if reason != KEPT and any(_meant(name, reason) for name in known):
        return InputError(
            f"{output.store.root}: no text of documents dropped for {reason} was kept (output.rejected in the plan);"
            " curate with output.rejected: full and --replace"
        )
    return InputError(
        f"{output.store.root}: nothing was dropped for {reason}; there are {', '.join([*known, KEPT])}, or a filter's name"
    )


def _nearest(output: Output, shards: Sequence[tuple[int, pl.LazyFrame]], *, most: int) -> list[Candidate]:
    """Documents by the distance of their quality score from its limit, those without a score last; empty where none has one."""
    limit = _limit(output)
    away = (pl.col("quality_score").cast(pl.Float64) - pl.coalesce(limit.cast(pl.Float64), NO_LIMIT)).abs().alias("away")
    found = []
    for generation, scan in shards:
        # Arithmetic of float32 values in float64 is exact enough to be the same everywhere; equal ones go by their place.
        nearest = scan.select("source_ref", "reason", away).sort("away", "source_ref", nulls_last=True).head(most)
        found.append(nearest.with_columns(pl.lit(generation).alias("generation")).collect())
    every = pl.concat(found).sort("away", "generation", "source_ref", nulls_last=True).head(most)
    if not every["away"].count():
        return []
    places = every.select("generation", "source_ref", "reason").iter_rows()
    return [Candidate(generation, ref, reason, "uncertain") for generation, ref, reason in places]


def _limit(output: Output) -> pl.Expr:
    """The limit of each row's quality score, null where the plan has none."""
    rules = [rule for item in output.recipe.filters if item.filter.name == "quality" for rule in item.rules]
    limits = [rule.row_limit for rule in rules if isinstance(rule, Rule) and rule.signal == "quality_score" and rule.on]
    return limits[0] if limits else pl.lit(None, pl.Float64)


def _meant(name: str, reason: str) -> bool:
    return name == reason or name.startswith(f"{reason}.")


def _shards(output: Output, reason: str) -> Iterator[tuple[int, pl.LazyFrame]]:
    """Each shard's generation, with the columns that a choice needs, of the documents that may be chosen and whose text it
    holds."""
    kept = reason == KEPT
    for made in output.live:
        for record in made.files:
            if record.path.startswith("data/" if kept else "rejected/") and record.rows:
                scan = output.store.scan([record.path])
                if not kept:
                    scan = scan.filter((pl.col("reason") == reason) | pl.col("reason").str.starts_with(f"{reason}."))
                named = pl.lit(KEPT).alias("reason") if kept else pl.col("reason")
                yield made.generation, scan.select("source_ref", named, "language", "quality_score")


def unlabelled(output: Output, found: Sequence[Candidate]) -> list[Candidate]:
    """Candidates that have no label under the output's recipe."""
    done = _labelled(output)
    return [c for c in found if _place(c) not in done]


def _labelled(output: Output) -> dict[tuple[int, str, str], Label]:
    """The labels given under the output's recipe, by place."""
    recipe = output.newest.recipe_hash
    return {_place(one): one for one in reviews.labels(output.store) if one.recipe == recipe}


def _place(one: Candidate | Label) -> tuple[int, str, str]:
    return one.generation, one.source_ref, one.reason


def label(output: Output, candidate: Candidate, answer: str, *, of: Sequence[Candidate] = ()) -> Label:
    """Store the label of a document (`right` or `wrong`).

    `of`: the order that it was offered in. What a random one has before it and what was judged for another order was drawn at
    random now, and is stored so; and so is what it has behind it, where nothing is left to judge: else the precision of a whole
    sample would leave out those at its end that the model was least sure of.
    """
    if candidate.drawn == "random":
        done = _labelled(output)
        at = of.index(candidate) if candidate in of else 0
        seen = of if all(_place(one) in done for one in of[at + 1 :]) else of[:at]
        for one in seen:
            known = done.get(_place(one))
            if known is not None and known.drawn != "random":
                reviews.add(output.store, replace(known, drawn="random"))
    made = Label(
        candidate.generation,
        candidate.source_ref,
        candidate.reason,
        "right" if answer == "right" else "wrong",
        output.newest.recipe_hash,
        candidate.drawn,
    )
    reviews.add(output.store, made)
    return made


def in_terminal(output: Output, found: Sequence[Candidate], keys: Iterator[str], *, screen: TextIO) -> list[Label]:
    """Show each document that has no label and wait for its key. The labels given, each document's last."""
    left = unlabelled(output, found)
    given: dict[int, Label] = {}
    at = 0
    while at < len(left):
        screen.write(f"\n{at + 1} of {len(left)}  " + "─" * 60 + "\n" + candidate_text(output, left[at]))
        question = "kept: rightly?" if left[at].reason == KEPT else f"dropped for {visible(left[at].reason)}: rightly?"
        screen.write(f"{question}  [r]ight  [w]rong  [s]kip  [b]ack  [q]uit  ")
        screen.flush()
        answer = _answer(keys)
        screen.write(answer + "\n")
        if answer == "quit":
            break
        if answer in ("right", "wrong"):
            given[at] = label(output, left[at], answer, of=found)
        at = max(0, at - 1) if answer == "back" else at + 1
    return [given[k] for k in sorted(given)]


def _answer(keys: Iterator[str]) -> str:
    """The next key that means something; the end of the input quits."""
    return next((KEYS[key] for key in map(str.lower, keys) if key in KEYS), "quit")


def candidate_text(output: Output, candidate: Candidate) -> str:
    """A document's fate and text for a terminal, and what of it the reason looked at."""
    row = next((f for f in fates.find_rows(output, candidate.source_ref) if f.row["generation"] == candidate.generation), None)
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
    return [f"{rule.signal}: {rule.said}, passes with {rule.passes}" for rule in own if rule.passes]


def summary(found: Sequence[Label], *, session: Sequence[Label]) -> Said:
    """The precision of every reason, of the labels that were given under the output's recipe."""
    rows = []
    for one in reviews.of_labels(found):
        value, low, high = (numbers.percent(share) for share in (one.precision.value, one.precision.low, one.precision.high))
        rows.append((one.reason, numbers.count(one.right), numbers.count(one.wrong), value, f"{low} to {high}"))
    head = ("reason", ">right", ">wrong", ">precision", "95 % interval (Wilson)")
    said: list[Part] = [f"{numbers.count(len(session))} judged now"]
    if rows:
        said += ["of this output's recipe, documents drawn at random:", table(head, rows)]
    chosen = sum(one.drawn != "random" for one in found)
    if chosen:
        said.append(
            f"{numbers.counted(chosen, 'more was', 'more were')} chosen as what the model is least sure of: `flows.train quality"
            " --reviews` learns from them, and they say nothing of precision (`review --order random` does)"
        )
    return said
