"""One order, filtered: every arm reads what the baseline has read of it, in every draw; no cluster decides a draw."""

import numpy as np
import pytest

from pipeline.savings import likeness, order


def corpus(n: int = 4000, *, keep: float = 0.5, seed: int = 0):
    """Groups of a baseline with sizes, and which of them the curated arm keeps."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(200, 3000, n).astype(float)
    groups = np.arange(n)
    kept = np.flatnonzero(rng.random(n) < keep)
    return groups, sizes, kept


def read(placed: order.Order, groups, sizes, draw: int, limit: float) -> set[int]:
    documents = placed.documents(groups, draw)
    return set(groups[documents[np.cumsum(sizes[documents]) <= limit]].tolist())


@pytest.mark.parametrize("draw", range(5))
@pytest.mark.parametrize("part", [0.05, 0.3])
def test_the_curated_arm_at_k_c_bytes_has_read_the_kept_documents_of_the_baseline_at_c(draw, part):
    groups, sizes, kept = corpus()
    placed = order.made([(groups, sizes), (groups[kept], sizes[kept])], groups=len(groups), draws=5, seed=0)
    share = sizes[kept].sum() / sizes.sum()
    raw = read(placed, groups, sizes, draw, part * sizes.sum())
    curated = read(placed, groups[kept], sizes[kept], draw, share * part * sizes.sum())
    of_raw = raw & set(kept.tolist())
    assert len(of_raw ^ curated) <= 4, "but for a group or two at the end"
    of_raw_bytes = sum(sizes[group] for group in of_raw)
    assert of_raw_bytes / (part * sizes.sum()) == pytest.approx(share, abs=0.01), "the kept share is the corpus's"


def test_draws_share_no_text_while_a_run_reads_at_most_its_part():
    groups, sizes, _ = corpus()
    placed = order.made([(groups, sizes)], groups=len(groups), draws=5, seed=0)
    parts = [read(placed, groups, sizes, draw, 0.19 * sizes.sum()) for draw in range(5)]
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_groups_alike_are_spread_evenly_over_the_draws():
    groups, sizes, kept = corpus()
    figure = np.random.default_rng(1).exponential(size=len(groups)) ** 2
    arms = [(groups, sizes), (groups[kept], sizes[kept])]

    def spread(likeness) -> float:
        placed = order.made(arms, groups=len(groups), draws=10, seed=0, likeness=likeness)
        parts = [list(read(placed, groups[kept], sizes[kept], draw, 0.1 * sizes[kept].sum())) for draw in range(10)]
        return float(np.std([figure[part].mean() for part in parts]))

    assert spread(figure) < 0.5 * spread(None)


def test_a_group_is_as_like_a_target_as_its_texts_in_the_first_arm_that_has_it():
    texts = [text * 20 for text in ("the cat sat on the mat ", "7 7 7 1 2 3 ", "a dog sat on a mat ", "the cat on the mat ")]
    arms = [(np.array([0, 1, 2, 2]), [*texts[:3], ""]), (np.array([2, 3]), ["7 7 7", texts[3]])]
    found = likeness.of_groups(arms, ["a cat on the mat sat " * 20], groups=5)
    assert found[[0, 3]].min() > found[2] > found[1]
    assert found[4] == 0.0, "a group without a text"


@pytest.mark.parametrize(("draws", "part"), [(5, 0.1), (5, 0.3), (3, 0.5), (5, 0.9)])
def test_what_two_draws_share_is_what_both_read(draws, part):
    groups, sizes, _ = corpus()
    placed = order.made([(groups, sizes)], groups=len(groups), draws=5, seed=0)
    parts = [read(placed, groups, sizes, draw, part * sizes.sum()) for draw in range(draws)]
    found = [len(one & other) / len(one) for one in parts for other in parts if one is not other]
    assert order.shared(range(draws), of=5, read=part) == pytest.approx(np.mean(found), abs=0.02)


def test_documents_of_one_group_stand_together_as_they_stood():
    groups = np.array([0, 1, 0, 2, 1, 0])
    placed = order.made([(groups, np.ones(6))], groups=3, draws=2, seed=0)
    documents = placed.documents(groups, 1)
    assert sorted(documents.tolist()) == list(range(6))
    for group in range(3):
        at = np.flatnonzero(groups[documents] == group)
        assert at.tolist() == list(range(at[0], at[0] + len(at)))
        assert np.all(np.diff(documents[at]) > 0)


def test_a_seed_gives_one_order_and_another_seed_another():
    groups, sizes, _ = corpus(200)
    first, again, other = (order.made([(groups, sizes)], groups=200, draws=5, seed=seed).places for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("copies", "size", "parts"),
    [(1, 5000.0, 1), (7, 5000.0, 1), (8, 5000.0, 2), (100, 200.0, 5), (3, 1e6, 1)],  # a piece: 4 kB and four documents
)
def test_a_large_cluster_is_torn_into_pieces_of_four_or_more(copies, size, parts):
    groups = np.append(np.zeros(copies, np.int64), 1)
    found = order.pieces(groups, np.append(np.full(copies, size), 10.0), limit=1e6)
    assert len(set(found[:-1].tolist())) == parts
    assert found[-1] == 0
    assert parts == 1 or np.bincount(found[:-1]).min() >= order.LEAST_PIECE
