"""What leaves the work directory at a commit: what no live generation needs, and nothing of a run that was cut short."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.output.manifest import Manifest
from pipeline.run import prune
from pipeline.stages.unit import generations
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.tables import Names, tables_of
from pipeline.store.store import Store, open_store
from tests.support import curate, prose, write_rows


def unit(name: str) -> Annotated:
    made = Names(
        (f"in/{name}",),
        f"documents/{name}.parquet",
        f"documents/{name}.bad.parquet",
        f"facts/final/{name}.parquet",
        (f"facts/c4/{name}.parquet",),
        f"judgements/filters/{name}.parquet",
        f"facts/minhash/{name}.parquet",
        None,
    )
    return Annotated(made.paths[0], 1, 0, made, 1, 0, 1, 1, ())


def manifest(generation: int, recipe: str = "A") -> Manifest:
    return Manifest.model_construct(generation=generation, recipe_hash=recipe, inputs=())


def note(work: Store, number: int, name: str) -> None:
    """A generation of recipe A that has one unit."""
    work.write_bytes(generations.name(number, "A", ()), generations.encode([unit(name)]))


@pytest.fixture
def work(tmp_path: Path) -> Store:
    """Generations 1 and 2 of recipe A, what only B needs, and judgements over the corpus."""
    store = open_store(str(tmp_path / "work"))
    for name in ("one", "two", "other"):
        for table in tables_of(unit(name).names):
            store.write_bytes(table, b"")
        store.write_bytes(f"streams/{name}.json", f'{{"documents": ["documents/{name}.parquet"]}}'.encode())
    store.write_bytes("facts/pairs/p.parquet", b"")
    store.write_bytes("streams/damaged.json", b"{")
    for name in ("dedup/a/summary.json", "dedup/index/k-texts.parquet", "select/b/summary.json"):
        store.write_bytes(f"judgements/{name}", b"")
    for number, name in ((1, "one"), (2, "two")):
        note(store, number, name)
    return store


def left(work: Store, name: str) -> bool:
    """Whether all of a unit is there; not some of it."""
    found = {work.has(table) for table in (*tables_of(unit(name).names), f"streams/{name}.json")}
    assert len(found) == 1
    return found.pop()


def test_a_commit_that_adds_removes_judgements_over_the_corpus_alone(work):
    prune.prune(work, [manifest(1), manifest(2)], replaced=False)
    assert (work.entries("judgements/dedup"), work.entries("judgements/select")) == (["index"], [])
    assert left(work, "one") and left(work, "two") and left(work, "other")


@pytest.mark.parametrize(("live", "stay"), [([manifest(2)], ["two"]), ([manifest(1), manifest(2)], ["one", "two"])])
def test_a_commit_that_replaces_leaves_what_live_generations_need(work, live, stay):
    prune.prune(work, live, replaced=True)
    assert [name for name in ("one", "two", "other") if left(work, name)] == stay
    assert [f"generations/{file}" for file in work.names("generations")] == [
        generations.name(made.generation, "A", ()) for made in live
    ]
    assert work.has("facts/pairs/p.parquet") and not work.has("streams/damaged.json") and not work.entries("judgements/dedup")


def test_a_run_of_another_plan_that_was_cut_short_keeps_what_it_has_made(work):
    prune.begin(work, "B", 2)
    prune.begin(work, "A", 2)
    prune.prune(work, [manifest(2)], replaced=True)
    assert left(work, "one") and left(work, "other") and work.names("unfinished") == ["B.json"]
    note(work, 10, "two")
    prune.prune(work, [manifest(10)], replaced=True)  # eight commits later it was given up
    assert not left(work, "one") and left(work, "two") and not left(work, "other") and work.names("unfinished") == []


@pytest.mark.parametrize("recipe", ["B", None, "torn"])
def test_where_nobody_knows_what_a_live_generation_needs_nothing_goes(work, recipe):
    if recipe is None:
        work.remove(generations.name(1, "A", ()))
    elif recipe == "torn":
        work.write_bytes(generations.name(1, "A", ()), b"{")
    prune.prune(work, [manifest(1, "B" if recipe == "B" else "A"), manifest(2)], replaced=True)
    assert left(work, "one") and left(work, "two") and left(work, "other")


def test_what_a_measurement_reads_stays_while_it_goes_on(work):
    with work.lock("savings/.lock"):
        prune.prune(work, [manifest(2)], replaced=True)
        assert left(work, "one") and left(work, "other")
    prune.prune(work, [manifest(2)], replaced=True)
    assert not left(work, "one") and left(work, "two")


def test_a_variant_that_a_measurement_curates_leaves_the_facts_of_the_output(tmp_path):
    work = tmp_path / "out/.work"

    def run(name: str, output: Path, *more: str) -> set[Path]:
        write_rows(tmp_path / name / "in.jsonl", [{"text": prose(number)} for number in range(3)])
        curate("minimal", "--input", tmp_path / name, "--output", output, "--work", work, "--set", "checks.plants=0", *more)
        return set((work / "documents").iterdir())

    made = run("in", tmp_path / "out")
    run("other", work / "savings/sweep/v")
    assert made and made <= run("another", work / "savings/sweep/v", "--replace")
