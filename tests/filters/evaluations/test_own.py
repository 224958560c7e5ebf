"""A user's evaluation set is read as it is, or refused with the file, what was expected, and what to set."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters import user_files
from filters.evaluations import own
from filters.evaluations.items import Item
from filters.evaluations.own import OwnSet
from filters.models import ModelError

ROWS = [
    {"question": "Why?", "choices": ["a b", "c d"], "answer": 1},
    {"question": "When?", "choices": ["e f", "g h"], "answer": "A"},
    {"question": "Who?", "choices": {"text": ["i", "j"], "label": ["A", "B"]}, "answer": "somebody"},
]
ITEMS = [Item("Why?", ("a b", "c d"), "c d"), Item("When?", ("e f", "g h"), "e f"), Item("Who?", ("i", "j"), "somebody")]


def written(path: Path, rows: list[object]) -> Path:
    path.write_bytes(b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows))
    return path


def test_options_and_answers_are_read_as_people_write_them(tmp_path):
    path = written(tmp_path / "set.jsonl", ROWS)
    (tmp_path / "set.gz").write_bytes(gzip.compress(path.read_bytes()))
    for name in ("set.jsonl", "set.gz"):
        assert own.read(OwnSet(path=str(tmp_path / name), options="choices")) == ITEMS
    table = pa.Table.from_pylist(ROWS[:2] and [{**row, "answer": str(row["answer"])} for row in ROWS[:2]])
    pq.write_table(table, tmp_path / "set.parquet")
    assert own.read(OwnSet(path=str(tmp_path / "set.parquet"), options="choices")) == ITEMS[:2]


@pytest.mark.parametrize(
    ("options", "answer", "item"),
    [
        ([{"text": "a b", "label": "A"}, {"text": "c d", "label": "B"}], "B", (("a b", "c d"), "c d")),
        ({"text": ["a b", "c d"], "label": ["1", "2"]}, "1", (("a b", "c d"), "a b")),
        (["a b", "c d"], "1.0", (("a b", "c d"), "c d")),
        (["a b", "c d"], 1.0, (("a b", "c d"), "c d")),
        (["a b", "c d"], -1, (("a b", "c d"), None)),
        (["1", "2", "-1"], "-1", (("1", "2", "-1"), "-1")),
        (["a b", {"text": "c d"}, None, {"label": "C"}], 1, (("a b", "c d"), "c d")),
    ],
)
def test_options_may_be_objects_and_answers_labels(options, answer, item):
    made = own.item({"question": "Why?", "options": options, "answer": answer}, OwnSet(path="set", options="options"))
    assert (made.options, made.answer) == item


def test_a_file_may_be_one_array(tmp_path):
    (tmp_path / "set.json").write_text(json.dumps(ROWS, indent=1))
    assert own.read(OwnSet(path=str(tmp_path / "set.json"), options="choices")) == ITEMS


@pytest.mark.parametrize(
    ("rows", "keys", "says"),
    [
        ([{"prompt": "Why?", "gold": "x"}], {}, r"set\.jsonl has no column 'question'; it has gold, prompt; set `question`"),
        ([{"question": "Why?"}], {"options": "choices"}, "no column 'choices'; it has question; set `options`"),
        ([{"question": "Why?"}], {"answer": "gold"}, "no column 'gold'"),
        ([], {}, r"set\.jsonl is empty"),
        ([b"\n \n"], {}, "is empty"),
        ([{"question": "  "}, {"question": None}], {}, "holds no question in column 'question'"),
        ([{"question": "Why?"}, b'{"question": \n'], {}, "line 2: expected a JSON object"),
        ([b'{"question": "\xff"}\n'], {}, "line 1: expected a JSON object in UTF-8"),
        ([["Why?"]], {}, "expected a JSON array of objects"),
        ([b"7\n"], {}, "line 1: expected a JSON object, got int"),
        ([b"[" * 100_000], {}, "expected a JSON array of objects"),
        ([{"question": {"en": "Why?"}}], {}, "holds no question"),
        ([b"PAR1 but no Parquet"], {}, "is damaged"),
    ],
)
def test_what_is_wrong_with_a_set_is_said(tmp_path, rows, keys, says):
    path = written(tmp_path / "set.jsonl", rows)
    with pytest.raises(ModelError, match=says):
        own.read(OwnSet(path=str(path), **keys))


def test_a_set_that_unpacks_to_more_than_is_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(user_files, "MOST_BYTES", 1 << 20)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b" " * (8 << 20)))
    with pytest.raises(ModelError, match="holds more than 1 MiB"):
        own.read(OwnSet(path=str(tmp_path / "bomb.gz")))


def test_a_set_with_a_damaged_end_is_refused(tmp_path):
    (tmp_path / "cut.gz").write_bytes(gzip.compress(json.dumps(ROWS[0]).encode() * 100)[:60])
    with pytest.raises(ModelError, match="cannot be read"):
        own.read(OwnSet(path=str(tmp_path / "cut.gz")))


def test_a_set_lies_on_a_disk(tmp_path):
    with pytest.raises(ValueError, match="expected the path of a file"):
        OwnSet(path="https://example.org/set.jsonl")
