"""Compiles or loads kernels once, in the parent, so that no worker thread or process compiles one of its own.

`warm_stages` is for what every run needs beside its filters and edits; those are tried out on two short texts
(`pipeline.stages.unit.signals.try_out`), so that a plan pays for its own kernels only. `warm` is for tests and measurements. Who
uses kernels that are in neither calls their module's `warm` first, in the parent too.

Add a kernel by adding a function that calls it with arguments of the types it gets in a run: numba compiles per type, and
Arrow's read-only views are a type of their own; so are those of bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from filters.kernels import FOLDER, cache
from filters.kernels.dedup import bits, dedup_pass, minhash, sorting
from filters.kernels.formats import marks
from filters.kernels.items import scan, tables
from filters.kernels.lines import gopher, lines, segments
from filters.kernels.ngrams import ngrams
from filters.kernels.pii import pii
from filters.kernels.unicode import fold, suspects
from filters.kernels.words import facts, tokens, word_lists

_OFFSETS, _DATA = np.frombuffer(np.array([0, 7, 10]).tobytes(), np.int64), np.frombuffer("the end…".encode(), np.uint8)


def _facts() -> None:
    facts.text_facts(_OFFSETS, _DATA)


def _lines() -> None:
    lines.lines(_OFFSETS, _DATA)


def _ngrams() -> None:
    for kind in (ngrams.SPLIT, tokens.DATATROVE):
        ngrams.repetition(_OFFSETS, _DATA, kind=kind)
        ngrams.repetition(_OFFSETS, _DATA, kind=kind, max_probes=0)
        ngrams.warm_large(kind)


def _tokens() -> None:
    lists = word_lists.compile_lists([["the"]])
    tokens.token_facts(_OFFSETS, _DATA, np.zeros(2, np.int16), lists)
    word_lists.occurrences(_OFFSETS, _DATA, np.zeros(2, np.int16), lists)
    word_lists.distinct_members(_OFFSETS, _DATA, np.zeros(2, np.int16), lists)


def _segments() -> None:
    segments.segments(_OFFSETS, _DATA, kind=segments.LINES)


def _gopher() -> None:
    gopher.lines(_OFFSETS, _DATA)
    gopher.words(_OFFSETS, _DATA)


def _fold() -> None:
    fold.folded(_OFFSETS, _DATA)


def _suspects() -> None:
    suspects.suspects(_OFFSETS, _DATA, *suspects.tables(), long_run=1)


def _minhash() -> None:
    chosen = minhash.permutations("default", 16)
    _, least = minhash.signatures(_OFFSETS, _DATA, ngram=1, permutations=chosen, family="default")
    minhash.band_keys(least, bands=2, rows=8)
    minhash.shingles(_OFFSETS, _DATA, ngram=1)


def _items() -> None:
    one = np.zeros(1, np.int32)
    none = tables.Items(*(np.zeros(0, np.uint8),) * 2, one, one, np.zeros(0, np.uint32), np.zeros(0, np.uint8))
    scan.find(_OFFSETS, _DATA, none, tables.seeds(none))
    scan.cut(_OFFSETS, _DATA, none, tables.seeds(none), limit=1)


def _pii() -> None:
    row = np.frombuffer(b"a@b.org  ", np.uint8)
    offsets = np.frombuffer(np.array([0, 9]).tobytes(), np.int64)
    pii.masked(offsets, row, wanted=(True, True, True), masks=("", "", ""))


STAGES: list[Callable[[], None]] = [_fold, _minhash, dedup_pass.warm, sorting.warm, bits.warm]
FILTERS: list[Callable[[], None]] = [_facts, _lines, _ngrams, _tokens, _segments, _gopher, _suspects, _items, _pii, marks.warm]


def warm_stages() -> None:
    """Calls each kernel of the stages on two tiny texts; removes compiled kernels that are no longer used."""
    for kernel in STAGES:
        kernel()
    if FOLDER is not None:
        cache.remove_unused(FOLDER)


def warm() -> None:
    """Calls each kernel on two tiny texts: seconds when nothing is cached, a fraction of one otherwise."""
    for kernel in (*FILTERS, *STAGES):
        kernel()
