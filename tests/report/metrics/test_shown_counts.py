"""What the report counts and quotes: held to plain Python over the rows, whatever the units and workers."""

from __future__ import annotations

import json
import stat
from bisect import bisect_right
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.output import manifest, reviews
from pipeline.plan.load import load_plan
from pipeline.plan.recipe import resolve
from pipeline.report import publish
from pipeline.report.metrics.collect import MOST_NAMED
from pipeline.report.metrics.tally import EDGES, OTHER, Tally, _add_reasons, _add_verdicts, _folded
from pipeline.store.store import open_store
from tests.support import SAMPLE, curate, table, write_rows


def metrics(out: Path) -> dict[str, Any]:
    return json.loads((out / "metrics.json").read_text())


def samples(out: Path) -> dict[str, Any]:
    return json.loads((out / "samples" / "000001.json").read_text())


def rows(out: Path) -> list[dict[str, Any]]:
    """Ledger rows with their signals."""
    signals = table(out, "signals").drop("generation", "id", "source")
    return table(out, "ledger").join(signals, on="source_ref", how="left").to_dicts()


def test_overlap_is_every_pair_of_rules_that_failed_a_row(measured: Path) -> None:
    counted: Counter[tuple[str, str]] = Counter()
    for row in rows(measured):
        counted.update((name, name) for name in row["failed"])
        counted.update(pair for a, b in combinations(row["failed"], 2) for pair in ((a, b), (b, a)))
    shown = metrics(measured)["overlap"]
    names = shown["reasons"]
    assert len(names) > 10
    found = {(a, b): n for a, line in zip(names, shown["counts"], strict=True) for b, n in zip(names, line, strict=True) if n}
    assert found == counted


def test_histograms_count_every_value_in_its_bin(measured: Path) -> None:
    lines = rows(measured)
    shown = metrics(measured)["signals"]
    assert len(shown) > 20
    for signal in shown:
        edges = EDGES[signal["whole"]].tolist()
        values = [row[signal["signal"]] for row in lines if row[signal["signal"]] is not None]
        expected = Counter(edges[bisect_right(edges, value) - 1] for value in values)
        found = {edge: n for edge, n in zip(signal["edges"], signal["counts"], strict=False) if n}
        assert found == expected, signal["signal"]
        assert len(signal["edges"]) == len(signal["counts"]) + bool(signal["counts"])


@pytest.mark.parametrize("whole", [True, False])
def test_bins_are_ascending_and_mirror_each_other(whole: bool) -> None:
    edges = EDGES[whole].tolist()
    assert edges == sorted(set(edges))
    assert edges == [-edge for edge in reversed(edges)]


def test_one_is_a_share_and_has_no_bin_of_its_own_above_it() -> None:
    edges = EDGES[False].tolist()
    assert edges[bisect_right(edges, 1.0) - 1] == pytest.approx(0.975)


def test_the_failed_count_of_a_limit_is_the_rules(measured: Path) -> None:
    failed = Counter(name for row in rows(measured) for name in row["failed"])
    limits = [limit for signal in metrics(measured)["signals"] for limit in signal["limits"]]
    assert {limit["reason"]: limit["failed"] for limit in limits if limit["failed"]} == dict(failed)


def test_languages_by_source_and_reason_sum_the_ledger(measured: Path) -> None:
    shown = metrics(measured)["crossed"]
    read = [row for row in rows(measured) if row["verdict"] != "quarantined"]
    most = {}
    for key, limit in MOST_NAMED.items():
        counts = Counter(row[key] for row in read if row[key] is not None)
        most[key] = {name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]}
    expected: Counter[tuple[Any, ...]] = Counter()
    for row in read:
        expected[tuple(row[k] if row[k] is None or row[k] in most[k] else OTHER for k in ("language", "source", "reason"))] += 1
    found = {(c["language"], c["source"], c["reason"]): c["documents"] for c in shown["cells"]}
    assert found == expected
    assert OTHER in {language for language, _, _ in found}


@pytest.mark.parametrize("key", ["reasons", "overlap", "crossed", "signals", "duplicates", "quarantine"])
def test_counts_do_not_depend_on_units_or_workers(measured: Path, cut_small: Path, key: str) -> None:
    assert metrics(measured)[key] == metrics(cut_small)[key]


def test_samples_do_not_depend_on_units_or_workers(measured: Path, cut_small: Path) -> None:
    assert samples(measured) == samples(cut_small)


def test_dropped_samples_are_of_their_reason_with_the_value_that_failed(measured: Path) -> None:
    by_ref = {row["source_ref"]: row for row in rows(measured)}
    texts = dict(table(measured, "rejected").select("source_ref", "text").iter_rows())
    kept = dict(table(measured, "data").select("source_ref", "text").iter_rows())
    dropped = samples(measured)["dropped"]
    assert set(dropped) == {row["reason"] for row in by_ref.values() if row["verdict"] == "dropped"}
    for reason, found in dropped.items():
        n = sum(row["reason"] == reason for row in by_ref.values())
        assert len(found) == min(3, n)
        for line in found:
            row = by_ref[line["source_ref"]]
            assert row["reason"] == reason
            assert line["failed"] == row["failed"]
            assert line["text"].strip("…") in texts[line["source_ref"]]
            assert line["text"].startswith("…") or texts[line["source_ref"]].startswith(line["text"].removesuffix("…"))
            if line["signal"] is not None:
                assert line["value"] == row[line["signal"]] != line["limit"]
            if reason == "near_duplicate":
                assert (line["value"], line["other"]) == (row["similarity"], row["duplicate_ref"])
                assert line["survivor"].strip("…") in kept[line["other"]]
                assert line["survivor"] != line["text"]


