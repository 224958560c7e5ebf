"""How much a text reads like what one would choose to learn from: the score of a quality classifier.

The default model is English, trained on books, textbooks, documentation and articles against spam, navigation and scripts; its
card (`filters/model_files/quality_en.md`) says on what, how good it is, and where it is not. Any fastText classifier takes its
place, such as DCLM's `fasttext-oh-eli5` (Li et al. 2024, arXiv 2406.11794, section 4.4), or one that `python -m flows.train`
made.

Invariant: a text in a language that the model has no held-out figures for is not scored (null), and nothing is dropped for it.
"""

from __future__ import annotations

from functools import partial

import pyarrow as pa
from pydantic import Field

from filters.contract import Filter, Rule, Settings, TextBatch, Tier
from filters.models import coverage
from filters.models.coverage import CoveredModel, Params


class Thresholds(Settings):
    """From which score on a text is kept."""

    min_score: float = Field(0.2, ge=0, le=1, description="smallest score; a text without one passes")


SIGNALS = pa.schema([pa.field("quality_score", pa.float32())])


def annotate(batch: TextBatch, needed: pa.RecordBatch, params: Params, loaded: CoveredModel) -> pa.RecordBatch:
    """quality_score: the model's calibrated probability, of long texts by a sample; null where it does not cover the language."""
    columns = coverage.scored(batch, needed["language"], loaded, score=lambda *text: (loaded.classifier.texts(*text),))
    return pa.RecordBatch.from_arrays(columns, schema=SIGNALS)


def rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    return [Rule(reason="low_quality", signal="quality_score", fails="<", limit=thresholds.min_score, keys=("min_score",))]


FILTER = Filter(
    name="quality",
    version=1,
    tier=Tier.MODEL,
    reads="final",
    needs=("language",),
    params=Params,
    signals=SIGNALS,
    thresholds=Thresholds,
    files=partial(coverage.files, shipped="quality_en"),
    load=partial(coverage.load_covered, shipped="quality_en"),
    annotate=annotate,
    rules=rules,
)
