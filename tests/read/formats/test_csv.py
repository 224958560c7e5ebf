"""CSV and TSV to rows; the oracle of where records end and what they hold is Python's csv module."""

import csv
import io
import tracemalloc
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.read import read_block, stream, units_of
from pipeline.read.files import InputFile
from pipeline.read.formats.delimited import cut, parse
from pipeline.read.lines import QuarantinedRow, Unreadable
from pipeline.read.rows import Collector, UnitRows
from tests.read.conftest import make

SWALLOWS = "a quote of this record is never closed: it swallows"
END = "to the end of the file"
ENDS = "the file ends in the middle of this record, with"
NAME_IT = "Name the text's column in source.text"


def rows_of(path: Path, **changes: object) -> list[UnitRows]:
    file = make(path, **changes)
    return [read_block(block) for block in stream(file, units_of(file).content)]


def texts(found: list[UnitRows]) -> list[tuple[int, str]]:
    return [(r["row"], r["text"]) for part in found for r in part.documents.to_pylist()]


def bad(found: list[UnitRows]) -> list[tuple[int, str, str]]:
    return [(r["row"], r["cause"], r["detail"]) for part in found for r in part.bad.to_pylist()]


LATIN = "byte 0xff at 2 is not UTF-8 (invalid start byte); is it Latin-1 or Windows-1252?"


@pytest.mark.parametrize(
    ("data", "expected", "refused"),
    [
        (b"text\na\nb\n", [(1, "a"), (2, "b")], []),
        (b"text\na\nb", [(1, "a"), (2, "b")], []),
        (b"text\r\na\r\nb\r\n", [(1, "a"), (2, "b")], []),
        (b"text\ra\rb\r", [(1, "a"), (2, "b")], []),
        (b"\xef\xbb\xbf\"text\"\na\n", [(1, "a")], []),
        (b"\n\ntext\n\na\n\n", [(2, "a")], []),
        (b'id,text\n1,"a\nb"\n2,"c ""d"""\n', [(1, "a\nb"), (2, 'c "d"')], []),
        (b'id,text\n1,a"b\n', [(1, 'a"b')], []),
        (b"id,text\n1,\n", [(1, "")], []),
        (b"", [], []),
        (b"text\n", [], []),
        (b"text", [], []),
        (b"id,text\n1\n2,a,b\n3,c\n", [(3, "c")], [(1, "invalid_csv", "1 fields; the header has 2"), (2, "invalid_csv", "3 fields; the header has 2")]),  # noqa: E501
        (b'id,text\n1,"a"b\n2,c\n', [(2, "c")], [(1, "invalid_csv", "',' expected after '\"'")]),
        (b'id,text\n1,a\n2,"b\n3,c\n', [(1, "a")], [(2, "quote_not_closed", f"{SWALLOWS} 9 bytes, 2 lines, {END}")]),
        (b"id,text\n1,a\n2", [(1, "a")], [(2, "file_truncated", f"{ENDS} 1 fields of 2: nothing tells how much is missing")]),
        (b"id,text\n1,a\n2\n", [(1, "a")], [(2, "invalid_csv", "1 fields; the header has 2")]),
        (b"id,text\n1,\xff\n2,b\n", [(2, "b")], [(1, "invalid_utf8", LATIN)]),
        (b"id,body\n1,a\n", [], [(1, "text_missing", f"no column 'text'; there are: body. {NAME_IT}")]),
        (b'te"xt,"a"b\n1,a\n', [], [(1, "invalid_csv", "the header: ',' expected after '\"'")]),
    ],
)  # fmt: skip
def test_records(tmp_path: Path, data: bytes, expected: list[tuple[int, str]], refused: list[tuple[int, str, str]]) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    found = rows_of(tmp_path / "a.csv")
    assert (texts(found), bad(found)) == (expected, refused)


@pytest.mark.parametrize(("header", "name"), [("text,text", "text"), ("text,n,n", "n")])
def test_two_columns_of_one_name_are_refused_by_name(tmp_path: Path, header: str, name: str) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\na,1,2\n")
    said = f"two columns of the header are called '{name}'; rename one of them"
    assert bad(rows_of(tmp_path / "a.csv")) == [(1, "double_column", said)]


