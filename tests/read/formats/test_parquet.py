"""Parquet rows: every column type and every kind of damage ends in documents, bad rows, or an honest message."""

import datetime
import decimal
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.parquet import encryption

from pipeline import read
from pipeline.read import values
from pipeline.read.child import parquet as child
from pipeline.read.files import InputFile
from pipeline.read.formats import parquet
from pipeline.read.rows import Collector, UnitRows, default_id

InputOf = Callable[..., InputFile]


def read_all(file: InputFile) -> list[UnitRows]:
    return [read.read(unit) for unit in read.units_of(file).units or ()]


def documents(parts: list[UnitRows]) -> list[dict]:
    return [row for part in parts for row in part.documents.to_pylist()]


def bad(parts: list[UnitRows]) -> list[dict]:
    return [row for part in parts for row in part.bad.to_pylist()]


def write(folder: Path, table: pa.Table, **options: object) -> Path:
    pq.write_table(table, folder / "a.parquet", **options)
    return folder / "a.parquet"


def rows_of(tmp_path: Path, input_of: InputOf, table: pa.Table, **changes: object) -> tuple[list[dict], list[dict]]:
    parts = read_all(input_of(write(tmp_path, table), **changes))
    return documents(parts), bad(parts)


def as_string(values: list[bytes | None], type_: pa.DataType) -> pa.Array:
    wide = pa.array(values, pa.large_binary() if type_ == pa.large_string() else pa.binary())
    return wide.view(type_)


@pytest.mark.parametrize(
    "type_",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int8(), pa.large_string()),
    ],
)
def test_every_type_of_text_column(tmp_path: Path, input_of: InputOf, type_: pa.DataType) -> None:
    texts = pa.array(["a\r\nb", None, "", "é", "é"])
    column = texts.dictionary_encode().cast(type_) if pa.types.is_dictionary(type_) else texts.cast(type_)
    good, refused = rows_of(tmp_path, input_of, pa.table({"text": column}))
    assert [(r["row"], r["text"], r["n_bytes_read"]) for r in good] == [(1, "a\nb", 4), (3, "", 0), (4, "é", 2), (5, "é", 2)]
    assert [(r["row"], r["cause"]) for r in refused] == [(2, "text_null")]
    assert good[0]["id"] == hashlib.blake2b(f"{tmp_path.name}/a.parquet#1".encode(), digest_size=16).hexdigest()


@pytest.mark.parametrize(
    ("column", "cause"),
    [
        (pa.array([1, None]), ["text_not_a_string", "text_null"]),
        (pa.array([["a"], ["b"]]), ["text_not_a_string", "text_not_a_string"]),
        (pa.nulls(2), ["text_null", "text_null"]),
    ],
)
def test_columns_that_hold_no_text(tmp_path: Path, input_of: InputOf, column: pa.Array, cause: list[str]) -> None:
    good, refused = rows_of(
        tmp_path, input_of, pa.table({"text": column, "id": ["x", "y"], "source": ["s", None]}), named_by="source"
    )
    assert not good
    assert [(r["row"], r["cause"], r["id"], r["source"]) for r in refused] == [(1, cause[0], "x", "s"), (2, cause[1], "y", "src")]


def test_a_missing_text_column(tmp_path: Path, input_of: InputOf) -> None:
    _, refused = rows_of(tmp_path, input_of, pa.table({"content": ["a", "b"]}))
    assert [(r["row"], r["cause"]) for r in refused] == [(1, "text_missing"), (2, "text_missing")]
    good, _ = rows_of(tmp_path, input_of, pa.table({"content": ["a", "b"]}), text="content")
    assert [r["text"] for r in good] == ["a", "b"]


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string()])
def test_invalid_utf8_is_the_fault_of_its_row(tmp_path: Path, input_of: InputOf, type_: pa.DataType) -> None:
    text = as_string([b"a", b"\xff" * 600, b"b", b"c", b"\xed\xa0\x80"], type_)
    other = as_string([b"x", b"x", b"\xc0", b"x", b"x"], type_)
    good, refused = rows_of(tmp_path, input_of, pa.table({"text": text, "other": other}))
    assert [(r["row"], json.loads(r["metadata"])["other"]) for r in good] == [(1, "x"), (3, "\\xc0"), (4, "x")]
    assert [(r["row"], r["cause"], r["n_bytes_read"], r["excerpt"]) for r in refused] == [
        (2, "invalid_utf8", 600, b"\xff" * 512),
        (5, "invalid_utf8", 3, b"\xed\xa0\x80"),
    ]


