"""`winnow export hub`: what goes to the Hub, what never does, and what goes from it again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest

from flows import inspect
from pipeline.errors import Damaged, OutputError
from pipeline.export import hub as module
from pipeline.inspect.output import open_output_of
from tests.export import corpus
from tests.export.hub_server import HubServer

TOKEN = "hf_secret_of_a_test"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[HubServer]]:
    state = {"there": False, "private": False, "fail": 0}
    handler = type("Handler", (HubServer,), {"commits": [], "stored": {}, "sent": [], "tokens": set(), "state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    return corpus.copied(made, tmp_path / "out")


def names(out: Path, *folders: str) -> set[str]:
    paths = {f"{folder}/{path.name}" for folder in folders for path in (out / folder).iterdir()}
    return {".gitattributes", "README.md", "winnow.json", *paths}


def test_an_output_goes_once_and_what_it_loses_goes_there(
    hub: type[HubServer], out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / "data" / "mine.txt").write_text("no shard")
    hub.state["fail"] = 1
    assert corpus.run("hub", "org/data", out, "--private") == 1
    said = capsys.readouterr().err
    assert "goes on" in said and TOKEN not in said
    sent = list(hub.sent)
    assert corpus.run("hub", "org/data", out, "--private") == 0
    assert hub.sent == sent and hub.state["private"]  # what was there before the commit failed is not sent again
    (out / "data" / "mine.txt").unlink()
    assert set(hub.commits[-1]) == names(out, "data")
    for name, content in hub.commits[-1].items():
        if name not in (".gitattributes", "winnow.json"):
            assert content == (out / name).read_bytes()
    commits = len(hub.commits)
    assert corpus.run("hub", "org/data", out) == 0
    assert len(hub.commits) == commits and "nothing is new" in capsys.readouterr().out

    before = set(hub.commits[-1])
    (tmp_path / "keys.txt").write_text("web/web.jsonl#10")
    assert inspect.main(["--output", str(out), "takedown", "--keys", str(tmp_path / "keys.txt"), "--yes"]) == 0
    assert corpus.run("hub", "org/data", out, "--with", "ledger") == 0
    assert set(hub.commits[-1]) == names(out, "data", "ledger") and before - set(hub.commits[-1])
    assert "earlier commits still hold them" in capsys.readouterr().out
    assert corpus.run("hub", "org/data", out) == 0  # the ledger is not asked for any more
    assert set(hub.commits[-1]) == names(out, "data")
    assert hub.tokens == {f"Bearer {TOKEN}"}


def test_a_repository_of_something_else_is_left_alone(
    hub: type[HubServer], out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.state.update(there=True)
    for files, options, words in [
        ({"data/theirs.parquet": b""}, (), "holds another dataset (data/theirs.parquet)"),
        ({"winnow.json": b'{"output": "another"}'}, (), "holds another dataset (winnow.json)"),
        ({"winnow.json": b"{"}, (), "holds another dataset (winnow.json)"),
        ({}, ("--private",), "the repository is public"),
    ]:
        hub.commits.append(files)
        commits = len(hub.commits)
        assert corpus.run("hub", "org/data", out, *options) == 2
        assert len(hub.commits) == commits and words in " ".join(capsys.readouterr().err.split())


def test_explain_lists_what_would_go_and_asks_nothing(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert corpus.run("hub", "org/data", out, "--explain") == 0
    said = capsys.readouterr().out
    listed = {line.split()[0] for line in said.splitlines()[1:-1]}
    assert listed == names(out, "data") - {".gitattributes"} and said.splitlines()[-1].startswith(f"together {len(listed)} files")


def test_what_is_not_fit_to_go_is_refused(out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert corpus.run("hub", "org/data", out) == 2 and "set HF_TOKEN" in capsys.readouterr().err
    assert corpus.run("hub", "data", out) == 2 and "expected ORG/NAME" in capsys.readouterr().err
    output = open_output_of(str(out))
    failed = output.newest.model_copy(update={"failed_checks": ("most_dropped",), "accepted": False})
    with pytest.raises(OutputError, match="generation 1 failed most_dropped"):
        module.upload_of(type(output)(output.store, (failed,)))
    odd = output.newest.files[0].model_copy(update={"path": "data/../../secret.parquet"})
    with pytest.raises(Damaged, match="is no shard"):
        dict(module._files(type(output)(output.store, (output.newest.model_copy(update={"files": (odd,)}),)), ("data",)))
    upload = module.upload_of(output)
    path = next(iter(upload.files.values()))[0]
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    with pytest.raises(Damaged, match="sha256 differs"):
        module.verify(upload)
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))
    with pytest.raises(Damaged, match="is a link"):
        module.upload_of(output)
    path.unlink()
    path.with_suffix(".moved").rename(path)
    (out / "manifest.json").write_text("{}")
    with pytest.raises(OutputError, match="killed while it committed"):
        module.upload_of(output)
