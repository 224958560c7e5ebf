"""JSON that is not one object a line: how it is told, which rows it has, and what hostile files cost."""

import json
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import read
from pipeline.read.formats.document import Nesting, cut
from pipeline.read.lines import Lines, Unreadable
from pipeline.read.recognition import look
from tests.read.conftest import make

RECORDS = [{"id": f"r{i}", "text": f'A "quoted" [text] {{of}} row \\ {i}\n', "tags": [{"n": i}]} for i in range(7)]
LINES = "".join(json.dumps(row) + "\n" for row in RECORDS)
TEXTS = [(i, row["id"], row["text"]) for i, row in enumerate(RECORDS, 1)]


def rows(path: Path, data: str | bytes, **changes: object) -> tuple[str, list[tuple[int, str, str]], list[tuple[int, str]]]:
    """`(format, (row, id, text) of documents, (row, cause) of bad rows)`."""
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    file = make(path, **changes)
    parts = list(read.rows_of(file))
    good = [row for part in parts for row in part.documents.select(["row", "id", "text"]).to_pylist()]
    bad = [(row["row"], row["cause"]) for part in parts for row in part.bad.to_pylist()]
    return read.units_of(file).file.format, [(row["row"], row["id"], row["text"]) for row in good], bad


LAYOUTS = {
    "lines": (LINES, "jsonl"),
    "an array in one line": (json.dumps(RECORDS), "json"),
    "an array over lines": (json.dumps(RECORDS, indent=2), "json"),
    "an array, an object a line": ("[" + ",\n".join(map(json.dumps, RECORDS)) + "]\n", "json"),
    "two arrays": (json.dumps(RECORDS[:3]) + "\n" + json.dumps(RECORDS[3:], indent=1), "json"),
    "an array with a comma too many": ("[" + ",".join(map(json.dumps, RECORDS)) + ",]", "json"),
    "objects without line breaks": ("".join(map(json.dumps, RECORDS)), "json"),
    "objects over lines": ("\n".join(json.dumps(row, indent=4) for row in RECORDS), "json"),
    "objects between carriage returns": (LINES.replace("\n", "\r"), "json"),
    "a JSON text sequence": ("".join(f"\x1e{json.dumps(row)}\n" for row in RECORDS), "jsonl"),
    "wrapped, behind other members": (
        json.dumps({"version": 1, "info": {"a": [1, "]"]}, "data": RECORDS, "end": None}),
        "json_members",
    ),
    "wrapped over lines": (json.dumps({"data": RECORDS}, indent=2), "json_members"),
    "wrapped in two parts": (json.dumps({"train": RECORDS[:2], "none": [], "n": [1], "test": RECORDS[2:]}), "json_members"),
    "an object a line within a wrap": ('{"data": [\n' + ",\n".join(map(json.dumps, RECORDS)) + "\n]}", "json_members"),
    "columns of dicts": (json.dumps({k: {str(i): r[k] for i, r in enumerate(RECORDS)} for k in ("id", "text")}), "json_table"),
    "columns of lists": (json.dumps({k: [r[k] for r in RECORDS] for k in ("id", "text")}, indent=1), "json_table"),
    "columns beside rows": (
        json.dumps({"columns": ["id", "text"], "data": [[r["id"], r["text"]] for r in RECORDS]}),
        "json_table",
    ),
    "objects by id": (json.dumps({r["id"]: {"text": r["text"]} for r in RECORDS}), "json_table"),
}


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "part-0"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_are_told_by_content_and_give_the_same_rows(tmp_path: Path, layout: str, name: str) -> None:
    data, expected = LAYOUTS[layout]
    assert rows(tmp_path / name, data, format="jsonl" if name == "a.jsonl" else "") == (expected, TEXTS, [])
    utf16 = data.encode("utf-16")
    assert rows(tmp_path / name, utf16, format="jsonl" if name == "a.jsonl" else "") == (expected, TEXTS, [])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('{"text": "a", "x": [{"text": "b"}]}', [1]),  # a row with a list of objects is a row
        ('{\n "text": "a", "x": [{"text": "b"}]\n}', [1]),
        ('{"x": [{"text": "b"}]}\n{"text": "a"}\n', [2]),  # one object a line, the first without a text
        ('{"x": [{"text": "b"}]\n}\n{"text": "a"}\n', [2]),
        ('{"text": null, "x": [{"text": "b"}]}', []),
        ('{"id": 1, "text": "broken\n{"text": "a"}\n', [2]),  # the first line is broken, the second one is an object
        ('{"text": "a"},\n{"text": "b"},\n', [1, 2]),
        ('// by hand\n{"text": "a"}\n', [2]),
        ('[1, [2], null, "s", {"text": "a"}, NaN]', [5]),
        ('[{"text": "a", "n": NaN}, {"text": NaN}, {"text": "b", "n": [-Infinity, "NaN"]}]', [1, 3]),
        ('[{"text": "a"} {"text": "b"}]', [1, 2]),
        ('[{"text": "a"}, {"text": "b", }, {"text": "c"}]', [1, 3]),
        ('[{"text": "a"}, {"text": ], {"text": "c"}]', [1, 3]),
        ('\ufeff{"text": "a"}\n\ufeff\x1e{"text": "b"}\n', [1, 2]),
        ("[]", []),
        ("{}", []),
        ("[", []),
    ],
)
def test_which_values_are_rows(tmp_path: Path, data: str, expected: list[int]) -> None:
    assert [row for row, _, _ in rows(tmp_path / "a.jsonl", data)[1]] == expected


