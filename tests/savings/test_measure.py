"""From the command to savings.json, on a small output: arms, registration, page, exchange with other trainers."""

from __future__ import annotations

import json
import random

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from flows import proxy
from pipeline.savings import corpora
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
        code = proxy.main(list(map(str, arguments)))
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    shown = capsys.readouterr()
    return Ran(code, shown.out, shown.err)


def measured(capsys, output, *arguments) -> dict:
    ran = run(capsys, output / "out", "--inline", "--json", "--target", output / "target.jsonl", *arguments)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_the_ngram_tier_ranks_counts_the_attempt_and_changes_the_page(output, capsys):
    made = measured(capsys, output)
    assert made["ranking"]["arms"][0]["arm"] == "curated"
    assert "%" not in made["headline"]
    assert made["attempt"] == 1
    low, high = next(line for line in made["sets"][0]["arms"] if line["arm"] == "random")["interval"]
    assert low <= 1 <= high, "a random subset is no better and no worse"
    saved = json.loads((output / "out/savings.json").read_text())
    assert saved["headline"] == made["headline"]
    page = (output / "out/report.html").read_text()
    assert "a ranking only" in page
    assert "Not measured yet" not in page


def test_the_same_measurement_is_one_attempt_and_another_one_with_these_targets_the_next(output, capsys):
    again, other = measured(capsys, output), measured(capsys, output, "--seeds", "4")
    assert (again["attempt"], other["attempt"]) == (1, 2)
    lines = [json.loads(line) for line in (output / "out/savings_history.jsonl").read_text().splitlines()]
    assert [line["attempt"] for line in lines if line["event"] == "started"] == [1, 2]
    assert all(line["targets"] == again["targets"] for line in lines)


def test_data_are_untouched_and_no_held_out_text_is_in_an_arm(output, capsys):
    before = {p: p.read_bytes() for p in (output / "out/data").iterdir()}
    where = output / "export"
    ran = run(capsys, "export-arms", output / "out", "--to", where, "--tokens", "1e6", "--target", output / "target.jsonl")
    assert ran.code == 0, ran.err
    assert {p: p.read_bytes() for p in (output / "out/data").iterdir()} == before
    card = json.loads((where / "experiment.json").read_text())
    arms = [line for arm in card["arms"] for text in _texts(where / arm["path"]) for line in text.split("\n")]
    held = [line for made in card["sets"] for text in _texts(where / made["path"]) for line in text.split("\n") if line.strip()]
    assert held
    assert not set(held) & set(arms)
    assert {made["role"] for made in card["sets"]} >= {"target", "curated_heldout", "raw_heldout", "dropped"}


def _texts(path) -> list[str]:
    return pq.read_table(path)["text"].to_pylist()


def test_results_of_another_trainer_give_the_same_report(output, capsys):
    where = output / "export"
    card = json.loads((where / "experiment.json").read_text())
    tokens = [int(t) for t in np.geomspace(1e5, 1.6e6, 8)]
    shift = {"raw": 1.0, "curated": 2.0, "random": 1.0}
    rng = np.random.default_rng(0)
    rows = [
        {"arm": arm["arm"], "seed": seed, "params": 1e6, "tokens": seen, "set": made["set"], "metric": "bpb", "value": value}
        for arm in card["arms"]
        for seed in card["seeds"]
        for made in card["sets"]
        for seen, value in zip(tokens, _curve(tokens, shift[arm["arm"]] * np.exp(0.01 * rng.standard_normal())), strict=True)
    ]
    write_rows(output / "results.jsonl", rows)
    ran = run(capsys, "score", where, output / "results.jsonl", "--json")
    assert ran.code == 0, ran.err
    line = next(a for a in json.loads(ran.out)["sets"][0]["arms"] if a["arm"] == "curated")
    assert line["multiplier"] == pytest.approx(2, rel=0.05)
    assert line["verdict"] == "saves"
    write_rows(output / "short.jsonl", rows[:-1])
    assert "all are needed" in run(capsys, "score", where, output / "short.jsonl").err
    write_rows(output / "nats.jsonl", [{**rows[0], "metric": "loss"}])
    assert "metric: Input should be 'bpb'" in run(capsys, "score", where, output / "nats.jsonl").err


def _curve(tokens, shift):
    return [1.5 + (seen / 1e5 * shift) ** -0.3 for seen in tokens]


def test_arms_of_files_need_no_output(output, capsys):
    rows = pl.read_ndjson(output / "in/a.jsonl")
    for name, part in (("today", rows), ("new", rows.filter(pl.col("id").str.starts_with("g")))):
        part.write_parquet(output / f"{name}.parquet")
    arms = ["--arm", f"today={output}/today.parquet", "--arm", f"new={output}/new.parquet"]
    ran = run(capsys, output / "results", "--inline", "--target", output / "target.jsonl", *arms)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("Ranked by a byte 6-gram on target: new ")
    assert "report.html" not in ran.out
    assert (output / "results/savings.json").is_file()


