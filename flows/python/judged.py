"""What `judge` gives back: a sequence of verdicts that a notebook shows as a table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import overload

import polars as pl

from flows.python.pages import paragraphs, table_of
from pipeline.report import table
from pipeline.run.texts import JudgedTexts, TextVerdict
from pipeline.text import numbers
from pipeline.text.visible import folded

MOST_ROWS = 20
"""Verdicts that are shown: chosen so that they stay on a screen; `frame` has all."""
EXCERPT = 80
_HEAD = (">text", "verdict", "reason", "edits", "begins")


class Judged(Sequence[TextVerdict]):
    """One verdict for each text, in their order. `notes`: what a list of texts cannot answer."""

    def __init__(self, made: JudgedTexts) -> None:
        self._made = made

    @property
    def notes(self) -> tuple[str, ...]:
        return self._made.notes

    @cached_property
    def frame(self) -> pl.DataFrame:
        """A row for each text: `kept`, `stage`, `reason`, `failed`, `edits`, `duplicate_of`, `similarity`, `text`, signals."""
        schema = pl.Schema(
            {
                "kept": pl.Boolean(),
                "stage": pl.String(),
                "reason": pl.String(),
                "failed": pl.List(pl.String()),
                "edits": pl.List(pl.String()),
                "duplicate_of": pl.Int64(),
                "similarity": pl.Float64(),
                "text": pl.String(),
            }
        )
        own = pl.DataFrame({n: [getattr(one, n) for one in self] for n in schema}, schema=schema)
        return pl.concat([own, self._made.signals], how="horizontal")

    @overload
    def __getitem__(self, at: int) -> TextVerdict: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[TextVerdict]: ...
    def __getitem__(self, at: int | slice) -> TextVerdict | Sequence[TextVerdict]:
        return self._made.verdicts[at]

    def __len__(self) -> int:
        return len(self._made.verdicts)

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(number),
                "kept" if one.kept else "quarantined" if one.text is None else "dropped",
                (one.reason or "") + (f" of {one.duplicate_of}" if one.duplicate_of is not None else ""),
                ", ".join(one.edits),
                folded((one.text or "")[: 10 * EXCERPT], limit=EXCERPT),
            )
            for number, one in enumerate(self._made.verdicts[:MOST_ROWS])
        ]

    def _closing(self) -> list[str]:
        kept = sum(one.kept for one in self)
        shown = f"; {MOST_ROWS} shown, frame has all" if len(self) > MOST_ROWS else ""
        return [f"{numbers.count(kept)} of {numbers.counted(len(self), 'text')} kept{shown}", *self.notes]

    def __repr__(self) -> str:
        return table.text([table.table(_HEAD, self._rows()), *self._closing()]).rstrip("\n")

    def _repr_html_(self) -> str:
        return str(table_of(_HEAD, self._rows()) + paragraphs(self._closing()))
