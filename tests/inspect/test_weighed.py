"""What weighed most in a score is told of documents that were scored, of the text that the model read, and in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pyarrow as pa
import pytest

from filters import quality
from filters.contract import TextBatch, Weighed
from filters.models import shape_features
from flows.inspect import main
from pipeline.inspect import why as documents
from pipeline.inspect.output import open_output_of
from pipeline.inspect.page.documents import facts
from pipeline.inspect.verdict import judge_text
from pipeline.inspect.weighed import reasons
from pipeline.plan import recipe
from pipeline.plan.load import load_plan
from tests.docs.schemas import FOLDER
from tests.support import PROSE, ROOT, curate, prose, write_rows

MENU = "\n".join(["Home", "News", "Log in", "Cart (0)", "Terms of use", "Privacy policy", "© 2020 All rights reserved"] * 9)
ROWS = [
    {"id": "prose", "text": PROSE},
    {"id": "menu", "text": MENU},
    {"id": "mail", "text": f"{PROSE}\nWrite to someone@mail.example.net soon.\n{prose(4)}"},
    {"id": "short", "text": "Three words only."},
]
SETS = (
    "filters.language={}",
    "filters.gopher_quality={min_words: 20, min_alpha_words: 0, min_stop_words: 0}",
    "filters.quality={model: readers, min_score: 0, keep: balanced}",
    "edits.pii={email: true}",
)


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("weighed")
    path = write_rows(folder / "in" / "a.jsonl", ROWS)
    curate("none", "--input", path, "--output", folder / "out", *(part for one in SETS for part in ("--set", one)))
    return folder / "out"


def why(capsys, out: Path, name: str) -> dict:
    capsys.readouterr()
    assert main(["why", "--output", str(out), "--json", name]) == 0
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, json.loads((ROOT / FOLDER / "why.schema.json").read_text()))
    return found["documents"][0]


def by_model(text: str) -> list[Weighed]:
    (found,) = quality.weigh(TextBatch(pa.array([text], pa.large_string())), quality.load(quality.Params(model="readers")))
    return found


@pytest.mark.parametrize(("name", "verdict"), [("prose", "kept"), ("menu", "dropped"), ("mail", "kept")])
def test_five_features_of_the_final_text_are_told(capsys, out, name, verdict):
    found = why(capsys, out, name)
    assert found["verdict"] == verdict and "someone@" not in found["text"]
    told = [(one["feature"], one["weight"]) for one in found["weighed"]["quality"]]
    assert told == [(one.feature, pytest.approx(one.weight)) for one in by_model(found["text"])] and len(told) == 5


def test_a_document_that_was_not_scored_has_none(capsys, out):
    found = why(capsys, out, "short")
    assert found["verdict"] == "dropped" and found["weighed"] == {}


def test_they_are_told_in_words_of_a_document_and_of_a_text(capsys, out):
    title = "quality: what weighed most in its score (above 0 raised it, below 0 lowered it)"
    for named in (["menu"], ["--text", MENU]):
        capsys.readouterr()
        assert main(["why", "--output", str(out), *named]) == 0
        said = capsys.readouterr().out.splitlines()
        lines = said[said.index(title) + 1 :][:5]
        assert [line[:3] for line in lines] == [f"  {'+' if one.weight > 0 else '-'}" for one in by_model(MENU)]
        assert all(line.rpartition(":")[0][8:] in shape_features.NAMES.values() for line in lines)


def test_the_page_shows_them(out):
    (found,) = documents.find_rows(open_output_of(str(out)), "menu")
    ((name, rows),) = facts(found)["reasons"]  # type: ignore[misc]
    assert name == "quality" and [(feature, value) for feature, value, _ in rows] == [one[:2] for one in by_model(MENU)]


def test_nothing_is_said_of_a_text_that_edits_changed_after_the_model_read_it():
    made = recipe.resolve(load_plan("none@1", assignments=list(SETS)).plan)
    found = judge_text(made, MENU)
    assert len(found.reasons) == 1
    source = tuple(
        replace(item, filter=replace(item.filter, reads="source")) if item.filter.name == "quality" else item
        for item in made.filters
    )
    assert reasons(replace(made, filters=source), found.measured, MENU, edited=True) == ()
    assert len(reasons(replace(made, filters=source), found.measured, MENU, edited=False)) == 1


def test_a_fasttext_model_says_nothing():
    made = recipe.resolve(load_plan("none@1", assignments=["filters.language={}", "filters.quality={}"]).plan)
    assert judge_text(made, PROSE).reasons == ()


def test_values_are_those_of_the_text_and_not_their_logarithms():
    model = quality.load(quality.Params(model="readers"))
    features = model.features(*TextBatch(pa.array(["One two three. " * 5], pa.large_string())).buffers)
    values = dict(zip(shape_features.NAMES, shape_features.readable(features)[0], strict=True))
    assert values["log_chars"] == len("Onetwothree.") * 5 and values["log_units"] == 15 and 0 < values["words"] < 1
