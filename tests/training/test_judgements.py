"""The judgements are whole, hold no text, and agree as their README says."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from pipeline.training import readers_card

FOLDER = Path(__file__).parents[2] / "pipeline" / "training" / "judgements"
README = " ".join((FOLDER / "README.md").read_text("utf-8").split())
PROBLEMS = frozenset(
    [
        "none",
        "boilerplate",
        "navigation",
        "listing",
        "ads",
        "spam",
        "scam",
        "adult",
        "toxic",
        "gibberish",
        "ocr",
        "machine_translated",
        "template",
        "duplicate_lines",
        "too_short",
        "truncated",
        "code",
        "data",
        "broken_encoding",
        "mixed",
        "other",
    ]
)


def judgements(name: str) -> dict[str, dict[str, object]]:
    rows = [json.loads(line) for line in (FOLDER / name).read_text("utf-8").splitlines()]
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


@pytest.mark.parametrize("name", ["first.jsonl", "second.jsonl"])
def test_every_line_is_a_judgement_without_text(name: str) -> None:
    rows = judgements(name)
    for row in rows.values():
        assert list(row) == ["id", "score", "keep", "problem", "reader"]
        assert row["score"] in range(6) and row["keep"] in ("y", "n", "?") and row["problem"] in PROBLEMS
        assert re.fullmatch(r"[\w./-]{1,300}", str(row["id"])) and re.fullmatch(r"r\d{1,2}", str(row["reader"]))
    n = Counter(row["keep"] for row in rows.values())
    assert f"| {name} | {len(rows):,} | {n['y']:,} | {n['n']:,} | {n['?']} |" in README


def test_readers_are_those_of_the_readme_and_every_document_has_a_part() -> None:
    first, second, parts = judgements("first.jsonl"), judgements("second.jsonl"), judgements("parts.jsonl")
    names = {row["reader"] for row in first.values()}
    assert names == {f"r{k}" for k in (*range(1, 8), *range(11, 18))} and "one of fourteen readers" in README
    assert {row["reader"] for row in second.values()} <= names | {"r8"}
    assert set(second) <= set(first) == set(parts)


def test_every_judgement_of_advertising_is_without_text() -> None:
    first, rows = judgements("first.jsonl"), judgements("adult.jsonl")
    for row in rows.values():
        assert list(row) == ["id", "adult", "reader"] and row["adult"] in ("y", "n") and row["reader"] == "r9"
        assert re.fullmatch(r"weborganizer/\d+", str(row["id"]))
        # Where another reader called a page adult, what it dropped is advertising, what it kept is about it.
        label = first.get(str(row["id"]), {})
        if label.get("problem") == "adult":
            assert row["adult"] == ("y" if label["keep"] == "n" else "n")


def test_two_readers_agree_as_often_as_the_readme_says() -> None:
    first, second = judgements("first.jsonl"), judgements("second.jsonl")
    assert all(first[name]["reader"] != row["reader"] for name, row in second.items())
    pairs = [(first[name]["keep"], row["keep"]) for name, row in second.items() if "?" not in (first[name]["keep"], row["keep"])]
    same = sum(one == other for one, other in pairs) / len(pairs)
    keeps = [sum(pair[side] == "y" for pair in pairs) / len(pairs) for side in (0, 1)]
    chance = keeps[0] * keeps[1] + (1 - keeps[0]) * (1 - keeps[1])
    off = [abs(int(str(first[name]["score"])) - int(str(row["score"]))) for name, row in second.items()]
    assert f"Of the {len(pairs)} documents that two readers decided, {round(same * len(pairs))} have the same" in README
    assert f"({same:.1%}".replace("%", " %") in README
    assert f"kappa {(same - chance) / (1 - chance):.2f}".replace("0.", ".") in README
    share, kappa = f"{same:.1%}".replace("%", " %"), f"{(same - chance) / (1 - chance):.2f}".removeprefix("0")
    agreement = f"{share} of decisions (kappa {kappa})"
    assert agreement in " ".join(readers_card.LIMITS.split())
    assert f"differ by {sum(off) / len(off):.2f} on average" in README
