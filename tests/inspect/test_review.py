"""`inspect review`: labels are kept, a review goes on, and precision has its interval."""

from __future__ import annotations

import io
import json
import os
import pty
import shutil
import stat
import termios
from pathlib import Path
from types import SimpleNamespace

import pytest

from filters import quality
from flows.inspect import main
from pipeline.inspect import output as opened
from pipeline.inspect import review
from pipeline.output import reviews
from pipeline.store.store import open_output
from tests.support import curate, prose, table, winnow, write_rows


@pytest.fixture(scope="module")
def curated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("review")
    rows = [{"id": f"d{k}", "text": prose(k)} for k in range(4)]
    rows += [{"id": f"s{k}", "text": f"\u202eShort\x1b[2J number {k} has few words."} for k in range(6)]
    rows += [{"id": "twin", "text": prose(2) + " Indeed so."}]
    path = write_rows(folder / "in" / "a.jsonl", rows)
    curate("default@1", "--input", path, "--output", folder / "out")
    return folder


@pytest.fixture
def out(curated: Path, tmp_path: Path) -> Path:
    shutil.copytree(curated, tmp_path, dirs_exist_ok=True)
    return tmp_path / "out"


def run(capsys, monkeypatch, out: Path, keys: str, *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO(keys))
    code = main(["--output", str(out), "review", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "reviews.jsonl").read_text().splitlines()]


def test_a_key_a_document_and_the_labels_stand_in_a_private_file_without_text(capsys, monkeypatch, out):
    code, said, screen = run(capsys, monkeypatch, out, "rwrrsr", "--reason", "gopher_quality", "-n", "6")
    assert code == 0 and "4" in said and not set(said + screen) & set("\u202e\x1b")
    made = lines(out)
    assert [line["label"] for line in made] == ["right", "wrong", "right", "right", "right"]
    assert set(made[0]) == {"generation", "source_ref", "reason", "label", "recipe", "drawn"}
    assert {line["reason"] for line in made} == {"gopher_quality.too_few_words"}
    assert {line["source_ref"] for line in made} <= set(table(out, "rejected")["source_ref"])
    assert stat.S_IMODE((out / "reviews.jsonl").stat().st_mode) == 0o600
    (found,) = reviews.precision(open_output(str(out)))
    assert (found.right, found.wrong) == (4, 1) and found.precision.low < 0.8 < found.precision.high
    assert "80 %" in said and "gopher_quality.too_few_words" in said


def test_a_review_goes_on_where_it_was_left_and_back_judges_again(capsys, monkeypatch, out):
    run(capsys, monkeypatch, out, "rrq", "--reason", "gopher_quality", "-n", "6")
    _, _, screen = run(capsys, monkeypatch, out, "rbwrrr", "--reason", "gopher_quality", "-n", "6")
    assert "1 of 4" in screen
    (found,) = reviews.precision(open_output(str(out)))
    assert (found.right, found.wrong) == (5, 1) and len(lines(out)) == 7


def test_the_sample_is_the_same_each_time_and_another_with_another_seed(out):
    output = opened.open_output_of(str(out))
    some = [review.sample(output, "gopher_quality", n=3, seed=seed) for seed in (0, 0, 1, 2, 3)]
    assert some[0] == some[1] and len(set(map(tuple, some))) > 1
    assert len(review.sample(output, "kept", n=50, seed=0)) == 4
    assert set(some[0]) < set(review.sample(output, "gopher_quality", n=5, seed=0))


def test_the_least_sure_come_first_and_say_nothing_of_precision(capsys, monkeypatch, out):
    output = opened.open_output_of(str(out))
    rows = table(out, "data").select("source_ref", "language", "quality_score").iter_rows()
    limits = quality.card().keep["balanced"]
    away = {ref: abs(score - limits.by_language.get(language, 0.5)) for ref, language, score in rows}
    found = review.sample(output, "kept", n=9, seed=0)
    assert [one.source_ref for one in found] == sorted(away, key=lambda ref: (away[ref], ref)) and len(found) == 4
    assert review.sample(output, None, n=2, seed=7) == found[:2]
    _, said, _ = run(capsys, monkeypatch, out, "rw", "-n", "2")
    assert reviews.precision(open_output(str(out))) == [] and "2 more were chosen" in said
    assert [line["drawn"] for line in lines(out)] == ["uncertain"] * 2
    # A random review comes past them: they count as drawn from where it has come to, and no further.
    order = [one.source_ref for one in review.sample(output, "kept", n=9, seed=0, order="random")]
    judged = {one.source_ref for one in found[:2]}
    before = next(k for k, ref in enumerate(order) if ref not in judged)
    run(capsys, monkeypatch, out, "rq", "--reason", "kept", "--order", "random")
    (precision,) = reviews.precision(open_output(str(out)))
    assert precision.n == before + 1


def test_where_nothing_has_a_score_the_order_is_random_and_counts(out):
    output = opened.open_output_of(str(out))
    found = review.sample(output, "gopher_quality", n=6, seed=3)
    assert found == review.sample(output, "gopher_quality", n=6, seed=3, order="random")
    assert {one.drawn for one in found} == {"random"}
    assert found[:2] == review.sample(output, "gopher_quality", n=2, seed=3)  # a beginning is a sample


