"""A unit of Parquet is cut while it is read, where its rows are more than a unit may have, whatever its footer says."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import read
from pipeline.read import tables
from pipeline.read.child import decoder
from pipeline.read.child import parquet as parquet_child
from pipeline.read.child.supervisor import DecoderDied, Frame
from pipeline.read.files import InputFile
from pipeline.read.formats import parquet
from pipeline.read.rows import UnitRows
from pipeline.read.units import Unit, unit_key_parts
from tests.support import digests, prose, winnow

InputOf = Callable[..., InputFile]
DIES_AT: list[int] = []
"""Rows with which the decoder dies."""


@pytest.fixture(autouse=True)
def decoder_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder's own code, without its process; it dies once it has given a row of DIES_AT."""
    DIES_AT.clear()

    def asked(file: InputFile, request: decoder.Request) -> Iterator[Frame]:
        data = Path(file.url).read_bytes()
        monkeypatch.setattr(decoder, "RemoteFile", lambda *_: io.BytesIO(data))
        answers = io.BytesIO()
        decoder.answer({**request, "size": len(data)}, answers, io.BytesIO())
        answers.seek(0)
        while (frame := decoder.receive(answers))[0] != b"e":
            if frame[0] == b"k" and any(row < json.loads(frame[1])[0] for row in DIES_AT if row >= request["first_row"]):
                raise DecoderDied("the decoder died of SIGSEGV")
            yield frame

    monkeypatch.setattr(parquet, "_asked", asked)
    monkeypatch.setattr(parquet, "BATCH_ROWS", 100)


def write(path: Path, *groups: int) -> Path:
    """Row groups of so many rows; a row that is divisible by 7 has no text."""
    with pq.ParquetWriter(path, pa.schema([("text", pa.string())])) as writer:
        first = 1
        for rows in groups:
            writer.write_table(pa.table({"text": [f"{i}" if i % 7 else None for i in range(first, first + rows)]}))
            first += rows
    return path


def parts_of(file: InputFile) -> list[tuple[Unit, UnitRows]]:
    return [part for unit in read.units_of(file).units or () for part in read.parts(unit)]


def rows_of(found: list[tuple[Unit, UnitRows]]) -> list[tuple[int, str]]:
    made = []
    for _, rows in found:
        made += [(row["row"], row["text"]) for row in rows.documents.to_pylist()]
        made += [(row["row"], row["cause"]) for row in rows.bad.to_pylist()]
    return sorted(made)


def test_a_row_group_is_cut_after_a_thousand_rows_and_no_row_is_another(tmp_path: Path, input_of: InputOf) -> None:
    path = write(tmp_path / "a.parquet", 2_450)
    whole = parts_of(input_of(path))
    cut = parts_of(input_of(path, unit_bytes=200_000))
    assert [(unit.part, unit.first_row) for unit, _ in whole] == [(0, 1)]
    assert [(unit.part, unit.first_row) for unit, _ in cut] == [(1, 1), (2, 1_001), (3, 2_001)]
    assert rows_of(cut) == rows_of(whole) and len(rows_of(whole)) == 2_450
    assert len({unit_key_parts(unit) for unit, _ in cut}) == 3
    assert all(rows.bad["row"].to_pylist() == sorted(rows.bad["row"].to_pylist()) for _, rows in cut)


def test_a_row_group_is_cut_by_its_bytes_as_decoded(tmp_path: Path, input_of: InputOf) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), 500), pa.array(["x" * 1_000]))
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
    file = input_of(tmp_path / "a.parquet", unit_bytes=100_000)
    assert len(read.units_of(file).units or ()) == 1 and file.size < 10_000
    found = parts_of(file)
    assert [unit.first_row for unit, _ in found] == [1, 101, 201, 301, 401]
    assert len(rows_of(found)) == 500


def test_between_row_groups_there_is_a_cut_where_they_are_half_as_much_again(tmp_path: Path, input_of: InputOf) -> None:
    file = input_of(write(tmp_path / "a.parquet", 700, 700, 200), unit_bytes=200_000)
    (first, second) = read.units_of(file).units or ()
    assert [(u.start, u.stop) for u in (first, second)] == [(0, 2), (2, 3)]
    assert [(unit.part, rows.documents.num_rows + rows.bad.num_rows) for unit, rows in read.parts(first)] == [(0, 1_400)]
    joined = Unit(file, first.content, 0, 0, 3, 1)
    assert [unit.first_row for unit, _ in read.parts(joined)] == [1, 1_401]
    assert rows_of(list(read.parts(joined))) == rows_of(parts_of(file))


