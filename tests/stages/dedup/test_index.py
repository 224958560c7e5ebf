"""The index as later runs read it: a part of it at a time, however large it has grown."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.stages.dedup import exact, near, small_parts
from pipeline.stages.dedup.decide import KEPT, NEAR, URL
from pipeline.stages.dedup.index import Index, empty_tables
from tests.stages.dedup.fakes import Corpus, Doc


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


def test_one_bucket_and_one_url_of_all_documents_are_worked_on_a_part_at_a_time(tmp_path, monkeypatch):
    """Ranges of hashes cannot cut what has one hash. Copies are left out: texts differ."""
    docs = [Doc(i, (7, i, 1 + i // 900), frozenset({i, i // 2}), url=5 if i % 3 else i) for i in range(4_000)]
    plan = {"n_bands": 3, "exact_url": True, "bucket_cap": 3, "threshold": 0.3}
    cuts = range(2_000, 4_000, 2_000)  # of two units
    more = [Doc(9_000 + i, (7, i, 9), frozenset({i, i // 2}), url=5 if i % 2 else None) for i in range(40)]
    large = Corpus(tmp_path / "large", **plan)
    whole = large.add(docs), large.add(more)
    longest: list[int] = []
    link, together = near.dedup_pass.link, exact._firsts_of

    def linked(bucket: np.ndarray, *rest, **more):
        longest.append(len(bucket))
        return link(bucket, *rest, **more)

    def firsts(seen: np.ndarray):
        longest.append(len(seen))
        return together(seen)

    monkeypatch.setattr(near.dedup_pass, "link", linked)
    monkeypatch.setattr(exact, "_firsts_of", firsts)
    small = Corpus(tmp_path / "small", room=60_000, workers=2, **plan)
    cut = small.add(docs, cuts=cuts), small.add(more)
    assert max(longest) < 500
    assert [made.fates for made in cut] == [made.fates for made in whole]
    assert {fate for made in cut for fate, _, _ in made.fates} == {KEPT, URL, NEAR}


@pytest.mark.parametrize("room", [10**6, 40])
def test_parts_that_are_held_give_what_each_of_them_gives(tmp_path, monkeypatch, room):
    """Also from files of several parts, and where some are too large or too many to be held."""
    monkeypatch.setattr(small_parts, "TOGETHER", 2)
    monkeypatch.setattr(small_parts, "HELD_ROWS", room)
    corpus = Corpus(tmp_path, n_bands=3, exact_url=True, bucket_cap=50)
    for generation in range(7):
        corpus.add([Doc(100 * generation + i, (7, i, generation), frozenset({100 * generation + i}), url=i) for i in range(3)])
    plain = Index(corpus.store, tuple(corpus.parts))
    for work in (None, corpus.store, corpus.store):  # made, then read
        held = small_parts.hold(corpus.store, work, plain.parts, schemas=empty_tables())
        assert 1 <= len(held.generations) <= 7 and (len(held.generations) == 7) == (room > 40)
        index = Index(corpus.store, plain.parts, held)
        for low, high in ((0, 2**64 - 1), (2**62, 2**63), (5, 4)):
            for table in ("texts", "urls"):
                order = ["left", "right"]
                assert index.keys(table, low, high).sort(order).equals(plain.keys(table, low, high).sort(order)), table
            for band in range(3):
                pairs = zip(index.places(band, low, high), plain.places(band, low, high), strict=True)
                assert all(np.array_equal(one, other) for one, other in pairs)
    assert corpus.store.names(small_parts.FOLDER)
