"""Units, and row groups of shards, end after so many rows, too: a row that takes two bytes of a file takes hundreds in memory."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import read
from pipeline.read import lines, rows
from pipeline.read.files import InputFile
from pipeline.read.formats import delimited, jsonl
from pipeline.stages.shards import write
from tests.support import digests, prose, winnow, write_rows

InputOf = Callable[..., InputFile]


@pytest.mark.parametrize(("unit_bytes", "rows"), [(1, 1_000), (256_000, 1_000), (256_256, 1_001), (64_000_000, 250_000)])
def test_a_row_counts_for_256_bytes_and_a_thousand_of_them_are_a_unit_anyway(unit_bytes, rows):
    assert lines.most_rows(unit_bytes) == rows


def test_a_file_of_tiny_rows_is_cut_after_a_thousand_of_them(tmp_path: Path, input_of: InputOf) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x\n" * 2_500)
    units = read.units_of(input_of(path, unit_bytes=100_000)).units or ()
    assert [(unit.start, unit.stop, unit.first_row) for unit in units] == [(0, 2000, 1), (2000, 4000, 1001), (4000, 5000, 2001)]
    assert [row for unit in units for row in read.read(unit).bad["row"].to_pylist()] == [*range(1, 2_501)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 4096])
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_where_units_end_does_not_depend_on_the_chunks(tmp_path, input_of, monkeypatch, size, name):
    monkeypatch.setattr(lines, "FEW_ROWS", 3)
    (tmp_path / name).write_bytes(b"")
    file = input_of(tmp_path / name, unit_bytes=30)
    data = b"text\n" + b"".join(b"%d\n" % (10**k) for k in [0, 1, 0, 20, 0, 0, 0, 40, 0, 0]) + b"\n\n\n\nend"
    cut = delimited.cut if name == "a.csv" else jsonl.cut_units

    def units(step: int) -> list[tuple[int, int, int]]:
        found = cut((data[start : start + step] for start in range(0, len(data), step)), file)
        return [(unit.start, unit.stop, unit.first_row) for unit in found]

    whole = units(len(data))
    assert units(size) == whole
    assert whole[0][0] == 0 and whole[-1][1] == len(data)
    assert all(one[1] == other[0] and other[2] - one[2] <= 3 for one, other in pairwise(whole))


def test_units_of_a_plain_file_are_those_of_the_same_bytes_in_a_stream(tmp_path, input_of, monkeypatch):
    monkeypatch.setattr(lines, "FEW_ROWS", 3)
    data = b"".join(b"%d\n" % (10**k) for k in [0, 1, 0, 20, 0, 0, 0, 40, 0, 0]) + b"\n\n\n\nend"
    (tmp_path / "a.jsonl").write_bytes(data)
    file = input_of(tmp_path / "a.jsonl", unit_bytes=30)
    units = read.units_of(file).units or ()
    assert [(u.start, u.stop, u.first_row) for u in units] == [
        (u.start, u.stop, u.first_row) for u in jsonl.cut_units([data], file)
    ]


def test_no_byte_of_the_output_depends_on_how_many_rows_a_unit_has(capsys, monkeypatch, tmp_path):
    rows = [{"text": prose(k)} if k % 5 else b"x" for k in range(40)]
    path = write_rows(tmp_path / "in/a.jsonl", rows)
    (tmp_path / "in/b.jsonl.gz").write_bytes(gzip.compress(path.read_bytes().replace(b"Ada", b"Ida"), mtime=0))
    (tmp_path / "in/c.csv").write_text("text\n" + "\n".join(prose(100 + k) for k in range(9)))
    found = []
    for few in (3, 1_000):
        monkeypatch.setattr(lines, "FEW_ROWS", few)
        monkeypatch.setattr(lines, "ROW_BYTES", 1 << 40)
        out = tmp_path / str(few)
        ran = winnow(capsys, "minimal", "--input", tmp_path / "in", "--output", out, "--set", "source.max_bad_fraction=0.5")
        assert ran.code == 0, ran.err
        found.append((digests(out, ("data", "rejected", "ledger", "quarantine")), len(list((out / ".work/documents").iterdir()))))
    assert found[0][0] == found[1][0] and found[0][1] > 3 * found[1][1]


@pytest.mark.parametrize("blank", [b"", b" ", b"\t", b" \r", b"\r", b"\x0b\x0c "])
def test_lines_of_white_space_are_no_rows_and_no_work_of_the_parser(tmp_path, input_of, monkeypatch, blank):
    seen = []
    loads = jsonl.orjson.loads
    monkeypatch.setattr(jsonl.orjson, "loads", lambda line: seen.append(bytes(line)) or loads(line))
    path = tmp_path / "a.jsonl"
    path.write_bytes((blank + b"\n") * 5 + b' {"text": "one", "x": []}\n' + blank)
    (unit,) = read.units_of(input_of(path)).units or ()
    seen.clear()  # the first line was looked at
    found = read.read(unit)
    assert found.documents["row"].to_pylist() == [6] and found.bad.num_rows == 0
    assert seen == [b' {"text": "one", "x": []}']


def test_an_archive_of_tiny_records_is_cut_after_a_thousand_of_them(tmp_path: Path, input_of: InputOf) -> None:
    path = tmp_path / "a.warc"
    path.write_bytes(b"WARC/1.0\r\nx: y\r\n\r\n" * 2_500)
    file = read.units_of(input_of(path, unit_bytes=100_000))
    units = [block.unit for block in read.stream(file.file, file.content)]
    assert [unit.first_row for unit in units] == [1, 1_001, 2_001]


@pytest.mark.parametrize(("note", "fits"), [("n" * 900, True), ("n" * 1_000, False), ("é" * 479, True), ("é" * 500, False)])
def test_the_size_of_a_row_is_that_of_all_it_holds(tmp_path: Path, input_of: InputOf, note: str, fits: bool) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["x" * 50, "good"], "note": [note, None]}), path)
    (unit,) = read.units_of(input_of(path, max_row_bytes=1_020)).units or ()
    found = read.read(unit)
    assert found.documents["row"].to_pylist() == ([1, 2] if fits else [2])
    assert found.bad["cause"].to_pylist() == ([] if fits else ["row_too_large"])
    assert fits or found.bad["n_bytes_read"].to_pylist() == [50 + len(f'{{"note":"{note}"}}'.encode())]


def test_a_long_id_is_metadata_because_copies_name_it(tmp_path: Path, input_of: InputOf) -> None:
    path = write_rows(tmp_path / "a.jsonl", [{"id": "i" * n, "text": "a"} for n in (rows.ID_BYTES, rows.ID_BYTES + 1)])
    (unit,) = read.units_of(input_of(path)).units or ()
    first, second = read.read(unit).documents.to_pylist()
    assert first["id"] == "i" * rows.ID_BYTES and first["metadata"] == "{}"
    assert second["id"] == rows.default_id(input_of(path).path, 2)
    assert json.loads(second["metadata"]) == {"id": "i" * (rows.ID_BYTES + 1)}


@pytest.mark.parametrize("step", [1, 7, 1_000])
def test_row_groups_of_a_shard_end_by_text_by_what_stands_beside_it_and_by_rows(
    monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(write, "ROW_GROUP_BYTES", 100)
    monkeypatch.setattr(write, "BESIDE_BYTES", 200)
    monkeypatch.setattr(write, "ROW_GROUP_ROWS", 4)
    sizes = [(50, 1)] * 3 + [(1, 90)] * 4 + [(1, 1)] * 9 + [(1, 500)]
    table = pa.table(
        {"text": ["t" * n for n, _ in sizes], "n_bytes": [n for n, _ in sizes], "metadata": ["m" * n for _, n in sizes]}
    )
    parts = (table.slice(start, step) for start in range(0, len(sizes), step))
    assert [group.num_rows for group in write._row_groups(parts, "data")] == [2, 4, 4, 4, 3]
