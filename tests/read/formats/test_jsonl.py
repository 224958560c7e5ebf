"""JSONL rows: what becomes a document, what a bad row and why, and that neither splitting nor compression changes a row."""

import gzip
import hashlib
import io
import json
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import zstandard
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from pipeline import read
from pipeline.errors import InputChanged
from pipeline.read import archives
from pipeline.read.files import InputFile
from pipeline.read.lines import cut
from pipeline.read.rows import UnitRows
from pipeline.read.units import unit_key_parts
from pipeline.schema import BAD_ROW, DOCUMENT
from tests.hostile.kinds import FATES
from tests.support import examples

InputOf = Callable[..., InputFile]


def read_all(file: InputFile) -> list[UnitRows]:
    made = read.units_of(file)
    if made.units is None:
        return [read.read_block(block) for block in read.stream(file, made.content)]
    return [read.read(unit) for unit in made.units]


def documents(parts: list[UnitRows]) -> list[dict]:
    return [row for part in parts for row in part.documents.to_pylist()]


def bad(parts: list[UnitRows]) -> list[dict]:
    return [row for part in parts for row in part.bad.to_pylist()]


def write(folder: Path, data: bytes, name: str = "a.jsonl") -> Path:
    path = folder / name
    path.write_bytes({"gz": gzip.compress, "zst": zstandard.compress}.get(name.rsplit(".")[-1], bytes)(data))
    return path


def one(tmp_path: Path, input_of: InputOf, line: bytes, **changes: object) -> tuple[list[dict], list[dict]]:
    parts = read_all(input_of(write(tmp_path, line), **changes))
    return documents(parts), bad(parts)


def hash_id(ref: str) -> str:
    return hashlib.blake2b(ref.encode(), digest_size=16).hexdigest()


def test_a_row_in_full(tmp_path: Path, input_of: InputOf) -> None:
    line = b'{"id":7,"text":"a\\r\\ne\\u0301","source":"s","url":"u","date":"d","z":{"b":1,"a":[null]},"a":1.5}'
    parts = read_all(input_of(write(tmp_path, b"\n" + line)))
    assert parts[0].documents.schema.equals(DOCUMENT) and parts[0].bad.schema.equals(BAD_ROW)
    assert documents(parts) == [
        {
            "row": 2,
            "id": "7",
            "source": "src",
            "url": "u",
            "date": "d",
            "text": "a\né",
            "n_bytes_read": 6,
            "metadata": '{"a":1.5,"source":"s","z":{"a":[null],"b":1}}',
        }
    ]


@pytest.mark.parametrize(
    ("fields", "id_", "metadata"),
    [
        ('"id":"x"', "x", "{}"),
        ('"id":"a\\u0000\\tb"', "a\0\tb", "{}"),
        ('"id":-3', "-3", "{}"),
        ('"id":0', "0", "{}"),
        ('"id":true', None, '{"id":true}'),
        ('"id":1.0', None, '{"id":1.0}'),
        ('"id":""', None, "{}"),
        ('"id":null', None, "{}"),
        ('"id":{"a":1}', None, '{"id":{"a":1}}'),
        ('"other":null', None, '{"other":null}'),
    ],
)
def test_which_ids_count(tmp_path: Path, input_of: InputOf, fields: str, id_: str | None, metadata: str) -> None:
    good, _ = one(tmp_path, input_of, f'{{"text":"t",{fields}}}'.encode())
    ref = f"{tmp_path.name}/a.jsonl#1"
    assert [(row["id"], row["metadata"]) for row in good] == [(id_ or hash_id(ref), metadata)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ('"url":"u","date":"d"', ("u", "d", "{}")),
        ('"url":"","date":null', ("", None, "{}")),
        ('"url":["u"],"date":2020', (None, None, '{"date":2020,"url":["u"]}')),
    ],
)
def test_url_and_date_are_strings_or_metadata(tmp_path: Path, input_of: InputOf, fields: str, expected: tuple) -> None:
    good, _ = one(tmp_path, input_of, f'{{"text":"t",{fields}}}'.encode())
    assert [(row["url"], row["date"], row["metadata"]) for row in good] == [expected]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ('"source":"x"', ("x", "{}")),
        ('"source":5', ("5", "{}")),
        ('"source":18446744073709551617', ("src", '{"source":18446744073709551617}')),
        ('"other":1', ("src", '{"other":1}')),
        ('"source":null', ("src", '{"source":null}')),
        ('"source":""', ("src", '{"source":""}')),
        ('"source":true', ("src", '{"source":true}')),
        ('"source":NaN', ("src", '{"source":"NaN"}')),
        ('"source":["x"]', ("src", '{"source":["x"]}')),
        (f'"source":"{"é" * 100}"', ("é" * 100, "{}")),
        (f'"source":"{"é" * 101}"', ("src", f'{{"source":"{"é" * 101}"}}')),
    ],
)
def test_the_plan_says_whether_the_data_names_the_source(
    tmp_path: Path, input_of: InputOf, fields: str, expected: tuple[str, str]
) -> None:
    line = f'{{"text":"t",{fields}}}'.encode()
    good, _ = one(tmp_path, input_of, line, named_by="source")
    assert [(row["source"], row["metadata"]) for row in good] == [expected]
    good, _ = one(tmp_path, input_of, line)
    assert [row["source"] for row in good] == ["src"]
    if "source" in fields and "NaN" not in fields:
        assert json.loads(good[0]["metadata"]) == json.loads(f"{{{fields}}}")


