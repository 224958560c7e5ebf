"""The folder of an export: what else is in it stays, what is finished is not made again, what was taken down since is known."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows import inspect
from pipeline.export import shards
from pipeline.store import hashing
from pipeline.store.store import open_store
from tests.export import corpus

Export = Callable[..., Path]
OPTIONS = ("--shards", "2")


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Exports a copy of the output, which may be changed; gives the exit code and what was told."""
    corpus.copied(made, tmp_path / "out")
    return lambda *options, what="megatron", to="to": corpus.run(
        what, tmp_path / "out", "--to", tmp_path / to, "--tokenizer", made / "tokenizer.json", *OPTIONS, *options
    )


def take_down(folder: Path, *keys: str) -> dict[str, Any]:
    """The receipt."""
    (folder / "keys.txt").write_text("\n".join(keys))
    arguments = ["takedown", "--output", str(folder / "out"), "--keys", str(folder / "keys.txt"), "--yes", "--json"]
    assert inspect.main(arguments) == 0
    return json.loads(max((folder / "out/takedowns").glob("*.json")).read_text("utf-8"))


def test_a_take_down_and_an_export_know_of_each_other(own: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert own() == 0 and own(what="jsonl", to="lines") == 0
    receipt = take_down(tmp_path, "web-4", "books-3")
    tables = [line for line in receipt["exports"] if "/to/docs/train-" in line]
    assert {line.rpartition(": ")[2] for line in tables} <= {"1 rows", "2 rows"} and len(tables) in (1, 2)
    assert any(f"{tmp_path}/lines/docs/" in line for line in receipt["exports"])
    capsys.readouterr()
    assert own() == 2
    told = capsys.readouterr().err
    assert (
        f"--to {tmp_path}/to: holds an export of manifest 1, and the output is at 2; 2 documents that it holds were taken" in told
    )
    assert corpus.run("check", tmp_path / "to", "--output", tmp_path / "out", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    rows = {row["source_ref"]: row for row in corpus.documents(tmp_path / "to")}
    assert {one["source_ref"]: (one["first"], one["last"], one["shard"]) for one in found["taken"]} == {
        ref: (rows[ref]["first"], rows[ref]["last"], rows[ref]["shard"]) for ref in ("web/web.jsonl#5", "books/books.jsonl#4")
    }
    assert corpus.run("check", tmp_path / "to", "--output", tmp_path / "out") == 1
    assert "web/web.jsonl#5" in capsys.readouterr().out
    assert own(to="anew") == 0
    assert not {"web-4", "books-3"} & {row["id"] for row in corpus.documents(tmp_path / "anew")}
    assert corpus.run("check", tmp_path / "anew", "--output", tmp_path / "out") == 0


def test_an_export_that_was_cut_short_goes_on_without_what_was_taken_down(
    own: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.export.shards.write", full)
        assert own() == 1
    told = capsys.readouterr().err
    assert "/x: No space left on device; free some space there and run the same command, it resumes" in told
    before = {path.name for path in (tmp_path / "to/.winnow-export").glob("*.arrow")}
    receipt = take_down(tmp_path, "web-4")
    assert receipt["exports"] == [
        f"{tmp_path}/to (export megatron): not finished, not looked at; the same command makes it without them"
    ]
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.export.shards.write", full)
        assert own() == 1
        again = {path.name for path in (tmp_path / "to/.winnow-export").glob("*.arrow")}
    assert len(before & again) == len(before) - 1, "the pieces of the other shards are still there, that of the old one is gone"
    assert own() == 0 and not (tmp_path / "to/.winnow-export").exists()
    assert "web-4" not in {row["id"] for row in corpus.documents(tmp_path / "to")}


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "/x")


def test_a_disk_that_fills_up_while_shards_are_written_leaves_none_and_says_which(
    export: Export, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    calm = corpus.digests(export("packed", "--sequence", "50", to="calm"))
    real, written = hashing.HashingFile.write, []

    def write(self: Any, data: Any) -> int:
        written.append(len(memoryview(data).cast("B")))
        if sum(written) > 3000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(hashing.HashingFile, "write", write)
        options = ("--tokenizer", made / "tokenizer.json", "--sequence", "50")
        assert corpus.run("packed", made / "out", "--to", tmp_path / "to", *options) == 1
    told = capsys.readouterr().err
    assert f"{tmp_path}/to/" in told and "No space left on device; free some space there" in told
    assert [path.name for path in (tmp_path / "to").iterdir() if path.is_file()] == []
    export("packed", "--sequence", "50")
    assert corpus.digests(tmp_path / "to") == calm


def test_the_same_command_again_changes_nothing(export: Export, capsys: pytest.CaptureFixture[str]):
    folder = export("datatrove")
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    first = capsys.readouterr()
    export("datatrove")
    again = capsys.readouterr()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times
    assert again.out == first.out and "tokenising" not in again.err


def test_another_export_in_its_place_is_refused_with_the_difference(
    export: Export, made: Path, capsys: pytest.CaptureFixture[str]
):
    folder = export("npy")
    for options, said in (
        (["--seed", "1"], "seed: 0, now 1"),
        (["--shards", "3"], "shards: 1, now 3"),
        (["--eos", "a"], "eos: <|endoftext|>, now a"),
        (["--tokens", "500"], "mix.budget: None, now 500"),
    ):
        assert corpus.run("npy", made / "out", "--to", folder, "--tokenizer", made / "tokenizer.json", *options) == 2
        assert f"holds an export with other options ({said})" in capsys.readouterr().err


def test_other_files_stay_and_nothing_is_written_beside_them(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "train-00000-of-00001.bin").write_bytes(b"mine")
    options = ("--tokenizer", made / "tokenizer.json")
    assert corpus.run("megatron", made / "out", "--to", tmp_path, *options) == 2
    assert f"--to {tmp_path}: holds other files (train-00000-of-00001.bin); name an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["train-00000-of-00001.bin"]


def test_what_another_format_left_unfinished_goes(own: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.export.record.exports", full)
        assert own(what="npy") == 1 and (tmp_path / "to/train-00001-of-00002.csv.gz").exists()
    assert own() == 0
    assert {path.suffix for path in (tmp_path / "to").iterdir() if path.is_file()} == {".bin", ".idx", ".json"}


@pytest.fixture(scope="module")
def finished(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("finished") / "to"
    assert corpus.run("npy", made / "out", "--to", to, "--tokenizer", made / "tokenizer.json") == 0
    return to


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda to: (to / "train-00000-of-00001.npy").write_bytes(b"short"), 1, "train-00000-of-00001.npy: gone, or of another"),
        (lambda to: (to / "docs/train-00000-of-00001.parquet").unlink(), 1, "docs/train-00000-of-00001.parquet: gone, or"),
        (lambda to: (to / "exports.json").write_text("{}"), 1, "exports.json: not what an export writes (schema_version: Field"),
        (lambda to: (to / "exports.json").write_text("[[["), 1, "exports.json: not valid JSON"),
        (lambda to: (to / "exports.json").write_text('{"schema_version": 9}'), 2, "made by a newer Winnow"),
    ],
)
def test_an_export_that_is_damaged_is_not_taken_for_finished(
    finished: Path, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any, code: int, said: str
):
    change(shutil.copytree(finished, tmp_path / "to"))
    assert corpus.run("npy", made / "out", "--to", tmp_path / "to", "--tokenizer", made / "tokenizer.json") == code
    assert said in capsys.readouterr().err


def test_check_tells_of_damage_and_of_what_is_no_export(
    finished: Path, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = shutil.copytree(finished, tmp_path / "to")
    capsys.readouterr()
    assert corpus.run("check", folder, "--output", made / "out") == 0
    assert "the output is as it was (manifest 1)" in capsys.readouterr().out
    (folder / "train-00000-of-00001.npy").unlink()
    assert corpus.run("check", folder, "--output", made / "out") == 1
    assert "gone, or of another length: train-00000-of-00001.npy" in capsys.readouterr().out
    assert corpus.run("check", made, "--output", made / "out") == 2
    assert "no finished export" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "to", "said"),
    [
        ("nowhere", "to", "nowhere: no output of"),
        ("out", "s3://bucket/to", "expected a folder of this machine"),
        ("empty", "to", "its data/ holds no document"),
    ],
)
def test_what_cannot_be_exported_is_told_at_once(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], out: str, to: str, said: str
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").symlink_to(made / "out")
    corpus.copied(made, tmp_path / "empty")
    manifest = json.loads((tmp_path / "empty/manifests/000001.json").read_text())
    manifest["files"] = [file for file in manifest["files"] if not file["path"].startswith("data/")]
    (tmp_path / "empty/manifests/000001.json").write_text(json.dumps(manifest))
    assert corpus.run("npy", out, "--to", to, "--tokenizer", made / "tokenizer.json") == 2
    assert said in capsys.readouterr().err


def test_an_output_that_changes_meanwhile_is_exported_again(own: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    real = shards.write

    def write(*given: Any, **more: Any) -> Any:
        take_down(tmp_path, "web-4")
        return real(*given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(shards, "write", write)
        assert own() == 1
    assert "changed while it was exported; the same command exports what it holds now" in capsys.readouterr().err
    assert own() == 0 and "web-4" not in {row["id"] for row in corpus.documents(tmp_path / "to")}


def test_two_commands_do_not_write_one_export(own: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with open_store(str(tmp_path / "to/.winnow-export")).lock(".lock"):
        assert own() == 1
    assert "is locked by a live run" in capsys.readouterr().err


@pytest.mark.parametrize("options", [("--validation", "0.2"), ("--eos", "a")])
def test_what_another_request_tokenised_is_not_taken_for_done(
    own: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, str]
):
    with monkeypatch.context() as patched:
        patched.setattr(shards, "write", full)
        assert own(what="npy") == 1
    assert own(*options, what="npy") == 0 and own(*options, what="npy", to="calm") == 0
    assert corpus.digests(tmp_path / "to") == corpus.digests(tmp_path / "calm")
