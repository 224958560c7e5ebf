"""Compiles or loads every kernel once, in the parent, so that no worker thread or process compiles one of its own.

Add a kernel by adding a function to KERNELS that calls it with arguments of the types it gets in a run: numba compiles per
type, and Arrow's read-only views are a type of their own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from filters.kernels import (
    buffers,
    c4_lines,
    dedup_pass,
    facts,
    fold,
    lines,
    minhash,
    phrases,
    refinedweb_lines,
    repeats,
    word_lists,
)

_OFFSETS, _DATA = buffers.views(pa.array(["the end", "…"], pa.large_string()))


def _facts() -> None:
    facts.text_facts(_OFFSETS, _DATA)


def _lines() -> None:
    lines.lines(_OFFSETS, _DATA, all_breaks=True)


def _line_edits() -> None:
    c4_lines.clean(_OFFSETS, _DATA, c4_lines.LineRules(False, 1000, True, True, 3, True, True))
    refinedweb_lines.clean(_OFFSETS, _DATA, refinedweb_lines.LineRules(True, 0.5, 1.0, True, 2, True))
    refinedweb_lines.counted_words(_OFFSETS, _DATA)
    repeats.cut(_OFFSETS, _DATA, 100)
    phrases.found(_OFFSETS, _DATA, phrases.compile_phrases(("the",)))


def _fold() -> None:
    fold.folded(_OFFSETS, _DATA)


def _word_lists() -> None:
    lists = word_lists.compile_lists([["the"]])
    word_lists.distinct_members(_OFFSETS, _DATA, np.zeros(2, np.int16), lists)


def _minhash() -> None:
    chosen = minhash.permutations("default", 16)
    _, least = minhash.signatures(_OFFSETS, _DATA, ngram=1, permutations=chosen, family="default")
    minhash.band_keys(least, bands=2, rows=8)
    minhash.shingles(_OFFSETS, _DATA, ngram=1)


KERNELS: list[Callable[[], None]] = [_facts, _lines, _line_edits, _fold, _word_lists, _minhash, dedup_pass.warm]


def warm() -> None:
    """Calls each kernel on two tiny texts: seconds when nothing is cached, a fraction of one otherwise."""
    for kernel in KERNELS:
        kernel()
