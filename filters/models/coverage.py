"""What the filters of the model tier share: which model a plan means, and which rows it is asked for.

Invariant: a row in a language that the model does not cover gets null, and nothing drops it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from filters.contract import Settings, TextBatch
from filters.models import ModelError, classifier, eldc, labels, places
from filters.models.classifier import Classifier

_LANGUAGE = re.compile("[a-z]{2,3}")
SHIPPED = Path(__file__).parent.parent / "model_files"
READERS = "readers"
"""The name of the model of what readers keep, which is no fastText classifier."""


class Params(Settings):
    """Plan keys of a model filter that its scores depend on."""

    model: str | None = Field(
        None,
        description="a fastText classifier (.ftz or .bin), a path or hf://ORG/NAME/FILE, or a model that Winnow ships, by name"
        " (such as toxicity@2); null: the first that it shipped",
    )
    label: str | None = Field(None, description="label whose probability is the score; null: the one that the model's card names")
    languages: Literal["model", "all"] | tuple[str, ...] = Field(
        "model", description="languages to score: model (those it has held-out figures for; without a card: all), all, or a list"
    )

    @field_validator("languages")
    @classmethod
    def _sorted(cls, languages: Literal["model", "all"] | tuple[str, ...]) -> Literal["model", "all"] | tuple[str, ...]:
        """Sorted and unique, so that plans which mean the same have the same recipe."""
        if not languages:
            raise ValueError("names no language, so that nothing would be scored; list languages, or switch the filter off")
        if isinstance(languages, str):
            return languages
        meant = [labels.split(labels.understood(code))[0] for code in languages]
        if odd := [code for code in meant if not _LANGUAGE.fullmatch(code)]:
            raise ValueError(f"{', '.join(odd)}: not a language code; write codes such as en, eng or ceb")
        return tuple(sorted(set(meant)))


@dataclass(frozen=True)
class CoveredModel:
    """A classifier, and the languages to score (None: every row, also those of unknown language)."""

    classifier: Classifier
    languages: frozenset[str] | None


_NAME = re.compile(r"[a-z_]+(@[0-9]+)?")
"""A name of a model that Winnow ships; a path has a suffix, or a folder before it."""


def path_of(params: Params, *, shipped: str) -> Path:
    """The model's file: what the plan names, or the one of the name `shipped` that Winnow ships."""
    name = shipped if params.model is None else params.model
    if _NAME.fullmatch(name):
        named = [path for suffix in (".ftz", ".bin") if (path := SHIPPED / f"{name}{suffix}").is_file()]
        if named:
            return named[0]
    return places.find_model_file(name)


def shipped_names() -> list[str]:
    """The names of the classifiers that Winnow ships."""
    return sorted(path.stem for path in SHIPPED.iterdir() if path.suffix in (".ftz", ".bin"))


def is_name(model: str) -> bool:
    """Whether a plan's `model` is a name that Winnow knows, and no path."""
    return model in (READERS, eldc.NAME) or model in shipped_names()


def files(params: Params, *, shipped: str) -> tuple[Path, ...]:
    """The model's file and its sidecar, if it has one. Raises ModelError if the model is not there."""
    path = path_of(params, shipped=shipped)
    places.fetch_beside(params.model or "", ".json")
    if not path.is_file():
        raise ModelError(
            f"{path}: no such file; `model` is the path of a fastText classifier (.ftz or .bin), or one that Winnow ships:"
            f" {', '.join(shipped_names())}"
        )
    beside = classifier.sidecar_path(path)
    return (path, beside) if beside.is_file() else (path,)


def load_covered(params: Params, *, shipped: str) -> CoveredModel:
    """Raises ModelError as `load_classifier` does, and for listed languages that the model's card has no figures for."""
    path = path_of(params, shipped=shipped)
    found = classifier.load_classifier(path, label=params.label)
    known = frozenset(found.languages)
    if params.languages == "all" or (params.languages == "model" and not known):
        return CoveredModel(found, None)
    if params.languages == "model":
        return CoveredModel(found, known)
    listed = {code: labels.names(code)[0] for code in params.languages}
    unknown = [code for code, names in listed.items() if known and not names & known]
    if unknown:
        raise ModelError(
            f"{path}: `languages` lists {', '.join(unknown)}, and the model's card has held-out figures for"
            f" {', '.join(sorted(known))} only; train a model with `winnow train`, or write languages: all to use it"
            " anyway"
        )
    return CoveredModel(found, frozenset().union(*listed.values()))


def scored(
    batch: TextBatch,
    language: pa.Array,
    loaded: CoveredModel,
    *,
    score: Callable[[TextBatch], tuple[np.ndarray, ...]],
) -> list[pa.Array]:
    """The columns that `score` gives, float32[n] each, for the rows that the model covers; null elsewhere."""
    n = len(batch)
    covered = np.ones(n, bool)
    if loaded.languages is not None:
        inside = pc.is_in(language, value_set=pa.array(sorted(loaded.languages), pa.string()))
        covered = inside.to_numpy(zero_copy_only=False).astype(bool)
    columns = []
    for values in score(batch.part(covered)):
        column = np.zeros(n, np.float32)
        column[covered] = values
        columns.append(pa.array(column, mask=~covered))
    return columns


def window_scores(batch: TextBatch, *, of: Classifier) -> tuple[np.ndarray, np.ndarray]:
    """`Classifier.window_scores`; windows are cut and their words hashed once for all models that have windows of this size."""
    return of.window_scores(batch.windows(of.text.window_words))
