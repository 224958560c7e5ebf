"""Records to `UnitRows`: the one place that decides what of a record is text, id, source, url, date and metadata.

Invariant (laws 1 and 9): each record that is added becomes one document or one bad row; no value of it is dropped. What is
not usable where it stands (an id that is an object, or long; a url that is a number) goes to metadata under its own name. The
size of a row is that of its text, url, date and metadata. A value that
JSON cannot hold never costs a text: something else stands for it in metadata, and is counted by column and kind (`replaced`).
Of a conversation (`file.turns`) the text is what users and assistants say (`pipeline.text.conversations`), and the columns that
hold it are metadata, from which shards have them back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.read.files import ANY, InputFile
from pipeline.read.lines import QuarantinedRow, too_large
from pipeline.records.inputs import PackedFile
from pipeline.schema import BAD_ROW, DOCUMENT, EXCERPT_BYTES
from pipeline.text import conversations, exact_json, turns
from pipeline.text.exact_json import Number, Odd
from pipeline.text.visible import visible

if TYPE_CHECKING:
    from pipeline.records.base import Json
    from pipeline.text.conversations import Layout

DOUBLE = "double_column"
"""Cause where two columns, or keys of a row, have the text's name, or a table has one name twice."""
SOURCE_BYTES = 200
"""Most that a source's name taken from the data may have: names stand in tables, and a longer value is no name."""
ID_BYTES = 512
"""Most that an id may have, since a row names the id of the one that it is a copy of: a longer value is metadata."""
FLUSH_ROWS = 10_000
"""Rows of either kind that are held as Python's objects, which take some 300 and 700 bytes beside their text."""
NO_CONVERSATION = "not_a_conversation"
"""Cause where the columns of a conversation hold something else."""
_MISSING = object()
_SORTED = orjson.OPT_SORT_KEYS
_MOST_NAMES = 8
_MOST_COLUMNS = 100
OTHERS = "others"
"""Stands for columns whose replaced values are not counted apart."""
Replaced = tuple[tuple[str, str, int], ...]
"""`(column, kind, values)`, sorted."""


@dataclass(frozen=True)
class UnitRows:
    """`documents`: schema.DOCUMENT, text normalised. `bad`: schema.BAD_ROW. Both sorted by row. `passed`: records that are no
    rows, by type. `files`: of a pack, without damage."""

    documents: pa.Table
    bad: pa.Table
    passed: tuple[tuple[str, int], ...] = ()
    replaced: Replaced = ()
    files: tuple[PackedFile, ...] = ()


def summed(parts: Iterable[Replaced]) -> Replaced:
    """Of several units."""
    counts: Counter[tuple[str, str]] = Counter()
    for part in parts:
        for column, kind, n in part:
            known = len(counts) < _MOST_COLUMNS or (column, kind) in counts
            counts[column if known else OTHERS, kind] += n
    return tuple((column, kind, n) for (column, kind), n in sorted(counts.items()))


