"""Whole runs on object stores in memory: the same bytes as on a disk, one committer, and clear words where it cannot go on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import fsspec
import pytest

from pipeline.report import publish
from pipeline.store import remote
from tests.store.fakes import FakeStore, InParts
from tests.support import digests, prose, winnow, write_rows


@pytest.fixture
def memory():
    fs = fsspec.filesystem("memory")
    yield fs
    if fs.exists("/runs"):
        fs.rm("/runs", recursive=True)


@pytest.fixture
def fake(monkeypatch):
    """`memory://` leads to this one store, and its root to /bucket/…"""
    made = FakeStore()
    monkeypatch.setattr(remote, "filesystem", lambda url, error: (made, made._strip_protocol(url)))
    return made


def rows(tmp_path: Path, name: str, numbers: range) -> Path:
    return write_rows(tmp_path / "in" / name, [{"id": str(k), "text": prose(k)} for k in numbers])


def shards(fs, root: str) -> dict[str, str]:
    """As `tests.support.digests`, of a store."""
    found = {}
    for folder in ("data", "rejected", "ledger"):
        for path in fs.find(f"{root}/{folder}") if fs.exists(f"{root}/{folder}") else []:
            found[f"{folder}/{path.rsplit('/', 1)[-1]}"] = hashlib.sha256(fs.cat_file(path)).hexdigest()
    return found


def test_generations_on_a_store_have_the_bytes_of_those_on_a_disk(capsys, tmp_path, memory):
    disk, url = tmp_path / "out", "memory://runs/out"
    steps = [("a.jsonl", range(40), []), ("b.jsonl", range(20, 60), []), ("c.jsonl", range(60, 70), ["--replace"])]
    for name, numbers, flags in steps:
        rows(tmp_path, name, numbers)
        for out in (disk, url):
            ran = winnow(
                capsys, "minimal", "--input", tmp_path / "in", "--output", out, *flags, "--set", "source.unit_bytes=20000"
            )
            assert ran.code == 0, ran.err
        assert shards(memory, "/runs/out") == digests(disk)
    assert [p.rsplit("/", 1)[-1] for p in memory.find("/runs/out/manifests")] == [f"00000{g}.json" for g in (1, 2, 3)]
    metrics = json.loads(memory.cat_file("/runs/out/metrics.json"))
    assert metrics["live"] == [3]
    stores = metrics["cost"]["stores"]
    assert stores["output"]["remote"] and stores["output"]["requests"] and stores["output"]["bytes_written"]
    assert not stores["input"]["remote"] and not stores["input"]["requests"]


def test_work_and_output_may_lie_apart(capsys, tmp_path, memory):
    text = rows(tmp_path, "a.jsonl", range(20))
    assert winnow(capsys, "minimal", "--input", text, "--output", tmp_path / "disk").code == 0
    for out, work in (("memory://runs/out", tmp_path / "work"), (tmp_path / "out", "memory://runs/work")):
        ran = winnow(capsys, "minimal", "--input", text, "--output", out, "--work", work)
        assert ran.code == 0, ran.err
    assert shards(memory, "/runs/out") == digests(tmp_path / "disk") == digests(tmp_path / "out")


def test_clean_leaves_no_work_directory(capsys, tmp_path, memory):
    text = rows(tmp_path, "a.jsonl", range(5))
    assert winnow(capsys, "minimal", "--input", text, "--output", "memory://runs/out", "--clean").code == 0
    assert not [path for path in memory.find("/runs/out") if ".work" in path]


def test_a_write_that_fails_anywhere_ends_the_run_and_the_same_command_gives_the_same_bytes(capsys, tmp_path, fake):
    text = rows(tmp_path, "a.jsonl", range(30))
    arguments = ("minimal", "--input", text, "--output", "memory://bucket/out", "--workers", "1")
    assert winnow(capsys, *arguments).code == 0
    expected = shards(fake, "/bucket/out")
    for limit in (3, 8, 12, 17, 22, 27, 31, 34):
        fake.store.clear()
        count = 0

        def fail(operation: str, path: str, limit: int = limit) -> None:
            nonlocal count
            count += operation == "put"
            if operation == "put" and count >= limit:
                raise OSError(121, "InternalError")

        fake.fail = fail
        ran = winnow(capsys, *arguments)
        assert ran.code in (1, 2) and "InternalError" in ran.err and "Traceback" not in ran.err, (limit, ran.err)
        fake.fail = lambda operation, path: None
        fake.clock.pass_(1000)
        assert winnow(capsys, *arguments).code == 0, limit
        assert shards(fake, "/bucket/out") == expected, limit


def test_no_conditional_writes_exit_2_and_unlocked_runs_and_says_so(capsys, tmp_path, fake):
    fake.conditional = False
    text = rows(tmp_path, "a.jsonl", range(5))
    arguments = ("minimal", "--input", text, "--output", "memory://bucket/out")
    ran = winnow(capsys, *arguments)
    assert ran.code == 2 and "--unlocked" in ran.err and fake.find("/") == []
    ran = winnow(capsys, *arguments, "--unlocked")
    assert ran.code == 0, ran.err
    made = json.loads(fake.cat_file("/bucket/out/manifests/000001.json"))
    assert [note for note in made["metrics"]["notes"] if note.startswith("--unlocked: memory://bucket/out has no conditional")]
    assert not fake.exists("/bucket/out/.lock")


def test_a_run_that_was_taken_over_publishes_nothing(capsys, tmp_path, fake, monkeypatch):
    text = rows(tmp_path, "a.jsonl", range(5))
    real = publish.rendered

    def slow(*arguments, **named):  # for two minutes, in which another run took the lock
        fake.pipe_file("/bucket/out/.lock/000002", b'{"released": false, "holder": "process 7 on node-b", "token": "x"}')
        return real(*arguments, **named)

    monkeypatch.setattr(publish, "rendered", slow)
    ran = winnow(capsys, "minimal", "--input", text, "--output", "memory://bucket/out")
    assert ran.code == 1 and "process 7 on node-b took it over" in ran.err, ran.err
    assert not fake.exists("/bucket/out/manifests") and not fake.exists("/bucket/out/README.md")
    assert fake.exists("/bucket/out/.lock/000002")


def test_a_generation_that_another_run_committed_is_not_overwritten(capsys, tmp_path, fake, monkeypatch):
    text = rows(tmp_path, "a.jsonl", range(5))
    real = publish.rendered

    def slow(*arguments, **named):
        fake.pipe_file("/bucket/out/manifests/000001.json", b"another run's")
        return real(*arguments, **named)

    monkeypatch.setattr(publish, "rendered", slow)
    ran = winnow(capsys, "minimal", "--input", text, "--output", "memory://bucket/out")
    assert ran.code == 1 and "another run committed this generation" in ran.err, ran.err
    assert fake.cat_file("/bucket/out/manifests/000001.json") == b"another run's"


def test_an_output_that_a_live_run_holds_exits_1_and_says_how_long(capsys, tmp_path, fake):
    text = rows(tmp_path, "a.jsonl", range(5))
    fake.pipe_file("/bucket/out/.lock/000003", b'{"released": false, "holder": "process 7 on node-b", "token": "x"}')
    ran = winnow(capsys, "minimal", "--input", text, "--output", "memory://bucket/out")
    assert (
        ran.code == 1 and "locked by a live run (process 7 on node-b)" in ran.err and "its lock ends at 00:02:00 UTC" in ran.err
    )


def test_a_folder_with_other_things_is_no_output(capsys, tmp_path, fake):
    text = rows(tmp_path, "a.jsonl", range(5))
    fake.pipe_file("/bucket/out/thesis.doc", b"x")
    ran = winnow(capsys, "minimal", "--input", text, "--output", "memory://bucket/out")
    assert ran.code == 2 and "is not an output of Winnow" in ran.err
    ran = winnow(capsys, "minimal", "--input", "memory://bucket/new/a.jsonl", "--output", "memory://bucket/new")
    assert ran.code == 2
    fake.pipe_file("/bucket/new/data/a.jsonl", text.read_bytes())
    fake.pipe_file("/bucket/new/.winnow-output", b"")
    ran = winnow(capsys, "minimal", "--input", "memory://bucket/new/data/a.jsonl", "--output", "memory://bucket/new")
    assert ran.code == 2 and "lies in the output folder" in ran.err


@pytest.fixture
def tagged(monkeypatch, tmp_path):
    """`s3://` leads to this store, whose files have ETags; other URLs to folders below `tmp_path`."""
    made = InParts()
    monkeypatch.setattr(remote, "filesystem", lambda url, error: (made, made._strip_protocol(url)))
    return made


def test_what_a_store_knows_unchanged_is_not_read_again(capsys, tmp_path, tagged):
    tagged.pipe_file("/crawl/a.jsonl", rows(tmp_path, "a.jsonl", range(9)).read_bytes())
    arguments = ("minimal", "--input", "s3://crawl", "--output", tmp_path / "out")
    assert winnow(capsys, *arguments).code == 0
    tagged.opened.clear()
    ran = winnow(capsys, *arguments)
    assert ran.code == 0 and "nothing new" in ran.out and tagged.opened == []
    tagged.pipe_file("/crawl/b.jsonl", rows(tmp_path, "b.jsonl", range(9, 12)).read_bytes())
    ran = winnow(capsys, *arguments)
    assert ran.code == 0 and set(tagged.opened) == {"/crawl/b.jsonl"}
    tagged.pipe_file("/crawl/a.jsonl", rows(tmp_path, "a.jsonl", range(10, 19)).read_bytes())
    ran = winnow(capsys, *arguments)
    assert ran.code == 1 and "crawl/a.jsonl" in ran.err and "changed since" in ran.err


def test_an_input_that_moved_from_a_disk_to_a_store_is_known_by_one_read(capsys, tmp_path, tagged):
    text = rows(tmp_path, "a.jsonl", range(9))
    assert winnow(capsys, "minimal", "--input", text, "--output", tmp_path / "out").code == 0
    tagged.pipe_file("/in/a.jsonl", text.read_bytes())
    ran = winnow(capsys, "minimal", "--input", "s3://in", "--output", tmp_path / "out")
    assert ran.code == 0 and "nothing new" in ran.out and tagged.opened == ["/in/a.jsonl"], ran.err


def test_an_input_that_changes_after_it_was_listed_is_noticed(capsys, tmp_path, tagged, monkeypatch):
    first, second = (rows(tmp_path, name, range(k, k + 9)).read_bytes() for name, k in (("a.jsonl", 10), ("b.jsonl", 20)))
    assert first != second
    tagged.pipe_file("/crawl/a.jsonl", first)
    real = tagged._open

    def late(path, mode="rb", *more, **options):
        if mode == "rb":
            tagged.pipe_file("/crawl/a.jsonl", second[: len(first)].ljust(len(first)))
        return real(path, mode, *more, **options)

    monkeypatch.setattr(tagged, "_open", late)
    ran = winnow(capsys, "minimal", "--input", "s3://crawl", "--output", tmp_path / "out")
    assert ran.code == 1 and "the file changed while it was read" in ran.err, ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--output", "s3://key:hunter2@bucket/out"),
        ("--work", "s3://key:hunter2@bucket/work"),
        ("--input", "s3://bucket/a.jsonl?X-Amz-Signature=hunter2"),
        ("--explain", "--output", "s3://key:hunter2@bucket/out"),
        ("s3://key:hunter2@bucket/plan.yaml",),
    ],
)
def test_a_secret_in_a_url_is_refused_and_repeated_nowhere(capsys, tmp_path, arguments):
    text = rows(tmp_path, "a.jsonl", range(3))
    given = [] if "--input" in arguments else ["--input", str(text)]
    given += [] if "--output" in arguments else ["--output", str(tmp_path / "out")]
    ran = winnow(capsys, *arguments, *given)
    assert ran.code == 2 and "credentials come from the environment" in ran.err, ran.err
    assert "hunter2" not in ran.err + ran.out
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