def test_near_misses_are_the_kept_documents_nearest_to_the_limit(measured: Path) -> None:
    kept = [row for row in rows(measured) if row["verdict"] == "kept"]
    near = samples(measured)["near"]
    limits = {limit["reason"]: (signal["signal"], limit) for signal in metrics(measured)["signals"] for limit in signal["limits"]}
    assert set(near) == {reason for reason, (name, _) in limits.items() if any(row[name] is not None for row in kept)}
    for reason, found in near.items():
        name, limit = limits[reason]
        distances = sorted(abs(row[name] - limit["value"]) for row in kept if row[name] is not None)
        assert [abs(line["value"] - line["limit"]) for line in found] == distances[:3], reason
        assert {line["source_ref"] for line in found} <= {row["source_ref"] for row in kept}


def test_the_largest_clusters_come_first_and_name_their_survivors(measured: Path) -> None:
    data = table(measured, "data")
    expected = data.filter(pl.col("minhash_cluster_size") > 1).sort(-pl.col("minhash_cluster_size"), "source_ref").head(10)
    shown = metrics(measured)["duplicates"]["largest"]
    assert [line["source_ref"] for line in shown] == expected["source_ref"].to_list()
    assert [line["size"] for line in shown] == expected["minhash_cluster_size"].to_list()
    texts = dict(data.select("source_ref", "text").iter_rows())
    for line in samples(measured)["largest"]:
        assert texts[line["source_ref"]].startswith(line["text"].removesuffix("…"))


def test_quarantined_places_are_of_their_cause_and_quote_nothing(measured: Path) -> None:
    quarantine = {row["source_ref"]: row for row in table(measured, "quarantine").to_dicts()}
    found = samples(measured)["quarantine"]
    assert set(found) == {row["cause"] for row in quarantine.values()}
    for cause, lines in found.items():
        for line in lines:
            assert quarantine[line["source_ref"]]["cause"] == cause
            assert line["text"] is None


def test_samples_lie_where_only_the_owner_reads(measured: Path) -> None:
    assert stat.S_IMODE((measured / "samples").stat().st_mode) == 0o700


SHORT = "A sentence of the short kind, by {who}, number {n}."


@pytest.mark.parametrize(("rejected", "quoted"), [("full", 3), ("none", 0)])
def test_what_rejected_does_not_hold_is_not_quoted(tmp_path: Path, rejected: str, quoted: int) -> None:
    lines = [{"text": SHORT.format(who="somebody@mail.example.com", n=n)} for n in range(9)]
    out = tmp_path / "out"
    path = write_rows(tmp_path / "in" / "a.jsonl", lines)
    curate("--input", path, "--output", out, "--set", f"output.rejected={rejected}", "--set", "dedup=false")
    found = samples(out)["dropped"]["gopher_quality.too_few_words"]
    assert len(found) == 3
    assert sum(line["text"] is not None for line in found) == quoted
    page = (out / "report.html").read_text()
    assert ("of the short kind" in page) == bool(quoted)
    assert "somebody@" not in page  # masks are part of the final text
    assert ("by email@example.com" in page) == bool(quoted)


