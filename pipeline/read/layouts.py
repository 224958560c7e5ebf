"""Whether the rows of a source are texts or conversations, where the plan leaves that to the rows.

The first file that can have columns is looked at, as a run reads it: rows that have a column `text` are texts, as are those of a
plan that names another column for it; else the columns of the first row say which layout it is. All files of the source are then
read so, and in later generations too: what a row is never depends on its neighbours, and one of another kind is a bad row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from pipeline.errors import WinnowError
from pipeline.read import peek
from pipeline.read.files import ANY, InputFile, Inputs
from pipeline.text.conversations import AUTO, TEXT

_COLUMNED = ("jsonl", "json", "json_members", "json_table", "parquet", "hf", "")


def known(inputs: Inputs, recorded: Mapping[str, str] | None = None) -> Inputs:
    """The inputs, of each of which it is known what its rows are. `recorded`: source → format, of what an output has read."""
    asked = {file.source for file in inputs.files if file.turns == AUTO}
    formats = {source: (recorded or {}).get(source) for source in asked}
    layouts = {source: _of(inputs.files, source) if one is None else _layout(one) for source, one in formats.items()}
    if not layouts:
        return inputs
    files = [replace(file, turns=layouts[file.source]) if file.turns == AUTO else file for file in inputs.files]
    return replace(inputs, files=files)


def _layout(format_: str) -> str:
    return "" if format_ == TEXT else format_


def _of(files: Sequence[InputFile], source: str) -> str:
    of_source = [file for file in files if file.source == source and file.format in _COLUMNED and file.text == TEXT]
    return layout_in(of_source[0]) if of_source else ""


def layout_in(file: InputFile) -> str:
    """The layout of a file's first rows; empty where they have the text's column, or cannot be read."""
    try:
        found = peek.first_rows(replace(file, text=ANY, id=ANY, turns=""))
    except (WinnowError, OSError):
        return ""  # the run meets it too, and says it
    values = found.documents["metadata"].slice(0, peek.ROWS).to_pylist()
    return peek.layout_of_rows([orjson.loads(value) for value in values])
