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
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b]")


def cleaned(text: str) -> str:
    """A piece without the control characters that normalise would take out, marks among them."""
    return _CONTROLS.sub("", text) if not text.isprintable() else text


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
    offsets, data = _views(text)
    at = _places(text, offsets, data)
    if not len(at):
        return text
    keep = np.ones(offsets[-1] - offsets[0], bool)
    keep[at - offsets[0]] = False
    made = offsets - offsets[0] - np.searchsorted(at, offsets)
    return _array(made, data[offsets[0] : offsets[-1]][keep], text)


def lengths(text: pa.LargeStringArray) -> np.ndarray:
    """int64[n]: UTF-8 bytes of each bare text."""
    offsets, data = _views(text)
    at = _places(text, offsets, data)
    return np.diff(offsets) - np.diff(np.searchsorted(at, offsets))


def split(text: pa.LargeStringArray) -> Pieces:
    """The pieces of each text."""
    offsets, data = _views(text)
    at = _places(text, offsets, data)
    whole = np.flatnonzero(~marked(text))
    row = np.concatenate([np.searchsorted(offsets, at, "right") - 1, whole])
    # An empty text begins where the next one does: by row first.
    order = np.lexsort((np.concatenate([at, offsets[whole]]), row))
    starts = np.concatenate([at + 1, offsets[whole]])[order]
    row = row[order]
    marks = np.concatenate([data[at] if len(at) else np.zeros(0, np.uint8), np.zeros(len(whole), np.uint8)])[order]
    first = np.searchsorted(row, np.arange(len(text) + 1))
    last = np.zeros(len(row), bool)
    last[first[1:] - 1] = True
    stops = np.where(last, offsets[row + 1], np.append(starts[1:], 0) - 1 - len(BETWEEN))
    within = starts - offsets[row] - (np.arange(len(row)) - first[row] + (marks > 0))
    keep = np.zeros(offsets[-1] - offsets[0] + 1, np.int8)
    np.add.at(keep, starts - offsets[0], 1)
    np.subtract.at(keep, stops - offsets[0], 1)
    chosen = data[offsets[0] : offsets[-1]][np.cumsum(keep[:-1], dtype=np.int8) > 0]
    ends = np.append(0, np.cumsum(stops - starts))
    return Pieces(first.astype(np.int64), marks, _array(ends, chosen, text), within)


def together(pieces: Pieces, texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """The texts whose pieces say `texts` instead."""
    prefixes = pa.array(["", USER, ASSISTANT, MORE, REJECTED], pa.large_string()).take(pa.array(pieces.marks))
    said = pc.binary_join_element_wise(prefixes, texts, pa.scalar("", pa.large_string()))
    lists = pa.ListArray.from_arrays(pa.array(pieces.first, pa.int32()), said)
    return pc.binary_join(lists, pa.scalar(BETWEEN, pa.large_string()))


def _views(text: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
    _, offsets, data = text.buffers()
    if not len(text) or offsets is None:
        return np.zeros(len(text) + 1, np.int64), np.zeros(0, np.uint8)
    found = np.frombuffer(offsets, np.int64)[text.offset : text.offset + len(text) + 1]
    return found, np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)


def _is_mark(data: np.ndarray) -> np.ndarray:
    return (data - np.uint8(1)) < LAST


def _places(text: pa.LargeStringArray, offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
    """int64, ascending: where the marks of conversations stand in `data`."""
    talks = marked(text)
    if not talks.any():
        return np.zeros(0, np.int64)
    at = np.flatnonzero(_is_mark(data[offsets[0] : offsets[-1]])) + offsets[0]
    return at if talks.all() else at[talks[np.searchsorted(offsets, at, "right") - 1]]


def _array(offsets: np.ndarray, data: np.ndarray, like: pa.LargeStringArray) -> pa.LargeStringArray:
    """An array of these buffers, null where `like` is (which has as many rows, or no null)."""
    made = pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(data))
    return pc.if_else(like.is_valid(), made, pa.scalar(None, pa.large_string())) if like.null_count else made