def test_of_a_share_only_documents_in_rejected_are_shown(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": SHORT.format(who="us", n=n)} for n in range(60)])
    out = tmp_path / "out"
    curate("--input", path, "--output", out, "--set", "output.rejected=0.1", "--set", "dedup=false")
    held = set(table(out, "rejected")["source_ref"])
    assert 0 < len(held) < 30
    found = samples(out)["dropped"]["gopher_quality.too_few_words"]
    assert found and {line["source_ref"] for line in found} <= held


def test_samples_of_replaced_generations_are_removed_and_the_page_is_remade_from_the_newest(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": SHORT.format(who="us", n=n)} for n in range(4)])
    out = tmp_path / "out"
    curate("--input", path, "--output", out)
    curate("--input", path, "--output", out, "--replace")
    assert [file.name for file in (out / "samples").iterdir()] == ["000002.json"]
    page = (out / "report.html").read_text()
    (out / "report.html").unlink()
    curate("--input", path, "--output", out)
    assert (out / "report.html").read_text() == page


def test_labels_show_in_the_report_while_their_recipe_is_the_output_s(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": SHORT.format(who="us", n=n)} for n in range(4)])
    out = tmp_path / "out"
    curate("--input", path, "--output", out)
    store, recipe = open_store(str(out)), json.loads((out / "manifest.json").read_text())["recipe_hash"]
    reason = "gopher_quality.too_few_words"
    reviews.add(store, reviews.Label(1, "in/a.jsonl#1", reason, "right", "another recipe"))
    publish.repaint(store)
    assert "as reviewed" not in (out / "report.html").read_text()
    reviews.add(store, reviews.Label(1, "in/a.jsonl#2", reason, "right", recipe))
    publish.repaint(store)
    assert "right, as reviewed" in (out / "report.html").read_text()
    assert "of 1; 20.7 % to 100.0 %" in (out / "report.html").read_text()


def test_a_take_down_leaves_no_quote(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": SHORT.format(who="us", n=n)} for n in range(4)])
    out = tmp_path / "out"
    curate("--input", path, "--output", out)
    store = open_store(str(out))
    newest = manifest.load_all(store)[-1]
    gone = manifest.Takedown.model_construct(request="r", selection="s")
    manifest.remove_orphans(store, [newest, newest.model_copy(update={"generation": 2, "takedown": gone})])
    assert not list((out / "samples").iterdir())
    assert list((out / "rejected").iterdir())


@pytest.mark.parametrize(
    ("setting", "reason", "expected"),
    [
        ("filters.gopher_quality.min_words=7", "gopher_quality.too_few_words", ("gopher_words", 7.0, (), "<")),
        ("filters.gopher_quality.max_words=9", "gopher_quality.too_many_words", ("gopher_words", 9.0, (), ">")),
        ("filters.quality.min_score=0.25", "quality.low_quality", ("quality_score", 0.25, (), "<")),
        (
            "filters.gopher_quality.languages=fineweb2",
            "gopher_quality.words_too_long",
            ("gopher_mean_word_length_unmarked", 10.0, ("language",), ">"),
        ),
        ("filters.c4={}", "c4.curly_bracket", None),
    ],
)
def test_limits_are_those_of_the_rules_that_compare_numbers(setting: str, reason: str, expected: tuple[Any, ...] | None) -> None:
    recipe = resolve(load_plan("default@1", inputs=[str(SAMPLE / "input")], assignments=[setting]).plan)
    rule = recipe.limits.get(reason)
    assert expected == (rule and (rule.signal, rule.figure, rule.by, rule.fails))


def test_folding_sources_keeps_every_document_and_the_largest_sources() -> None:
    cross = Counter({("en", f"s{n}", "empty"): 1 for n in range(200_001)} | {("en", "large", ""): 50, ("de", "large", ""): 7})
    folded = _folded(cross)
    assert folded.total() == cross.total()
    assert (folded["en", "large", ""], folded["de", "large", ""]) == (50, 7)
    assert len(folded) <= 100_001


def test_documents_bytes_and_tokens_are_summed_over_sources() -> None:
    rows = [
        ("web", "kept", 10, 9, 3),
        ("web", "kept", 20, 20, 4),
        ("books", "kept", 30, 25, 5),
        ("books", "dropped", 40, None, None),
    ]
    names = ["source", "verdict", "n_bytes_read", "n_bytes", "token_count"]
    made = Tally()
    _add_verdicts(made, pl.DataFrame(rows, schema=names, orient="row"))
    units = ("documents", "bytes", "final", "tokens")
    assert [made.get("verdict", "kept", unit) for unit in units] == [3, 60, 54, 12]
    assert [made.get("verdict", "dropped", unit) for unit in units] == [1, 40, 0, 0]
    assert [made.get("source", "web", "kept", unit) for unit in units] == [2, 30, 29, 7]
    assert [made.get("source", "books", "kept", unit) for unit in units] == [1, 30, 25, 5]


def test_of_the_rules_that_failed_a_row_the_first_any_and_only_are_told_apart() -> None:
    rows = [
        ("kept", None, None, 1, [], ["pii.email"]),
        ("dropped", "filter", "a.x", 10, ["a.x"], []),
        ("dropped", "filter", "a.x", 20, ["a.x", "b.y"], ["pii.email"]),
        ("dropped", "filter", "b.y", 40, ["b.y"], []),
        ("dropped", "filter", "b.y", 80, ["b.y"], []),
        ("quarantined", "read", "text_null", 5, [], []),
    ]
    names = ["verdict", "stage", "reason", "n_bytes_read", "failed", "edits"]
    made = Tally()
    _add_reasons(made, pl.DataFrame(rows, schema=names, orient="row"))
    assert made.rows("any") == {("a.x",): 2, ("b.y",): 3}
    assert made.rows("only") == {("a.x",): 1, ("b.y",): 2}
    assert made.rows("pair") == {("a.x", "b.y"): 1}
    assert made.rows("edit") == {("pii.email",): 2}
    assert made.rows("reason") == {
        ("dropped", "filter", "a.x", "documents"): 2,
        ("dropped", "filter", "a.x", "bytes"): 30,
        ("dropped", "filter", "b.y", "documents"): 2,
        ("dropped", "filter", "b.y", "bytes"): 120,
        ("quarantined", "read", "text_null", "documents"): 1,
        ("quarantined", "read", "text_null", "bytes"): 5,
    }
