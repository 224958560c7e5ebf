"""`inspect compare`: what enters and what leaves between two outputs, by reason, source and language, with samples.

Rows are the same where their source_ref is; a row that several generations hold counts as the newest says. A row that only one of
the outputs has read is counted apart, and neither enters nor leaves.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.inspect.output import Output
from pipeline.report.table import Part, table
from pipeline.text import numbers
from pipeline.text.visible import folded

SAMPLES = 3
MOST_LINES = 15
EXCERPT = 160


NameCounts = tuple[tuple[str, int], ...]
"""Names with their documents, largest first."""


@dataclass(frozen=True)
class Side:
    """Documents that move one way. `samples`: source_ref, reason and the beginning of the text of some."""

    documents: int
    bytes: int
    reasons: NameCounts
    sources: NameCounts
    languages: NameCounts
    samples: tuple[tuple[str, str | None, str], ...]


@dataclass(frozen=True)
class Comparison:
    """`enter`: kept by the second and not by the first, by the first's reason; `leave`: the other way, by the second's reason."""

    both: int
    kept: tuple[int, int]
    only: tuple[int, int]
    enter: Side
    leave: Side


def compare(first: Output, second: Output) -> Comparison:
    """The difference between two outputs, as a training job that moves from the first to the second sees it."""
    one, other = _ledger(first), _ledger(second)
    joined = one.join(other, on="source_ref", how="inner", suffix="_2")
    enter = joined.filter((pl.col("verdict") != "kept") & (pl.col("verdict_2") == "kept"))
    leave = joined.filter((pl.col("verdict") == "kept") & (pl.col("verdict_2") != "kept"))
    counts = [_number(frame) for frame in (joined, one, other)]
    kept = [_number(joined.filter(pl.col(name) == "kept")) for name in ("verdict", "verdict_2")]
    return Comparison(
        both=counts[0],
        kept=(kept[0], kept[1]),
        only=(counts[1] - counts[0], counts[2] - counts[0]),
        enter=_side(enter.select("source_ref", "source", "reason", n_bytes=pl.col("n_bytes_2")), second),
        leave=_side(leave.select("source_ref", "source", n_bytes=pl.col("n_bytes"), reason=pl.col("reason_2")), first),
    )


def _ledger(output: Output) -> pl.LazyFrame:
    scan = output.scan("ledger")
    assert scan is not None  # every output has one
    columns = ("generation", "source_ref", "source", "verdict", "reason", "n_bytes")
    newest = scan.select(columns)
    if len(output.live) == 1:
        return newest
    return newest.sort("generation").unique("source_ref", keep="last", maintain_order=True)


def _number(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect().item())


def _side(rows: pl.LazyFrame, holder: Output) -> Side:
    """`holder`: the output that keeps these documents, and so holds text and language of each."""
    found = rows.collect()
    data = holder.scan("data")
    texts = pl.DataFrame(schema={"source_ref": pl.String, "language": pl.String, "text": pl.String})
    if data is not None and len(found):
        wanted = data.join(found.lazy().select("source_ref"), on="source_ref", how="semi")
        languages = wanted.select("source_ref", "language").collect()
        sampled = found.sort("source_ref").group_by("reason", maintain_order=True).head(1)["source_ref"].head(SAMPLES)
        excerpts = wanted.filter(pl.col("source_ref").is_in(sampled.implode())).select(
            "source_ref", pl.col("text").str.slice(0, 1_000)
        )
        texts = languages.join(excerpts.collect(), on="source_ref", how="left")
    samples = texts.drop_nulls("text").join(found, on="source_ref").sort("source_ref")
    return Side(
        documents=len(found),
        bytes=int(found["n_bytes"].sum() or 0),
        reasons=_counted(found["reason"]),
        sources=_counted(found["source"]),
        languages=_counted(texts["language"]),
        samples=tuple(samples.select("source_ref", "reason", "text").iter_rows()),
    )


def _counted(column: pl.Series) -> NameCounts:
    counts = {value or "none": n for value, n in column.value_counts().iter_rows()}
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def comparison_text(found: Comparison) -> list[Part]:
    """The comparison as a person reads it."""
    kept, only = (tuple(map(numbers.count, pair)) for pair in (found.kept, found.only))
    said: list[Part] = [f"{numbers.counted(found.both, 'row')} in both outputs; kept {kept[0]} → {kept[1]}"]
    if any(found.only):
        said.append(f"only in the first {only[0]}, only in the second {only[1]}: not compared")
    for name, side, meaning in (("enter", found.enter, "the first dropped for"), ("leave", found.leave, "the second drops for")):
        counted = {meaning: side.reasons, "source": side.sources, "language": side.languages}
        said += ["", f"{name}: {numbers.counted(side.documents, 'document')}", *side_text(counted, side.samples)]
    return said


def side_text(counted: Mapping[str, Iterable[Sequence[Any]]], samples: Iterable[Sequence[Any]]) -> list[Part]:
    """What moves one way. `counted`: title → names with their documents; `samples`: as of a `Side`."""
    largest = ((title, name, n) for title, counts in counted.items() for name, n in itertools.islice(counts, MOST_LINES))
    rows = [(f"  {title}", name, numbers.count(n)) for title, name, n in largest]
    quoted = (f"  {ref}: {folded(text, limit=EXCERPT)}" for ref, _, text in samples)
    return [*([table(("", "", ">documents"), rows)] if rows else []), *quoted]