def test_a_row_that_is_too_large(tmp_path: Path, input_of: InputOf) -> None:
    good, refused = rows_of(tmp_path, input_of, pa.table({"text": ["x" * 1000, "x" * 1001]}), max_row_bytes=1000)
    assert [r["row"] for r in good] == [1]
    assert [(r["row"], r["cause"], r["n_bytes_read"]) for r in refused] == [(2, "row_too_large", 1001)]


DEEP = pa.list_(pa.struct([("at", pa.timestamp("ns")), ("t", pa.time64("ns"))]))


def test_other_columns_become_metadata(tmp_path: Path, input_of: InputOf) -> None:
    utc = datetime.UTC
    table = pa.table(
        {
            "text": ["a"],
            "id": pa.array([2**63], pa.uint64()),
            "url": ["u"],
            "date": pa.array([datetime.date(2024, 2, 29)]),
            "z": pa.array([{"b": 1, "a": [None, {"d": decimal.Decimal("1.10")}]}]),
            "bytes": [b"\x00\xff"],
            "when": pa.array([datetime.datetime(2024, 1, 1, 12, tzinfo=utc)], pa.timestamp("us", "UTC")),
            "ns": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")),
            "time": pa.array([datetime.time(1, 2, 3)]),
            "ns zone": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "Europe/Berlin")),
            "ns deep": pa.array([[{"at": 1_700_000_000_000_000_001, "t": 5_000_000_001}]], DEEP),
            "nan": [float("nan")],
            "floats": [[float("inf"), -float("inf"), 0.5]],
            "big": pa.array([2**64 - 1], pa.uint64()),
            "none": pa.nulls(1),
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32())),
            "label": pa.array(["x"]).dictionary_encode(),
        }
    )
    ((row,), refused) = rows_of(tmp_path, input_of, table)
    assert not refused
    assert (row["id"], row["url"], row["date"]) == (str(2**63), "u", "2024-02-29")
    made = json.loads(row["metadata"])
    assert list(made) == sorted(made)
    assert made == {
        "z": {"a": [None, {"d": "1.10"}], "b": 1},
        "bytes": "AP8=",
        "when": "2024-01-01T12:00:00+00:00",
        "ns": "2023-11-14T22:13:20.123456789",
        "time": "01:02:03",
        "ns zone": "2023-11-14T23:13:20.123456789+01:00",
        "ns deep": [{"at": "2023-11-14T22:13:20.000000001", "t": "00:00:05.000000001"}],
        "nan": "NaN",
        "floats": ["Infinity", "-Infinity", 0.5],
        "big": 2**64 - 1,
        "none": None,
        "map": [["k", 1]],
        "label": "x",
    }


EDGE = [0, 10**6 + 1, 2**62, -(2**62), -62_135_596_800_000_000 - 1, 253_402_300_800_000_000]


def test_times_keep_their_value_whatever_the_year(tmp_path: Path, input_of: InputOf) -> None:
    columns = {
        "day": pa.array([0, 4_000_000, -800_000, -719_162, 2_932_896, 11_016], pa.int32()).view(pa.date32()),
        "us": pa.array(EDGE, pa.int64()).view(pa.timestamp("us")),
        "zone": pa.array(EDGE, pa.int64()).view(pa.timestamp("us", "Asia/Kolkata")),
        "nowhere": pa.array(EDGE, pa.int64()).view(pa.timestamp("us", "Mars/Phobos")),
        "long": pa.array([0, 1, -1, 90_061_500_000_001, 10**9, -(10**9)], pa.int64()).view(pa.duration("ns")),
    }
    good, refused = rows_of(tmp_path, input_of, pa.table({"text": ["a"] * 6, **columns}))
    assert not refused
    made = [json.loads(row["metadata"]) for row in good]
    assert [row["day"] for row in made] == ["1970-01-01", "+12921-08-18", "-0221-09-04", "0001-01-01", "9999-12-31", "2000-02-29"]
    assert [row["us"] for row in made] == [
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:01.000001",
        "+148108-07-06T14:00:27.387904",
        "-144169-06-28T09:59:32.612096",
        "0000-12-31T23:59:59.999999",
        "+10000-01-01T00:00:00",
    ]
    assert [row["zone"] for row in made[:2]] == ["1970-01-01T05:30:00+05:30", "1970-01-01T05:30:01.000001+05:30"]
    assert [row["nowhere"] for row in made] == [row["us"] + "+00:00" for row in made]
    assert [row["long"] for row in made] == [
        "P0DT0H0M0S",
        "P0DT0H0M0.000000001S",
        "-P0DT0H0M0.000000001S",
        "P1DT1H1M1.500000001S",
        "P0DT0H0M1S",
        "-P0DT0H0M1S",
    ]


