"""The index as later runs read it: a part of it at a time, however large it has grown."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.dedup.index import Index
from tests.dedup.fakes import Corpus, Doc


def distinct(count: int, first: int = 0) -> list[Doc]:
    """Documents that share no hash at all."""
    return [Doc(i, (3 * i, 3 * i + 1, 3 * i + 2), frozenset({i}), url=i) for i in range(first, first + count)]


@pytest.mark.parametrize("table", ["texts", "urls", "places"])
def test_one_new_document_reads_a_large_index_in_small_ranges(tmp_path, monkeypatch, table):
    """Ranges are cut for the rows of the index and the new ones together: cut for the new ones alone, one would hold them all."""
    corpus = Corpus(tmp_path, n_bands=3, exact_url=True, room=30_000)
    corpus.add(distinct(6_000))
    sizes: list[int] = []
    keys, places = Index.keys, Index.places

    def keys_seen(self: Index, name: str, low: int, high: int):
        found = keys(self, name, low, high)
        if name == table:
            sizes.append(len(found))
        return found

    def places_seen(self: Index, band: int, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        found = places(self, band, low, high)
        if table == "places":
            sizes.append(len(found[0]))
        return found

    monkeypatch.setattr(Index, "keys", keys_seen)
    monkeypatch.setattr(Index, "places", places_seen)
    made = corpus.add([*distinct(1, first=5), *distinct(1, first=30_000)])
    assert [fate for fate, _, _ in made.fates] == [1, 0]
    assert sum(sizes) == 6_000 * (3 if table == "places" else 1) and max(sizes) < 600
