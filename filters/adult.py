"""How much a text reads like sexual advertising at its most: the score of a classifier over windows of whole sentences and lines.

Galleries, escorts, chat and dating offers, keyword text: a class of its own, which a toxicity model neither finds nor should. The
model's card (`filters/model_files/adult@1.md`) says on what it was trained, how good it is by language, and what it gets wrong;
news, medicine and advice about sex are to pass.

Invariant: a text in a language that the model has no held-out figures for is "not scored" (null), and nothing is dropped for it.
"""

from __future__ import annotations

from functools import partial

import pyarrow as pa
from pydantic import Field

from filters.contract import Filter, Rule, Settings, TextBatch, Tier
from filters.models import coverage
from filters.models.coverage import CoveredModel, Params

SHIPPED = "adult@1"


class Thresholds(Settings):
    """Up to which score a text is kept. 0.8: the shipped model's default threshold, which its card explains."""

    max_score: float = Field(0.8, ge=0, le=1, description="largest score of a window; a text without one passes")


SIGNALS = pa.schema([pa.field("adult_score", pa.float32())])


def annotate(batch: TextBatch, needed: pa.RecordBatch, params: Params, loaded: CoveredModel) -> pa.RecordBatch:
    """adult_score: the largest of the windows' calibrated probabilities; null where the model does not cover the language."""
    score = partial(coverage.window_scores, of=loaded.classifier)
    columns = coverage.scored(batch, needed["language"], loaded, score=score)[:1]
    return pa.RecordBatch.from_arrays(columns, schema=SIGNALS)


def rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    return [Rule(reason="adult", signal="adult_score", fails=">", limit=thresholds.max_score, keys=("max_score",))]


FILTER = Filter(
    name="adult",
    version=1,
    tier=Tier.MODEL,
    reads="final",
    needs=("language",),
    params=Params,
    signals=SIGNALS,
    thresholds=Thresholds,
    files=partial(coverage.files, shipped=SHIPPED),
    load=partial(coverage.load_covered, shipped=SHIPPED),
    annotate=annotate,
    rules=rules,
)