def test_a_filter_that_drops_good_text_has_an_upper_bound_below_1(output, capsys):
    rows = pl.read_ndjson(output / "in/a.jsonl")
    good = rows["id"].str.starts_with("g") | rows["id"].str.starts_with("c")
    rows.write_parquet(output / "all.parquet")
    rows.filter(~good | (rows["id"].str.slice(1) == "7") | rows["id"].str.ends_with("3")).write_parquet(output / "bad.parquet")
    arms = ["--arm", f"all={output}/all.parquet", "--arm", f"bad={output}/bad.parquet"]
    ran = run(capsys, output / "worse", "--inline", "--json", "--target", output / "target.jsonl", *arms)
    assert ran.code == 0, ran.err
    (line,) = json.loads(ran.out)["sets"][0]["arms"]
    assert line["interval"][1] < 1
    assert line["verdict"] == "costs"


def test_targets_of_the_plan_are_used_and_the_first_is_the_primary_one(output, capsys):
    write_rows(output / "second.jsonl", [{"text": prose(i)} for i in range(300, 330)])
    targets = f"compute.targets=[{output}/second.jsonl, {output}/target.jsonl]"
    curate("default", "--input", output / "in", "--output", output / "targeted", "--set", targets, workers=1)
    ran = run(capsys, output / "targeted", "--inline", "--json")
    assert ran.code == 0, ran.err
    made = json.loads(ran.out)
    assert made["primary"] == "second"
    assert [held["name"] for held in made["sets"][:2]] == ["second", "target"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--arm", "raw"], "expected NAME=source"),
        (["--arm", "raw=source"], "expected two or more arms"),
        (["--arm", "a=random", "--arm", "b=source"], "a random subset comes after them"),
        (["--target", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--sweep", "dedup.threshold"], "expected KEY=v1,v2"),
        (["--sweep", "dedup.treshold=0.7,0.8"], "did you mean threshold?"),
        (["--seeds", "0"], "expected at least 1"),
    ],
)
def test_mistakes_end_with_2_and_say_what_was_expected(output, capsys, arguments, message):
    ran = run(capsys, output / "out", "--inline", *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_a_folder_that_is_no_output_is_refused(tmp_path, capsys):
    ran = run(capsys, tmp_path, "--inline")
    assert ran.code == 2
    assert "no output of Winnow" in ran.err


def test_a_target_that_the_input_holds_too_leaves_the_arms_with_its_copies(output, capsys):
    """Not refused: what the arms hold of it is split off before they are made."""
    rows = pl.read_ndjson(output / "in/a.jsonl").filter(pl.col("id").str.starts_with("g")).head(40)
    write_rows(output / "part.jsonl", [{"text": text} for text in rows["text"].to_list()])
    ran = run(capsys, output / "out", "--inline", "--json", "--target", output / "part.jsonl")
    assert ran.code == 0, ran.err
    made = json.loads(ran.out)
    assert made["sets"][0]["name"] == "part"
    assert made["sets"][0]["documents"] >= 30


def test_a_sweep_says_no_measurable_difference_between_equal_values_and_leaves_the_output_alone(output, capsys):
    before = (output / "out/manifest.json").read_bytes()
    made = measured(capsys, output, "--sweep", "filters.gopher_quality.max_words=100000,90000")
    assert made["sweep"]["recommended"] is None
    assert made["sweep"]["sentence"].startswith("No measurable difference between the values of filters.gopher_quality.max_words")
    assert (output / "out/manifest.json").read_bytes() == before


def test_families_are_ranked_beside_their_cost(output, capsys):
    made = measured(capsys, output, "--by-reason")
    families = {item["family"]: item for item in made["by_reason"]["families"]}
    assert {"gopher_quality", "gopher_repetition", "dedup"} <= set(families)
    assert families["gopher_quality"]["cpu_s"] is not None
    assert json.loads((output / "out/savings.json").read_text())["by_reason"] == made["by_reason"]


def test_without_the_work_directory_the_source_text_is_read_again_from_the_inputs(output, capsys):
    def raw(out) -> pl.DataFrame:
        store, live = corpora.open_finished(str(out))
        return pl.concat(corpora.source(store, live, work=open_store(str(out / ".work")))).sort("key")

    kept = raw(output / "out")
    curate("default", "--input", output / "in", "--output", output / "cleaned", "--clean", workers=1)
    assert raw(output / "cleaned").equals(kept)
    assert len(kept) == 410
    copies = kept.filter(pl.col("reason") == "exact_duplicate")
    assert set(copies["group"]) <= set(kept.filter(pl.col("reason").is_null())["key"]), "a copy is of its survivor's group"
    (output / "in/a.jsonl").rename(output / "in/b.jsonl")
    ran = run(capsys, output / "cleaned", "--inline")
    (output / "in/b.jsonl").rename(output / "in/a.jsonl")
    assert ran.code == 2
    assert "no longer among the inputs of the plan" in ran.err
