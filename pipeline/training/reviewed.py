"""What people said of an output's documents, as examples: their reviews, resolved to the texts that the output holds now.

A review says of a document that a rule dropped it rightly or wrongly, or that it was kept rightly or wrongly: so whether it is
worth keeping, where the rule judges what the text is. Whether a text is a copy, or in another language than was asked for, says
nothing of that. What a person said of a text holds under any plan: a review of an earlier generation counts where the same row
of the same input, by its content, is in the output still.

Invariant: each text is used once, and no text of which reviews contradict each other; what is not used is counted by its cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from pipeline.errors import InputError
from pipeline.output import inventory, manifest, reviews
from pipeline.output.manifest import Manifest
from pipeline.output.reviews import KEPT, Label
from pipeline.store.store import Store
from pipeline.text.final import text_hash
from pipeline.training import judged

TAKEN_DOWN = "taken_down"
Place = tuple[int, str]
"""Generation and source_ref."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """A document whose text the output holds."""

    place: Place
    text: str
    url: str | None
    language: str
    reason: str
    score: float | None

    @property
    def site(self) -> str:
        return judged.site(f"{self.place[0]} {self.place[1]}", self.url)


@dataclass(frozen=True, kw_only=True)
class Reviewed:
    """A text and whether it is worth keeping. `weight`: how many documents of the output it stands for, 0 where it was not drawn
    at random from them. `trust`: what it weighs in training."""

    document: Text
    keep: bool
    weight: float = 0.0
    trust: float = 1.0


@dataclass(frozen=True)
class Found:
    """The examples; and of the reviews how many were left out, by cause, and how many used ones are of another recipe."""

    examples: list[Reviewed]
    left_out: dict[str, int] = field(default_factory=dict)
    other_recipes: int = 0


def live(out: Store) -> tuple[list[Manifest], list[Manifest]]:
    """All manifests, and the live ones. Raises InputError where there is no output, Damaged where it is not
    as its manifests say."""
    made = inventory.load_whole(out)
    if not made:
        raise InputError(f"{out.root}: no output of `winnow curate` (no manifests); name the folder of one")
    return made, manifest.live(made)


def load(out: Store) -> Found:
    """The reviews of an output. Raises InputError where there is no output, Damaged for a line that is no review."""
    made, present = live(out)
    given = reviews.labels(out)
    left_out: Counter[str] = Counter()
    about: dict[Place, list[Label]] = {}
    for label in given:
        place = _now(label, made, present)
        if not _says_something(label):
            left_out["say nothing of quality (duplicates, selection, language)"] += 1
        elif place is None:
            left_out["of rows that are gone or changed"] += 1
        else:
            about.setdefault(place, []).append(label)
    texts = {one.place: one for one in texts_of(out, about)}
    reasons = _reasons(out, present, about)
    sizes = _sizes(out, present)
    recipe = present[-1].recipe_hash
    drawn = Counter(one.reason for one in given if one.recipe == recipe and one.drawn == "random")
    examples: list[Reviewed] = []
    others = 0
    for place, labels in about.items():
        said = {(one.label == "right") == (one.reason == KEPT) for one in labels}
        if place not in texts:
            taken = reasons.get(place) == TAKEN_DOWN
            cause = "taken down" if taken else "without a text" if place in reasons else "of rows that are gone or changed"
            left_out[cause] += len(labels)
        elif len(said) > 1:
            left_out["contradict each other"] += len(labels)
        else:
            own = [one for one in labels if one.recipe == recipe]
            others += len(labels) - len(own)
            weights = [sizes.get(one.reason, 0) / drawn[one.reason] for one in own if one.drawn == "random"]
            examples.append(Reviewed(document=texts[place], keep=said.pop(), weight=max(weights, default=0.0)))
    unique = once(examples, left_out)
    return Found(unique, {cause: n for cause, n in left_out.items() if n}, others)


def once(examples: Iterable[Reviewed], left_out: Counter[str]) -> list[Reviewed]:
    """Each text once, none of which reviews contradict each other; a copy's weight is added to the first's."""
    by_text: dict[bytes, list[Reviewed]] = {}
    for one in sorted(examples, key=lambda one: one.document.place):
        by_text.setdefault(text_hash(one.document.text), []).append(one)
    found = []
    for same in by_text.values():
        if len({one.keep for one in same}) > 1:
            left_out["contradict each other"] += len(same)
            continue
        left_out["of copies of a text"] += len(same) - 1
        found.append(replace(same[0], weight=sum(one.weight for one in same)))
    return found


def _says_something(label: Label) -> bool:
    """Whether the reason is a filter's that judges what a text is."""
    return label.reason == KEPT or ("." in label.reason and not label.reason.startswith("language."))


