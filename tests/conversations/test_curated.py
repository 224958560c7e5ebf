"""Conversations by the real commands: what is dropped, that their structure comes out as it went in, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.curate import curate as curate_data
from flows.curate import judge
from flows.inspect import main as inspect
from flows.plan import main as plan
from pipeline import read
from pipeline.read import layouts
from pipeline.read.expansion import expand
from pipeline.read.source import Source
from pipeline.stages.shards.conversation_columns import restored
from tests.conversations.planted import conversation, group, near, planted, same
from tests.once import made_once
from tests.support import curate, digests, prose, table, winnow, write_rows

MAIL = "jane.doe@corp.example.com"
CALL = {"id": "c1", "type": "function", "function": {"arguments": '{"a": 1.10}', "name": "f"}}
PARTS = [{"type": "text", "text": "Look at this picture of mine:"}, {"type": "image_url", "image_url": {"url": "x"}}, "a\tb\r\nc"]
ODD: list[dict[str, Any]] = [
    {
        "id": "odd",
        "source": "somewhere",
        "n": 3,
        "messages": [
            {"role": "system", "content": f"Write to {MAIL}."},
            {"role": "user", "content": PARTS, "name": "ann"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "42", "tool_call_id": "c1"},
            {"role": "assistant", "content": f"Ask {MAIL} about forty-two.", "weight": 0.5},
        ],
    },
    {"id": "both", "text": prose(5), "messages": [{"role": "user", "content": "What is said here and in no text?"}]},
    {"id": "json", "messages": json.dumps(conversation(900)["messages"])},
]
BAD: list[dict[str, Any]] = [
    {"id": "empty", "messages": []},
    {"id": "framed", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " \n"}]},
    {"id": "nulls", "messages": [None, None]},
    {"id": "text", "text": prose(6)},
    {"id": "number", "messages": [{"role": "user", "content": 7}]},
    {"id": "other", "conversations": [{"from": "human", "value": "hi"}]},
    {"id": "deep", "messages": [{"role": "user", "content": "x", "more": json.loads("[" * 300 + "]" * 300)}]},
    {"id": "half", "messages": [{"role": "user", "content": "half \ud800"}]},
]
NUMBER = 40


def written(folder: Path, rows: list[Any], name: str = "a.jsonl") -> Path:
    lines = [json.dumps(row).encode() for row in rows]
    return write_rows(folder / name, [*lines])


def run(folder: Path, *more: str, workers: int = 2) -> None:
    curate(
        "minimal", "--input", folder / "in", "--output", folder / "out", "--set", "edits.pii={email: true}",
        "--set", "source.max_bad_fraction=0.5", *more, workers=workers,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        written(folder / "in", [*planted(NUMBER), *ODD, *BAD])
        run(folder)

    return made_once(tmp_path_factory, "conversations", make)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "t")
    return tmp_path / "t"


def test_every_removal_is_a_copy_and_every_copy_is_removed(made: Path):
    dropped = table(made / "out", "rejected").filter(pl.col("stage") == "dedup")
    assert {frozenset(map(group, pair)) for pair in dropped.select("id", "duplicate_of").iter_rows()} == {
        frozenset([f"c{n + more}"]) for n in range(0, NUMBER, 20) for more in (0, 1)
    }
    assert len(dropped) == 4 and dropped["similarity"].min() >= 0.8
    kept = set(table(made / "out", "data")["id"])
    assert {f"{kind}{n + more}" for kind, more in (("swapped", 2), ("moved", 3), ("c", 2), ("c", 3)) for n in (0, 20)} <= kept


def expected(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The turns as they come out: addresses masked, line breaks normalised, null as absent."""
    turns = row["messages"] if isinstance(row["messages"], list) else json.loads(row["messages"])
    text = json.dumps(turns).replace(MAIL, "email@example.com").replace("\\r\\n", "\\n")
    return [{key: value for key, value in turn.items() if value is not None} for turn in json.loads(text)]


