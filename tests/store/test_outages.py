"""A store that is busy, slow, cuts connections, loses answers, has another clock: the real command against a real server.

What passes costs time and changes no byte; what does not ends the run in words, and the same command resumes it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import fsspec
import pytest

from flows import retry
from pipeline.store import lease
from pipeline.store.remote_folder import RemoteFolder
from pipeline.store.store import open_store
from tests.faults import common
from tests.store.outages import Outage
from tests.store.s3 import BUCKET, STALE_S, served, shards
from tests.support import curate, digests, prose, winnow, write_rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("disk")
    (folder / "in").mkdir()
    curate(*common.command(common.inputs(folder / "in"), folder / "out"))
    return digests(folder / "out")


@pytest.fixture(scope="module")
def inputs(s3: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    for path in common.inputs(tmp_path_factory.mktemp("in")).iterdir():
        s3.put_file(str(path), f"{BUCKET}/in/{path.name}")
    return f"s3://{BUCKET}/in"


def command(inputs: str, out: str) -> tuple[str | Path, ...]:
    return common.command(inputs, f"s3://{BUCKET}/{out}")


@pytest.mark.parametrize(
    "outage",
    [
        Outage("busy", every=9, burst=3),
        Outage("slow", seconds=0.1),
        Outage("cut answer", every=7, methods=("GET", "HEAD")),
        Outage("cut request", every=7, methods=("PUT", "POST")),
        Outage("cut answer", every=7, methods=("PUT", "POST", "DELETE")),
    ],
    ids=["busy", "slow", "reads cut", "writes cut", "answers to writes cut"],
)
def test_an_outage_that_passes_changes_no_byte(capsys, s3, server, inputs, on_disk, outage):
    before = len(server.faults())
    out = f"passes-{before}"
    with server.meeting(outage):
        done = winnow(capsys, *command(inputs, out))
    assert done.code == 0, done.err
    assert len(server.faults()) - before > 10
    assert shards(s3, f"{BUCKET}/{out}") == on_disk
    assert [path.rsplit("/", 1)[-1] for path in s3.find(f"{BUCKET}/{out}/manifests")] == ["000001.json"]


def test_an_outage_that_lasts_ends_the_run_in_words_and_the_same_command_resumes_it(
    capsys, s3, server, inputs, on_disk, monkeypatch
):
    monkeypatch.setattr(retry, "BACK_OFF_S", 0.0)
    monkeypatch.setattr(type(s3), "retries", 1)  # of s3fs; there are others in the client below it
    out, lasts = "lasts", Outage("cut request", methods=("PUT", "POST"), match="/lasts/.work/judgements/")
    with server.meeting(lasts):
        ran = winnow(capsys, *command(inputs, out))
    assert ran.code == 1 and "Traceback" not in ran.err, ran.err
    assert f"{out}/.work/judgements/" in ran.err and "run the same command, it resumes" in ran.err
    assert not s3.exists(f"{BUCKET}/{out}/manifests")
    annotated = {path: s3.info(path)["ETag"] for path in s3.find(f"{BUCKET}/{out}/.work/documents")}
    before = len(server.requests())
    assert winnow(capsys, *command(inputs, out)).code == 0
    assert shards(s3, f"{BUCKET}/{out}") == on_disk
    wrote = {line.split()[1].lstrip("/") for line in server.requests()[before:] if line.startswith("PUT")}
    assert annotated and not wrote & annotated.keys(), "what was finished before is done again"


def test_a_large_upload_whose_parts_and_end_are_cut_is_whole_all_the_same(s3, server):
    store = open_store(f"s3://{BUCKET}/parts")
    data = os.urandom(40 << 20)
    for number, outage in enumerate(
        (
            Outage("cut request", every=2, methods=("PUT",)),
            Outage("cut answer", every=2, methods=("PUT",)),
            Outage("busy", every=2, methods=("POST",)),
            Outage("cut answer", every=2, burst=1, methods=("POST",)),
        )
    ):
        with server.meeting(outage):
            store.write_bytes(f"whole-{number}", data)
        assert store.read_bytes(f"whole-{number}") == data
    with server.meeting(Outage("cut answer", every=2, methods=("GET",))):
        assert store.read_bytes("whole-0") == data
    left = [upload["Key"] for upload in s3.list_multipart_uploads(BUCKET)]
    assert left in ([], ["parts/whole-3"]), "but that one whose beginning was carried out and not answered"


def test_a_run_whose_lock_was_stolen_commits_nothing(capsys, s3, inputs, on_disk, monkeypatch):
    """Another run took over while this one put its shards in place, and works now."""
    place, lock = RemoteFolder.place, f"{BUCKET}/stolen/.lock/000007"

    def stolen(self: RemoteFolder, *arguments: Any) -> None:
        if not s3.exists(lock):
            s3.pipe_file(lock, lease._encode("thief", released=False))
        place(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(RemoteFolder, "place", stolen)
        ran = winnow(capsys, *command(inputs, "stolen"))
    assert ran.code == 1 and "lost its lock" in ran.err and "took it over" in ran.err and "Traceback" not in ran.err, ran.err
    assert not s3.exists(f"{BUCKET}/stolen/manifests")
    again = winnow(capsys, *command(inputs, "stolen"))
    assert again.code == 1 and "is locked by a live run" in again.err, again.err
    s3.pipe_file(lock, lease._encode("thief", released=True))
    assert winnow(capsys, *command(inputs, "stolen")).code == 0
    assert shards(s3, f"{BUCKET}/stolen") == on_disk


@pytest.mark.parametrize("ahead", [3600, -3600], ids=["an hour ahead", "an hour behind"])
def test_a_store_whose_clock_is_an_hour_off_decides_alone_who_holds_the_lock_and_what_stays(capsys, tmp_path, monkeypatch, ahead):
    with served(tmp_path, clock_s=ahead) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        s3 = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
        type(s3).clear_instance_cache()  # they know the other server
        monkeypatch.setattr(lease, "STALE_S", STALE_S)
        rows = write_rows(tmp_path / "in/a.jsonl", [{"text": prose(k)} for k in range(9)])
        given = ("minimal", "--input", rows, "--output", f"s3://{BUCKET}/clock", "--set", "output.keep_replaced=1h")
        lock = f"{BUCKET}/clock/.lock/000001"
        s3.pipe_file(lock, lease._encode("another machine's", released=False))
        held = winnow(capsys, *given)
        assert held.code == 1 and "is locked by a live run" in held.err, held.err
        time.sleep(STALE_S + 1)
        assert winnow(capsys, *given).code == 0  # which it was not before its time had passed on the store's clock
        assert winnow(capsys, *given, "--replace").code == 0
        assert winnow(capsys, *given).code == 0
        assert sorted(path[-13:-8] for path in s3.find(f"{BUCKET}/clock/data")) == ["g0001", "g0002"], "an hour has not passed"
        with server.meeting(Outage("clock")):
            refused = winnow(capsys, *given)
        assert refused.code == 2 and "set the clock of this machine" in refused.err, refused.err
    type(s3).clear_instance_cache()
