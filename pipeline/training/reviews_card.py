"""From reviews to a model of one's own: enough of them or a refusal, figures before and after, what crosses over, and the files.

Figures are of reviews alone, never of what a model judged, and each of a model that has not seen the review's site. Reviews that
were offered because the model was not sure are harder than the corpus: beside all of them stand those drawn at random, each
weighted by how many documents of its reason it stands for.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from filters import quality
from filters.kernels import buffers
from filters.models import readers as model_files
from filters.models.readers import KEEP, Card, Choice, Level, Readers
from pipeline.errors import InputError, OutputError
from pipeline.records import interval
from pipeline.records.interval import Estimate
from pipeline.store.store import Store
from pipeline.text import markdown, numbers
from pipeline.text.final import text_hash
from pipeline.training import adapt, examples, readers_card, reviewed
from pipeline.training.adapt import Adapted
from pipeline.training.judged import Judged, Part
from pipeline.training.recipes import readers
from pipeline.training.recipes.readers import Examples
from pipeline.training.reviewed import Found, Reviewed, Text

LEAST, LEAST_EACH = 200, 40
"""Fewest examples, and fewest reviews that keep, and that drop, so that there are figures. What 200 gain: `adapt.HELD_BACK`."""
SAMPLE = 2_000
"""Documents of the output that are scored to see what crosses over."""
SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a model does on reviews: of what it keeps, how much is to be kept; of what is to be kept, how much it keeps; of what
    is to be dropped, how much it drops."""

    name: str
    n: int
    precision: Estimate | None
    recall: Estimate | None
    dropped: Estimate | None


