"""A finished output's dedup index as datasketch objects: signatures of its documents, and which of them are like a new text.

Signatures are not stored: they are made again from the texts, with the plan's shingles and permutations, some at a time.
Invariant: two of these sketches agree in as many values as Winnow's own signatures do, and `query` compares a text with the
documents that dedup itself would have compared it with. datasketch is imported when a sketch is made, not before.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from filters.kernels import buffers
from filters.kernels.dedup import dedup_pass, minhash
from pipeline.errors import InputError, NotInstalled
from pipeline.inspect.output import Output, open_output_of
from pipeline.plan.model import Dedup
from pipeline.stages.dedup.index import Index, load_index
from pipeline.stages.dedup.part import scope_hash
from pipeline.text import bands, final, normalise

if TYPE_CHECKING:
    from datasketch import LeanMinHash, MinHashLSH

SEEDS = {"datasketch": 1, "default": 0x57494E4E4F57}
"""Seed of each `dedup.hash`'s sketches: datasketch compares two of one seed only. 1 is its own default, whose permutations
`datasketch` has; nobody else has those of `default`, whose seed is chosen ("WINNOW" in ASCII)."""


@dataclass(frozen=True)
class Indexed:
    """A document of the index: the run that read it, its id and source_ref."""

    generation: int
    id: str
    source_ref: str


@dataclass(frozen=True)
class Match:
    """A document that shares a bucket with a text. `jaccard`: their similarity, estimated from both signatures."""

    document: Indexed
    jaccard: float


@dataclass(frozen=True)
class Sketches:
    """The dedup index of an output."""

    output: Output
    index: Index
    dedup: Dedup

    @cached_property
    def bands(self) -> tuple[int, int]:
        """Bands and rows of the index, as `MinHashLSH(params=…)` takes them."""
        return bands.choose(self.dedup.threshold, self.dedup.permutations, self.dedup.bands)

    def sketch(self, text: str) -> LeanMinHash:
        """The sketch of a text, after the plan's edits. Raises InputError where it is too short to have a shingle."""
        return self._lean(self._signature(text))

    def documents(self) -> Iterator[tuple[Indexed, LeanMinHash]]:
        """Every document that dedup kept, selected or not, with its sketch, in the order of the shards. Left out are those
        without a shingle, and what was taken down."""
        for _, table, part in self.index.documents(np.arange(len(self.index)), ["id", "source_ref", "text"]):
            counts, found = self._signatures(table["text"].combine_chunks())
            for at in np.flatnonzero(counts >= self.dedup.ngram).tolist():
                document = Indexed(part.generation, table["id"][at].as_py(), table["source_ref"][at].as_py())
                yield document, self._lean(found[at])

    def lsh(self) -> MinHashLSH:
        """All documents in a datasketch index with the plan's bands. It is held in memory, some 6 KB a document."""
        from datasketch import MinHashLSH

        made = MinHashLSH(num_perm=self.dedup.permutations, params=self.bands)
        for document, sketch in self.documents():
            made.insert(document, sketch)
        return made

    def query(self, text: str, *, scope: Sequence[str | None] = ()) -> list[Match]:
        """Documents that share a bucket with the text, most similar first, from the index's own buckets: no sketch but theirs is
        made. `scope`: the values of the plan's `dedup.scope`, in its order."""
        asked = () if self.dedup.scope == "corpus" else self.dedup.scope
        if len(scope) != len(asked):
            raise InputError(f"query: the index has a scope for each {', '.join(asked) or 'nothing'}; got {len(scope)} values")
        signature = self._signature(text)
        number, rows = self.bands
        keys = minhash.band_keys(signature[None, :], bands=number, rows=rows)[0]
        if scope:
            keys = dedup_pass.mixed(np.full(number, scope_hash(scope), np.uint64), keys)
        places = [self.index.places(band, key, key)[1] for band, key in enumerate(keys.tolist())]
        wanted = np.unique(np.concatenate(places))
        found = []
        for _, table, part in self.index.documents(wanted[wanted >= 0], ["id", "source_ref", "text"]):
            shares = (self._signatures(table["text"].combine_chunks())[1] == signature).mean(axis=1)
            for id_, ref, share in zip(table["id"].to_pylist(), table["source_ref"].to_pylist(), shares.tolist(), strict=True):
                found.append(Match(Indexed(part.generation, id_, ref), share))
        return sorted(found, key=lambda match: (-match.jaccard, match.document.generation, match.document.source_ref))

    def _signature(self, text: str) -> np.ndarray:
        source = normalise.normalise(pa.array([text], pa.large_string()))
        counts, found = self._signatures(final.texts(source, final.finish(source, self.output.recipe.steps)))
        if counts[0] < self.dedup.ngram:
            raise InputError(f"the text has {counts[0]} dedup words; near duplicates are looked for from {self.dedup.ngram} on")
        return found[0]

    def _signatures(self, text: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Dedup words of each text, and its signature with all the plan's permutations: band keys use the first of them."""
        drawn = minhash.permutations(self.dedup.hash, self.dedup.permutations)
        offsets, data = buffers.views(text.cast(pa.large_string()))
        return minhash.signatures(offsets, data, ngram=self.dedup.ngram, permutations=drawn, family=self.dedup.hash)

    def _lean(self, signature: np.ndarray) -> LeanMinHash:
        from datasketch import LeanMinHash

        return LeanMinHash(seed=SEEDS[self.dedup.hash], hashvalues=signature, scheme="affine32")


def open_sketches(folder: str, *, trust: bool = False) -> Sketches:
    """The dedup index of the output in a folder. Raises InputError where there is none, Untrusted without `trust` where its plan
    names plugins, NotInstalled without datasketch."""
    if importlib.util.find_spec("datasketch") is None:
        raise NotInstalled("sketches are datasketch's, which is not installed: pip install 'winnow-curation[sketches]'")
    output = open_output_of(folder, trust=trust)
    if not output.plan.dedup:
        raise InputError(f"{folder}: its plan has dedup off, so that it has no dedup index")
    return Sketches(output, load_index(output.store, output.live), output.plan.dedup)
