"""Held-out sets: nothing of them is in an arm, and a cluster is on one side only."""

import numpy as np
import polars as pl
import pytest

from pipeline.savings import corpora, heldout
from pipeline.savings.heldout import HeldOut

WORDS = " ".join(f"word{i}" for i in range(40))


def made(*texts: str) -> HeldOut:
    return HeldOut("set", "target", texts)


@pytest.mark.parametrize(
    ("line", "arm", "left"),
    [
        (WORDS, "before " + " ".join(f"word{i}" for i in range(5, 18)) + " after", False),  # 13 words in a row
        (WORDS, "before " + " ".join(f"word{i}" for i in range(5, 17)) + " after", True),  # 12
        (WORDS, WORDS.upper(), False),  # case does not hide it
        ("short line", "some text\n  short line \nmore", False),  # a whole line
        ("short line", "a short line within another", True),
    ],
)
def test_lines_and_thirteen_words_in_a_row_that_an_arm_has_are_removed(line, arm, left):
    (clean,) = heldout.cleaned([made(f"first line stays\n{line}")], [arm])
    assert (line in "\n".join(clean.texts)) is left
    assert clean.removed_lines == (0 if left else 1)
    assert clean.lines == 2


def test_a_document_of_which_nothing_is_left_is_gone():
    (clean,) = heldout.cleaned([made("only line")], ["only line"])
    assert clean.texts == ()


def frame(rows):
    columns = {"key": [], "group": [], "text": [], "reason": [], "language": []}
    for row in rows:
        for name, value in zip(columns, row, strict=True):
            columns[name].append(value)
    return pl.DataFrame(columns, schema=corpora.TEXTS)


def test_a_group_is_held_out_or_in_the_arms_and_the_same_in_every_corpus():
    raw = frame([(f"k{i}", f"g{i // 2}", f"text {i}", None, None) for i in range(2000)])
    curated = frame([(f"k{i}", f"g{i // 2}", f"text {i}", None, None) for i in range(0, 2000, 2)])
    a = corpora.gather(iter([raw]), share=1.0, held_out=0.1, seed=0)
    b = corpora.gather(iter([curated]), share=1.0, held_out=0.1, seed=0)
    held = set(a.filter("held")["group"])
    assert 60 < len(held) < 140
    assert held == set(b.filter("held")["group"])
    assert not held & set(a.filter(~pl.col("held"))["group"])


def test_a_sample_keeps_both_or_neither_of_a_pair_of_duplicates():
    raw = frame([(f"k{i}", f"g{i // 2}", f"text {i}", None, None) for i in range(2000)])
    sample = corpora.gather(iter([raw]), share=0.3, held_out=0.0, seed=1)
    assert 450 < len(sample) < 750
    assert sample.group_by("group").len()["len"].unique().to_list() == [2]


def test_a_seed_chooses_the_same_groups_first_in_every_arm_and_keeps_them_together():
    raw = np.array([corpora.number_of(f"g{i // 2}") for i in range(400)], dtype=np.uint64)
    curated = raw[::4]
    order = raw[corpora.by_seed(raw, seed=0)]
    assert [g for g in order[::2] if g in set(curated)] == list(curated[corpora.by_seed(curated, seed=0)])
    assert np.array_equal(order[::2], order[1::2])
    assert not np.array_equal(order, raw[corpora.by_seed(raw, seed=1)])


def test_sets_are_cut_and_named_by_reason_and_language():
    rows = [(f"k{i}", f"g{i}", f"document {i} " * 200, "rule.a" if i % 2 else None, "en" if i % 3 else "de") for i in range(60)]
    raw = frame(rows).with_columns(held=pl.lit(True))
    curated = raw.filter(pl.col("reason").is_null())
    sets = {s.name: s for s in heldout.split_off(raw, curated, seed=0)}
    assert set(sets) == {"curated_heldout", "raw_heldout", "dropped:rule.a", "language:en", "language:de"}
    assert all(len(text.encode()) <= heldout.DOCUMENT_BYTES for s in sets.values() for text in s.texts)
    assert corpora.sizes_of(sets["dropped:rule.a"].texts).sum() < heldout.PROBE_BYTES + heldout.DOCUMENT_BYTES
    assert len({s.sha256 for s in sets.values()}) == len(sets)