class Collector:
    """Takes records one by one, in the order of their rows, and gives their tables at the end.

    `sink` takes each table of documents (texts as decoded), and of bad rows, once it is made; without it they are kept, and
    texts are normalised.
    `types`: of the columns, where the input says them.
    """

    def __init__(self, file: InputFile, *, sink: Callable[[pa.Table], None] | None = None) -> None:
        self.file = file
        self.types: dict[str, str] = {}
        self._absent = "" if file.text == ANY else _MISSING
        self._layout = conversations.LAYOUTS.get(file.turns)
        self._sink = sink
        self._tables: dict[pa.Schema, list[pa.Table]] = {DOCUMENT: [], BAD_ROW: []}
        self._good: list[tuple[Any, ...]] = []
        self._bad: list[tuple[Any, ...]] = []
        self._replaced: Counter[tuple[str, str]] = Counter()
        self._partitions = [(name, value) for name, value in file.partitions if name not in (file.text, file.id)]

    def take(self, documents: Sequence[pa.Array]) -> None:
        """Documents as columns of DOCUMENT, texts normalised."""
        self._give(documents, DOCUMENT)

    def add(self, row: int, record: Json, raw: bytes | memoryview = b"", *, exact: bool = False) -> None:
        """`record` is used up. `raw`: its bytes. `exact`: it is of `exact_json`, and may hold what JSON and UTF-8 cannot."""
        file = self.file
        if exact:
            record = self._settled(record)
        for name, value in self._partitions:
            record.setdefault(name, value)
        pop = record.pop
        text = pop(file.text, self._absent) if self._layout is None else self._said(record, self._layout)
        given = id_ = pop(file.id, None)
        if type(id_) is int:
            id_ = str(id_)
        elif type(id_) is Number and id_.is_integer:
            id_ = id_.text
        if type(id_) is not str or not 0 < len(id_.encode("utf-8", "surrogatepass")) <= ID_BYTES:
            _put_back(record, file.id, given)
            id_ = default_id(file.path, row)
        source = file.source if file.named_by is None else self._named(record, file.named_by)
        if type(text) is not str:
            why = _why_no_text(text, file.text, record=record, types=self.types)
            self._refuse(QuarantinedRow(row, *why, len(raw), bytes(raw[:EXCERPT_BYTES])), id_, source)
            return
        url, date = pop("url", None), pop("date", None)
        if url is not None and type(url) is not str:
            record["url"], url = url, None
        if date is not None and type(date) is not str:
            record["date"], date = date, None
        try:
            metadata = b"{}" if not record else exact_json.dumps(record) if exact else orjson.dumps(record, None, _SORTED)
        except TypeError:
            metadata = self._each_alone(record)
        # A row's id and source are short; a character has up to four bytes.
        beside, more = len(metadata) if record else 0, (text, url or "", date or "")
        if 4 * sum(map(len, more)) + beside > file.max_row_bytes:
            size = sum(len(part.encode("utf-8", "surrogatepass")) for part in more) + beside
            if size > file.max_row_bytes:
                refused = too_large(row, size, bytes(raw[:EXCERPT_BYTES]), limit=file.max_row_bytes)
                self._refuse(refused, id_, source)
                return
        self._good.append((row, id_, source, url, date, text if self._layout else turns.unmarked(text), metadata))
        if len(self._good) >= FLUSH_ROWS:
            self.flush()

    def _said(self, record: Json, layout: Layout) -> str | NotText:
        """The text of a conversation; its columns stay in the record, as values."""
        conversations.open_texts(layout, record)
        try:
            pieces = conversations.walk(layout, record)
        except conversations.NoConversation as error:
            return NotText(NO_CONVERSATION, str(error))
        return turns.joined((piece.mark, piece.text) for piece in pieces)

    def _settled(self, record: Json) -> Json:
        """The record as JSON and UTF-8 can hold it; its text is left as it is. NaN is how tables write that a value is missing:
        in a column whose value is one of the document's it is none."""
        made: Json = {}
        own = (self.file.text, self.file.id, self.file.named_by, "url", "date")
        for name, value in record.items():
            if name in own and type(value) is Odd and value.kind == exact_json.NOT_FINITE:
                made[name] = None
                continue
            kinds: list[str] = []
            key = str(exact_json.settled(name, kinds.append))
            made[key] = value if name == self.file.text and self._layout is None else exact_json.settled(value, kinds.append)
            for kind in kinds:
                self.replace(key, kind)
        return made

    def _named(self, record: Json, column: str) -> str:
        """The source that a row names itself, a short string or an integer; else the plan's."""
        value = record.get(column)
        name = str(value) if type(value) is int else value
        if type(name) is not str or not name or len(name.encode()) > SOURCE_BYTES:
            return self.file.source
        if column not in ("url", "date"):
            del record[column]
        return name

    def _each_alone(self, record: Json) -> bytes:
        """Metadata of a record that cannot be written as a whole: what is at fault is null, and counted."""
        for name, value in record.items():
            try:
                exact_json.dumps(value)
            except TypeError:
                record[name] = None
                self.replace(name, exact_json.UNREADABLE)
        return exact_json.dumps(record)

    def replace(self, column: str, kind: str, values: int = 1) -> None:
        """Count values of a column for which something else stands."""
        known = len(self._replaced) < _MOST_COLUMNS or (column, kind) in self._replaced
        self._replaced[column if known else OTHERS, kind] += values

    def refuse(self, refused: QuarantinedRow) -> None:
        """A row whose own id and source are not known."""
        self._refuse(refused, default_id(self.file.path, refused.row), self.file.source)

    def _refuse(self, refused: QuarantinedRow, id_: str, source: str) -> None:
        excerpt = refused.excerpt[:EXCERPT_BYTES] if refused.excerpt else None
        lost = refused.lost
        told = (refused.cause, refused.detail, refused.n_bytes, excerpt, lost.rows, lost.share, lost.cut)
        self._bad.append((refused.row, id_, source, *told))
        if len(self._bad) >= FLUSH_ROWS:
            self._flush_bad()

    def flush(self) -> None:
        """Turn what was added so far into Arrow: Python strings take up to four times the memory."""
        self._flush_good()
        self._flush_bad()

    def _give(self, arrays: Sequence[pa.Array], schema: pa.Schema) -> None:
        (self._sink or self._tables[schema].append)(pa.Table.from_arrays(arrays, schema=schema))

    def _flush_bad(self) -> None:
        if self._bad:
            columns = zip(*self._bad, strict=True)
            self._give([pa.array(column, field.type) for column, field in zip(columns, BAD_ROW, strict=True)], BAD_ROW)
            self._bad.clear()

    def _flush_good(self) -> None:
        if not self._good:
            return
        rows, ids, sources, urls, dates, texts, metadata = zip(*self._good, strict=True)
        self._good.clear()
        encoded = [text.encode() for text in texts]
        del texts
        text = _utf8(encoded)
        del encoded
        n_bytes = pc.binary_length(text)
        if self._layout:
            n_bytes = pc.subtract(n_bytes, pa.array(turns.counts(text)))
        arrays = [
            pa.array(rows, pa.int64()),
            pa.array(ids, pa.string()),
            pa.array(sources, pa.string()),
            pa.array(urls, pa.string()),
            pa.array(dates, pa.string()),
            text if self._sink else normalised(text),
            n_bytes,
            _utf8(metadata),
        ]
        self._give(arrays, DOCUMENT)

    def finish(self) -> UnitRows:
        self.flush()
        documents, bad = (joined(tables, schema) for schema, tables in self._tables.items())
        return UnitRows(documents, bad, replaced=self.replaced())

    def replaced(self) -> Replaced:
        return tuple((column, kind, n) for (column, kind), n in sorted(self._replaced.items()))


