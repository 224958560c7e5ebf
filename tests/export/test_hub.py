"""`winnow export hub` against a stand-in for the Hub: data/ and the card go, and nothing else ever."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import inspect
from tests.export import corpus
from tests.export.hub_server import Hub, served

SECRET = "hf_notToBePrinted"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import _commit_api, constants

    with served() as made:
        monkeypatch.setattr(constants, "ENDPOINT", made.address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(_commit_api, "is_xet_available", lambda: False)
        monkeypatch.setenv("HF_TOKEN", SECRET)
        yield made


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "out", tmp_path / "out")
    return tmp_path / "out"


def shards(out: Path) -> dict[str, bytes]:
    live = json.loads((out / "manifests/000001.json").read_text("utf-8"))["files"]
    names = [one["path"] for one in live if one["path"].startswith("data/")]
    return {name: (out / name).read_bytes() for name in names}


def test_shards_and_card_go_and_nothing_else(hub: Hub, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (out / "data/notes.txt").write_bytes(b"of somebody who put it there")
    assert {"ledger", "rejected", "quarantine", "index"} <= {path.name for path in out.iterdir()}
    assert corpus.run("hub", "org/name", "--output", out, "--private") == 0
    said = capsys.readouterr()
    assert hub.files == {**shards(out), "README.md": (out / "README.md").read_bytes()}
    assert hub.private and len(hub.commits) == 1 and f"{hub.address}/datasets/org/name/commit/" in said.out
    assert hub.tokens == {f"Bearer {SECRET}", ""} and SECRET not in said.out + said.err
    sent = hub.sent
    assert corpus.run("hub", "org/name", "--output", out) == 0
    assert "6 files are there already; nothing to upload" in capsys.readouterr().out
    assert (hub.sent, len(hub.commits)) == (sent, 1)


def test_what_is_taken_down_here_goes_there(hub: Hub, out: Path, tmp_path: Path) -> None:
    assert corpus.run("hub", "org/name", "--output", out) == 0
    before = shards(out)
    (tmp_path / "keys.txt").write_text("web-4")
    assert inspect.main(["--output", str(out), "takedown", "--keys", str(tmp_path / "keys.txt"), "--yes"]) == 0
    assert corpus.run("hub", "org/name", "--output", out) == 0
    (wrote, gone), (old,) = hub.commits[1], set(before) - set(shards(out))
    assert gone == [old] and wrote == sorted([*(set(shards(out)) - set(before)), "README.md"])
    assert hub.files == {**shards(out), "README.md": (out / "README.md").read_bytes()}


def test_an_upload_that_broke_off_goes_on(hub: Hub, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub.breaks_after = 2
    assert corpus.run("hub", "org/name", "--output", out) != 0
    assert "org/name: the Hub refuses" in capsys.readouterr().err and not hub.commits
    hub.breaks_after = None
    assert corpus.run("hub", "org/name", "--output", out) == 0
    assert hub.sent == len(shards(out)) and len(hub.commits) == 1


def test_shards_of_others_are_not_removed(hub: Hub, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub.files = {"data/precious.parquet": b"of somebody", "LICENSE": b"CC0"}
    assert corpus.run("hub", "org/name", "--output", out) == 2
    assert "the repository holds data/precious.parquet, which no output of Winnow has" in capsys.readouterr().err
    hub.files = {"LICENSE": b"CC0", ".gitattributes": b"*.parquet filter=lfs"}
    assert corpus.run("hub", "org/name", "--output", out) == 0
    assert hub.files is not None and {"LICENSE", ".gitattributes"} <= set(hub.files)


def test_a_damaged_shard_goes_nowhere(hub: Hub, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = sorted(shards(out))[2]
    (out / name).write_bytes((out / name).read_bytes()[:-1] + b"x")
    assert corpus.run("hub", "org/name", "--output", out) != 0
    assert f"{name}: not the file that the manifest names" in capsys.readouterr().err
    assert hub.files is None and not hub.sent


def test_what_the_hub_refuses_and_what_is_no_name_is_said(hub: Hub, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub.refuses = 401
    assert corpus.run("hub", "org/name", "--output", out) != 0
    assert "org/name: the Hub refuses" in capsys.readouterr().err
    for name in ("name", "../../etc/passwd", "org/name/more", "hf://org/name"):
        assert corpus.run("hub", name, "--output", out) == 2
        assert "expected ORG/NAME" in capsys.readouterr().err


def test_explain_asks_nobody(hub: Hub, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert corpus.run("hub", "org/name", "--output", out, "--explain") == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[:-1]] == [*sorted(shards(out)), "README.md"]
    assert "6 files" in said and "nothing else goes" in said and not hub.tokens
