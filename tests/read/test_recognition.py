"""What a file holds decides how it is read, whatever it is called."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline import read
from pipeline.errors import InputError
from pipeline.read import recognition
from pipeline.read.archives import decoded
from pipeline.read.expansion import expand, in_words
from pipeline.read.files import kind_of
from pipeline.read.lines import Unreadable
from pipeline.read.recognition import look
from pipeline.read.source import Source
from tests.read.conftest import make
from tests.support import prose, winnow

ROWS = b"".join(json.dumps({"id": f"r{i}", "text": f"text {i}"}).encode() + b"\n" for i in range(300))


def packed_lz4(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "lz4") as packed:
        packed.write(data)
    return sink.getvalue().to_pybytes()


def parquet(**columns: list[str]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


PACK = {
    None: bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lz4": packed_lz4,
}


def texts(file: read.InputFile) -> list[str]:
    return [text for part in read.rows_of(file) for text in part.documents["text"].to_pylist()]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "part-00000", "a.json"])
@pytest.mark.parametrize("compression", PACK)
def test_json_lines_are_read_whatever_packs_them_and_whatever_the_name_says(
    tmp_path: Path, compression: str | None, name: str
) -> None:
    (tmp_path / name).write_bytes(PACK[compression](ROWS))
    form, packed = kind_of(name)
    if form == "parquet":
        form = ""  # what an ending declares is believed only of what has no mark of its own
    file = look(make(tmp_path / name, format=form, compression=packed))
    assert isinstance(file, read.InputFile) and (file.format, file.compression) == ("jsonl", compression)
    assert texts(file) == [f"text {i}" for i in range(300)]


def test_parquet_is_read_whatever_the_name_says(tmp_path: Path) -> None:
    for name in ("a.parquet", "a.pq", "a.jsonl", "part-0", "a.csv", "a.json.gz"):
        (tmp_path / name).write_bytes(parquet(text=["a", "b"]))
        (file,) = expand([Source(paths=(str(tmp_path / name),))]).files
        assert read.units_of(file).file.format == "parquet" if name == "a.csv" else look(file).format == "parquet", name
    assert texts(file) == ["a", "b"]
    read.close()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jsonl", ("jsonl", None)),
        ("A.JSONL.GZIP", ("jsonl", "gzip")),
        ("a.ndjson.bz2", ("jsonl", "bzip2")),
        ("a.txt.xz", ("text", "xz")),
        ("a.csv.lz4", ("csv", "lz4")),
        ("a.html.zstd", ("html", "zstd")),
        ("a.wet.gz", ("warc", "gzip")),
        ("a.json.gz", ("", "gzip")),
        ("a.tar.gz", ("", "gzip")),
        ("a.gz", ("", "gzip")),
        ("gz", ("", None)),
        (".jsonl", ("", None)),
        ("part-00000", ("", None)),
    ],
)
def test_what_a_name_declares(name: str, kind: tuple[str, str | None]) -> None:
    assert kind_of(name) == kind


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.jsonl", ROWS)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (zipped(), "zip archive"),
        (gzip.compress(bytes(257) + b"ustar\0" + bytes(300), mtime=0), "tar archive"),
        (gzip.compress(parquet(text=["a"]), mtime=0), "Parquet compressed by gzip"),
        (b"ARROW1\0\0" + bytes(20), "Arrow IPC"),
        (b"%PDF-1.7\n", "PDF"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)  # declared: one bad row
    (unit,) = read.units_of(make(tmp_path / "a.jsonl")).units or ()
    (bad,) = read.read(unit).bad.to_pylist()
    assert (bad["row"], bad["cause"], bad["n_bytes_read"]) == (1, "unreadable", len(data)) and words in bad["detail"]
    (tmp_path / "a.bin").write_bytes(data)  # not declared: passed over, and refused where it is all there is
    (tmp_path / "b.jsonl").write_bytes(ROWS)
    (tmp_path / "a.jsonl").unlink()
    made = expand([Source(paths=(str(tmp_path),))])
    assert [Path(file.path).name for file in made.files] == ["b.jsonl"] and words in made.passed_over[0].reason
    with pytest.raises(InputError, match=words):
        expand([Source(paths=(str(tmp_path / "a.bin"),))])


def test_pages_and_archives_without_an_ending_are_known(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"\n<!DOCTYPE html>\n<p>a page</p>")
    (tmp_path / "crawl").write_bytes(b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 0\r\n\r\n\r\n\r\n")
    assert [file.format for file in expand([Source(paths=(str(tmp_path),))]).files] == ["warc", "html"]


@pytest.mark.parametrize("compression", ["bzip2", "xz", "lz4"])
def test_what_an_archive_gives_and_how_it_breaks_off(compression: str) -> None:
    data = PACK[compression](ROWS)
    cut = len(data) - (0 if compression == "lz4" else 2)
    for blob, whole, cause in [
        (data, 1, ""),
        (data + data, 2, ""),
        (b"", 0, ""),
        (data[: cut - 6], None, "archive_truncated"),
        (data[:4], 0, "archive_truncated"),
        (data + b"no archive, and long enough", 1, "archive_corrupt"),
    ]:
        found, said = b"", ""
        try:
            for chunk in decoded(io.BytesIO(blob).read, compression):
                found += chunk
        except Unreadable as error:
            said = error.cause
        assert said == cause, (blob[:20], said)
        assert (ROWS + ROWS).startswith(found) and (whole is None or len(found) == whole * len(ROWS) or compression == "lz4")


@pytest.mark.parametrize("compression", ["bzip2", "xz", "lz4"])
def test_expansion_is_bounded(compression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.read.archives.BOMB_BYTES", 2_000_000)
    data = PACK[compression](bytes(4_000_000))
    given = 0
    with pytest.raises(Unreadable, match="decode to more than 200 times") as error:
        for chunk in decoded(io.BytesIO(data).read, compression):
            assert len(chunk) <= 1 << 18
            given += len(chunk)
    assert error.value.cause == "decompression_bomb" and given < 4_000_000


XZ_OF_1_GIB = bytes.fromhex(
    "fd377a585a000004e6d6b44602002101240000005e1fc7f90100006100000000052b652e7784023300011901a52c81cc1fb6f37d010000000004595a"
)
"""The letter a, in a block whose header asks for a dictionary of 1 GiB."""


def test_xz_with_a_dictionary_beyond_its_memory_is_refused() -> None:
    with pytest.raises(Unreadable, match="xz: Memory usage limit"):
        list(decoded(io.BytesIO(XZ_OF_1_GIB).read, "xz"))


def test_folders_of_hive_are_columns_however_the_file_is_named(tmp_path: Path) -> None:
    folder = (
        tmp_path / "n=0" / "corpus" / "lang=de" / "date=2024-05-01" / "x=a%3Ab" / "none=__HIVE_DEFAULT_PARTITION__" / "text=t"
    )
    folder.mkdir(parents=True)
    (folder / "part-0.jsonl").write_text('{"text": "one"}\n{"text": "two", "lang": "own"}\n')
    for path in (folder / "part-0.jsonl", folder, tmp_path / "n=0" / "corpus", f"{tmp_path}/n=0/corpus/*/*/*/*/*/*.jsonl"):
        (file,) = expand([Source(paths=(str(path),))]).files
        (part,) = read.rows_of(file)
        assert part.documents["text"].to_pylist() == ["one", "two"]
        assert part.documents["date"].to_pylist() == ["2024-05-01"] * 2
        assert [json.loads(value) for value in part.documents["metadata"].to_pylist()] == [
            {"lang": "de", "x": "a:b"},
            {"lang": "own", "x": "a:b"},
        ]


def test_everything_that_a_folder_holds_is_read_or_passed_over_by_name(tmp_path: Path) -> None:
    for name, data in {
        "part-0.json": ROWS,
        "part-1": ROWS,
        "empty.jsonl": b"",
        "empty": b"",
        "_SUCCESS": b"",
        ".part-0.json.crc": b"crc",
        ".git/config": b"[core]",
        "_temporary/0/part-9.jsonl": ROWS,
        "README.md": b"# A crawl",
        "LICENSE": b"CC0",
        "state.json": b'{\n  "step": 3,\n  "done": false\n}',
        "image.png": b"\x89PNG\r\n\x1a\n",
        "data.bin": bytes(range(40)),
    }.items():
        (tmp_path / "crawl" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "crawl" / name).write_bytes(data)
    made = expand([Source(paths=(str(tmp_path / "crawl"),))])
    assert [file.path for file in made.files] == ["crawl/empty.jsonl", "crawl/part-0.json", "crawl/part-1"]
    passed = {one.reason: list(one.paths) for one in made.passed_over}
    assert passed == {
        "an image": ["crawl/image.png"],
        "empty": ["crawl/empty", "crawl/empty.jsonl"],
        "hidden, or a marker (the name begins with . or _)": [
            "crawl/.git/",
            "crawl/.part-0.json.crc",
            "crawl/_SUCCESS",
            "crawl/_temporary/",
        ],
        "JSON (its first object has 'step', 'done') without 'text'; `source.text` names the column that holds the text": [
            "crawl/state.json"
        ],
        "no known format: it begins with the bytes 00 01 02 03 04 05 06 07": ["crawl/data.bin"],
        "text of no format that its content tells; rename it to .txt, .csv or .jsonl to have it read as that": ["crawl/LICENSE"],
        "describes what lies beside it; name it to have it read": ["crawl/README.md"],
    }
    shown = "crawl/.git/, crawl/.part-0.json.crc, crawl/_SUCCESS and 1 more"
    (hidden,) = [one for one in made.passed_over if one.reason.startswith("hidden")]
    assert in_words(hidden) == f"4 files, hidden, or a marker (the name begins with . or _): {shown}"


@pytest.mark.parametrize(
    ("pattern", "files", "hidden"),
    [
        ("d/*", ["d/a.jsonl"], ["d/.c.jsonl", "d/_b.jsonl"]),
        ("d/*.jsonl", ["d/a.jsonl"], ["d/.c.jsonl", "d/_b.jsonl"]),
        ("d/_*.jsonl", ["d/_b.jsonl"], []),
        ("d/.c*", ["d/.c.jsonl"], []),
        ("d/*/x.jsonl", ["d/e/x.jsonl"], ["d/_t/"]),
        ("d/e*/x.jsonl", ["d/e/x.jsonl"], []),
        ("d/_t*/x.jsonl", ["d/_t/x.jsonl"], []),
        ("d/**/x.jsonl", ["d/e/x.jsonl"], ["d/_t/"]),
        ("d/a*", ["d/a.jsonl"], []),
    ],
)
def test_a_pattern_names_what_it_would_match_but_for_being_hidden(
    tmp_path: Path, pattern: str, files: list[str], hidden: list[str]
) -> None:
    for name in ("a.jsonl", "_b.jsonl", ".c.jsonl", "_t/x.jsonl", "e/x.jsonl"):
        (tmp_path / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / name).write_bytes(ROWS)
    made = expand([Source(paths=(pattern,))], base=tmp_path)
    assert [file.path for file in made.files] == files
    assert [path for one in made.passed_over for path in one.paths] == hidden


def test_a_file_that_may_not_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_bytes(ROWS)
    (tmp_path / "secret").write_bytes(ROWS)
    opened = recognition.open_input

    def refusing(file: read.InputFile, **options: bool) -> object:
        if file.path.endswith("secret"):
            from pipeline.read.units import cannot_read

            raise cannot_read(file, PermissionError(13, "Permission denied"))
        return opened(file, **options)

    monkeypatch.setattr("pipeline.read.recognition.open_input", refusing)
    (one,) = expand([Source(paths=(str(tmp_path),))]).passed_over
    assert one.reason == "may not be opened (permission denied)"


def test_many_reasons_are_folded(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(ROWS)
    for i in range(130):
        (tmp_path / f"conf-{i:03}.json").write_text(json.dumps({f"key {i}": 1}))
    made = expand([Source(paths=(str(tmp_path),))])
    assert len(made.passed_over) == 101 and sum(one.files for one in made.passed_over) == 130
    assert next(one.files for one in made.passed_over if one.reason == "other reasons") == 30


@pytest.mark.parametrize("begin", ["ORCHARDS", "PARENTS", "Rar!", "7z"])
@pytest.mark.parametrize("name", ["a.txt", "a.csv"])
def test_text_that_begins_as_a_foreign_format_does_is_text(tmp_path: Path, name: str, begin: str) -> None:
    (tmp_path / name).write_text(f"{begin},text\n1,two words\n")
    format_ = kind_of(name)[0]
    (part,) = read.rows_of(look(make(tmp_path / name, format=format_)))
    assert part.bad.num_rows == 0 and part.documents.num_rows == 1


def test_a_foreign_format_is_told_by_what_is_no_text_behind_its_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"ORC\x11\x00\x00text")
    assert "an ORC file" in str(look(make(tmp_path / "a.txt", format="text")))
    (tmp_path / "b").write_bytes(b"PARE\x15\x04\x00\x00\x03\x00\x00\x00PARE")
    (part,) = read.rows_of(make(tmp_path / "b", format=""))
    assert part.bad["cause"].to_pylist() == ["encrypted"]


def test_names_that_a_reason_quotes_are_short(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"' + b"k" * 100_000 + b'": 1}')
    reason = look(make(tmp_path / "a.json", format=""))
    assert isinstance(reason, str) and len(reason) < 300


def test_a_character_that_is_none_costs_its_row_and_not_the_rest_of_the_file(tmp_path: Path) -> None:
    for encoding in ("utf-32", "utf-32-be"):
        rows = bytearray(ROWS.decode().encode(encoding))
        rows[4 * 25 : 4 * 26] = b"\xff\xff\xff\x7f"
        (tmp_path / "a.jsonl").write_bytes(rows)
        parts = list(read.rows_of(make(tmp_path / "a.jsonl")))
        assert sum(part.documents.num_rows for part in parts) == 299
        assert [row["cause"] for part in parts for row in part.bad.to_pylist()] == ["invalid_utf8"]


def wet_record(text: str) -> bytes:
    return b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: %d\r\n\r\n%s\r\n\r\n" % (len(text), text.encode())


PAGE = b"<!DOCTYPE html><html><body>Please accept the terms of this network.</body></html>"


@pytest.mark.parametrize(
    ("name", "data"),
    [("7.warc.wet.gz", PAGE), ("7.warc.gz", gzip.compress(PAGE)), ("7.warc.wet", b"no record\n" * 90)],
    ids=["page", "packed", "text"],
)
def test_an_archive_without_a_record_ends_the_run_however_much_is_beside_it(capsys, tmp_path, name, data):
    for number in range(1, 7):
        (tmp_path / "in" / f"{number}.warc.gz").parent.mkdir(exist_ok=True)
        (tmp_path / "in" / f"{number}.warc.gz").write_bytes(
            gzip.compress(b"".join(wet_record(prose(40 * number + n)) for n in range(40)))
        )
    (tmp_path / "in" / name).write_bytes(data)
    ran = winnow(capsys, "none", "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert ran.code == 1 and f"in/{name}: ends before it should, or is something else: nothing tells how many rows" in ran.err
    assert "no WARC archive: no record is in its first" in ran.err
    assert not (tmp_path / "out/manifest.json").exists()
