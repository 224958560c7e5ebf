"""How much a text is worth keeping: the score of a quality classifier.

`model: readers` (or one's own of that kind) is for all languages: the probability that a careful reader keeps the text, learnt
from web documents that were read and judged; its card (`filters/model_files/quality_readers.md`) says how good it is, and
where it is not. `keep` chooses how much of what readers keep may be lost. Without `model` it is the English model of the first
presets, books and manuals against spam and menus (`quality_en.md`). Any fastText classifier takes its place, such as DCLM's
`fasttext-oh-eli5` (Li et al. 2024, arXiv 2406.11794, section 4.4), or one that `python -m flows.train` made.

Invariant: no score drops anything in a language that the model has no figures for: a fastText model does not score it (null),
`readers` scores it and has no limit there.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import Field, model_validator

from filters.contract import Among, ByRow, Filter, Rule, Settings, TextBatch, Tier, Weighed
from filters.models import ModelError, coverage, labels, places, readers
from filters.models.coverage import READERS, CoveredModel
from filters.models.readers import Readers

SUFFIX = ".npz"
"""Of a model of the same kind that `python -m flows.train quality --reviews` made."""
PATH = coverage.SHIPPED / "quality_readers.npz"


class Params(coverage.Params):
    """The plan keys that scores depend on."""

    model: str | None = Field(
        None,
        description="readers: what readers keep, in all languages; or a path or hf://ORG/NAME/FILE of such a model of one's own"
        " (.npz) or of a fastText classifier (.ftz or .bin); or a model that Winnow ships, by name; null: the English one of"
        " default@1",
    )


class Thresholds(Settings):
    """From which score on a text is kept: the stricter of the two."""

    min_score: float = Field(0.2, ge=0, le=1, description="smallest score; a text without one passes")
    keep: Literal["lenient", "balanced", "strict"] | None = Field(
        None,
        description="of model readers, how much to keep: lenient, balanced or strict limits by language, as `--explain` tells;"
        " null: min_score alone",
    )

    max_short_lines: float | None = Field(
        None,
        ge=0,
        le=1,
        description="of model readers, largest share of characters in lines of up to five words, in every language; null: off",
    )

    @model_validator(mode="after")
    def _keep_is_for_readers(self) -> Thresholds:
        """In a plan both parts stand together."""
        if self.keep is not None and not of_readers(getattr(self, "model", READERS)):
            raise ValueError(
                f"keep: {self.keep} is for model: readers, or an .npz of its kind; else write keep: null and min_score"
            )
        return self


SIGNALS = pa.schema(
    [pa.field(name, pa.float32()) for name in ("quality_score", "quality_expected", "quality_short_lines")],
)


def of_readers(model: str | None) -> bool:
    """Whether a model is one of what readers keep: ours, or one's own."""
    return model is not None and (model == READERS or model.endswith(SUFFIX))


def path_of(params: Params) -> Path:
    """Where the model of what readers keep lies."""
    if params.model in (None, READERS):
        return PATH
    places.fetch_beside(params.model, ".json")
    return places.find_model_file(params.model)


def files(params: Params) -> tuple[Path, ...]:
    """The files of the model. Raises ModelError if they are not there."""
    if not of_readers(params.model):
        return coverage.files(params, shipped="quality_en")
    path = path_of(params)
    for found in (path, path.with_suffix(".json")):
        if not found.is_file():
            raise ModelError(f"{found}: no such file; `winnow train quality --reviews OUT` writes both")
    return path, path.with_suffix(".json")


def load(params: Params) -> Readers | CoveredModel:
    """Raises ModelError: missing, damaged, or languages that the model's card has no figures for."""
    if of_readers(params.model):
        return readers.load_readers(path_of(params))
    return coverage.load_covered(params, shipped="quality_en")


def annotate(batch: TextBatch, needed: pa.RecordBatch, params: Params, loaded: Readers | CoveredModel) -> pa.RecordBatch:
    """quality_score: the model's calibrated probability, of long texts by a sample; of a fastText model null where it does not
    cover the language. quality_expected: the score of 0 to 5 that readers give such a text on average. quality_short_lines: the
    share of its characters in lines of up to five words (two characters of a script without spaces count as one). The latter two
    are null of other models."""
    if isinstance(loaded, Readers):
        columns = [pa.array(column) for column in loaded.scores(*batch.buffers)]
    else:
        columns = coverage.scored(batch, needed["language"], loaded, score=lambda part: (loaded.classifier.texts(*part.buffers),))
        columns += [pa.nulls(len(batch), pa.float32())] * 2
    return pa.RecordBatch.from_arrays(columns, schema=SIGNALS)


def card(params: Params | None = None) -> readers.Card:
    """What a model of what readers keep says of itself; the shipped one by default. Raises ModelError."""
    path = PATH if params is None else files(params)[0]
    return _card(path, path.with_suffix(".json").stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _card(path: Path, written: int) -> readers.Card:
    return readers.load_card(path)


def rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    limit: float | ByRow = thresholds.min_score
    if of_readers(params.model):
        limit = _limits(params, thresholds)
    most = thresholds.max_short_lines
    return [
        Rule(reason="low_quality", signal="quality_score", fails="<", limit=limit, keys=("min_score", "keep")),
        Rule(reason="too_much_in_short_lines", signal="quality_short_lines", fails=">", limit=most, keys=("max_short_lines",)),
    ]


def _limits(params: Params, thresholds: Thresholds) -> ByRow:
    """By language, none where the model is not to judge."""
    known = card(params)
    chosen = readers.Limits(score=0) if thresholds.keep is None else known.keep[thresholds.keep]
    judged = known.languages if isinstance(params.languages, str) else params.languages
    figures: dict[float, set[str]] = {}
    for code in judged:
        for name in labels.names(code)[0]:
            figures.setdefault(max(chosen.by_language.get(name, chosen.score), thresholds.min_score), set()).add(name)
    if isinstance(params.languages, str):  # what is in no language (code, numbers) was judged as what lid.176 took it for
        figures.setdefault(max(chosen.score, thresholds.min_score), set()).add("zxx")
    common = max(chosen.score, thresholds.min_score) if params.languages == "all" else None
    return ByRow(tuple((Among("language", tuple(sorted(names))), least) for least, names in sorted(figures.items())), common)


def weigh(batch: TextBatch, loaded: Readers | CoveredModel) -> list[list[Weighed]]:
    """For each text the five features that weighed most in its logit; none of a fastText model."""
    if not isinstance(loaded, Readers):
        return [[] for _ in range(len(batch))]
    return [[Weighed(*one) for one in row] for row in loaded.weighed(*batch.buffers)]


FILTER = Filter(
    name="quality",
    version=2,
    tier=Tier.MODEL,
    reads="final",
    needs=("language",),
    params=Params,
    signals=SIGNALS,
    thresholds=Thresholds,
    files=files,
    load=load,
    annotate=annotate,
    weigh=weigh,
    rules=rules,
)
