"""docs/training-run.md: its script, killed, goes on at the same sample, and its bad batch leads to the document."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows import export, inspect
from tests.export import corpus
from tests.support import ROOT, curate, prose, write_rows

SCRIPT = ROOT / "docs/training_run.py"
PAGE = (ROOT / "docs/training-run.md").read_text("utf-8")
SHARD = "small/train-00000-of-00001.npy"


def torch_path() -> str:
    where = os.environ.get("WINNOW_TRAINERS", "")
    if not any((Path(part) / "torch/__init__.py").is_file() for part in where.split(os.pathsep) if part):
        pytest.skip("WINNOW_TRAINERS names no folder with torch: `make test-all` installs it")
    return where


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's corpus and export: pages, and a dump of hexadecimal digits."""
    made, draw = tmp_path_factory.mktemp("run"), random.Random(0)
    write_rows(made / "crawl/pages.jsonl", [{"id": f"page-{n}", "text": prose(n)} for n in range(200)])
    lines = [" ".join("".join(draw.choice("0123456789ABCDEF") for _ in range(4)) for _ in range(12)) for _ in range(20)]
    write_rows(made / "crawl/dump.jsonl", [{"id": "dump-1", "text": "\n".join(lines)}])
    corpus.of_bytes().save(str(made / "tokenizer.json"))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(made)
        curate("minimal", "--input", "crawl", "--output", "curated-small")
        assert export.main(["npy", "curated-small", "--to", "small", "--tokenizer", "tokenizer.json"]) == 0
    return made


def run(folder: Path, state: str, *, killed_at: int = 0) -> list[str]:
    """The lines that the script prints; it is killed when it prints that step."""
    command = [sys.executable, str(SCRIPT), SHARD, "--vocabulary", "257", "--state", state]
    environment = os.environ | {"PYTHONPATH": torch_path()}
    lines = []
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if killed_at and line.startswith(f"step {killed_at},"):
                process.kill()
                break
    assert process.returncode == (-signal.SIGKILL if killed_at else 0)
    return lines


@pytest.mark.slow
def test_a_killed_run_goes_on_at_the_same_sample_to_the_same_losses(folder: Path) -> None:
    whole = run(folder, "whole.pt")
    first, rest = run(folder, "killed.pt", killed_at=95), run(folder, "killed.pt")
    assert rest[0] == "resumes at step 90, sample 720" and rest[0] in PAGE
    steps = [line for line in whole if line.startswith("step ")]
    assert len(steps) == 235 and first == whole[: len(first)]
    assert rest[1:] == whole[whole.index(steps[90]) :]


@pytest.mark.slow
def test_a_bad_batch_leads_to_its_document(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = run(folder, "again.pt")
    found = [re.fullmatch(r"bad batch: most of all sample \d+, tokens (\d+) to (\d+)", line) for line in lines]
    bad = [match for match in found if match]
    assert 1 <= len(bad) <= 3
    monkeypatch.chdir(folder)
    capsys.readouterr()
    middle = (int(bad[0][1]) + int(bad[0][2])) // 2
    assert inspect.main(["--output", "curated-small", "why", "--tokens", f"{SHARD}:{middle}"]) == 0
    assert "dump-1  crawl/dump.jsonl#1, generation 1\nkept" in capsys.readouterr().out


def test_the_page_shows_what_its_question_is_answered(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (question,) = re.findall(r"^winnow inspect (.* --tokens .*)$", PAGE, re.MULTILINE)
    (answer,) = re.findall(r"^(train-00000-of-00001.npy, token .*?)```", PAGE, re.MULTILINE | re.DOTALL)
    assert inspect.main(question.split()) == 0
    assert capsys.readouterr().out.startswith(answer)
