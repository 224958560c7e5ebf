"""Documents that hold an item of an evaluation set are dropped, marked or cut, with set, item, place and coverage as evidence."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from filters import decontaminate
from filters.contract import TextBatch, check, judge
from filters.edits import decontaminate as edit
from filters.edits.contract import apply
from filters.evaluations import index
from filters.evaluations.own import OwnSet
from filters.kernels.items import tables
from filters.models import ModelError
from flows.serving import roots
from pipeline.errors import PlanError
from pipeline.plan import load, paths, recipe
from pipeline.run.outline import outline
from tests.support import ROOT, prose, table, winnow, write_rows

QUESTION = (
    "A lamplighter in Varnholm trims seven wicks each morning and eleven wicks each evening, while her cousin breaks four of"
    " them every night. How many trimmed wicks are left after three full weeks of work?"
)
OPTIONS = ["two hundred and ninety four", "one hundred and twelve", "none whatsoever", "eighty nine"]
DIRTY = f"Über allem: {prose(40)}\nA quiz: {QUESTION} 1) {OPTIONS[1]} 2) {OPTIONS[0]}.\n{prose(41)}"
NONE = pa.RecordBatch.from_arrays([], names=[])


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    others = [{"q": f"Which herb grows behind the mill of Oster{i} when the river is low?", "o": [], "a": "C"} for i in range(40)]
    return write_rows(tmp_path_factory.mktemp("sets") / "wicks.jsonl", [*others, {"q": QUESTION, "o": OPTIONS, "a": "A"}])


def params(own: Path, **more: object) -> decontaminate.Params:
    entry = OwnSet(path=str(own), question="q", options="o", answer="a")
    return decontaminate.Params(sets=(), own=(entry,), **more)  # type: ignore[arg-type]


def test_evidence_names_set_item_and_the_characters_of_the_passage(own):
    batch = TextBatch(pa.array([prose(1), DIRTY, ""], pa.large_string()))
    chosen = params(own)
    made = decontaminate.annotate(batch, NONE, chosen, index.load(chosen))
    check(decontaminate.FILTER, rows=3, signals=made)
    clean, dirty, empty = made.to_pylist()
    assert clean == empty == dict(zip(made.schema.names, (0, None, None, None, None), strict=True))
    assert (dirty["contamination_set"], dirty["contamination_item"]) == ("wicks", "41")
    assert dirty["contamination"] > 0.9
    passage = DIRTY[dirty["contamination_start"] : dirty["contamination_end"]]
    assert passage.startswith("A lamplighter") and passage.endswith("full weeks of work")


@pytest.mark.parametrize(
    ("limit", "failed"), [(0.49, [False, True, True]), (0.5, [False, False, True]), (1, [False, False, False])]
)
def test_a_text_fails_above_the_limit(limit, failed):
    rules = decontaminate.rules(decontaminate.Params(), decontaminate.Thresholds(max_coverage=limit))
    signals = pl.DataFrame({"contamination": pl.Series([0.49, 0.5, 0.9], dtype=pl.Float32)})
    assert judge(decontaminate.FILTER, rules, signals).to_series().to_list() == failed


def test_the_edit_cuts_the_passage_and_leaves_the_rest(own):
    given = params(own)
    steps = edit.EDIT.steps(edit.DecontaminateParams(sets=(), own=given.own))
    made, changed = apply(steps, pa.array([prose(1), DIRTY], pa.large_string()))
    assert made.to_pylist() == [prose(1), f"Über allem: {prose(40)}\nA quiz: \n{prose(41)}"]
    assert [(name, rows.tolist()) for name, rows in changed] == [("decontaminate.evaluation_item", [False, True])]


def plan(tmp_path: Path, own: Path, more: str, extends: str = "none@1") -> Path:
    entry = f"[{{path: {own}, question: q, options: o, answer: a}}]"
    file = tmp_path / "plan.yaml"
    file.write_text(f"extends: {extends}\n" + more.replace("OWN", entry))
    return file


@pytest.mark.parametrize(
    ("keys", "verdict", "edits"),
    [
        ("filters: {decontaminate: {sets: [], own: OWN}}", "dropped", []),
        ("filters: {decontaminate: {sets: [], own: OWN, action: annotate}}", "kept", []),
        (
            "filters: {decontaminate: {sets: [], own: OWN, action: annotate, reads: source}}\n"
            "edits: {decontaminate: {sets: [], own: OWN}}",
            "kept",
            ["decontaminate.evaluation_item"],
        ),
    ],
    ids=["drop", "annotate", "cut"],
)
def test_a_run_tells_what_it_found_in_data_rejected_ledger_and_why(capsys, tmp_path, own, keys, verdict, edits):
    rows = write_rows(tmp_path / "in" / "a.jsonl", [{"id": "clean", "text": prose(1)}, {"id": "dirty", "text": DIRTY}])
    out = tmp_path / "out"
    ran = winnow(capsys, plan(tmp_path, own, keys), "--input", rows, "--output", out, "--accept")
    assert ran.code == 0, ran.err
    ledger = table(out, "ledger").sort("id")
    assert ledger["contamination_item"].to_list() == [None, "41"]
    assert (ledger["verdict"][1], ledger["edits"][1].to_list()) == (verdict, edits)
    assert ledger["reason"][1] == ("decontaminate.evaluation_item" if verdict == "dropped" else None)
    held = table(out, "rejected" if verdict == "dropped" else "data").filter(pl.col("id") == "dirty")
    assert (
        held.select(decontaminate.SIGNALS.names).rows()
        == ledger.filter(pl.col("id") == "dirty").select(decontaminate.SIGNALS.names).rows()
    )
    assert (QUESTION in held["text"][0]) is (not edits)
    became = {"dropped": "were dropped:", "kept": "cut and documents that hold one were marked:" if edits else "were marked:"}
    assert became[verdict] in (out / "README.md").read_text("utf-8")

    from flows.inspect import main

    assert main(["--output", str(out), "why", "dirty"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "contamination_set wicks, contamination_item 41, contamination_start" in said
    assert ("passage of an evaluation item: A lamplighter in Varnholm trims" in said) is not bool(edits)
    assert main(["--output", str(out), "why", "dirty", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["documents"]
    assert one["signals"]["decontaminate"]["contamination_item"] == "41"


def test_without_the_filter_no_table_has_its_columns(curated):
    for folder in ("data", "rejected", "ledger"):
        assert not set(decontaminate.SIGNALS.names) & set(table(curated, folder).columns)


def test_a_changed_set_changes_results_and_a_moved_one_does_not(tmp_path, own):
    def resolved(path: Path) -> recipe.Recipe:
        both = "filters: {decontaminate: {sets: [], own: OWN}}\nedits: {decontaminate: {sets: [], own: OWN}}"
        return recipe.resolve(load.load_plan(str(plan(tmp_path, path, both))).plan)

    (tmp_path / "moved").mkdir()
    moved = tmp_path / "moved" / own.name
    moved.write_bytes(own.read_bytes())
    first, same = resolved(own), resolved(moved)
    moved.write_bytes(own.read_bytes().replace(b"lamplighter", b"gatekeeper"))
    other = resolved(moved)
    assert first.hash == same.hash != other.hash
    assert first.edits == same.edits != other.edits
    assert first.filters[0].identity == same.filters[0].identity != other.filters[0].identity


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("filters: {decontaminate: {sets: [gsm9k]}}", "no set gsm9k; Winnow ships aqua-rat, "),
        ("filters: {decontaminate: {sets: [], own: [{path: nowhere.jsonl}]}}", "nowhere.jsonl: no such file"),
        ("edits: {decontaminate: {sets: [], own: [{path: nowhere.jsonl}]}}", "nowhere.jsonl: no such file"),
        ("filters: {decontaminate: {sets: []}}", "names no evaluation set"),
        ("edits: {decontaminate: {sets: [], own: [{path: PLAN}]}}", "line 1: expected a JSON object"),
    ],
)
def test_a_plan_that_names_no_set_is_refused_before_anything_is_read(tmp_path, own, keys, says):
    file = plan(tmp_path, own, keys.replace("PLAN", str(tmp_path / "plan.yaml")))
    with pytest.raises(PlanError, match=says):
        recipe.load_models(recipe.resolve(load.load_plan(str(file)).plan))


def test_items_that_cannot_be_found_are_counted_by_why_and_a_set_without_others_is_refused(tmp_path, own):
    rows = [{"q": QUESTION, "o": OPTIONS, "a": "A"}, {"q": QUESTION, "o": OPTIONS, "a": "A"}, {"q": None}, {"q": "Why?"}]
    mixed = write_rows(tmp_path / "mixed.jsonl", rows)
    given = plan(tmp_path, mixed, "filters: {decontaminate: {sets: [], own: OWN}}")
    resolved = recipe.resolve(load.load_plan(str(given)).plan)
    assert (
        "    mixed: 1 of 4 items can be found (1 without a question; 1 copy; 1 too short to be found, or of what many items say)"
        in list(outline(resolved))
    )
    with pytest.raises(ModelError, match=r"mixed: 0 of 1 items can be found \(1 too short"):
        write_rows(mixed, [{"q": "Why?", "o": [], "a": "A"}])
        index.load(params(mixed))


def test_a_deployment_reads_sets_below_its_roots_only(tmp_path, own):
    both = "filters: {decontaminate: {sets: [], own: OWN}}\nedits: {decontaminate: {sets: [], own: [{path: other.jsonl}]}}"
    named = roots.read_by(load.load_plan(str(plan(tmp_path, own, both))))
    assert {str(own), "other.jsonl"} <= set(named)


def test_eval_safe_is_the_default_with_decontamination():
    default, safe = (load.load_plan(name).plan.model_dump(mode="json") for name in ("default", "eval-safe"))
    assert default["filters"].pop("decontaminate") is False
    assert safe["filters"].pop("decontaminate")["sets"] == "all"
    assert default == safe


def test_paths_of_sets_are_made_absolute_and_left_out_of_what_is_compared():
    given = {"edits": {"decontaminate": {"own": [{"path": "a/b.jsonl"}]}}, "filters": {"decontaminate": {"own": [{"path": "b"}]}}}
    assert paths.with_names_only(given)["edits"]["decontaminate"]["own"] == [{"path": "b.jsonl"}]
    assert paths.with_absolute_paths(given)["filters"]["decontaminate"]["own"][0]["path"].startswith("/")


def test_the_shipped_index_is_small_sound_and_of_permitted_licences():
    card = index.card()
    assert index.SHIPPED.stat().st_size < 10_000_000
    assert {"gsm8k", "mmlu", "humaneval", "arc-challenge"} <= {one.name for one in card.sets}
    assert not {"aime24", "amc23", "asdiv", "svamp"} & {one.name for one in card.sets}
    assert all(one.licence and one.sources for one in card.sets) and all(left.why for left in card.left_out)
    loaded = index.load(decontaminate.Params(sets=("gsm8k",)))
    assert len(loaded.items.firsts) - 1 == next(one.items for one in card.sets if one.name == "gsm8k")
    assert loaded.named(0) == ("gsm8k", "test/0")
    assert loaded.named(1318) == ("gsm8k", "test/1318")
    assert set(loaded.items._fields) == set(tables.Items._fields)
    page = (ROOT / "docs" / "decontamination.md").read_text("utf-8")
    for one in card.sets:
        assert f"| {one.name} | {one.licence} | {one.given} | {one.findable} |" in page
