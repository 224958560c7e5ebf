"""What is seen of a line outside of its strings: the oracles are a walk over its characters, and orjson for digits."""

from __future__ import annotations

import json
import re

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.kernels.formats import json_lines
from tests.support import examples


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """Compiling counts against hypothesis' deadline."""
    json_lines.warm()


def looked_at(line: bytes) -> tuple[int, int]:
    """Colons and levels of nesting outside of strings."""
    colons = depth = deepest = 0
    inside = escaped = False
    for char in line.decode("latin-1"):
        if inside:
            inside, escaped = escaped or char != '"', not escaped and char == "\\"
        else:
            inside, escaped = char == '"', False
            colons += char == ":"
            depth += (char in "[{") - (char in "]}")
            deepest = max(deepest, depth)
    return colons, deepest


def look_at(*lines: bytes) -> np.ndarray:
    stops = np.cumsum([0, *map(len, lines)])
    return json_lines.look_at(np.stack([stops[:-1], stops[1:]], 1), np.frombuffer(b"".join(lines), np.uint8))


@examples(2)
@given(st.lists(st.text('":\\\\[]{}a1,\n').map(str.encode) | st.binary(max_size=20), min_size=1, max_size=5))
def test_any_lines(lines: list[bytes]) -> None:
    assert look_at(*lines)[:, :2].tolist() == [list(looked_at(line)) for line in lines]


LONG = st.text("a" * 40 + '":\\{', min_size=50, max_size=300).map(str.encode)  # over blocks of 64 bytes


@examples(2)
@given(st.lists(LONG, min_size=1, max_size=4))
def test_long_lines(lines: list[bytes]) -> None:
    assert look_at(*lines)[:, :2].tolist() == [list(looked_at(line)) for line in lines]


numbers = (
    st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str)
    | st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
)


@examples(3)
@given(st.lists(numbers, min_size=1, max_size=4))
def test_a_number_that_is_not_uncertain_survives(found: list[str]) -> None:
    line = f'{{"1.10": [{", ".join(found)}], "x": "-0 1e5"}}'.encode()
    (seen,) = look_at(line)
    lost = [number for number in found if orjson.dumps(orjson.loads(number)).decode() != number]
    assert seen[json_lines.UNCERTAIN] >= len(lost)
    if seen[json_lines.UNCERTAIN]:
        assert line[seen[json_lines.START] : seen[json_lines.STOP]].decode() in found


@pytest.mark.parametrize(
    ("number", "uncertain"),
    [
        ("0", 0),
        ("-0", 1),
        ("-0.0", 0),
        ("1.0", 0),
        ("1.00", 1),
        ("1.10", 1),
        ("0.0001", 0),
        ("0.00001", 1),
        ("123456789012345678", 0),
        ("1234567890123456789", 1),
        ("0.123456789012345", 0),
        ("0.1234567890123456", 1),
        ("12345678901234.0", 0),
        ("1e5", 1),
    ],
)
def test_which_numbers_are_uncertain(number: str, uncertain: int) -> None:
    assert look_at(number.encode())[0][json_lines.UNCERTAIN] == uncertain
    assert uncertain or orjson.dumps(orjson.loads(number)).decode() == number


def test_where_values_are_that_are_too_deep() -> None:
    line = b'{"a": [[1]], "b": {"c": [[[2]]]}, "d": "[[[[[", "e": [[[[3]]]], "f": 4}'
    spans = json_lines.deep_values(np.frombuffer(line, np.uint8), 4)
    assert [line[start:stop] for start, stop in spans] == [b'{"c": [[[2]]]}', b"[[[[3]]]]"]
    assert re.search(rb"\[{4}3", line) and json.loads(line)["f"] == 4
    assert len(json_lines.deep_values(np.frombuffer(b"[[[[[", np.uint8), 2)) == 0
