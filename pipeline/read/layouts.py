"""Whether the rows of a source are texts or conversations, where the plan leaves that to the rows.

The first file that can have columns is looked at, as a run reads it: rows that have the text's column are texts; else the columns
of the first row say which layout it is. All files of the source are then read so, and a row of another kind is a bad row: what a
row is never depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import orjson

from pipeline.errors import WinnowError
from pipeline.read import peek
from pipeline.read.files import ANY, InputFile, Inputs
from pipeline.text.conversations import AUTO, layout_of

_DEFAULT = "text"
"""The column of the text that no plan names: a plan that names one has texts."""
_COLUMNED = ("jsonl", "json", "json_members", "json_table", "parquet", "hf", "")
ROWS = 20
"""Rows that are looked at: the first may be one that says nothing."""


def known(inputs: Inputs) -> Inputs:
    """The inputs, of each of which it is known what its rows are."""
    layouts = {source: _of(inputs.files, source) for source in {file.source for file in inputs.files if file.turns == AUTO}}
    if not layouts:
        return inputs
    files = [replace(file, turns=layouts[file.source]) if file.turns == AUTO else file for file in inputs.files]
    return replace(inputs, files=files)


def _of(files: Sequence[InputFile], source: str) -> str:
    of_source = [file for file in files if file.source == source and file.format in _COLUMNED and file.text == _DEFAULT]
    return layout_in(of_source[0]) if of_source else ""


def layout_in(file: InputFile) -> str:
    """The layout of a file's first rows; empty where they have the text's column, or cannot be read."""
    try:
        found = peek.first_rows(replace(file, text=ANY, id=ANY, turns=""))
    except (WinnowError, OSError):
        return ""  # the run meets it too, and says it
    rows = [orjson.loads(value) for value in found.documents["metadata"].slice(0, ROWS).to_pylist()]
    if any(row.get(file.text) is not None for row in rows):
        return ""
    return next(filter(None, map(layout_of, rows)), "")
