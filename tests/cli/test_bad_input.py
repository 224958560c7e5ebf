"""What goes wrong ends in one clear message and the right exit code, and nothing is lost."""

import gzip
import json
import os
import subprocess
import sys
import time

import pytest

from filters import quality
from tests.support import PROSE, ROOT, SAMPLE, digests, prose, table, winnow, write_rows


@pytest.fixture
def text(tmp_path):
    return write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(i)} for i in range(30)])


# One plan of each kind of mistake: others are tested on the loader, in tests/pipeline/test_plan_mistakes.py.
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--set", "filters.gopher_quality.min_word=3"], ["min_word", "min_words"], id="unknown key, near miss"),
        pytest.param(["--set", "nonsense"], ["KEY=VALUE"], id="no assignment"),
        pytest.param(["--set", "filters.language.model=/no/such.ftz"], ["/no/such.ftz", "filters.language.model"], id="no model"),
        pytest.param(["--set", "dedup.scope=[dump]"], ["dedup.scope", "dump"], id="no such scope column"),
        pytest.param(["--set", "compute.gpu=Z9000"], ["Z9000", "H100"], id="unknown GPU"),
        pytest.param(["--runner-address", "tcp://127.0.0.1:1"], ["only with --runner dask"], id="address of no runner"),
        pytest.param(["--memory", "2 herds"], ["--memory", "800MB"], id="memory in no unit"),
        pytest.param(["--memory", "400MB"], ["needs 588 MB", "source.unit_bytes"], id="less memory than a unit takes"),
        pytest.param(["--memory", "1MB"], ["before it has read a row", "588 MB"], id="less memory than any run takes"),
        pytest.param(
            [
                "--set",
                "dedup.scope=[language]",
                "--set",
                "filters.language=false",
                "--set",
                "filters.quality=false",
                "--set",
                "filters.toxicity=false",
                "--set",
                "filters.gopher_quality=false",
            ],
            ["dedup.scope", "language", "off"],
            id="scope of a filter that is off",
        ),
        pytest.param(["--workers", "0"], ["--workers"], id="no workers"),
    ],
)
def test_a_wrong_command_or_plan_exits_2_and_starts_nothing(capsys, tmp_path, text, arguments, words):
    ran = winnow(capsys, "--input", text, "--output", tmp_path / "out", *arguments)
    assert ran.code == 2
    assert all(word in ran.err for word in words), ran.err
    assert not (tmp_path / "out" / "manifests").exists()
    assert ran.out == ""


def test_a_plan_file_with_a_mistake_names_the_file_and_the_path_to_it(capsys, tmp_path, text):
    plan = tmp_path / "mine.yaml"
    plan.write_text("filters:\n  gopher_quality: {max_wrds: 10}\n")
    ran = winnow(capsys, plan, "--input", text, "--output", tmp_path / "out")
    assert (ran.code, "mine.yaml" in ran.err, "filters.gopher_quality.max_wrds" in ran.err) == (2, True, True)


def test_a_plan_that_is_no_yaml_or_not_there_exits_2(capsys, tmp_path):
    plan = tmp_path / "broken.yaml"
    plan.write_text("a: [1, 2\nb: }")
    assert winnow(capsys, plan, "--output", tmp_path / "out").code == 2
    ran = winnow(capsys, tmp_path / "none.yaml", "--output", tmp_path / "out")
    assert (ran.code, "none.yaml" in ran.err) == (2, True)


def test_missing_and_unsupported_inputs_exit_2(capsys, tmp_path):
    for name, content, words in [
        ("gone.jsonl", None, "gone.jsonl"),
        ("crawl.arc.gz", b"", "later release"),
        ("image.png", b"x", "image.png"),
    ]:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        ran = winnow(capsys, "--input", path, "--output", tmp_path / "out")
        assert ran.code == 2, name
        assert words in ran.err.lower(), ran.err
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.xyz").write_text("x")
    ran = winnow(capsys, "--input", tmp_path / "folder", "--output", tmp_path / "out")
    assert (ran.code, ".xyz" in ran.err) == (2, True)


