"""exports.json of an export."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from pipeline.export import documents
from pipeline.export.content import Content
from pipeline.export.mix import Share, Wanted
from pipeline.export.prepared import Prepared
from pipeline.output import manifest
from pipeline.records.exports_json import (
    SCHEMA_VERSION,
    Contribution,
    ExportedFile,
    ExportedOutput,
    ExportedShard,
    ExportedTokenizer,
    ExportRecipe,
    Exports,
    MixRecipe,
)


def recipe(prepared: Prepared) -> ExportRecipe:
    request = prepared.request
    return ExportRecipe(
        format=prepared.kind.name,
        seed=request.seed,
        shards=request.shards,
        sequence=prepared.sequence if prepared.kind.sequences else None,
        validation=_decimal(request.validation),
        shuffle=documents.SHUFFLE,
        pieces=prepared.sorting.buckets,
        mix=_mix(request.mix),
    )


def _mix(mix: Wanted) -> MixRecipe:
    return MixRecipe(
        by=mix.by if mix.weights else "",
        weights={name: _decimal(weight) for name, weight in mix.weights},
        epochs={name: _decimal(most) for name, most in mix.epochs},
        other_epochs=_decimal(mix.others),
        budget=mix.budget,
    )


def _decimal(value: Fraction) -> str:
    """As people write it: `0.01`. What comes in is a decimal."""
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.9g}"


def tokenizer(content: Content) -> ExportedTokenizer | None:
    made = content.tokenizer
    if made is None:
        return None
    return ExportedTokenizer(
        name=made.name, sha256=made.sha256, vocabulary=made.vocabulary, eos=made.eos, eos_id=made.eos_id, dtype=made.dtype.name
    )


def exports(
    prepared: Prepared,
    shares: Sequence[Share],
    *,
    written: np.ndarray,
    left_out: int,
    ended: int,
    shards: Sequence[ExportedShard],
    files: Sequence[ExportedFile],
) -> Exports:
    """`written`: documents and sizes of each group, int64[2, n]."""
    live, total = prepared.output.live, max(1, int(written[1, : len(shares)].sum()))
    return Exports(
        schema_version=SCHEMA_VERSION,
        output=ExportedOutput(
            id=live[-1].output,
            manifest=prepared.newest,
            live=tuple(made.generation for made in live),
            recipe_hash=live[-1].recipe_hash,
        ),
        recipe=recipe(prepared),
        tokenizer=tokenizer(prepared.content),
        unit=prepared.content.unit,
        groups=tuple(
            Contribution(
                group=share.supply.group,
                weight=share.weight,
                documents=share.supply.documents,
                size=share.supply.size,
                most=share.cap,
                target=share.target,
                written=size,
                written_documents=number,
                epochs=size / max(1, share.supply.size),
                share=size / total,
            )
            for share, number, size in zip(shares, written[0].tolist(), written[1].tolist(), strict=False)
        ),
        left_out=left_out,
        ended=ended,
        shards=tuple(shards),
        files=tuple(files),
        versions=manifest.versions(),
    )
