"""From the command to savings.json, on a small output: arms, registration, page, exchange with other trainers."""

from __future__ import annotations

import json
import random

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from flows import savings
from pipeline.plan.load import dump, load_plan
from pipeline.savings import automatic, corpora, sweep
from pipeline.store.store import open_store
from tests.support import Ran, curate, prose, write_rows

SPAM = ["WIN", "FREE", "click", "now", "cheap", "pills", "bonus", "casino", "offer", "deal", "$$$", "!!!", "http"]


def _spam(rng: random.Random) -> str:
    return " ".join(rng.choice(SPAM) + rng.choice(["", "!", "?", str(rng.randrange(99))]) for _ in range(160))


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """Good text, spam that gopher_repetition does not see but min_words does, and copies; curated once."""
    folder, rng = tmp_path_factory.mktemp("savings"), random.Random(0)
    good = [prose(i) for i in range(260)]
    rows = [{"text": text, "id": f"g{i}"} for i, text in enumerate(good[:200])]
    rows += [{"text": text, "id": f"c{i}"} for i, text in enumerate(good[:60])]
    rows += [{"text": _spam(rng), "id": f"s{i}"} for i in range(150)]
    rng.shuffle(rows)
    write_rows(folder / "in/a.jsonl", rows)
    write_rows(folder / "target.jsonl", [{"text": text} for text in good[200:]])
    curate("default", "--input", folder / "in", "--output", folder / "out", workers=1)
    return folder


def run(capsys, *arguments) -> Ran:
    capsys.readouterr()
    try:
        code = savings.main(list(map(str, arguments)))
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    shown = capsys.readouterr()
    return Ran(code, shown.out, shown.err)


def measured(capsys, output, *arguments, out: str = "out") -> dict:
    ran = run(capsys, output / out, "--inline", "--json", "--target", output / "target.jsonl", *arguments)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def line_of(made: dict, arm: str, name: str = "target") -> dict:
    held = next(held for held in made["measured"][0]["sets"] if held["name"] == name)
    return next(line for line in held["comparisons"] if line["arm"] == arm)


def test_the_ngram_tier_compares_counts_the_attempt_and_changes_the_page(output, capsys):
    made = measured(capsys, output)
    (one,) = made["measured"]
    line = line_of(made, "curated")
    assert made["schema"] == 2
    assert (one["tier"], one["draws"], one["attempt"]) == ("ngram", 5, 1)
    assert line["interval"][0] > 1
    assert line["multiplier"] == pytest.approx(1 / (line["kept_share"] + (1 - line["kept_share"]) * line["worth"]))
    assert json.loads((output / "out/savings.json").read_text()) == made
    assert "has not been measured" not in (output / "out/report.html").read_text()


def test_the_same_measurement_is_one_attempt_and_another_target_or_number_of_draws_the_next(output, capsys):
    write_rows(output / "other.jsonl", [{"text": prose(i)} for i in range(400, 430)])
    again, more = measured(capsys, output), measured(capsys, output, "--draws", "4")
    ran = run(capsys, output / "out", "--inline", "--json", "--target", output / "other.jsonl")
    attempts = [made["measured"][0]["attempt"] for made in (again, more, json.loads(ran.out))]
    assert attempts == [1, 2, 3]
    lines = [json.loads(line) for line in (output / "out/savings_history.jsonl").read_text().splitlines()]
    assert [line["attempt"] for line in lines if line["event"] == "started"] == [1, 2, 3]
    assert all(line["found"][0]["verdict"] for line in lines if line["event"] == "ended")


def test_without_a_target_the_sets_that_were_split_off_are_a_bracket_and_none_decides(output, capsys):
    ran = run(capsys, output / "out", "--inline", "--json")
    assert ran.code == 0, ran.err
    (one,) = json.loads(ran.out)["measured"]
    assert one["primary"] is None
    assert {"raw_heldout", "curated_heldout"} <= {held["role"] for held in one["sets"]}
    for option in (["--sweep", "dedup.threshold=0.7,0.8"], ["--by-reason"]):
        refused = run(capsys, output / "out", "--inline", *option)
        assert refused.code == 2
        assert "name a target" in refused.err


def test_data_are_untouched_and_no_held_out_text_is_in_an_arm(output, capsys):
    before = {p: p.read_bytes() for p in (output / "out/data").iterdir()}
    where, target = output / "export", output / "target.jsonl"
    options = ["--to", where, "--tokens", "4e3", "--draws", "3", "--target", target]
    ran = run(capsys, "export-arms", output / "out", *options)
    assert ran.code == 0, ran.err
    assert {p: p.read_bytes() for p in (output / "out/data").iterdir()} == before
    card = json.loads((where / "experiment.json").read_text())
    arms = [line for path in (where / "arms").iterdir() for text in _texts(path) for line in text.split("\n")]
    held = [line for made in card["sets"] for text in _texts(where / made["path"]) for line in text.split("\n") if line.strip()]
    assert held
    assert not set(held) & set(arms)


