"""Checks at their limits, through the real command: what is over stops before the commit, and --accept goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from pipeline import report
from pipeline.plan.model import Checks
from pipeline.records.counts import Counts
from pipeline.records.metrics_json import Metrics
from pipeline.report.metrics import checks
from pipeline.report.metrics.tally import Tally, by_plan_source, of_plan_source
from pipeline.report.refusal import refusal
from pipeline.text import numbers
from tests import counts
from tests.real_run import EVIL
from tests.support import prose, winnow, write_rows

STOP = ("--set", "checks.on_fail=stop", "--set", "checks.plants=0", "--set", "source.from=source")


def write(
    folder: Path, *, kept: int, copies: int = 0, empty: int = 0, bad: int = 0, first: int = 0, source: str = "crawl"
) -> Path:
    """Rows with known fates under `minimal`: kept, exact_duplicate, empty, quarantined. `first` tells the kept texts apart."""
    rows: list[dict | bytes] = [{"text": prose(first + i), "source": source} for i in range(kept)]
    rows += (
        [{"text": prose(first), "source": source}] * copies + [{"text": "", "source": source}] * empty + [{"text": None}] * bad
    )
    return write_rows(folder / "rows.jsonl", rows)


def published(out: Path) -> bool:
    return any((out / folder).exists() for folder in ("manifests", "manifest.json", "data", "ledger", "rejected", "metrics.json"))


def limits(**given: float) -> tuple[str, ...]:
    open_ = {"max_drop_share": 1, "max_source_loss": 1, "max_change": 1} | given
    return (*STOP, *(word for name, value in open_.items() for word in ("--set", f"checks.{name}={value}")))


@pytest.mark.parametrize(("copies", "code"), [(13, 0), (14, 0), (15, 3)])  # of 20 rows: 65 %, 70 % (at the limit), 75 %
def test_max_drop_share_is_passed_at_the_limit_and_failed_just_over(capsys, tmp_path, copies, code):
    path = write(tmp_path / "in", kept=20 - copies, copies=copies)
    ran = winnow(capsys, "minimal", "--input", path, "--output", tmp_path / "out", *limits(max_drop_share=0.7))
    assert ran.code == code, ran.err
    assert published(tmp_path / "out") == (code == 0)
    assert ("max_drop_share" in ran.err and "75 %" in ran.err and "70 %" in ran.err) == (code == 3)


@pytest.mark.parametrize(("kept", "lost", "code"), [(7, 13, 0), (6, 14, 0), (5, 15, 3), (1, 18, 0)])  # the last: 19 rows only
def test_max_source_loss_names_the_source_and_leaves_small_ones_alone(capsys, tmp_path, kept, lost, code):
    paths = write(tmp_path / "a", kept=30, first=100), write(tmp_path / "b", kept=kept, copies=lost, source="menus")
    ran = winnow(capsys, "minimal", "--input", *paths, "--output", tmp_path / "out", *limits(max_source_loss=0.7))
    assert ran.code == code, ran.err
    assert published(tmp_path / "out") == (code == 0)
    assert ("max_source_loss" in ran.err and "of source b" in ran.err) == (code == 3)


def test_rows_that_name_a_source_of_their_own_are_no_group_to_be_judged(capsys, tmp_path):
    rows = [{"text": prose(i), "source": "crawl"} for i in range(40)] + [{"text": "", "source": "evil"}] * 20
    path = write_rows(tmp_path / "in/rows.jsonl", rows)
    ran = winnow(capsys, "minimal", "--input", path, "--output", tmp_path / "out", *limits(max_source_loss=0.5))
    assert ran.code == 0, ran.err
    ran = winnow(capsys, "minimal", "--input", path, "--output", tmp_path / "other", *limits(max_source_loss=0.3))
    assert ran.code == 3 and "of source in" in ran.err


def grown(capsys, tmp_path: Path, *more: str, first: dict[str, int], second: dict[str, int]):
    """What the second generation's command gives, with max_change 0.3."""
    out = tmp_path / "out"
    made = winnow(capsys, "minimal", "--input", write(tmp_path / "a", **first), "--output", out, *limits(max_change=0.3))
    assert made.code == 0, made.err
    paths = [tmp_path / "a" / "rows.jsonl", write(tmp_path / "b", **second, first=500)]
    return winnow(capsys, "minimal", "--input", *paths, "--output", out, *limits(max_change=0.3), *more)


