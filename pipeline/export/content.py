"""What an export writes of each document: its tokens, or a line of JSON. Both are values end to end, with the length of each.

A document's size is what mixes and budgets count: tokens where a tokenizer counts them, the one that ends the document among
them, else the bytes of its final text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from pipeline import schema
from pipeline.export.tokenizer import ExportTokenizer
from pipeline.stages.shards import conversation_columns
from pipeline.text import exact_json
from pipeline.text.conversations import LAYOUTS

BATCH_BYTES = 2_000_000
"""Text that is tokenised at a time: the library holds some hundred bytes a token until its numbers are taken out."""
VERSION = 1
"""Of what is written of a document; it rises when that changes for the same text and tokenizer."""


@dataclass(frozen=True)
class Values:
    """Values of some documents end to end, how many each has, and the size of each; `ended`: see `pipeline.export.tokenizer`."""

    values: np.ndarray
    lengths: np.ndarray
    sizes: np.ndarray
    ended: int = 0


@dataclass(frozen=True)
class Content:
    """`lines`: JSON Lines; else tokens of a tokenizer. `data`: columns of data/; `layouts`: of its conversations."""

    tokenizer: ExportTokenizer | None
    lines: bool
    data: tuple[str, ...] = tuple(schema.DATA.names)
    layouts: tuple[str, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype("u1") if self.lines or self.tokenizer is None else self.tokenizer.dtype

    @property
    def unit(self) -> str:
        return "tokens" if self.tokenizer is not None else "bytes"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of data/ that are written."""
        talks = (name for layout in self.layouts for name in LAYOUTS[layout].columns)
        return self.data if self.lines else tuple(dict.fromkeys(["text", "n_bytes", *talks]))

    @property
    def facts(self) -> tuple[object, ...]:
        """What decides the values besides the document."""
        from importlib.metadata import version

        known = self.tokenizer
        return (
            VERSION,
            self.lines,
            self.data,
            self.layouts,
            *((known.sha256, known.eos, version("tokenizers")) if known else ()),
        )

    def of(self, table: pa.Table, *, where: str) -> Values:
        """Values of the rows of a table of data/."""
        parts = [self._some(part, where) for part in batches(table)]
        if not parts:
            return Values(np.zeros(0, self.dtype), np.zeros(0, np.int64), np.zeros(0, np.int64))
        return Values(
            values=np.concatenate([part.values for part in parts]),
            lengths=np.concatenate([part.lengths for part in parts]),
            sizes=np.concatenate([part.sizes for part in parts]),
            ended=sum(part.ended for part in parts),
        )

    def _some(self, table: pa.Table, where: str) -> Values:
        tokens = None if self.tokenizer is None else self.tokenizer.encode(table["text"].to_pylist(), where=where)
        sizes = table["n_bytes"].to_numpy() if tokens is None else tokens.lengths
        if tokens is not None and not self.lines:
            return Values(tokens.values, tokens.lengths, sizes, tokens.ended)
        lines = [line(row, self.layouts) for row in table.select(self.data).to_pylist()]
        lengths = np.fromiter(map(len, lines), np.int64, len(lines))
        return Values(np.frombuffer(b"".join(lines), np.uint8), lengths, sizes, tokens.ended if tokens else 0)


def line(row: dict[str, Any], layouts: Sequence[str] = ()) -> bytes:
    """A row of data/ as a line of JSON: scores with the digits that they have, metadata as it was written, turns of conversations
    as their input had them."""
    shown = {name: np.float32(value) if isinstance(value, float) else value for name, value in row.items()}
    for layout in layouts:
        for name, value in conversation_columns.restored(layout, row).items():
            shown[name] = orjson.Fragment(exact_json.dumps(value))
    shown["metadata"] = orjson.Fragment(row["metadata"])
    return orjson.dumps(shown, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)


def batches(table: pa.Table) -> Iterator[pa.Table]:
    """The rows in order, about `BATCH_BYTES` of text at a time, a document at least."""
    ends = np.cumsum(table["n_bytes"].to_numpy())
    start = 0
    while start < table.num_rows:
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + BATCH_BYTES, side="right")))
        yield table.slice(start, stop - start)
        start = stop
