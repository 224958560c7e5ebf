"""How much of a damaged file is lost: as much as its bytes, its footer or its next intact part say, and never less."""

import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline import read
from pipeline.read import members
from pipeline.read.files import InputFile
from pipeline.schema import BAD_ROW
from pipeline.stages.unit.annotate import _damage

InputOf = Callable[..., InputFile]


def text(i: int) -> str:
    return " ".join(str(n) for n in random.Random(i).choices(range(10_000), k=60))


LINES = [json.dumps({"id": str(i), "text": text(i)}).encode() + b"\n" for i in range(200)]
PARTS = [b"".join(LINES[at : at + 10]) for at in range(0, 200, 10)]


def found(input_of: InputOf, path: Path, data: bytes, **changes: object) -> tuple[set[str], list[tuple[object, ...]]]:
    """Ids of the rows that were read; `(cause, rows, share, cut)` of the others."""
    path.write_bytes(data)
    parts = list(read.rows_of(input_of(path, **changes)))
    bad = pa.concat_tables([part.bad for part in parts]).to_pylist()
    lost = [(row["cause"], row["lost_rows"], round(row["lost_share"], 4), row["cut"]) for row in bad]
    return {row for part in parts for row in part.documents["id"].to_pylist()}, lost


def spoilt(packed: list[bytes], at: int) -> bytes:
    """The members, one of them with bytes that nothing decodes in its middle."""
    middle = len(packed[at]) // 2
    return b"".join([*packed[:at], packed[at][:middle] + b"\xff" * 40 + packed[at][middle + 40 :], *packed[at + 1 :]])


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.jsonl.gz", gzip.compress),
        ("a.jsonl.zst", zstandard.ZstdCompressor(write_checksum=True).compress),
    ],
)
def test_one_damaged_member_costs_itself(tmp_path: Path, input_of: InputOf, name: str, pack: Callable[[bytes], bytes]) -> None:
    packed = [pack(part) for part in PARTS]
    data = spoilt(packed, 7)
    ids, lost = found(input_of, tmp_path / name, data)
    assert ids >= {str(i) for i in range(200) if not 70 <= i < 80}
    assert {cause for cause, *_ in lost} <= {"archive_corrupt", "invalid_json", "invalid_utf8", "text_missing", "not_an_object"}
    (share,) = [share for cause, _, share, _ in lost if cause == "archive_corrupt"]
    assert 0.3 * len(packed[7]) / len(data) < share <= round(len(packed[7]) / len(data), 4)


def test_a_wrong_checksum_is_the_whole_member(tmp_path: Path, input_of: InputOf) -> None:
    """Every block can be decoded, and nobody knows which of them is another than was written."""
    packed = [gzip.compress(part) for part in PARTS]
    data = b"".join([*packed[:5], packed[5][:-8] + b"\0\0\0\0" + packed[5][-4:], *packed[6:]])
    ids, lost = found(input_of, tmp_path / "a.jsonl.gz", data)
    assert len(ids) == 200
    assert lost == [("archive_corrupt", 1, round(len(packed[5]) / len(data), 4), False)]


@pytest.mark.parametrize(("at", "share"), [(5, 0.95), (100, 0.5), (150, 0.25)])
def test_damage_in_one_stream_costs_the_rest_by_its_bytes(tmp_path: Path, input_of: InputOf, at: int, share: float) -> None:
    packed = gzip.compress(b"".join(LINES))
    at = at * len(packed) // 200
    ids, lost = found(input_of, tmp_path / "a.jsonl.gz", packed[:at] + b"\xff" * 60 + packed[at + 60 :])
    assert lost[-1][0] == "archive_corrupt" and lost[-1][2] == pytest.approx(share, abs=0.03)
    assert len(ids) == pytest.approx(200 * (1 - share), abs=8)


def test_what_follows_the_last_member_is_lost_by_its_bytes(tmp_path: Path, input_of: InputOf) -> None:
    packed = gzip.compress(b"".join(LINES))
    ids, lost = found(input_of, tmp_path / "a.jsonl.gz", packed + b"no gzip at all")
    assert (len(ids), lost) == (200, [("archive_corrupt", 1, round(14 / (len(packed) + 14), 4), False)])
    ids, lost = found(input_of, tmp_path / "a.jsonl.gz", packed + b"no gzip" + gzip.compress(b'{"id":"x","text":"y"}\n'))
    assert (len(ids), [cause for cause, *_ in lost]) == (201, ["archive_corrupt"])


