"""Counts of one unit's rows, and their sum over units: what metrics.json is made of. Read from disk, so that they are right
after a resume as well.

Invariant: the sum does not depend on how rows were cut into units, nor on the units' order. Bins are therefore fixed; examples
are the first ones of an order that each row has by itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from filters.contract import Tier
from pipeline.plan.recipe import Recipe
from pipeline.records.base import Totals
from pipeline.report.metrics import examples
from pipeline.report.metrics.examples import Examples
from pipeline.stages.shards.joined_rows import Inputs, JoinedRows
from pipeline.stages.unit.withhold import STAGE


@dataclass
class Tally:
    """Counters by key: `(what, name)` → number. Adding two tallies adds their counters."""

    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    histograms: dict[str, np.ndarray] = field(default_factory=dict)
    cross: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """`(language, source, reason)` → documents, "" for kept ones; quarantined rows have no language and are not in it."""
    examples: Examples = field(default_factory=Examples)

    def add(self, other: Tally) -> None:
        self.counts.update(other.counts)
        for name, counts in other.histograms.items():
            self.histograms[name] = self.histograms.get(name, 0) + counts
        self.cross.update(other.cross)
        if len(self.cross) > MOST_CROSSED:
            self.cross = _folded(self.cross)
        if len(self.counts) > MOST_COUNTED:
            self.counts = _without_small_sources(self.counts)
        self.examples.add(other.examples)

    def get(self, *name: str) -> int:
        return self.counts[name]

    def rows(self, what: str) -> dict[tuple[str, ...], int]:
        """`rest of the key → number` for all keys that begin with `what`."""
        return {name[1:]: n for name, n in self.counts.items() if name[0] == what}


VERDICTS = ("kept", "dropped", "quarantined")
"""Fields of records have these names."""
NO_LANGUAGE = "unknown"
"""Stands for the language of every row where the plan has no language filter, and of a row whose language nobody knows."""
OTHER = "other"
"""Sources, languages and reasons that a bounded table sums up."""
OTHERS = "others"
"""Sources that the table of sources sums up."""
MOST_COUNTED = 300_000
"""Counters that are held: chosen so that they take about 50 MB. Only sources can be so many; where they are, the smallest so far
become one, as in `cross`."""
OVERLAP_ROWS = 50_000
"""Rows whose failed rules are looked at together: some 10 MB of marks."""
MOST_CROSSED = 200_000
"""Combinations of language, source and reason that are held: chosen so that they take about 50 MB. Where there are more, the
smallest sources so far become one; then the table alone depends on the order of units, and no other number does."""

_OCTAVES = 2.0 ** (np.arange(20, 97) / 4)  # 32 to 2²⁴, four bins to a doubling
_COUNTS = np.concatenate([np.arange(32), np.unique(np.round(_OCTAVES))])
_SHARES = np.concatenate(
    [np.linspace(0, 1, 41)[:-1], [np.nextafter(np.float32(1), np.float32(2))], np.arange(1.25, 32, 0.25), _OCTAVES]
)
EDGES = {True: np.concatenate([-_COUNTS[:0:-1], _COUNTS]), False: np.concatenate([-_SHARES[:0:-1], _SHARES])}
"""Bins by whether a signal holds whole numbers; they depend on nothing else, so that units and generations add up.

Whole numbers: one bin each up to 32. Others: 40 bins over [0, 1], 1 included, where shares and scores lie, then quarters up to 32
(lengths of words). Beyond that four bins to a doubling, up to 2²⁴; mirrored below 0.
"""


def tally(inputs: Inputs, rows: JoinedRows, recipe: Recipe) -> Tally:
    """The counts of one unit."""
    languages = inputs.languages(rows)
    made = of_rows(rows.frame, rows.documents, languages)
    signals = _add_signals(made, inputs, rows, recipe=recipe, languages=languages)
    made.examples = examples.of_unit(inputs, rows, limits=recipe.limits, signals=signals)
    return made


def of_rows(rows: pl.DataFrame, documents: pl.DataFrame, languages: pl.Series | None) -> Tally:
    """What columns of ledger/ say, and `cluster_size` of kept rows. `documents`: the rows that were not quarantined, with
    `languages` in their order (None where no filter gives one)."""
    made = Tally()
    _add_verdicts(made, rows)
    _add_reasons(made, rows)
    _add_languages(made, documents, languages)
    for size, count in documents.filter(pl.col("verdict") == "kept")["cluster_size"].value_counts().iter_rows():
        made.counts["cluster", str(size)] += count
    return made


_SUMS = ("documents", "bytes", "final", "tokens")


def _add_verdicts(made: Tally, rows: pl.DataFrame) -> None:
    rows = _of_few_sources(rows)
    sums = [
        pl.len(),
        pl.col("n_bytes_read").sum(),
        pl.col("n_bytes").fill_null(0).sum(),
        pl.col("token_count").fill_null(0).sum(),
    ]
    for source, verdict, *found in rows.group_by("source", "verdict").agg(*sums).iter_rows():
        for who in (("verdict", verdict), ("source", source, verdict)):
            for what, n in zip(_SUMS, found, strict=True):
                made.counts[(*who, what)] += n


def _of_few_sources(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of one unit. Where its sources alone have MOST_COUNTED counters, the smallest are summed as OTHERS, as they would be
    in the sum of all units, which has more."""
    sizes = rows["source"].value_counts()
    if len(sizes) * len(_SUMS) <= MOST_COUNTED:
        return rows
    most = MOST_COUNTED // 2 // (len(VERDICTS) * len(_SUMS))
    kept = sizes.sort(["count", "source"], descending=[True, False])["source"].head(most)
    return rows.with_columns(source=pl.when(pl.col("source").is_in(kept.implode())).then("source").otherwise(pl.lit(OTHERS)))


