"""A document's source text, read from the input again: where edits changed the text, and the work directory is gone.

Only local files that are still byte for byte what the run read, of at most MOST bytes: whoever asks waits for it.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline import read
from pipeline.errors import WinnowError
from pipeline.output.manifest import Manifest
from pipeline.plan.load import part_of_output
from pipeline.read import layouts
from pipeline.read.expansion import expand
from pipeline.text import turns

MOST = 1_000_000_000
"""Chosen because files of that size are identified and read in some ten seconds."""


def source_text(made: Manifest, source_ref: str) -> str | None:
    """The text of a row of this generation before edits; None where its file is gone, changed, large or remote."""
    path, _, number = source_ref.rpartition("#")
    record = next((record for record in made.inputs if record.path == path), None)
    try:
        sources = part_of_output(made.plan, "source", where="the plan of the output").source
        if record is None or any("://" in place for source in sources for place in source.paths):
            return None
        file = next((file for file in layouts.known(expand(sources)).files if file.path == path), None)
        if file is None or not Path(file.url).is_file() or file.size > MOST or read.units_of(file).content != record.content:
            return None
        for found in read.rows_of(file):
            rows = pl.DataFrame(found.documents.select(["row", "text"])).filter(pl.col("row") == int(number))
            if len(rows):
                return turns.without_marks(str(rows["text"][0]))
    except (WinnowError, OSError):  # the input is where it was no longer, or not as it was
        return None
    return None
