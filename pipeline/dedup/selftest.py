"""The self-test of each run: planted near copies of known similarity, and how many of them LSH proposes.

Plants are made from documents that entered dedup, by replacing a run of words with words that no text has. They stand behind
every real document, so they meet the buckets as those left them, and they are nowhere else: not among the participants, not
in ledger, index, counts or shards. A plant is found if, in some band, its original is among the first `bucket_cap` of the
plant's bucket. Measured beside `1 - (1 - s**rows)**bands`; verification is exact, so what is proposed is judged rightly.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.dedup import bands as bands_
from pipeline.dedup import signatures, similarity
from pipeline.dedup.similarity import Shingles
from pipeline.plan import Dedup

STEPS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
"""Similarities aimed at; what a plant has exactly is computed from the two texts."""
MIN_WORDS, MAX_WORDS = 60, 5_000
"""Documents that plants are made from: long enough for every step, short enough to be quick."""


@dataclass(frozen=True)
class Originals:
    """Documents that plants are made from. `took`: bool[n, bands], where the original is among the first of its bucket."""

    texts: Sequence[str]
    band_keys: np.ndarray
    took: np.ndarray


def choose(n: int, *, plants: int, seed: int) -> np.ndarray:
    """Rows of at most `plants` of n documents, ascending, the same for the same n and seed."""
    chosen = np.random.Generator(np.random.PCG64(seed)).permutation(n)[:plants]
    return np.sort(chosen)


def plant(text: str, similarity: float, *, number: int, ngram: int) -> str:
    """`text` with a run of its words replaced, so that about `similarity` of the shingles of both are shared."""
    words = text.split()
    if similarity >= 1:
        return text
    shingles = len(words) - ngram + 1
    kept = 2 * similarity / (1 + similarity)  # share of each text's shingles that are common, for two sets of equal size
    replaced = max(1, round(shingles * (1 - kept)) - ngram + 1)
    start = (number * 7919) % max(1, len(words) - replaced)
    return " ".join([*words[:start], *(f"planted{number}word{i}" for i in range(replaced)), *words[start + replaced :]])


def measure(originals: Originals, dedup: Dedup) -> list[list[float]]:
    """`[mean similarity, plants, found, expected share]` for each step that has plants."""
    shape = bands_.choose(dedup.threshold, dedup.permutations, dedup.bands)
    rows = [row for row, text in enumerate(originals.texts) if MIN_WORDS <= len(text.split()) <= MAX_WORDS]
    if not rows:
        return []
    texts = [originals.texts[row] for row in rows]
    made = [plant(text, STEPS[i % len(STEPS)], number=i, ngram=dedup.ngram) for i, text in enumerate(texts)]
    before, planted = (pa.array(column, pa.large_string()) for column in (texts, made))
    signed = signatures.annotate(
        planted,
        ngram=dedup.ngram,
        permutations=dedup.permutations,
        bands=shape[0],
        rows=shape[1],
        hash_=dedup.hash,
    )
    keys, has_keys = signatures.band_key_matrix(signed.column("band_keys"))
    found = ((keys == originals.band_keys[rows]) & originals.took[rows]).any(axis=1) & has_keys
    return _by_step(_exact(before, planted, dedup.ngram), found, shape)


def _exact(before: pa.Array, planted: pa.Array, ngram: int) -> np.ndarray:
    """Exact Jaccard similarity of each text and its plant."""
    indexed, new = (Shingles(*signatures.shingles(texts, ngram=ngram)) for texts in (before, planted))
    n = len(before)
    return similarity.similarities(np.stack([n + np.arange(n), np.arange(n)], axis=1), indexed, new)


def _by_step(exact: np.ndarray, found: np.ndarray, shape: tuple[int, int]) -> list[list[float]]:
    edges = np.array([0.45, 0.55, 0.65, 0.725, 0.775, 0.825, 0.875, 0.925, 0.975, 1.0 + 1e-9])
    lines = []
    for low, high in itertools.pairwise(edges):
        inside = (exact >= low) & (exact < high)
        if inside.any():
            expected = float(np.mean([bands_.detection_probability(s, *shape) for s in exact[inside]]))
            mean = float(exact[inside].mean())
            lines.append([round(mean, 4), int(inside.sum()), int(found[inside].sum()), round(expected, 4)])
    return lines
