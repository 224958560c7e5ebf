"""Facts about one batch of final texts that dedup needs: band keys of MinHash signatures, and sets of shingles.

Invariant: a row's facts depend on its text and the arguments alone; no threshold, no other row. Documents with fewer than
`ngram` dedup words have no shingles, hence no band keys that mean anything.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.kernels import buffers
from filters.kernels.dedup import minhash

VERSION = 2
"""Covers word hash, shingle hash, permutations, band keys and their table: raise it when the same text gives other values."""


def band_name(band: int) -> str:
    """Column of a band's keys: each band has its own, because dedup looks at a few bands at a time."""
    return f"band_{band:03d}"


def schema(bands: int) -> pa.Schema:
    """The schema of the table that `annotate` returns."""
    keys = [pa.field(band_name(band), pa.uint64(), nullable=False) for band in range(bands)]
    return pa.schema([pa.field("dedup_words", pa.int32(), nullable=False), *keys])


def annotate(text: pa.LargeStringArray, *, ngram: int, permutations: int, bands: int, rows: int, hash_: str) -> pa.RecordBatch:
    """One row per text: its number of dedup words, and its band keys, which mean nothing under `ngram` words.

    Raises ValueError where a text is null, or bands x rows exceeds `permutations`.
    """
    if bands * rows > permutations:
        raise ValueError(f"{bands} bands x {rows} rows need more than {permutations} permutations")
    a, b = minhash.permutations(hash_, permutations)
    used = a[: bands * rows], b[: bands * rows]
    words, least = minhash.signatures(*_views(text), ngram=ngram, permutations=used, family=hash_)
    keys = minhash.band_keys(least, bands=bands, rows=rows)
    columns = [pa.array(np.ascontiguousarray(keys[:, band])) for band in range(bands)]
    return pa.RecordBatch.from_arrays([pa.array(words), *columns], schema=schema(bands))


def shingles(text: pa.LargeStringArray, *, ngram: int) -> tuple[np.ndarray, np.ndarray]:
    """`(offsets int64[n + 1], hashes uint64[:])`: the distinct shingle hashes of row i, ascending. Raises ValueError on nulls."""
    return minhash.shingles(*_views(text), ngram=ngram)


def _views(text: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
    if text.null_count:
        raise ValueError(f"{text.null_count} texts are null")
    return buffers.views(text)
