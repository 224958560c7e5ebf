"""What each group gives: exact in whole numbers, never beyond a cap, and the same in every stretch of an export."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.export import mix
from pipeline.export.mix import Supply, Wanted
from pipeline.export.stream import positions
from tests.export import corpus
from tests.support import examples

Export = Callable[..., Path]


@pytest.mark.parametrize(
    ("budget", "weights", "parts"),
    [
        (10, [1], [10]),
        (10, [1, 1], [5, 5]),
        (10, [1, 1, 1], [4, 3, 3]),  # what rounding leaves goes to the first of equal remainders
        (11, [1, 1, 1], [4, 4, 3]),
        (10, [5, 3, 1], [6, 3, 1]),  # remainders 5/9, 3/9, 1/9
        (1, [1, 3], [0, 1]),
        (2**60, [1, 2], [384307168202282325, 768614336404564651]),
    ],
)
def test_a_budget_is_divided_by_the_largest_remainders(budget: int, weights: list[int], parts: list[int]):
    assert mix.divided(budget, weights) == parts and sum(parts) == budget


def wanted(weights: dict[str, str], epochs: list[str], budget: str | None = None) -> Wanted:
    return mix.wanted("source", weights=[f"{name}={w}" for name, w in weights.items()], epochs=epochs, budget=budget)


SUPPLIES = [Supply("web", 9, 1000), Supply("books", 5, 300)]


@pytest.mark.parametrize(
    ("weights", "epochs", "budget", "targets"),
    [
        ({"web": "1", "books": "1"}, [], None, [300, 300]),  # books end first
        ({"web": "1", "books": "1"}, ["books=2"], None, [600, 600]),
        ({"web": "1", "books": "1"}, ["4"], None, [1200, 1200]),
        ({"web": "1", "books": "1"}, ["4", "web=1"], None, [1000, 1000]),
        ({"web": "0.7", "books": "0.3"}, ["1.5"], None, [1050, 450]),
        ({"web": "0.7", "books": "0.3"}, ["1.5"], "1000", [700, 300]),
        ({"web": "2", "books": "1"}, ["1"], "900", [600, 300]),
    ],
)
def test_a_mix_gives_these_tokens(weights: dict[str, str], epochs: list[str], budget: str | None, targets: list[int]):
    assert [share.target for share in mix.shares(wanted(weights, epochs, budget), SUPPLIES)] == targets


@pytest.mark.parametrize(
    ("weights", "epochs", "budget", "said"),
    [
        (
            {"web": "2", "books": "1"},
            ["1"],
            "901",
            "--tokens 901 is more than group books gives: it has 300 tokens and may be read for 1 epoch, so the largest budget of"
            " this mix is 900; give that, or allow more with --epochs",
        ),
        ({"web": "1", "books": "9"}, ["2.5"], "1e6", "group books gives: it has 300 tokens and may be read for 2.5 epochs"),
        ({}, [], "1001", "--tokens 1,001 is more than the corpus gives: it has 1,000 tokens"),
    ],
)
def test_a_budget_beyond_the_caps_is_refused_with_the_largest(weights: dict, epochs: list[str], budget: str, said: str):
    supplies = SUPPLIES if weights else [Supply("*", 9, 1000)]
    with pytest.raises(UsageError) as refused:
        mix.shares(wanted(weights, epochs, budget), supplies)
    assert said in str(refused.value)


GROUPS = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 10**12), st.integers(1, 400)), min_size=1, max_size=6)


@hypothesis.given(GROUPS, st.floats(0.01, 1))
@examples()
def test_no_group_gives_more_than_its_cap_and_one_token_more_would(groups: list[tuple[int, int, int]], part: float):
    """By fractions: a budget is within the caps if and only if each exact share is."""
    names = [f"g{n}" for n in range(len(groups))]
    asked = Wanted(
        "source",
        tuple((name, Fraction(w)) for name, (w, _, _) in zip(names, groups, strict=True)),
        tuple((name, Fraction(e, 100)) for name, (_, _, e) in zip(names, groups, strict=True)),
    )
    supplies = [Supply(name, 1, size) for name, (_, size, _) in zip(names, groups, strict=True)]
    try:
        found = mix.shares(asked, supplies)
    except UsageError:
        pytest.fail("without a budget the largest one is taken")
    largest = sum(share.target for share in found)
    assert all(
        share.target <= share.cap == int(Fraction(e, 100) * size) for share, (_, size, e) in zip(found, groups, strict=True)
    )
    total = sum(share.weight for share in found)
    assert any(Fraction((largest + 1) * share.weight, total) > share.cap for share in found)
    if (budget := int(largest * part)) >= 1:
        some = mix.shares(Wanted("source", asked.weights, asked.epochs, budget=budget), supplies)
        assert sum(share.target for share in some) == budget
        assert all(abs(share.target - Fraction(budget * share.weight, total)) < 1 for share in some)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--weight", "web"], "--weight web: expected NAME=NUMBER"),
        (["--weight", "web=-1"], "--weight web: -1 is no weight or count"),
        (["--weight", "web=1e400"], "--weight web: 1e400 is no weight or count"),
        (["--weight", "web=0"], "all weights are 0"),
        (["--weight", "web=1", "--weight", "web=2"], "--weight web: given twice"),
        (["--weight", "wbe=1"], "--weight wbe: no document has source wbe; there are: web (70), books (24), code (16)"),
        (["--weight", "web=1", "--weight", "books=1", "--weight", "code=1", "--weight", "*=1"], "leave * out"),
        (["--weight", "web=1", "--epochs", "books=2"], "--epochs books: no such group; expected one that --weight names: web"),
        (["--epochs", "0"], "0 reads nothing"),
        (["--by", "quality_score", "--weight", "1=1"], "--by quality_score: expected a column of texts"),
        (["--by", "text", "--weight", "a=1"], "--by text: expected a column of texts"),
        (["--tokens", "0"], "--tokens 0: expected a whole number of 1 or more"),
        (["--tokens", "1e99"], "--tokens 1e99: expected a whole number of 1 or more"),
        (["--tokens", "1.5"], "--tokens 1.5: expected a whole number"),
        (["--tokens", "9e9"], "is more than the corpus gives: it has about"),
        (["--shards", "111"], "--shards 111: more than the documents that there are"),
        (["--shards", "1000000000"], "--shards 1000000000: a process may open"),
        (["--validation", "1"], "--validation 1: expected a share below 1"),
        (["--validation", "0.0000001"], "--validation 1/10000000: held out no document"),
        (["--sequence", "8"], "--sequence: npy has no sequences"),
    ],
)
def test_what_makes_no_mix_is_told_in_a_sentence(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
):
    tokenizer = ("--tokenizer", made / "tokenizer.json")
    assert corpus.run("npy", made / "out", "--to", tmp_path / "to", *tokenizer, *options) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "to/exports.json").exists()


OPTIONS = ("--by", "source", "--weight", "web=3", "--weight", "books=2", "--epochs", "books=4", "--tokens", "15e3")


@pytest.fixture(scope="module")
def mixed(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("mixed") / "to"
    assert corpus.run("npy", made / "out", "--to", to, "--tokenizer", made / "tokenizer.json", *OPTIONS) == 0
    return to


def test_exports_json_says_what_each_group_gave_and_how_often(mixed: Path):
    made, rows = corpus.card(mixed), corpus.documents(mixed)
    sizes, count = defaultdict(int), defaultdict(int)
    for row in rows:
        sizes[row["group"]] += row["last"] - row["first"] + 1
        count[row["group"]] += 1
    by_name = {group["group"]: group for group in made["groups"]}
    assert {name: (group["written"], group["written_documents"]) for name, group in by_name.items()} == {
        name: (sizes[name], count[name]) for name in ("web", "books")
    }
    assert by_name["web"]["target"] == 9000 and by_name["books"]["target"] == 6000
    for group in by_name.values():
        assert group["target"] - 300 < group["written"] <= group["target"] <= group["most"]  # less than a document is missing
        assert group["epochs"] == group["written"] / group["size"]
    assert made["left_out"] == corpus.DOCUMENTS["code"]
    assert made["recipe"]["mix"] == {
        "by": "source",
        "weights": {"web": "3", "books": "2"},
        "epochs": {"books": "4"},
        "other_epochs": "1",
        "budget": 15000,
    }


def test_a_document_is_read_once_an_epoch_and_no_more_often_than_its_group_may(mixed: Path):
    epochs = defaultdict(list)
    for row in corpus.documents(mixed):
        epochs[row["source_ref"]].append(row["epoch"])
    assert all(found == list(range(len(found))) and len(found) <= 4 for found in epochs.values())
    assert max(len(found) for ref, found in epochs.items() if ref.startswith("books")) >= 2
    assert all(len(found) == 1 for ref, found in epochs.items() if ref.startswith("web"))
    orders = [[row["id"] for row in corpus.documents(mixed) if row["group"] == "books" and row["epoch"] == e] for e in (0, 1)]
    assert set(orders[1]) <= set(orders[0]) and orders[1] != orders[0][: len(orders[1])]


def test_every_stretch_of_an_export_has_the_mix(mixed: Path):
    """Up to any document each group has its part of the tokens, to within two documents."""
    read, longest = defaultdict(int), 300
    for row in corpus.documents(mixed):
        read[row["group"]] += row["last"] - row["first"] + 1
        total = sum(read.values())
        assert abs(read["web"] - total * 3 / 5) <= 2 * longest


@hypothesis.given(st.integers(1, 2**43 - 1), st.lists(st.integers(0, 2**43), min_size=1, max_size=5))
@examples()
def test_positions_are_quotients_rounded_down(target: int, begins: list[int]):
    below = [begin % target for begin in begins]
    assert positions(np.array(below, np.int64), target).tolist() == [(begin << 40) // target for begin in below]


def test_the_mix_is_told_before_and_explained_without_a_trace(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], export: Export
):
    before = (made / "out/exports.jsonl").read_bytes()
    options = ("--tokenizer", made / "tokenizer.json", *OPTIONS)
    assert corpus.run("npy", made / "out", "--to", tmp_path / "not", *options, "--explain") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["group", "weight", "documents", "tokens,", "estimated", "gives", "share", "epochs"]
    assert [line[0] for line in lines[1:3]] == ["web", "books"] and lines[1][4:6] == ["9,000", "60.0"]
    assert "left out: 16 documents of groups without a weight" in " ".join(map(" ".join, lines))
    assert not (tmp_path / "not").exists() and (made / "out/exports.jsonl").read_bytes() == before
    export("npy", *OPTIONS)
    told = capsys.readouterr().err
    assert told.index("epochs") < told.index("writing the export")


@pytest.mark.parametrize(
    ("by", "weights", "documents"),
    [
        ("metadata.kind", ["a=1", "b=1"], {"a": 55, "b": 55}),
        ("metadata.level", ["0=1", "2=1"], {"0": 38, "2": 36}),
        ("source", ["*=1", "code=1"], {"*": 94, "code": 16}),
    ],
)
def test_groups_are_values_of_a_column_or_of_metadata(export: Export, by: str, weights: list[str], documents: dict[str, int]):
    folder = export("jsonl", "--by", by, *(part for one in weights for part in ("--weight", one)), "--epochs", "3")
    made = corpus.card(folder)
    assert {group["group"]: group["documents"] for group in made["groups"]} == documents
    assert made["unit"] == "bytes" and made["tokenizer"] is None
    kinds = {row["source_ref"]: row["group"] for row in corpus.documents(folder)}
    for line in (folder / "train-00000-of-00001.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        own = row["metadata"].get(by.partition(".")[2], row["source"])
        assert kinds[row["source_ref"]] == (str(own) if str(own) in documents else "*")
