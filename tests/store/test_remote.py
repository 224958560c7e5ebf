"""`Store` on an object store: a name is whole or not there, and nothing that others rely on is overwritten."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.errors import Damaged, OutputError, RunFailed
from pipeline.store import remote, remote_file
from pipeline.store.remote import Client, identity_of
from pipeline.store.remote_folder import RemoteFolder
from pipeline.store.store import Store, open_output, open_store
from tests.store.fakes import FakeStore, InParts, client


def store(fake: FakeStore | None = None, *, conditional: bool = True) -> Store:
    made = client(fake or FakeStore(conditional=conditional))
    return Store(RemoteFolder(made, "memory://bucket/out", conditional=conditional))


def test_a_file_has_its_name_only_when_it_is_whole():
    out = store()
    with out.writer("data/a") as file:
        file.write(b"one ")
        assert not out.has("data/a") and out.names("data") == []
        file.write(b"two")
    assert out.read_bytes("data/a") == b"one two" and out.size("data/a") == 7
    with pytest.raises(KeyError), out.writer("data/b") as file:
        file.write(b"half")
        raise KeyError
    assert (out.names("data"), out.entries(""), out.bytes_below()) == (["a"], ["data"], 7)
    assert out.folder.client.fs.find("/bucket") == ["/bucket/out/data/a"]


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_an_upload_that_fails_at_any_part_leaves_nothing_and_is_aborted(broken, monkeypatch):
    monkeypatch.setattr(remote_file, "PART_BYTES", 4)
    fake = InParts(broken=broken)
    out = Store(RemoteFolder(Client(fake, "s3"), "s3://bucket/out"))
    with pytest.raises(OSError, match="InternalError") as error, out.writer("data/a") as file:
        file.write(b"0123456789")
    assert error.value.filename == "s3://bucket/out/data/a"
    assert (fake.find(""), fake.aborted) == ([], 1)


def test_an_upload_in_parts_is_whole_and_counted(monkeypatch):
    monkeypatch.setattr(remote_file, "PART_BYTES", 4)
    fake = InParts()
    folder = RemoteFolder(Client(fake, "s3"), "s3://bucket/out")
    out = Store(folder)
    with out.writer("a") as file:
        for piece in (b"012", b"3456789", b"", b"ab"):
            file.write(piece)
        assert fake.find("") == []
    assert fake.cat_file("/bucket/out/a") == b"0123456789ab"
    assert out.traffic.counts() == {"requests": 5, "bytes_read": 0, "bytes_written": 12}  # begun, three parts, ended
    with pytest.raises(FileExistsError), folder.writer("a", create=True) as file:
        file.write(b"other than that")
    assert fake.cat_file("/bucket/out/a") == b"0123456789ab" and fake.aborted == 1


def test_create_never_overwrites():
    out = store()
    out.create("manifests/1", b"first")
    with pytest.raises(FileExistsError):
        out.create("manifests/1", b"second")
    out.create("manifests/1", b"first")  # an answer that was lost: the client asked again
    assert out.read_bytes("manifests/1") == b"first"


def test_create_without_conditional_writes_looks_first():
    out = store(conditional=False)
    out.create("manifests/1", b"first")
    with pytest.raises(FileExistsError):
        out.create("manifests/1", b"second")


def test_place_from_a_disk_uploads_and_never_replaces_another_file(tmp_path):
    out, work = store(), open_store(str(tmp_path))
    work.write_bytes("staged", b"shard")
    out.place(work, "staged", "data/a")
    assert out.read_bytes("data/a") == b"shard" and not work.has("staged")
    work.write_bytes("staged", b"shard")
    out.place(work, "staged", "data/a")  # placed by this run before it was killed
    assert not work.has("staged")
    work.write_bytes("staged", b"Shard")
    with pytest.raises(RunFailed, match="another run has put another file there"):
        out.place(work, "staged", "data/a")
    assert out.read_bytes("data/a") == b"shard" and work.has("staged")


def test_place_between_stores_and_within_one(tmp_path):
    fake = FakeStore()
    out, work = store(fake), Store(RemoteFolder(client(fake), "memory://bucket/work"))
    work.write_bytes("staged", b"shard")
    out.place(work, "staged", "data/a")
    work.write_bytes("staged", b"again")
    work.place(work, "staged", "index")
    work.place(work, "index", "index2")
    disk = open_store(str(tmp_path))
    disk.place(work, "index2", "data/b")
    assert fake.find("/bucket") == ["/bucket/out/data/a"]
    assert (tmp_path / "data/b").read_bytes() == b"again"


def test_the_time_is_told_by_the_stores_clock_and_nothing_is_left_of_the_question():
    fake = FakeStore()
    fake.clock.pass_(3600)
    out = store(fake)
    assert out.now() == fake.clock.at and fake.find("/bucket") == []


def test_removing_takes_a_file_or_all_below_a_folder_and_minds_nothing_missing():
    out = store()
    for name in ("a/1", "a/b/2", "ab", "c"):
        out.write_bytes(name, b"x")
    out.remove("a")
    out.remove("c")
    out.remove("nothing")
    assert out.entries("") == ["ab"]


def test_tables_come_back_and_a_row_group_is_read_alone(monkeypatch):
    monkeypatch.setattr(remote_file, "WHOLE_BYTES", 1000)
    out = store()
    numbers = np.random.Generator(np.random.PCG64(0)).permutation(400_000)
    table = pa.table({"n": numbers, "text": [f"{k * 2_654_435_761 % 2**32:x}" for k in range(400_000)]})
    out.write_table("t", table, groups=[100_000] * 4, metadata={"key": "value"})
    assert out.read_table("t").equals(table)
    assert out.metadata("t") == {"key": "value"} and out.group_rows("t") == [100_000] * 4
    assert pa.concat_tables(list(out.batches("t"))).equals(table)
    size, before = out.size("t"), out.traffic.counts()
    assert out.take("t", ["n"], np.array([150_000]))["n"].to_pylist() == [numbers[150_000]]
    after = out.traffic.counts()
    assert after["bytes_read"] - before["bytes_read"] < size / 6
    assert after["requests"] - before["requests"] <= 3


def test_a_damaged_table_is_named_and_a_store_that_fails_is_not_called_damage():
    fake = FakeStore()
    out = store(fake)
    out.write_table("t", pa.table({"n": [1, 2]}))
    fake.store["/bucket/out/t"].getbuffer()[-3] ^= 255
    with pytest.raises(Damaged, match="memory://bucket/out/t"):
        out.read_table("t")
    with pytest.raises(Damaged):
        out.read_table("gone")

    def fail(operation: str, path: str) -> None:
        raise OSError(121, "the network is down")

    fake.fail = fail
    with pytest.raises(OSError, match="the network is down") as error:
        out.read_table("t")
    assert error.value.errno == 121


def test_a_file_read_in_small_pieces_is_fetched_ahead():
    out = store()
    data = os.urandom(3 << 20)
    out.write_bytes("a", data)
    before = out.traffic.counts()["requests"]
    with out.open("a") as file:
        assert b"".join(iter(lambda: file.read(10_000), b"")) == data
    assert out.traffic.counts()["requests"] - before == 2  # its size, its content
    with out.open("a") as file:
        file.seek(-5, os.SEEK_END)
        assert file.read() == data[-5:] and file.read() == b""


def test_a_store_in_another_process_has_no_lock_and_counts_anew():
    out = open_store("memory://bucket/out")
    with out.lock(".lock") as kept:
        again = pickle.loads(pickle.dumps(kept))
    assert (again.root, again.folder.guard, again.traffic.requests) == (out.root, None, 0)
    assert again.traffic is again.folder.client.traffic
    out.remove("")


def test_scratch_of_a_stage_lies_on_a_private_folder_of_this_disk():
    folder = store().scratch("judgements/x/scratch")
    assert folder.is_absolute() and Path(folder.parents[2]).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("memory://", "names no bucket"),
        ("memory://bucket/a*b", "wildcards"),
        ("memory://bucket/../b", "wildcards and `..`"),
        ("s3://key:hunter2@bucket/out", "credentials come from the environment"),
        ("https://host/out?X-Amz-Signature=hunter2", "credentials come from the environment"),
        ("nosuch://bucket/out", "nosuch"),
    ],
)
def test_what_cannot_be_an_output_is_refused_without_its_secrets(url, said):
    with pytest.raises(OutputError) as error:
        open_store(url)
    assert said in str(error.value) and "hunter2" not in str(error.value)


def test_a_missing_driver_names_the_extra(monkeypatch):
    def missing(*_, **__):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(OutputError, match=r"pip install 'winnow-curation\[s3\]'"):
        open_output("s3://bucket/out")


class NoCredentialsError(Exception):
    __module__ = "botocore.exceptions"


class EndpointConnectionError(Exception):
    __module__ = "botocore.exceptions"


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (FileNotFoundError("The specified bucket does not exist"), "make the bucket first"),
        (PermissionError("Access Denied"), "check the credentials"),
        (PermissionError("The difference between the request time and the current time is too large."), "set the clock"),
        (NoCredentialsError("Unable to locate credentials"), "check the credentials"),
        (
            EndpointConnectionError("Could not connect to http://me:hunter2@host/b?sig=hunter2"),
            "Could not connect to http://host/b",
        ),
    ],
)
def test_a_store_that_does_not_answer_or_allow_is_explained_in_plain_words(monkeypatch, raised, said):
    fake = FakeStore()

    def fail(operation: str, path: str) -> None:
        raise raised

    fake.fail = fail
    monkeypatch.setattr(remote, "filesystem", lambda url, error: (fake, "/bucket/out"))
    with pytest.raises(OutputError) as error:
        open_output("memory://bucket/out")
    assert said in str(error.value) and "hunter2" not in str(error.value)


def test_a_store_without_conditional_writes_is_refused_unless_unlocked(monkeypatch):
    fake = FakeStore(conditional=False)
    monkeypatch.setattr(remote, "filesystem", lambda url, error: (fake, "/bucket/out"))
    with pytest.raises(OutputError, match="--unlocked"):
        open_output("memory://bucket/out")
    assert fake.find("/") == []  # the probe is gone
    assert not open_output("memory://bucket/out", unlocked=True).conditional


@pytest.mark.parametrize("root", ["memory://bucket", "memory://bucket/", "memory://bucket/out/", "memory://bucket//out"])
def test_odd_names_of_an_output_lead_to_one_place(root):
    out = open_output(root)
    out.write_bytes("data/a", b"x")
    assert (out.names("data"), out.entries(""), out.path("data/a").count("//")) == (["a"], ["data"], 1)
    assert out.holds(f"{out.root}/data/a") and not out.holds("memory://bucket-2/data/a") and not out.holds("/bucket/data/a")
    out.remove("")


@pytest.mark.parametrize(
    ("scheme", "info", "identity"),
    [
        ("s3", {"ETag": '"9b2cf535f27731c974343645a3985328"'}, "s3:9b2cf535f27731c974343645a3985328"),
        ("s3a", {"ETag": '"9b2cf535-12"'}, "s3:9b2cf535-12"),
        ("s3", {"ETag": 'W/"9b2c"'}, ""),
        ("s3", {"ETag": ""}, ""),
        ("gcs", {"md5Hash": "CY9rzUYh03PK3k6DJie09g==", "generation": "17"}, "gs:CY9rzUYh03PK3k6DJie09g=="),
        ("gs", {"generation": "17"}, "gs:17"),
        ("az", {"etag": '"0x8D9"'}, "abfs:0x8D9"),
        ("memory", {"ETag": '"9b2c"'}, ""),
        ("https", {"ETag": '"9b2c"'}, "http:9b2c"),
        ("https", {"ETag": 'W/"9b2c"'}, ""),
    ],
)
def test_identity_of_a_content_by_store(scheme, info, identity):
    assert identity_of(scheme, info) == identity