def test_the_dates_that_python_has_are_its_own() -> None:
    for days in range(-719_162, 2_932_897, 997):
        assert values.date(days) == (datetime.date(1970, 1, 1) + datetime.timedelta(days)).isoformat()


def test_int96_reaches_any_year_to_the_nanosecond(tmp_path: Path, input_of: InputOf) -> None:
    """One column with nanoseconds, and one whose days lie beyond what nanoseconds since 1970 reach."""
    far = [datetime.datetime(2024, 1, 1), datetime.datetime(9999, 12, 31, 2), datetime.datetime(1, 1, 1), None]
    near = pa.array([1, 2**62, -(2**62), None], pa.timestamp("ns"))
    table = pa.table({"text": ["a"] * 4, "far": pa.array(far, pa.timestamp("us")), "near": near, "n": [1, 2, 3, 4]})
    table = table.append_column("deep", pa.array([[when] for when in far], pa.list_(pa.timestamp("us"))))
    path = write(tmp_path, table, use_deprecated_int96_timestamps=True)
    made = [json.loads(row["metadata"]) for row in documents(read_all(input_of(path)))]
    expected = [None if when is None else when.isoformat() for when in far]
    assert [row["far"] for row in made] == expected and [row["deep"] for row in made] == [[when] for when in expected]
    assert [row["near"] for row in made] == [
        "1970-01-01T00:00:00.000000001",
        "2116-02-20T23:53:38.427387904",
        "1823-11-12T00:06:21.572612096",
        None,
    ]


def test_two_columns_of_one_name_are_refused_by_name(tmp_path: Path, input_of: InputOf) -> None:
    table = pa.Table.from_arrays([pa.array(["a", "b"]), pa.array([1, 2]), pa.array([3, 4])], names=["text", "n", "n"])
    made, refused = rows_of(tmp_path, input_of, table)
    assert made == [] and [(row["row"], row["cause"]) for row in refused] == [(1, "double_column"), (2, "double_column")]
    assert refused[0]["detail"] == "two columns are called 'n'; rename one of them"


UUID = "12345678-1234-5678-1234-567812345678"


@pytest.mark.parametrize(
    ("ids", "expected", "metadata"),
    [
        (pa.array([2**63, 2**64 - 1], pa.uint64()), [str(2**63), str(2**64 - 1)], ["{}", "{}"]),
        (pa.array([decimal.Decimal(2**70), None], pa.decimal128(38, 0)), [str(2**70), None], ["{}", "{}"]),
        (pa.array([decimal.Decimal("1.10"), decimal.Decimal("1.1")]), ["1.10", "1.10"], ["{}", "{}"]),
        (pa.array([UUID.replace("-", "")] * 2), [UUID.replace("-", "")] * 2, ["{}", "{}"]),
        (pa.array([bytes.fromhex(UUID.replace("-", ""))] * 2, pa.uuid()), [UUID] * 2, ["{}", "{}"]),
        (pa.array([b"\0" * 3, b"\1" * 3], pa.binary(3)), [None, None], ['{"id":"AAAA"}', '{"id":"AQEB"}']),
        (pa.array([b"a", b"\xff"]), ["a", None], ["{}", '{"id":"\\\\xff"}']),
        (pa.array([1.0, float("nan")]), [None, None], ['{"id":1.0}', '{"id":"NaN"}']),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"], ["{}", "{}"]),
    ],
)  # fmt: skip
def test_ids_of_every_type(
    tmp_path: Path, input_of: InputOf, ids: pa.Array, expected: list[str | None], metadata: list[str]
) -> None:
    good, refused = rows_of(tmp_path, input_of, pa.table({"text": ["a", "b"], "id": ids}))
    own = [default_id(f"{tmp_path.name}/a.parquet", row) for row in (1, 2)]
    assert not refused and [row["id"] for row in good] == [id_ or made for id_, made in zip(expected, own, strict=True)]
    assert [row["metadata"] for row in good] == metadata


