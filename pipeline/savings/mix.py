"""The arm *same mix*: the baseline's text, resampled by groups to the shares that the judged arm has by source and language.

It tells better text from another mixture: a curation that only drops other languages, or one source, is no better than it.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.savings import corpora

WHAT = "same mix"
LEAST_SHARE = 0.01
"""A source and language with less of the baseline's bytes is put together with the others like it; and where the shares differ by
less than this altogether, the baseline has the mix already."""


def resampled(baseline: pl.DataFrame, judged: pl.DataFrame, *, seed: int) -> pl.DataFrame | None:
    """Whole groups of the baseline; None where it has the judged arm's mix already, or nothing tells its documents apart."""
    cells = _cells(baseline)
    read = _bytes_by_cell(baseline, cells)
    kept = _bytes_by_cell(judged, cells)
    shares = read.join(kept, on="cell", how="left", suffix="_kept").with_columns(pl.col("size_kept").fill_null(0))
    before, after = (shares[name] / max(1, shares[name].sum()) for name in ("size", "size_kept"))
    if float((before - after).abs().sum()) / 2 < LEAST_SHARE:
        return None
    wanted = after / before
    shares = shares.select("cell", part=wanted / wanted.max())
    part = baseline.select("group").join(cells, on="group", how="left", maintain_order="left")
    part = part.join(shares, on="cell", how="left", maintain_order="left")
    chosen = corpora.fractions(baseline["group"].to_numpy(), seed=seed, purpose="mix") < part["part"].to_numpy()
    return baseline.filter(pl.Series(chosen)) if np.any(chosen) else None


def _cells(baseline: pl.DataFrame) -> pl.DataFrame:
    """The cell of each group: the source and language of its first document whose language is known; small cells together."""
    known = baseline.sort(pl.col("language").is_null(), maintain_order=True)
    first = known.group_by("group", maintain_order=True).agg(
        cell=pl.concat_str(pl.col("source").fill_null(""), pl.lit("\t"), pl.col("language").fill_null("")).first(),
        size=pl.col("text").str.len_bytes().sum(),
    )
    share = pl.col("size").sum().over("cell") / pl.col("size").sum()
    return first.select("group", cell=pl.when(share < LEAST_SHARE).then(pl.lit("")).otherwise("cell"))


def _bytes_by_cell(frame: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    sized = frame.select("group", size=pl.col("text").str.len_bytes()).join(cells, on="group", how="inner")
    return sized.group_by("cell").agg(pl.col("size").sum()).sort("cell")
