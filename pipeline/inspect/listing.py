"""Pages of an output's documents, in the order of its shards: kept ones, dropped ones, quarantined rows; filtered and searched.

A page reads shards from a place on, a row group at a time, until it is full or has looked at its share (`MOST_ROWS`, and
`MOST_BYTES` of text where it searches): it says what it looked at, and the next page goes on there. So a page costs the same at
ten million documents as at ten thousand. Search is for literal text, by Arrow's kernels in linear time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import UsageError
from pipeline.inspect.output import Output
from pipeline.records.base import Json
from pipeline.stages.unit.withhold import REASON

VIEWS = {"kept": "data", "dropped": "rejected", "quarantined": "quarantine"}
SCORES = ("language_score", "quality_score", "toxicity_score")
PAGE = 25
MOST_ROWS = 1_000_000
"""Rows whose narrow columns one page looks at; some tenths of a second."""
MOST_BYTES = 256_000_000
"""Text that one page searches; chosen because reading and searching it takes about a second on one core."""
EXCERPT = 400
"""Characters of text of a row, around what was searched for."""
_SHOWN = {
    "id", "source", "source_ref", "language", *SCORES, "n_bytes", "reason", "stage", "similarity", "duplicate_ref",
    "minhash_cluster_size", "generation", "cause", "detail", "n_bytes_read", "verdict",
}  # fmt: skip


Condition = Callable[[pa.ChunkedArray], pa.ChunkedArray]
"""Which values of a column are meant; null means no."""


@dataclass(frozen=True)
class DocumentQuery:
    """Which documents. `reason`: a first reason, a filter's name, or a cause of quarantine. Limits include their ends."""

    view: str = "kept"
    reason: str = ""
    language: str = ""
    source: str = ""
    score: str = ""
    low: float | None = None
    high: float | None = None
    text: str = ""
    copies: str = ""  # of this source_ref: what was dropped as its duplicate

    def __post_init__(self) -> None:
        if self.view not in VIEWS:
            raise UsageError(f"view {self.view!r}: expected one of {', '.join(VIEWS)}")
        if self.score and self.score not in SCORES:
            raise UsageError(f"score {self.score!r}: expected one of {', '.join(SCORES)}")


@dataclass(frozen=True, order=True)
class Place:
    """A row: its shard's number among the view's, and its number in the shard."""

    shard: int
    row: int

    def __str__(self) -> str:
        return f"{self.shard}.{self.row}"


def place_of(text: str) -> Place | None:
    """From `str(place)`; None for anything else."""
    shard, _, row = text.partition(".")
    number = (shard.isascii() and shard.isdigit()) and (row.isascii() and row.isdigit()) and len(text) < 40
    return Place(int(shard), int(row)) if number else None


@dataclass(frozen=True)
class Row:
    place: Place
    columns: Json  # of whichever folder the view shows
    excerpt: str
    cut: bool  # the text goes on


@dataclass(frozen=True)
class Page:
    """Some rows in order. `looked` of `total` rows of the view were looked at for this page.

    `first` and `last`: where reading began and ended; `more` and `less`: whether there is something beyond `last` and before
    `first` that was not looked at.
    """

    rows: tuple[Row, ...]
    first: Place | None
    last: Place | None
    more: bool
    less: bool
    looked: int
    total: int


def folder_of(output: Output, wanted: DocumentQuery) -> str:
    """The folder that a view shows: the ledger where no text of such dropped documents is kept."""
    if wanted.view == "dropped" and (wanted.reason == REASON or not any(record.rows for record in output.shards("rejected"))):
        return "ledger"
    return VIEWS[wanted.view]


def page(
    output: Output, wanted: DocumentQuery, *, after: Place | None = None, before: Place | None = None, size: int = PAGE
) -> Page:
    """At most `size` documents behind `after`, or the last ones before `before`."""
    folder = folder_of(output, wanted)
    files = [record.path for record in output.shards(folder)]
    rows_of = [record.rows for record in output.shards(folder)]
    forward = before is None
    found: list[Row] = []
    seen: list[Place] = []
    looked = read_bytes = 0
    ended = True
    for shard, group, start, low, high in _groups(output, files, rows_of, after=after, before=before):
        if len(found) >= size or looked >= MOST_ROWS or read_bytes >= MOST_BYTES:
            ended = False
            break
        file = _opened(output, files[shard])
        rows = start + _matches(file, group, wanted, folder=folder)
        rows = rows[(rows >= low) & (rows < high)]
        begin, end = low, high
        if len(rows) > (room := size - len(found)):
            ended = False
            rows = rows[:room] if forward else rows[-room:]
            begin, end = (low, int(rows[-1]) + 1) if forward else (int(rows[0]), high)
        looked += end - begin
        read_bytes += file.metadata.row_group(group).total_byte_size if wanted.text else 0
        seen += [Place(shard, begin), Place(shard, end - 1)]
        made = _read(file, group, rows, start=Place(shard, start), text=wanted.text) if len(rows) else []
        found = [*found, *made] if forward else [*made, *found]
        if not ended:
            break
    return Page(
        rows=tuple(found),
        first=min(seen, default=None),
        last=max(seen, default=None),
        more=not (forward and ended),
        less=after is not None if forward else not ended,
        looked=looked,
        total=sum(rows_of),
    )


@dataclass(frozen=True)
class Hits:
    """Rows of a view that are meant: `found` in the first `looked` of `total`."""

    found: int
    looked: int
    total: int

    @property
    def all(self) -> bool:
        return self.looked == self.total


