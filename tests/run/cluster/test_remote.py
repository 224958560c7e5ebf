"""What workers do, called in this process: same bytes as a local run, and a worker that does not fit refuses to work."""

from __future__ import annotations

import dataclasses
import inspect
import json
import pickle
import sys
from pathlib import Path

import pytest

from pipeline import errors
from pipeline.errors import BadRows, BrokenContract, InputChanged, OutputLocked, RunFailed, WinnowError
from pipeline.machine.events import Event
from pipeline.plan.load import load_plan
from pipeline.plan.recipe import resolve
from pipeline.run import execute
from pipeline.run.cluster import engine, site, tasks
from pipeline.run.options import RunOptions
from pipeline.store.store import open_store
from tests.run.cluster.clusters import many_files
from tests.run.cluster.in_process import Pickling
from tests.support import SAMPLE, curate, digests, prose, table, winnow, write_rows


def remote(out: Path, *inputs: Path, plan: str | Path = "minimal", assignments: tuple[str, ...] = (), on_event=None) -> Pickling:
    """A run whose tasks are pickled; the engine that ran them."""
    made = Pickling()
    loaded = load_plan(str(plan), inputs=[str(path) for path in inputs], assignments=list(assignments))
    options = RunOptions(output=str(out), runner="dask", accept=True)  # a generation of copies alone, too
    execute.execute(loaded, options, mapper=engine.mapper(made), on_event=on_event or (lambda _: None))
    return made


def test_a_run_whose_tasks_go_through_pickle_gives_the_bytes_of_a_local_one(tmp_path, curated):
    told: list[Event] = []
    made = remote(tmp_path / "out", SAMPLE / "input", plan=SAMPLE / "plan.yaml", on_event=told.append)
    folders = ("data", "rejected", "ledger", "quarantine", "index")
    assert digests(tmp_path / "out", folders) == digests(curated, folders)
    assert made.begun and made.largest < 100_000
    moved = [event for event in told if event.kind == "advance" and event.stage == "annotate"]
    read = json.loads((tmp_path / "out/manifest.json").read_text())["totals"]["read"]
    assert sum(event.documents for event in moved) == read and {event.name for event in moved} >= {"input/web.jsonl.gz"}
    assert not list((tmp_path / "out/.work").rglob("cluster/*"))


def test_generations_with_scopes_urls_and_edits_have_the_bytes_of_local_ones(tmp_path):
    """Many units, near and exact copies within and across them and generations."""
    many_files(tmp_path / "in", 4)
    extra = [{"id": f"u{i}", "text": prose(200 + i), "url": f"https://a.org/{i % 3}", "dump": i % 2} for i in range(8)]
    write_rows(tmp_path / "in" / "urls.jsonl", [*extra, {"id": "mail", "text": f"{prose(300)} Write to ada@example.org."}])
    keys = ("dedup.exact_url=true", "dedup.scope=[dump]", "source.unit_bytes=3000", "edits.pii={}")
    for more in (0, 3):
        many_files(tmp_path / "in", more, first=4)
        made = remote(tmp_path / "remote", tmp_path / "in", assignments=keys)
        curate("minimal", "--input", tmp_path / "in", "--output", tmp_path / "local", *(x for k in keys for x in ("--set", k)))
    stages = {name.partition(" ")[0] for name in made.begun}
    assert stages == {"annotate", "dedup", "write"} and made.largest < 100_000
    folders = ("data", "rejected", "ledger", "quarantine", "index")
    assert digests(tmp_path / "remote", folders) == digests(tmp_path / "local", folders)
    reasons = set(table(tmp_path / "remote", "ledger")["reason"].to_list())
    assert {None, "exact_duplicate", "near_duplicate", "duplicate_url"} == reasons
    assert not list((tmp_path / "remote/.work").rglob("jobs"))


