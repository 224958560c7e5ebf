"""Levelled models: the file is fastText's, the kernel equals its rows summed over different words, and sources are weighed."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.kernels import buffers
from filters.kernels.models import bags
from filters.models import classifier, whole
from filters.models.classifier import Classifier, ModelError, Text
from pipeline.training import fit, logistic
from pipeline.training.examples import Document
from tests.filters.kernels.models.plain_tokens import plain
from tests.support import examples

SETTINGS = replace(fit.LEVELLED, bucket=512)
VILE = ["you zorp", "what a zorp he is", "zorps and frobs all of them", "shut up frob"]
MILD = ["the river is long", "we met in the old library", "frost lies on the fields", "a long winter it was"]
_WORD = re.compile(r"[a-z\u00c0-\U0010ffff]")


def documents(texts: Sequence[str], *, positive: bool, source: str = "s", **more: object) -> list[Document]:
    return [Document(text=t, positive=positive, source=source, group=t, **more) for t in texts]  # type: ignore[arg-type]


def trained(folder: Path, found: Sequence[Document]) -> Classifier:
    return logistic.train(found, SETTINGS, folder=folder, seed=0)


def logits(model: Classifier, texts: Sequence[str]) -> np.ndarray:
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    return model.logits(data, whole(offsets))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    found = [*documents(VILE * 3, positive=True), *documents(MILD * 3, positive=False)]
    return trained(tmp_path_factory.mktemp("levelled"), found)


@pytest.fixture(scope="module")
def oracle(model: Classifier) -> fasttext.FastText._FastText:
    return fasttext.load_model(str(model.path))


def plain_levelled(oracle: fasttext.FastText._FastText, text: str, *, level: int) -> float:
    """The rows of the different words by fastText's own numbers of them, over the root of all words up to `level`."""
    words = [token for token in plain(text).split(" ") if _WORD.match(token)]
    rows = oracle.get_input_matrix()[:, 0].astype(float)
    total = sum(float(rows[oracle.get_subwords(word)[1]].sum()) for word in dict.fromkeys(words))
    n = len(words)
    return total / (math.sqrt(n) if n <= level else n / math.sqrt(level)) if n else 0.0


@examples(0.5)
@given(
    st.lists(
        st.sampled_from(["zorp", "Zorp!", "frobs", "river", "×", "«", "é", "Σ", "0", "\n", "中文", "f*b", "'"]), max_size=40
    ),
    st.text(),
)
@example(["zorp", "river"] * 20, "")  # more words than the level
@example([], "¡")
def test_equals_fasttexts_rows_on_any_unicode(model, oracle, words, more):
    text = " ".join(words) + more.replace("\x00", "")
    (found,) = logits(model, [text])
    assert found == pytest.approx(plain_levelled(oracle, text, level=20), abs=1e-4)


def test_a_word_counts_once_and_a_text_is_levelled_by_all_its_words(model, oracle):
    once, twice, padded = logits(model, ["zorp", "zorp zorp", "zorp " * 60])
    assert twice == pytest.approx(once / math.sqrt(2)) and padded == pytest.approx(once * math.sqrt(20) / 60)


def test_texts_do_not_see_each_others_words(model):
    texts = ["zorp river", "zorp river", "", "river zorp frob", "1 2 !"]
    assert logits(model, texts).tolist() == [logits(model, [text])[0] for text in texts]


def test_keys_of_one_home_end_in_words_that_count_again_not_in_endless_search(model):
    seen = bags.Seen(np.zeros(1024, np.uint64), np.zeros(1024, np.int64))
    found = [bags._is_new(seen, np.uint64(k << 10), 1) for k in range(600)]
    assert all(found)
    assert not bags._is_new(seen, np.uint64(3 << 10), 1) and bags._is_new(seen, np.uint64(599 << 10), 1)


def test_no_word_of_fewer_than_three_documents_is_in_the_file(tmp_path):
    found = [*documents(["zorp qux qux qux qux", "zorp you", "zorp he"], positive=True), *documents(MILD, positive=False)]
    words = fasttext.load_model(str(trained(tmp_path, found).path)).get_words()
    assert words == ["the", "zorp"]


def test_a_source_of_one_class_does_not_teach_its_own_words(tmp_path):
    """Each source has its intercept: what stands in every row of a source says little, what divides its classes much."""
    tagged = [*documents([f"{t} rt" for t in VILE * 5], positive=True, source="tweets")]
    tagged += documents([f"{t} rt" for t in MILD], positive=False, source="tweets")
    rest = [*documents(MILD * 5, positive=False, source="forum"), *documents(VILE, positive=True, source="forum")]
    (marker, insult) = logits(trained(tmp_path, [*tagged, *rest]), ["rt", "zorp"])
    assert abs(marker) < 0.2 * insult


def test_doubtful_negatives_that_the_others_find_positive_are_left_out(tmp_path):
    sure = [*documents(VILE * 4, positive=True), *documents(MILD * 4, positive=False)]
    narrow = documents(["you zorp"] * 30, positive=False, source="narrow")
    believed, doubted = (
        logits(trained(tmp_path, [*sure, *(replace(d, doubtful=doubtful) for d in narrow)]), ["zorp"])[0]
        for doubtful in (False, True)
    )
    assert doubted > believed


def test_ordinary_text_must_be_told_apart_by_words(tmp_path):
    found = [*documents(VILE, positive=True), *documents(MILD, positive=False)]
    ordinary = documents(["the harbour is wide and old"] * 20, positive=False, source="web", ordinary=True)
    before, after = (logits(trained(tmp_path, docs), ["harbour"])[0] for docs in (found, [*found, *ordinary]))
    assert after < before


def test_the_same_examples_give_the_same_file(tmp_path):
    chance = random.Random(1)
    found = [*documents([" ".join(chance.sample(" ".join(VILE).split(), 5)) for _ in range(40)], positive=True)]
    found += documents([" ".join(chance.sample(" ".join(MILD).split(), 5)) for _ in range(40)], positive=False)
    assert len({trained(tmp_path, found).path.read_bytes() for _ in range(2)}) == 1


def test_levels_are_for_single_words_over_our_tokens(model):
    for text in (Text(level_words=15), Text(tokens=None, level_words=1)):
        with pytest.raises(ModelError, match="level_words is for models of two labels over our tokens, single words"):
            classifier.load_classifier(model.path, label="positive", text=text)