@pytest.mark.parametrize("known", [True, False])
def test_a_stream_that_ends_early_says_how_much_is_missing_where_its_header_does(
    tmp_path: Path, input_of: InputOf, known: bool
) -> None:
    lines = (b'{"id":"%d","text":"%s"}\n' % (i, random.Random(i).randbytes(400).hex().encode()) for i in range(1_000))
    packed = zstandard.ZstdCompressor(level=1, write_content_size=known).compress(b"".join(lines))
    ids, lost = found(input_of, tmp_path / "a.jsonl.zst", packed[: len(packed) // 2])
    ((cause, rows, share, cut),) = lost
    assert ids and (cause, rows, cut) == ("archive_truncated", 1, True)
    assert (share == pytest.approx(0.5, abs=0.2)) if known else share == 0


@pytest.mark.parametrize(
    "data", [gzip.compress(b"".join(LINES), mtime=0)[:-2_000], gzip.compress(PARTS[0], mtime=0) + b"\x1f\x8b\x08"]
)
def test_a_gzip_stream_that_ends_early_does_not_say_how_much(tmp_path: Path, input_of: InputOf, data: bytes) -> None:
    assert found(input_of, tmp_path / "a.jsonl.gz", data)[1] == [("archive_truncated", 1, 0.0, True)]


@pytest.mark.parametrize(
    ("end", "cause", "cut"),
    [
        (b'{"id": "x", "text": "no e', "file_truncated", True),
        (b'{"id": "x", "text": "a \\" and \xe4\xb8', "file_truncated", True),
        (b'{"id": "x", "a": [1, {', "file_truncated", True),
        (b"{", "file_truncated", True),
        (b'{"id": "x", "text": "no e\n', "invalid_json", False),
        (b'{"id": "x" "text": "{"}', "invalid_json", False),
        (b"words", "invalid_json", False),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_json_lines_that_end_within_a_line(
    tmp_path: Path, input_of: InputOf, end: bytes, cause: str, cut: bool, packed: bool
) -> None:
    data = PARTS[0] + end
    name, data = ("a.jsonl.gz", gzip.compress(data)) if packed else ("a.jsonl", data)
    ids, lost = found(input_of, tmp_path / name, data)
    assert (len(ids), lost) == (10, [(cause, 1, 0.0, cut)])


def test_a_text_that_ends_within_a_character(tmp_path: Path, input_of: InputOf) -> None:
    assert found(input_of, tmp_path / "a.txt", "größ".encode()[:-1])[1] == [("file_truncated", 1, 0.0, True)]
    assert found(input_of, tmp_path / "a.txt", b"gr\xf6\xdfer")[1] == [("invalid_utf8", 1, 0.0, False)]


@pytest.mark.parametrize("limit", [64_000_000, 2_000])
def test_a_quote_that_is_never_closed_is_as_many_rows_as_it_has_lines(tmp_path: Path, input_of: InputOf, limit: int) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([("id", "text"), *((i, text(i)) for i in range(50))])
    lines = written.getvalue().encode().split(b"\n")
    lines[21] = lines[21].replace(b",", b',"')
    ids, lost = found(input_of, tmp_path / "a.csv", b"\n".join(lines), max_row_bytes=limit)
    assert (len(ids), lost) == (20, [("quote_not_closed", 30, 0.0, True)])


def test_a_quote_that_a_later_row_closes_is_as_many_rows_as_it_has_lines(tmp_path: Path, input_of: InputOf) -> None:
    data = b'id,text\n1,a\n2,"b\n3,c\n4,"d"\n5,e\n'
    assert found(input_of, tmp_path / "a.csv", data) == ({"1", "5"}, [("invalid_csv", 3, 0.0, False)])


def test_a_csv_file_behind_damage_is_not_guessed_at(tmp_path: Path, input_of: InputOf) -> None:
    """Whether a quote is open there nobody knows."""
    parts = [b"id,text\n1,a\n", b'2,"b\n', b"3,c\n4,d\n" * 100]
    packed = [gzip.compress(part) for part in parts]
    ids, lost = found(input_of, tmp_path / "a.csv.gz", packed[0] + b"no gzip" + packed[2])
    assert (ids, [(cause, cut) for cause, _, _, cut in lost]) == ({"1"}, [("archive_corrupt", False)])
    assert lost[0][2] == round(1 - len(packed[0]) / (len(packed[0]) + 7 + len(packed[2])), 4)


def test_an_archive_of_records_goes_on_behind_damage(tmp_path: Path, input_of: InputOf) -> None:
    def record(n: int) -> bytes:
        head = f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Record-ID: <{n}>\r\nContent-Length: {len(text(n))}\r\n\r\n"
        return (head + text(n) + "\r\n\r\n").encode()

    packed = [gzip.compress(record(n)) for n in range(50)]
    ids, lost = found(input_of, tmp_path / "a.warc.gz", spoilt(packed, 20))
    assert ids == {f"<{n}>" for n in range(50) if n != 20}
    assert lost[0][0] == "archive_corrupt" and 0 < sum(share for _, _, share, _ in lost) <= 0.03


def test_places_that_only_look_like_members_are_not_tried_for_ever(tmp_path: Path, input_of: InputOf) -> None:
    ids, lost = found(input_of, tmp_path / "a.jsonl.gz", gzip.compress(PARTS[0]) + b"\x1f\x8b\x08\0" * 100_000)
    assert len(ids) == 10 and lost[-1][2] > 0.99
    assert members.MOST_TRIALS < 100_000


def test_a_row_group_that_promises_more_than_is_listed(
    tmp_path: Path, input_of: InputOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.read.child import parquet
    from pipeline.read.lines import Unreadable
    from pipeline.read.rows import Collector

    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "a.parquet")
    collector = Collector(input_of(tmp_path / "a.parquet"))
    parquet.lost(collector, Unreadable("archive_corrupt", "gone"), 7, rows=1 << 40, listed=3)
    bad = collector.finish().bad.to_pylist()
    assert [(row["row"], row["lost_rows"]) for row in bad] == [(7, 1), (8, 1), (9, (1 << 40) - 2)]


def test_what_a_unit_lost_is_summed() -> None:
    rows = [
        ("archive_corrupt", 1, 0.25, False),
        ("archive_corrupt", 5, 0.0, False),
        ("not_text:image/png", 1, 0.0, False),
        ("text_null", 1, 0.0, False),
        ("quote_not_closed", 9, 0.5, True),
    ]
    columns = dict(zip(("cause", "lost_rows", "lost_share", "cut"), zip(*rows, strict=True), strict=True))
    others = {
        name: [None if name == "excerpt" else "" if name in ("id", "source", "detail") else 0] * 5 for name in BAD_ROW.names
    }
    made = _damage(pa.table({**others, **{name: list(values) for name, values in columns.items()}}, schema=BAD_ROW))
    assert made.model_dump() == {
        "sound": 1, "listed": 3, "rows": 4, "share": 0.25, "cut": True, "cut_rows": 8, "cut_share": 0.5,
    }  # fmt: skip
