"""What of a row is judged, by layout, and in which words a row that is no conversation is refused."""

from __future__ import annotations

import copy
from typing import Any

import pyarrow as pa
import pytest

from pipeline.read.source import Source
from pipeline.stages.shards.conversation_columns import marked, of_rows, restored
from pipeline.text import exact_json, turns
from pipeline.text.conversations import FORMATS, LAYOUTS, NoConversation, layout_of, open_texts, put, walk

U, A, M, R = turns.USER, turns.ASSISTANT, turns.MORE, turns.REJECTED


def message(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
PARTS = [
    {"type": "text", "text": "Look:"},
    {"type": "image_url", "image_url": {"url": "x"}},
    "at this",
    {"type": "text", "text": " "},
]
CALLS = message("assistant", None, tool_calls=[CALL])
PAIR, BAD = [message("user", "q"), message("assistant", "good")], message("assistant", "bad")
HUMAN = {"from": "human", "value": "q"}
PREFERRED = [(U, "q"), (A, "good"), (R, "bad")]
ROWS: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    (
        "messages",
        {"messages": [message("system", "S"), message("user", "q", name="ann"), message("assistant", "a", weight=1.5)]},
        [(U, "q"), (A, "a")],
    ),
    (
        "messages",
        {"messages": [message("User ", PARTS), CALLS, message("tool", "42", tool_call_id="c1")]},
        [(U, "Look:"), (M, "at this")],
    ),
    ("messages", {"messages": [message("user", ""), {"role": "assistant"}, message("system", [{"text": "s"}])]}, []),
    ("messages", {"messages": []}, []),
    (
        "conversations",
        {"conversations": [{"from": "system", "value": "S"}, HUMAN, {"from": "gpt", "value": "a", "w": [1]}]},
        [(U, "q"), (A, "a")],
    ),
    ("preference", {"prompt": "q", "chosen": PAIR, "rejected": [PAIR[0], BAD]}, PREFERRED),
    ("preference", {"chosen": PAIR, "rejected": [BAD]}, PREFERRED),
    ("preference_turns", {"prompt": PAIR[:1], "chosen": PAIR[1:], "rejected": [BAD]}, PREFERRED),
    ("preference_text", {"prompt": "q", "chosen": "good", "rejected": "bad"}, PREFERRED),
    ("instruction", {"instruction": "do", "input": "with", "output": "done"}, [(U, "do"), (M, "with"), (A, "done")]),
    ("instruction", {"instruction": "do", "input": "", "output": "done"}, [(U, "do"), (A, "done")]),
    ("instruction_response", {"instruction": "do", "context": "c", "response": "done"}, [(U, "do"), (M, "c"), (A, "done")]),
    ("conversation", {"conversation": PAIR}, PREFERRED[:2]),
    ("completion", {"prompt": "q", "completion": "good"}, PREFERRED[:2]),
    ("completion_turns", {"prompt": PAIR[:1], "completion": PAIR[1:]}, PREFERRED[:2]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "row", "said"), ROWS)
def test_what_is_judged(name: str, row: dict[str, Any], said: list[tuple[str, str]]):
    before = copy.deepcopy(row)
    assert [(piece.mark, piece.text) for piece in walk(LAYOUTS[name], row)] == said
    assert row == before
    if said and row.get("messages") != []:
        assert layout_of(row) == name


@pytest.mark.parametrize(("name", "row", "said"), ROWS)
def test_what_an_edit_makes_goes_back_to_where_it_stood_and_shards_give_the_row_back(
    name: str, row: dict[str, Any], said: list[tuple[str, str]]
):
    row = copy.deepcopy(row)
    edited = copy.deepcopy(row)
    put(edited, walk(LAYOUTS[name], edited), [text.upper() for _, text in said])
    assert [piece.text for piece in walk(LAYOUTS[name], edited)] == [text.upper() for _, text in said]
    metadata = pa.array([exact_json.dumps({**row, "n": 1})], pa.large_binary()).cast(pa.large_string())
    text = pa.array([turns.joined((mark, piece.upper()) for mark, piece in said)], pa.large_string())
    made = of_rows(name, metadata, text, read=metadata)
    assert made.pop("metadata").to_pylist() == ['{"n":1}']
    (back,) = pa.table(made).to_pylist()
    assert restored(name, back) == _without_null(edited)
    table = pa.table({**made, "text": turns.bare(text)})
    assert marked([name], table).to_pylist() == text.to_pylist()


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    return [_without_null(item) for item in value] if isinstance(value, list) else value


