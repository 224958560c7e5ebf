"""What a person is shown of a conversation: who says what, and of which piece edits left nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.inspect.output import Output
from pipeline.output import layouts
from pipeline.stages.shards.conversation_columns import restored
from pipeline.text import final
from pipeline.text.conversations import LAYOUTS, Piece, walk
from pipeline.text.turns import ASSISTANT, REJECTED, USER
from pipeline.text.visible import folded

MOST, EXCERPT = 12, 160
"""Pieces that are shown, and characters of each."""
_WHO = {USER: "user", ASSISTANT: "assistant", REJECTED: "assistant (rejected)"}


def columns(output: Output) -> list[str]:
    """Of its shards, those that hold conversations."""
    return [name for layout in layouts.of_output(output.live) for name in LAYOUTS[layout].columns]


def lines(output: Output, row: pl.DataFrame, *, emptied: bool) -> tuple[str, ...]:
    """A line for each piece of a row of data/ or rejected/, which has `columns`. `emptied`: edits left one without text."""
    (record,) = row.to_dicts()
    for layout in layouts.of_output(output.live):
        found = restored(layout, record)
        if all(name in found for name in LAYOUTS[layout].required):
            return tuple(_lines(output, walk(LAYOUTS[layout], found), emptied=emptied))
    return ()


def _lines(output: Output, pieces: list[Piece], *, emptied: bool) -> Iterator[str]:
    texts = pa.array([piece.text for piece in pieces], pa.large_string())
    gone = final.emptied(output.recipe.steps, texts) if emptied else np.zeros(len(pieces), bool)
    shown = [i for i in range(len(pieces)) if i < MOST or gone[i]]
    who = ""
    for i, piece in enumerate(pieces):
        who = _WHO.get(piece.mark, who)
        if i in shown:
            mark = ", WHICH EDITS EMPTY" if gone[i] else ""
            yield f"  {who}{mark}: {folded(piece.text[: 4 * EXCERPT], limit=EXCERPT)}"
    if len(pieces) > len(shown):
        yield f"  and {len(pieces) - len(shown):,} more"
