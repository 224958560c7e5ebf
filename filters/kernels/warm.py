"""Compiles or loads every kernel once, in the parent, so that no worker thread or process compiles one of its own.

Kernels that few plans need are not in the list: who uses them calls their module's `warm` first, in the parent too. Those of
`ngrams_large` are compiled when the first text of over a megabyte comes (7 s, once per machine).

Add a kernel by adding a function to KERNELS that calls it with arguments of the types it gets in a run: numba compiles per
type, and Arrow's read-only views are a type of their own; so are those of bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from filters.kernels import (
    bits,
    dedup_pass,
    facts,
    fold,
    gopher,
    lines,
    minhash,
    ngrams,
    pii,
    segments,
    sorting,
    suspects,
    tokens,
    word_lists,
)

_OFFSETS, _DATA = np.frombuffer(np.array([0, 7, 10]).tobytes(), np.int64), np.frombuffer("the end…".encode(), np.uint8)


def _facts() -> None:
    facts.text_facts(_OFFSETS, _DATA)


def _lines() -> None:
    lines.lines(_OFFSETS, _DATA, all_breaks=True)


def _ngrams() -> None:
    for kind in (ngrams.SPLIT, tokens.DATATROVE):
        ngrams.repetition(_OFFSETS, _DATA, kind=kind)
        ngrams.repetition(_OFFSETS, _DATA, kind=kind, max_probes=0)


def _tokens() -> None:
    lists = word_lists.compile_lists([["the"]])
    tokens.token_facts(_OFFSETS, _DATA, np.zeros(2, np.int16), lists)
    word_lists.occurrences(_OFFSETS, _DATA, np.zeros(2, np.int16), lists)


def _segments() -> None:
    segments.segments(_OFFSETS, _DATA, kind=segments.LINES)


def _gopher() -> None:
    gopher.lines(_OFFSETS, _DATA)
    gopher.words(_OFFSETS, _DATA)


def _fold() -> None:
    fold.folded(_OFFSETS, _DATA)


def _suspects() -> None:
    suspects.suspects(_OFFSETS, _DATA, np.zeros(0x110000, bool), np.zeros(256, bool), long_run=1)


def _word_lists() -> None:
    lists = word_lists.compile_lists([["the"]])
    word_lists.distinct_members(_OFFSETS, _DATA, np.zeros(2, np.int16), lists)


def _minhash() -> None:
    chosen = minhash.permutations("default", 16)
    _, least = minhash.signatures(_OFFSETS, _DATA, ngram=1, permutations=chosen, family="default")
    minhash.band_keys(least, bands=2, rows=8)
    minhash.shingles(_OFFSETS, _DATA, ngram=1)


def _pii() -> None:
    row = np.frombuffer(b"a@b.org  ", np.uint8)
    offsets = np.frombuffer(np.array([0, 9]).tobytes(), np.int64)
    pii.masked(offsets, row, wanted=(True, True, True), masks=("", "", ""))


KERNELS: list[Callable[[], None]] = [
    _facts,
    _lines,
    _ngrams,
    _tokens,
    _segments,
    _gopher,
    _fold,
    _suspects,
    _word_lists,
    _minhash,
    _pii,
    dedup_pass.warm,
    sorting.warm,
    bits.warm,
]


def warm() -> None:
    """Calls each kernel on two tiny texts: seconds when nothing is cached, a fraction of one otherwise."""
    for kernel in KERNELS:
        kernel()
