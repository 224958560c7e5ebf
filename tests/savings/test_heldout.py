"""Held-out sets: nothing of them is in an arm, a cluster is on one side only, and groups have one number in every corpus."""

import json

import numpy as np
import polars as pl
import pytest

from pipeline.errors import UsageError
from pipeline.savings import arms, corpora, heldout, mix
from pipeline.savings.heldout import HeldOut

WORDS = " ".join(f"word{i}" for i in range(40))


def made(*texts: str, most: int = 600) -> HeldOut:
    return HeldOut("set", "target", texts, tuple(range(len(texts))), most=most)


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


def test_a_document_of_which_nothing_is_left_is_gone_with_its_cluster_and_a_spare_one_takes_its_place():
    (clean,) = heldout.cleaned([made("only line", "second", "third", most=2)], ["only line"])
    assert (clean.texts, clean.clusters) == (("second", "third"), (1, 2))
    (clean,) = heldout.cleaned([made("first", "second", "third", most=2)], ["only line"])
    assert clean.texts == ("first", "second")


@pytest.mark.parametrize(("texts", "said"), [([], "0 documents"), (["one"], "1 document"), (["a", " ", ""] * 9, "1 document")])
def test_a_target_of_too_few_texts_is_refused_by_their_number(tmp_path, texts, said):
    """Before: what the arms held of it was blamed, of an empty file too."""
    (tmp_path / "small.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    with pytest.raises(UsageError, match=rf"small\.jsonl: it gives {said} with text; 8 are the least, 600 give a verdict"):
        arms._declared([("small", str(tmp_path / "small.jsonl"))], seed=0)


def frame(rows):
    """Rows of (key, group, text, language, source, site)."""
    names = ("key", "group", "text", "language", "source", "site")
    columns = {name: [row[at] if at < len(row) else None for row in rows] for at, name in enumerate(names)}
    return pl.DataFrame({name: columns[name] for name in corpora.TEXTS}, schema=corpora.TEXTS)


def of_pairs(numbers) -> pl.DataFrame:
    mixed = [corpora.number_of(f"g{i // 2}") for i in numbers]
    return frame([(i, group, f"text {i}") for i, group in zip(numbers, mixed, strict=True)])


def test_a_group_is_held_out_or_in_the_arms_and_the_same_in_every_corpus():
    a = corpora.gather(iter([of_pairs(range(2000))]), share=1.0, held_out=0.1, seed=0)
    b = corpora.gather(iter([of_pairs(range(0, 2000, 2))]), share=1.0, held_out=0.1, seed=0)
    held = set(a.filter("held")["group"])
    assert 60 < len(held) < 140
    assert held == set(b.filter("held")["group"])
    assert not held & set(a.filter(~pl.col("held"))["group"])


def test_a_sample_keeps_both_or_neither_of_a_pair_of_duplicates():
    sample = corpora.gather(iter([of_pairs(range(2000))]), share=0.3, held_out=0.0, seed=1)
    assert 450 < len(sample) < 750
    assert sample.group_by("group").len()["len"].unique().to_list() == [2]


def test_a_document_of_files_has_the_group_of_the_same_text_in_the_output(tmp_path):
    texts = ["the first text", "the  first\ntext", "another one", "not read"]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    known = corpora.known_texts(iter([frame([(1, 77, "the first text"), (2, 77, "a near copy"), (3, 78, "another one")])]))
    found = pl.concat(corpora.of_files(str(tmp_path / "a.jsonl"), known))["group"].to_list()
    assert found[:3] == [77, 77, 78]
    assert found[3] not in (77, 78)


def test_the_sets_are_cut_and_what_was_dropped_is_one_set_of_groups_of_which_nothing_was_kept():
    rows = [(i, i // 2, f"document {i} " * 200) for i in range(80)]
    raw = frame(rows).with_columns(held=pl.lit(True))
    curated = raw.filter(pl.col("key") % 4 == 0)  # one of every second pair: the other of it is a duplicate, not given up
    sets = {s.role: s for s in heldout.split_off(raw, curated, seed=0, bracket=True)}
    assert set(sets) == {"raw_heldout", "curated_heldout", "dropped"}
    assert all(len(text.encode()) <= heldout.DOCUMENT_BYTES for s in sets.values() for text in s.texts)
    given_up = {int(text.split()[1]) for text in sets["dropped"].texts if text.startswith("document")}
    assert given_up == {i for i in range(80) if i // 2 % 2 and i % 2 == 0}, "one document a group"


def test_short_of_documents_a_long_one_gives_several_of_one_cluster():
    rows = [(i, i, " ".join(f"w{i}x{n}" for n in range(900))) for i in range(10)]
    raw = frame(rows).with_columns(held=pl.lit(True))
    found = next(s for s in heldout.split_off(raw, raw, seed=0, bracket=True) if s.role == "raw_heldout")
    assert len(found.texts) == 10 * heldout.MOST_PIECES
    assert sorted(np.bincount(found.clusters).tolist()) == [heldout.MOST_PIECES] * 10


@pytest.mark.parametrize(("sites", "clusters"), [(1, 20), (2, 2)])
def test_documents_of_one_site_alone_are_clusters_of_their_own(tmp_path, sites, clusters):
    """Before, they were one cluster, whose choice added nothing to the interval."""
    rows = [{"text": f"text {i}", "url": f"https://site{i % sites}.org/{i}"} for i in range(20)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (found,) = heldout.declared([("a", str(tmp_path / "a.jsonl"))], seed=0)
    assert len(set(found.clusters)) == clusters


def test_a_later_target_has_nothing_of_an_earlier_one_by_site_or_text(tmp_path):
    def write(name, rows):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return (name.split(".")[0], str(tmp_path / name))

    first = [{"text": f"first {i}", "url": f"https://www.one.org/{i}"} for i in range(3)] + [{"text": "shared"}]
    second = [{"text": "also of one", "url": "http://one.org/x"}, {"text": "shared"}, {"text": "own", "cluster": "book"}]
    one, two = heldout.declared([write("a.jsonl", first), write("b.jsonl", second)], seed=0)
    assert set(one.texts) == {row["text"] for row in first}
    assert len(set(one.clusters)) == 2, "a site is one cluster"
    assert two.texts == ("own",)


def test_the_same_mix_has_the_judged_arms_shares_by_language_and_source():
    rng = np.random.default_rng(0)
    languages = rng.choice(["en", "fr", "de"], 6000, p=[0.5, 0.3, 0.2])
    numbers = [corpora.number_of(f"document {i}") for i in range(6000)]
    raw = frame([(n, n, "x" * 100, str(language), "web") for n, language in zip(numbers, languages, strict=True)])
    keep = {"en": 0.6, "fr": 0.2, "de": 0.4}
    judged = raw.filter(pl.Series([rng.random() < keep[language] for language in languages]))
    same = mix.resampled(raw, judged, seed=0)
    shares, wanted = (dict(f["language"].value_counts(normalize=True).iter_rows()) for f in (same, judged))
    assert shares == {language: pytest.approx(share, abs=0.02) for language, share in wanted.items()}
    assert len(same) > len(judged), "as much of the baseline as the shares allow"


def test_where_the_mix_is_the_same_already_there_is_no_such_arm():
    raw = frame([(n, n, "x" * 100, "en", "web") for n in range(500)])
    assert mix.resampled(raw, raw.head(200), seed=0) is None
