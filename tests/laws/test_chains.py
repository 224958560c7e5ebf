"""Law 6: chains A~B~C with A≁C do not merge, and one page that everything resembles a little wipes out nothing."""

import itertools

from tests.support import curate, prose, table, write_rows
from tests.text import definition


def chain(links: int) -> list[str]:
    """Texts of equal length in which each step replaces other words: neighbours are near, ends are not."""
    words = prose(3).split()[:120]
    texts = []
    for step in range(links):
        for i in range(4):
            words[(step * 4 + i) * 2 % len(words)] = f"w{step:02d}x{i}"
        texts.append(" ".join(words))
    return texts


def test_the_ends_of_a_chain_are_both_kept(tmp_path):
    texts = chain(12)
    near = [definition.jaccard(a, b, ngram=5) for a, b in itertools.pairwise(texts)]
    assert min(near) >= 0.8
    assert definition.jaccard(texts[0], texts[-1], ngram=5) < 0.5
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": t, "id": f"c{i:02d}"} for i, t in enumerate(texts)])
    out = tmp_path / "out"
    curate("minimal", "--input", path, "--output", out)
    kept = {row["id"]: row["text"] for row in table(out, "data").iter_rows(named=True)}
    assert len(kept) >= 3
    for row in table(out, "rejected").iter_rows(named=True):
        assert definition.jaccard(row["text"], kept[row["duplicate_of"]], ngram=5) >= 0.8
    texts_kept = list(kept.values())
    for i, a in enumerate(texts_kept):
        assert all(definition.jaccard(a, b, ngram=5) < 0.8 for b in texts_kept[i + 1 :])


def test_documents_that_share_a_frame_below_the_threshold_all_stay(tmp_path):
    frame = prose(1).split()[:40]
    rows = [{"text": " ".join(frame + prose(10 + i).split()[:120])} for i in range(60)]
    path = write_rows(tmp_path / "in" / "a.jsonl", rows)
    curate("minimal", "--input", path, "--output", tmp_path / "out")
    assert len(table(tmp_path / "out", "data")) == 60
