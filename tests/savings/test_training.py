"""The `cpu` tier from the command (slow: needs torch), and what is said where torch or a GPU is missing."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows import proxy
from tests.support import ROOT, curate, prose, write_rows

TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not TORCH, reason="torch is not installed: it is part of the proxy extra")


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    good = [prose(i) for i in range(240)]
    rows = [{"text": text} for text in good[:200]] + [{"text": text} for text in good[:50] * 2]
    write_rows(folder / "in/a.jsonl", rows)
    write_rows(folder / "target.jsonl", [{"text": text} for text in good[200:]])
    plan = "compute.plan.tokens=110000"  # about two epochs of the curated text
    curate("minimal", "--input", folder / "in", "--output", folder / "out", "--set", plan, workers=1)
    return folder


@pytest.mark.skipif(TORCH, reason="torch is installed")
def test_without_torch_the_way_to_get_it_and_the_other_tier_are_named(output, capsys):
    assert proxy.main([str(output / "out"), "--inline", "--tier", "cpu"]) == 2
    assert "this tier needs torch" in capsys.readouterr().err


@needs_torch
def test_without_a_gpu_the_tier_says_so_before_it_trains(output, capsys):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert proxy.main([str(output / "out"), "--inline", "--tier", "gpu"]) == 2
    assert "torch sees no CUDA device on this machine; --tier cpu measures the same" in capsys.readouterr().err


@needs_torch
@pytest.mark.slow
def test_a_killed_measurement_leaves_nothing_running_resumes_and_is_one_attempt(output):
    command = [sys.executable, "-m", "flows.proxy", str(output / "out"), "--inline", "--json", "--tier", "cpu"]
    command += ["--target", str(output / "target.jsonl"), "--workers", "2"]
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(output.glob("out/.work/savings/*/cpu/*/progress.json")):
        assert started.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.2)
    children = Path(f"/proc/{started.pid}/task").glob("*/children")
    workers = [int(pid) for path in children for pid in path.read_text().split()]
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    assert workers
    while any(map(psutil.pid_exists, workers)):
        assert time.monotonic() < deadline, "a worker went on after its parent was killed"
        time.sleep(0.2)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    made = json.loads(done.stdout)
    assert made["attempt"] == 1
    assert made["model"]["seeds"] == 3
    target = made["sets"][0]
    assert target["name"] == "target"
    for arm in ("raw", "curated", "random"):
        curve = [bits for _, bits, _ in target["curves"][arm]]
        assert curve[-1] < curve[0] - 0.5, arm
    assert all(len(line["per_seed"]) == 3 and line["interval"] is not None for line in target["arms"])
    assert any("the planned run reads curated" in note for note in made["notes"])
    assert json.loads(Path(output / "out/savings.json").read_text())["headline"] == made["headline"]
    again = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    assert json.loads(again.stdout)["sets"] == made["sets"], "finished runs are read, not trained again"


@needs_torch
@pytest.mark.slow
def test_thorough_adds_a_third_of_the_rate_and_text_repeated_as_often_as_planned(output):
    command = [sys.executable, "-m", "flows.proxy", str(output / "out"), "--inline", "--json", "--tier", "cpu", "--thorough"]
    command += ["--target", str(output / "target.jsonl"), "--workers", "2"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    made = json.loads(done.stdout)
    assert [item["regime"] for item in made["regimes"]] == ["a third of the learning rate", "text repeated as often as planned"]
    slow, repeated = ({arm: item["sets"][0]["curves"][arm][-1][1] for arm in ("raw", "curated")} for item in made["regimes"])
    first = {arm: made["sets"][0]["curves"][arm][-1][1] for arm in ("raw", "curated")}
    assert slow["raw"] > first["raw"], "a slower model has learnt less"
    assert repeated["curated"] != first["curated"]
    unique = made["regimes"][1]["unique_tokens"]
    assert unique["curated"] < made["model"]["tokens"]
    assert unique["raw"] > unique["curated"], "the larger corpus is repeated less often"
    assert "With text repeated as often as planned:" in made["headline"]
    assert {line["arm"]: line["planned_epochs"] for line in made["arms"]}["curated"] > 1


@needs_torch
@pytest.mark.slow
def test_a_piece_of_no_length_stops_with_1_and_says_that_the_same_command_goes_on(output, capsys):
    arguments = ["--inline", "--tier", "cpu", "--seeds", "2", "--minutes", "0.0001", "--workers", "1"]
    assert proxy.main([str(output / "out"), *arguments]) == 1
    assert "the same command goes on" in capsys.readouterr().err
