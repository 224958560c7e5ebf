"""Rows that a kernel reads give what orjson and a record for each give: the oracle is the reader itself without the kernel."""

from __future__ import annotations

import json
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.kernels.formats import json_rows
from pipeline.read import plain_rows
from pipeline.read.files import InputFile
from pipeline.read.formats import jsonl
from pipeline.read.lines import Lines
from pipeline.read.rows import Collector, UnitRows
from tests.read.conftest import make
from tests.support import examples


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """Compiling counts against hypothesis' deadline."""
    json_rows.warm()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> InputFile:
    path = tmp_path_factory.mktemp("in") / "a.jsonl"
    path.write_bytes(b"")
    return make(path)


def read(file: InputFile, data: bytes) -> UnitRows:
    collector = Collector(file)
    jsonl.parse(collector, Lines(0, len(data), 1, (data,), ()))
    return collector.finish()


def same(file: InputFile, data: bytes) -> UnitRows:
    found = read(file, data)
    with mock.patch.object(plain_rows, "own_columns", lambda file: ()):
        expected = read(file, data)
    assert found.documents.to_pylist() == expected.documents.to_pylist()
    assert found.bad.to_pylist() == expected.bad.to_pylist() and found.replaced == expected.replaced
    found.documents.validate(full=True)
    return found


def kept(line: bytes, *own: bytes) -> bool:
    """Whether the kernel takes the row."""
    found = json_rows.parsed(line + json_rows.PAD, np.array([[0, len(line)]]), own or OWN, (1_000_000, 512, 200))
    return len(found.rows) == 1