@pytest.mark.parametrize(("kept", "copies", "code"), [(15, 5, 0), (14, 6, 0), (13, 7, 3)])  # after 20 of 20: −25, −30, −35 %
def test_max_change_of_the_kept_share_is_passed_at_the_limit(capsys, tmp_path, kept, copies, code):
    ran = grown(capsys, tmp_path, first={"kept": 20}, second={"kept": kept, "copies": copies})
    assert ran.code == code, ran.err
    assert ("change of the kept share since generation 1" in ran.err) == (code == 3)
    assert (tmp_path / "out" / "manifests" / "000002.json").exists() == (code == 0)


@pytest.mark.parametrize(("copies", "empty", "code"), [(5, 5, 0), (4, 6, 0), (3, 7, 3)])  # `empty` was 0 of 20
def test_a_reason_whose_share_changed_too_much_is_named_although_as_much_is_kept(capsys, tmp_path, copies, empty, code):
    ran = grown(capsys, tmp_path, first={"kept": 10, "copies": 10}, second={"kept": 10, "copies": copies, "empty": empty})
    assert ran.code == code, ran.err
    said = ran.err.split("loss by source")[0]
    assert ("change of the share of empty" in said, "exact_duplicate" in said) == (code == 3, code == 3)
    assert "kept share" not in said


def test_a_reason_that_went_away_is_a_change_too(capsys, tmp_path):
    ran = grown(capsys, tmp_path, first={"kept": 12, "copies": 1, "empty": 7}, second={"kept": 12, "copies": 8})
    assert ran.code == 3 and "change of the share of empty" in ran.err


def test_a_refused_run_shows_the_losses_and_the_same_command_with_accept_publishes(capsys, tmp_path):
    more = {"first": {"kept": 19, "copies": 1}, "second": {"kept": 8, "copies": 12, "empty": 3}}
    ran = grown(capsys, tmp_path, **more)
    out = tmp_path / "out"
    assert ran.code == 3
    assert sorted(file.name for file in (out / "manifests").iterdir()) == ["000001.json"]
    assert not list((out / "data").glob("*g0002*")) and json.loads((out / "manifest.json").read_text())["generation"] == 1
    table = [line.split() for line in ran.err.splitlines()]
    assert ["check", "value", "limit", "what"] in table
    assert ["crawl", "23", "15", "65.2", "%"] in table
    assert ["exact_duplicate", "12", "52.2", "%", "5.0", "%"] in table
    assert ["empty", "3", "13.0", "%", "0.0", "%"] in table
    assert "--accept" in ran.err
    paths = [tmp_path / "a" / "rows.jsonl", tmp_path / "b" / "rows.jsonl"]
    same = ("minimal", "--input", *paths, "--output", out, *limits(max_change=0.3))
    assert winnow(capsys, *same).code == 3
    ran = winnow(capsys, *same, "--accept")
    assert ran.code == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["generation"], manifest["accepted"], len(manifest["failed_checks"])) == (2, True, 2)
    assert any("kept share" in line for line in manifest["failed_checks"])
    for shown in (ran.out, (out / "report.html").read_text()):
        assert "change of the share of exact_duplicate" in " ".join(shown.split())
        assert "published with --accept" in " ".join(shown.split())


def test_with_warn_the_run_publishes_and_says_the_same(capsys, tmp_path):
    path = write(tmp_path / "in", kept=2, copies=98)
    out = tmp_path / "out"
    ran = winnow(capsys, "minimal", "--input", path, "--output", out, "--set", "checks.on_fail=warn")
    assert ran.code == 0
    manifest = json.loads((out / "manifest.json").read_text())
    said = "max_drop_share: 98 % of the rows read (exact_duplicate took 98 of 100), limit 95 %"
    assert manifest["failed_checks"] == [said] and not manifest["accepted"]
    shown = " ".join(ran.out.split())
    assert said in shown and "generation 1 was published nevertheless" in shown
    assert f"winnowinspect--output{out}showswhy" in "".join(ran.out.split()), "lines fold"
    assert "max_drop_share" in (out / "report.html").read_text()


def metrics(kept: int, read: int, **reasons: int) -> Counts:
    lines = tuple(counts.reason(name, n) for name, n in reasons.items())
    return counts.counts(totals=counts.totals(read, kept, sum(reasons.values())), reasons=lines)


