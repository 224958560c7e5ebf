"""The CPU time that a run says it cost is that of its processes, and all of it has a name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.machine import meter, resources
from pipeline.machine.meter import Phases
from pipeline.machine.resources import Cpu
from pipeline.run import accounts
from tests.support import ROOT, prose, write_rows

STAGES = {"imports", "plan", "scan", "compile", "read", "annotate", "dedup", "select", "count", "write", "index", "page", "end"}


def test_what_a_run_says_it_used_is_within_5_percent_of_what_the_kernel_counted(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in" / "a.jsonl", [{"id": f"d{k}", "text": prose(k)} for k in range(300)])
    (tmp_path / "in" / "page.html").write_text(f"<main><p>{prose(400)}</p></main>")  # decoded in a child of its own
    arguments = ["--input", str(source.parent), "--output", str(tmp_path / "out"), "--inline", "--workers", "2", "--clean"]
    log = (tmp_path / "log").open("wb")
    ran = subprocess.Popen([sys.executable, "-m", "flows.curate", *arguments], cwd=ROOT, stdout=log, stderr=log)
    _, status, used = os.wait4(ran.pid, 0)
    ran.returncode = os.waitstatus_to_exitcode(status)
    assert ran.returncode == 0, (tmp_path / "log").read_text()
    cost = json.loads((tmp_path / "out" / "metrics.json").read_text())["cost"]
    assert cost["cpu_s"] == pytest.approx(used.ru_utime + used.ru_stime, rel=0.05)
    stages = {line["stage"]: line["cpu_s"] for line in cost["stages"]}
    assert sum(stages.values()) == pytest.approx(cost["cpu_s"])
    assert stages.keys() > STAGES | {accounts.CHILDREN} and "everything else" not in stages
    assert cost["mb_per_cpu_s"] == pytest.approx(_read(tmp_path / "out") / 1e6 / (cost["cpu_s"] - stages["compile"]))


def _read(out: Path) -> int:
    return int(json.loads((out / "metrics.json").read_text())["totals"]["bytes_read"])


def _ticking(monkeypatch: pytest.MonkeyPatch, *at: tuple[float, float]) -> None:
    times = iter(at)
    monkeypatch.setattr(meter.resources, "tree_cpu", lambda: Cpu(*next(times)))


def test_phases_partition_all_that_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    _ticking(monkeypatch, (2.0, 0.5), (3.0, 0.5), (7.0, 2.5), (8.0, 2.5))
    phases = Phases.begin(own_process=True)
    for name in ("scan", "annotate", "scan"):
        phases.end(name)
    assert phases.own == {"imports": 2.0, "scan": 2.0, "annotate": 4.0}
    assert phases.children == {"imports": 0.5, "scan": 0.0, "annotate": 2.0}
    assert (phases.start.total, phases.total) == (0.0, 10.5)


def test_in_a_process_that_does_other_things_a_run_begins_where_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    _ticking(monkeypatch, (100.0, 50.0), (101.0, 50.0))
    phases = Phases.begin()
    phases.end("plan")
    assert phases.own == {"plan": 1.0} and phases.start.total == 150.0


@pytest.mark.parametrize(
    ("here", "elsewhere", "wanted"),
    [
        (True, 0.0, {"scan": 1.0, "compile": 1.0, "read": 1.0, "sign": 2.0, "annotate": 1.0, "child processes": 2.0}),
        (False, 0.0, {"scan": 1.0, "compile": 1.0, "read": 1.0, "sign": 2.0, "annotate": 3.0}),
        (False, 3.0, {"scan": 1.0, "compile": 1.0, "read": 1.0, "sign": 2.0, "annotate": 6.0}),
    ],
)
def test_the_parts_of_a_phase_bear_their_names_and_the_rest_bears_the_phase_s(
    here: bool, elsewhere: float, wanted: dict[str, float]
) -> None:
    phases = Phases(Cpu(0, 0), {"scan": 2.0, "annotate": 4.0}, {"scan": 0.0, "annotate": 2.0}, {"annotate": elsewhere})
    units: Any = [SimpleNamespace(costs=(("read", 0.5), ("sign", 2.0))), SimpleNamespace(costs=(("read", 0.5),))]
    assert accounts._by_name(phases, units, compile_s=1.0, here=here) == wanted


def test_clocks_that_tick_apart_do_not_make_parts_larger_than_the_whole() -> None:
    phases = Phases(Cpu(0, 0), {"annotate": 3.0}, {"annotate": 0.0})
    units: Any = [SimpleNamespace(costs=(("read", 2.0), ("sign", 4.0)))]
    found = accounts._by_name(phases, units, compile_s=0.0, here=True)
    assert found == {"read": 1.0, "sign": 2.0, "annotate": 0.0}


def test_a_child_that_has_ended_and_one_that_lives_are_both_counted() -> None:
    burn = "import time; t = time.process_time()\nwhile time.process_time() - t < 0.2: pass\n"
    before = resources.tree_cpu()
    subprocess.run([sys.executable, "-S", "-c", burn], check=True)
    living = subprocess.Popen([sys.executable, "-S", "-c", burn + "print(1, flush=True); input()"], stdin=-1, stdout=-1)
    assert living.stdout is not None
    living.stdout.readline()
    used = resources.tree_cpu()
    living.communicate(b"\n")
    assert used.children - before.children > 0.36
