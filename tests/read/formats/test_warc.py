"""WARC and WET to rows; the oracle of which records there are is warcio."""

import gzip
import io
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline import read
from pipeline.read.formats import warc
from tests.read.conftest import make
from tests.support import examples

PAGE = b"<html><head><title>T</title><script>var secret</script></head><body><p>Some words of a page.</p></body></html>"


def record(content: bytes, kind: str = "response", type_: str = "application/http; msgtype=response", n: int = 1) -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: <http://x.org/{n}>\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n"
    head += f"WARC-Record-ID: <urn:uuid:{n}>\r\nContent-Type: {type_}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content + b"\r\n\r\n"


def http(body: bytes, head: str = "Content-Type: text/html", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\n{head}\r\n\r\n".encode() + body


def rows(path: Path, **changes: object) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    file = make(path, **changes)
    parts = [read.read_block(block) for block in read.stream(file, read.units_of(file).content)]
    return [r for p in parts for r in p.documents.to_pylist()], [r for p in parts for r in p.bad.to_pylist()]


ARCHIVE = (
    record(b"software: x", "warcinfo", "application/warc-fields")
    + record(b"GET / HTTP/1.1\r\n\r\n", "request")
    + record(http(PAGE), n=3)
    + record(http(PAGE, "Content-Type: text/html\r\nTransfer-Encoding: chunked"), n=4)
    + record(http(b"5\r\nhello\r\n0\r\n\r\n", "Content-Type: text/plain\r\nTransfer-Encoding: chunked", "404 No"), n=5)
    + record(http(b"\x89PNG", "Content-Type: image/png\r\nContent-Encoding: gzip"), n=6)
    + record(http(gzip.compress(PAGE), "Content-Type: text/html\r\nContent-Encoding: gzip"), n=7)
    + record("Ein Text, größer.".encode(), "conversion", "text/plain", n=8)
    + record(http("<p>größer</p>".encode("latin-1"), "Content-Type: text/html; charset=iso-8859-1"), n=9)
    + record(http(b"ff\r\nhello", "Content-Type: text/html\r\nTransfer-Encoding: chunked"), n=10)
)


@pytest.mark.parametrize("packed", [False, True])
def test_which_records_are_rows_and_what_they_hold(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("a.warc.gz" if packed else "a.warc")
    path.write_bytes(gzip.compress(ARCHIVE) if packed else ARCHIVE)
    good, bad = rows(path)
    words = "Some words of a page."
    assert [(r["row"], r["text"]) for r in good] == [
        (3, words), (4, words), (5, "hello"), (7, words), (8, "Ein Text, größer."), (9, "größer"),
    ]  # fmt: skip
    assert (good[0]["id"], good[0]["url"], good[0]["date"]) == ("<urn:uuid:3>", "http://x.org/3", "2020-01-01T00:00:00Z")
    assert good[2]["metadata"] == '{"http_status":404}'
    assert [(r["row"], r["cause"]) for r in bad] == [(6, "not_text:image/png"), (10, "body_truncated")]
    assert rows(path, unit_bytes=1_000) == (good, bad)
    assert [r["id"] for r in rows(path, id="url")[0]] == [r["url"] for r in good]


def named(header: bytes, change: Callable[[bytes], bytes]) -> bytes:
    head, content = header.split(b"\r\n\r\n", 1)
    return change(head + b"\r\n\r\n") + content


def lower(head: bytes) -> bytes:
    lines = (line.partition(b":") if not line.startswith(b"WARC/") else (line, b"", b"") for line in head.split(b"\r\n"))
    return b"\r\n".join(name.lower() + colon + value if colon else name for name, colon, value in lines)


@pytest.mark.parametrize(
    "change",
    [
        lower,
        lambda head: head.replace(b"Content-Type", b"CONTENT-TYPE").replace(b"WARC-Type", b"WARC-TYPE"),
        lambda head: head.replace(b": response", b": RESPONSE"),
        lambda head: head.replace(b": ", b":\t"),
        lambda head: head.replace(b": ", b":"),
        lambda head: head.replace(b": ", b" : "),
        lambda head: head.replace(b"\r\n", b"\n"),
        lambda head: head.replace(b"WARC/1.0", b"WARC/1.1"),
        lambda head: head.replace(b"Content-Length:", b"Content-Length:\r\n "),
        lambda head: head.replace(b"WARC-Date", b"Note: a\r\n\tContent-Length: 3\r\n WARC-Type: request\r\nWARC-Date"),
        lambda head: head.replace(b"Content-Type: application/http; msgtype=response\r\n", b""),
        lambda head: head.replace(b"application/http; msgtype=response", b"Application/HTTP;msgtype=response"),
    ],
)
def test_names_of_fields_are_read_as_they_are_written(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    page = http(PAGE, "content-TYPE:text/html")
    (tmp_path / "a.warc").write_bytes(named(record(page), change) + named(record(page, n=2), change))
    good, bad = rows(tmp_path / "a.warc")
    assert [(r["row"], r["text"], r["url"], r["id"]) for r in good] == [
        (n, "Some words of a page.", f"http://x.org/{n}", f"<urn:uuid:{n}>") for n in (1, 2)
    ]
    assert (good[0]["date"], bad) == ("2020-01-01T00:00:00Z", [])


@pytest.mark.parametrize(
    ("content", "kind", "type_", "text"),
    [
        (b"HTTP/2 200\r\ncontent-type: text/html\r\n\r\n" + PAGE, "response", "application/http", "Some words of a page."),
        (b"HTTP/1.1 200\r\n\r\n" + PAGE, "response", "application/http", "Some words of a page."),
        (b"HTTP/1.1 200 OK\nContent-Type: text/plain\n\nplain", "response", "application/http", "plain"),
        (b"HTTP/1.1 200 OK\r\n\r\nno type, but text", "response", "application/http", "no type, but text"),
        (PAGE, "response", "application/http; msgtype=response", "Some words of a page."),
        (PAGE, "resource", "text/html; charset=utf-8", "Some words of a page."),
        (PAGE, "resource", "", "Some words of a page."),
        ("größer".encode("latin-1"), "conversion", "text/plain; charset=latin1", "größer"),
        ("größer".encode(), "conversion", "", "größer"),
        (b"HTTP/1.1 200 is what a server says first", "conversion", "text/plain", "HTTP/1.1 200 is what a server says first"),
        (http(b"", "Content-Type: text/html"), "response", "application/http", ""),
        (http(b"", "Content-Type: text/html\r\nContent-Length: 90", "304 Not Modified"), "response", "application/http", ""),
        *((http(PAGE, f"Content-Type: text/html\r\nContent-Length: {len(PAGE) + more}"), "response", "application/http",
           "Some words of a page.") for more in (-9, 0, 2)),
        (http(PAGE, "Content-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: 9999"), "response", "application/http",
         "Some words of a page."),
    ],
)  # fmt: skip
def test_a_body_that_is_there_is_read(tmp_path: Path, content: bytes, kind: str, type_: str, text: str) -> None:
    (tmp_path / "a.warc").write_bytes(record(content, kind, type_))
    good, bad = rows(tmp_path / "a.warc")
    assert ([r["text"] for r in good], bad) == ([text], [])


@pytest.mark.parametrize(
    ("content", "type_", "cause"),
    [
        (http(PAGE, f"Content-Type: text/html\r\nContent-Length: {len(PAGE) + 3}"), "application/http", "body_truncated"),
        (http(PAGE[:-1], f"Content-Type: text/html\r\nContent-Length: {len(PAGE)}"), "application/http", "body_truncated"),
        (
            http(gzip.compress(PAGE)[:-9], "Content-Type: text/html\r\nContent-Encoding: gzip"),
            "application/http",
            "body_truncated",
        ),
        (http(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" * 9), "application/http", "undecodable"),
        (http(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" * 9, "Server: x"), "application/http", "not_text:unknown"),
        (http(b"%PDF", "content-type: Application/PDF; x"), "application/http", "not_text:application/pdf"),
        (http(b"...", "Content-Type: application/x-of-nobody"), "application/http", "not_text:application/*"),
        (http(b"...", "Content-Type: <b>/html"), "application/http", "not_text:unknown"),
        (b"dns:x.org", "text/dns", "not_text:text/dns"),
    ],
)
def test_what_is_no_page_is_named(tmp_path: Path, content: bytes, type_: str, cause: str) -> None:
    (tmp_path / "a.warc").write_bytes(record(content, type_=type_))
    good, bad = rows(tmp_path / "a.warc")
    assert (good, [r["cause"] for r in bad]) == ([], [cause])


def test_records_that_are_no_rows_are_counted_by_type(tmp_path: Path) -> None:
    (tmp_path / "a.warc").write_bytes(ARCHIVE + record(b"", "Revisit") + record(b"", "strange") + record(b"", "revisit"))
    file = make(tmp_path / "a.warc", unit_bytes=1_000)
    parts = [read.read_block(block) for block in read.stream(file, read.units_of(file).content)]
    assert len(parts) > 1
    counted: Counter[str] = Counter()
    for part in parts:
        counted.update(dict(part.passed))
    assert counted == {"warcinfo": 1, "request": 1, "revisit": 2, "other": 1}


@pytest.mark.parametrize("n", [1, 3])
def test_an_archive_whose_carriage_returns_were_taken_away_is_whole(tmp_path: Path, n: int) -> None:
    data = b"".join(record(http(PAGE), n=i) for i in range(1, n + 1)).replace(b"\r\n", b"\n")
    (tmp_path / "a.warc").write_bytes(data)
    good, bad = rows(tmp_path / "a.warc")
    assert ([(r["url"], r["text"]) for r in good], bad) == (
        [(f"http://x.org/{i}", "Some words of a page.") for i in range(1, n + 1)],
        [],
    )
    (tmp_path / "a.warc").write_bytes(data[:-5])
    assert [r["cause"] for r in rows(tmp_path / "a.warc")[1]] == ["archive_truncated"]


@pytest.mark.parametrize("change", [300, -20])
def test_a_record_of_another_length_than_it_says_costs_no_other(tmp_path: Path, change: int) -> None:
    good_one, size = record(http(PAGE), n=1), len(http(PAGE))
    wrong = good_one.replace(b"Content-Length: %d" % size, b"Content-Length: %d" % (size + change))
    (tmp_path / "a.warc").write_bytes(good_one + wrong + record(http(PAGE), n=3) + record(http(PAGE), n=4))
    good, bad = rows(tmp_path / "a.warc")
    assert [r["url"] for r in good] == ["http://x.org/1", "http://x.org/3", "http://x.org/4"]
    assert {r["cause"] for r in bad} == {"archive_corrupt"} and bad[0]["row"] == 2


def test_records_that_claim_the_rest_of_the_archive_cost_linear_time(tmp_path: Path) -> None:
    """With the rest of the archive read again for each of them, this takes minutes."""
    claims = record(http(PAGE)).replace(b"Content-Length: %d" % len(http(PAGE)), b"Content-Length: 900000")
    (tmp_path / "a.warc").write_bytes(claims * 2_000)
    start = time.process_time()
    rows(tmp_path / "a.warc", max_row_bytes=1_000_000)
    assert time.process_time() - start < 5


@pytest.mark.parametrize("packed", [False, True, None])
def test_zstd_with_the_dictionary_in_front(tmp_path: Path, packed: bool | None) -> None:
    members = [record(http(PAGE + b"%d" % n), n=n) for n in range(1, 40)]
    dictionary = zstandard.train_dictionary(1_000, members)
    held = zstandard.compress(dictionary.as_bytes()) if packed else dictionary.as_bytes()
    packer = zstandard.ZstdCompressor(dict_data=None if packed is None else dictionary)
    front = b"" if packed is None else b"\x5d\x2a\x4d\x18" + len(held).to_bytes(4, "little") + held
    (tmp_path / "a.warc.zst").write_bytes(front + b"".join(map(packer.compress, members)))
    good, bad = rows(tmp_path / "a.warc.zst")
    assert ([r["row"] for r in good], bad) == (list(range(1, 40)), [])


@pytest.mark.parametrize("packed", [False, True])
def test_zstd_as_fastwarc_writes_and_reads_it(tmp_path: Path, packed: bool) -> None:
    """FastWARC 2 is another implementation of the same draft (IIPC, WARC with Zstandard)."""
    from fastwarc.stream_io import ZstdReader, ZstdWriter

    members = [record(http(PAGE + b"%d" % n), n=n) for n in range(1, 40)]
    dictionary = zstandard.train_dictionary(1_000, members).as_bytes()
    with ZstdWriter(str(tmp_path / "a.warc.zst"), dictionary=dictionary, compress_dictionary_frame=packed) as writer:
        for member in members:
            writer.write(member)
    good, bad = rows(tmp_path / "a.warc.zst")
    assert ([r["row"] for r in good], bad) == (list(range(1, 40)), [])
    held = zstandard.compress(dictionary) if packed else dictionary
    packer = zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(dictionary))
    ours = b"\x5d\x2a\x4d\x18" + len(held).to_bytes(4, "little") + held + b"".join(map(packer.compress, members))
    (tmp_path / "b.warc.zst").write_bytes(ours)
    with ZstdReader(str(tmp_path / "b.warc.zst")) as reader:
        assert reader.read() == b"".join(members)


@pytest.mark.parametrize(
    ("held", "size", "cause", "words"),
    [
        (b"\x37\xa4\x30\xec" + bytes(50), None, "archive_corrupt", "zstd: its dictionary"),
        (zstandard.compress(b"a" * 100)[:-4], None, "archive_corrupt", "zstd: "),
        (zstandard.compress(bytes(1 << 25)), None, "archive_corrupt", "zstd: its dictionary: it has more than 16777216 bytes"),
        (b"", 1 << 31, "archive_corrupt", "zstd: a dictionary of more than 16777216 bytes"),
        (b"short", 5_000, "archive_truncated", "the zstd file ends within its dictionary"),
        (None, None, "archive_corrupt", "zstd: .*[Dd]ictionary"),
    ],
    ids=["noise", "cut", "bomb", "large", "ended", "foreign"],
)
def test_a_zstd_dictionary_that_is_none_is_one_bad_row(
    tmp_path: Path, held: bytes | None, size: int | None, cause: str, words: str
) -> None:
    members = [record(http(PAGE + b"%d" % n), n=n) for n in range(1, 40)]
    dictionary, other = (zstandard.train_dictionary(1_000, part) for part in (members[:20], members[20:]))
    front = other.as_bytes() if held is None else held  # of another file: frames name the one they need
    data = b"\x5d\x2a\x4d\x18" + (len(front) if size is None else size).to_bytes(4, "little") + front
    if cause != "archive_truncated":
        data += b"".join(map(zstandard.ZstdCompressor(dict_data=dictionary).compress, members[:3]))
    (tmp_path / "a.warc.zst").write_bytes(data)
    good, bad = rows(tmp_path / "a.warc.zst")
    assert (good, [r["cause"] for r in bad]) == ([], [cause])
    assert re.search(words, str(bad[0]["detail"]))


def test_what_is_broken_is_a_bad_row_and_costs_no_other(tmp_path: Path) -> None:
    big = record(http(PAGE * 100), n=2)
    data = record(http(PAGE)) + big + b"noise\r\n" + record(http(PAGE), n=4) + record(http(PAGE), n=5)[:-50]
    (tmp_path / "a.warc").write_bytes(data)
    good, bad = rows(tmp_path / "a.warc", max_row_bytes=5_000)
    assert [r["row"] for r in good] == [1, 4]
    assert [(r["row"], r["cause"]) for r in bad] == [(2, "row_too_large"), (3, "archive_corrupt"), (5, "archive_truncated")]
    assert [r["n_bytes_read"] for r in bad] == [len(big) - 4, 7, len(record(http(PAGE), n=5)) - 50]


def test_an_archive_of_nothing_but_beginnings_is_read_once(tmp_path: Path) -> None:
    """With a header looked for from each of them to the most that one may have this takes a minute."""
    n = 30_000
    (tmp_path / "a.warc").write_bytes(b"WARC/1.0\r\n" * n + record(http(PAGE)))
    good, bad = rows(tmp_path / "a.warc")
    assert [r["row"] for r in good] == [n + 1]
    assert {(r["cause"], r["n_bytes_read"]) for r in bad} == {("archive_corrupt", 10)}
    assert [r["row"] for r in bad] == list(range(1, n + 1))


@examples(0.4)
@given(st.binary(max_size=200), st.integers(0, len(ARCHIVE)), st.integers(20, 3_000), st.integers(1, 3_000))
def test_units_and_chunks_change_nothing(tmp_path_factory, noise: bytes, at: int, chunk: int, unit: int) -> None:
    path = tmp_path_factory.getbasetemp() / "x.warc"
    path.touch()
    data = ARCHIVE[:at] + noise + ARCHIVE[at:]

    def cut(size: int, unit_bytes: int) -> tuple[list[bytes], list[object]]:
        made = list(warc.cut((data[i : i + size] for i in range(0, len(data), size)), make(path, unit_bytes=unit_bytes)))
        assert [m.start for m in made[1:]] == [m.stop for m in made[:-1]]
        return [p for m in made for p in m.pieces], [r for m in made for r in (*m.refused, *filter(None, [m.rest]))]

    assert cut(chunk, unit) == cut(len(data), 1 << 30)


@pytest.mark.skipif(not os.environ.get("WINNOW_EVAL_DATA"), reason="WINNOW_EVAL_DATA is not set")
def test_real_archives_give_the_rows_that_warcio_finds() -> None:
    from warcio.archiveiterator import ArchiveIterator

    folder = Path(os.environ["WINNOW_EVAL_DATA"]) / "warc" / "fixtures"
    names = ["archivesunleashed+aut/warc/example.warc.gz", "webrecorder+pywb/iana.warc.gz", "allenai+dolma/sample-0000.warc.gz",
             "commoncrawl+whirlwind-python/whirlwind.warc.wet.gz"]  # fmt: skip
    for name in names:
        with open(folder / name, "rb") as handle:
            kinds = [
                (i, r.rec_type, r.rec_headers.get_header("WARC-Record-ID")) for i, r in enumerate(ArchiveIterator(handle), 1)
            ]
        good, bad = rows(folder / name)
        expected = [(i, id_) for i, kind, id_ in kinds if kind in ("response", "resource", "conversion")]
        assert sorted([r["row"] for r in good] + [r["row"] for r in bad]) == [i for i, _ in expected]
        assert {(r["row"], r["id"]) for r in good} <= set(expected)
        assert len([r for r in bad if not r["cause"].startswith("not_text:")]) <= 0.02 * len(expected), bad
    with gzip.open(folder / names[-1]) as handle:
        text = list(ArchiveIterator(io.BytesIO(handle.read())))
    assert text and good[0]["text"]