def test_two_inputs_with_one_source_ref_exit_2(capsys, tmp_path):
    write_rows(tmp_path / "crawl" / "a.jsonl", [{"text": PROSE}])
    ran = winnow(capsys, "--input", tmp_path / "crawl", tmp_path / "crawl/*.jsonl", "--output", tmp_path / "out")
    assert (ran.code, "crawl/a.jsonl" in ran.err) == (2, True)


def test_an_output_folder_that_is_not_ours_or_cannot_be_written_exits_2(capsys, tmp_path, text):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    ran = winnow(capsys, "--input", text, "--output", tmp_path / "mine")
    assert (ran.code, "not an output of Winnow" in ran.err) == (2, True)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    ran = winnow(capsys, "--input", text, "--output", "/proc/winnow")
    assert (ran.code, "/proc/winnow" in ran.err) == (2, True)
    ran = winnow(capsys, "--input", text.parent, "--output", text.parent)
    assert ran.code == 2


def test_another_recipe_on_an_output_exits_2_with_the_difference_and_replace_makes_it_anew(capsys, tmp_path, text):
    out = tmp_path / "out"
    assert winnow(capsys, "--input", text, "--output", out).code == 0
    before = digests(out)
    ran = winnow(capsys, "--input", text, "--output", out, "--set", "filters.gopher_quality.min_words=40")
    assert ran.code == 2
    assert "filters.gopher_quality.min_words: 60 → 40" in ran.err
    assert "--replace" in ran.err
    assert digests(out) == before
    ran = winnow(capsys, "--input", text, "--output", out, "--set", "filters.gopher_quality.min_words=40", "--replace")
    assert ran.code == 0
    assert json.loads((out / "manifest.json").read_text())["live"] == [2]


def test_a_new_price_or_input_is_no_new_recipe(capsys, tmp_path, text):
    out = tmp_path / "out"
    assert winnow(capsys, "--input", text, "--output", out).code == 0
    more = write_rows(tmp_path / "in" / "b.jsonl", [{"text": prose(100 + i)} for i in range(5)])
    ran = winnow(capsys, "--input", text, more, "--output", out, "--set", "compute.price_per_gpu_hour=9")
    assert ran.code == 0, ran.err
    assert len(table(out, "data")) == 35


def test_a_changed_input_is_named_and_exits_1(capsys, tmp_path, text):
    out = tmp_path / "out"
    assert winnow(capsys, "--input", text, "--output", out).code == 0
    text.write_bytes(text.read_bytes() + json.dumps({"text": prose(77)}).encode() + b"\n")
    ran = winnow(capsys, "--input", text, "--output", out)
    assert (ran.code, "in/a.jsonl" in ran.err, "--replace" in ran.err) == (1, True, True)
    assert winnow(capsys, "--input", text, "--output", out, "--set", "on_changed=ignore").code == 0


def test_bad_rows_within_the_budget_are_quarantined_and_every_good_row_beside_them_survives(capsys, tmp_path):
    good = [{"text": prose(i), "id": f"g{i}"} for i in range(300)]
    rows: list = list(good)
    rows[100:100] = [b'{"text": "an \xff byte"}', b'{"text": ', b'{"text": 5}']
    path = write_rows(tmp_path / "in" / "a.jsonl", rows)
    ran = winnow(capsys, "--input", path, "--output", tmp_path / "out", "--set", "source.max_bad_fraction=0.02")
    assert ran.code == 0, ran.err
    quarantine = table(tmp_path / "out", "quarantine").sort("source_ref")
    assert quarantine["source_ref"].to_list() == ["in/a.jsonl#101", "in/a.jsonl#102", "in/a.jsonl#103"]
    assert quarantine["cause"].to_list() == ["invalid_utf8", "invalid_json", "text_not_a_string"]
    ledger = table(tmp_path / "out", "ledger")
    assert {row["id"] for row in good} <= set(ledger["id"])