@dataclass(frozen=True)
class Crossing:
    """A document of the sample that is judged otherwise now. `before`, `after`: the probability that it is kept."""

    source_ref: str
    enters: bool
    before: float
    after: float


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The files, and what is said of them."""

    path: Path
    card: Card
    level: Level
    corrected: bool
    by_site: bool
    figures: list[Figures]
    crossed: list[Crossing]
    looked_at: int
    reviewed_crossings: tuple[tuple[int, int], tuple[int, int]]
    found: Found
    judged_by_model: int
    notes: list[str]


def make(
    out: Store, base: Readers, folder: Path, *, name: str, level: Level = "balanced", more: Sequence[Reviewed] = (), seed: int = 0
) -> Trained:
    """Learn, measure and write. `more`: what a model judged. Raises InputError where there is too little, OutputError."""
    found = reviewed.load(out)
    own = found.examples
    known = {text_hash(one.document.text) for one in own}
    others = [one for one in reviewed.once(more, Counter()) if text_hash(one.document.text) not in known]
    enough(own, others, out)
    every = [*own, *others]
    folds, by_site = _folds(every)
    adapted = adapt.adapt(base, _examples(every, folds))
    covered = languages(base, [one.document.language for one in own])
    scored = readers_card.Scored(
        documents=[_as_judged(one) for one in every],
        language=np.array([one.document.language for one in every]),
        logit=adapted.held_out,
    )
    mine, kept = len(own), np.array([one.keep for one in own])
    before = _passes(base, [one.document for one in own], level=level)
    passed = {key: _held_out(scored, folds, adapted, covered=covered, level=key)[:mine] for key in KEEP}
    after = passed[level]
    figures = _compared(own, before, after)
    card = _card(base, adapted, scored, name=name, covered=covered)
    choices = {key: (_choice(passed[key], kept),) for key in KEEP}
    shown = {f"{one.name}: {what}": round(e.value, 4) for one in figures for what, e in _named(one) if e is not None}
    path = folder / f"{name}{quality.SUFFIX}"
    card = _written(path, card.model_copy(update={"choices": choices, "figures": shown}), adapted)
    crossed, looked = _crossed(out, base, model_files.load_readers(path), level=level, seed=seed)
    made = Trained(
        path=path,
        card=card,
        level=level,
        corrected=adapted.corrected,
        by_site=by_site,
        figures=figures,
        crossed=crossed,
        looked_at=looked,
        reviewed_crossings=(_of(~before & after, kept), _of(before & ~after, ~kept)),
        found=found,
        judged_by_model=len(others),
        notes=_notes(adapted, own, by_site=by_site),
    )
    _write_page(made)
    return made


def _write_page(made: Trained) -> None:
    path = made.path.with_suffix(".md")
    try:
        path.write_text(page(made), "utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def enough(own: Sequence[Reviewed], others: Sequence[Reviewed], out: Store) -> None:
    """Raises InputError, with how many are missing and how to get them."""
    keep = sum(one.keep for one in own)
    drop = len(own) - keep
    missing = max(LEAST - len(own) - len(others), LEAST_EACH - keep, LEAST_EACH - drop, 0)
    if not missing:
        return
    more = f" and {numbers.counted(len(others), 'judgement')} of a model" if others else ""
    have = f"{numbers.counted(len(own), 'review')} can be used, {keep} to keep and {drop} to drop{more}"
    command = f"winnow inspect --output {shlex.quote(str(out.root))} review -n {len(own) + missing}"
    raise InputError(
        f"{out.root}: {have}; needed are {LEAST} in all, and {LEAST_EACH} reviews of each: review at least {missing} more"
        f" (`{command}`; `--reason REASON` finds more of one kind), or"
        " have a model judge the rest (`winnow train judge`)"
    )


def languages(base: Readers, own: Sequence[str]) -> tuple[str, ...]:
    """Where the model may drop: in languages of which enough was reviewed, and in those of the shipped model that some was of."""
    counts = Counter(own)
    found = {
        code for code, n in counts.items() if code != "und" and (n >= readers_card.MIN_JUDGED or code in base.card.languages)
    }
    if not found:
        said = ", ".join(f"{code} {n}" for code, n in counts.most_common(5))
        raise InputError(
            f"no language has {readers_card.MIN_JUDGED} reviews ({said}): the model would drop nothing; review more documents of"
            " the language that matters"
        )
    return tuple(sorted(found))


def _folds(every: Sequence[Reviewed]) -> tuple[np.ndarray, bool]:
    """By site; by document where sites are few, or where without one fold's too little of a class would be left."""
    sites, places = [one.document.site for one in every], [str(one.document.place) for one in every]
    folds, by_site = adapt.groups(sites, places)
    keep = np.array([one.keep for one in every])
    left = [min(keep[folds != k].sum(), (~keep[folds != k]).sum()) for k in np.unique(folds)]
    if by_site and (len(left) < 2 or min(left) < LEAST_EACH // 2):
        return adapt.groups(["one"], places)[0], False
    return folds, by_site


def _examples(every: Sequence[Reviewed], folds: np.ndarray) -> Examples:
    features, rows = readers.seen([one.document.text for one in every])
    keep = np.array([one.keep for one in every])
    trust = np.array([one.trust for one in every])
    return Examples(features=features, rows=rows, keep=keep, target=keep.astype(float), weight=trust, fold=folds)


def _as_judged(one: Reviewed) -> Judged:
    """`apart`: what a model judged, of which no limit is made."""
    place, site = str(one.document.place), one.document.site
    part: Part = "train" if one.trust == 1 else "apart"
    return Judged(id=place, text="", score=0, keep=one.keep, problem="", source="", site=site, part=part)


def _card(base: Readers, adapted: Adapted, scored: readers_card.Scored, *, name: str, covered: tuple[str, ...]) -> Card:
    lost = readers_card.LOST
    limits = {key: readers_card.limits(scored, adapted.held_out, covered=covered, lost=lost[key]) for key in KEEP}
    changes = {"name": name, "bias": adapted.fitted.bias, "calibration": adapted.calibration}
    return base.card.model_copy(update={**changes, "languages": covered, "keep": limits, "choices": {}, "figures": {}})


def _held_out(
    scored: readers_card.Scored, folds: np.ndarray, adapted: Adapted, *, covered: Sequence[str], level: Level
) -> np.ndarray:
    """bool[n]: what the setting keeps, by limits that come from other folds."""
    kept = np.empty(len(folds), bool)
    for fold in np.unique(folds):
        inside, other = folds == fold, np.flatnonzero(folds != fold).tolist()
        part = readers_card.Scored(
            documents=[scored.documents[k] for k in other], language=scored.language[other], logit=scored.logit[other]
        )
        limit = readers_card.limits(part, adapted.held_out[other], covered=covered, lost=readers_card.LOST[level])
        kept[inside] = readers_card.passes(limit, scored.language[inside], adapted.held_out[inside])
    return kept


def _passes(model: Readers, documents: Sequence[Text], *, level: Level) -> np.ndarray:
    p = _probability(model, documents)
    return readers_card.passes(model.card.keep[level], np.array([one.language for one in documents]), p)


def _probability(model: Readers, documents: Sequence[Text]) -> np.ndarray:
    return model.scores(*buffers.views(pa.array([one.text for one in documents], pa.large_string())))[0]


def _compared(own: Sequence[Reviewed], before: np.ndarray, after: np.ndarray) -> list[Figures]:
    every, drawn_ones = np.ones(len(own)), np.array([one.weight for one in own])
    groups = (("all reviews", every), ("drawn at random, weighted", drawn_ones))
    return [
        _figures(f"{when}, {name}", passed, own, weights=weights)
        for name, weights in groups
        for when, passed in (("before", before), ("after", after))
    ]


def _figures(name: str, passed: np.ndarray, own: Sequence[Reviewed], *, weights: np.ndarray) -> Figures:
    keep = np.array([one.keep for one in own])

    def share(hits: np.ndarray, rows: np.ndarray) -> Estimate | None:
        rows = rows & (weights > 0)
        return interval.weighted_share(hits[rows].tolist(), weights[rows].tolist())

    n = int((weights > 0).sum())
    return Figures(name=name, n=n, precision=share(keep, passed), recall=share(passed, keep), dropped=share(~passed, ~keep))


def _of(rows: np.ndarray, right: np.ndarray) -> tuple[int, int]:
    return int(rows.sum()), int((rows & right).sum())


def _named(one: Figures) -> tuple[tuple[str, Estimate | None], ...]:
    return ("precision", one.precision), ("recall", one.recall), ("dropped", one.dropped)


def _choice(passed: np.ndarray, keep: np.ndarray) -> Choice:
    return Choice(
        group="all",
        kept=(int((passed & keep).sum()), int(keep.sum())),
        dropped=(int((~passed & ~keep).sum()), int((~keep).sum())),
    )


def _written(path: Path, card: Card, adapted: Adapted) -> Card:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = model_files.write(path, words=adapted.fitted.words, made=adapted.fitted.trees)
        card = card.model_copy(update={"sha256": digest})
        path.with_suffix(".json").write_text(json.dumps(card.model_dump(), indent=1, sort_keys=True) + "\n", "utf-8")
    except OSError as error:
        raise OutputError(f"{error.filename or path}: cannot be written: {error.strerror or error}") from error
    return card


def _crossed(out: Store, base: Readers, made: Readers, *, level: Level, seed: int) -> tuple[list[Crossing], int]:
    """Of a sample of the output what is judged otherwise, the largest changes first; and how many were looked at."""
    documents = drawn(out, n=SAMPLE, seed=seed)
    was, now = (_passes(model, documents, level=level) for model in (base, made))
    p, q = (_probability(model, documents) for model in (base, made))
    order = sorted(np.flatnonzero(was != now), key=lambda k: (-abs(float(q[k]) - float(p[k])), documents[k].place))
    return [Crossing(documents[k].place[1], bool(now[k]), float(p[k]), float(q[k])) for k in order], len(documents)


def drawn(out: Store, *, n: int, seed: int) -> list[Text]:
    """A sample of the documents whose text the output holds and that are no copies: those of the smallest hashes."""
    places = [(generation, ref) for generation, ref, _ in reviewed.places_of(out).iter_rows()]
    chosen = sorted(places, key=lambda place: examples.hashed(seed, f"{place[0]} {place[1]}"))[:n]
    return sorted(reviewed.texts_of(out, chosen), key=lambda one: examples.hashed(seed, f"{one.place[0]} {one.place[1]}"))


def _notes(adapted: Adapted, own: Sequence[Reviewed], *, by_site: bool) -> list[str]:
    notes = []
    if not adapted.corrected:
        notes.append(
            "your reviews predict each other no better than the shipped model does: its weights stay, and its calibration and"
            " limits alone are yours"
        )
    if not by_site:
        notes.append("there are too few sites to hold sites out: figures hold out documents, and may be too good")
    if not any(one.weight for one in own):
        notes.append(
            "no review was drawn at random, so nothing here says how often the filter is right in your corpus: `review --order"
            " random` finds out"
        )
    return notes


def page(made: Trained) -> str:
    """The card that a person reads, as Markdown."""
    keep = sum(one.keep for one in made.found.examples)
    used = len(made.found.examples)
    pieces = [
        f"# {made.card.name}",
        "The shipped model of what careful readers keep, adapted to the reviews of one output; written by `python -m flows.train"
        " quality --reviews`, read by `filters/models/readers.py`. Score: the probability that who reviewed it keeps the text.",
        "## Data",
        f"{used:,} reviews, {keep:,} to keep and {used - keep:,} to drop"
        + (f"; {made.judged_by_model:,} judgements of a model, at half the weight" if made.judged_by_model else "")
        + ". What the shipped model knows comes from its own judgements and sources"
        " (`filters/model_files/quality_readers.md`). The files hold hashes and counts of words, no text; of a word of fewer"
        " than 5 reviewed documents nothing is learnt. The rights to the reviewed texts are yours to know.",
        "\n".join(f"- left out: {n:,} {cause}" for cause, n in made.found.left_out.items()),
        "## Figures",
        f"At `keep: {made.level}`, on reviews alone, each by a model and a limit that have not seen its"
        f" {'site' if made.by_site else 'document'}. Brackets: 95 % intervals (Wilson).",
        "\n".join(markdown.table(*figures_rows(made.figures))),
        f"Languages in which it may drop: {', '.join(made.card.languages)}.",
        "## Limits",
        "\n".join(f"- {note}" for note in [*made.notes, "quality_expected is the score that the shipped model's readers give."]),
    ]
    return "\n\n".join(piece for piece in pieces if piece) + "\n"


def figures_rows(figures: Sequence[Figures]) -> tuple[Sequence[str], list[Sequence[str]]]:
    """The head of a table, and its rows."""
    head = ("reviews", ">number", ">precision", ">recall", ">dropped of what you drop")
    rows: list[Sequence[str]] = [
        (one.name, numbers.count(one.n), *("-" if e is None else str(e) for _, e in _named(one))) for one in figures if one.n
    ]
    return head, rows