OWN = (b"text", b"id", b"url", b"date")
KEYS = st.sampled_from(["text", "id", "url", "date", "source", "lang", "a", "ab", "é", "", "\x7f", "Text", "x y"]) | st.text(
    max_size=5
)
TEXTS = st.text(max_size=90) | st.text('\\"/\n\t\r\b\f\x00\x01\x1fé€😀a', max_size=200)
NUMBERS = st.integers(-1000, 1000) | st.integers() | st.floats(allow_nan=False) | st.decimals(0, 9, places=2).map(float)
VALUES = TEXTS | NUMBERS | st.booleans() | st.none() | st.just([1]) | st.just({"a": "b"})
ROWS = st.dictionaries(KEYS, VALUES, max_size=6) | st.fixed_dictionaries({"text": TEXTS}, optional={"id": TEXTS, "b": TEXTS})


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A row as one of many writers would write it, now and then with a byte that is another."""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]))
    line = json.dumps(draw(ROWS), ensure_ascii=draw(st.booleans()), separators=separators).encode("utf-8", "surrogatepass")
    line = draw(st.sampled_from([b"", b" "])) + line.replace(b"/", draw(st.sampled_from([b"/", rb"\/"])))
    if draw(st.integers(0, 4)) == 0 and line:
        at = draw(st.integers(0, len(line) - 1))
        line = line[:at] + draw(st.binary(max_size=3)) + line[at + draw(st.integers(0, 2)) :]
    return line.replace(b"\n", b"") + draw(st.sampled_from([b"", b"\r", b" "]))


@examples(4)
@given(st.lists(lines(), min_size=1, max_size=6), st.sampled_from([b"", b"\n"]), st.sampled_from([None, "source", "lang", "url"]))
def test_any_rows(file: InputFile, found: list[bytes], end: bytes, named_by: str | None) -> None:
    same(replace(file, named_by=named_by), b"\n".join(found) + end)


@pytest.mark.parametrize(
    "line",
    [
        b'{"text": "a"}',
        b'{"id":7,"text":"a","z":1.5,"b":true,"c":null,"d":false,"e":-3}',
        '{"text": "é\\u00e9\\ud83d\\ude00\\n", "é": "\\u00e9\\/\\u001f\\u0008\\"\\u0022"}'.encode(),
        b'{"text": "' + b"x" * 63 + b"\\n" + b"y" * 130 + b'"}\r',
        b'{"text": "\\u0001a"}',
    ],
)
def test_plain_rows_are_taken(file: InputFile, line: bytes) -> None:
    assert kept(line) and same(file, line).documents.num_rows == 1


@pytest.mark.parametrize(
    "line",
    [
        b'{"text": "a", "b": [1]}',
        b'{"text": "a", "b": {}}',
        b'{"text": "a", "b": 1.10}',
        b'{"text": "a", "b": 12345678901234567890}',
        b'{"text": "a", "b": 1e5}',
        b'{"text": "a", "b": -0}',
        b'{"text": "a", "b": 01}',
        b'{"text": "a", "b": 1.}',
        b'{"text": "a", "b": nul}',
        b'{"text": "a", "a": 1, "a": 2}',
        b'{"text": "a", "text": "b"}',
        b'{"text": "", "text": ""}',
        b'{"text": "a", "url": null, "url": null}',
        b'{"text": "a", "te\\u0078t": "b"}',
        b'{"text": "\\ud800"}',
        b'{"text": "\\ude00\\ud83d"}',
        b'{"text": "\\x"}',
        b'{"text": "a\tb"}',
        b'{"text": "a", "b": "\xff"}',
        b'{"text": "a", "b": "\xed\xa0\x80"}',
        b'{"text": "a"} {}',
        b'{"text": "a"},',
        b'{"text": "a",}',
        b'{"text": "a"',
        b'{"text": 1}',
        b'{"text": null}',
        b'{"b": "a"}',
        b'{"text": "a", "id": 1.5}',
        b'{"text": "a", "id": true}',
        b'{"text": "a", "url": 5}',
        b'{"text": "a", "id": "' + b"i" * 513 + b'"}',
        b"{}",
        b"[]",
        b"",
    ],
)
def test_all_other_rows_are_left(file: InputFile, line: bytes) -> None:
    assert not kept(line)
    same(file, line)


@pytest.mark.parametrize("name", ['"web"', "12", '""', "null", "1.5", '"' + "s" * 201 + '"', "[1]"])
def test_a_source_that_rows_name(file: InputFile, name: str) -> None:
    same(replace(file, named_by="of"), f'{{"text": "a", "of": {name}}}\n{{"text": "b"}}'.encode())


@pytest.mark.parametrize("names", [{"text": "url"}, {"id": "text"}, {"id": "url"}, {"named_by": "url"}, {"text": 'é"'}])
def test_columns_with_names_of_others(file: InputFile, names: dict[str, str]) -> None:
    same(replace(file, **names), json.dumps({"text": "a", "url": "b", "id": "c", 'é"': "d"}).encode())


def test_a_row_that_is_too_large_is_the_same_row_to_the_byte(file: InputFile) -> None:
    for text in ("é" * 21, "é" * 22, "e" * 42, "e" * 43):
        found = same(replace(file, max_row_bytes=50), json.dumps({"text": text, "b": 1, "url": "u"}).encode())
        assert found.documents.num_rows == (len(text.encode()) <= 42)


def test_rows_of_both_kinds_stay_in_order(file: InputFile) -> None:
    data = b"\n".join(b'{"text": "%d"%s}' % (k, b', "b": []' if k % 3 == 0 else b"") for k in range(50))
    assert same(file, data).documents["row"].to_pylist() == list(range(1, 51))


def test_a_row_of_many_columns_is_left(file: InputFile) -> None:
    for more, is_plain in ((json_rows.MEMBERS, True), (json_rows.MEMBERS + 1, False)):
        line = json.dumps({"text": "a", **{f"k{k}": k for k in range(more, 0, -1)}}).encode()
        assert kept(line) == is_plain
        same(file, line)


def test_what_stands_behind_a_row_is_never_read_into_it(file: InputFile) -> None:
    for cut in range(1, 30):
        same(file, b'{"text": "one", "b": "two"}'[:cut] + b'\n"}\n: 1}\n{"text": "three"}\n')


def test_behind_rows_stands_what_the_kernel_may_look_at() -> None:
    assert json_rows.PAD == jsonl.PAD
    with pytest.raises(AssertionError):
        json_rows.parsed(b'{"text": "a"}\n', np.array([[0, 13]]), OWN, (100, 100, 100))
