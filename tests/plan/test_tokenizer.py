"""A tokenizer of the Hub: fetched through its cache, known by its bytes, written down with its commit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors

from pipeline.errors import PlanError, Untrusted
from pipeline.plan import load, recipe, tokenizer
from pipeline.plan.load import load_plan
from pipeline.stages.unit import annotate
from tests.support import curate, prose, table, winnow, write_rows

FIRST, SECOND = "1" * 40, "2" * 40


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two commits of a repository with one tokenizer; `main` is which of them."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({"x": 0}, unk_token="x"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    known: dict[str, Any] = {"main": FIRST, "asked": []}
    for commit in (FIRST, SECOND):
        folder = tmp_path / f"cache/models--org--tok/snapshots/{commit}"
        folder.mkdir(parents=True)
        made.save(str(folder / "tokenizer.json"))

    def download(repository: str, file: str, revision: str | None = None) -> str:
        known["asked"].append((repository, file, revision))
        if known["main"] == "":
            raise errors.LocalEntryNotFoundError("offline")
        found = tmp_path / f"cache/models--org--tok/snapshots/{revision or known['main']}/{file}"
        if repository != "org/tok" or not found.is_file():
            raise ValueError("no such file")
        return str(found)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    annotate._tokenizer.cache_clear()
    return known


def test_tokens_are_counted_and_the_commit_is_written_down(hub: dict[str, Any], tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "a.jsonl", [{"text": prose(n)} for n in range(3)])
    command = ["none", "--set=output.tokenizer=hf://org/tok", "--output", tmp_path / "out", "--input", rows]
    curate(*command)
    assert table(tmp_path / "out", "data")["token_count"].to_list() == [len(prose(n).split()) for n in range(3)]
    assert set(hub["asked"]) == {("org/tok", "tokenizer.json", None)}
    plan = json.loads((tmp_path / "out/manifest.json").read_text())["plan"]
    assert plan["output"]["tokenizer"] == f"hf://org/tok@{FIRST}"
    hub["main"] = SECOND  # another commit with the same tokenizer is the same recipe, and so is its name with a revision
    curate(*command[:4], "--input", write_rows(tmp_path / "b.jsonl", [{"text": prose(9)}]))
    (tmp_path / "b.jsonl").rename(tmp_path / "c.jsonl")
    curate("none", f"--set=output.tokenizer=hf://org/tok@{FIRST}", "--output", tmp_path / "out", "--input", tmp_path / "c.jsonl")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hf://org/other", "hf://org/other/tokenizer.json: not fetched .ValueError: no such file"),
        ("hf://org", "expected a file of a model repository"),
        ("hf://org/tok@", "expected a file of a model repository"),
        ("hf://org/tok@../../x", "expected a file of a model repository|not fetched"),
        ("hf://datasets/org/tok", "expected a file of a model repository"),
        ("hf://org/tok/merges.txt", "not fetched"),
        ("/no/such.json", "/no/such.json does not exist; give the path of a tokenizer.json, or hf://ORG/NAME"),
    ],
)
def test_what_cannot_be_had_is_said(hub: dict[str, Any], name: str, words: str) -> None:
    plan = load_plan("none", assignments=[f"output.tokenizer={name}"]).plan
    with pytest.raises(PlanError, match=rf"output\.tokenizer: .*({words})"):
        recipe.tokenizer_of(plan)


def test_without_a_network_the_message_says_what_to_do(
    hub: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub["main"] = ""
    rows = write_rows(tmp_path / "a.jsonl", [{"text": prose(1)}])
    ended = winnow(capsys, "none", "--set=output.tokenizer=hf://org/tok", "--input", rows, "--output", tmp_path / "out")
    assert ended.code == 2 and "the Hub cannot be reached, and the file is not in the cache" in " ".join(ended.err.split())


def test_a_file_that_became_another_one_counts_nothing(hub: dict[str, Any], tmp_path: Path) -> None:
    shutil.copy(tokenizer.find("hf://org/tok"), tmp_path / "t.json")
    with pytest.raises(PlanError, match="another file now than when the run began"):
        annotate._tokenizer(str(tmp_path / "t.json"), "0" * 64)


def test_the_plan_of_an_output_fetches_no_tokenizer_unasked() -> None:
    with pytest.raises(Untrusted, match="hf://org/tok, which this command would fetch"):
        load.of_output({"output": {"tokenizer": "hf://org/tok"}}, where="out", trusted=False)
