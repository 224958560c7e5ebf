"""The command, end to end, on small examples of our own: figures, files, the same bytes twice, and clear mistakes."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from filters.kernels import buffers
from filters.models import classifier
from filters.models.classifier import ModelError
from flows.train import main
from pipeline.errors import InputError
from pipeline.training import examples, fit
from pipeline.training.examples import Columns, Document
from pipeline.training.recipes import patterns, quality, toxicity
from tests.filters.kernels.models.plain_tokens import plain

GOOD = "the river carried the boats down to a quiet harbour where old people told their children about winter and ice"
BAD = "click here buy cheap pills now free offer login register cart checkout subscribe winner cash bonus deal"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of a few thousand rows: quantising is most of the time that these trainings take."""
    for name in ("QUALITY", "TOXICITY"):
        monkeypatch.setattr(fit, name, dataclasses.replace(getattr(fit, name), bucket=1 << 12))


def texts(vocabulary: str, n: int, *, seed: int) -> list[str]:
    words, chance = vocabulary.split(), random.Random(seed)
    shared = ["and", "or", "then", "with", "today"]
    return [" ".join(chance.choice(words if chance.random() < 0.7 else shared) for _ in range(60)) for _ in range(n)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    good, bad = texts(GOOD, 300, seed=1), texts(BAD, 300, seed=2)
    rows = [{"text": t, "good": 1, "site": f"a{i % 40}"} for i, t in enumerate(good)]
    rows += [{"text": t, "good": 0, "site": f"b{i % 40}"} for i, t in enumerate(bad)]
    write(folder / "good.jsonl", rows[:300])
    write(folder / "bad.jsonl", rows[300:])
    write(folder / "all.jsonl", rows)
    write(folder / "few.jsonl", rows[:30])
    write(folder / "empty.jsonl", [{"other": "x"}])
    (folder / "broken.jsonl").write_bytes(b"\x00\xffnot json\n")
    return folder


def write(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_same_examples_and_seed_give_the_same_files(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    made = []
    for name in ("one", "two"):
        monkeypatch.chdir(folder)
        out = tmp_path / name
        arguments = ("quality", "--positive", "good.jsonl", "--negative", "bad.jsonl", "--output", out, "--seed", 7, "--json")
        code, shown, _ = run(capsys, *arguments)
        assert code == 0
        files = {path.name: path.read_bytes() for path in out.iterdir()}
        assert set(files) == {"quality.ftz", "quality.json", "quality.md"}
        made.append({name: data.replace(str(out).encode(), b"OUT") for name, data in files.items()})
    assert made[0] == made[1]
    assert json.loads(shown)["figures"]["auc"] > 0.99
    assert "min_score" in json.loads(shown)["plan"]


def test_a_trained_model_is_read_with_its_sidecar_and_equals_fasttext(folder, tmp_path, capsys):
    assert (
        run(capsys, "quality", "--input", folder / "all.jsonl", "--label", "good", "--group", "site", "--output", tmp_path)[0]
        == 0
    )
    model = classifier.load_classifier(tmp_path / "quality.ftz")
    assert model.languages == ("en",)
    some = [*texts(GOOD, 20, seed=5), *texts(BAD, 20, seed=6), "", "中文 ☃", "Fuuuck THE River's ice!!"]
    offsets, data = buffers.views(pa.array(some, pa.large_string()))
    scores = model.texts(offsets, data)
    assert scores.dtype == np.float32 and (scores[:20] > 0.5).all() and (scores[20:40] < 0.5).all()
    oracle = fasttext.load_model(str(tmp_path / "quality.ftz"))
    for text, logit in zip(some, model.logits(data, model.spans(offsets, data)), strict=True):
        labels, found = oracle.predict([plain(text)], k=2)
        p = dict(zip(labels[0], found[0], strict=True))["__label__positive"]
        assert 1 / (1 + np.exp(-logit)) == pytest.approx(p, abs=2e-5)  # fastText adds 1e-5 to a probability


def test_character_ngrams_equal_fasttext_too(folder, tmp_path, capsys):
    given = ("--positive", folder / "bad.jsonl", "--negative", folder / "good.jsonl", "--output", tmp_path)
    code, shown, _ = run(capsys, "toxicity_x", *given)
    assert code == 0 and "max_score" in shown
    model = classifier.load_classifier(tmp_path / "toxicity_x.ftz")
    oracle = fasttext.load_model(str(tmp_path / "toxicity_x.ftz"))
    some = ["chick hre now", "pilllls f*ee", "", "harbours unbekanntes Wörterbuch", "x" * 300, " ".join(texts(BAD, 9, seed=3))]
    offsets, data = buffers.views(pa.array(some, pa.large_string()))
    for text, logit in zip(some, model.logits(data, model.spans(offsets, data)), strict=True):
        labels, found = oracle.predict([plain(text)], k=2)
        p = dict(zip(labels[0], found[0], strict=True))["__label__positive"]
        assert 1 / (1 + np.exp(-logit)) == pytest.approx(p, abs=2e-5)
    largest, share = model.windows(offsets, data)
    assert largest.dtype == share.dtype == np.float32
    assert ((share > 0) == (largest > model.threshold)).all()


def test_one_bad_passage_in_a_long_text_counts(folder, tmp_path, capsys):
    given = ("--positive", folder / "bad.jsonl", "--negative", folder / "good.jsonl", "--output", tmp_path)
    assert run(capsys, "toxicity", *given)[0] == 0
    model = classifier.load_classifier(tmp_path / "toxicity.ftz")
    good, bad = " .\n".join(texts(GOOD, 30, seed=8)), " .\n".join(texts(BAD, 5, seed=9))
    offsets, data = buffers.views(pa.array([good, f"{good} .\n{bad} .\n{good}"], pa.large_string()))
    (clean, mixed), (none, some) = model.windows(offsets, data)
    assert clean < model.threshold < mixed
    assert none == 0 < some < 0.3


def test_a_sample_of_a_corpus_as_the_other_class(folder, tmp_path, capsys):
    given = ("--positive", folder / "good.jsonl", "--negative", "corpus", "--corpus", folder / "bad.jsonl", "--tokens", "5000")
    code, shown, _ = run(capsys, "quality", *given, "--sample", "250", "--output", tmp_path, "--json")
    assert code == 0
    assert "tokens" in json.loads(shown)["thresholds"]


def test_a_corpus_beside_explicit_negatives_is_no_example(folder, tmp_path, capsys):
    """Good text in the corpus is no negative: only thresholds are set on it, unless `corpus` is asked for among the negatives."""
    write(tmp_path / "corpus.jsonl", [{"text": text} for text in texts(GOOD, 250, seed=9)])
    given = ("--positive", folder / "good.jsonl", "--corpus", tmp_path / "corpus.jsonl", "--tokens", "5000", "--json")
    code, shown, _ = run(capsys, "quality", *given, "--negative", folder / "bad.jsonl", "--output", tmp_path / "alone")
    alone = json.loads(shown)
    assert code == 0 and alone["figures"]["auc"] > 0.99 and alone["figures"]["positives"] + alone["figures"]["negatives"] < 90
    assert alone["thresholds"]["share_0.5"] > 0.5  # half of the corpus, which is good, not of bad text
    code, shown, _ = run(capsys, "quality", *given, "--negative", folder / "bad.jsonl", "corpus", "--output", tmp_path / "both")
    asked = json.loads(shown)["figures"]
    assert code == 0 and asked["negatives"] > alone["figures"]["negatives"] and asked["auc"] < alone["figures"]["auc"]


def test_too_few_examples_say_how_many_are_missing():
    some = [document(str(k), k < 40, group=str(k)) for k in range(400)]
    with pytest.raises(InputError, match=r"too few positive examples: 40; about 260 positive.*give 220 more"):
        examples.split(some, seed=0)
    one_site = [document(str(k), k < 300, group="one" if k < 300 else str(k)) for k in range(600)]
    with pytest.raises(InputError, match="give smaller groups"):
        examples.split(one_site, seed=0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["quality"], "give --positive"),
        (["a/b", "--positive", "good.jsonl", "--negative", "bad.jsonl"], "letters, digits"),
        (["quality", "--positive", "good.jsonl", "--negative", "corpus"], "need --corpus"),
        (["quality", "--positive", "nowhere.jsonl", "--negative", "bad.jsonl"], "nowhere.jsonl"),
        (["quality", "--positive", "good.jsonl", "--negative", "empty.jsonl"], "no text in column 'text'"),
        (["quality", "--positive", "good.jsonl", "--negative", "broken.jsonl"], "no text in column 'text'"),
        (
            ["quality", "--positive", "good.jsonl", "--negative", "few.jsonl"],
            "too few negative examples: 0; about 260 positive and 260 negative",
        ),
        (["quality", "--input", "all.jsonl"], "--label"),
        (["quality", "--input", "all.jsonl", "--label", "site"], "expected one of"),
        (["quality", "--input", "all.jsonl", "--label", "godo"], "no column godo"),
        (
            ["quality", "--positive", "good.jsonl", "--negative", "bad.jsonl", "--label", "good"],
            "--label tells the rows of --input",
        ),
        (["quality", "--positive", "good.jsonl", "--negative", "corpus", "--corpus", "bad.jsonl", "--sample", "0"], "above 0"),
        (["quality", "--positive", "good.jsonl", "--negative", "corpus", "--corpus", "bad.jsonl", "--tokens", "-1"], "above 0"),
        (["quality", "--positive", "good.jsonl", "--negative", "good.jsonl"], "stand in both classes"),
        (["quality", "--input", "all.jsonl", "--label", "good", "--group", "gruop"], "no column gruop"),
        (["quality", "--recipe", "quality"], "--data"),
        (["quality", "--recipe", "quality", "--data", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_end_with_status_2_and_say_what_is_wrong(folder, tmp_path, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(folder)
    code, out, err = run(capsys, *arguments, "--output", tmp_path)
    assert (code, out) == (2, "")
    assert said in err
    assert not list(tmp_path.iterdir())


def document(text: str, positive: bool, group: str = "g") -> Document:
    return Document(text=text, positive=positive, source="s", group=group)


def test_copies_are_left_out_and_so_are_texts_of_both_classes():
    found = examples.clean([document("a  b", True), document("a\nb", True), document("c", True), document("c", False)])
    assert [d.text for d in found.documents] == ["a  b"]
    assert (found.copies, found.contradictions) == (1, 2)


def test_no_group_is_in_two_parts_and_made_up_text_is_in_training_only():
    documents = [document(f"{i} {p}", p, group=f"g{i // 4}") for i in range(800) for p in (True, False)]
    documents += [Document(text=f"m{i}", positive=True, source="s", group="x", train_only=True) for i in range(50)]
    parts = examples.split(documents, seed=3)
    groups = [{d.group for d in inside if not d.train_only} for inside in parts.values()]
    assert not (groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2])
    assert [len(g) for g in groups] == pytest.approx([140, 40, 20], abs=15)
    assert all(d in parts["train"] for d in documents[-50:])


def test_windows_of_a_document_hold_it_once_and_have_the_lengths_asked_for():
    settings = fit.Settings(cut=(5, 20), windows=1000)
    words = [str(i) for i in range(500)]
    made = fit.windows(" ".join(words), settings, random.Random(1))
    assert " ".join(made).split() == words
    assert all(5 <= len(window.split()) <= 20 for window in made[:-1])
    assert len(fit.windows(" ".join(words), fit.Settings(cut=(5, 20), windows=3), random.Random(1))) == 3


def test_patterns_are_filled_and_the_same_for_a_seed():
    for recipe in (quality, toxicity):
        lists = patterns.read(recipe.__name__.rpartition(".")[2])
        chance = random.Random(0)
        filled = [patterns.draw(lists, section, chance) for section in lists for _ in range(50)]
        names = [f"{{{name}}}" for name in lists]
        assert not [text for text in filled if any(name in text for name in names)]
    assert toxicity.from_patterns(seed=1) == toxicity.from_patterns(seed=1) != toxicity.from_patterns(seed=2)


def test_a_sidecar_of_another_file_or_shape_is_refused(folder, tmp_path, capsys):
    given = ("--positive", folder / "good.jsonl", "--negative", folder / "bad.jsonl", "--output", tmp_path)
    assert run(capsys, "quality", *given)[0] == 0
    path, sidecar = tmp_path / "quality.ftz", tmp_path / "quality.json"
    good = json.loads(sidecar.read_text())
    for change, said in (
        ({"sha256": "0" * 64}, "expected sha256"),
        ({"text": {**good["text"], "tokens": 99}}, "version 99"),
        ({"label": "other"}, "expected the positive label"),
        ({"calibration": {"kind": "platt", "a": -1, "b": 0}}, "format 1"),
        ({"calibration": {"kind": "isotonic", "x": [1, 0], "y": [0, 1]}}, "format 1"),
        ({"thresholds": {}}, "format 1"),
        ({"surprise": 1}, "format 1"),
    ):
        sidecar.write_text(json.dumps(good | change))
        with pytest.raises(ModelError, match=said):
            classifier.load_classifier(path)
    sidecar.write_text(json.dumps(good))
    assert classifier.load_classifier(path, label="positive").label == "positive"
    with pytest.raises(ModelError, match="score of label positive; found label negative"):
        classifier.load_classifier(path, label="negative")
    sidecar.unlink()
    with pytest.raises(ModelError, match=r"one of (positive, negative|negative, positive); found None"):
        classifier.load_classifier(path)
    assert classifier.load_classifier(path, label="positive").threshold == 0.5


def test_columns_of_other_names(folder, tmp_path):
    write(tmp_path / "x.jsonl", [{"body": "b", "lang": "de", "site": 3}])
    (found,), _ = examples.load_examples(
        [str(tmp_path / "x.jsonl")], positive=True, columns=Columns(text="body", group="site", language_column="lang")
    )
    assert (found.text, found.language, found.group) == ("b", "de", "3")
