"""A conversation as one text: its pieces in order, each behind a mark that says whose it is.

Marks are control characters, which `pipeline.text.normalise` takes out of every text, so that no other text begins with one. The
texts of the work directory and of the dedup index have them: exact and near duplicates are told by who says what. Filters,
tokenizers, `data/` and people see the bare text, in which a blank line stands between two pieces.

Invariant: `bare(together(split(text), same texts)) == bare(text)`, and a text without marks is one piece, as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

USER, ASSISTANT, MORE, REJECTED = "\x01", "\x02", "\x03", "\x04"
"""Before what a user says, an assistant says, one more part of the same turn, and an answer that was not preferred."""
LAST = 4
BETWEEN = "\n\n"
"""Stands between two pieces: turns are paragraphs, so that no line or word goes over the end of one."""
_DELETED = dict.fromkeys(range(1, LAST + 1))
_NOTHING = "".join(map(chr, range(0x20))) + "\ufeff" + "".join(c for c in map(chr, range(0x20, 0x3001)) if c.isspace())
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b]")


def cleaned(text: str) -> str:
    """A piece without marks of its own and byte order marks in front; empty where it has no character that normalise leaves and
    that is not white space."""
    if text.isprintable():
        return "" if text.isspace() else text
    if not text.strip(_NOTHING):
        return ""
    if USER in text or ASSISTANT in text or MORE in text or REJECTED in text:
        text = _CONTROLS.sub("", text)
    return text.lstrip("\ufeff")


def unmarked(text: str) -> str:
    """A text that is no conversation, before normalise: where it begins with a mark, another control character stands for it."""
    return f"\0{text[1:]}" if "\x01" <= text[:1] <= "\x04" else text


def without_marks(text: str) -> str:
    """`bare` of one text."""
    return text.translate(_DELETED) if "\x01" <= text[:1] <= "\x04" else text


def joined(pieces: Iterable[tuple[str, str]]) -> str:
    """The text of these `(mark, piece)`."""
    return BETWEEN.join([mark + piece for mark, piece in pieces])


@dataclass(frozen=True)
class Pieces:
    """The pieces of n texts. `first`: int64[n + 1], those of row i are `first[i]:first[i + 1]`; `marks`: uint8, 0 where the whole
    text is the piece; `texts`: large_string. `starts`: int64, where each begins in its bare text, in bytes."""

    first: np.ndarray
    marks: np.ndarray
    texts: pa.LargeStringArray
    starts: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """int64: the row of each piece."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))


def marked(text: pa.LargeStringArray) -> np.ndarray:
    """bool[n]: which texts are conversations."""
    offsets, data = _views(text)
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    found = np.zeros(len(text), bool)
    found[filled] = _is_mark(data[offsets[filled]])
    return found


def bare(text: pa.LargeStringArray) -> pa.LargeStringArray:
    """The texts without marks; `text` itself where none has any."""
    if not marked(text).any():
        return text
    # A mark is no part of a piece, but what stands between two pieces is of the first one here.
    first, starts, stops, _ = _cut(text, gap=0)
    ends, data = _joined(starts, stops, text)
    return _array(ends[first], data)


def counts(text: pa.LargeStringArray) -> np.ndarray:
    """int64[n]: bytes of each text that are marks, all of them conversations or without text; without kernels."""
    offsets, data = _views(text)
    at = np.flatnonzero(_is_mark(data[offsets[0] : offsets[-1]])) + offsets[0]
    made: np.ndarray = np.diff(np.searchsorted(at, offsets))
    return made


def lengths(text: pa.LargeStringArray) -> np.ndarray:
    """int64[n]: UTF-8 bytes of each bare text."""
    first, starts, stops, _ = _cut(text, gap=0)
    ends = np.append(0, np.cumsum(stops - starts))
    made: np.ndarray = np.diff(ends[first])
    return made


def split(text: pa.LargeStringArray) -> Pieces:
    """The pieces of each text."""
    first, starts, stops, marks = _cut(text, gap=len(BETWEEN))
    ends, data = _joined(starts, stops, text)
    rows = np.repeat(np.arange(len(text)), np.diff(first))
    before = np.arange(len(rows)) - first[rows] + (marks > 0)  # marks in front of a piece
    return Pieces(first, marks, _array(ends, data), starts - _views(text)[0][rows] - before)


def together(pieces: Pieces, texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """The texts whose pieces say `texts` instead."""
    prefixes = pa.array(["", USER, ASSISTANT, MORE, REJECTED], pa.large_string()).take(pa.array(pieces.marks))
    said = pc.binary_join_element_wise(prefixes, texts, pa.scalar("", pa.large_string()))
    lists = pa.ListArray.from_arrays(pa.array(pieces.first, pa.int32()), said)
    return pc.binary_join(lists, pa.scalar(BETWEEN, pa.large_string()))


def _views(text: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
    """As `filters.kernels.buffers.views`."""
    _, offsets, data = text.buffers()
    found = np.frombuffer(offsets, np.int64) if len(text) and offsets is not None else np.zeros(1, np.int64)
    held = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
    found = found[text.offset : text.offset + len(text) + 1] if len(text) else found
    found.flags.writeable = held.flags.writeable = False
    return found, held


def _is_mark(data: np.ndarray) -> np.ndarray:
    return (data - np.uint8(1)) < LAST


def _cut(text: pa.LargeStringArray, *, gap: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from filters.kernels.formats import marks  # a process that only decodes does without 100 MB of kernels

    return marks.pieces(*_views(text), gap=gap)


def _joined(starts: np.ndarray, stops: np.ndarray, text: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
    from filters.kernels.formats import marks

    return marks.joined(starts, stops, _views(text)[1])


def _array(offsets: np.ndarray, data: np.ndarray) -> pa.LargeStringArray:
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