def test_what_stands_twice_is_judged_once_and_edited_everywhere():
    row: dict[str, Any] = {
        "prompt": "q",
        "chosen": copy.deepcopy(PAIR),
        "rejected": [message("user", "q"), BAD],
    }
    put(row, walk(LAYOUTS["preference"], row), ["Q", "GOOD", "BAD"])
    assert row == {
        "prompt": "Q",
        "chosen": [message("user", "Q"), message("assistant", "GOOD")],
        "rejected": [message("user", "Q"), message("assistant", "BAD")],
    }


@pytest.mark.parametrize(
    ("name", "row", "why"),
    [
        ("messages", {}, "column 'messages' is not there"),
        ("messages", {"messages": None}, "column 'messages' is null"),
        ("messages", {"messages": "hello"}, "column 'messages' is a string; it is a list of turns, or its JSON text"),
        ("messages", {"messages": {"role": "user"}}, "column 'messages' is an object; it is a list of turns, or its JSON text"),
        ("messages", {"messages": [None]}, "turn 1 of 'messages' is null; a turn is an object"),
        ("messages", {"messages": [PAIR[0], 3]}, "turn 2 of 'messages' is a number; a turn is an object"),
        ("messages", {"messages": [{"content": "x"}]}, "turn 1 of 'messages' has no 'role'; it names who speaks"),
        ("messages", {"messages": [message(3, "x")]}, "turn 1 of 'messages' has a 'role' that is a number; it names who speaks"),  # type: ignore[arg-type]
        ("messages", {"messages": [message("\u202enarrator", "x")]}, "turn 1 of 'messages' is of '[U+202E]narrator', which"),
        ("messages", {"messages": [message("user", True)]}, "turn 1 of 'messages' has a 'content' that is a boolean; it is a"),
        ("messages", {"messages": [message("user", [1])]}, "part 1 of turn 1 of 'messages' is a number; a part is an object or"),
        (
            "messages",
            {"messages": [message("user", [{"text": 1}])]},
            "of 'messages' has a text that is a number",
        ),
        ("messages", {"messages": [message("user", exact_json.Replacement("\\xff"))]}, "that is nested too deep, or not UTF-8"),
        ("instruction", {"instruction": "a", "output": [1]}, "column 'output' is a list; in this format it is a string"),
    ],
)
def test_what_is_no_conversation_is_refused_in_a_sentence(name: str, row: dict[str, Any], why: str):
    with pytest.raises(NoConversation) as error:
        walk(LAYOUTS[name], row)
    assert why in str(error.value)


def test_masks_that_make_two_texts_one_move_no_piece():
    def row(one: str, other: str) -> pa.Array:
        made = {"prompt": one, "chosen": [message("user", other), message("assistant", "a")], "rejected": [BAD]}
        return pa.array([exact_json.dumps(made)], pa.large_binary()).cast(pa.large_string())

    said = pa.array([turns.joined([(U, "mask"), (U, "mask"), (A, "a"), (R, "bad")])], pa.large_string())
    made = of_rows("preference", row("mask", "mask"), said, read=row("me", "you"))
    assert made["prompt"].to_pylist() == ["mask"] and made["chosen"].to_pylist()[0][1]["content"] == "a"


def test_a_json_text_that_is_nested_too_deep_is_no_conversation():
    deep: dict[str, Any] = {"messages": '[{"role": "user", "content": "x", "more": ' + "[" * 400 + "]" * 400 + "}]"}
    open_texts(LAYOUTS["messages"], deep)
    with pytest.raises(NoConversation, match="is a string"):
        walk(LAYOUTS["messages"], deep)


def test_a_column_of_turns_may_be_json_text_whose_numbers_keep_their_digits():
    row: dict[str, Any] = {"messages": '[{"role": "user", "content": "q", "weight": 1.10, "big": 123456789012345678901234}]'}
    assert layout_of(row) == "messages"
    open_texts(LAYOUTS["messages"], row)
    metadata = pa.array([exact_json.dumps(row)], pa.large_binary()).cast(pa.large_string())
    made = of_rows("messages", metadata, pa.array(["\x01q"], pa.large_string()), read=metadata)
    assert made["messages"].to_pylist()[0][0]["other"] == '{"big":123456789012345678901234,"weight":1.10}'


@pytest.mark.parametrize(
    "row", [{"text": "a"}, {"messages": 1}, {"messages": [1]}, {"conversations": [{"role": "a"}]}, {"chosen": "a"}, {}]
)
def test_other_rows_have_no_layout(row: dict[str, Any]):
    assert layout_of(row) == ""


def test_the_plan_knows_each_format():
    assert Source.model_json_schema()["properties"]["format"]["enum"] == list(FORMATS)
