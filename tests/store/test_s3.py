"""Input, work directory and output on S3: a real server of its protocol in another process, the real command in others."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.store.s3 import BUCKET, STALE_S, command, run, shards
from tests.support import ROOT, SAMPLE, curate, digests, prose, write_rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("disk") / "out"
    curate(*SAMPLE_RUN, "--input", SAMPLE / "input", "--output", out)
    return out


@pytest.fixture(scope="module")
def inputs(s3: Any) -> str:
    for path in sorted((SAMPLE / "input").iterdir()):
        s3.put_file(str(path), f"{BUCKET}/input/{path.name}")
    return f"s3://{BUCKET}/input"


SAMPLE_RUN = (str(SAMPLE / "plan.yaml"), "--set", "source.unit_bytes=60000")


def test_the_server_honours_create_only_writes_also_at_the_end_of_an_upload_in_parts(s3):
    s3.pipe_file(f"{BUCKET}/probe", b"1", mode="create")
    with pytest.raises(OSError, match="pre-conditions"):
        s3.pipe_file(f"{BUCKET}/probe", b"2", mode="create")
    file = s3.open(f"{BUCKET}/probe", "xb", block_size=5 << 20, autocommit=False)
    file.write(b"3" * (11 << 20))
    file.close()
    with pytest.raises(OSError, match="pre-conditions"):
        file.commit()
    file.discard()
    assert s3.cat_file(f"{BUCKET}/probe") == b"1"


def test_an_upload_in_parts_is_whole_or_not_there(s3):
    from pipeline.store.store import open_store

    store = open_store(f"s3://{BUCKET}/uploads/")
    data = os.urandom(40 << 20)
    with store.writer("whole") as file:
        file.write(data)
        assert not store.has("whole")
    assert store.read_bytes("whole") == data
    with pytest.raises(KeyError), store.writer("half") as file:
        file.write(data)
        raise KeyError
    assert store.names("") == ["whole"] and not s3.list_multipart_uploads(BUCKET)
    store.remove("")


def test_input_work_and_output_on_s3_give_the_bytes_of_a_local_run(s3, inputs, on_disk, server):
    out = f"s3://{BUCKET}/same"
    done = run(*SAMPLE_RUN, "--input", inputs, "--output", out, "--json")
    assert done.returncode == 0, done.stderr
    assert shards(s3, f"{BUCKET}/same") == digests(on_disk)
    stores = json.loads(done.stdout)["metrics"]["cost"]["stores"]
    assert all(stores[name]["remote"] and stores[name]["requests"] for name in ("input", "work", "output"))
    text = b"".join(s3.cat_file(path) for path in s3.find(f"{BUCKET}/same") if not path.endswith(".parquet"))
    assert b"not-a-secret" not in text

    before = len(server.requests())
    done = run(*SAMPLE_RUN, "--input", inputs, "--output", out)
    assert done.returncode == 0 and "nothing new" in done.stdout, done.stderr
    asked = server.requests()[before:]
    assert not [line for line in asked if line.startswith(f"GET /{BUCKET}/input/")]  # known by ETag
    assert len(asked) < 60, asked


def test_increments_and_a_replacement_have_the_bytes_of_local_ones(s3, tmp_path):
    disk, out = tmp_path / "out", f"s3://{BUCKET}/increments"
    steps = [("a.jsonl", range(60), []), ("b.jsonl", range(30, 90), []), ("c.jsonl", range(90, 99), ["--replace"])]
    for name, numbers, flags in steps:
        path = write_rows(tmp_path / "in" / name, [{"id": str(k), "text": prose(k)} for k in numbers])
        s3.put_file(str(path), f"{BUCKET}/crawl/in/{name}")
        curate("minimal", "--input", tmp_path / "in", "--output", disk, *flags)
        done = run("minimal", "--input", f"s3://{BUCKET}/crawl/in/*.jsonl", "--output", out, *flags)
        assert done.returncode == 0, done.stderr
        assert shards(s3, f"{BUCKET}/increments") == digests(disk)


def chosen(events: list[str]) -> list[int]:
    """The first point of each kind of change, and the last of all."""
    kinds: dict[tuple[str, ...], int] = {}
    for number, event in enumerate(events, start=1):
        words = event.split()
        kinds.setdefault((*words[:2], *(words[2].split("/")[:1] if len(words) > 2 else ())), number)
    every = sorted(kinds.values())
    return [*every[:: max(1, len(every) // 6)], len(events)]


def test_killed_anywhere_the_same_command_gives_the_same_bytes(s3, inputs, on_disk, tmp_path):
    first = run(*SAMPLE_RUN, "--input", inputs, "--output", f"s3://{BUCKET}/points", kill=0, events=tmp_path / "events")
    assert first.returncode == 0, first.stderr
    events = (tmp_path / "events").read_text().splitlines()
    assert any("_complete" in event for event in events) and any("create manifests" in event for event in events)
    for number in chosen(events):
        out = f"{BUCKET}/killed-{number}"
        arguments = (*SAMPLE_RUN, "--input", inputs, "--output", f"s3://{out}")
        killed = run(*arguments, kill=number, events=tmp_path / "unused")
        assert killed.returncode == -signal.SIGKILL, (events[number - 1], killed.stderr)
        for _ in range(20):
            again = run(*arguments, kill=10**9, events=tmp_path / "unused")
            if again.returncode != 1 or "its lock ends at" not in again.stderr:
                break
            time.sleep(1)
        assert again.returncode == 0, (events[number - 1], again.stderr)
        assert shards(s3, out) == digests(on_disk), events[number - 1]
        for name in ("README.md", "metrics.json", "report.html", "plan.resolved.yaml", "manifest.json"):
            assert s3.exists(f"{out}/{name}"), (events[number - 1], name)


def test_of_two_runs_for_one_output_one_commits_and_the_other_says_who_holds_it(s3, inputs):
    out = f"{BUCKET}/race"
    arguments = (*SAMPLE_RUN, "--input", inputs, "--output", f"s3://{out}", "--work")
    commands = [command(*arguments, f"s3://{BUCKET}/race-work-{k}") for k in (1, 2)]
    processes = [subprocess.Popen(c, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for c in commands]
    said = [process.communicate(timeout=180)[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1], said
    loser = said[0] if processes[0].returncode else said[1]
    assert "is locked by a live run (process " in loser and "Traceback" not in loser
    assert [path.rsplit("/", 1)[-1] for path in s3.find(f"{out}/manifests")] == ["000001.json"]


def test_a_run_that_slept_through_its_lock_commits_nothing(s3, inputs, tmp_path):
    """Stopped (SIGSTOP) at its commit for longer than a lock lives, while another run takes over and commits."""
    out = f"{BUCKET}/slept"
    arguments = (*SAMPLE_RUN, "--input", inputs, "--output", f"s3://{out}")
    environment = {**os.environ, "WINNOW_TEST_STALE_S": str(STALE_S)}
    count = tmp_path / "events"
    slow = [sys.executable, "-m", "tests.killed", "0", str(count), *map(str, arguments), "--inline", "--workers", "1"]
    first = subprocess.Popen(slow, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        for _ in range(600):
            if count.exists() and "after place" in count.read_text():
                break
            time.sleep(0.05)
        first.send_signal(signal.SIGSTOP)
        time.sleep(STALE_S + 2)
        second = run(*arguments, "--work", f"s3://{BUCKET}/slept-work", kill=10**9, events=tmp_path / "unused")
    finally:
        first.send_signal(signal.SIGCONT)
    said = first.communicate(timeout=120)[1]
    assert second.returncode == 0, second.stderr
    assert first.returncode == 1 and ("lost its lock" in said or "another run" in said), said
    assert "Traceback" not in said
    manifests = [path.rsplit("/", 1)[-1] for path in s3.find(f"{out}/manifests")]
    assert manifests == ["000001.json"]
    made = json.loads(s3.cat_file(f"{out}/manifest.json"))
    for record in made["files"]:
        assert hashlib.sha256(s3.cat_file(f"{out}/{record['path']}")).hexdigest() == record["sha256"]


@pytest.mark.parametrize(
    ("output", "changed", "said"),
    [
        ("s3://no-such-bucket/out", {}, "cannot be written"),
        (f"s3://{BUCKET}/out", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "credentials"),
        (f"s3://{BUCKET}/out", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "cannot be written"),
    ],
    ids=["bucket", "credentials", "endpoint"],
)
def test_an_output_that_cannot_be_used_is_explained(s3, tmp_path, output, changed, said):
    text = write_rows(tmp_path / "a.jsonl", [{"text": prose(1)}])
    done = run("minimal", "--input", text, "--output", output, **changed)
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and "not-a-secret" not in done.stderr


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("s3://no-such-bucket/in", {}),
        (f"s3://{BUCKET}/nothing-here", {}),
        (f"s3://{BUCKET}/input", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}),
        (f"s3://{BUCKET}/input", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}),
    ],
    ids=["bucket", "nothing", "credentials", "endpoint"],
)
def test_an_input_that_cannot_be_read_is_explained(s3, inputs, tmp_path, source, changed):
    done = run("minimal", "--input", source, "--output", tmp_path / "out", **changed)
    assert done.returncode in (1, 2) and source in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and "not-a-secret" not in done.stderr


def test_an_output_on_s3_can_be_looked_at(s3, inputs, server):
    out = f"s3://{BUCKET}/looked"
    assert run(*SAMPLE_RUN, "--input", inputs, "--output", out).returncode == 0
    look = [sys.executable, "-m", "flows.inspect", "--output", out]
    for arguments in (["sweep", "filters.gopher_quality.min_words=20:60:20"], ["compare", out], ["why", "input/web.jsonl.gz#1"]):
        done = subprocess.run([*look, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, (arguments, done.stderr)