def _add_reasons(made: Tally, rows: pl.DataFrame) -> None:
    out = rows.filter(pl.col("verdict") != "kept")
    sums = [pl.len(), pl.col("n_bytes_read").sum()]
    for verdict, stage, reason, n, read in out.group_by("verdict", "stage", "reason").agg(*sums).iter_rows():
        made.counts["reason", verdict, stage, reason, "documents"] += n
        made.counts["reason", verdict, stage, reason, "bytes"] += read
    failed = rows.filter(pl.col("failed").list.len() > 0).select("failed", pl.col("failed").list.len().alias("n"))
    for what, names in (
        ("any", failed["failed"].explode()),
        ("only", failed.filter(pl.col("n") == 1)["failed"].explode()),
        ("edit", rows["edits"].explode().drop_nulls()),
    ):
        made.counts.update({(what, name): n for name, n in names.value_counts().iter_rows()})
    _add_overlap(made, failed.filter(pl.col("n") > 1)["failed"])


def _add_overlap(made: Tally, failed: pl.Series) -> None:
    """Pairs of rules that failed the same rows. `failed`: the rules of each row that failed several."""
    for start in range(0, len(failed), OVERLAP_ROWS):
        part = failed.slice(start, OVERLAP_ROWS)
        names = part.explode().unique().sort()
        codes = part.explode().replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
        marks = np.zeros((len(part), len(names)), np.float32)  # whole numbers below 2²⁴: exact
        marks[np.repeat(np.arange(len(part)), part.list.len().to_numpy()), codes] = 1
        both = (marks.T @ marks).astype(np.int64)
        for one, other in zip(*np.nonzero(np.triu(both, 1)), strict=True):
            made.counts["pair", names[int(one)], names[int(other)]] += int(both[one, other])


def _add_languages(made: Tally, documents: pl.DataFrame, found: pl.Series | None) -> None:
    """What was taken down has no language: its text is gone, and whether a table still has it depends on what was remade."""
    frame = documents.select("verdict", "stage", "source", "reason", "n_bytes_read")
    frame = frame.with_columns(language=pl.lit(NO_LANGUAGE) if found is None else found)
    gone = pl.col("stage").eq_missing(STAGE) | pl.col("language").is_null()
    frame = frame.with_columns(language=pl.when(gone).then(pl.lit(NO_LANGUAGE)).otherwise("language"))
    crossed = frame.group_by("language", "source", pl.col("reason").fill_null("")).len()
    made.cross.update({(language, source, reason): n for language, source, reason, n in crossed.iter_rows()})
    if found is None:
        return
    for language, verdict, n, read in (
        frame.group_by("language", "verdict").agg(pl.len(), pl.col("n_bytes_read").sum()).iter_rows()
    ):
        made.counts["language", language, verdict, "documents"] += n
        made.counts["language", language, verdict, "bytes"] += read


def _folded(cross: Counter[tuple[str, str, str]]) -> Counter[tuple[str, str, str]]:
    """With sources of the fewest documents summed as OTHER, at most half of MOST_CROSSED combinations are left."""
    documents: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for (_, source, _), n in cross.items():
        documents[source] += n
        lines[source] += 1
    kept: set[str] = set()
    room = MOST_CROSSED // 2
    for source, _ in sorted(documents.items(), key=lambda item: (-item[1], item[0])):
        if source != OTHER and lines[source] <= room:
            kept.add(source)
            room -= lines[source]
    folded: Counter[tuple[str, str, str]] = Counter()
    for (language, source, reason), n in cross.items():
        folded[language, source if source in kept else OTHER, reason] += n
    return folded