def test_bad_rows_beyond_the_budget_exit_1_with_places_and_causes(capsys, tmp_path):
    rows = [{"text": prose(i)} for i in range(50)] + [b"{"] * 5
    path = write_rows(tmp_path / "in" / "a.jsonl", rows)
    ran = winnow(capsys, "--input", path, "--output", tmp_path / "out")
    assert ran.code == 1
    assert all(words in ran.err for words in ("in/a.jsonl#51", "invalid_json", "max_bad_fraction", "5 of 55"))
    assert not (tmp_path / "out" / "manifests").exists()
    ran = winnow(capsys, "--input", path, "--output", tmp_path / "out", "--set", "source.max_bad_fraction=0.2")
    assert ran.code == 0


def test_a_file_that_ends_early_stops_the_run_unless_the_plan_accepts_it_and_is_told_everywhere(capsys, tmp_path):
    data = gzip.compress(b"".join(json.dumps({"text": prose(i)}).encode() + b"\n" for i in range(400)))
    path = tmp_path / "in" / "cut.jsonl.gz"
    path.parent.mkdir()
    path.write_bytes(data[: len(data) * 3 // 4])
    out = tmp_path / "out"
    ran = winnow(capsys, "--input", path, "--output", out, "--set", "source.max_bad_fraction=1")
    assert ran.code == 1
    said = ("in/cut.jsonl.gz: ends before it should", "archive_truncated", "on_truncated: accept", "nothing was published")
    assert all(words in ran.err for words in said), ran.err
    ran = winnow(capsys, "--input", path, "--output", out, "--set", "source.on_truncated=accept")
    assert ran.code == 0, ran.err
    assert table(out, "quarantine")["cause"].to_list() == ["archive_truncated"]
    read = len(table(out, "ledger")) - 1
    assert read > 200
    (damaged,) = json.loads((out / "metrics.json").read_text())["damaged"]
    assert (damaged["path"], damaged["rows"], damaged["cut"]) == ("in/cut.jsonl.gz", read, True)
    words = "in/cut.jsonl.gz: ends before it should"
    assert "DAMAGED" in ran.out and words in " ".join(ran.out.split()) and words in (out / "report.html").read_text()


def test_a_row_over_the_size_limit_is_quarantined(capsys, tmp_path):
    rows = [{"text": prose(i)} for i in range(150)] + [{"text": "long " * 4000}]
    path = write_rows(tmp_path / "in" / "a.jsonl", rows)
    ran = winnow(capsys, "--input", path, "--output", tmp_path / "out", "--set", "source.max_row_bytes=10000")
    assert ran.code == 0, ran.err
    quarantine = table(tmp_path / "out", "quarantine")
    assert quarantine["cause"].to_list() == ["row_too_large"]
    assert len(quarantine["excerpt"][0]) <= 512


def test_a_second_run_on_one_output_is_refused_and_a_dead_run_leaves_no_lock(capsys, tmp_path, text):
    out = tmp_path / "out"
    hold = (
        "import sys,time;from pipeline.store.store import open_store\n"
        "with open_store(sys.argv[1]).lock('.lock'):\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(out)], cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        ran = winnow(capsys, "--input", text, "--output", out)
        assert (ran.code, "locked by a live run" in ran.err, str(holder.pid) in ran.err) == (1, True, True)
    finally:
        holder.kill()
        holder.wait()
    time.sleep(0.05)
    assert winnow(capsys, "--input", text, "--output", out).code == 0


def test_a_filter_that_breaks_its_contract_ends_the_run_when_it_is_tried_out(capsys, tmp_path, text, monkeypatch):
    import dataclasses

    import pyarrow as pa

    import filters
    from filters import gopher_quality

    def annotate(batch, needed, params, loaded):
        made = gopher_quality.FILTER.annotate(batch, needed, params, loaded)
        return pa.RecordBatch.from_arrays([c.slice(1) for c in made.columns], schema=made.schema)

    broken = dataclasses.replace(gopher_quality.FILTER, annotate=annotate)
    chosen = tuple(broken if f.name == "gopher_quality" else f for f in filters.FILTERS)
    monkeypatch.setattr("pipeline.plan.recipe.FILTERS", chosen)
    ran = winnow(capsys, "--input", text, "--output", tmp_path / "out")
    assert (ran.code, "gopher_quality" in ran.err, "2 texts and returned 1" in ran.err) == (1, True, True)
    assert not (tmp_path / "out" / "manifests").exists()


def test_a_check_that_fails_publishes_nothing_and_accept_publishes(capsys, tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": f"too short {i}"} for i in range(50)])
    arguments = ("--input", path, "--output", tmp_path / "out", "--set", "checks.on_fail=stop")
    ran = winnow(capsys, *arguments)
    assert (ran.code, "max_drop_share" in ran.err, "--accept" in ran.err) == (3, True, True)
    assert not (tmp_path / "out" / "manifests").exists()
    ran = winnow(capsys, *arguments, "--accept")
    assert ran.code == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["accepted"] is True
    assert manifest["failed_checks"]


def test_secrets_in_urls_are_refused_and_never_shown(capsys, tmp_path):
    ran = winnow(capsys, "--input", "s3://key:hunter2@bucket/a.jsonl", "--output", tmp_path / "out")
    assert (ran.code, "hunter2" in ran.err + ran.out) == (2, False)


def test_hostile_ids_reach_the_terminal_harmless(capsys, tmp_path):
    rows = [{"text": prose(i), "id": f"\x1b[31mred{i}\u202e", "source": "\x1b]0;owned\x07"} for i in range(20)]
    path = write_rows(tmp_path / "in" / "a.jsonl", rows)
    ran = winnow(capsys, "--input", path, "--output", tmp_path / "out", "--set", "source.from=source")
    assert ran.code == 0, ran.err
    assert "\x1b" not in ran.out + ran.err
    page = (tmp_path / "out" / "report.html").read_text()
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_the_work_directory_can_be_cleaned_and_private_folders_are_private(curated, capsys, tmp_path, text):
    out = tmp_path / "out"
    assert winnow(capsys, "--input", text, "--output", out, "--clean").code == 0
    assert not (out / ".work").exists() or not any((out / ".work").iterdir())
    for folder in ("rejected", "quarantine", "index", ".work"):
        assert (curated / folder).stat().st_mode & 0o777 == 0o700, folder


def test_explain_says_what_each_setting_of_keep_keeps_and_drops(capsys, tmp_path, text):
    for key, choices in quality.card().choices.items():
        given = ("--set", f"filters.quality.keep={key}")
        ran = winnow(capsys, "--input", text, "--output", tmp_path / "out", "--explain", *given)
        (kept, good), (dropped, bad) = choices[0].kept, choices[0].dropped
        line = ran.out.partition("keep: ")[2].partition("toxicity: ")[0]
        assert ran.code == 0 and line.startswith(f"{key}, ") and f"{kept} of {good}" in line and f"{dropped} of {bad}" in line
    assert "keep: " not in winnow(capsys, "default@1", "--input", text, "--output", tmp_path / "out", "--explain").out
    off = ("--set", "filters.language=false")
    said = winnow(capsys, "--input", text, "--output", tmp_path / "out", "--explain", *off).out
    assert "filters.quality drops nothing by its score" in said and "keep: balanced" not in said


def test_explain_runs_nothing(capsys, tmp_path):
    ran = winnow(capsys, SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", tmp_path / "out", "--explain")
    assert ran.code == 0
    assert "generation 1" in ran.out
    assert not (tmp_path / "out").exists()


def test_inputs_without_a_row_give_an_empty_generation_where_that_is_accepted(capsys, tmp_path):
    for name, content in [("empty", b""), ("blank", b"\n \n\n")]:
        path = tmp_path / name / "a.jsonl"
        path.parent.mkdir()
        path.write_bytes(content)
        ran = winnow(capsys, "--input", path, "--output", tmp_path / f"{name}-out", "--accept")
        assert ran.code == 0, ran.err
        assert len(table(tmp_path / f"{name}-out", "ledger")) == 0


def test_rows_of_many_sources_in_one_file_are_the_same_bytes_whatever_the_units(capsys, tmp_path):
    rows = [{"text": prose(i), "source": f"site{i % 50}"} for i in range(120)]
    path = write_rows(tmp_path / "in" / "a.jsonl", rows)
    for name, size in [("one", "64MB"), ("many", "9000")]:
        sets = ("--set", f"source.unit_bytes={size}", "--set", "source.from=source")
        ran = winnow(capsys, "--input", path, "--output", tmp_path / name, *sets)
        assert ran.code == 0, ran.err
    assert digests(tmp_path / "one") == digests(tmp_path / "many")


def test_folders_that_are_not_ours_lose_nothing(capsys, tmp_path, text):
    dataset = tmp_path / "dataset"
    (dataset / "data").mkdir(parents=True)
    (dataset / "README.md").write_text("mine")
    (dataset / "data" / "train-00000-of-00001.parquet").write_text("mine")
    ran = winnow(capsys, "--input", text, "--output", dataset)
    assert (ran.code, "not an output of Winnow" in ran.err) == (2, True)
    assert (dataset / "README.md").read_text() == "mine"

    work = tmp_path / "work"
    (work / "documents").mkdir(parents=True)
    (work / "documents" / "letter.txt").write_text("dear")
    for flag in ("--clean", "--fresh"):
        ran = winnow(capsys, "--input", text, "--output", tmp_path / "out", "--work", work, flag)
        assert (ran.code, "not a work directory of Winnow" in ran.err) == (2, True)
    assert (work / "documents" / "letter.txt").read_text() == "dear"


def test_clean_leaves_what_the_user_put_beside_the_work(capsys, tmp_path, text):
    work, out = tmp_path / "work", tmp_path / "out"
    assert winnow(capsys, "--input", text, "--output", out, "--work", work).code == 0
    (work / "thesis.txt").write_text("dear")
    (out / "data" / "notes.parquet").write_text("mine")
    assert winnow(capsys, "--input", text, "--output", out, "--work", work, "--replace", "--clean").code == 0
    assert [path.name for path in work.iterdir()] == ["thesis.txt"]
    assert (out / "data" / "notes.parquet").read_text() == "mine"


def test_files_that_are_not_what_the_plan_says_exit_2(capsys, tmp_path, text):
    wrong = tmp_path / "tokenizer.json"
    wrong.write_bytes(b"\xff\xfe not json")
    ran = winnow(capsys, "--input", text, "--output", tmp_path / "out", "--set", f"output.tokenizer={wrong}")
    assert (ran.code, "is not a tokenizer.json" in ran.err) == (2, True)
    assert winnow(capsys, "--input", text, "--output", tmp_path / "out", "--retries", "-1").code == 2


def test_a_full_disk_exits_1_and_the_same_command_resumes(capsys, tmp_path, text, monkeypatch):
    import errno

    from pipeline.store.store import Store

    arguments = ("--input", text, "--output", tmp_path / "out")
    write_table = Store.write_table

    def full(self, name, table, **keywords):
        if "minhash" in name:
            raise OSError(errno.ENOSPC, "No space left on device", name)
        write_table(self, name, table, **keywords)

    monkeypatch.setattr(Store, "write_table", full)
    ran = winnow(capsys, *arguments)
    assert (ran.code, "No space left on device" in ran.err) == (1, True)
    monkeypatch.undo()
    assert winnow(capsys, *arguments).code == 0


@pytest.mark.parametrize("plan", ["minimal", "none"])
def test_documents_too_short_for_a_shingle_take_part_in_exact_dedup_only(capsys, tmp_path, plan):
    texts = ["one two three", "one two three", "word", "one two three four five six seven", "", prose(1)]
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": text} for text in texts])
    ran = winnow(capsys, plan, "--input", path, "--output", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert len(table(tmp_path / "out", "data")) == (4 if plan == "minimal" else 5)


def test_a_key_left_empty_keeps_what_the_preset_says(capsys, tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(1)}] * 3)
    plan = tmp_path / "p.yaml"
    plan.write_text("dedup:\nfilters:\n  language:\n")
    assert winnow(capsys, plan, "--input", path, "--output", tmp_path / "out").code == 0
    assert len(table(tmp_path / "out", "data")) == 1


def test_retired_files_left_by_a_killed_replace_are_removed_by_the_next_run(capsys, tmp_path, text, monkeypatch):
    from pipeline.output import manifest

    out = tmp_path / "out"
    assert winnow(capsys, "--input", text, "--output", out).code == 0
    with monkeypatch.context() as patched:
        patched.setattr(manifest, "remove_orphans", lambda *_, **__: None)
        assert winnow(capsys, "--input", text, "--output", out, "--replace").code == 0
        assert len(list((out / "data").iterdir())) == len(list((out / "rejected").iterdir())) == 2
    assert winnow(capsys, "--input", text, "--output", out).code == 0
    assert len(list((out / "rejected").iterdir())) == 1
    assert [path.name for path in (out / "data").iterdir()] == ["train-00000-of-00001-g0002.parquet"]


def test_an_output_that_lost_a_file_is_named_and_replace_makes_it_anew(capsys, tmp_path, text):
    out = tmp_path / "out"
    assert winnow(capsys, "--input", text, "--output", out).code == 0
    (out / "rejected" / "train-00000-of-00001-g0001.parquet").unlink()
    ran = winnow(capsys, "--input", text, "--output", out)
    assert (ran.code, "rejected/train-00000" in ran.err, "--replace" in ran.err) == (1, True, True)
    assert winnow(capsys, "--input", text, "--output", out, "--replace").code == 0


def test_one_file_under_two_source_names_is_refused(capsys, tmp_path, text):
    out = tmp_path / "out"
    assert winnow(capsys, "--input", text, "--output", out).code == 0
    ran = winnow(capsys, "--input", text, "--output", out, "--set", "source.name=other")
    assert (ran.code, "was read as source in" in ran.err) == (2, True)


def test_nothing_read_from_a_stream_that_changed_meanwhile_stays_under_its_old_hash(capsys, tmp_path, monkeypatch):
    from pipeline import read

    path = tmp_path / "in" / "a.jsonl.gz"
    path.parent.mkdir()
    rows = b"".join(json.dumps({"text": prose(i)}).encode() + b"\n" for i in range(9))
    packed = [gzip.compress(data) for data in (rows, rows.replace(b" the ", b" one "))]
    good, other = (data.ljust(max(map(len, packed)), b"\0") for data in packed)  # as long, packed and unpacked
    path.write_bytes(good)
    stream = read.stream

    def changed(file, content):
        path.write_bytes(other)
        return stream(file, content)

    arguments = ("--input", path, "--output", tmp_path / "out")
    with monkeypatch.context() as patched:
        patched.setattr(read, "stream", changed)
        assert winnow(capsys, *arguments).code == 1
    path.write_bytes(good)
    assert winnow(capsys, *arguments).code == 0
    assert winnow(capsys, "--input", path, "--output", tmp_path / "clean").code == 0
    assert digests(tmp_path / "out") == digests(tmp_path / "clean")
