"""Why a model gave a text its score: the features that weighed most, of each filter of the plan that can say it.

A filter is asked only where it scored the document, and of the text that it read: where it reads the source text and an edit
changed that, nothing is said. A weight is of the model of the plan, whose sha256 the recipe holds; no fact is written.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from filters.contract import TextBatch, Weighed
from pipeline.inspect.margins import Measured, worded
from pipeline.plan import recipe
from pipeline.plan.recipe import Recipe


@dataclass(frozen=True)
class Reasons:
    """The features that weighed most in the score of one filter, the heaviest first."""

    filter: str
    features: tuple[Weighed, ...]


def reasons(recipe_: Recipe, made: Measured, text: str, *, edited: bool) -> tuple[Reasons, ...]:
    """`text`: final; `edited`: whether it differs from the source text; `made`: its signals."""
    scored = {name for name, values in made.signals if any(value is not None for value in values.values())}
    found = []
    for item in recipe_.filters:
        weigh = item.filter.weigh
        if weigh is not None and item.filter.name in scored and not (edited and item.reads == "source"):
            (features,) = weigh(TextBatch(pa.array([text], pa.large_string())), recipe.loaded(item))
            if features:
                found.append(Reasons(item.filter.name, tuple(features)))
    return tuple(found)


def worded_weight(one: Weighed) -> str:
    """`+0.41 share of the text in lines of up to 5 words: 0.02`"""
    return f"{one.weight:+.2f} {one.feature}: {worded(one.value)}"
