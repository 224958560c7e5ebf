"""WARC and WET to rows; the oracle of which records there are is warcio."""

import gzip
import io
import os
from pathlib import Path

import pytest
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
        (3, words), (4, words), (5, "hello"), (6, ""), (7, words), (8, "Ein Text, größer."), (9, "größer"),
    ]  # fmt: skip
    assert (good[0]["id"], good[0]["url"], good[0]["date"]) == ("<urn:uuid:3>", "http://x.org/3", "2020-01-01T00:00:00Z")
    assert [r["metadata"] for r in good[2:4]] == ['{"http_status":404}', '{"content_type":"image/png"}']
    assert [(r["row"], r["cause"]) for r in bad] == [(10, "unreadable")]
    assert rows(path, unit_bytes=1_000) == (good, bad)
    assert [r["id"] for r in rows(path, id="url")[0]] == [r["url"] for r in good]


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
        assert len(bad) <= 0.1 * len(expected), bad
    with gzip.open(folder / names[-1]) as handle:
        text = list(ArchiveIterator(io.BytesIO(handle.read())))
    assert text and good[0]["text"]