def test_every_draw_of_an_exported_arm_has_documents_of_its_own_and_the_arms_of_one_draw_share_theirs(output):
    where = output / "export"
    card = json.loads((where / "experiment.json").read_text())
    path = {arm["arm"]: arm["path"] for arm in card["arms"]}
    raw, curated = ([set(_texts(where / path[arm].format(draw=draw))) for draw in card["draws"]] for arm in ("raw", "curated"))
    assert len(raw) == 3
    assert len(curated[0] & curated[1]) <= 1
    for one, other in zip(raw, curated, strict=True):
        assert len(one & other) > len(one) / 3, "raw's kept documents are the curated arm's first"


def _texts(path) -> list[str]:
    return pq.read_table(path)["text"].to_pylist()


def _curve(tokens, shift):
    return [1.5 + (seen / 1e5 * shift) ** -0.3 for seen in tokens]


def results(card, *, params=1e6, documents=None) -> list[dict]:
    """What a trainer to which curated text is worth twice as much writes; of each document where `documents` has their number."""
    tokens, rng = [int(t) for t in np.geomspace(1e5, 1.6e6, 8)], np.random.default_rng(0)
    rows = []
    for arm in card["arms"]:
        for draw in card["draws"]:
            shift = {"curated": 2.0}.get(arm["arm"], 1.0) * np.exp(0.01 * rng.standard_normal())
            for made in card["sets"]:
                own = {"arm": arm["arm"], "draw": draw, "params": params, "set": made["set"], "metric": "bpb"}
                for seen, value in zip(tokens, _curve(tokens, shift), strict=True):
                    for document in range(documents[made["set"]]) if documents else (None,):
                        rows.append(own | {"tokens": seen, "value": value} | ({} if document is None else {"document": document}))
    return rows


def test_results_of_another_trainer_give_the_same_report_with_every_size(output, capsys):
    where = output / "export"
    card = json.loads((where / "experiment.json").read_text())
    write_rows(output / "results.jsonl", [*results(card), *results(card, params=4e6)])
    ran = run(capsys, "score", where, output / "results.jsonl", "--json")
    assert ran.code == 0, ran.err
    made = json.loads(ran.out)
    line, (one,) = line_of(made, "curated"), made["measured"]
    assert line["multiplier"] == pytest.approx(2, rel=0.05)
    assert line["verdict"] == "saves"
    assert one["learner"]["parameters"] == 4e6
    assert [size["parameters"] for size in one["sizes"]] == [1e6]
    assert one["sizes"][0]["comparison"]["interval"][0] > 1


def test_draws_of_another_trainer_that_read_the_same_text_have_a_wider_interval(output, capsys):
    where, errors = output / "export", []
    before = json.loads((where / "experiment.json").read_text())
    write_rows(output / "results.jsonl", results(before))
    for read in (before["read"], 0.6):
        (where / "experiment.json").write_text(json.dumps(before | {"read": read}))
        ran = run(capsys, "score", where, output / "results.jsonl", "--json")
        assert ran.code == 0, ran.err
        low, high = line_of(json.loads(ran.out), "curated")["interval"]
        errors.append((json.loads(ran.out)["measured"][0]["shared"], high / low))
    (where / "experiment.json").write_text(json.dumps(before))
    assert errors[0][0] == 0 and errors[1][0] == pytest.approx(4 / 9)
    assert errors[1][1] > errors[0][1] ** 1.5


def test_results_by_document_add_the_choice_of_the_target_to_the_interval(output, capsys):
    where = output / "export"
    card = json.loads((where / "experiment.json").read_text())
    sizes = {made["set"]: len(_texts(where / made["path"])) for made in card["sets"]}
    rows, rng = results(card, documents=sizes), np.random.default_rng(1)
    hard = 0.2 * rng.standard_normal(max(sizes.values()))
    for row in rows:
        row["value"] += hard[row["document"]] * (row["arm"] == "curated")
    errors = []
    for name, found in (("whole", results(card)), ("documents", rows)):
        write_rows(output / f"{name}.jsonl", found)
        ran = run(capsys, "score", where, output / f"{name}.jsonl", "--json")
        assert ran.code == 0, ran.err
        errors.append(line_of(json.loads(ran.out), "curated")["target_error"])
    assert errors[0] == pytest.approx(0, abs=1e-9)
    assert errors[1] > 0.01


