"""From a fitted model to its files: calibration, limits of `keep`, figures on the test part, NAME.npz, NAME.json and NAME.md.

Invariant: what is fitted here comes from the parts `train` and `calibrate`, what is said about it from `test` and `apart` alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from filters import language
from filters.contract import TextBatch
from filters.models import readers as model_files
from filters.models.readers import HIGHEST, KEEP, Card, Choice, Level, Limits
from pipeline.errors import OutputError
from pipeline.records import interval
from pipeline.text import markdown
from pipeline.training import calibrate, judged, metrics, words
from pipeline.training.examples import InputRecord
from pipeline.training.judged import Judged, Part
from pipeline.training.recipes import readers

FITTING: tuple[Part, ...] = ("train", "calibrate")
"""Parts that weights are fitted on; calibration and limits too, by models that have not seen the site. A part of its own for
calibration would cost a tenth of the documents, of which there are too few: twice as many raise the AUC by a hundredth or two."""
MIN_JUDGED = 60
"""Fewest judged documents of a language in which the model may drop."""
MIN_TEST = 30
"""Fewest documents of a group that has figures of its own."""
LOST: dict[Level, float] = {"lenient": 0.03, "balanced": 0.05, "strict": 0.18}
"""Share of what readers keep that each setting may lose, on documents that its model has not seen. On sites that the limits have
not seen either 0.05 loses 5.3 %, and with the default plan's rules 6.5 %, by cross-validation: a limit that keeps 92 % there with
some room for other documents. 0.06 would lose 7.3 % with the rules and drop 2.6 points more."""
OWN = 10
"""A language's own limit counts as much as everybody's with so many kept documents: chosen, so that a handful do not decide."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Decided documents, with the logits of models that have not seen them."""

    documents: Sequence[Judged]
    language: np.ndarray
    logit: np.ndarray

    @property
    def keep(self) -> np.ndarray:
        return np.array([bool(document.keep) for document in self.documents])

    def inside(self, *parts: str) -> np.ndarray:
        return np.array([document.part in parts for document in self.documents])


@dataclass(frozen=True)
class Made:
    """The model's path and description, and the files that it was made from."""

    path: Path
    card: Card
    records: list[InputRecord]


def make(data: Path, folder: Path, *, name: str) -> Made:
    """Train, calibrate, measure and write. Raises InputError, UsageError, OutputError."""
    documents, records = judged.load(data)
    documents = [document for document in documents if document.keep is not None]
    others, read = readers.sources(data)
    every = readers.examples_of(documents)
    training = np.flatnonzero([document.part in FITTING for document in documents])
    fitted = readers.fit(readers.together(every.take(training), others))
    logit = fitted.logits(every)
    logit[training] = readers.out_of_site(every.take(training), others)
    scored = Scored(documents=documents, language=languages([d.text for d in documents]), logit=logit)
    path = folder / f"{name}.npz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        digest = model_files.write(path, words=fitted.words, made=fitted.trees)
        card = described(scored, name=name, sha256=digest, bias=fitted.bias)
        path.with_suffix(".json").write_text(json.dumps(card.model_dump(), indent=1, sort_keys=True) + "\n", "utf-8")
        path.with_suffix(".md").write_text(page(card, [*records, *read], scored), "utf-8")
    except OSError as error:
        raise OutputError(f"{error.filename or folder}: cannot be written: {error.strerror or error}") from error
    return Made(path, card, [*records, *read])


def languages(texts: Sequence[str]) -> np.ndarray:
    """The language of each text, as the language filter says it."""
    params = language.Params()
    needed = pa.RecordBatch.from_arrays([], names=[])
    found = language.annotate(TextBatch(pa.array(texts, pa.large_string())), needed, params, language.load(params))
    return np.array(found["language"].to_pylist())


def described(scored: Scored, *, name: str, sha256: str, bias: float) -> Card:
    """Calibration and limits from `train` and `calibrate`, figures from the rest."""
    fitting = scored.inside(*FITTING)
    covered = tuple(sorted(code for code, n in Counter(scored.language.tolist()).items() if n >= MIN_JUDGED and code != "und"))
    platt = calibrate.platt(scored.logit[fitting], scored.keep[fitting])
    scores = np.array([document.score for document in scored.documents], float)
    card = Card(
        name=name,
        sha256=sha256,
        features=tuple(model_files.FEATURES),
        sample_bytes=readers.SAMPLE_BYTES,
        bias=bias,
        calibration=platt,
        expected=calibrate.isotonic(scored.logit[fitting], scores[fitting] / HIGHEST),
        languages=covered,
        keep={},
        choices={},
    )
    p = calibrate.probabilities(platt, scored.logit)
    card = card.model_copy(update={"keep": {key: limits(scored, p, covered=covered, lost=LOST[key]) for key in KEEP}})
    return card.model_copy(update={"choices": choices(scored, p, card), "figures": figures(scored, p)})


def limits(scored: Scored, p: np.ndarray, *, covered: Sequence[str], lost: float) -> Limits:
    """The probability below which `lost` of what readers keep lies: over all covered languages, and between that and its own for
    each language, the more its own the more kept documents it has."""
    kept = scored.inside(*FITTING) & scored.keep
    common = float(np.quantile(p[kept & np.isin(scored.language, covered)], lost))
    own = {}
    for code in covered:
        inside = p[kept & (scored.language == code)]
        share = len(inside) / (len(inside) + OWN)
        own[code] = round(share * float(np.quantile(inside, lost)) + (1 - share) * common, 4) if len(inside) else round(common, 4)
    return Limits(score=round(common, 4), by_language=own)