@pytest.mark.parametrize("dies", [[50], [1_250], [2_399], [2_450], [2_850], [1_250, 2_450]])
def test_of_a_row_group_that_kills_its_decoder_every_row_is_a_document_or_lost(
    tmp_path: Path, input_of: InputOf, dies: list[int]
) -> None:
    path = write(tmp_path / "a.parquet", 2_400, 300, 300)
    file = input_of(path, unit_bytes=60_000)
    one = Unit(file, "", 0, 0, 3, 1)
    sound = dict(rows_of(list(read.parts(one))))
    DIES_AT[:] = dies
    together = rows_of(list(read.parts(one)))
    assert together == rows_of(parts_of(file)), "whatever the units"
    assert [row for row, _ in together] == list(range(1, 3_001))
    lost = {row for row, said in together if said == "decoder_died"}
    groups = {0: range(1, 2_401), 1: range(2_401, 2_701), 2: range(2_701, 3_001)}
    hit = [group for group in groups.values() if any(row in group for row in dies)]
    assert lost <= {row for group in hit for row in group} and all(row in lost for row in dies)
    assert all(sound[row] == said for row, said in together if row not in lost)


def test_pieces_of_a_batch_are_small_as_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "PIECE_BYTES", 1_000)
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 10, pa.int8()), pa.array(["x" * 300]))
    for column in (values, values.dictionary_decode()):
        batch = pa.record_batch({"text": column})
        found = list(tables.pieces(batch))
        assert [piece.num_rows for piece in found] == [2, 3, 2, 3] and tables.decoded_bytes(batch) >= 3_000


def test_a_column_is_read_in_a_stream_and_not_whole(tmp_path: Path) -> None:
    sizes: list[int] = []

    class Noted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            sizes.append(-1 if size is None else size)
            return super().read(size)

    texts = [hashlib.sha256(str(i).encode()).hexdigest() * 100 for i in range(400)]
    pq.write_table(
        pa.table({"text": texts}), tmp_path / "a.parquet", compression="none", use_dictionary=False, write_batch_size=8
    )
    handle = Noted((tmp_path / "a.parquet").read_bytes())
    file = parquet_child.opened(handle, parquet_child.Limits(10, 1_000_000, 200, 10**9, 100_000))
    assert sum(batch.num_rows for batch, _ in parquet_child._batches(file, 0)) == 400
    assert 0 < max(sizes) < 1_500_000 < file.parquet.metadata.row_group(0).total_byte_size


def test_rows_without_content_end_as_a_bomb_by_what_rows_take(tmp_path: Path, input_of: InputOf, monkeypatch: Any) -> None:
    monkeypatch.setattr(parquet, "BOMB_BYTES", 32_000)
    pq.write_table(pa.table({"text": pa.nulls(2_000, pa.string())}), tmp_path / "a.parquet")
    monkeypatch.setattr(parquet, "BOMB_RATIO", 1)
    causes = [said for _, said in rows_of(parts_of(input_of(tmp_path / "a.parquet")))]
    assert causes.count("decompression_bomb") == 1_200 and len(causes) == 2_000  # 36 bytes a row, by batches of 100


def test_no_byte_of_the_output_depends_on_the_parts_and_they_are_read_once(
    capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [prose(i) if i % 40 == 0 else f"{i % 90} short" for i in range(2_300)]
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"text": texts}), tmp_path / "in/a.parquet")
    found, counted = [], []
    for unit_bytes in ("60KB", "64MB"):
        out = tmp_path / unit_bytes
        ran = winnow(capsys, "minimal", "--input", tmp_path / "in", "--output", out, "--set", f"source.unit_bytes={unit_bytes}")
        assert ran.code == 0, ran.err
        found.append(digests(out, ("data", "rejected", "ledger", "quarantine")))
        counted.append(len(list((out / ".work/documents").glob("*[0-9a-f].parquet"))))
    assert found[0] == found[1] and counted[0] > counted[1]
    monkeypatch.setattr(read, "parts", lambda unit, room: pytest.fail("read again"))
    out = tmp_path / "60KB"
    again = ("--replace", "--set", "source.unit_bytes=60KB", "--set", "dedup.threshold=0.9")
    ran = winnow(capsys, "minimal", "--input", tmp_path / "in", "--output", out, *again)
    assert ran.code == 0, ran.err