def test_columns_without_a_name_are_called_by_their_place(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,,n,\na,1,2,3\n")
    (found,) = rows_of(tmp_path / "a.csv")
    assert found.documents["metadata"].to_pylist() == ['{"column 2":"1","column 4":"3","n":"2"}']


def test_blank_lines_before_the_header_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\n" * 200_000 + b"text\na\nb\n")
    found = rows_of(tmp_path / "a.csv")
    assert (texts(found), bad(found)) == ([(1, "a"), (2, "b")], [])


def test_what_is_read_of_a_stream_is_counted_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text\na\nb\n")
    file = make(tmp_path / "a.csv")
    list(stream(file, "blake2b:" + blake2b((tmp_path / "a.csv").read_bytes(), digest_size=16).hexdigest()))
    assert file.traffic.counts()["bytes_read"] == 9


def test_columns_are_those_of_jsonl(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('doc\tbody\turl\tdate\tsource\tlang\n7\ta,b\thttp://x\t2020\twiki\tde\n\t"c"\t\t\t\t\n')
    (part,) = rows_of(tmp_path / "a.tsv", text="body", id="doc", named_by="source")
    one, two = part.documents.to_pylist()
    assert (one["id"], one["text"], one["url"], one["date"], one["source"]) == ("7", "a,b", "http://x", "2020", "wiki")
    assert one["metadata"] == '{"lang":"de"}' and two["metadata"] == '{"lang":"","source":""}'
    assert (two["text"], two["url"], two["date"], two["source"], len(two["id"])) == ("c", None, None, "src", 32)


def test_a_record_that_is_too_long_does_not_join_its_neighbours(tmp_path: Path) -> None:
    """What stands in its place is no line break: behind a carriage return that would be half of one."""
    (tmp_path / "a.csv").write_bytes(b"text\ra\r" + b"x" * 1_001 + b"\n\rb\r")
    found = rows_of(tmp_path / "a.csv", max_row_bytes=1_000)
    assert (texts(found), [row for row, *_ in bad(found)]) == ([(1, "a"), (4, "b")], [2])


@pytest.mark.parametrize(
    ("begin", "units", "ends"),
    [
        # Within a quoted field; at the first half of a pair of quotes; in what follows a closing quote; before another field.
        (b'"', (b"y", b"\n", b'""', b"y,"), (b'"\n', b'""\nx"\n', b'"x"\n', b'","\nx"\n')),
        (b"x", (b"y", b"y,", b'y"",'), (b'z"\n', b',"\nx"\r\n', b"\r")),
    ],
)
def test_a_record_of_any_length_ends_where_the_csv_module_ends_it_and_little_of_it_is_held(
    tmp_path: Path, begin: bytes, units: tuple[bytes, ...], ends: tuple[bytes, ...]
) -> None:
    """Whatever the csv module's state is where a part of it is given up."""
    (tmp_path / "a.csv").write_bytes(b"")
    file = make(tmp_path / "a.csv", max_row_bytes=1_000)
    for unit, end, size in product(units, ends, (1_024, 5_003)):
        body = begin + unit * (200_000 // len(unit)) + end
        data = b"text\n" + body + b"last\n"
        assert len(list(csv.reader(io.StringIO(data.decode(), newline="")))) == 3
        tracemalloc.start()
        (part,) = cut((data[i : i + size] for i in range(0, len(data), size)), file)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert part.pieces == (b"", b"last")
        assert [(row.row, row.n_bytes, row.cause) for row in part.refused] == [(1, len(body.rstrip(b"\r\n")), "row_too_large")]
        assert peak < 50_000


def test_what_was_read_whole_before_a_stream_breaks_off_is_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"")

    def chunks() -> Iterator[bytes]:
        yield from (b"text\n1\n", b'2\n"3\n', b"4\n")
        raise Unreadable("archive_truncated", "gone")

    (part,) = cut(chunks(), make(tmp_path / "a.csv"))
    assert part.pieces == (b"1", b"2") and part.rest == QuarantinedRow(3, "archive_truncated", "gone", 5, b'"3\n4\n')


def test_records_longer_than_max_row_bytes(tmp_path: Path) -> None:
    long = b"x" * 1_001
    (tmp_path / "a.csv").write_bytes(b"text\n" + long[1:] + b"\r\n" + long + b'\nb\n"' + long + b'\n\n"\nc\n' + long)
    found = rows_of(tmp_path / "a.csv", max_row_bytes=1_000)
    assert [row for row, _ in texts(found)] == [1, 3, 5]
    assert [(row, cause) for row, cause, _ in bad(found)] == [(r, "row_too_large") for r in (2, 4, 6)]
    assert [part.bad["n_bytes_read"].to_pylist() for part in found] == [[1_001, 1_005, 1_001]]
    (tmp_path / "b.csv").write_bytes(b"text" * 1_000 + b"\na\n")
    assert [(row, cause) for row, cause, _ in bad(rows_of(tmp_path / "b.csv", max_row_bytes=1_000))] == [(1, "row_too_large")]


CELLS = st.text(alphabet=list('ab",\n\r\t é \x00\ufeff日'), max_size=6)


def shown(parts: list[tuple[int, UnitRows]]) -> tuple[list[object], list[object]]:
    return [r for _, part in parts for r in part.documents.to_pylist()], [r for _, part in parts for r in part.bad.to_pylist()]


def cut_by(file: InputFile, data: bytes, size: int) -> tuple[list[object], list[object]]:
    parts = []
    for lines in cut((data[i : i + size] for i in range(0, len(data), size)), file):
        collector = Collector(file)
        for refused in lines.refused:
            collector.refuse(refused)
        parse(collector, lines)
        parts.append((lines.first_row, collector.finish()))
    return shown(parts)


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(b"")
    return path


@given(st.lists(st.tuples(CELLS, CELLS), max_size=8), st.sampled_from(["\n", "\r\n", "\r"]), st.integers(1, 40))
def test_what_pythons_csv_module_writes_is_read_back(some: Path, table: list[tuple[str, str]], end: str, size: int) -> None:
    made = io.StringIO()
    csv.writer(made, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("text", "other"), *table])
    good, refused = cut_by(make(some, unit_bytes=1_000), made.getvalue().encode(), size)
    import orjson

    from pipeline.text.normalise import repaired

    assert not refused
    read = [(r["row"], r["text"], orjson.loads(r["metadata"])["other"]) for r in good]  # type: ignore[index]
    assert read == [(i, repaired(text), other) for i, (text, other) in enumerate(table, 1)]


@given(st.text(alphabet=list('ab",\n\r'), max_size=40), st.integers(1, 12), st.integers(1, 12))
def test_any_bytes_give_the_records_of_pythons_csv_module(some: Path, body: str, size: int, unit: int) -> None:
    """Boundaries are those of its lenient reader; what its strict reader refuses is a bad row and nothing else is."""
    data = ("text\n" + body).encode()
    expected = list(csv.reader(io.StringIO("text\n" + body, newline="")))[1:]
    file = make(some, unit_bytes=unit)
    good, refused = cut_by(file, data, size)
    rows = {r["row"]: r["text"] for r in good}  # type: ignore[index]
    refused_rows = {r["row"] for r in refused}  # type: ignore[index]
    for i, fields in enumerate(expected, 1):
        if not fields:
            assert i not in rows and i not in refused_rows
        elif len(fields) == 1:
            assert i in refused_rows or rows[i] == fields[0].replace("\r\n", "\n").replace("\r", "\n")
        else:
            assert i in refused_rows
    assert set(rows) | refused_rows <= set(range(1, len(expected) + 1))
    assert cut_by(file, data, len(data)) == (good, refused) == cut_by(make(some), data, 3)


def test_every_record_of_a_compressed_file_that_breaks_off_is_accounted_for(tmp_path: Path) -> None:
    import gzip

    packed = gzip.compress(b"id,text\n" + b"".join(b"%d,text number %d\n" % (i, i * i) for i in range(5_000)))
    (tmp_path / "a.csv.gz").write_bytes(packed[:-2_000])
    found = rows_of(tmp_path / "a.csv.gz", unit_bytes=10_000)
    read = texts(found)
    assert len(found) > 3 and read == [(i + 1, f"text number {i * i}") for i in range(len(read))]
    assert bad(found) == [(len(read) + 1, "archive_truncated", "the gzip stream ends in the middle of a member, "
        f"at byte {len(packed) - 2_000}: nothing tells how much is missing")]  # fmt: skip


def test_hostile_files_end_in_rows(hostile: Path, input_of: Callable[..., InputFile]) -> None:
    """Each record that Python's lenient reader finds behind the header is one row, good or bad."""
    csv.field_size_limit(1 << 30)
    for path in sorted((hostile / "csv").rglob("clusterfuzz*")):
        found = [
            read_block(block) for block in stream(input_of(path, format="csv"), units_of(input_of(path, format="csv")).content)
        ]
        numbers = [row for row, *_ in [*texts(found), *bad(found)]]
        records = [fields for fields in csv.reader(io.StringIO(path.read_bytes().decode("latin-1"), newline="")) if fields]
        assert len(set(numbers)) == len(numbers) == len(records) - 1, path
        small = input_of(path, format="csv", unit_bytes=20_000)
        again = [read_block(block) for block in stream(small, units_of(small).content)]
        assert texts(again) == texts(found) and bad(again) == bad(found)
