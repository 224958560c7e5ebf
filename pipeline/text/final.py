"""Final text: what edits make of the source text, its size, and the hash by which exact duplicates are found.

Edits see the turns of a conversation one by one (`pipeline.text.turns`), and its hash counts who says what; its size is that of
the bare text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.edits.contract import Step, Walk, apply
from filters.kernels import buffers
from filters.kernels.unicode import fold
from pipeline.schema import FINAL
from pipeline.text import turns
from pipeline.text.masks import masked

VERSION = 3
BESIDE = ("url", "date", "metadata")
"""Columns of `DOCUMENT` that masks apply to beside the text. Of `source`, rows are masked when they are read."""
DIGEST_BYTES = 16
SLICE_BYTES = 1 << 20
"""Text folded at a time, or one longer text: the scratch of hashing. Chosen because 128 KiB to 8 MiB are equally fast."""


def text_hash(text: str) -> bytes:
    r"""BLAKE2b-128 of the text with ends stripped and each run of `\s` folded to one space; case and punctuation count.

    The definition; `text_hashes` gives the same, faster.
    """
    return blake2b(" ".join(text.split()).encode("utf-8"), digest_size=DIGEST_BYTES).digest()


EMPTY = text_hash("")
"""Hash of every text that has nothing but white space: such documents are dropped as `empty`."""


def text_hashes(text: pa.LargeStringArray) -> pa.FixedSizeBinaryArray:
    """`text_hash` of each text. Holds one slice of folded text at a time."""
    offsets, data = buffers.views(text)
    digests = bytearray()
    for first, stop in buffers.slices(offsets, SLICE_BYTES):
        digests += _digests(offsets[first : stop + 1], data)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(DIGEST_BYTES), len(text), [None, pa.py_buffer(digests)])


def _digests(offsets: np.ndarray, data: np.ndarray) -> bytes:
    """The hashes of these rows, end to end."""
    starts, folded = fold.folded(offsets, data)
    view = folded.data
    return b"".join(blake2b(view[a:b], digest_size=DIGEST_BYTES).digest() for a, b in pairwise(starts.tolist()))


def finish(text: pa.LargeStringArray, steps: Sequence[Step | Walk], beside: pa.Table | None = None) -> pa.Table:
    """`FINAL` for source texts: one row per text. `final_text` is null where no step changed it.

    `beside`: the rows' columns BESIDE, to which masks apply as well.
    """
    return applied(text, steps, beside)[0]


def applied(
    text: pa.LargeStringArray, steps: Sequence[Step | Walk], beside: pa.Table | None = None
) -> tuple[pa.Table, pa.LargeStringArray]:
    """`finish`, and the final texts."""
    n = len(text)
    edits: list[list[str]] = [[] for _ in range(n)]
    final = text
    final_text = pa.nulls(n, pa.large_string())
    talks = bool(turns.marked(text).any())
    if steps and n:
        final, changed = _applied_by_turn(steps, text) if talks else apply(steps, text)
        touched = np.zeros(n, dtype=bool)
        for name, rows in changed:
            for row in np.flatnonzero(rows).tolist():
                if name:
                    edits[row].append(name)
            touched |= rows
        if touched.any():
            final_text = pa.compute.if_else(pa.array(touched), final, pa.scalar(None, pa.large_string()))
    made = pa.table(
        [
            final_text,
            pa.array(edits, pa.list_(pa.string())),
            text_hashes(final),
            pa.array(turns.lengths(final)) if talks else pa.compute.binary_length(final).cast(pa.int64()),
            *_beside(beside, steps, n),
        ],
        schema=FINAL,
    )
    return made, final


def _applied_by_turn(
    steps: Sequence[Step | Walk], text: pa.LargeStringArray
) -> tuple[pa.LargeStringArray, list[tuple[str, np.ndarray]]]:
    """As `apply`, where some texts are conversations, each piece of which is a text to an edit. A conversation of which an edit
    leaves a piece without text has no text any more, under no name: half a conversation is none."""
    pieces = turns.split(text)
    made, changed = apply(steps, pieces.texts)
    rows = pieces.rows
    empty = _blank(made) & (pieces.marks > 0)
    touched, gone = np.zeros(len(text), bool), np.zeros(len(text), bool)
    by_row: list[tuple[str, np.ndarray]] = []
    for name, which in changed:
        by_row.append((name, np.zeros(len(text), bool)))
        by_row[-1][1][rows[which]] = True
        touched |= by_row[-1][1]
    gone[rows[empty]] = True
    final = turns.together(pieces, made) if touched.any() else text
    if gone.any():
        final = pc.if_else(pa.array(gone), pa.scalar("", pa.large_string()), final)
        by_row.append(("", gone))
    return final, by_row


def emptied(steps: Sequence[Step | Walk], pieces: pa.LargeStringArray) -> np.ndarray:
    """bool: of which pieces of conversations edits leave no text."""
    return _blank(apply(steps, pieces)[0])


def _blank(texts: pa.LargeStringArray) -> np.ndarray:
    found: np.ndarray = pc.equal(pc.utf8_trim_whitespace(texts), "").to_numpy(zero_copy_only=False)
    return found


def _beside(beside: pa.Table | None, steps: Sequence[Step | Walk], n: int) -> list[pa.Array]:
    if beside is None:
        return [pa.nulls(n, pa.large_string())] * len(BESIDE)
    return [masked(beside[name], steps, json=name == "metadata") for name in BESIDE]


def columns(*names: str) -> list[str]:
    """The columns of `FINAL` that are read for the final values of these columns of `DOCUMENT`: text, and those BESIDE."""
    return [f"final_{name}" for name in names]


def merged(name: str, documents: pa.Table, finished: pa.Table) -> pa.ChunkedArray:
    """The final values of a column of `DOCUMENT`. `finished`: the same rows of `FINAL`, with `columns(name)`."""
    return _merged(documents[name], finished[f"final_{name}"])


def texts(source: pa.ChunkedArray | pa.Array, finished: pa.Table) -> pa.LargeStringArray:
    """The final text of each row, as one array. `finished`: the same rows of `FINAL`, with `columns("text")`."""
    return one_chunk(_merged(source, finished["final_text"]))


def completed(finished: pa.Table, source: Callable[[np.ndarray], pa.ChunkedArray]) -> pa.ChunkedArray | pa.Array:
    """The final text of each row. `source`: gives the source texts of the rows that no step changed (bool), if there are any."""
    unedited = ~edited(finished)
    if not unedited.any():
        return finished["final_text"]
    found = source(unedited)
    if unedited.all():
        return found
    return pc.if_else(pa.array(unedited), _spread(one_chunk(found), unedited), one_chunk(finished["final_text"]))


def _spread(texts: pa.LargeStringArray, places: np.ndarray) -> pa.LargeStringArray:
    """The texts, one after the other, at these places (bool), and empty ones elsewhere: over the same memory."""
    offsets, data = buffers.views(texts)
    ends = np.full(len(places) + 1, offsets[0])
    ends[1:] = offsets[np.cumsum(places)]
    return pa.LargeStringArray.from_buffers(len(places), pa.py_buffer(ends), pa.py_buffer(data))


def edited(finished: pa.Table) -> np.ndarray:
    """bool: the rows whose text a step changed."""
    return finished["final_text"].is_valid().to_numpy()


def _merged(before: pa.ChunkedArray | pa.Array, after: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """`after` where it is there, `before` elsewhere; no copy where no value changed."""
    if after.null_count == len(after):
        return before
    return pc.if_else(after.is_valid(), after, before.cast(pa.large_string()))


def one_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The column as one array, without a copy where it is one already."""
    if isinstance(column, pa.Array):
        return column
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