def test_a_source_that_is_the_url_stays_the_url(tmp_path: Path, input_of: InputOf) -> None:
    good, _ = one(tmp_path, input_of, b'{"text":"t","url":"http://a.b"}', named_by="url")
    assert [(row["source"], row["url"]) for row in good] == [("http://a.b", "http://a.b")]


@pytest.mark.parametrize(
    "written",
    ["18446744073709551617", "-9223372036854775809", "1.10", "1e5", "1E+5", "-0", "0.00001", "1.0000000000000000001", "1" * 300],
)
def test_numbers_keep_what_was_written(tmp_path: Path, input_of: InputOf, written: str) -> None:
    line = f'{{"text":"t","n":{written},"deep":[{{"n": {written}}}]}}'.encode()
    good, _ = one(tmp_path, input_of, line)
    assert [row["metadata"] for row in good] == [f'{{"deep":[{{"n":{written}}}],"n":{written}}}']


def test_ids_differ_where_their_digits_do(tmp_path: Path, input_of: InputOf) -> None:
    ids = ["36893488147419103000", "36893488147419103001", "-0", "0", "9223372036854775808", "1" * 40]
    lines = "".join(f'{{"id":{id_},"text":"t"}}\n' for id_ in ids)
    good, _ = one(tmp_path, input_of, lines.encode())
    assert [row["id"] for row in good] == ids and {row["metadata"] for row in good} == {"{}"}


DEEP = b"[" * 600 + b"]" * 600
OBJECTS = b'{"a":' * 5_000 + b"1" + b"}" * 5_000


@pytest.mark.parametrize(
    ("fields", "metadata", "replaced"),
    [
        (b'"n":NaN', {"n": "NaN"}, [("n", "not_finite", 1)]),
        (b'"i":[Infinity,-Infinity]', {"i": ["Infinity", "-Infinity"]}, [("i", "not_finite", 2)]),
        (b'"n":1e999', {"n": "1e999"}, [("n", "number_too_large", 1)]),
        (b'"n":' + b"9" * 5_000, {"n": "9" * 5_000}, [("n", "number_too_large", 1)]),
        (b'"s":["\\ud800x"]', {"s": ["\\ud800x"]}, [("s", "lone_surrogate", 1)]),
        (b'"k":{"\\udc00":1}', {"k": {"\\udc00": 1}}, [("k", "lone_surrogate", 1)]),
        (b'"s":"a\xffb"', {"s": "a\\xffb"}, [("s", "invalid_utf8", 1)]),
        (b'"id":"\\ud800"', {"id": "\\ud800"}, [("id", "lone_surrogate", 1)]),
        (b'"deep":' + DEEP + b',"n":1', {"deep": DEEP.decode(), "n": 1}, [("deep", "too_deep", 1)]),
        (b'"deep":' + OBJECTS, {"deep": OBJECTS.decode()}, [("deep", "too_deep", 1)]),
        (b'"n":1,"n":2', {"n": 2}, [("n", "double_key", 1)]),
        (b'"o":{"n":1,"n":2}', {"o": {"n": 2}}, [("o", "double_key", 1)]),
        (b'"huge":[' + b"1," * 200_000 + b"1]", {"huge": [1] * 200_001}, []),
    ],
)  # fmt: skip
def test_what_is_strange_in_another_column_costs_that_value_only(
    tmp_path: Path, input_of: InputOf, fields: bytes, metadata: dict, replaced: list
) -> None:
    parts = read_all(input_of(write(tmp_path, b'{"text":"good",' + fields + b"}\n")))
    (row,) = documents(parts)
    assert not bad(parts) and row["text"] == "good" and len(row["id"]) == 32
    assert json.loads(row["metadata"]) == metadata
    assert [line for part in parts for line in part.replaced] == replaced