@pytest.mark.parametrize(("dropped", "failed"), [(949_999, False), (950_000, False), (950_001, True)])
def test_shares_are_compared_exactly(dropped, failed):
    made = checks.judge(Checks(), metrics(1_000_000 - dropped, 1_000_000, empty=dropped), None, held=0, sources={})
    assert [check.failed for check in made] == [failed]


@pytest.mark.parametrize(("dropped", "quarantined", "failed"), [(5, 5, False), (6, 5, True), (0, 11, True), (11, 0, True)])
def test_a_source_loses_what_was_dropped_and_what_could_not_be_read(dropped, quarantined, failed):
    kept = 20 - dropped - quarantined
    made = Tally()
    for verdict, n in (("kept", kept), ("dropped", dropped), ("quarantined", quarantined)):
        made.counts["verdict", verdict, "documents"] = n
    sources = by_plan_source(of_plan_source(made, "crawl"))
    totals = counts.counts(totals=counts.totals(20, kept, dropped))
    found = checks.judge(Checks(max_source_loss=0.5), totals, None, held=0, sources=sources)
    (lost,) = [check for check in found if check.check == "max_source_loss"]
    assert (lost.failed, lost.value) == (failed, (dropped + quarantined) / 20)


@pytest.mark.parametrize(("kept", "failed"), [(501, False), (500, False), (499, True)])
def test_a_change_that_equals_the_limit_passes_although_floats_say_otherwise(kept, failed):
    assert 0.8 - 0.5 > 0.3
    made = checks.judge(Checks(), metrics(kept, 1000), metrics(800, 1000), held=800, sources={})
    assert [check.failed for check in made if check.check == "max_change"] == [failed]


def test_runs_over_nothing_have_no_share_and_fail_nothing():
    made = checks.judge(Checks(max_change=0), metrics(0, 0), metrics(0, 0), held=1, sources={})
    assert [check.failed for check in made] == [False]  # of the share dropped; there is nothing that could change


NIGHTS = [
    # rows read, dropped by a filter, dropped by selection, documents that the output holds: whether it is refused
    (0, 0, 0, 0, True),
    (0, 0, 0, 1, False),
    (5, 0, 5, 0, True),
    (5, 0, 5, 1, False),
    (5, 4, 1, 1, False),
    (5, 5, 0, 1, True),
    (6, 4, 1, 0, False),
]


@pytest.mark.parametrize(("read", "filtered", "corpus", "held", "refused"), NIGHTS)
def test_an_output_that_would_hold_nothing_is_refused_and_a_night_without_news_is_not(read, filtered, corpus, held, refused):
    lost = (counts.reason("empty", filtered), counts.reason("not_selected", corpus).model_copy(update={"stage": "select"}))
    now = counts.counts(totals=counts.totals(read, read - filtered - corpus, filtered + corpus), reasons=lost)
    made = checks.judge(Checks(max_drop_share=1), now, None, held=held, sources={})
    assert [check.check for check in made if check.failed] == ["kept_nothing"] * refused


def test_a_first_run_over_a_file_without_rows_publishes_nothing_but_with_accept(capsys, tmp_path):
    command = ("minimal", "--input", write(tmp_path / "in", kept=0), "--output", tmp_path / "out", "--workers", "1")
    ran = winnow(capsys, *command)
    assert ran.code == 3 and not published(tmp_path / "out")
    said = " ".join(ran.err.split())
    assert "the inputs hold no row" in said and "--accept publishes" in said and "loss by" not in said
    ran = winnow(capsys, *command, "--accept")
    assert ran.code == 0, ran.err
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["failed_checks"] == ["kept_nothing: the inputs hold no row"]


REFUSED = [
    # rows that are copies of one, empty, not readable; the check that failed first, in words
    ({"empty": 25}, "kept_nothing: none of 25 rows read was kept (empty took 25 of 25)"),
    ({"empty": 3, "bad": 22}, "kept_nothing: none of 25 rows read was kept (quarantine took 22 of 25)"),
]