def test_the_structure_comes_out_as_it_went_in(made: Path):
    given = {row["id"]: row for row in [*planted(NUMBER), *ODD]}
    for folder in ("data", "rejected"):
        for row in table(made / "out", folder).filter(pl.col("id").is_in(list(given))).to_dicts():
            assert restored("messages", row)["messages"] == expected(given[row["id"]]), row["id"]
    row = table(made / "out", "data").filter(pl.col("id") == "odd").to_dicts()[0]
    calls = json.dumps([CALL], separators=(",", ":"), sort_keys=True)
    assert list(row["messages"][2].values()) == ["assistant", None, None, calls, None, None]
    assert json.loads(row["metadata"]) == {"n": 3, "source": "somewhere"}
    assert row["text"] == "Look at this picture of mine:\n\na\tb\nc\n\nAsk email@example.com about forty-two."
    assert row["n_bytes"] == len(row["text"].encode())
    ledger = table(made / "out", "ledger").filter(pl.col("id") == "odd").to_dicts()[0]
    assert (
        ledger["edits"] == ["pii.email"] and ledger["n_bytes_read"] == row["n_bytes"] + len(MAIL) - len("email@example.com") + 1
    )


def test_text_beside_a_conversation_is_metadata(made: Path):
    (row,) = table(made / "out", "data").filter(pl.col("id") == "both").to_dicts()
    assert row["text"] == "What is said here and in no text?" and json.loads(row["metadata"]) == {"text": prose(5)}


def test_what_is_no_conversation_is_in_quarantine_with_its_reason(made: Path):
    ledger = table(made / "out", "ledger")
    assert len(ledger) == NUMBER + 8 + len(ODD) + len(BAD)
    quarantine = dict(table(made / "out", "quarantine").select("id", "detail").iter_rows())
    assert set(quarantine) == {row["id"] for row in BAD[2:]}
    assert set(table(made / "out", "quarantine")["cause"]) == {"not_a_conversation"}
    assert quarantine["nulls"] == "turn 1 of 'messages' is null; a turn is an object"
    assert quarantine["deep"] == "column 'messages' is nested too deep, or not UTF-8; it is a list of turns, or its JSON text"
    empty = ledger.filter(pl.col("reason") == "empty")["id"].to_list()
    assert empty == ["empty", "framed"]


def test_one_dataset_one_set_of_columns(made: Path):
    for folder in ("data", "rejected"):
        (file,) = (made / "out" / folder).glob("*.parquet")
        type_ = pq.read_schema(file).field("messages").type
        assert [type_.value_type.field(i).name for i in range(6)] == [
            "role",
            "content",
            "name",
            "tool_calls",
            "tool_call_id",
            "other",
        ]
    assert table(made / "out", "rejected").filter(pl.col("id") == "empty")["messages"].to_list() == [[]]


def test_units_and_workers_change_no_byte(made: Path, tmp_path: Path):
    shutil.copytree(made / "in", tmp_path / "in")
    run(tmp_path, "--set", "source.unit_bytes=2kB", workers=1)
    assert digests(made / "out") == digests(tmp_path / "out")


def test_copies_are_found_in_later_generations_and_what_was_taken_down_does_not_come_back(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "gone.txt").write_text("c7\n")
    assert inspect(["takedown", "--output", str(folder / "out"), "--keys", str(folder / "gone.txt"), "--yes"]) == 0
    said = table(folder / "out", "data").filter(pl.col("id") == "c9")["text"].to_list()
    (folder / "like.txt").write_text(said[0].replace("Hello", "Hullo"))
    assert inspect(["takedown", "--output", str(folder / "out"), "--like", f"@{folder / 'like.txt'}", "--yes"]) == 0
    assert not {"c7", "c9"} & set(table(folder / "out", "data")["id"])
    (folder / "in" / "a.jsonl").unlink()
    written(folder / "in", [same(4), near(5), same(7), near(7), same(9), conversation(500)], "b.jsonl")
    run(folder, "--set", "on_changed=ignore")
    new = table(folder / "out", "ledger").filter(pl.col("source_ref").str.contains("b.jsonl"))
    fates = dict(new.select("id", "reason").iter_rows())
    assert fates == {
        "same4": "exact_duplicate",
        "near5": "near_duplicate",
        "same7": "taken_down",
        "near7": "taken_down",
        "same9": "taken_down",
        "c500": None,
    }
    capsys.readouterr()
    assert inspect(["why", "--output", str(folder / "out"), "near5"]) == 0
    shown = capsys.readouterr().out
    assert (
        "  user: Hello! I hope that you are well" in shown
        and "  assistant: Of course, I am happy" in shown
        and "rule" not in shown
    )


