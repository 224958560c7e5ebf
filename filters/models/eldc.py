"""eldc's table of n-grams for 60 languages, from the installed package (`filters.models.eldc_package`), and model_files/eldc.json
(`Card`), which says how sure its answers are and is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from filters.kernels import buffers
from filters.kernels.models import eldc
from filters.models import eldc_package
from filters.models.reader import ModelError

NAME = "eldc"
"""What a plan calls it."""
CARD = Path(__file__).parent.parent / "model_files" / "eldc.json"
ALONE = ("share", "ngrams", "one", "lead", "capped_share")
TOGETHER = ("other_log", "lead", "share", "ngrams", "covered", "none", "none_ngrams", "agreed")
"""Features of the two logistic regressions, in the order of their weights: see `filters.models.languages`."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Weights(_Part):
    """Of features, and of languages by themselves."""

    features: dict[str, float]
    languages: dict[str, float]


class Card(_Part):
    """`table_sha256`: of the file that is made of the package's table. `languages`: in the order of the table's numbers. `alone`:
    how sure the table's answer is; `together`: which of its and lid.176's answers is right. `sure`: from this probability on
    lid.176 is not asked."""

    format: Literal[1] = 1
    table_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    languages: tuple[str, ...] = Field(min_length=eldc_package.LANGUAGES, max_length=eldc_package.LANGUAGES)
    alone: Weights
    together: Weights
    sure: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        known = {*self.alone.languages} <= {*self.languages}
        if not known or tuple(self.alone.features) != ALONE or tuple(self.together.features) != TOGETHER:
            raise ValueError("weights of other features or languages")
        return self


@dataclass(frozen=True, kw_only=True)
class Ngrams:
    """The table in memory. `averages`: what an n-gram of a text in each language says for it on average."""

    card: Card
    averages: np.ndarray
    table: eldc.Table

    def judge(self, data: np.ndarray, spans: np.ndarray) -> eldc.Found:
        """What the n-grams of texts and of their parts say (`filters.kernels.models.eldc.judge`)."""
        n, parts = spans.shape[:2]
        found = eldc.Found(
            sums=np.empty((n, eldc.LANGUAGES), np.float32),
            counts=np.empty((n, parts + 1), np.int32),
            best=np.empty((n, parts + 1, 2), np.int16),
            says=np.empty((n, parts + 1, 2), np.float32),
        )
        eldc.judge(self.table, buffers.frozen(data), spans, eldc.work(spans), found)
        return found


def load_ngrams() -> Ngrams:
    """Read table and card. Raises ModelError: the package is missing or another one, or the card is damaged."""
    card = _card()
    expected = card.table_sha256
    try:
        table, averages = eldc_package.mapped(eldc_package.place(expected), expected)
    except ModelError:  # it is not there, or damaged
        table, averages = eldc_package.mapped(eldc_package.table(expected), expected)
    return Ngrams(card=card, averages=averages, table=table)


def files() -> tuple[Path, Path]:
    """The table, made where it is not there, and the card. Raises ModelError as `load_ngrams` does."""
    return eldc_package.table(_card().table_sha256), CARD


def _card() -> Card:
    try:
        return Card.model_validate_json(CARD.read_bytes())
    except (ValidationError, OSError) as error:
        raise ModelError(f"{CARD}: expected the weights for eldc's table, format 1; {error}; install Winnow again") from error