def test_a_duplicate_is_shown_beside_its_survivor_and_a_rule_with_its_numbers(capsys, monkeypatch, out):
    _, _, screen = run(capsys, monkeypatch, out, "r", "--reason", "near_duplicate")
    assert "similarity 0.9" in screen and "the document:" in screen
    _, _, screen = run(capsys, monkeypatch, out, "q", "--reason", "gopher_quality.too_few_words")
    assert "gopher_words: " in screen and "passes with >= 50" in screen


def test_labels_of_another_recipe_do_not_count(capsys, monkeypatch, out, tmp_path):
    run(capsys, monkeypatch, out, "rrrrrr", "--reason", "gopher_quality")
    again = ("--input", tmp_path / "in" / "a.jsonl", "--output", out, "--replace", "--set", "filters.gopher_quality.min_words=40")
    assert winnow(capsys, *again).code == 0
    assert (out / "reviews.jsonl").exists() and reviews.precision(open_output(str(out))) == []
    output = opened.open_output_of(str(out))
    review.label(output, review.sample(output, "kept", n=1, seed=0, order="random")[0], "right")
    assert [(one.reason, one.right) for one in reviews.precision(open_output(str(out)))] == [("kept", 1)]


def test_a_line_cut_by_a_kill_is_passed_over_and_the_next_label_stands(out):
    store, output = open_output(str(out)), opened.open_output_of(str(out))
    first, second = review.sample(output, "gopher_quality", n=2, seed=0)
    review.label(output, first, "right")
    with (out / "reviews.jsonl").open("a") as file:
        file.write('{"generation": 1, "sour')
    assert len(reviews.labels(store)) == 1
    review.label(output, second, "wrong")
    assert [made.label for made in reviews.labels(store)] == ["right", "wrong"]
    with (out / "reviews.jsonl").open("a") as file:
        file.write("broken\n")
    with pytest.raises(Exception, match="line 3 is no label"):
        reviews.labels(store)


@pytest.mark.parametrize("change", [{"generation": [1]}, {"generation": "1"}, {"drawn": "sometimes"}, {"reason": 5}, {"more": 1}])
def test_a_line_of_another_form_is_named(out, change):
    line = {"generation": 1, "source_ref": "a#1", "reason": "kept", "label": "right", "recipe": "r"} | change
    (out / "reviews.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(Exception, match="line 1 is no label"):
        reviews.labels(open_output(str(out)))


@pytest.mark.parametrize(
    ("reason", "words"), [("c4", "nothing was dropped for c4; there are"), ("gopher", "nothing was dropped")]
)
def test_mistakes_exit_2(capsys, monkeypatch, out, reason, words):
    code, _, error = run(capsys, monkeypatch, out, "", "--reason", reason)
    assert code == 2 and words in error


def test_a_link_in_the_place_of_the_file_is_not_followed(out, tmp_path):
    (tmp_path / "elsewhere").write_text("")
    (out / "reviews.jsonl").symlink_to(tmp_path / "elsewhere")
    output = opened.open_output_of(str(out))
    with pytest.raises(Exception, match="labels are kept there"):
        review.label(output, review.sample(output, "kept", n=1, seed=0)[0], "right")
    assert (tmp_path / "elsewhere").read_text() == ""


def test_a_line_of_10_megabytes_takes_a_screen_and_no_more():
    lines = review._text("<b>\u202e" * 2_500_000, review.LINES)
    assert len(lines) == review.LINES + 1 and max(map(len, lines)) <= review.WIDTH
    assert lines[-1].endswith("characters more") and "\u202e" not in "".join(lines)


def test_on_a_terminal_a_key_needs_no_return_and_is_not_echoed():
    from flows.terminal.keys import pressed

    master, slave = pty.openpty()
    with os.fdopen(slave, "r") as terminal:
        before = termios.tcgetattr(terminal)
        with pressed(terminal) as keys:
            os.write(master, b"rw")
            assert [next(keys), next(keys)] == ["r", "w"]
            assert not termios.tcgetattr(terminal)[3] & (termios.ECHO | termios.ICANON)
        assert termios.tcgetattr(terminal) == before
    os.close(master)


def test_a_random_review_that_reaches_the_end_counts_what_was_judged_behind_it(tmp_path):
    output = SimpleNamespace(store=open_output(str(tmp_path / "out"), create=True), newest=SimpleNamespace(recipe_hash="r"))
    uncertain = [review.Candidate(1, f"f#{k}", "quality.low_quality", "uncertain") for k in range(6)]
    drawn = [review.Candidate(1, f"f#{k}", "quality.low_quality", "random") for k in (3, 1, 0, 5, 2, 4)]
    for k in (4, 2):
        review.label(output, uncertain[k], "wrong", of=uncertain)
    for one in review.unlabelled(output, drawn)[:-1]:
        review.label(output, one, "right", of=drawn)
    assert [(one.right, one.wrong) for one in reviews.of_labels(reviews.labels(output.store))] == [(3, 0)]
    for one in review.unlabelled(output, drawn):
        review.label(output, one, "right", of=drawn)
    assert [(one.right, one.wrong) for one in reviews.of_labels(reviews.labels(output.store))] == [(4, 2)]