def test_a_text_that_stands_twice_is_no_text(tmp_path: Path, input_of: InputOf) -> None:
    good, refused = one(tmp_path, input_of, b'{"id":"x","text":"a","text":"b"}\n{"text":"a","n":1.0}')
    assert [row["row"] for row in good] == [2]
    assert [(row["cause"], row["detail"]) for row in refused] == [("double_column", "column 'text': the row has this key twice")]


def test_a_missing_text_names_what_there_is(tmp_path: Path, input_of: InputOf) -> None:
    _, refused = one(tmp_path, input_of, b'{"body":"a","n":1}\n' + b"{" + b",".join(b'"k%d":1' % i for i in range(20)) + b"}")
    assert refused[0]["detail"] == "no column 'text'; there are: body, n. Name the text's column in source.text"
    assert "k7 and 12 more." in refused[1]["detail"]


def test_text_and_id_columns_are_the_plans(tmp_path: Path, input_of: InputOf) -> None:
    good, _ = one(tmp_path, input_of, b'{"text":1,"content":"t","key":"k","id":2}', text="content", id="key")
    assert [(row["text"], row["id"], row["metadata"]) for row in good] == [("t", "k", '{"id":2,"text":1}')]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b"{", "invalid_json"),
        (b"NaN", "not_an_object"),
        (b'{"text":"a"} {"text":"b"}', "invalid_json"),
        (b'{"text":"a\x00b"}', "invalid_json"),
        (b'{"text":"\\ud800', "invalid_json"),
        (b'{"text":"\\\\ud800', "invalid_json"),
        (b"[" * 5000, "invalid_json"),
        (b'["text"]', "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"{}", "text_missing"),
        (b'{"Text":"a"}', "text_missing"),
        (b'{"text":null}', "text_null"),
        (b'{"text":1}', "text_not_a_string"),
        (b'{"text":["a"]}', "text_not_a_string"),
        (b'{"text":false}', "text_not_a_string"),
        (b'{"text":"\xff"}', "invalid_utf8"),
        (b'{"text":"\xed\xa0\x80"}', "invalid_utf8"),
        (b'{"text":"\xc0\xaf"}', "invalid_utf8"),
        (b"\xff\xfe{\x00", "invalid_utf8"),
        (b'{"text":"\\ud800"}', "lone_surrogate"),
        (b'{"text":"\\uDC00x"}', "lone_surrogate"),
        (b'{"text":"\\ud800\\u0041"}', "lone_surrogate"),
        (b'{"text":"\\\\\\ud800\\ud83d\\ude00"}', "lone_surrogate"),
        (b'{"text":NaN}', "text_not_a_string"),
        (b'{"text":' + DEEP + b"}", "text_not_a_string"),
    ],
)
def test_why_a_row_is_quarantined(tmp_path: Path, input_of: InputOf, line: bytes, cause: str) -> None:
    good, refused = one(tmp_path, input_of, b'{"text":"before"}\n' + line + b'\r\n{"text":"behind"}\n')
    assert [(row["row"], row["text"]) for row in good] == [(1, "before"), (3, "behind")]
    (row,) = refused
    assert (row["row"], row["cause"], row["n_bytes_read"], row["excerpt"]) == (2, cause, len(line), line[:512])
    assert row["id"] == hash_id(f"{tmp_path.name}/a.jsonl#2") and row["source"] == "src" and row["detail"]


def test_a_bad_row_keeps_the_id_and_source_that_it_has(tmp_path: Path, input_of: InputOf) -> None:
    _, refused = one(tmp_path, input_of, b'{"id":"x","source":"s","text":null}', named_by="source")
    assert [(row["id"], row["source"]) for row in refused] == [("x", "s")]