def passes(limit: Limits, language_: np.ndarray, p: np.ndarray) -> np.ndarray:
    """bool[n]: which documents the setting keeps, as the filter judges them."""
    least = np.array([limit.by_language.get(code, 0.0) for code in language_], np.float32)
    kept: np.ndarray = p.astype(np.float32) >= least
    return kept


def groups(scored: Scored, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The rows: all of them, and by language where there are enough."""
    found = {"all": rows}
    for code, n in Counter(scored.language[rows].tolist()).most_common():
        if n >= MIN_TEST:
            found[code] = rows & (scored.language == code)
    return found


def choices(scored: Scored, p: np.ndarray, card: Card) -> dict[Level, tuple[Choice, ...]]:
    """What each setting keeps of the test part."""
    made: dict[Level, tuple[Choice, ...]] = {}
    for key in KEEP:
        kept = passes(card.keep[key], scored.language, p)
        made[key] = tuple(
            Choice(
                group=name,
                kept=(int((kept & rows & scored.keep).sum()), int((rows & scored.keep).sum())),
                dropped=(int((~kept & rows & ~scored.keep).sum()), int((rows & ~scored.keep).sum())),
            )
            for name, rows in groups(scored, scored.inside("test")).items()
        )
    return made


def figures(scored: Scored, p: np.ndarray) -> dict[str, float]:
    """ROC AUC and calibration error on documents of sites that the model has not seen."""
    test = scored.inside("test")
    found = {"test calibration error": metrics.calibration_error(p[test], scored.keep[test])}
    for name, rows in [*groups(scored, test).items(), ("apart", scored.inside("apart"))]:
        auc = metrics.auc(scored.logit[rows], scored.keep[rows])
        if auc is not None:
            found[f"{name} ROC AUC"] = auc.value
    return {name: round(value, 4) for name, value in found.items()}


def page(card: Card, records: Sequence[InputRecord], scored: Scored) -> str:
    """The card that a person reads, as Markdown."""
    parts = Counter((d.part, bool(d.keep)) for d in scored.documents)
    counted = ", ".join(
        f"{part} {parts[part, True]:,} + {parts[part, False]:,}" for part in ("train", "calibrate", "test", "apart")
    )
    licences = [f"{source.file}: {source.licence}" for source in readers.SOURCES]
    files = markdown.table(("file", ">documents", "sha256"), [(r.path, f"{r.documents:,}", r.sha256) for r in records])
    rows = [
        (key, choice.group, _share(choice.kept), _share(choice.dropped)) for key in KEEP for choice in card.choices[key]
    ]  # fmt: skip
    table = markdown.table(("keep", "documents", ">kept of what readers keep", ">dropped of what they drop"), rows)
    auc = [(name, f"{value:.3f}") for name, value in card.figures.items()]
    pieces = [
        f"# {card.name}",
        "Words by hash and boosted trees over the shape of a text, for all languages; written by `python -m flows.train`, read by"
        " `filters/models/readers.py`. Score: the probability that a careful reader keeps the document.",
        "## Data",
        f"Web pages, {sum(1 for _ in judged.labels()):,} of them read and judged (`pipeline/training/judgements`: guide,"
        " agreement, no text). Public web text trains these weights; archives of mail, courts and public records do not. Beside"
        " them, what is good or not by its source:",
        "\n".join(f"- {line}" for line in dict.fromkeys(licences)),
        f"Kept + dropped documents, by site: {counted}. The files hold hashes and counts of words, no text; a word of fewer than"
        f" {words.MIN_DOCUMENTS} documents weighs nothing.",
        "\n".join(files),
        "## Figures",
        "On the test part, whose sites nothing was fitted on (`apart`: the archives). Brackets: 95 % intervals (Wilson).",
        "\n".join(markdown.table(("documents", ">figure"), auc)),
        "\n".join(table),
        f"Languages in which it may drop, those with {MIN_JUDGED} judged documents: {', '.join(card.languages)}. Elsewhere it"
        " annotates.",
        "## Limits",
        LIMITS,
        "## Making it again",
        f"`python -m flows.train {card.name} --recipe readers --data DATA --output DIR`, with LightGBM as `pip install"
        f" winnow-curation[train]` brings it, gives the same bytes; sha256 {card.sha256}.",
    ]
    return "\n\n".join(pieces) + "\n"


def _share(count: tuple[int, int]) -> str:
    found = interval.share(*count) if count[1] else None
    return "-" if found is None else f"{found} of {count[1]}"


LIMITS = """Readers were language models that read each document; they agree with each other on 96.1 % of decisions (kappa .92).
Of the documents that it was tuned on, each by models that had not seen its site, these are among the worst mistakes.
Dropped, and readers keep them:

- a poem of protest without full stops, among a newspaper's press releases
- a law firm's page that explains what damages cover
- a Chinese article on the Roman law of damages, its lines broken as in print
- Turkish advice on passwords for social networks, from a blog
- Persian news on what a telephone costs to make

Kept, and readers drop them:

- an Indonesian football report and a French article on gut flora, both translated by a machine
- English news in which a machine turned every other word into a synonym
- a Turkish page of news teasers, each cut in the middle and run into the next
- a page of questions and answers about driving, collected by a machine from elsewhere
- a thoughtful mail to a thread that breaks off in the middle

Of a good text with a bad one beside it (`mixed`) it drops one in six, of machine-translated pages not half: they have the form of
prose. In Chinese it ranks worst, and loses more of what readers keep than elsewhere."""
