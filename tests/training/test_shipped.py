"""The models in the package: whole, small, described, and equal to fastText on the sample's documents."""

from __future__ import annotations

import json
import os
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from filters.kernels import buffers
from filters.kernels.models import windows
from filters.models import classifier, whole
from filters.models.classifier import Classifier
from pipeline.training import examples, metrics
from pipeline.training.examples import Columns, Document
from pipeline.training.fit import MAX_BYTES
from pipeline.training.recipes import adult, quality, toxicity, toxicity2
from tests.filters.kernels.models.plain_tokens import plain
from tests.support import ROOT, SAMPLE
from tests.training.test_logistic import plain_levelled

FOLDER = ROOT / "filters" / "model_files"
NAMES = ("quality_en", "toxicity_en")


@pytest.fixture(scope="module", params=NAMES)
def model(request: pytest.FixtureRequest) -> Classifier:
    return classifier.load_classifier(FOLDER / f"{request.param}.ftz")


LEVELLED = {"toxicity@2": toxicity2, "adult@1": adult}
"""Models that `logistic` trained, by name, and the recipe of each."""


@pytest.fixture(scope="module")
def texts() -> list[str]:
    documents, _ = examples.load_examples([str(SAMPLE / "input")], positive=True, columns=Columns())
    found = [document.text for document in documents]
    assert len(found) > 100
    return found


def test_is_small_and_described(model):
    path = model.path
    assert path.stat().st_size <= MAX_BYTES
    assert model.languages == ("en",)
    assert model.index is not None  # read by the fast kernel
    card = path.with_suffix(".md").read_text("utf-8")
    assert model.sha256 in card
    assert "python -m flows.train" in card
    recipe = quality if path.stem.startswith("quality") else toxicity
    assert all(line in card for line in recipe.LIMITS)  # what it is worth on sources that it has not seen


@pytest.mark.parametrize("name", LEVELLED)
def test_a_levelled_model_is_small_described_and_equals_fasttexts_rows(name, texts):
    model = classifier.load_classifier(FOLDER / f"{name}.bin")
    card = (FOLDER / f"{name}.md").read_text("utf-8")
    assert model.path.stat().st_size <= MAX_BYTES and model.sha256 in card
    assert all(line in card for line in LEVELLED[name].LIMITS)
    assert model.threshold == LEVELLED[name].DEFAULT and "en" in model.languages
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    oracle, level = fasttext.load_model(str(model.path)), model.text.level_words
    theirs = [plain_levelled(oracle, text, level=level) for text in texts[::5]]
    assert model.logits(data, whole(offsets))[::5] == pytest.approx(theirs, abs=1e-3)


def test_models_of_the_package_are_small_together():
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.suffix in (".bin", ".ftz")) <= 5_000_000


def test_equals_fasttext_on_the_sample(model, texts):
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    spans = model.spans(offsets, data)
    ours = 1 / (1 + np.exp(-model.logits(data, spans)))
    oracle = fasttext.load_model(str(model.path))
    whole = data.tobytes()
    for row, score in zip(spans, ours, strict=True):
        read = "".join(plain(whole[a:b].decode()) for a, b in row)
        labels, found = oracle.predict([read], k=2)
        theirs = dict(zip(labels[0], found[0], strict=True)).get(f"__label__{model.label}", 0.0)
        assert score == pytest.approx(theirs, abs=2e-5)  # fastText adds 1e-5 to each probability
    assert spans.shape[1] in (1, windows.WINDOWS)


def test_tells_prose_from_menus_and_insults_from_questions():
    good = "The old bridge was built in the spring, after the river had taken the ferry. People still tell how it was done. " * 3
    menu = (
        "Home | About us | Contact | Log in | Register\nAdd to cart\nRead more\nPrivacy policy\n© 2004 All rights reserved\n" * 3
    )
    scores = _texts("quality_en", [good, menu])
    assert scores[0] > 0.5 > scores[1]
    insult, question = (
        "you fucking idiot, shut up, nobody likes you, stupid bitch",
        "could you tell me when the library opens tomorrow?",
    )
    scores = _texts("toxicity_en", [insult, question])
    assert scores[0] > classifier.load_classifier(FOLDER / "toxicity_en.ftz").threshold > scores[1]


def _texts(name: str, texts: list[str]) -> np.ndarray:
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    return classifier.load_classifier(FOLDER / f"{name}.ftz").texts(offsets, data)


def comment(text: str, spans: object) -> Document:
    return Document(text=text, positive=True, source="s", group="g", others=json.dumps({"spans": spans}))


@pytest.mark.parametrize(
    ("spans", "left"),
    [
        ([0, 1, 2], "    you all and more"),
        ("[0, 1, 2]", "    you all and more"),  # as the file has them: a list in a string
        ([], None),
        (None, None),
        (list(range(15)), None),  # most of it is marked
    ],
)
def test_a_comment_without_its_marked_words_is_harmless(spans, left):
    made = toxicity.without_spans(comment("bad you all and more", spans))
    assert (made.text, made.positive) == (left, False) if left else made is None


def test_fragments_come_from_documents_that_are_in_no_other_place():
    prose = [Document(text=" ".join(f"w{i}" for i in range(60)), positive=True, source="s", group="g")]
    made = quality.negatives(30, prose, seed=0)
    assert not any(document.positive for document in made)
    assert any("w0 w1 w2 w3" in document.text for document in made)


def test_recipes_name_files_that_they_say_where_to_find():
    for file in (quality.FILE, toxicity.FILE, *quality.MANUALS):
        assert not Path(file).is_absolute()


PINNED = {"stormfront": 0.73, "hatecheck": 0.5}
"""ROC AUC of toxicity@2 on sources that no training saw, as lower bounds; HateCheck is what no bag of words can do."""


@pytest.mark.skipif("WINNOW_EVAL_DATA" not in os.environ, reason="set WINNOW_EVAL_DATA to a folder of real text")
def test_toxicity_2_is_as_good_on_sources_it_never_saw_as_its_card_says():
    folder = Path(os.environ["WINNOW_EVAL_DATA"])
    model = classifier.load_classifier(FOLDER / "toxicity@2.bin")
    found, _ = examples.load_examples([str(folder / toxicity.FILE)], positive=True, columns=toxicity.COLUMNS)
    for source, least in PINNED.items():
        own = [document for document in found if document.source == source and document.language == "en"]
        auc = metrics.auc(_highest(model, own), np.array([document.positive for document in own]))
        assert auc.value >= least, source
    talk = folder / "toxicity_more" / "jigsaw2018_wikitalk_sample.jsonl.zst"
    rows, _ = examples.load_examples([str(talk)], positive=True, columns=toxicity.COLUMNS)
    assert metrics.auc(_highest(model, rows), np.array([row.positive for row in rows])).value >= 0.85
    columns = Columns(label="hq", group="group")
    articles, _ = examples.load_examples([str(folder / quality.FILE)], positive=True, columns=columns)
    own = [document for document in articles if document.positive and document.source not in quality.PROSE]
    assert (_highest(model, own) > model.threshold).mean() <= 0.003


def _highest(model: Classifier, documents: list[Document]) -> np.ndarray:
    offsets, data = buffers.views(pa.array([document.text for document in documents], pa.large_string()))
    return model.windows(offsets, data)[0]
