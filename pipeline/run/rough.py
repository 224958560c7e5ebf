"""What a run will take, roughly, before anything is read: for `--explain`, which measures nothing (`--sample` does).

The figures are one measurement, scaled: the default plan over 80 MB of web pages in many languages (JSON lines, 21 MB as zstd)
took 13.0 CPU seconds, 3.0 of them whatever there is to do, and left 59 MB of output and 53 MB of work directory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.read.files import InputFile
from pipeline.text import numbers

BYTES_A_SECOND = 12e6
"""Of text, by one worker."""
START_S = 3.0
COMPILE_S = 15.0
"""To compile kernels, where none are kept."""
OUTPUT, WORK = 0.4, 0.45
"""Bytes on disk, in bytes of text: dropped documents kept in full."""
PACKED = 4.0
"""Bytes of text in one that is compressed, as web pages are by gzip and zstd."""
PARQUET = 2.0
FEW_S, HALF_S, MINUTE_S = 12.0, 45.0, 90.0


def rough(files: Sequence[tuple[InputFile, float]], *, workers: int, compiled: bool) -> Iterator[str]:
    """Lines on time and disk. `files`: with the share of each that is to be read and scored; `compiled`: kernels are kept."""
    text = sum(_text(file) for file, _ in files)
    left = sum(_text(file) * share for file, share in files)
    took = START_S + left / (BYTES_A_SECOND * workers) + (0 if compiled else COMPILE_S)
    once = "" if compiled else ", 15 s of it once, to compile kernels"
    yield f"time: {_in_words(took)}{once}, at {_about(BYTES_A_SECOND)} of text a second and worker ({workers} here)"
    yield f"disk: about {_about(OUTPUT * text)} of output and {_about(WORK * text)} of work directory, beside a report of 0.5 MB"


def _text(file: InputFile) -> float:
    return file.size * (PARQUET if file.format == "parquet" else PACKED if file.compression else 1.0)


def _about(size: float) -> str:
    """Bytes in two digits."""
    number, unit = numbers.size(float(f"{size:.2g}")).split(" ")
    return f"{float(number):g} {unit}"


def _in_words(seconds: float) -> str:
    if seconds < FEW_S:
        return "a few seconds"
    if seconds < HALF_S:
        return "about half a minute"
    if seconds < MINUTE_S:
        return "about a minute"
    minutes = seconds / 60
    return f"about {round(minutes)} minutes" if minutes < 100 else f"about {round(minutes / 60)} hours"