@pytest.mark.parametrize("line", [b'{"text":"\\ud83d\\ude00"}', b'{"text":"\\\\ud800"}', b' \t{"text":""}\t '])
def test_valid_rows_that_look_suspicious_survive(tmp_path: Path, input_of: InputOf, line: bytes) -> None:
    good, refused = one(tmp_path, input_of, line)
    assert len(good) == 1 and not refused and good[0]["text"] == orjson.loads(line)["text"]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"", []),
        (b"\n", []),
        (b"\xef\xbb\xbf", []),
        (b"\xef\xbb\xbfX", [1]),
        (b"\xef\xbb\xbfX\r\n\r\n \t\n\nX\nX", [1, 5, 6]),
        (b"\n\xef\xbb\xbfX\n", [2]),
        (b"X\n\n", [1]),
    ],
)
def test_blank_lines_are_counted_and_a_bom_at_the_start_is_not_read(
    tmp_path: Path, input_of: InputOf, data: bytes, rows: list[int]
) -> None:
    good, refused = one(tmp_path, input_of, data.replace(b"X", b'{"text":"t"}'))
    assert [row["row"] for row in good] == rows
    assert {row["cause"] for row in refused} <= {"invalid_json"}


@pytest.mark.parametrize(("size", "refused"), [(999, False), (1000, False), (1001, True), (5000, True)])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_the_longest_row(tmp_path: Path, input_of: InputOf, size: int, refused: bool, end: bytes, name: str) -> None:
    line = b'{"text":"' + b"x" * (size - 11) + b'"}'
    before = b'{"text":"first"}\n\n'
    parts = read_all(input_of(write(tmp_path, before + line + end, name), max_row_bytes=1000))
    assert [row["row"] for row in documents(parts)] == ([1] if refused else [1, 3])
    assert [(r["row"], r["cause"], r["n_bytes_read"], r["excerpt"]) for r in bad(parts)] == (
        [(3, "row_too_large", size, line[:512])] if refused else []
    )


@pytest.mark.parametrize(
    "chunks",
    [
        [b"*\n"],
        [b"*\r\n"],
        [b"*"],
        [b"01", b"+\n"],
        [b"01", b"+", b"\r\n"],
        [b"0", b"1+\r", b"\n"],
        [b"\n", b"*\nx\n"],
        [b"x\n*\n"],
    ],
)
def test_a_row_as_long_as_it_may_be_is_read_wherever_a_chunk_ends(chunks: list[bytes]) -> None:
    """`*` stands for a row of ten bytes, `+` for all but its first two."""
    for row, refused in ((b"0123456789", 0), (b"0123456789x", 1)):
        given = [chunk.replace(b"*", row).replace(b"+", row[2:]) for chunk in chunks]
        (found,) = cut(given, unit_bytes=None, max_row_bytes=10)
        assert len(found.refused) == refused
        assert (row in b"".join(found.pieces)) is not bool(refused)


@given(
    st.lists(st.sampled_from([b"", b"\n", b"\r\n", b"ab", b"x" * 9, b"y" * 11 + b"\r", b"\r", b"z" * 30]), max_size=14),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.integers(1, 25),
    st.integers(1, 12),
)
@examples(4)
def test_cutting_does_not_depend_on_the_chunks(parts: list[bytes], steps: list[int], unit_bytes: int, most: int) -> None:
    data = b"".join(parts)
    chunks, at = [], 0
    while at < len(data):
        chunks.append(data[at : at + steps[len(chunks) % len(steps)]])
        at += len(chunks[-1])
    units = list(cut(chunks, unit_bytes=unit_bytes, max_row_bytes=most))
    whole = list(cut([data] if data else [], unit_bytes=unit_bytes, max_row_bytes=most))
    assert [(u.start, u.stop, u.first_row, b"".join(u.pieces), u.refused) for u in units] == [
        (u.start, u.stop, u.first_row, b"".join(u.pieces), u.refused) for u in whole
    ]
    lines = data.split(b"\n")
    records = [line.removesuffix(b"\r") if i < len(lines) - 1 else line for i, line in enumerate(lines)]
    refused = {r.row: (r.n_bytes, r.excerpt) for u in units for r in u.refused}
    assert refused == {i: (len(r), r[:512]) for i, r in enumerate(records, 1) if len(r) > most}
    kept = [b"" if len(record) > most else line for record, line in zip(records, lines, strict=True)]
    assert b"".join(piece for u in units for piece in u.pieces) == b"\n".join(kept)
    for u in units[:-1]:
        assert data[u.stop - 1] == 10 and u.stop - u.start >= unit_bytes
        assert data.rfind(b"\n", u.start, u.stop - 1) < u.start + unit_bytes - 1
    assert [u.first_row for u in units] == [1 + data[: u.start].count(b"\n") for u in units]