def test_what_is_not_finite_becomes_text_in_metadata_and_null_where_text_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"text": "NaN", "a": NaN, "b": [-Infinity, "x NaN \\" Infinity"], "url": NaN}\n{"text": NaN}\n{"text": NaNa}\n'
    )
    (unit,) = read.units_of(make(path)).units or ()
    found = read.read(unit)
    assert found.documents["text"].to_pylist() == ["NaN"] and found.documents["url"].to_pylist() == [None]
    assert json.loads(found.documents["metadata"][0].as_py()) == {"a": "NaN", "b": ["-Infinity", 'x NaN " Infinity']}
    assert found.bad["cause"].to_pylist() == ["text_null", "invalid_json"]


@pytest.mark.parametrize(
    "broken_off", ['[{"text": "a"}, {"te', '[{"text": "a"},', '[{"text": "a"}', '{"data": [{"text": "a"}, {"x": "y']
)
def test_a_file_that_ends_within_a_value_has_a_row_for_its_rest(tmp_path: Path, broken_off: str) -> None:
    assert rows(tmp_path / "a.json", broken_off, format="jsonl")[1:] == (
        [(1, rows_id(tmp_path), "a")],
        [(2, "file_truncated")],
    )


def rows_id(folder: Path) -> str:
    from pipeline.read.rows import default_id

    return default_id(f"{folder.name}/a.json", 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('{"name": "x", "version": 2}', ["'name', 'version'", "source.text"]),
        ('[{"instruction": "x", "output": "y"}]', ["'instruction', 'output'", "source.text"]),
        ('{"body": "x"}\n{"body": "y"}\n', ["JSON lines", "'body'", "source.text"]),
        ("[1, 2]", ["no format that its content tells"]),
        ("{ color: red }", ["source.text"]),
    ],
)
def test_json_without_a_text_under_a_name_that_declares_nothing_has_a_reason(tmp_path: Path, data: str, words: list[str]) -> None:
    (tmp_path / "a.json").write_text(data)
    reason = look(make(tmp_path / "a.json", format=""))
    assert isinstance(reason, str) and all(word in reason for word in words), reason
    assert not isinstance(look(make(tmp_path / "a.json", format="", text="body")), str) or "body" not in data


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from('\\"{}[],'), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=3) | st.integers() | st.text(max_size=5), max_size=6),
    st.data(),
)
def test_values_are_cut_as_the_json_module_reads_them_whatever_the_chunks(values: list[object], drawn: st.DataObject) -> None:
    data = json.dumps(values, ensure_ascii=drawn.draw(st.booleans()), indent=drawn.draw(st.sampled_from([None, 1]))).encode()
    sizes = drawn.draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    found = list(cut(chunks_of(data, sizes), file_of("json", unit_bytes=drawn.draw(st.integers(1, 40)))))
    assert [json.loads(piece) for lines in found for piece in lines.pieces] == values
    assert all(not lines.refused and lines.rest is None for lines in found)
    assert [lines.first_row for lines in found] == [1 + sum(len(one.pieces) for one in found[:i]) for i in range(len(found))]
    assert [lines.stop for lines in found[:-1]] == [lines.start for lines in found[1:]]


