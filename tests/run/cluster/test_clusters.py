"""Runs on real clusters of separate processes: same bytes as local, workers and schedulers that die, workers that do not fit."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from tests.run.cluster import clusters
from tests.run.cluster.clusters import PLUGIN, Cluster, begin, curate, many_files
from tests.support import ROOT, SAMPLE, digests

FOLDERS = ("data", "rejected", "ledger", "quarantine", "index")
pytestmark = pytest.mark.slow


def there(runner: str) -> pytest.MarkDecorator:
    missing = find_spec("distributed" if runner == "dask" else "ray") is None
    return pytest.mark.skipif(missing, reason=f"{runner} is not installed: pip install winnow-curation[{runner}]")


ENGINES = [pytest.param(getattr(clusters, runner), id=runner, marks=there(runner)) for runner in ("dask", "ray")]
RUNNERS = [pytest.param(runner, id=runner, marks=there(runner)) for runner in ("dask", "ray")]


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> tuple[Path, Path]:
    """`(input, output)`: two generations of many small files, curated by threads of one process."""
    folder = tmp_path_factory.mktemp("local")
    many_files(folder / "input", 10)
    for more in (0, 6):
        many_files(folder / "input", more, first=10)
        ran = curate(None, *plan(folder / "input", folder / "out"))
        assert ran.returncode == 0, ran.stderr
    return folder / "input", folder / "out"


def plan(given: Path, out: Path) -> tuple[str | Path, ...]:
    """Units are so small that files do not share them: a span each."""
    return ("minimal", "--input", given, "--output", out, "--set", "source.unit_bytes=12000", *PLUGIN)


def two_generations(cluster: Cluster, folder: Path, **environment: str) -> None:
    many_files(folder / "input", 10)
    ran = curate(cluster, *plan(folder / "input", folder / "out"), **environment)
    assert ran.returncode == 0, ran.stderr
    many_files(folder / "input", 6, first=10)
    ran = curate(cluster, *plan(folder / "input", folder / "out"), **environment)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_two_generations_and_the_sample_have_the_bytes_of_local_runs(engine, tmp_path, local, curated):
    with engine(tmp_path) as cluster:
        two_generations(cluster, tmp_path)
        assert digests(tmp_path / "out", FOLDERS) == digests(local[1], FOLDERS)
        sample = (SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", tmp_path / "sample")
        ran = curate(cluster, *sample, prefect=True)
        assert ran.returncode == 0, ran.stderr
        assert digests(tmp_path / "sample", FOLDERS) == digests(curated, FOLDERS)


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("prefect", [False, True], ids=["inline", "prefect"])
def test_a_cluster_of_this_machine_for_one_run_has_the_bytes_of_a_local_one(runner, prefect, tmp_path, curated):
    sample = (SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", tmp_path / "out")
    ran = curate(None, *sample, "--runner", runner, prefect=prefect)
    assert ran.returncode == 0, ran.stderr
    assert digests(tmp_path / "out", FOLDERS) == digests(curated, FOLDERS)
    cost = json.loads((tmp_path / "out/metrics.json").read_text())["cost"]
    assert cost["exact"] is False and cost["cpu_s"] > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_worker_that_is_killed_costs_its_spans_only(engine, tmp_path, local):
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "kill").touch()
    shutil.copytree(local[0], tmp_path / "input")
    with engine(tmp_path, WINNOW_TRAP=str(trap)) as cluster:
        ran = curate(cluster, *plan(tmp_path / "input", tmp_path / "out"))
    assert ran.returncode == 0, ran.stderr
    assert (trap / "killed").exists()
    assert len(list(trap.glob("seen-*"))) <= 16 + 2, "only what the killed worker had in hand is done again"
    expected = tmp_path / "expected"
    assert curate(None, *plan(tmp_path / "input", expected)).returncode == 0
    assert digests(tmp_path / "out", FOLDERS) == digests(expected, FOLDERS)


@pytest.mark.parametrize("step", ["scatter_hashes", "link_places", "count_pairs"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_worker_that_is_killed_within_a_job_of_dedup_costs_that_job_only(engine, step, tmp_path, local):
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / f"kill-dedup {step}").touch()
    many_files(tmp_path / "input", 10)
    with engine(tmp_path, WINNOW_TRAP=str(trap)) as cluster:
        ran = curate(cluster, *plan(tmp_path / "input", tmp_path / "out"))
        assert ran.returncode == 0, ran.stderr
        assert (trap / "killed").exists()
        many_files(tmp_path / "input", 6, first=10)
        ran = curate(cluster, *plan(tmp_path / "input", tmp_path / "out"))
    assert ran.returncode == 0, ran.stderr
    assert digests(tmp_path / "out", FOLDERS) == digests(local[1], FOLDERS)


@pytest.mark.parametrize("engine", ENGINES)
def test_cpu_seconds_of_workers_elsewhere_are_counted(engine, tmp_path):
    many_files(tmp_path / "input", 10)
    with engine(tmp_path) as cluster:
        before, here = used_by(cluster), resource.getrusage(resource.RUSAGE_CHILDREN)
        ran = curate(cluster, *plan(tmp_path / "input", tmp_path / "out"))
        assert ran.returncode == 0, ran.stderr
        elsewhere, driver = used_by(cluster) - before, resource.getrusage(resource.RUSAGE_CHILDREN)
    own = driver.ru_utime + driver.ru_stime - here.ru_utime - here.ru_stime
    cost = json.loads((tmp_path / "out/metrics.json").read_text())["cost"]
    assert sum(line["cpu_s"] for line in cost["stages"]) == pytest.approx(cost["cpu_s"])
    assert cost["cpu_s"] > own, (cost["cpu_s"], own, elsewhere)
    if engine is clusters.dask:  # Ray ends workers that stand idle, and with them what they used
        # The rest is the cluster's own: its scheduler, and its processes before they had a task.
        assert 0.3 * elsewhere < cost["cpu_s"] - own < elsewhere, (cost["cpu_s"], own, elsewhere)


def used_by(cluster: Cluster) -> float:
    """CPU seconds of the cluster's processes, the scheduler's among them."""
    used = 0.0
    for process in (cluster.head, *cluster.workers):
        for one in (psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                times = one.cpu_times()
                used += times.user + times.system + times.children_user + times.children_system
    return used


@pytest.mark.parametrize("prefect", [False, True], ids=["inline", "prefect"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_scheduler_that_is_killed_fails_the_run_in_bounded_time_and_the_same_command_resumes(engine, prefect, tmp_path, local):
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "slow").touch()
    shutil.copytree(local[0], tmp_path / "input")
    arguments = plan(tmp_path / "input", tmp_path / "out")
    with engine(tmp_path, WINNOW_TRAP=str(trap)) as cluster:
        running = begin(cluster, *arguments, prefect=prefect)
        end = time.monotonic() + 90
        while len(list(trap.glob("seen-*"))) < 4:
            assert running.poll() is None and time.monotonic() < end, running.communicate()
            time.sleep(0.05)
        os.killpg(cluster.head.pid, signal.SIGKILL)
        begun = time.monotonic()
        _, err = running.communicate(timeout=90)
        assert running.returncode == 1, err
        assert time.monotonic() - begun < 75
        assert cluster.address.rpartition("/")[2] in err and "the same command resumes" in err, err
        assert "Traceback" not in err, err
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/.work/documents").glob("*.parquet")}
    assert done
    assert curate(None, *arguments).returncode == 0
    assert all(path.stat().st_mtime_ns == at for path, at in done.items())
    expected = tmp_path / "expected"
    assert curate(None, *plan(tmp_path / "input", expected)).returncode == 0
    assert digests(tmp_path / "out", FOLDERS) == digests(expected, FOLDERS)


@there("dask")
def test_workers_with_other_code_or_another_file_system_are_refused(tmp_path, local):
    """A worker from a tree that differs in one comment; a work directory that it does not see is tested in test_remote."""
    tree = tmp_path / "tree"
    for package in ("filters", "pipeline", "flows", "tests/run/cluster"):
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (tree / "pipeline/stages/unit/verdicts.py").open("a") as file:
        file.write("# another version\n")
    with clusters.dask(tmp_path, workers=1, root=str(tree)) as cluster:
        ran = curate(cluster, *plan(local[0], tmp_path / "out"))
    assert ran.returncode == 1
    assert "another version of winnow than the driver" in ran.stderr and "own code differs" in ran.stderr


def test_an_address_where_nothing_answers_exits_2(tmp_path, local):
    pytest.importorskip("distributed")
    nowhere = Cluster("dask", "tcp://127.0.0.1:9", None)  # type: ignore[arg-type]
    ran = curate(nowhere, *plan(local[0], tmp_path / "out"))
    assert ran.returncode == 2 and "tcp://127.0.0.1:9" in ran.stderr and "Traceback" not in ran.stderr
