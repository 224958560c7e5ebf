"""`flows.train quality --reviews`: what counts as a review, what is learnt, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from filters import quality
from filters.kernels.models import trees
from filters.models import readers as model_files
from flows import inspect
from flows.train import main
from pipeline.inspect import output as opened
from pipeline.output import reviews
from pipeline.plan.load import load_plan
from pipeline.training import adapt, reviewed, reviews_card, words
from tests.support import curate, table
from tests.training import reviewed_output


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reviewed")
    reviewed_output.make(folder)
    return folder


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "out", tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fits are most of the time that these trainings take."""
    monkeypatch.setattr(words, "_STEPS", 25)


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def lists(id_: str) -> bool:
    return id_.startswith("g")


def load(out: Path) -> reviewed.Found:
    return reviewed.load(opened.open_output_of(str(out)).store)


def test_a_filter_of_ones_own_keeps_what_its_owner_keeps(capsys, out, tmp_path, made):
    """260 reviews of somebody who wants what the shipped model drops: it comes to keep that, on sites that it has not seen."""
    reviewed_output.review(out, lists)
    code, said, err = run(capsys, "quality_mine", "--reviews", out, "--output", tmp_path / "m", "--json")
    assert code == 0 and err == ""
    assert run(capsys, "quality_mine", "--reviews", out, "--output", tmp_path / "twice")[0] == 0
    for file in ("quality_mine.npz", "quality_mine.json", "quality_mine.md"):
        assert (tmp_path / "m" / file).read_bytes() == (tmp_path / "twice" / file).read_bytes()
    shown = json.loads(said)
    figures = shown["figures"]
    assert figures["before, all reviews: recall"] == 0 and figures["after, all reviews: recall"] > 0.7
    assert figures["after, all reviews: precision"] > 0.95 and figures["after, all reviews: dropped"] > 0.95
    assert len(shown["crossed"]) > 200 and {one["enters"] for one in shown["crossed"]} == {True, False}
    card = model_files.load_readers(tmp_path / "m" / "quality_mine.npz").card  # whole, by its sha256
    assert card.languages == ("en",) and card.choices["balanced"][0].kept[1] == 130
    page = (tmp_path / "m" / "quality_mine.md").read_text()
    assert "260 reviews, 130 to keep and 130 to drop" in page and "after, all reviews" in page
    # As the plan says: what was dropped is kept now, and the other way round.
    (tmp_path / "own.yaml").write_text(
        f"extends: none@1\n{shown['plan'].replace('{quality', '{language: {}, quality')}\n", "utf-8"
    )
    curate(tmp_path / "own.yaml", "--input", made / "in" / "a.jsonl", "--output", tmp_path / "again")
    capsys.readouterr()
    curate(tmp_path / "own.yaml", "--input", made / "in" / "a.jsonl", "--output", tmp_path / "again", "--explain")
    explained = capsys.readouterr().out
    assert "by what you keep and drop in the reviews" in explained and "careful readers" not in explained
    kept = table(tmp_path / "again", "data")["id"].to_list()
    assert sum(map(lists, kept)) > 100 and sum(not lists(one) for one in kept) < 5
    again = opened.open_output_of(str(tmp_path / "again"))
    assert again.recipe.hash == again.newest.recipe_hash  # the plan as it was resolved names the model


def test_reviews_that_agree_with_the_model_leave_its_weights_alone(capsys, out, tmp_path):
    reviewed_output.review(out, lambda id_: not lists(id_))
    code, _, _ = run(capsys, "quality", "--reviews", out, "--output", tmp_path)
    shipped = model_files.load_readers(quality.PATH)
    own = model_files.load_readers(tmp_path / "quality.npz")
    assert code == 0
    p = own.calibrated(np.array([-3.0, 3.0]))
    assert p[0] < 0.5 < p[1]
    if own.card.sha256 == shipped.card.sha256:
        assert (own.trees.value == shipped.trees.value).all()


