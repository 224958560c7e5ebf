"""Law 3: killed with SIGKILL at any point, the same command ends with the same bytes and redoes no finished work."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.killed import ready
from tests.support import ROOT, SAMPLE, digests, winnow

SPREAD = 4
AT_ONCE = 2


class Runs:
    """The command, `AT_ONCE` of them at a time, each in a process of its own."""

    def __init__(self, held: ExitStack) -> None:
        self._free: SimpleQueue = SimpleQueue()
        for _ in range(AT_ONCE):
            self._free.put(held.enter_context(ready(ROOT)))

    def run(self, limit: int, events: Path, *arguments: str | Path) -> tuple[int, str]:
        """Exit status and what was printed; killed at the point `limit`, if that is not 0."""
        one = self._free.get()
        try:
            return one(limit, events, [*map(str, arguments), "--inline"])
        finally:
            self._free.put(one)


@dataclass(frozen=True)
class Undisturbed:
    events: list[str]
    digests: dict[str, str]
    manifest: dict


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    with ExitStack() as held:
        yield Runs(held)


def small_sample() -> tuple[str | Path, ...]:
    return (SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--set", "source.unit_bytes=60000", "--workers", "1")


def chosen(events: list[str]) -> list[int]:
    """Points of kinds that are evenly spread from the first kind to the last, and points evenly spread over the run."""
    kinds, every = of_every_kind(events), range(1, len(events) + 1)
    return sorted({some[k * (len(some) - 1) // (SPREAD - 1)] for some in (kinds, every) for k in range(SPREAD)})


def of_every_kind(events: list[str]) -> list[int]:
    """The first point before, and the first after, each kind of change (renamed, created, …) to each folder."""
    kinds: dict[str, int] = {}
    for number, event in enumerate(events, start=1):
        when, what, path = event.split(maxsplit=2)
        kinds.setdefault(f"{when} {what} {path.split('/')[0]}", number)
    return sorted(kinds.values())


@pytest.fixture(scope="module")
def undisturbed(runs, tmp_path_factory) -> Undisturbed:
    tmp = tmp_path_factory.mktemp("points")
    status, printed = runs.run(0, tmp / "events", *small_sample(), "--output", tmp / "out")
    assert status == 0, printed
    manifest = json.loads((tmp / "out/manifest.json").read_text())
    return Undisturbed((tmp / "events").read_text().splitlines(), digests(tmp / "out"), manifest)


def test_there_are_points_in_every_stage(undisturbed):
    events = "\n".join(undisturbed.events)
    facts = ["documents/", "facts/final", "facts/language", "facts/gopher_quality", "facts/minhash"]
    judgements = ["judgements/filters", "judgements/dedup", "staging/", "place data/", "place index/"]
    for part in (*facts, *judgements, "create manifests/", "report.html", "manifest.json"):
        assert part in events, part


def test_killed_at_points_spread_over_the_run_the_same_command_gives_the_same_bytes(runs, undisturbed, tmp_path):
    numbers = chosen(undisturbed.events)
    assert len(numbers) >= 2 * SPREAD - 2
    each_killed_and_resumed(runs, undisturbed, numbers, tmp_path)


@pytest.mark.slow
def test_killed_at_a_point_of_every_kind_the_same_command_gives_the_same_bytes(runs, undisturbed, tmp_path):
    numbers = of_every_kind(undisturbed.events)
    assert len(numbers) > 40
    each_killed_and_resumed(runs, undisturbed, numbers, tmp_path)


def each_killed_and_resumed(runs: Runs, undisturbed: Undisturbed, numbers: list[int], folder: Path) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda number: killed_and_resumed(runs, undisturbed, number, folder / str(number)), numbers))


def killed_and_resumed(runs: Runs, undisturbed: Undisturbed, number: int, out: Path) -> None:
    event = undisturbed.events[number - 1]
    arguments = (*small_sample(), "--output", out)
    status, printed = runs.run(number, out / "unused", *arguments)
    assert status == -signal.SIGKILL, (event, printed)
    before = {
        path: path.stat().st_mtime_ns for path in (out / ".work").rglob("*.parquet") if not {"staging", "dedup"} & set(path.parts)
    }
    status, printed = runs.run(0, out.with_name(f"{number} resumed"), *arguments)
    assert status == 0, (event, printed)
    assert digests(out) == undisturbed.digests, event
    again = json.loads((out / "manifest.json").read_text())
    assert again["totals"] == undisturbed.manifest["totals"], event
    assert again["content_sha256"] == undisturbed.manifest["content_sha256"], event
    redone = [p for p, at in before.items() if p.exists() and p.stat().st_mtime_ns != at and not p.name.startswith(".tmp")]
    assert not redone, (event, redone)
    assert not list(out.rglob(".tmp-*"))
    for name in ("README.md", "metrics.json", "report.html", "plan.resolved.yaml"):
        assert (out / name).is_file(), (event, name)


def test_a_finished_run_has_nothing_new(curated, tmp_path, capsys):
    out = tmp_path / "curated"
    shutil.copytree(curated, out)
    ran = winnow(capsys, SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", out)
    assert ran.code == 0
    assert "nothing new" in ran.out
    assert digests(out) == digests(curated)
