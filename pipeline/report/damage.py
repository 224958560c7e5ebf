"""Damaged input files in words, for terminal and report: as loud as what was lost."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.records.metrics_json import DamagedFile
from pipeline.text import numbers


def headline(files: Sequence[DamagedFile]) -> str:
    """What was lost of all of them."""
    lost, cut = sum(file.lost_rows for file in files), sum(file.cut for file in files)
    said = f"{numbers.count(len(files))} input file{'s are' if len(files) != 1 else ' is'} damaged: "
    said += f"{'at least ' if cut else ''}{numbers.count(lost)} row{'s' if lost != 1 else ''} lost"
    return said + (
        f", {numbers.count(cut)} end{'s' if cut == 1 else ''} before {'it' if cut == 1 else 'they'} should" if cut else ""
    )


def in_words(file: DamagedFile) -> str:
    """One file: how much of it is lost, and what happened."""
    total = file.rows + file.lost_rows
    rows = f"{numbers.count(file.lost_rows)} of {numbers.count(total)} rows lost ({numbers.percent(file.lost_share)})"
    if file.cut and file.lost_rows <= 1:
        rows = f"{numbers.count(file.rows)} rows read, nothing tells how many are missing"
    elif file.cut:
        rows = f"at least {rows}"
    return f"{file.path}: {'ends before it should; ' if file.cut else ''}{rows}; {file.cause}: {file.detail}"