@pytest.mark.parametrize("change", ["an arm of a draw is missing", "one checkpoint", "a document is missing", "nats"])
def test_results_that_are_not_whole_are_refused_by_name(output, capsys, change):
    where = output / "export"
    card = json.loads((where / "experiment.json").read_text())
    rows = results(card)
    if change == "an arm of a draw is missing":
        rows = [row for row in rows if (row["arm"], row["draw"]) != ("curated", 1)]
    elif change == "one checkpoint":
        rows = [row for row in rows if row["tokens"] == 100_000 or row["arm"] == "raw"]
    elif change == "a document is missing":
        rows = [row | {"document": 0} for row in rows]
    else:
        rows = [rows[0] | {"metric": "loss"}]
    write_rows(output / "wrong.jsonl", rows)
    ran = run(capsys, "score", where, output / "wrong.jsonl")
    assert ran.code == 2
    assert ("metric: Input should be 'bpb'" if change == "nats" else "all are needed") in ran.err


def test_arms_of_files_need_no_output(output, capsys):
    rows = pl.read_ndjson(output / "in/a.jsonl")
    for name, part in (("today", rows), ("new", rows.filter(pl.col("id").str.starts_with("g")))):
        part.write_parquet(output / f"{name}.parquet")
    arms = ["--arm", f"today={output}/today.parquet", "--arm", f"new={output}/new.parquet"]
    made = measured(capsys, output, *arms, out="results")
    assert line_of(made, "new")["interval"][0] > 1
    assert made["generation"] is None
    assert (output / "results/savings.json").is_file()


def test_a_filter_that_drops_good_text_has_an_upper_bound_below_1_and_is_paired_with_the_source_text(output, capsys):
    rows = pl.read_ndjson(output / "in/a.jsonl")
    good = rows["id"].str.starts_with("g") | rows["id"].str.starts_with("c")
    rows.filter(~good | (rows["id"].str.slice(1) == "7") | rows["id"].str.ends_with("3")).write_parquet(output / "bad.parquet")
    line = line_of(measured(capsys, output, "--arm", "raw=source", "--arm", f"bad={output}/bad.parquet"), "bad")
    assert line["interval"][1] < 1
    assert (line["verdict"], line["reached"]) == ("costs", 0)


