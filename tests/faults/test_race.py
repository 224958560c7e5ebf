"""Two runs for one output: one publishes, the other ends at once, and the bytes are as if it had been alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.run import execute, publication
from tests.faults import common
from tests.support import ROOT, Ran, curate, winnow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return common.inputs(tmp_path_factory.mktemp("race") / "in")


@pytest.mark.parametrize("replace", [False, True], ids=["first run", "--replace"])
@pytest.mark.parametrize("stage", [(execute, "_annotate"), (publication, "_commit")], ids=["annotate", "commit"])
def test_a_run_that_meets_another_one_ends_and_changes_nothing(capsys, monkeypatch, tmp_path, folder, replace, stage):
    more = ("--replace",) if replace else ()
    for out in ("alone", "raced") if replace else ():
        curate(*common.command(folder, tmp_path / out))
    curate(*common.command(folder, tmp_path / "alone"), *more)
    second: list[Ran] = []
    inner = getattr(*stage)

    def meanwhile(*args: object, **kwargs: object) -> object:
        if not second:
            second.append(Ran(-1, "", ""))  # the second run must not start a third
            second[0] = winnow(capsys, *common.command(folder, tmp_path / "raced"), *more)
        return inner(*args, **kwargs)

    monkeypatch.setattr(*stage, meanwhile)
    first = winnow(capsys, *common.command(folder, tmp_path / "raced"), *more)
    assert first.code == 0, first.err
    assert second[0].code == 1 and "is locked by a live run (process " in second[0].err
    assert "wait for it, or choose another folder" in second[0].err and "Traceback" not in second[0].err
    assert common.promised(tmp_path / "raced") == common.promised(tmp_path / "alone")
    assert len(list((tmp_path / "raced/manifests").iterdir())) == 1 + replace


@pytest.mark.slow
@pytest.mark.parametrize("replace", [False, True], ids=["first run", "--replace"])
def test_processes_that_race_publish_one_generation_a_winner(tmp_path, folder, replace):
    """Started a little apart, ten times: the loser is told so, or came so late that nothing was new."""
    more = ["--replace"] if replace else []
    for attempt in range(5):
        out, alone = tmp_path / f"{attempt}", tmp_path / f"alone{attempt}"
        for one in (out, alone) if replace else ():
            curate(*common.command(folder, one))
        curate(*common.command(folder, alone), *more)
        line = [sys.executable, "-m", "flows.curate", *map(str, common.command(folder, out)), "--inline", *more]
        racers = []
        for _ in range(2):
            racers.append(subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
            time.sleep(0.05 * attempt)
        ended = [(*racer.communicate(timeout=120), racer.returncode) for racer in racers]
        codes = sorted(code for _, _, code in ended)
        assert codes in ([0, 1], [0, 0]), ended
        for _, err, code in ended:
            assert "Traceback" not in err and (code == 0 or "is locked by a live run" in err), err
        newest = json.loads((out / "manifest.json").read_text())["generation"]
        if codes == [0, 1] or not replace:
            assert newest == 1 + replace
            assert common.promised(out) == common.promised(alone)