@given(st.binary(max_size=60) | st.text('{}[]",:\\ \na1', max_size=60).map(str.encode), st.integers(1, 7))
def test_any_bytes_end_in_rows(data: bytes, size: int) -> None:
    for kind in ("json", "json_members"):
        found = list(cut(chunks_of(data, [size]), file_of(kind)))
        whole = list(cut(iter([data]), file_of(kind)))
        assert [(lines.pieces, lines.refused, lines.rest) for lines in found] == [(o.pieces, o.refused, o.rest) for o in whole]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_escapes_may_lie_on_both_sides_of_a_chunks_end(size: int) -> None:
    values = ['"', "\\", '\\"', {"a": '{"\\\\"}', "]": ["["]}, *RECORDS]
    (lines,) = cut(chunks_of(json.dumps(values).encode(), [size]), file_of("json"))
    assert [json.loads(piece) for piece in lines.pieces] == values


def chunks_of(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = number = 0
    while at < len(data):
        yield data[at : at + sizes[number % len(sizes)]]
        at += sizes[number % len(sizes)]
        number += 1


def file_of(kind: str, **changes: object) -> read.InputFile:
    return make(Path(__file__), format=kind, **changes)


def test_a_row_that_is_too_large_is_not_held_and_the_next_one_is_read() -> None:
    def chunks() -> Iterator[bytes]:
        yield b'[{"text": "'
        for _ in range(400):
            yield b'\\"{[' * 25_000
        yield b'"}, {"text": "a"}]'

    tracemalloc.start()
    (lines,) = cut(chunks(), file_of("json", max_row_bytes=500_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(row.row, row.cause, row.n_bytes) for row in lines.refused] == [(1, "row_too_large", 40_000_012)]
    assert lines.pieces == (b"", b'{"text": "a"}') and peak < 2_000_000


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 400_000,
        b'{"a":' * 100_000,
        b"{}" * 100_000,
        b'[""' * 100_000,
        b'["' + b"\\\\" * 400_000,
        b"[" + b" ," * 200_000,
        b"[" + b"a\n" * 100_000,
        b'{"text":{' + b'"a":1,' * 100_000,
        b"{" + b"\n" * 400_000,
        b" " * 400_000 + b"{",
    ],
)
def test_hostile_files_cost_linear_time(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)
    file = make(tmp_path / "a.jsonl")
    begin = time.process_time()
    found = read.units_of(file)
    for block in read.stream(found.file, found.content) if found.units is None else ():
        assert isinstance(block.data, Lines)
    assert time.process_time() - begin < 3  # 0.3 at most here; quadratic time would take minutes


def test_a_table_larger_than_a_row_may_be_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"text": ["x" * 10] * 500}))
    (part,) = read.rows_of(make(tmp_path / "a.json", format="json_table", looked=True, max_row_bytes=2_000))
    assert part.bad["cause"].to_pylist() == ["row_too_large"] and "orient='records'" in part.bad["detail"][0].as_py()


def test_a_deep_table_is_a_bad_row(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"text": [' + "[" * 100_000 + "]" * 100_000 + "]}")
    (part,) = read.rows_of(make(tmp_path / "a.json", format="json_table", looked=True))
    assert part.bad["cause"].to_pylist() == ["invalid_json"]


def test_a_wrapped_list_larger_than_a_row_may_be_is_read_as_a_stream(tmp_path: Path) -> None:
    data = json.dumps({"version": "1", "data": [{"text": "x" * 100}] * 100})
    for text in (data, json.dumps(json.loads(data), indent=1)):
        form, good, bad = rows(tmp_path / "a.json", text, format="", max_row_bytes=1_000, unit_bytes=1_000)
        assert (form, len(good), bad) == ("json_members", 100, [])


def test_what_a_stream_could_not_read_is_the_rest() -> None:
    def chunks() -> Iterator[bytes]:
        yield b'[{"text": "a"}, {"te'
        raise Unreadable("archive_corrupt", "gone")

    (lines,) = cut(chunks(), file_of("json"))
    assert lines.rest is not None
    assert lines.pieces == (b'{"text": "a"}',)
    assert (lines.rest.row, lines.rest.cause, lines.rest.n_bytes, lines.rest.excerpt) == (2, "archive_corrupt", 4, b'{"te')


def test_nesting_ends_where_the_value_does() -> None:
    for value, behind in ((b'{"a": "}"}', b"x"), (b'"a{"', b'"'), (b"12", b","), (b'[["]"], {}]', b"]"), (b"}", b"}")):
        assert Nesting().feed(value + behind) == len(value), value