def hits(output: Output, wanted: DocumentQuery) -> Hits:
    """How many rows are meant, in as much as one page may look at."""
    folder = folder_of(output, wanted)
    files = [record.path for record in output.shards(folder)]
    rows_of = [record.rows for record in output.shards(folder)]
    total = sum(rows_of)
    if wanted == DocumentQuery(view=wanted.view) and folder != "ledger":
        return Hits(total, total, total)
    found = looked = read_bytes = 0
    for shard, group, _, low, high in _groups(output, files, rows_of, after=None, before=None):
        if looked >= MOST_ROWS or read_bytes >= MOST_BYTES:
            break
        file = _opened(output, files[shard])
        found += len(_matches(file, group, wanted, folder=folder))
        looked += high - low
        read_bytes += file.metadata.row_group(group).total_byte_size if wanted.text else 0
    return Hits(found, looked, total)


def _opened(output: Output, name: str) -> pq.ParquetFile:
    store = output.store
    return pq.ParquetFile(store.local_path(name) or store.open(name), page_checksum_verification=True)


def _groups(
    output: Output, files: Sequence[str], rows_of: Sequence[int], *, after: Place | None, before: Place | None
) -> Iterator[tuple[int, int, int, int, int]]:
    """`(shard, row group, its first row, first and end of its rows within the bounds)`: backwards where `before` is given."""
    turned: Callable[[range], Iterable[int]] = reversed if before is not None else iter
    for shard in turned(range(len(files) if before is None else min(before.shard + 1, len(files)))):
        if not rows_of[shard] or (after is not None and shard < after.shard):
            continue
        metadata = _opened(output, files[shard]).metadata
        starts = [0, *accumulate(metadata.row_group(k).num_rows for k in range(metadata.num_row_groups))]
        for group in turned(range(metadata.num_row_groups)):
            start, stop = starts[group], starts[group + 1]
            low = max(start, after.row + 1) if after is not None and shard == after.shard else start
            high = min(stop, before.row) if before is not None and shard == before.shard else stop
            if low < high:
                yield shard, group, start, low, high


def _conditions(wanted: DocumentQuery, folder: str, schema: pa.Schema) -> Iterator[tuple[str, Condition]]:
    """Columns, with the condition on each; the search, which costs most, is last."""
    if folder == "ledger":
        yield "verdict", partial(pc.equal, "dropped")
    if wanted.reason:  # one by its name, or all of a filter's
        name = "cause" if wanted.view == "quarantined" else "reason"
        yield name, lambda column: pc.or_(pc.equal(column, wanted.reason), pc.starts_with(column, f"{wanted.reason}."))
    for name, value in (("language", wanted.language), ("source", wanted.source), ("duplicate_ref", wanted.copies)):
        if value:
            yield name, partial(pc.equal, value)
    if wanted.score and wanted.low is not None:  # limits are as exact as the scores: 0.1 equals 0.1
        yield wanted.score, lambda column: pc.greater_equal(column, pa.scalar(wanted.low, pa.float32()))
    if wanted.score and wanted.high is not None:
        yield wanted.score, lambda column: pc.less_equal(column, pa.scalar(wanted.high, pa.float32()))
    if wanted.text:
        name = next(name for name in ("text", "excerpt", "source_ref") if name in schema.names)
        binary = pa.types.is_binary(schema.field(name).type)
        pattern = wanted.text.encode("utf-8", "surrogatepass") if binary else wanted.text
        yield name, lambda column: pc.match_substring(column, pattern, ignore_case=not binary)


def _matches(file: pq.ParquetFile, group: int, wanted: DocumentQuery, *, folder: str) -> np.ndarray:
    """Numbers of the rows of the group that are meant, ascending."""
    chosen = np.ones(file.metadata.row_group(group).num_rows, bool)
    for column, condition in _conditions(wanted, folder, file.schema_arrow):
        if column not in file.schema_arrow.names or not chosen.any():
            return np.zeros(0, np.int64)
        found = condition(file.read_row_group(group, columns=[column])[column])
        chosen &= pc.fill_null(found, False).to_numpy()
    return np.flatnonzero(chosen)


def _read(file: pq.ParquetFile, group: int, rows: np.ndarray, *, start: Place, text: str) -> list[Row]:
    have = set(file.schema_arrow.names)
    names = [name for name in file.schema_arrow.names if name in _SHOWN]
    body = next((name for name in ("text", "excerpt") if name in have), None)
    taken = file.read_row_group(group, columns=[*names, *([body] if body else [])]).take(pa.array(rows - start.row))
    shown = taken.select(names).to_pylist()
    excerpts = [("", False)] * len(rows) if body is None else [_excerpt(value, text) for value in taken[body]]
    return [
        Row(Place(start.shard, int(row)), columns, *excerpt) for row, columns, excerpt in zip(rows, shown, excerpts, strict=True)
    ]


def _excerpt(value: pa.Scalar, text: str) -> tuple[str, bool]:
    """An excerpt of a text around the first place where `text` stands; a long text is never made a Python string."""
    buffer = value.as_buffer()
    if buffer is None:
        return "", False
    at = 0
    if text and not pa.types.is_binary(value.type):
        at = pc.find_substring(value, text, ignore_case=True).as_py()
    begin = max(0, at - EXCERPT // 2)
    part = buffer.slice(begin, min(4 * EXCERPT, len(buffer) - begin)).to_pybytes()
    while begin and part and part[0] & 0xC0 == 0x80:  # in the middle of a character
        part = part[1:]
    cut = len(buffer) > begin + len(part)
    shown = part.decode("utf-8", "ignore" if cut else "replace")
    return ("…" if begin else "") + shown[:EXCERPT], cut or len(shown) > EXCERPT