def joined(tables: Iterable[pa.Table | pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """Rows of tables or batches as one table, by row: bad rows are met out of order."""
    made = [pa.Table.from_batches([some], schema) if isinstance(some, pa.RecordBatch) else some for some in tables]
    whole = pa.concat_tables(made).combine_chunks() if made else schema.empty_table()
    rows = whole["row"].to_numpy()
    return whole if (np.diff(rows) > 0).all() else whole.sort_by("row").combine_chunks()


def counted(parts: Iterable[tuple[tuple[str, int], ...]]) -> tuple[tuple[str, int], ...]:
    """Sums of records that are no rows, by type."""
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(dict(part))
    return tuple(sorted(counts.items()))


def together(parts: Sequence[UnitRows]) -> UnitRows:
    """The rows of several units as one."""
    if len(parts) == 1:
        return parts[0]
    documents, bad = joined([part.documents for part in parts], DOCUMENT), joined([part.bad for part in parts], BAD_ROW)
    return UnitRows(documents, bad, counted(part.passed for part in parts), summed(part.replaced for part in parts))


def normalised(text: pa.LargeStringArray) -> pa.LargeStringArray:
    """Source texts (`pipeline.text.normalise`), whose kernels take 100 MB of memory: a process that only decodes does without."""
    from pipeline.text.normalise import normalise

    if not turns.marked(text).any():
        return normalise(text)
    pieces = turns.split(text)
    made = normalise(pieces.texts)
    return text if made is pieces.texts else turns.together(pieces, made)


def _utf8(values: Sequence[bytes]) -> pa.LargeStringArray:
    # Encoding first is faster than pa.array of str, which leaves a copy of its UTF-8 in each str. Joined, a lone value is not
    # copied, and more of them are copied once.
    offsets = np.cumsum([0, *map(len, values)], dtype=np.int64)
    return pa.LargeStringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(b"".join(values)))


def default_id(path: str, row: int) -> str:
    """Id of a row that has none: 32 hex digits of BLAKE2b-128 of its source_ref."""
    return blake2b(f"{path}#{row}".encode(), digest_size=16).hexdigest()


def _put_back(record: Json, key: str, value: Any) -> None:
    """What is not usable under its name is metadata; null and the empty string say no more than its absence."""
    if value is not None and value != "":
        record[key] = value


def _why_no_text(value: Any, column: str, *, record: Json, types: dict[str, str]) -> tuple[str, str]:
    if value is _MISSING:
        return "text_missing", f"no column {column!r}{_others(record, types)}"
    if value is None:
        return "text_null", f"column {column!r} is null"
    if type(value) is NotText:
        return value.cause, value.detail if value.cause == NO_CONVERSATION else f"column {column!r}: {value.detail}"
    kind = types.get(column) or _JSON_TYPES.get(type(value), type(value).__name__)
    return "text_not_a_string", f"column {column!r} is of type {kind}; a text is a string{_others(record, types)}"


class NotText:
    """Stands for a text that cannot be decoded, or a conversation that is none."""

    __slots__ = ("cause", "detail")

    def __init__(self, cause: str, detail: str) -> None:
        self.cause, self.detail = cause, detail


_JSON_TYPES = {dict: "object", list: "list", bool: "boolean", int: "number", float: "number", Number: "number", Odd: "number"}


def _others(record: Json, types: dict[str, str]) -> str:
    """What else there is to name in the plan."""
    names = [f"{visible(name, limit=40)}{f' ({visible(types[name], limit=80)})' if name in types else ''}" for name in record]
    if not names:
        return ""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"; there are: {', '.join(names[:_MOST_NAMES])}{more}. Name the text's column in source.text"