def test_near_copies_of_an_earlier_generation_are_found_whatever_the_order_of_its_documents(tmp_path):
    """With `keep`, numbers of documents stand in another order than the shards, and the index keeps its texts as shards do."""
    long = [f"{prose(i)} {'And so on, line by line. ' * (i * 7 % 12)}" for i in range(12)]
    write_rows(tmp_path / "in" / "a.jsonl", [{"id": f"a{i}", "text": text} for i, text in enumerate(long)])
    key = "dedup.keep=[n_bytes desc]"
    for more in (False, True):
        if more:
            near = [f"{text} One sentence more." for text in long]
            write_rows(tmp_path / "in" / "b.jsonl", [{"id": f"b{i}", "text": text} for i, text in enumerate(near)])
        remote(tmp_path / "remote", tmp_path / "in", assignments=(key,))
        curate("minimal", "--input", tmp_path / "in", "--output", tmp_path / "local", "--set", key)
    folders = ("data", "rejected", "ledger", "quarantine", "index")
    assert digests(tmp_path / "remote", folders) == digests(tmp_path / "local", folders)
    assert table(tmp_path / "remote", "ledger")["reason"].to_list().count("near_duplicate") == len(long)


@pytest.fixture
def here(tmp_path):
    """`(site, work folder)` of a run that goes on."""
    work, out = open_store(str(tmp_path / "work")), open_store(str(tmp_path / "out"))
    with site.of_run(work, out, resolve(load_plan("minimal").plan), threads=1, memory=2_000_000_000) as made:
        yield made


def test_a_site_opens_and_its_recipe_is_the_drivers(here):
    found = site.at(pickle.loads(pickle.dumps(here)))
    assert found.recipe.hash == here.recipe and found.work.root == here.work


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"code": "0" * 64}, ["own code differs", "install the same one"]),
        ({"versions": (("numpy", "0.1"),)}, ["numpy", "driver: 0.1"]),
        ({"architecture": "vax"}, ["architecture", "driver: vax"]),
        ({"recipe": "0" * 32}, ["other models or filters", "model files"]),
        ({"marker": "cluster/other"}, ["does not see the work directory", "--work"]),
        ({"work": "/no/such/folder"}, ["does not see the work directory /no/such/folder"]),
        ({"tombstones": "0" * 32}, ["sees other take-downs", "must be shared"]),
    ],
)
def test_a_worker_that_does_not_fit_refuses(here, changes, words):
    with pytest.raises(RunFailed) as error:
        site.at(dataclasses.replace(here, **changes))
    assert all(word in str(error.value) for word in ("worker on", *words)), error.value


def test_an_input_that_a_worker_does_not_see_is_named(here):
    from pipeline.read.files import InputFile
    from pipeline.read.units import Unit
    from pipeline.run.spans import Span

    file = InputFile("s", 0, "/no/such/a.jsonl", "in/a.jsonl", "jsonl", None, 1, "text", "id", 1, 1, 0.1)
    with pytest.raises(RunFailed, match=r"does not see the input in/a\.jsonl"):
        tasks.span(here, Span("a", (Unit(file, "c", 0, 0, 1, 1),), (1,)))


def test_every_error_crosses_a_tasks_border_as_itself():
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, WinnowError)]
    assert {BadRows, BrokenContract, InputChanged, OutputLocked} <= set(kinds)
    for kind in kinds:
        back = pickle.loads(pickle.dumps(kind("what to do")))
        assert (type(back), str(back), back.exit_code) == (kind, "what to do", kind.exit_code)


def test_after_a_failure_no_further_item_begins_and_what_waits_is_cancelled():
    made, stopped = Pickling(), []
    with pytest.raises(ZeroDivisionError):
        engine.mapper(made)("annotate", _reciprocal, [1, 0, 2, 4], stop=lambda: stopped.append(True))
    assert (len(made.begun), len(made.cancelled), stopped) == (2, 4, [True])


def _reciprocal(number: int) -> float:
    return 1 / number


@pytest.mark.parametrize(("runner", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_engine_names_the_extra(capsys, tmp_path, monkeypatch, runner, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"pipeline.run.cluster.on_{runner}", raising=False)
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(1)}])
    ran = winnow(capsys, "minimal", "--input", path, "--output", tmp_path / "out", "--runner", runner)
    assert ran.code == 2 and f"winnow-curation[{runner}]" in ran.err
