r"""Decoded text to source text, the first of the two texts (the edits make the other).

CRLF and CR become LF, one leading BOM is removed, C0 controls except tab and newline are removed, then NFC; nothing else.
The oracle, in plain Python, is `repaired`; `normalise` equals it row by row. Rows whose bytes show that nothing can change
are never decoded: a text without controls and BOM in which each character has the property NFC_Quick_Check=Yes and
combining class 0 is in NFC (Unicode Standard Annex 15, section 9).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.kernels.buffers import views

VERSION = 1

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f]")
_BOM = "\ufeff"
_BLOCK = 1 << 18
"""Bytes looked at in one go; chosen because the block and its masks then stay in a core's second-level cache."""
_LONG_RUN = 128
"""Marks in a row beyond which they are sorted here: CPython's normalize sorts a run of n marks in n² steps."""


def normalise(text: pa.LargeStringArray) -> pa.LargeStringArray:
    """Source texts of `text` (valid UTF-8, no nulls). Returns `text` itself if no row changes."""
    suspects, long_runs = _suspects(text)
    rows, repairs = [], []
    for row in suspects.tolist():
        old = text[row].as_py()
        new = repaired(_with_marks_sorted(old) if row in long_runs else old)
        if new != old:
            rows.append(row)
            repairs.append(new)
    if not rows:
        return text
    changed = np.zeros(len(text), dtype=bool)
    changed[rows] = True
    return pc.replace_with_mask(text, pa.array(changed), pa.array(repairs, pa.large_string()))


def repaired(text: str) -> str:
    """The source text of one text: the definition."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix(_BOM)
    text = _CONTROLS.sub("", text)
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def _suspects(text: pa.LargeStringArray) -> tuple[np.ndarray, frozenset[int]]:
    """Rows, ascending, that hold a suspect character, and those of them with a long run of such."""
    offsets, data = views(text)
    start, stop = int(offsets[0]), int(offsets[-1])
    leads, points = _suspect_tables()
    found = []
    mask = np.empty(_BLOCK, dtype=bool)
    for begin in range(start, stop, _BLOCK):
        block = data[begin : min(begin + _BLOCK, stop)]
        # mode="clip" is numpy's fast path; no byte exceeds the table.
        positions = np.flatnonzero(np.take(leads, block, out=mask[: len(block)], mode="clip")) + begin
        if len(positions):
            found.append(positions[points[_code_points(data, positions)]])
    if not found:
        return np.zeros(0, dtype=np.int64), frozenset()
    positions = np.concatenate(found)
    rows = np.searchsorted(offsets, positions, side="right") - 1
    return np.unique(rows), frozenset(rows[_ends_of_long_runs(positions)].tolist())


def _code_points(data: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Code points of the UTF-8 characters whose first bytes stand at `positions`."""
    lead = data[positions].astype(np.int32)
    code = lead.copy()
    last = len(data) - 1
    follow = [(data[np.minimum(positions + k, last)] & 0x3F).astype(np.int32) for k in (1, 2)]
    two, three, four = (lead >= 0xC2) & (lead < 0xE0), (lead >= 0xE0) & (lead < 0xF0), lead >= 0xF0
    code = np.where(two, (lead & 0x1F) << 6 | follow[0], code)
    code = np.where(three, (lead & 0x0F) << 12 | follow[0] << 6 | follow[1], code)
    if four.any():
        third = (data[np.minimum(positions + 3, last)] & 0x3F).astype(np.int32)
        code = np.where(four, (lead & 0x07) << 18 | follow[0] << 12 | follow[1] << 6 | third, code)
    return code


def _ends_of_long_runs(positions: np.ndarray) -> np.ndarray:
    """Indices into `positions` that have `_LONG_RUN` neighbours before them, each at most one character (4 bytes) apart."""
    index = np.arange(len(positions))
    first = np.maximum.accumulate(np.where(np.diff(positions, prepend=-8) > 4, index, 0))
    return np.flatnonzero(index - first >= _LONG_RUN)


@lru_cache(maxsize=1)
def _suspect_tables() -> tuple[np.ndarray, np.ndarray]:
    """`(leads bool[256], points bool[0x110000])`: suspect code points, and the first bytes that one of them has in UTF-8."""
    suspect = {*range(0x09), *range(0x0B, 0x20), ord(_BOM)}
    # Hangul vowels and final consonants compose with what stands before them; `decomposition` does not list them.
    suspect |= {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}
    # Below U+0300 every character is NFC_Quick_Check=Yes of class 0; so are those of the planes and ranges left out
    # (tests/read/test_normalise.py walks them all).
    for code in (*range(0x300, 0xAC00), *range(0xF900, 0x20000), *range(0x2F800, 0x2FA20)):
        char = chr(code)
        if unicodedata.combining(char) or not unicodedata.is_normalized("NFC", char):
            suspect.add(code)
        parts = unicodedata.decomposition(char)
        if parts and not parts.startswith("<"):
            suspect |= {int(part, 16) for part in parts.split()[1:]}
    points = np.zeros(0x110000, dtype=bool)
    points[list(suspect)] = True
    leads = np.zeros(256, dtype=bool)
    leads[[chr(code).encode("utf-8")[0] for code in suspect]] = True
    return leads, points


def _with_marks_sorted(text: str) -> str:
    """A canonically equivalent text whose marks are in canonical order, in n·log n steps."""
    out: list[str] = []
    marks: list[str] = []
    for part in map(_decomposed, text):
        for char in part:
            if unicodedata.combining(char):
                marks.append(char)
            else:
                out += sorted(marks, key=unicodedata.combining)
                out.append(char)
                marks.clear()
    return "".join(out + sorted(marks, key=unicodedata.combining))


def _decomposed(char: str) -> str:
    return unicodedata.normalize("NFD", char)
