"""Take-downs where output and work directory lie on an object store: the same rows as on a disk, and nothing of the text left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.inspect import main
from pipeline.store import remote
from tests.store.fakes import FakeStore
from tests.support import prose, table, winnow, write_rows
from tests.takedown.test_takedown import SECRET, conserved, keys, secret, traces

URL = "memory://bucket/out"


@pytest.fixture
def fake(monkeypatch):
    """`memory://` leads to this one store, and its root to /bucket/…"""
    made = FakeStore()
    monkeypatch.setattr(remote, "filesystem", lambda url, error: (made, made._strip_protocol(url)))
    return made


def inputs(tmp_path: Path) -> Path:
    made = [{"id": f"d{k}", "text": prose(k)} for k in range(8)]
    return write_rows(tmp_path / "in/a.jsonl", [*made, {"id": "s", "text": secret(), "url": f"https://{SECRET}.example/"}])


def fetched(fake: FakeStore, to: Path) -> Path:
    """The store's files on a disk, so that what reads folders can read them."""
    for path in fake.find("/bucket/out"):
        file = to / path.removeprefix("/bucket/out/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(fake.cat_file(path))
    return to


def test_on_a_store_it_is_as_on_a_disk(capsys, tmp_path, fake):
    text = inputs(tmp_path)
    for out in (URL, tmp_path / "disk"):
        assert winnow(capsys, "minimal", "--input", text, "--output", out).code == 0
        assert main(["takedown", "--output", str(out), "--keys", keys(tmp_path, "s"), "--yes"]) == 0
    here = fetched(fake, tmp_path / "fetched")
    assert traces(here) == []
    conserved(here)
    for folder in ("data", "ledger"):
        assert table(here, folder).equals(table(tmp_path / "disk", folder))
    capsys.readouterr()
    assert main(["why", "s", "--output", URL]) == 0 and "taken_down" in capsys.readouterr().out
    assert winnow(capsys, "minimal", "--input", text, "--output", URL).code == 0


def test_a_store_without_conditional_writes_needs_unlocked(capsys, tmp_path, fake):
    fake.conditional = False
    assert winnow(capsys, "minimal", "--input", inputs(tmp_path), "--output", URL, "--unlocked").code == 0
    arguments = ["takedown", "--output", URL, "--keys", keys(tmp_path, "s"), "--yes"]
    assert main(arguments) == 2 and "--unlocked" in capsys.readouterr().err
    assert main([*arguments, "--unlocked"]) == 0
    assert traces(fetched(fake, tmp_path / "fetched")) == []


def test_a_command_that_only_looks_completes_what_a_kill_left_or_says_that_it_cannot(capsys, tmp_path, fake, monkeypatch):
    assert winnow(capsys, "minimal", "--input", inputs(tmp_path), "--output", URL).code == 0
    capsys.readouterr()

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.takedown.clean.clean", killed)
        assert main(["takedown", "--output", URL, "--keys", keys(tmp_path, "s"), "--yes"]) == 130
    fake.clock.pass_(1000)

    def refused(operation: str, path: str) -> None:
        if operation == "put":
            raise PermissionError(13, "AccessDenied", path)

    fake.fail = refused
    assert main(["why", "d1", "--output", URL]) == 0
    assert "take-down was killed and could not be completed" in capsys.readouterr().err
    fake.fail = lambda operation, path: None
    assert main(["why", "d1", "--output", URL]) == 0 and not capsys.readouterr().err
    here = fetched(fake, tmp_path / "fetched")
    assert traces(here) == [] and json.loads((here / "takedowns/000002.json").read_text())["work"]["rewritten"]
