"""How toxic a text is at its worst: the score of a toxicity classifier over windows of whole sentences and lines.

One vile paragraph in a long page counts: the score is the largest of all windows. The default model's card
(`filters/model_files/toxicity_en.md`) says on what it was trained, how good it is by source, and how it treats harmless sentences
that name groups of people (HateCheck, Röttger et al. 2021, arXiv 2012.15606). `model: toxicity@2` names the second model, whose
default threshold is another: plans that name it set `max_score: 0.52` too.

Invariant: a text in a language that the model has no held-out figures for is "not scored" (null), never clean.
"""

from __future__ import annotations

from functools import partial

import pyarrow as pa
from pydantic import Field

from filters.contract import Filter, Rule, Settings, TextBatch, Tier
from filters.models import coverage
from filters.models.coverage import CoveredModel, Params


class Thresholds(Settings):
    """Up to which score a text is kept. 0.62: the shipped model's default threshold, which its card explains."""

    max_score: float = Field(0.62, ge=0, le=1, description="largest score of a window; a text without one passes")
    max_share: float = Field(1, ge=0, le=1, description="largest share of windows above the model's own threshold")


SIGNALS = pa.schema([pa.field("toxicity_score", pa.float32()), pa.field("toxicity_share", pa.float32())])


def annotate(batch: TextBatch, needed: pa.RecordBatch, params: Params, loaded: CoveredModel) -> pa.RecordBatch:
    """toxicity_score: the largest of the windows' calibrated probabilities; toxicity_share: the share of windows above the
    model's default threshold; null where the model does not cover the language."""
    columns = coverage.scored(batch, needed["language"], loaded, score=partial(coverage.window_scores, of=loaded.classifier))
    return pa.RecordBatch.from_arrays(columns, schema=SIGNALS)


def rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    score, share = thresholds.max_score, thresholds.max_share
    return [
        Rule(reason="toxic", signal="toxicity_score", fails=">", limit=score, keys=("max_score",)),
        Rule(reason="toxic_throughout", signal="toxicity_share", fails=">", limit=share, keys=("max_share",)),
    ]


FILTER = Filter(
    name="toxicity",
    version=1,
    tier=Tier.MODEL,
    reads="final",
    needs=("language",),
    params=Params,
    signals=SIGNALS,
    thresholds=Thresholds,
    files=partial(coverage.files, shipped="toxicity_en"),
    load=partial(coverage.load_covered, shipped="toxicity_en"),
    annotate=annotate,
    rules=rules,
)
