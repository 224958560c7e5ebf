"""FineWeb's rules equal the published code in plain Python on any text, and drop just beyond each threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters import fineweb
from filters.contract import TextBatch, check, check_rules, judge
from filters.kernels import warm
from filters.kernels.unicode.char_classes import TERMINALS

SPANS = [span.partition("-") for span in TERMINALS.split()]
STOPS = tuple(chr(code) for first, _, last in SPANS for code in range(int(first, 16), int(last or first, 16) + 1))
LINE = st.sampled_from(
    ["It ends.", "It does not", "短い。", "Привет!", "x" * 30, "x" * 31, "quoted.”", "stop. ", "", " ", "a\u2028b."]
)


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """Compiling counts against hypothesis' deadline."""
    warm.warm()


def signals(texts: list[str]) -> pa.RecordBatch:
    needed = pa.record_batch({"language": pa.nulls(len(texts), pa.string())})
    made = fineweb.FILTER.annotate(TextBatch(pa.array(texts, pa.large_string())), needed, fineweb.Params(), None)
    check(fineweb.FILTER, rows=len(texts), signals=made)
    return made


def published(text: str) -> tuple[float, float, float]:
    """fineweb_quality_filter.py, its first three ratios."""
    lines = [line for line in text.split("\n") if line.strip() != ""]
    seen: set[str] = set()
    repeated = 0
    for line in lines:
        repeated += len(line) if line in seen else 0
        seen.add(line)
    n, chars = max(len(lines), 1), max(len(text.replace("\n", "")), 1)
    return sum(line.endswith(STOPS) for line in lines) / n, sum(len(line) <= 30 for line in lines) / n, repeated / chars


@given(st.lists(st.lists(LINE | st.text(max_size=4), max_size=12).map("\n".join), max_size=4))
@example(["", "\n\n", "a\na\na", " a\na", "."])
def test_ratios_are_those_of_the_published_code(texts: list[str]) -> None:
    made = signals(texts)
    expected = np.array([published(text) for text in texts], np.float32).reshape(-1, 3)
    for k, name in enumerate(fineweb.SIGNALS.names[:3]):
        assert made.column(name).to_pylist() == expected[:, k].tolist(), name


def lines(punctuated: int, bare: int, *, length: int = 40) -> str:
    return "\n".join([f"{k:>{length - 2}}x." for k in range(punctuated)] + [f"{k:>{length - 1}}x" for k in range(bare)])


LONG = " ".join(f"word{k}" for k in range(2000))


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        pytest.param(f"{LONG}.\n" + lines(2, 22), set(), id="3 of 25 lines punctuated: at"),
        pytest.param(f"{LONG}.\n" + lines(2, 23), {"too_few_punctuated_lines"}, id="3 of 26: under"),
        pytest.param(f"{LONG}.\n" + lines(32, 0) + "\n" + lines(67, 0, length=30), set(), id="67 of 100 lines short: at"),
        pytest.param(f"{LONG}.\n" + lines(31, 0) + "\n" + lines(67, 0, length=30), {"too_many_short_lines"}, id="67 of 99: over"),
        pytest.param("\n".join(["a" * 99 + ".", "b " * 4899 + "b.", "a" * 99 + "."]), set(), id="100 of 10,000 repeated: at"),
        pytest.param(
            "\n".join(["a" * 99 + ".", "b " * 4898 + "bb.", "a" * 99 + "."]), {"too_many_repeated_lines"}, id="100 of 9,999: over"
        ),
    ],
)
def test_rules_at_their_limits(text: str, reasons: set[str]) -> None:
    assert failed(text) == reasons


def failed(text: str, language: str | None = None, **thresholds: Any) -> set[str]:
    rules = fineweb.FILTER.rules(fineweb.Params(), fineweb.Thresholds.model_validate(thresholds))
    check_rules(fineweb.FILTER, rules)
    table = pl.DataFrame(pl.from_arrow(signals([text]))).with_columns(pl.lit(language, pl.String).alias("language"))
    row = judge(fineweb.FILTER, rules, table).row(0, named=True)
    return {name.removeprefix("fineweb.") for name, fails in row.items() if fails}


def test_fineweb2_figures_apply_to_its_languages_where_the_plan_sets_none() -> None:
    bare = f"{LONG}.\n" + lines(4, 20)  # 5 of 25 lines: 20 %; German 0, French 10 %, Vietnamese 33.3 %
    for language, thresholds, drops in (
        (None, {}, False),
        ("vi", {}, False),
        ("vi", {"languages": "fineweb2"}, True),
        ("fr", {"languages": "fineweb2"}, False),
        ("de", {"languages": "fineweb2", "min_punctuated_lines": 0.21}, True),
        ("en", {"languages": "fineweb2"}, False),
    ):
        assert ("too_few_punctuated_lines" in failed(bare, language, **thresholds)) == drops, (language, thresholds)
    short = f"{LONG}.\n" + lines(10, 0, length=20)
    assert failed(short, "en", languages="fineweb2") == {"too_many_short_lines"}
    assert failed(short, "fr", languages="fineweb2") == set()
    again = LONG + "\n" + "x" * 500 + ".\n" + "x" * 500 + "."  # 4 % of the characters
    assert failed(again, "en", languages="fineweb2") == {"too_many_repeated_lines"}
    assert failed(again, "fr", languages="fineweb2") == set()
    listed = "\n".join(f"{k} is it." for k in range(9))  # 8 newlines, 36 words: 22 %; French 18.5 %, Turkish 27.3 %
    assert [("too_many_newlines" in failed(listed, language, languages="fineweb2")) for language in ("en", "fr", "tr")] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("", {"too_few_punctuated_lines"}),
        (" \n\t\n ", {"too_few_punctuated_lines", "too_many_newlines"}),
        (".", {"too_many_short_lines"}),
        ("One line that is longer than thirty characters and ends well.", set()),
        ("\0", {"too_few_punctuated_lines", "too_many_short_lines"}),
        ("אחת שתיים שלוש ארבע חמש שש שבע שמונה תשע עשר.", set()),
        ("e\u0301" * 15 + ".", set()),
        ("👩\u200d💻" * 10 + "!", set()),
        ("word " * 2_000_000 + "end.", set()),
        ("word " * 2_000_000 + "end", {"too_few_punctuated_lines"}),
    ],
    ids=["empty", "blank", "one sign", "one line", "NUL", "right to left", "marks", "emoji", "10 MB line", "10 MB, no end"],
)
def test_edges(text: str, reasons: set[str]) -> None:
    assert failed(text) == reasons