def test_targets_of_the_plan_are_used_the_first_is_the_primary_one_and_the_second_the_control(output, capsys):
    write_rows(output / "second.jsonl", [{"text": prose(i)} for i in range(300, 330)])
    targets = f"compute.targets=[{output}/second.jsonl, {output}/target.jsonl]"
    curate("default", "--input", output / "in", "--output", output / "targeted", "--set", targets, workers=1)
    ran = run(capsys, output / "targeted", "--inline", "--json")
    assert ran.code == 0, ran.err
    (one,) = json.loads(ran.out)["measured"]
    assert (one["primary"], one["control"]) == ("second", "target")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--arm", "raw"], "expected NAME=source"),
        (["--arm", "raw=source"], "expected two or more arms"),
        (["--arm", "a=same mix", "--arm", "b=source"], "the same mix comes after them"),
        (["--target", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--sweep", "dedup.threshold"], "expected KEY=v1,v2"),
        (["--draws", "0"], "expected at least 1"),
    ],
)
def test_mistakes_end_with_2_and_say_what_was_expected(output, capsys, arguments, message):
    ran = run(capsys, output / "out", "--inline", "--target", output / "target.jsonl", *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_a_target_that_the_input_holds_too_leaves_the_arms_with_its_copies(output, capsys):
    """Not refused: what the arms hold of it is split off before they are made."""
    rows = pl.read_ndjson(output / "in/a.jsonl").filter(pl.col("id").str.starts_with("g")).head(40)
    write_rows(output / "part.jsonl", [{"text": text} for text in rows["text"].to_list()])
    ran = run(capsys, output / "out", "--inline", "--json", "--target", output / "part.jsonl")
    assert ran.code == 0, ran.err
    held = json.loads(ran.out)["measured"][0]["sets"][0]
    assert held["name"] == "part"
    assert held["documents"] >= 30


def test_a_sweep_says_no_measurable_difference_between_equal_values_and_leaves_the_output_alone(output, capsys):
    before = (output / "out/manifest.json").read_bytes()
    made = measured(capsys, output, "--sweep", "filters.gopher_quality.max_words=100000,90000")
    assert made["sweep"]["recommended"] is None
    assert len(made["sweep"]["variants"]) == 2
    assert [one["tier"] for one in made["measured"]] == ["ngram"], "what was measured before stays beside it"
    assert (output / "out/manifest.json").read_bytes() == before


@pytest.mark.parametrize("preset", ["default", "gopher"])
def test_every_family_of_a_kept_plan_can_be_switched_off_alone(tmp_path, preset):
    kept = dump(load_plan(preset).plan)
    (tmp_path / "plan.resolved.yaml").write_text(json.dumps(kept))
    variants = sweep.families(kept)
    assert {"default": "without language", "gopher": "without gopher_quality"}[preset] in variants
    for assignment in variants.values():
        assert load_plan(str(tmp_path / "plan.resolved.yaml"), assignments=(assignment,)).plan != load_plan(preset).plan


def test_families_are_ranked_beside_their_cost(output, capsys):
    curate("gopher", "--input", output / "in", "--output", output / "gopher", workers=1)
    made = measured(capsys, output, "--by-reason", out="gopher")
    families = {item["family"]: item for item in made["by_reason"]["families"]}
    assert {"gopher_quality", "gopher_repetition"} <= set(families)
    assert families["gopher_quality"]["cpu_s"] is not None
    assert json.loads((output / "gopher/savings.json").read_text())["by_reason"] == made["by_reason"]


def test_without_the_work_directory_the_source_text_is_read_again_from_the_inputs(output, capsys):
    def raw(out) -> pl.DataFrame:
        store, live = corpora.open_finished(str(out))
        return pl.concat(corpora.source(store, live, work=open_store(str(out / ".work")))).sort("key")

    kept = raw(output / "out")
    curate("default", "--input", output / "in", "--output", output / "cleaned", "--clean", workers=1)
    assert raw(output / "cleaned").equals(kept)
    assert len(kept) == 410
    assert kept["group"].n_unique() <= 350, "a copy is of its survivor's group"
    (output / "in/a.jsonl").rename(output / "in/b.jsonl")
    ran = run(capsys, output / "cleaned", "--inline")
    (output / "in/b.jsonl").rename(output / "in/a.jsonl")
    assert ran.code == 2
    assert "no longer among the inputs of the plan" in ran.err


def test_a_document_of_another_output_has_the_group_that_it_has_in_the_output(output):
    """Before, groups of files and outputs never met: no pairs, and other documents were held out."""
    curate("none", "--input", output / "in", "--output", output / "plain", workers=1)
    store, live = corpora.open_finished(str(output / "out"))
    source = pl.concat(corpora.source(store, live, work=open_store(str(output / "out/.work"))))
    found = pl.concat(corpora.kept(*corpora.open_finished(str(output / "plain")), corpora.known_refs(store, live)))
    both = source.join(found, on="key", suffix="_other")
    assert len(both) == len(found) == 410
    assert both["group"].equals(both["group_other"])
    assert both["group"].n_unique() <= 350, "copies, which the other output keeps, are of their survivor's group"


def test_short_documents_cost_memory_by_number_and_long_ones_hardly():
    short = automatic.expected_memory(1_000_000, 1_000_000, kept_bytes=27_777_783)
    assert 900_000_000 < short < 1_200_000_000, "1.02 GB were measured"
    assert automatic.expected_memory(20_000_000, 1, kept_bytes=1) > 4_000_000_000
    assert automatic.expected_memory(1_000_000, 1_000_000, kept_bytes=3_000_000_000) < 600_000_000


@pytest.mark.parametrize(
    ("cpu_s", "memory", "counted"), [(1e4, 2 * 10**9, True), (100.0, 2 * 10**9, False), (1e4, 300_000_000, False)]
)
def test_after_a_curation_it_is_counted_where_that_is_a_tenth_of_its_cost_and_fits(output, cpu_s, memory, counted):
    (output / "out/savings.json").unlink(missing_ok=True)
    found = automatic.ngram_after(
        str(output / "out"), work=None, curation_cpu_s=cpu_s, memory=memory, on_event=lambda event: None
    )
    assert (found is not None) is counted
    assert (output / "out/savings.json").is_file() is counted


def test_after_a_curation_of_too_little_text_nothing_is_raised(tmp_path):
    write_rows(tmp_path / "in/a.jsonl", [{"text": prose(i)} for i in range(12)])
    curate("minimal", "--input", tmp_path / "in", "--output", tmp_path / "out", workers=1)
    out = str(tmp_path / "out")
    assert automatic.ngram_after(out, work=None, curation_cpu_s=1e6, memory=10**10, on_event=lambda event: None) is None