def test_strange_values_of_other_columns_are_counted(tmp_path: Path, input_of: InputOf) -> None:
    twice = pa.StructArray.from_arrays([pa.array([1, 2]), pa.array([3, 4])], names=["x", "x"])
    table = pa.table(
        {"text": ["a", "b"], "f": [float("nan"), 1.0], "twice": twice, "s": as_string([b"\xff", b"ok"], pa.string())}
    )
    (part,) = read_all(input_of(write(tmp_path, table)))
    assert not bad([part])
    assert part.replaced == (("f", "not_finite", 1), ("s", "invalid_utf8", 1), ("twice", "double_key", 2))
    assert json.loads(documents([part])[0]["metadata"])["twice"] == [["x", 1], ["x", 3]]


def test_what_is_no_text_is_named_with_its_type(tmp_path: Path, input_of: InputOf) -> None:
    _, refused = rows_of(tmp_path, input_of, pa.table({"text": [["a"]], "n": [1]}))
    assert "'text' is of type list<" in refused[0]["detail"] and "n (int64)" in refused[0]["detail"]
    _, refused = rows_of(tmp_path, input_of, pa.table({"messages": [[{"role": "user", "content": "a"}]]}))
    assert "no column 'text'; there are: messages (list<" in refused[0]["detail"] and "source.text" in refused[0]["detail"]


@pytest.mark.parametrize("plain", [False, True])
def test_an_encrypted_file_is_named_as_such(tmp_path: Path, input_of: InputOf, plain: bool) -> None:
    path = tmp_path / "a.parquet"
    properties = encryption.create_encryption_properties(footer_key=b"0" * 16, plaintext_footer=plain)
    with pq.ParquetWriter(path, pa.schema([("text", pa.string())]), encryption_properties=properties) as writer:
        writer.write_table(pa.table({"text": ["a"] * 4}))
    refused = bad(read_all(input_of(path)))
    assert [r["cause"] for r in refused] == ["encrypted"] and "decrypt it first" in refused[0]["detail"]


@pytest.mark.parametrize("unit_bytes", [1000, 5000, 64_000_000])
def test_rows_do_not_depend_on_units(tmp_path: Path, input_of: InputOf, unit_bytes: int) -> None:
    table = pa.table({"text": [f"{i} " * 50 for i in range(100)], "id": list(range(100))})
    path = write(tmp_path, table, row_group_size=7)
    file = input_of(path, unit_bytes=unit_bytes)
    units = read.units_of(file).units or ()
    assert [u.start for u in units] == [0, *(u.stop for u in units)][:-1] and units[-1].stop == 15
    assert documents(read_all(file)) == documents([read.read(u) for u in read.units_of(input_of(path)).units or ()])
    assert [(r["row"], r["id"]) for r in documents(read_all(file))] == [(i + 1, str(i)) for i in range(100)]


def test_batches_do_not_show(tmp_path: Path, input_of: InputOf, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, pa.table({"text": [str(i) for i in range(50)]}))
    whole = documents(read_all(input_of(path)))
    monkeypatch.setattr(parquet, "BATCH_ROWS", 7)
    assert documents(read_all(input_of(path))) == whole


def test_empty_tables_and_empty_row_groups(tmp_path: Path, input_of: InputOf) -> None:
    assert rows_of(tmp_path, input_of, pa.table({"text": pa.array([], pa.string())})) == ([], [])
    with pq.ParquetWriter(tmp_path / "a.parquet", pa.schema([("text", pa.string())])) as writer:
        for texts in ([], ["a"], [], ["b"]):
            writer.write_table(pa.table({"text": pa.array(texts, pa.string())}))
    parts = read_all(input_of(tmp_path / "a.parquet", unit_bytes=1))
    assert [(r["row"], r["text"]) for r in documents(parts)] == [(1, "a"), (2, "b")] and not bad(parts)