lines = st.sampled_from(
    [b"", b"  ", b'{"text":"a"}', b'{"id":1,"text":"b\\r\\nc","m":2}', b"{bad", b'{"text":"' + b"x" * 1500 + b'"}', b"\xff"]
)


@given(
    st.lists(st.tuples(lines, st.sampled_from([b"\n", b"\r\n"])), max_size=12),
    st.booleans(),
    st.booleans(),
    st.integers(1, 2000),
)
@examples(0.6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_do_not_depend_on_units_or_compression(
    tmp_path: Path, input_of: InputOf, rows: list, bom: bool, cut_last: bool, unit_bytes: int
) -> None:
    data = (b"\xef\xbb\xbf" if bom else b"") + b"".join(line + end for line, end in rows)
    data = data.removesuffix(b"\n") if cut_last else data
    made = {}
    for name in ("a.jsonl", "a.jsonl.gz", "a.jsonl.zst"):
        path = write(tmp_path, data, name)
        file = input_of(path, path="p/a", unit_bytes=unit_bytes, max_row_bytes=1000)
        units = read.units_of(file)
        blocks = [b.unit for b in read.stream(file, units.content)] if units.units is None else units.units
        made[name] = [(u.index, u.start, u.stop, u.first_row) for u in blocks]
        parts = read_all(file)
        whole = read_all(input_of(path, path="p/a", max_row_bytes=1000))
        assert documents(parts) == documents(whole) and bad(parts) == bad(whole)
        made[name] += [documents(parts), bad(parts)]
        blank = sum(not line.strip() for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
        assert len(documents(parts)) + len(bad(parts)) == data.count(b"\n") + 1 - blank
    assert made["a.jsonl"] == made["a.jsonl.gz"] == made["a.jsonl.zst"]


# --- archives

ROWS = b"".join(b'{"id":%d,"text":"%s"}\n' % (i, hashlib.sha256(b"%d" % i).hexdigest().encode() * 8) for i in range(200))


def archive(tmp_path: Path, input_of: InputOf, data: bytes, name: str = "a.jsonl.gz") -> tuple[list[dict], list[dict]]:
    path = tmp_path / name
    path.write_bytes(data)
    parts = read_all(input_of(path))
    return documents(parts), bad(parts)


def test_members_and_frames_follow_each_other(tmp_path: Path, input_of: InputOf) -> None:
    half = len(ROWS) // 2  # within a row
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    for data, name in (
        (
            gzip.compress(ROWS[:half], mtime=0)
            + gzip.compress(b"", mtime=0)
            + gzip.compress(ROWS[half:], mtime=0)
            + b"\0" * 1000,
            "a.jsonl.gz",
        ),
        (gzip.compress(ROWS[:half], mtime=0) + b"\0\0" + gzip.compress(ROWS[half:], mtime=0) + b"\0", "a.jsonl.gz"),
        (zstandard.compress(ROWS[:half]) + skippable + zstandard.compress(ROWS[half:]), "a.jsonl.zst"),
    ):
        good, refused = archive(tmp_path, input_of, data, name)
        assert [row["row"] for row in good] == list(range(1, 201)) and not refused
    assert archive(tmp_path, input_of, b"") == ([], [])
    assert archive(tmp_path, input_of, b"", "a.jsonl.zst") == ([], [])


def _flipped(data: bytes, at: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


GZ, ZST = gzip.compress(ROWS, mtime=0), zstandard.ZstdCompressor(write_checksum=True).compress(ROWS)


@pytest.mark.parametrize(
    ("data", "name", "rows", "cause"),
    [
        (GZ + b"garbage", "a.jsonl.gz", 200, "archive_corrupt"),
        (GZ + b"\x1f", "a.jsonl.gz", 200, "archive_corrupt"),
        (GZ[:-1], "a.jsonl.gz", 200, "archive_truncated"),
        (GZ[:-60], "a.jsonl.gz", 199, "archive_truncated"),
        (GZ[:5], "a.jsonl.gz", 0, "archive_truncated"),
        (_flipped(GZ, -8), "a.jsonl.gz", 200, "archive_corrupt"),
        (_flipped(GZ, -1), "a.jsonl.gz", 200, "archive_corrupt"),
        (bytes(3) + ROWS, "a.jsonl.gz", 0, "archive_corrupt"),
        (bytes(3) + ROWS, "a.jsonl.zst", 0, "archive_corrupt"),
        (ZST[:-1], "a.jsonl.zst", 200, "archive_truncated"),
        (ZST[: len(ZST) // 2], "a.jsonl.zst", 0, "archive_truncated"),
        (_flipped(ZST, -1), "a.jsonl.zst", 0, "archive_corrupt"),
        (ZST + b"garbage!", "a.jsonl.zst", 200, "archive_corrupt"),
        (ZST + ZST[:-6], "a.jsonl.zst", 200, "archive_truncated"),
    ],
)
def test_the_unreadable_rest_of_an_archive_is_one_row(
    tmp_path: Path, input_of: InputOf, data: bytes, name: str, rows: int, cause: str
) -> None:
    good, refused = archive(tmp_path, input_of, data, name)
    assert [row["row"] for row in good] == list(range(1, rows + 1))
    assert [(row["row"], row["cause"]) for row in refused] == [(rows + 1, cause)]


@pytest.mark.parametrize("at", [1000, len(GZ) // 2, len(GZ) - 100])
def test_rows_in_front_of_a_flipped_bit_survive(tmp_path: Path, input_of: InputOf, at: int) -> None:
    good, refused = archive(tmp_path, input_of, _flipped(GZ, at))
    decoder = zlib.decompressobj(31)
    intact = decoder.decompress(GZ[: at - 300]).count(b"\n")
    assert intact <= len(good) <= 200
    assert [row["id"] for row in good[:intact]] == [str(i) for i in range(intact)]
    assert refused[-1]["cause"] == "archive_corrupt"
    numbers = sorted(row["row"] for row in good + refused)
    assert numbers == sorted(set(numbers))


def test_a_row_cut_off_by_the_end_of_the_archive_is_shown(tmp_path: Path, input_of: InputOf) -> None:
    whole = gzip.compress(b'{"text":"a"}\n{"text":"b', compresslevel=0)
    _, refused = archive(tmp_path, input_of, whole[:-8])
    assert [(row["row"], row["n_bytes_read"], row["excerpt"]) for row in refused] == [(2, 10, b'{"text":"b')]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_decompression_bomb_is_one_row(tmp_path: Path, input_of: InputOf, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "BOMB_BYTES", 3_000_000)
    monkeypatch.setattr(archives, "_ZSTD_FEED", 64)
    data = b'{"text":"a"}\n' + b" " * 20_000_000
    path = write(tmp_path, data, name)
    parts = read_all(input_of(path, max_row_bytes=100_000))
    assert [row["row"] for row in documents(parts)] == [1]
    assert [(row["row"], row["cause"]) for row in bad(parts)] == [(2, "decompression_bomb")]


def test_a_high_ratio_below_the_size_and_a_large_size_below_the_ratio_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(b"a" * 1_000_000)
    assert sum(map(len, archives.decoded(io.BytesIO(packed).read, "gzip"))) == 1_000_000
    monkeypatch.setattr(archives, "BOMB_BYTES", 10_000)
    assert sum(map(len, archives.decoded(io.BytesIO(gzip.compress(ROWS)).read, "gzip"))) == len(ROWS)


def test_no_more_of_a_long_line_is_held_than_its_limit() -> None:
    def chunks():
        for _ in range(400):
            yield bytes(100_000)

    tracemalloc.start()
    (unit,) = cut(chunks(), unit_bytes=1_000_000, max_row_bytes=500_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert unit.refused[0].n_bytes == 40_000_000 and len(unit.refused[0].excerpt or b"") == 512
    assert peak < 2_000_000


# --- identity


def test_content_is_the_hash_of_the_bytes_and_units_say_what_they_depend_on(tmp_path: Path, input_of: InputOf) -> None:
    path = write(tmp_path, ROWS)
    file = input_of(path, unit_bytes=20_000)
    made = read.units_of(file)
    assert made.content == f"blake2b:{hashlib.blake2b(ROWS, digest_size=16).hexdigest()}" == read.identify(file)
    assert made.units is not None and len(made.units) > 3
    keys = {unit_key_parts(unit) for unit in made.units}
    assert len(keys) == len(made.units)
    for change in ({"text": "t"}, {"id": "i"}, {"source": "s"}, {"named_by": "s"}, {"path": "p/q"}, {"max_row_bytes": 5}):
        (other, *_) = read.units_of(input_of(path, unit_bytes=20_000, **change)).units or ()
        assert unit_key_parts(other) not in keys, change
    for change in ({"priority": 3}, {"url": str(path.absolute())}, {"max_bad_fraction": 0.5}):
        (other, *_) = read.units_of(input_of(path, unit_bytes=20_000, **change)).units or ()
        assert unit_key_parts(other) in keys, change


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_file_that_changes_stops_the_run(tmp_path: Path, input_of: InputOf, name: str) -> None:
    file = input_of(write(tmp_path, ROWS, name))
    made = read.units_of(file)
    intact = (tmp_path / name).read_bytes()
    # The index of the plain file is not hashed again: a change that keeps its size goes unseen.
    for data in (intact[:-100], intact + b"\0", *([_flipped(intact, 5)] if made.units is None else [])):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputChanged, match="changed"):
            list(read.stream(file, made.content)) if made.units is None else [read.read(unit) for unit in made.units]
    (tmp_path / name).unlink()
    with pytest.raises(InputChanged, match="gone"):
        read.units_of(file)


# --- files made to break readers


def _blank(line: bytes) -> bool:
    return not line.strip()


def test_every_line_of_the_hostile_file_is_accounted_for(hostile: Path, input_of: InputOf) -> None:
    path = hostile / "derived" / "mixed_bad_rows.jsonl"
    data = path.read_bytes().split(b"\n")[:-1]
    kinds = {item["line"]: item["kind"] for item in json.loads((path.parent / "mixed_bad_rows.expected.json").read_bytes())}
    parts = read_all(input_of(path, unit_bytes=50_000))
    good, refused = {row["row"]: row for row in documents(parts)}, {row["row"]: row["cause"] for row in bad(parts)}
    blank = {i for i, line in enumerate(data, 1) if _blank(line)}
    assert good.keys() | refused.keys() | blank == set(range(1, len(data) + 1))
    assert len(good) + len(refused) + len(blank) == len(data)
    for row, kind in kinds.items():
        if kind == "valid_row":
            assert good[row]["text"] and good[row]["id"] == json.loads(data[row - 1])["id"]
        elif kind.startswith("jsontestsuite:y_"):
            assert refused[row] in ("not_an_object", "text_missing"), kind
        elif kind.startswith("jsontestsuite:n_") and row not in blank:
            assert refused[row] in ("invalid_json", "invalid_utf8"), kind
    by_kind = {
        kind: refused.get(row, "document" if row in good else "blank") for row, kind in kinds.items() if "suite" not in kind
    }
    assert by_kind == FATES


@pytest.mark.parametrize(
    ("name", "rows", "refused"),
    [
        ("blns_rows.jsonl", 515, []),
        ("multimember.jsonl.gz", None, []),
        ("trailing_garbage.jsonl.gz", 300, [(301, "archive_corrupt")]),
        ("truncated.jsonl.gz", 188, [(189, "archive_truncated")]),
        ("crc_corrupt.jsonl.gz", 300, [(301, "archive_corrupt")]),
        ("bitflip.jsonl.gz", None, None),
        ("not_gzip.jsonl.gz", 5, []),
        ("zero_bytes.jsonl", 0, []),
        ("zero_bytes.jsonl.gz", 0, []),
        ("one_24MB_line.jsonl.gz", 3, []),
    ],
)
def test_hostile_archives(hostile: Path, input_of: InputOf, name: str, rows: int | None, refused: list | None) -> None:
    parts = read_all(input_of(hostile / "derived" / name))
    good, lost = documents(parts), [(row["row"], row["cause"]) for row in bad(parts)]
    numbers = sorted([row["row"] for row in good] + [row for row, _ in lost])
    assert numbers == list(range(1, len(numbers) + 1))
    assert rows is None or len(good) == rows
    assert (lost == refused) if refused is not None else lost[-1][1] == "archive_corrupt"


def test_a_text_in_another_encoding_is_refused_line_by_line(hostile: Path, input_of: InputOf, tmp_path: Path) -> None:
    for source in sorted((hostile / "derived").glob("text_*.txt")):
        parts = read_all(input_of(write(tmp_path, source.read_bytes())))
        assert not documents(parts) and {row["cause"] for row in bad(parts)} <= {"invalid_utf8", "invalid_json"}
