"""Exports of an output of conversations."""

import json
from pathlib import Path

from flows import inspect
from tests.export import corpus
from tests.support import curate, prose, write_rows


def chats() -> list[dict[str, object]]:
    calls = [{"id": "c1", "seed": 10**30}]
    return [
        {
            "messages": [
                {"role": "system", "content": "Answer in a sentence."},
                {"role": "user", "content": prose(n)},
                {"role": "assistant", "content": prose(100 + n), **({"tool_calls": calls} if n % 2 else {})},
            ],
            "from_log": n,
        }
        for n in range(6)
    ]


def test_lines_have_turns_as_their_input_had_them_and_a_take_down_finds_them(tmp_path: Path) -> None:
    rows = chats()
    write_rows(tmp_path / "chats.jsonl", rows)
    curate("none", "--input", tmp_path / "chats.jsonl", "--output", tmp_path / "out")
    assert corpus.run("jsonl", tmp_path / "out", "--to", tmp_path / "lines") == 0
    lines = [json.loads(line) for line in (tmp_path / "lines/train-00000-of-00001.jsonl").read_text("utf-8").splitlines()]
    assert {line["metadata"]["from_log"]: line["messages"] for line in lines} == {
        n: row["messages"] for n, row in enumerate(rows)
    }
    (tmp_path / "refs.txt").write_text("\n".join(line["id"] for line in lines[:2]))
    taken = ["--output", tmp_path / "out", "takedown", "--keys", tmp_path / "refs.txt", "--yes"]
    assert inspect.main([str(part) for part in taken]) == 0
    assert corpus.run("check", tmp_path / "lines", "--output", tmp_path / "out") == 1
