"""Law 3: killed with SIGKILL at any point, the same command ends with the same bytes and redoes no finished work."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, SAMPLE, curate, digests

POINTS = 10


def run(limit: int, events: Path, *arguments: str | Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tests.killed", str(limit), str(events), *map(str, arguments), "--inline"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False, env={**os.environ})


def small_sample(tmp_path: Path) -> tuple[str | Path, ...]:
    return (SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--set", "source.unit_bytes=60000", "--workers", "1")


def chosen(events: list[str]) -> list[int]:
    """Points that hit every kind of file at least once, and then evenly spread ones."""
    kinds: dict[str, int] = {}
    for number, event in enumerate(events, start=1):
        words = event.split()
        kinds.setdefault(f"{words[0]} {words[1]} {words[2].split('/')[0]}" if len(words) > 2 else event, number)
    first = sorted(kinds.values())
    step = max(1, len(first) // POINTS)
    return [*first[::step][:POINTS], len(events)]


@pytest.fixture(scope="module")
def points(tmp_path_factory) -> tuple[list[str], dict[str, str], dict]:
    tmp = tmp_path_factory.mktemp("points")
    done = run(0, tmp / "events", *small_sample(tmp), "--output", tmp / "out")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp / "out/manifest.json").read_text())
    return (tmp / "events").read_text().splitlines(), digests(tmp / "out"), manifest


def test_there_are_points_in_every_stage(points):
    events = "\n".join(points[0])
    facts = ["documents/", "facts/final", "facts/language", "facts/gopher_quality", "facts/minhash"]
    judgements = ["judgements/filters", "judgements/dedup", "staging/", "place data/", "place index/"]
    for part in (*facts, *judgements, "create manifests/", "report.html", "manifest.json"):
        assert part in events, part


def test_killed_at_points_in_every_stage_the_same_command_gives_the_same_bytes(points, tmp_path):
    events, expected, manifest = points
    for number in chosen(events):
        out = tmp_path / str(number)
        arguments = (*small_sample(tmp_path), "--output", out)
        killed = run(number, tmp_path / "unused", *arguments)
        assert killed.returncode == -signal.SIGKILL, (events[number - 1], killed.stderr)
        before = {
            path: path.stat().st_mtime_ns
            for path in (out / ".work").rglob("*.parquet")
            if not {"staging", "dedup"} & set(path.parts)
        }
        curate(*arguments, workers=1)
        assert digests(out) == expected, events[number - 1]
        again = json.loads((out / "manifest.json").read_text())
        assert again["totals"] == manifest["totals"], events[number - 1]
        assert again["content_sha256"] == manifest["content_sha256"], events[number - 1]
        redone = [p for p, at in before.items() if p.exists() and p.stat().st_mtime_ns != at and not p.name.startswith(".tmp")]
        assert not redone, (events[number - 1], redone)
        assert not list(out.rglob(".tmp-*"))
        for name in ("README.md", "metrics.json", "report.html", "plan.resolved.yaml"):
            assert (out / name).is_file(), (events[number - 1], name)


def test_a_finished_run_has_nothing_new(curated, tmp_path, capsys):
    from tests.support import winnow

    before = digests(curated)
    ran = winnow(capsys, SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", curated)
    assert ran.code == 0
    assert "nothing new" in ran.err
    assert digests(curated) == before
