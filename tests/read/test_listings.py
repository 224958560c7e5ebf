"""Lists of paths and crawls: what they name, and what is refused of them, by line."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import read
from pipeline.errors import InputError
from pipeline.read import crawls, listings
from pipeline.read.expansion import expand
from pipeline.read.source import Source
from pipeline.records.inputs import Listed, ListedFile
from pipeline.store import http_host
from tests.store.web import Fault, Server, served
from tests.support import prose

CRAWL = "CC-MAIN-2026-05"
PATHS = [f"crawl-data/{CRAWL}/segments/{n % 3}.{n}/wet/CC-{n:05}.warc.wet.gz" for n in range(12)]


def wet(number: int) -> bytes:
    """A file of three records, a gzip member each."""
    made = []
    for record in range(3):
        body = prose(number * 3 + record).encode()
        head = f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Record-ID: <urn:{number}-{record}>\r\nContent-Type: text/plain\r\n"
        made.append(gzip.compress(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body + b"\r\n\r\n", mtime=0))
    return b"".join(made)


FILES = {path: wet(number) for number, path in enumerate(PATHS)}
LISTING = "\n".join(PATHS).encode() + b"\n"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_host, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(http_host, "LONGEST_PAUSE_S", 0.002)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with served({}) as made:
        yield made


@pytest.fixture
def server(running: Server) -> Server:
    running.files = {**FILES, f"crawl-data/{CRAWL}/wet.paths.gz": gzip.compress(LISTING)}
    running.faults, running.etags, running.asked = [], True, []
    return running


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same files on a disk."""
    root = tmp_path_factory.mktemp("mirror")
    for path, data in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    (root / "wet.paths.gz").write_bytes(gzip.compress(LISTING))
    return root


def rows(source: Source) -> list[tuple[str, str, object]]:
    """Path, id and text of each row."""
    made = []
    for file in expand([source]).files:
        for part in read.rows_of(file):
            assert part.bad.num_rows == 0
            made += [(file.path, row["id"], row["text"]) for row in part.documents.to_pylist()]
    return made


def test_a_list_names_the_same_rows_from_a_disk_and_a_server_and_as_a_crawl(server: Server, disk: Path, tmp_path: Path) -> None:
    local = rows(Source(paths=(f"{disk}/wet.paths.gz",), base=str(disk)))
    assert len(local) == 36 and local[0][0] == f"{CRAWL}/segments/0.0/wet/CC-00000.warc.wet.gz"
    (tmp_path / "some.paths").write_text("\r\n".join(["", server.address + PATHS[0], *PATHS[1:]]))
    assert rows(Source(paths=(f"cc://{CRAWL}/wet",), base=server.address)) == local
    (tmp_path / "prefixed.paths").write_text("\n".join("s3://commoncrawl/" + path for path in PATHS))
    remote = server.address + f"crawl-data/{CRAWL}/wet.paths.gz"
    for path, base in (
        (f"{tmp_path}/some.paths", server.address),
        (remote, server.address),
        (f"{tmp_path}/prefixed.paths", disk),
    ):
        files = expand([Source(paths=(path,), base=str(base))]).files
        assert [(file.path, file.source) for file in files] == [(f"{CRAWL}/{p[27:]}", CRAWL) for p in sorted(PATHS)]


def test_a_server_that_throttles_and_cuts_gives_the_same_rows(server: Server, disk: Path) -> None:
    server.faults = [
        Fault("busy", method="ANY", times=5, after=3),
        Fault("busy", match="/segments/", times=3, status=403),
        *(Fault("cut", match=f"CC-0000{n}", times=6) for n in (1, 2, 3)),
        Fault("page", match="CC-00007", times=2),
        Fault("wrong", match="CC-00008", times=2),
    ]
    assert rows(Source(paths=(f"cc://{CRAWL}/wet",), base=server.address)) == rows(
        Source(paths=(f"{disk}/wet.paths.gz",), base=str(disk))
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gzip.compress(LISTING)[:-40], r"cannot be read behind line \d+ \(the gzip stream ends .*fetch it again"),
        (LISTING + b"crawl-data/../../etc/passwd\n", r"line 13 is 'crawl-data/../../etc/passwd'; expected a path below http"),
        (b"crawl-data/%2e%2e/x.gz\n", "line 1 is"),
        (b"crawl-data/a%2Fb/x.gz\n", "line 1 is"),
        (b"crawl-data/%00/x.gz\n", "line 1 is"),
        (LISTING + b"\nfile:///etc/passwd\n", "line 14 is 'file:///etc/passwd'; expected a path below"),
        (b"/etc/passwd\n", "line 1 is '/etc/passwd'"),
        (b"http://169.254.169.254/latest/meta-data\n", "line 1 is 'http://169.254.169.254/latest/meta-data'"),
        (b"https://data.commoncrawl.org.evil.org/a.gz\n", "line 1 is 'https://data.commoncrawl.org.evil"),
        (b"https://data.commoncrawl.org/../a.gz\n", "line 1 is"),
        (b"//evil.org/a.gz\n", "line 1 is '//evil.org/a.gz'"),
        (b"crawl-data/a\x1b[31m.gz\n", r"line 1 is 'crawl-data/a\[U\+001B\]"),
        (b"crawl-data/\xff.gz\n", r"line 1 is"),
        (b"crawl-data/a b.gz\n", "line 1 is"),
        (b"crawl-data/a.gz?x=1\n", "line 1 is"),
        (b"crawl-data/\\..\\a.gz\n", "line 1 is"),
        (b"a/" * 600 + b"\n", "line 1 has more than 1,024 characters"),
        (b"a/" * 600_000, "line 1 has more than 1,024 characters"),
        (b"<!DOCTYPE html><html><body>no such key</body></html>", "line 1 is '<!DOCTYPE html>"),
        (b"PK\x03\x04" + bytes(100), "a zip archive; unpack it; expected a list of paths"),
        (f"{PATHS[0]}\n{PATHS[1]}\n\n{PATHS[0]}\n".encode(), "line 4 is line 1 again"),
        (b"", "empty"),
        (gzip.compress(b"\n\n"), "an empty list"),
        (f"{PATHS[0]}\ncrawl-data/{CRAWL}/segments/9/nothing.gz\n".encode(), r"line 2: http.*nothing\.gz is not there"),
    ],
)
def test_a_list_with_a_fault_is_refused_by_its_line(server: Server, tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "wet.paths.gz").write_bytes(data)
    with pytest.raises(InputError, match=words):
        expand([Source(paths=(f"{tmp_path}/wet.paths.gz",), base=server.address)])
    assert not any(line.startswith("GET") for line in server.asked)


