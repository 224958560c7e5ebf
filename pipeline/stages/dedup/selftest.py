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

from filters.kernels.dedup import dedup_pass
from pipeline.plan.model import Dedup
from pipeline.records.counts import Planted
from pipeline.stages.dedup import similarity
from pipeline.stages.dedup.near import Places
from pipeline.text import bands as bands_
from pipeline.text import signatures

STEPS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
"""Similarities aimed at; what a plant has exactly is computed from the two texts."""
NEIGHBOURS = 10
"""Documents that plants are made from stand side by side: chosen so that a tenth of the row groups is read for them."""
MIN_WORDS, MAX_WORDS, MAX_BYTES = 60, 5_000, 100_000
"""Documents that plants are made from: long enough for every step, short enough to be quick."""


@dataclass(frozen=True)
class Originals:
    """Documents that plants are made from: texts, band keys uint64[n, bands], scopes uint64[n] or None, ranks int64[n]."""

    texts: Sequence[str]
    band_keys: np.ndarray
    scope: np.ndarray | None
    ranks: np.ndarray


def choose(n: int, *, plants: int, seed: int) -> np.ndarray:
    """Rows of at most `plants` of n documents, ascending, the same for the same n and seed: runs of NEIGHBOURS."""
    runs = -(-n // NEIGHBOURS)
    taken = min(runs, -(-plants // NEIGHBOURS))
    first = np.sort(np.random.Generator(np.random.PCG64(seed)).choice(runs, taken, replace=False, shuffle=False)) * NEIGHBOURS
    rows = (first[:, None] + np.arange(NEIGHBOURS)).ravel()
    return rows[rows < n][:plants]


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


def measure(originals: Sequence[Originals], places: Sequence[Places], dedup: Dedup, *, old: int) -> list[Planted]:
    """A line for each step with plants. `old`: documents in the index."""
    shape = bands_.choose(dedup.threshold, dedup.permutations, dedup.bands)
    texts = [text for group in originals for text in group.texts]
    rows = [row for row, text in enumerate(texts) if MIN_WORDS <= len(text.split()) <= MAX_WORDS]
    if not rows:
        return []
    keys, ranks = (np.concatenate([getattr(group, name) for group in originals])[rows] for name in ("band_keys", "ranks"))
    scope = None
    if originals[0].scope is not None:
        scope = np.concatenate([group.scope for group in originals if group.scope is not None])[rows]
    chosen = [texts[row] for row in rows]
    made = [plant(text, STEPS[i % len(STEPS)], number=i, ngram=dedup.ngram) for i, text in enumerate(chosen)]
    before, planted = (pa.array(column, pa.large_string()) for column in (chosen, made))
    signed = signatures.annotate(
        planted,
        ngram=dedup.ngram,
        permutations=dedup.permutations,
        bands=shape[0],
        rows=shape[1],
        hash_=dedup.hash,
    )
    same = np.stack([signed[signatures.band_name(band)].to_numpy() for band in range(shape[0])], axis=1) == keys
    found = (same & _took(keys, scope, ranks + old, places=places)).any(axis=1) & (
        signed["dedup_words"].to_numpy() >= dedup.ngram
    )
    return _by_step(_exact(before, planted, dedup.ngram), found, shape)


def _took(keys: np.ndarray, scope: np.ndarray | None, numbers: np.ndarray, *, places: Sequence[Places]) -> np.ndarray:
    """bool[n, bands]: where each document is among the first of its bucket."""
    took = np.zeros(keys.shape, np.bool_)
    for taken in places:
        bucket = keys[:, taken.band] if scope is None else dedup_pass.mixed(scope, keys[:, taken.band])
        buckets, members = taken.buckets.load(), taken.numbers.load()
        for row, (first, last) in enumerate(
            zip(*(np.searchsorted(buckets, bucket, side) for side in ("left", "right")), strict=True)
        ):
            took[row, taken.band] |= bool((members[first:last] == numbers[row]).any())
    return took


def _exact(before: pa.Array, planted: pa.Array, ngram: int) -> np.ndarray:
    """Exact Jaccard similarity of each text and its plant."""
    (old, old_hashes), (new, new_hashes) = (signatures.shingles(texts, ngram=ngram) for texts in (before, planted))
    counts = np.empty(len(before), similarity.COUNTS)
    counts["earlier"], counts["later"] = np.diff(old), np.diff(new)
    hashes = np.concatenate([old_hashes, new_hashes])
    one, other = (new[:-1] + len(old_hashes), counts["later"]), (old[:-1], counts["earlier"])
    counts["shared"] = dedup_pass.shared(one, other, hashes)
    return similarity.similarities(counts)


def _by_step(exact: np.ndarray, found: np.ndarray, shape: tuple[int, int]) -> list[Planted]:
    edges = np.array([0.45, 0.55, 0.65, 0.725, 0.775, 0.825, 0.875, 0.925, 0.975, 1.0 + 1e-9])
    lines = []
    for low, high in itertools.pairwise(edges):
        inside = (exact >= low) & (exact < high)
        if inside.any():
            expected = float(np.mean([bands_.detection_probability(s, *shape) for s in exact[inside]]))
            mean = float(exact[inside].mean())
            lines.append((round(mean, 4), int(inside.sum()), int(found[inside].sum()), round(expected, 4)))
    return lines
