"""A crawl over a server that throttles, cuts and lies: the bytes of the same files on a disk, or a refusal that names it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.store import http_host
from tests.store.web import Fault, Server, served
from tests.support import digests, prose, winnow

CRAWL = "CC-MAIN-2026-05"
PATHS = [f"crawl-data/{CRAWL}/segments/{n}/wet/CC-{n:05}.warc.wet.gz" for n in range(4)]
LISTING = f"crawl-data/{CRAWL}/wet.paths.gz"


def wet(number: int) -> bytes:
    made = []
    for record in range(6):
        body = prose(number * 4 + record).encode()  # two of the next file
        head = f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Record-ID: <urn:{number}-{record}>\r\nContent-Type: text/plain\r\n"
        made.append(gzip.compress(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body + b"\r\n\r\n", mtime=0))
    return b"".join(made)


FILES = {path: wet(number) for number, path in enumerate(PATHS)}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(http_host, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(http_host, "LONGEST_PAUSE_S", 0.002)
    with served({**FILES, LISTING: gzip.compress("\n".join(PATHS).encode())}) as made:
        yield made


def asked(server: Server, out: Path) -> list[str]:
    base = f"--set=source.base={server.address}"
    return ["minimal", "--input", f"cc://{CRAWL}/wet", base, "--set=checks.plants=0", "--output", str(out), "--retries=0"]


def test_a_killed_run_goes_on_with_its_list_and_comes_to_the_bytes_of_a_disk(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults = [
        Fault("busy", times=2, status=429, headers={"Retry-After": "0"}),
        Fault("cut", match="CC-00000", times=3),
        Fault("busy", match="CC-00003", after=1),
    ]
    out = tmp_path / "out"
    ended = winnow(capsys, *asked(server, out), "--workers=1")
    assert ended.code == 1 and "the server answers 503 (8 tries)" in ended.err and "the same command resumes" in ended.err
    server.faults.clear()
    server.asked.clear()
    server.files[LISTING] = gzip.compress(PATHS[3].encode())
    ended = winnow(capsys, *asked(server, out))
    assert ended.code == 0 and "the 4 files that the run began with; --fresh reads the list anew" in " ".join(ended.out.split())
    counts = server.counts()
    assert counts["GET wet.paths.gz"] == counts["HEAD CC-00000.warc.wet.gz"] == 0
    # How each begins is looked at; of those that were read no more.
    assert [counts[f"GET CC-0000{n}.warc.wet.gz"] for n in range(4)] == [1, 1, 1, 2]
    for path, data in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "wet.paths").write_text("\n".join(PATHS))
    local = ["minimal", "--input", f"{tmp_path}/wet.paths", f"--set=source.base={tmp_path}", "--set=checks.plants=0"]
    assert winnow(capsys, *local, "--output", tmp_path / "local").code == 0
    folders = ("data", "rejected", "ledger", "quarantine")
    assert digests(out, folders) == digests(tmp_path / "local", folders)
    assert not list((out / ".work/lists").glob("*"))


def test_a_list_that_was_mended_after_a_run_that_failed_is_read_as_it_is(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files["bad.warc.gz"] = gzip.compress(b"no archive\n" * 100)
    (tmp_path / "some.paths").write_text(f"{PATHS[0]}\nbad.warc.gz\n")
    command = [*asked(server, tmp_path / "out"), "--input", str(tmp_path / "some.paths")]
    command[1:3] = []
    assert winnow(capsys, *command).code == 1
    (tmp_path / "some.paths").write_text(f"{PATHS[0]}\n")
    assert winnow(capsys, *command).code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faults", "etags", "words"),
    [
        ([Fault("bytes", match="CC-00001", after=1)], True, "file .*CC-00001.* unreadable"),
        ([Fault("bytes", match="CC-00001", after=2)], False, "the file changed while it was read"),
        ([Fault("page", match="CC-00001")], True, "a web page .text/html. in place of a .gz file"),
        ([Fault("page", match=LISTING)], True, "a web page .text/html. in place of a .gz file"),
        (
            [Fault("away", match="CC-00001", headers={"Location": "http://169.254.169.254/"})],
            True,
            "another one, 169.254.169.254",
        ),
        ([Fault("busy", match="CC-00002", status=404)], True, "changed while it was read"),
        ([Fault("busy", match="CC-00002", status=404, method="HEAD")], True, "line 3: .*CC-00002.warc.wet.gz is not there"),
        ([Fault("longer", match="CC-00002")], True, "the server said that the file has"),
    ],
)
def test_a_server_that_lies_ends_the_run_by_name(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], faults: list[Fault], etags: bool, words: str
) -> None:
    server.faults, server.etags = faults, etags
    ended = winnow(capsys, *asked(server, tmp_path / "out"))
    assert ended.code in (1, 2) and re.search(words, " ".join(ended.err.split())), ended.err
    assert not (tmp_path / "out/manifest.json").exists()