def test_a_broken_row_group_is_as_many_rows_as_it_had_and_the_others_survive(tmp_path: Path, input_of: InputOf) -> None:
    texts = [hashlib.sha256(b"%d" % i).hexdigest() for i in range(30)]
    path = write(tmp_path, pa.table({"text": texts}), row_group_size=10, compression="zstd", use_dictionary=False)
    second = pq.read_metadata(path).row_group(1).column(0)
    data = bytearray(path.read_bytes())
    at = second.data_page_offset
    data[at : at + second.total_compressed_size] = b"\xff" * second.total_compressed_size
    path.write_bytes(data)
    for unit_bytes in (1, 64_000_000):
        parts = read_all(input_of(path, unit_bytes=unit_bytes))
        assert [r["row"] for r in documents(parts)] == [*range(1, 11), *range(21, 31)]
        assert [(r["row"], r["cause"]) for r in bad(parts)] == [(row, "archive_corrupt") for row in range(11, 21)]
        assert {(r["lost_rows"], r["lost_share"], r["cut"]) for r in bad(parts)} == {(1, 0.0, False)}


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"not parquet at all", None])
def test_a_broken_footer_is_one_row(tmp_path: Path, input_of: InputOf, damage: bytes | None) -> None:
    path = write(tmp_path, pa.table({"text": ["a"]}))
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    parts = read_all(input_of(path))
    assert not documents(parts)
    assert [(r["row"], r["cause"], r["n_bytes_read"], r["lost_share"]) for r in bad(parts)] == [(1, "archive_corrupt", 0, 1.0)]


def test_a_text_multiplied_by_a_dictionary_is_a_bomb(tmp_path: Path, input_of: InputOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BOMB_BYTES", 2_000_000)
    path = write(tmp_path, pa.table({"text": ["x" * 1000] * 5000}))
    parts = read_all(input_of(path))
    assert [(r["row"], r["cause"]) for r in bad(parts)] == [(row, "decompression_bomb") for row in range(1001, 5001)]
    assert len(documents(parts)) == 1000


HOSTILE = """
import sys, resource
resource.setrlimit(resource.RLIMIT_AS, (6_000_000_000, 6_000_000_000))
from pathlib import Path
sys.path.insert(0, "tests/read")
from conftest import make
from pipeline import read
for path in sorted(Path(sys.argv[1]).glob("*/*/*")):
    if path.suffix in (".md", ".txt"):
        continue
    file = make(path, path="p/" + path.name)
    numbers = []
    for unit in read.units_of(file).units:
        made = read.read(unit)
        numbers += made.documents["row"].to_pylist() + made.bad["row"].to_pylist()
    assert len(numbers) == len(set(numbers)), path
    print(path.name, len(numbers))
"""


def test_files_made_to_crash_readers_give_bad_rows(hostile: Path) -> None:
    command = [sys.executable, "-c", HOSTILE, str(hostile / "parquet")]
    made = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[3])
    assert made.returncode == 0, made.stdout + made.stderr
    assert len(made.stdout.splitlines()) > 50


def test_a_file_of_many_row_groups_opens_its_footer_once_and_lists_no_more_lost_rows_than_a_file_may(
    tmp_path: Path, input_of: InputOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table({"text": ["a"] * 5}), tmp_path / "a.parquet", row_group_size=1)
    opened: list[object] = []
    monkeypatch.setattr(
        child.pq, "ParquetFile", lambda *args, _open=pq.ParquetFile, **kw: opened.append(args) or _open(*args, **kw)
    )
    collector = Collector(input_of(tmp_path / "a.parquet"))
    with (tmp_path / "a.parquet").open("rb") as handle:
        file = child.opened(handle, child.Limits(1_000, 1 << 20, 200, 1 << 30, 1 << 16))
        for index in range(5):
            assert list(child.add_group(collector, file, index, first_row=1 + index)) == [2 + index]
    assert collector.finish().documents["row"].to_pylist() == [1, 2, 3, 4, 5] and len(opened) == 1
    assert [child.most_listed(groups) for groups in (0, 1, 3, 4, 1_000_000)] == [100_000, 100_000, 100_000, 75_000, 1]