def _now(label: Label, made: Sequence[Manifest], present: Sequence[Manifest]) -> Place | None:
    """Where the reviewed row is in the output: in its generation, or where the same input was read again."""
    if any(one.generation == label.generation for one in present):
        return label.generation, label.source_ref
    path = label.source_ref.rpartition("#")[0]
    then = {r.content for m in made if m.generation == label.generation for r in m.inputs if r.path == path}
    now = [m.generation for m in present for r in m.inputs if r.path == path and r.content in then]
    return (now[-1], label.source_ref) if now else None


def _shards(out: Store, present: Sequence[Manifest], *folders: str) -> Iterator[tuple[int, str, pl.LazyFrame]]:
    for made in present:
        for record in made.files:
            folder = record.path.partition("/")[0]
            if folder in folders and record.rows:
                yield made.generation, folder, out.scan([record.path])


def texts_of(out: Store, places: Iterable[Place]) -> Iterator[Text]:
    """The documents at these places whose text the output holds."""
    wanted: dict[int, list[str]] = {}
    for generation, ref in places:
        wanted.setdefault(generation, []).append(ref)
    for generation, folder, scan in _shards(out, live(out)[1], "data", "rejected"):
        if generation in wanted:
            reason = pl.lit(KEPT) if folder == "data" else pl.col("reason")
            columns = ("source_ref", "text", "url", "language", reason.alias("why"), "quality_score")
            rows = scan.filter(pl.col("source_ref").is_in(wanted[generation])).select(*columns).collect()
            for ref, text, url, language, why, score in rows.iter_rows():
                place = generation, ref
                yield Text(place=place, text=text, url=url, language=language or "und", reason=why, score=score)


def places_of(out: Store) -> pl.DataFrame:
    """generation, source_ref and reason of all documents that the output holds the text of, and that are no copies."""
    found = []
    for generation, folder, scan in _shards(out, live(out)[1], "data", "rejected"):
        kept = folder == "data"
        rows = scan if kept else scan.filter(pl.col("stage").is_in(("filter", "model")))
        reason = pl.lit(KEPT) if kept else pl.col("reason")
        found.append(rows.select(pl.lit(generation).alias("generation"), "source_ref", reason.alias("reason")).collect())
    if not found:
        raise InputError(f"{out.root}: it holds no text of a document")
    return pl.concat(found)


def _reasons(out: Store, present: Sequence[Manifest], places: Iterable[Place]) -> dict[Place, str]:
    """The reason of each row, `kept` of a kept one, by the ledger; rows that it does not have are left out."""
    refs = sorted({ref for _, ref in places})
    found: dict[Place, str] = {}
    for generation, _, scan in _shards(out, present, "ledger"):
        rows = scan.filter(pl.col("source_ref").is_in(refs)).select("source_ref", pl.col("reason").fill_null(KEPT)).collect()
        found |= {(generation, ref): reason for ref, reason in rows.iter_rows()}
    return found


def _sizes(out: Store, present: Sequence[Manifest]) -> Counter[str]:
    """Documents of each reason, `kept` of kept ones."""
    sizes: Counter[str] = Counter()
    for _, _, scan in _shards(out, present, "ledger"):
        counted = scan.filter(pl.col("verdict") != "quarantined").group_by(pl.col("reason").fill_null(KEPT)).len().collect()
        sizes.update(dict(counted.iter_rows()))
    return sizes