def test_too_few_are_refused_with_how_many_are_missing_and_how_to_get_them(capsys, out, tmp_path):
    chosen = {f"p{k}" for k in range(110)} | {f"g{k}" for k in range(25)}
    reviewed_output.review(out, lambda id_: lists(id_) if id_ in chosen else None)
    code, said, err = run(capsys, "quality", "--reviews", out, "--output", tmp_path / "m")
    assert (code, said) == (2, "") and not (tmp_path / "m").exists()
    assert "135 reviews can be used, 25 to keep and 110 to drop" in err and "review at least 65 more" in err
    assert "winnow inspect" in err and "review -n 200" in err
    reviewed_output.review(out, lambda id_: lists(id_) if not lists(id_) else None)
    assert "review at least 45 more" in run(capsys, "quality", "--reviews", out)[2]  # 155, 25 of which are kept


@pytest.mark.parametrize("arguments", [["--positive", "x"], ["--recipe", "quality", "--data", "x"], ["--corpus", "x"]])
def test_reviews_bring_their_own_examples(capsys, out, arguments):
    code, _, err = run(capsys, "quality", "--reviews", out, *arguments)
    assert code == 2 and "brings its own examples" in err


def test_mistakes_of_names_and_folders(capsys, tmp_path):
    assert "makes a quality model" in run(capsys, "toxicity", "--reviews", tmp_path)[2]
    assert "no output of" in run(capsys, "quality", "--reviews", tmp_path)[2]
    assert "go with --reviews" in run(capsys, "quality", "--judgements", tmp_path / "x")[2]


def test_what_says_nothing_or_contradicts_itself_is_counted_and_left_out(out):
    store = opened.open_output_of(str(out)).store
    n = reviewed_output.review(out, lambda id_: lists(id_) if int(id_[1:]) < 5 else None)
    for reason in ("near_duplicate", "not_selected", "language.low_score"):
        reviews.add(store, reviews.Label(1, "in/a.jsonl#9", reason, "wrong", "other"))
    reviews.add(store, reviews.Label(1, "in/a.jsonl#99999", "kept", "right", "other"))  # no such row
    reviews.add(store, reviews.Label(7, "in/a.jsonl#1", "kept", "right", "other"))  # a generation that nobody knows
    kept = load(out).examples[0]
    reviews.add(store, reviews.Label(*kept.document.place, "c4.some_rule", "wrong" if not kept.keep else "right", "other"))
    found = load(out)
    assert len(found.examples) == n - 1 and found.left_out == {
        "say nothing of quality (duplicates, selection, language)": 3,
        "of rows that are gone or changed": 2,
        "contradict each other": 2,
    }


def test_a_right_drop_is_one_to_drop_and_a_wrong_one_is_to_be_kept(out):
    reviewed_output.review(out, lists)
    for one in load(out).examples:
        assert one.keep == ("euros" in one.document.text)


def test_reviews_of_another_recipe_count_where_the_row_is_the_same(capsys, out, made, tmp_path):
    reviewed_output.review(out, lambda id_: lists(id_) if int(id_[1:]) < 5 else None)
    sets = ("--set", "filters.quality.keep=strict", "--replace")
    curate(made / "plan.yaml", "--input", made / "in" / "a.jsonl", "--output", out, *sets)
    found = load(out)
    assert len(found.examples) == found.other_recipes == 10 and not found.left_out
    assert {one.document.place[0] for one in found.examples} == {2} and not any(one.weight for one in found.examples)
    changed = tmp_path / "in" / "a.jsonl"
    changed.parent.mkdir()
    rows = (made / "in" / "a.jsonl").read_text("utf-8").splitlines(keepends=True)
    changed.write_text("".join(rows[::-1]), "utf-8")  # other rows under the same numbers
    curate(made / "plan.yaml", "--input", changed, "--output", out, *sets)
    assert load(out).left_out == {"of rows that are gone or changed": 10}


def test_a_text_that_was_taken_down_is_no_example(capsys, out, tmp_path):
    reviewed_output.review(out, lambda id_: lists(id_) if id_ in ("p1", "g1") else None)
    (tmp_path / "keys").write_text("p1\n")
    assert inspect.main(["--output", str(out), "takedown", "--keys", str(tmp_path / "keys"), "--yes"]) == 0
    found = load(out)
    assert [one.document.text[:4] for one in found.examples] == ["Home"] and found.left_out == {"taken down": 1}