def _without_small_sources(counts: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    """With sources of the fewest documents summed as OTHERS, at most half of MOST_COUNTED counters of sources are left."""
    documents: Counter[str] = Counter()
    for name, n in counts.items():
        if name[0] == "source" and name[3] == "documents":
            documents[name[1]] += n
    most = MOST_COUNTED // 2 // (len(VERDICTS) * len(_SUMS))
    kept = {source for source, _ in sorted(documents.items(), key=lambda item: (-item[1], item[0]))[:most]}
    folded: Counter[tuple[str, ...]] = Counter()
    for name, n in counts.items():
        small = name[0] == "source" and name[1] not in kept
        folded[(name[0], OTHERS, *name[2:]) if small else name] += n
    return folded


def _add_signals(made: Tally, inputs: Inputs, rows: JoinedRows, *, recipe: Recipe, languages: pl.Series | None) -> pl.DataFrame:
    """Histograms; for filters of the model tier also which languages of the rows that the tier looked at it does not score.

    Returns all signals, row by row with the unit's documents, null where this plan did not have the row scored.
    """
    seen: list[pl.Series] = []
    scored = rows.documents["scored"]
    there = rows.documents["stage"].ne_missing(STAGE)
    for item, name in zip(recipe.filters, rows.unit.names.signals, strict=True):
        frame = inputs.work.read_frame(name, item.filter.signals.names)
        by_model = item.filter.tier is Tier.MODEL
        asked = scored if by_model else there
        seen += (frame.select(pl.when(scored).then(pl.all())) if by_model and not scored.all() else frame).get_columns()
        frame = frame if asked.all() else frame.filter(asked)
        if by_model:
            _add_coverage(made, item.filter.name, frame, languages=None if languages is None else languages.filter(scored))
        for column, signal in zip(frame.columns, frame.to_arrow().itercolumns(), strict=True):
            _add_histogram(made, f"{item.filter.name}/{column}", signal)
    return pl.DataFrame(seen)


def _add_histogram(made: Tally, name: str, signal: pa.ChunkedArray) -> None:
    """Of a signal's values, if they are numbers."""
    whole = pa.types.is_integer(signal.type)
    if not (whole or pa.types.is_floating(signal.type)):
        return
    made.counts["nulls", name] += signal.null_count
    edges = EDGES[whole]
    values = np.clip((signal.drop_null() if signal.null_count else signal).to_numpy(), edges[0], edges[-1])
    bins = np.searchsorted(edges, values[values == values], "right") - 1  # the last bin has its upper edge too; NaN is in none
    made.histograms[name] = np.bincount(np.minimum(bins, len(edges) - 2), minlength=len(edges) - 1)


def _add_coverage(made: Tally, name: str, frame: pl.DataFrame, *, languages: pl.Series | None) -> None:
    nothing = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    made.counts["model", name, "scored"] += len(frame) - int(nothing.sum())
    left = pl.Series("language", [NO_LANGUAGE] * len(frame)) if languages is None else languages
    for language, n in left.filter(nothing).value_counts().iter_rows():
        made.counts["model", name, "not covered", language] += n


def of_plan_source(part: Tally, source: str) -> Tally:
    """The counts of a unit, with its rows counted under the source that the plan has it in, whatever the rows say."""
    for verdict in VERDICTS:
        part.counts["planned", source, verdict] += part.get("verdict", verdict, "documents")
    for (_, _, reason, what), n in part.rows("reason").items():
        if what == "documents":
            part.counts["planned reason", source, reason] += n
    return part


def by_plan_source(made: Tally) -> dict[str, tuple[int, int]]:
    """Rows read, and those of them that were not kept, by source of the plan."""
    found: dict[str, tuple[int, int]] = {}
    for (source, verdict), n in made.rows("planned").items():
        read, lost = found.get(source, (0, 0))
        found[source] = read + n, lost + (n if verdict != "kept" else 0)
    return found


def reasons_by_plan_source(made: Tally) -> dict[str, dict[str, int]]:
    """Rows that were not kept by source of the plan and reason; of those that could not be read by cause."""
    found: dict[str, dict[str, int]] = {}
    for (source, reason), n in made.rows("planned reason").items():
        found.setdefault(source, {})[reason] = n
    return found


def totals(made: Tally) -> Totals:
    """The conserved numbers: documents and bytes as read."""
    n, size = ({v: made.get("verdict", v, what) for v in VERDICTS} for what in ("documents", "bytes"))
    sizes = {f"bytes_{verdict}": of for verdict, of in size.items()}
    return Totals(read=sum(n.values()), **n, bytes_read=sum(size.values()), **sizes)
