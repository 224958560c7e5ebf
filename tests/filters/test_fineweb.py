"""FineWeb's rules equal the published code in plain Python on any text, and drop just beyond each threshold."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters import fineweb
from filters.contract import TextBatch, check, check_rules, judge
from filters.kernels import warm
from filters.kernels.char_classes import TERMINALS

NONE = pa.RecordBatch.from_arrays([], names=[])
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
    made = fineweb.FILTER.annotate(TextBatch(pa.array(texts, pa.large_string())), NONE, fineweb.Params(), None)
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
        pytest.param(
            "a" * 99 + ".\n" + "b" * 9799 + ".\n" + "a" * 99 + ".", {"too_many_newlines"}, id="100 of 10,000 repeated: at"
        ),
        pytest.param(
            "a" * 99 + ".\n" + "b" * 9798 + ".\n" + "a" * 99 + ".",
            {"too_many_newlines", "too_many_repeated_lines"},
            id="100 of 9,999: over",
        ),
    ],
)
def test_rules_at_their_limits(text: str, reasons: set[str]) -> None:
    rules = fineweb.FILTER.rules(fineweb.Params(), fineweb.Thresholds())
    check_rules(fineweb.FILTER, rules)
    row = judge(fineweb.FILTER, rules, pl.from_arrow(signals([text]))).row(0, named=True)
    assert {name.removeprefix("fineweb.") for name, fails in row.items() if fails} == reasons
