"""What the runs of a draw read: nothing twice, and of what arms share the same in the same sequence. Needs no torch."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.savings import order
from pipeline.savings.tiers import chunks
from pipeline.savings.tiers.chunks import Text

CONTEXT = 8
DOCUMENTS = 1200


def text(keep: np.ndarray, places: np.ndarray, *, edited: frozenset[int] = frozenset()) -> Text:
    """Documents of 40 tokens, all of them the document's number from 1; an edited one has lost its last 8."""
    parts = [np.full(32 if at in edited else 40, at + 1, np.uint16) for at in keep]
    starts = np.append(0, np.cumsum([len(part) for part in parts]))
    return Text(np.concatenate(parts), starts, keep.astype(np.uint64), places[keep])


def corpus(kept_share: float, *, seed: int = 0, draw: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All documents, the kept ones, and the places of a draw."""
    everything = np.arange(DOCUMENTS)
    kept = np.flatnonzero(np.random.default_rng(seed).random(DOCUMENTS) < kept_share)
    sizes = [(at, np.full(len(at), 40.0)) for at in (everything, kept)]
    return everything, kept, order.made(sizes, groups=DOCUMENTS, draws=8, seed=seed).turned(draw)


def read(arms: list[Text], *, start: int = 2000, branch: int = 6400, draw: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    return chunks.read_in_draw(arms, start=start, branch=branch, context=CONTEXT, draw=draw)


def documents(rows: np.ndarray) -> set[int]:
    return set(np.unique(rows[:, 1:]).tolist()) - {0}


@pytest.mark.parametrize("kept_share", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("draw", [0, 3])
def test_after_its_share_of_the_bytes_an_arm_has_read_what_the_baseline_has_of_it(kept_share, draw):
    everything, kept, places = corpus(kept_share, draw=draw)
    start, (raw, curated) = read([text(everything, places), text(kept, places)], draw=draw)
    assert len(raw) == len(curated) == 800
    assert not documents(start) & documents(raw), "nothing is read twice"
    assert not documents(start) & documents(curated)
    for at in (800, 600):
        of_raw = raw[:at, 1][np.isin(raw[:at, 1], kept + 1)]
        assert len(of_raw) / at == pytest.approx(kept_share, abs=0.06)
        counts = [np.bincount(rows, minlength=DOCUMENTS + 1) for rows in (of_raw, curated[: len(of_raw), 1])]
        assert np.abs(counts[0] - counts[1]).sum() <= 0.02 * len(of_raw), "the same chunks, but for some at the end"


@pytest.mark.parametrize("draw", [0, 3])
def test_an_arm_of_half_the_documents_reads_as_many_of_them_at_a_time(draw):
    everything, half, places = corpus(0.5, draw=draw)
    _, branches = read([text(everything, places), text(half, places)], draw=draw)
    for begin, end in ((0, 100), (300, 400), (700, 800), (0, 800)):
        several = [len(documents(rows[begin:end])) for rows in branches]
        assert several[0] == pytest.approx(several[1], rel=0.06 if begin == 0 and end == 800 else 0.2)
        assert begin == 0 or min(several) > 30, "neighbours in a document are apart"


def test_equal_arms_read_the_same_rows():
    everything, _, places = corpus(0.5)
    _, (raw, same) = read([text(everything, places), text(everything, places)])
    assert np.array_equal(raw, same)


def test_draws_read_other_text_and_the_same_draw_the_same():
    everything, kept, _ = corpus(0.5)
    found = []
    for draw in (0, 4, 0):
        _, _, places = corpus(0.5, draw=draw)
        found.append(read([text(everything, places), text(kept, places)], start=400, branch=1600, draw=draw)[1][1])
    assert np.array_equal(found[0], found[2])
    assert not documents(found[0]) & documents(found[1])


def test_documents_that_were_edited_keep_their_neighbourhood():
    everything, kept, places = corpus(0.5)
    arms = [text(everything, places), text(kept, places, edited=frozenset(kept[::3].tolist()))]
    _, (raw, curated) = read(arms)
    of_raw = raw[np.isin(raw[:, 1], kept + 1)]
    early = documents(curated[: int(0.9 * len(of_raw))])
    assert len(early & documents(of_raw)) > 0.95 * len(early)


def test_a_group_is_on_one_side_of_the_start_as_a_whole():
    places = np.repeat(np.random.default_rng(1).random(400), 3)
    everything = np.arange(DOCUMENTS)
    start, (raw, _) = read([text(everything, places), text(everything[::3], places)])
    assert not {(at - 1) // 3 for at in documents(start)} & {(at - 1) // 3 for at in documents(raw)}


def test_arms_with_too_little_text_make_all_branches_shorter():
    everything, kept, places = corpus(0.3)
    _, (raw, curated) = read([text(everything, places), text(kept, places)], branch=24_000)
    assert len(raw) == len(curated) < 3000


def test_a_document_is_read_in_pieces_each_at_a_place_of_its_own_and_its_copies_at_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "PIECE", 256)
    sizes = np.array([700, 100, 700, 0, 256])
    starts = np.append(0, np.cumsum(sizes))
    tokens = np.arange(starts[-1], dtype=np.uint16)
    groups = np.array([1, 0, 1, 0, 2])
    np.savez(tmp_path / "arm.npz", tokens=tokens, starts=starts, keys=np.arange(5, dtype=np.uint64), groups=groups)
    found = Text.read(str(tmp_path / "arm.npz"), np.array([0.1, 0.2, 0.3]))
    assert np.diff(found.starts).tolist() == [256, 256, 188, 100, 256, 256, 188, 0, 256]
    assert found.keys.tolist() == [0, 0, 0, 1, 2, 2, 2, 3, 4]
    assert found.places[:3] == pytest.approx([0.2, 0.818034, 0.436068])
    assert np.array_equal(found.places[:3], found.places[4:7])
    assert found.places[[3, 7, 8]] == pytest.approx([0.1, 0.1, 0.3])