def test_labels_without_a_text_are_counted(made, tmp_path):
    curate(made / "plan.yaml", "--input", made / "in" / "a.jsonl", "--output", tmp_path / "out", "--set", "output.rejected=none")
    store = opened.open_output_of(str(tmp_path / "out")).store
    reviews.add(store, reviews.Label(1, "in/a.jsonl#131", "quality.low_quality", "wrong", "x"))
    assert load(tmp_path / "out").left_out == {"without a text": 1}


def test_what_was_drawn_at_random_is_weighted_by_what_it_stands_for(out):
    """Of 130 kept ones 13 were drawn at random, of 130 dropped ones 26; those that were offered as uncertain weigh nothing."""
    reviewed_output.review(out, lambda id_: lists(id_) if id_[0] == "p" and int(id_[1:]) < 13 else None)
    reviewed_output.review(out, lambda id_: lists(id_) if id_[0] == "g" and int(id_[1:]) < 26 else None)
    reviewed_output.review(out, lambda id_: lists(id_) if int(id_[1:]) >= 100 else None, drawn="uncertain")
    weights = {one.document.place: one.weight for one in load(out).examples}
    assert sorted(set(weights.values())) == [0, 5, 10] and sum(weights.values()) == pytest.approx(260)


def document(k: int, *, site: str, keep: bool) -> reviewed.Reviewed:
    text = reviewed.Text(place=(1, f"a#{k}"), text=str(k), url=site, language="en", reason="kept", score=None)
    return reviewed.Reviewed(document=text, keep=keep)


def test_no_site_is_in_two_folds_unless_sites_are_few():
    many = [document(k, site=f"https://s{k % 40}.example/{k}", keep=k % 2 > 0) for k in range(200)]
    folds, by_site = reviews_card._folds(many)
    sites = {(one.document.site, int(fold)) for one, fold in zip(many, folds, strict=True)}
    assert by_site and len(sites) == 40
    few = [replace(one, document=replace(one.document, url="https://s.example/")) for one in many]
    folds, by_site = reviews_card._folds(few)
    assert not by_site and len(set(folds.tolist())) == 5


def test_stumps_are_trees_that_add_what_they_say():
    shipped = model_files.load_readers(quality.PATH).trees
    chance = np.random.default_rng(0)
    features = chance.random((50, len(model_files.FEATURES)), np.float32)
    more = [(3, float(features[7, 3]), 0.25, -0.5), (0, 0.5, 1.0, 2.0)]
    made = adapt.with_stumps(shipped, more)
    added = sum(np.where(features[:, k] <= np.float32(at), low, high) for k, at, low, high in more)
    assert np.allclose(trees.sums(made, features) - trees.sums(shipped, features), added, atol=1e-5)


def test_the_best_question_comes_first_and_few_examples_say_little():
    chance = np.random.default_rng(1)
    features = chance.normal(size=(200, 6)).astype(np.float32)
    target = (features[:, 4] > 0).astype(float)
    found = adapt.stumps(features, target, np.ones(200), known_logits=np.zeros(200))
    assert found[0][0] == 4 and abs(found[0][1]) < 0.2 and found[0][2] < 0 < found[0][3] and len(found) == adapt.ROUNDS
    held_back = adapt.stumps(features, target, np.full(200, 0.1), known_logits=np.zeros(200))
    assert abs(held_back[0][2]) < abs(found[0][2]) / 2


def test_a_model_of_ones_own_that_is_not_there_is_named(tmp_path):
    from pipeline.errors import PlanError
    from pipeline.plan import recipe

    plan = load_plan(
        "none@1", assignments=[f"filters.quality={{model: {tmp_path}/x.npz, keep: strict}}", "filters.language={}"]
    ).plan
    with pytest.raises(PlanError, match=r"x\.npz: no such file"):
        recipe.resolve(plan)
