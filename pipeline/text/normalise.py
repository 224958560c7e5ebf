r"""Decoded text to source text, the first of the two texts (the edits make the other).

CRLF and CR become LF, one leading BOM is removed, C0 controls except tab and newline are removed, then NFC; nothing else. Where
those that `str.split` takes for white space (form feeds between pages, vertical tabs, separators of records) stand between two
other characters, one space takes their place: without it they would join two words.
The oracle, in plain Python, is `repaired`; `normalise` equals it row by row. Rows whose bytes show that nothing can change
are never decoded: a text without controls and BOM in which each character has the property NFC_Quick_Check=Yes and
combining class 0 is in NFC (Unicode Standard Annex 15, section 9).
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.kernels.buffers import views
from filters.kernels.unicode import suspects

VERSION = 2

_REMOVED = re.compile("[\x00-\x08\x0b-\x1f]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b]")
_BETWEEN = re.compile(r"(?<=\S)[\x0b\x0c\x1c-\x1f]+(?=\S)")
_WHITE = re.compile("[\x0b\x0c\x1c-\x1f]")
_BOM = "\ufeff"
_LONG_RUN = 128
"""Marks in a row beyond which they are sorted here: CPython's normalize sorts a run of n marks in n² steps."""


def normalise(text: pa.LargeStringArray) -> pa.LargeStringArray:
    """Source texts of `text` (valid UTF-8, no nulls). Returns `text` itself if no row changes."""
    suspect, long_run = suspects.suspects(*views(text), *suspects.tables(), long_run=_LONG_RUN)
    rows, repairs = [], []
    for row in np.flatnonzero(suspect).tolist():
        old = text[row].as_py()
        new = repaired(_with_marks_sorted(old) if long_run[row] else old)
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
    if _REMOVED.search(text):  # of suspect texts most have none, and the patterns below look at each character
        text = _WHITE.sub("", _BETWEEN.sub(" ", _CONTROLS.sub("", text)))
    return unicodedata.normalize("NFC", text)  # which gives a text back as it is where a quick look shows that it is NFC


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