@pytest.mark.parametrize(("rows", "said"), REFUSED)
@pytest.mark.parametrize("on_fail", ["warn", "stop"])
def test_a_run_that_kept_nothing_publishes_nothing_but_with_accept(capsys, tmp_path, rows, said, on_fail):
    path, out = write(tmp_path / "in", kept=0, **rows), tmp_path / "out"
    more = ("--set", f"checks.on_fail={on_fail}", "--set", "source.max_bad_fraction=1")
    command = ("minimal", "--input", path, "--output", out, *more)
    ran = winnow(capsys, *command)
    assert ran.code == 3 and not published(out)
    assert "nothing was published: the run kept nothing" in ran.err and "--accept" in ran.err
    assert f"no generation in {out}" in ran.err and "winnow inspect --output OTHER" in ran.err
    assert (out / ".work").is_dir()
    ran = winnow(capsys, *command, "--accept")
    assert ran.code == 0, ran.err
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["failed_checks"][0] == said and manifest["accepted"]
    assert "published nevertheless (--accept was given)" in " ".join(ran.out.split())


def test_a_later_run_that_keeps_nothing_leaves_the_output_as_it_is(capsys, tmp_path):
    out = tmp_path / "out"
    first = write(tmp_path / "a", kept=20)
    assert winnow(capsys, "minimal", "--input", first, "--output", out, *limits()).code == 0
    ran = winnow(capsys, "minimal", "--input", first, write(tmp_path / "b", kept=0, empty=3), "--output", out, *limits())
    assert ran.code == 3 and "as generation 1 left it, 20 documents kept" in " ".join(ran.err.split())
    more = write(tmp_path / "c", kept=1, first=500)
    both = (first, tmp_path / "b" / "rows.jsonl", more)
    assert winnow(capsys, "minimal", "--input", *both, "--output", out, *limits()).code == 0, "with what keeps something"


def test_a_later_run_of_copies_alone_is_published(capsys, tmp_path):
    """The filters let them through: a night that brings nothing new is no fault."""
    out = tmp_path / "out"
    first = write(tmp_path / "a", kept=20)
    assert winnow(capsys, "minimal", "--input", first, "--output", out, *limits()).code == 0
    copies = write(tmp_path / "b", kept=3, empty=1)
    assert winnow(capsys, "minimal", "--input", first, copies, "--output", out, *limits()).code == 0
    assert json.loads((out / "manifest.json").read_text())["totals"]["kept"] == 0


FAILED = [
    # kept, copies, empty of a source; the rule that took most of it
    (2, 10, 13, "of source b (empty took 13 of 25)"),
    (2, 13, 10, "of source b (exact_duplicate took 13 of 25)"),
]


@pytest.mark.parametrize(("kept", "copies", "empty", "said"), FAILED)
def test_a_failed_check_names_the_rule_that_took_most_of_the_source(capsys, tmp_path, kept, copies, empty, said):
    paths = write(tmp_path / "a", kept=30, first=100, empty=9), write(tmp_path / "b", kept=kept, copies=copies, empty=empty)
    ran = winnow(capsys, "minimal", "--input", *paths, "--output", tmp_path / "out", *limits(max_source_loss=0.7))
    assert ran.code == 3
    assert said in " ".join(ran.err.split())


@pytest.mark.parametrize(
    ("value", "limit", "shown"),
    [(0.98, 0.95, "98 %"), (0.95, 0.95, "95 %"), (0.9500001, 0.95, "95.00001 %"), (0.3 + 1e-16, 0.3, "30.00000000000001 %")],
)
def test_a_value_just_over_is_not_shown_as_the_limit(value, limit, shown):
    assert numbers.beside(value, limit) == shown


def test_the_refusal_fits_a_terminal_and_is_harmless_whatever_the_input_is_called(everything):
    made = everything.metrics
    failed = next(check for check in made["checks"] if check["failed"])
    made["checks"] = [failed] + [dict(failed, check="max_source_loss", detail=f"of source {'重複' * 40}{i}") for i in range(40)]
    made["by_source"] = [dict(made["by_source"][0], source=f"{EVIL} {i}") for i in range(1000)]
    now = Metrics.model_validate(made)
    before = now.model_copy(update={"generation": 123_456, "reasons": (counts.reason("重複" * 40, 3),)})
    said = refusal(now, now.checks, before, on_disk="/data/\x1b[31mout as generation 1 left it")
    tables = said.partition("loss by source")[2].splitlines()[:-3]
    assert max(map(cell_len, tables)) <= 80 and len(said.splitlines()) <= 125 and max(map(len, said.splitlines())) <= 160
    assert not set(said) & set("\x1b\x07\x00\u202e\ud800")
    assert "988 more" in said and "29 more" in said and "on disk now: " in said and "as generation 1 left it" in said
    assert report.summary(now, out="x")