def test_a_list_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "MOST_LINES", 1_000)
    (tmp_path / "wet.paths.gz").write_bytes(gzip.compress(b"".join(b"a/%d.gz\n" % n for n in range(10_000))))
    with pytest.raises(InputError, match="line 1001: expected at most 1,000 paths"):
        expand([Source(paths=(f"{tmp_path}/wet.paths.gz",), base=str(tmp_path))])


def test_a_list_in_a_folder_is_passed_over_by_name(disk: Path) -> None:
    (passed,) = expand([Source(paths=(str(disk),))]).passed_over
    assert (passed.reason, passed.files) == ("a list of paths; it is read where it is named by itself", 1)


def test_a_choice_of_files_is_one_by_hash_and_grows(server: Server) -> None:
    def chosen(query: str) -> set[str]:
        return {file.path for file in expand([Source(paths=(f"cc://{CRAWL}/wet?{query}",), base=server.address)]).files}

    assert len(chosen("files=4")) == 4 and chosen("files=4") < chosen("files=5") < chosen("files=12")
    assert chosen("files=4") != chosen("files=4&seed=1")
    assert chosen("share=1") == chosen("files=12")
    assert chosen("share=0.3") <= chosen("share=0.6")


def test_the_choice_stays_what_it_is() -> None:
    """A choice that changed would read other files into outputs that are there."""
    assert crawls.crawl_of(f"cc://{CRAWL}/wet?files=2").chosen(PATHS) == [PATHS[5], PATHS[8]]
    assert crawls.crawl_of(f"cc://{CRAWL}/wet?share=.2&seed=3").chosen(PATHS) == [PATHS[9], PATHS[10], PATHS[11]]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("cc://CC-MAIN-2026-05", "expected cc://CC-MAIN-YEAR-WEEK/wet"),
        ("cc://CC-MAIN-2026-05/wat", "expected cc://"),
        ("cc://../../wet", "expected cc://"),
        ("cc://CC-MAIN-2026-05/wet?segments=3", "expected cc://.*files=20"),
        ("cc://CC-MAIN-2026-05/wet?files=3&share=.1", "expected cc://"),
        ("cc://CC-MAIN-2026-05/wet?files=3&files=4", "expected cc://"),
        ("cc://CC-MAIN-2026-05/wet?files=many", "invalid literal.*expected cc://"),
        ("cc://CC-MAIN-2026-05/wet?files=0", "files is 1 or more"),
        ("cc://CC-MAIN-2026-05/wet?share=nan", "share above 0"),
        ("cc://CC-MAIN-2026-05/wet?share=1.5", "share above 0"),
        ("cc://CC-MAIN-2026-05/wet?files=13", "files=13: the crawl has 12"),
        ("cc://CC-MAIN-2026-05/wet?share=0.000001", "none of the crawl's 12 files"),
        ("cc://CC-MAIN-2030-01/wet", "is not there; .*names of all crawls"),
    ],
)
def test_addresses_that_are_none(server: Server, address: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        expand([Source(paths=(address,), base=server.address)])


def test_a_crawls_list_names_files_of_that_crawl_alone(server: Server) -> None:
    server.files[f"crawl-data/{CRAWL}/wet.paths.gz"] = gzip.compress(b"crawl-data/CC-MAIN-2020-05/x.gz\n")
    with pytest.raises(InputError, match=rf"line 1 is .* such as crawl-data/{CRAWL}/segments"):
        expand([Source(paths=(f"cc://{CRAWL}/wet",), base=server.address)])


def test_what_is_pinned_is_not_asked_for_again_and_is_checked(server: Server) -> None:
    source = Source(paths=(f"cc://{CRAWL}/wet?files=2",), base=server.address)
    (listed,) = expand([source]).listed
    server.asked.clear()
    assert expand([source], pinned={listed.key: listed}).files == expand([source], pinned={listed.key: listed}).files
    assert server.asked == []
    foreign = Listed(key=listed.key, below=listed.below, files=(ListedFile(line="../../etc/passwd", size=1, identity=""),))
    elsewhere = Listed(key=listed.key, below="/etc/", files=listed.files)
    for pin in (foreign, elsewhere):
        assert len(expand([source], pinned={listed.key: pin}).files) == 2
