"""Counts of one unit's rows, and their sum over units: what metrics.json is made of. Read from disk, so that they are right
after a resume as well."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from filters.contract import Tier
from pipeline import write
from pipeline.recipe import Recipe
from pipeline.withhold import STAGE


@dataclass
class Tally:
    """Counters by key: `(what, name)` → number. Adding two tallies adds their counters."""

    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    histograms: dict[str, np.ndarray] = field(default_factory=dict)
    largest: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.counts.update(other.counts)
        for name, counts in other.histograms.items():
            self.histograms[name] = self.histograms.get(name, 0) + counts
        self.largest = sorted([*self.largest, *other.largest], key=lambda item: (-item[0], item[2]))[:10]

    def get(self, *name: str) -> int:
        return self.counts[name]

    def rows(self, what: str) -> dict[tuple[str, ...], int]:
        """`rest of the key → number` for all keys that begin with `what`."""
        return {name[1:]: n for name, n in self.counts.items() if name[0] == what}


NO_LANGUAGE = "unknown"
"""Stands for the language of every row where the plan has no language filter."""
EDGES = np.concatenate([np.linspace(0, 1, 41), 2.0 ** np.arange(1, 25)])
"""Bins of every signal: 40 equal ones over [0, 1] for shares and scores, then powers of two for counts."""


def tally(inputs: write.Inputs, recipe: Recipe, unit: int, rows: pl.DataFrame) -> Tally:
    """The counts of one unit; `rows`: its `write.unit_rows`."""
    made = Tally()
    _add_verdicts(made, rows)
    _add_reasons(made, rows)
    _add_languages(made, inputs, rows, unit)
    _add_signals(made, inputs, recipe, unit, rows)
    kept = rows.filter(pl.col("verdict") == "kept")
    for size, count in kept["cluster_size"].value_counts().iter_rows():
        made.counts["cluster", str(size)] += count
    top = kept.filter(pl.col("cluster_size") > 1).sort("cluster_size", descending=True).head(10)
    made.largest = [(size, id_, ref) for size, id_, ref in top.select("cluster_size", "id", "source_ref").iter_rows()]
    return made


def _add_verdicts(made: Tally, rows: pl.DataFrame) -> None:
    sums = [
        pl.len(),
        pl.col("n_bytes_read").sum(),
        pl.col("n_bytes").fill_null(0).sum(),
        pl.col("token_count").fill_null(0).sum(),
    ]
    for source, verdict, n, read, final, tokens in rows.group_by("source", "verdict").agg(*sums).iter_rows():
        for who in (("verdict", verdict), ("source", source, verdict)):
            made.counts[(*who, "documents")] += n
            made.counts[(*who, "bytes")] += read
            made.counts[(*who, "final")] += final
            made.counts[(*who, "tokens")] += tokens


def _add_reasons(made: Tally, rows: pl.DataFrame) -> None:
    out = rows.filter(pl.col("verdict") != "kept")
    sums = [pl.len(), pl.col("n_bytes_read").sum()]
    for verdict, stage, reason, n, read in out.group_by("verdict", "stage", "reason").agg(*sums).iter_rows():
        made.counts["reason", verdict, stage, reason, "documents"] += n
        made.counts["reason", verdict, stage, reason, "bytes"] += read
    failed = rows.filter(pl.col("failed").list.len() > 0).select("failed", pl.col("failed").list.len().alias("n"))
    for reason, n in failed.explode("failed")["failed"].value_counts().iter_rows():
        made.counts["any", reason] += n
    for reason, n in failed.filter(pl.col("n") == 1).explode("failed")["failed"].value_counts().iter_rows():
        made.counts["only", reason] += n
    for edit, n in rows.select(pl.col("edits").explode()).drop_nulls()["edits"].value_counts().iter_rows():
        made.counts["edit", edit] += n


def _add_languages(made: Tally, inputs: write.Inputs, rows: pl.DataFrame, unit: int) -> None:
    languages = _languages(inputs, unit)
    if languages is None:
        return
    frame = _documents(rows).select("verdict", "n_bytes_read").with_columns(language=languages)
    for language, verdict, n, read in (
        frame.group_by("language", "verdict").agg(pl.len(), pl.col("n_bytes_read").sum()).iter_rows()
    ):
        made.counts["language", language, verdict, "documents"] += n
        made.counts["language", language, verdict, "bytes"] += read


def _documents(rows: pl.DataFrame) -> pl.DataFrame:
    """Without quarantined rows, in the order of the unit's tables."""
    return rows.filter(pl.col("position").is_not_null()).sort("position")


def _languages(inputs: write.Inputs, unit: int) -> pl.Series | None:
    given = dict(inputs.signals)
    if "language" not in given:
        return None
    return inputs.work.read_frame(inputs.units[unit].names.signals[given["language"]], ["language"])["language"]


def _add_signals(made: Tally, inputs: write.Inputs, recipe: Recipe, unit: int, rows: pl.DataFrame) -> None:
    """Histograms; for filters of the model tier also which languages of the rows that the tier looked at it does not score."""
    documents = _documents(rows)
    scored = documents["scored"]
    there = documents["stage"].ne_missing(STAGE)
    languages = _languages(inputs, unit)
    for item, name in zip(recipe.filters, inputs.units[unit].names.signals, strict=True):
        frame = inputs.work.read_frame(name, item.filter.signals.names)
        if item.filter.tier is Tier.MODEL:
            frame = frame.filter(scored)
            _add_coverage(made, item.filter.name, frame, None if languages is None else languages.filter(scored))
        else:
            frame = frame.filter(there)
        for column in frame.columns:
            if not frame[column].dtype.is_numeric():
                continue
            values = frame[column].drop_nulls().to_numpy()
            made.histograms[f"{item.filter.name}/{column}"] = np.histogram(np.clip(values, 0, EDGES[-1]), EDGES)[0]
            made.counts["nulls", f"{item.filter.name}/{column}"] += frame[column].null_count()


def _add_coverage(made: Tally, name: str, frame: pl.DataFrame, languages: pl.Series | None) -> None:
    nothing = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    made.counts["model", name, "scored"] += len(frame) - int(nothing.sum())
    left = pl.Series("language", [NO_LANGUAGE] * len(frame)) if languages is None else languages
    for language, n in left.filter(nothing).value_counts().iter_rows():
        made.counts["model", name, "not covered", language] += n


def totals(made: Tally) -> dict[str, int]:
    """The conserved numbers: documents and bytes as read."""
    verdicts = ("kept", "dropped", "quarantined")
    counts: dict[str, Any] = {v: made.get("verdict", v, "documents") for v in verdicts}
    sizes = {f"bytes_{v}": made.get("verdict", v, "bytes") for v in verdicts}
    return {"read": sum(counts.values()), **counts, "bytes_read": sum(sizes.values()), **sizes}