def test_an_output_of_texts_takes_no_conversations(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_rows(tmp_path / "in" / "t.jsonl", [{"text": prose(1)}])
    run(tmp_path)
    written(tmp_path / "chats", [conversation(1)])
    ran = winnow(
        capsys, "minimal", "--input", tmp_path / "chats", "--output", tmp_path / "out", "--set", "edits.pii={email: true}"
    )
    assert ran.code == 2 or "another recipe" in ran.err
    assert "holds texts, and its shards have no columns for messages" in ran.err


def read_rows(path: Path, format_: str = "auto") -> list[tuple[str, dict[str, Any]]]:
    (file,) = layouts.known(expand([Source(paths=(str(path),), format=format_)])).files
    documents = pa.concat_tables([rows.documents for rows in read.rows_of(file)])
    return [(row["text"], json.loads(row["metadata"])) for row in documents.select(["text", "metadata"]).to_pylist()]


def test_each_file_format_gives_the_same_rows(tmp_path: Path):
    rows = [conversation(n) for n in range(3)]
    plain = read_rows(written(tmp_path, rows))
    assert [text.count("\x02") for text, _ in plain] == [2, 1, 1]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    texts = [{"id": row["id"], "messages": json.dumps(row["messages"])} for row in rows]
    pq.write_table(pa.Table.from_pylist(texts), tmp_path / "b.parquet")
    (tmp_path / "c.json").write_text(json.dumps(rows))
    (tmp_path / "d.json").write_text(json.dumps({"data": rows}))
    written(tmp_path, rows[:1], "e.jsonl")
    (tmp_path / "f.json").write_text(json.dumps(rows[0], indent=1))
    for name in ("a.parquet", "b.parquet", "c.json", "d.json"):
        assert read_rows(tmp_path / name) == plain, name
    for name in ("e.jsonl", "f.json"):
        assert read_rows(tmp_path / name) == plain[:1], name


def test_rows_that_have_a_text_are_texts_until_the_plan_says_otherwise(tmp_path: Path):
    path = written(tmp_path, [{"text": "a", "messages": [{"role": "user", "content": "b"}]}])
    assert read_rows(path)[0][0] == "a" and read_rows(path, "text")[0][0] == "a"
    text, metadata = read_rows(path, "messages")[0]
    assert text == "\x01b" and metadata["text"] == "a"


def test_python_takes_rows_and_frames_of_conversations(tmp_path: Path):
    rows = [conversation(1), conversation(2), same(1), {"id": "odd", "messages": ODD[0]["messages"]}]
    made = curate_data(rows, "minimal", output=tmp_path / "rows", progress=False)
    assert sorted(made.kept.collect()["id"]) == ["c1", "c2", "odd"] and made.dropped.collect()["id"].to_list() == ["same1"]
    verdicts = judge([*rows, {"messages": [{"role": "narrator", "content": "x"}]}], "minimal")
    assert [(one.kept, one.reason) for one in verdicts] == [
        (True, None), (True, None), (False, "exact_duplicate"), (True, None), (False, "not_a_conversation")
    ]  # fmt: skip
    (emptied,) = judge([{"messages": [{"role": "user", "content": "no end"}]}], "minimal", overrides={"edits.c4_lines": True})
    assert (emptied.kept, emptied.reason, emptied.text) == (False, "emptied_by_edits", "")


def test_a_plan_is_proposed_and_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    written(tmp_path / "in", [conversation(n) for n in range(3)])
    assert plan(["init", str(tmp_path / "in"), "--to", str(tmp_path / "plan.yaml")]) == 0
    text = (tmp_path / "plan.yaml").read_text()
    assert "extends: chat@1" in text and "format: messages" in text and "messages: list in 3 rows <- a conversation" in text
    capsys.readouterr()
    ran = winnow(capsys, "minimal", "--input", tmp_path / "in", "--output", tmp_path / "out", "--explain")
    assert ran.code == 0 and "conversations: messages, id: id" in ran.out and "begins: Hello! I hope" in ran.out


@pytest.mark.slow
def test_datasets_loads_what_comes_out(made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    loaded = datasets.load_dataset(str(made / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    rows = {row["id"]: row for row in loaded}
    assert restored("messages", rows["odd"])["messages"] == expected(ODD[0])
    again = curate_data(loaded.select_columns(["id", "messages"]), "minimal", output=tmp_path / "again", progress=False)
    assert len(again.kept.collect()) == len(rows)
