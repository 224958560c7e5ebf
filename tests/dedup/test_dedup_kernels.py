"""Each dedup kernel is compiled for one kind of arguments: the calls that warm it are the calls of a run."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from filters.kernels import buffers, dedup_pass, minhash
from pipeline.dedup import decide, index, signatures
from pipeline.dedup.index import Participants
from pipeline.dedup.similarity import Shingles, similarities

KERNELS = [minhash._sign, minhash._band_keys, minhash._shingles]
KERNELS += [dedup_pass._buckets, dedup_pass._link, dedup_pass._pairs, dedup_pass._judge, dedup_pass._shared]

TEXTS = ["one two three four five six seven", "one two three four five six eight", "one two three four five six seven", "one"]


def generation(known: index.Index, texts: list[str]) -> index.Index:
    """One generation as a run has it, with tables that Arrow owns."""
    column = pa.array(texts, pa.large_string())
    facts = signatures.annotate(column, ngram=5, permutations=32, bands=16, rows=2, hash_="default")
    keys, valid = signatures.band_key_matrix(facts["band_keys"])
    hashes = pa.array([text.encode()[-16:].rjust(16) for text in texts], pa.binary(16))
    given = Participants(np.zeros(len(texts), np.uint64), hashes, keys, valid)
    sets, old = Shingles(*signatures.shingles(column, ngram=5)), known.shingle_sets()
    fates = decide.decide(given, known, threshold=0.3, bucket_cap=64, similarities=lambda pairs: similarities(pairs, old, sets))
    return decide.extend(given, known, fates, sets)


def test_a_run_compiles_nothing_that_the_warming_calls_did_not():
    offsets, data = buffers.views(pa.array(["the end"], pa.large_string()))
    _, least = minhash.signatures(offsets, data, ngram=1, permutations=minhash.permutations("default", 16), family="default")
    minhash.band_keys(least, bands=2, rows=8)
    minhash.shingles(offsets, data, ngram=1)
    dedup_pass.warm()
    assert [len(kernel.signatures) for kernel in KERNELS] == [1] * len(KERNELS)
    first = generation(index.empty(), TEXTS)
    second = generation(index.union([first]), [*TEXTS, "six five four three two one"])
    generation(index.union([first, second]), TEXTS)
    generation(index.empty(), [])
    assert [len(kernel.signatures) for kernel in KERNELS] == [1] * len(KERNELS)
    assert (len(first), len(second)) == (2, 1)


@pytest.mark.parametrize("family", minhash.FAMILIES)
def test_families_share_the_compiled_kernel(family):
    column = pa.array(TEXTS, pa.large_string())
    signatures.annotate(column, ngram=5, permutations=128, bands=9, rows=13, hash_=family)
    assert len(minhash._sign.signatures) == 1
