"""Facts about one batch of final texts that dedup needs: band keys of MinHash signatures, and sets of shingles.

Invariant: a row's facts depend on its text and the arguments alone; no threshold, no other row. Documents with fewer than
`ngram` dedup words have no shingles, hence null band keys.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.kernels import buffers, minhash

VERSION = 1
"""Of the word hash, the shingle hash, the permutations and the band keys: raise it when the same text gives other values."""


def schema(bands: int) -> pa.Schema:
    """Of what `annotate` gives."""
    keys = pa.field("band_keys", pa.list_(pa.uint64(), bands))
    return pa.schema([pa.field("dedup_words", pa.int32(), nullable=False), keys])


def annotate(text: pa.LargeStringArray, *, ngram: int, permutations: int, bands: int, rows: int, hash_: str) -> pa.RecordBatch:
    """One row per text: its number of dedup words, and its band keys (fixed-size list of `bands`; null under `ngram` words).

    Raises ValueError where a text is null, or bands x rows exceeds `permutations`.
    """
    if bands * rows > permutations:
        raise ValueError(f"{bands} bands x {rows} rows need more than {permutations} permutations")
    a, b = minhash.permutations(hash_, permutations)
    used = a[: bands * rows], b[: bands * rows]
    words, least = minhash.signatures(*_views(text), ngram=ngram, permutations=used, family=hash_)
    keys = pa.array(minhash.band_keys(least, bands=bands, rows=rows).reshape(-1))
    listed = pa.FixedSizeListArray.from_arrays(keys, bands, mask=pa.array(words < ngram))
    return pa.RecordBatch.from_arrays([pa.array(words), listed], schema=schema(bands))


def shingles(text: pa.LargeStringArray, *, ngram: int) -> tuple[np.ndarray, np.ndarray]:
    """`(offsets int64[n + 1], hashes uint64[:])`: the distinct shingle hashes of row i, ascending. Raises ValueError on nulls."""
    return minhash.shingles(*_views(text), ngram=ngram)


def band_key_matrix(column: pa.FixedSizeListArray) -> tuple[np.ndarray, np.ndarray]:
    """`(keys uint64[n, bands], valid bool[n])` of a `band_keys` column; what a null row's keys are is not defined."""
    keys = column.values.slice(column.offset * column.type.list_size, len(column) * column.type.list_size)
    return pc.fill_null(keys, 0).to_numpy().reshape(len(column), column.type.list_size), column.is_valid().to_numpy(
        zero_copy_only=False
    )


def _views(text: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
    if text.null_count:
        raise ValueError(f"{text.null_count} texts are null")
    return buffers.views(text)
