"""The recipe of the quality model: parts by site, words of few documents, and the same bytes again."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from filters import quality
from filters.kernels.models import trees
from filters.kernels.models.shape_counts import BUCKETS
from pipeline.errors import InputError, UsageError
from pipeline.training import forest, judged, metrics, readers_card, words
from pipeline.training.judged import Judged
from pipeline.training.recipes import readers
from pipeline.training.words import Rows

LINES = list(judged.labels())
DATA = os.environ.get("WINNOW_EVAL_DATA")


def test_no_site_is_in_two_parts_and_what_may_not_train_is_apart():
    parts: dict[str, set[str]] = {}
    for _, line in LINES:
        parts.setdefault(line["site"], set()).add(line["part"])
        assert (line["part"] == "apart") == (line["source"] in judged.APART)
    assert all(len(found) == 1 for found in parts.values())
    moved = {line["site"]: line["part"] for _, line in LINES if line["part"] not in ("apart", judged.part_of(line["site"]))}
    assert len(moved) <= 10 and set(moved.values()) == {"test"}  # sites of which other judgements are held out


def test_parts_hold_what_the_readme_says():
    readme = (Path(judged.__file__).parent / "judgements" / "README.md").read_text("utf-8")
    found = Counter((line["part"], label["keep"]) for label, line in LINES)
    for part in ("train", "calibrate", "test", "apart"):
        y, n, undecided = (found[part, keep] for keep in ("y", "n", "?"))
        assert f"| {part} | {y + n + undecided:,} | {y:,} | {n:,} | {undecided} |" in readme


@pytest.mark.parametrize(
    ("url", "other"),
    [("http://www.a.org/x", "https://A.org/y?z=1"), ("http://a.org:8080/", "http://user@a.org/")],
)
def test_a_site_is_its_host(url, other):
    assert judged.site("1", url) == judged.site("2", other) != judged.site("1", None)
    assert judged.site("1", None) == judged.site("1", "") != judged.site("2", None)


def test_parts_have_their_shares():
    found = Counter(judged.part_of(judged.site(str(k), None)) for k in range(4000))
    for part, share in judged.SHARES.items():
        assert abs(found[part] / 4000 - share) < 0.03


def rows(texts: list[set[int]]) -> Rows:
    sizes = np.array([len(text) for text in texts])
    return Rows(np.array([b for text in texts for b in sorted(text)]), np.concatenate(([0], np.cumsum(sizes))), sizes)


def test_a_word_of_few_documents_weighs_nothing():
    texts = [{1, 2} if k % 2 else {1, 3} for k in range(40)]
    texts[1].add(77), texts[3].add(77), texts[5].add(77), texts[7].add(77)
    weights, bias = words.fit(rows(texts), np.arange(40) % 2.0, np.ones(40))
    assert weights.shape == (BUCKETS,) and weights[77] == 0
    assert weights[2] > 0 > weights[3]
    found = words.logits(rows(texts), weights, bias)
    assert ((found > 0) == (np.arange(40) % 2 > 0)).all()


def test_rows_are_taken_with_their_words():
    found = rows([{5}, {1, 2, 3}, set(), {9, 4}]).take(np.array([3, 2, 1]))
    assert found.buckets.tolist() == [4, 9, 1, 2, 3] and found.starts.tolist() == [0, 2, 2, 5]
    assert words.logits(found, np.ones(BUCKETS), 1.0)[1] == 1.0


def test_trees_are_the_booster():
    lightgbm = pytest.importorskip("lightgbm")
    chance = np.random.default_rng(0)
    features = chance.normal(size=(400, 5)).astype(np.float32)
    target = (features[:, 0] + features[:, 1] > 0).astype(float)
    made = forest.fit(features, target, np.ones(400))
    booster = lightgbm.train(forest.SETTINGS, lightgbm.Dataset(features, target, weight=np.ones(400)), forest.TREES)
    assert np.allclose(trees.sums(made, features), booster.predict(features, raw_score=True), atol=1e-4)


def test_without_lightgbm_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lightgbm", None)
    with pytest.raises(UsageError, match=r"winnow-curation\[train\]"):
        forest.fit(np.zeros((2, 1)), np.zeros(2), np.ones(2))


def test_limits_lose_the_share_that_they_may():
    n = 1000
    documents = [
        Judged(id=str(k), text="", score=4, keep=True, problem="none", source="s", site="0" * 16, part="train") for k in range(n)
    ]
    scored = readers_card.Scored(documents=documents, language=np.array(["en"] * n), logit=np.arange(n) / n)
    p = np.arange(n) / n
    for lost in (0.03, 0.2):
        found = readers_card.limits(scored, p, covered=["en", "xx"], lost=lost)
        assert abs(float((p < found.by_language["en"]).mean()) - lost) < 0.002
        assert found.by_language["xx"] == found.score  # no document of its own


def test_a_folder_without_the_data_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected compressed lines of JSON"):
        judged.load(tmp_path)


@pytest.mark.skipif(not DATA, reason="needs WINNOW_EVAL_DATA")
def test_the_card_says_what_the_model_does_on_the_test_part():
    documents = [d for d in judged.load(Path(str(DATA)))[0] if d.part == "test" and d.keep is not None]
    params = quality.Params(model="readers")
    model = quality.load(params)
    every = readers.examples_of(documents)
    own = words.logits(every.rows, model.words.astype(float), model.card.bias)
    logits = trees.sums(model.trees, np.column_stack((every.features, own.astype(np.float32))))
    auc = metrics.auc(logits, every.keep)
    assert auc is not None and round(auc.value, 4) == model.card.figures["all ROC AUC"]
    scored = readers_card.Scored(documents=documents, language=readers_card.languages([d.text for d in documents]), logit=logits)
    found = readers_card.choices(scored, model.calibrated(logits), model.card)
    assert found == model.card.choices
