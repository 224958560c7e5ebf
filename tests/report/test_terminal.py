"""The summary for the terminal: as wide as the window, harmless, complete."""

import sys
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from tests.real_run import Reported, hostile
from tests.report import shown


@pytest.fixture
def metrics(everything: Reported) -> dict[str, Any]:
    return everything.metrics


@pytest.fixture(params=["real", "empty", "hostile"])
def case(request, metrics, nothing) -> dict[str, Any]:
    return {"real": metrics, "empty": nothing.metrics, "hostile": hostile(metrics)}[request.param]


@pytest.mark.parametrize("width", [80, 40])
def test_every_line_fits_the_window_but_what_is_to_be_copied(case, width):
    lines = [line for line in shown.summary(case, out="curated", width=width).splitlines() if "bin/winnow" not in line]
    assert max(cell_len(line) for line in lines) <= width


def test_off_a_terminal_names_are_whole_and_paragraphs_take_80_columns(metrics):
    metrics["reasons"] = [dict(r, reason="重複" * 40) for r in metrics["reasons"]]
    table, _, paragraphs = shown.summary(metrics, out="curated").rpartition("\n\n")
    assert "重複" * 40 in table
    assert max(cell_len(line) for line in paragraphs.splitlines()[:-2]) <= 80  # but commands, which are copied


def test_a_run_with_everything_on_takes_at_most_52_lines_and_names_what_to_do_next(metrics):
    lines = shown.summary(metrics, out="some/where/").splitlines()
    assert len(lines) <= 52
    assert lines[-3].split() == ["report", "some/where/report.html"]
    for line, words in zip(lines[-2:], (["inspect", "--output", "some/where/", "browse"], ["curate"]), strict=True):
        script, *command = line[14:].split()
        assert command[: len(words)] == words and Path.cwd() / script == Path(sys.executable).with_name("winnow")


def test_commands_are_short_where_the_environment_is_active_and_run_without_the_script(metrics, monkeypatch, tmp_path):
    for name in ("python", "winnow"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "\nbrowse        winnow inspect --output out browse\n" in shown.summary(metrics, out="out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "winnow").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "other"))
    assert f"\nbrowse        {tmp_path}/winnow inspect --output out browse\n" in shown.summary(metrics, out="out")
    (tmp_path / "winnow").unlink()
    assert f"\nbrowse        {tmp_path}/python -m flows.inspect --output out browse\n" in shown.summary(metrics, out="out")


def test_waiting_for_kernels_is_no_part_of_the_pace(metrics):
    metrics["cost"] |= {"wall_s": 30.0, "compile_wall_s": 20.0}
    metrics["totals"]["bytes_read"] = 20_000_000
    assert "30.0 s (20.0 s of it for kernels), 2.00 MB/s" in shown.summary(metrics, out="out", width=200)


def test_the_report_path_is_never_cut(metrics):
    long = "/".join(["folder"] * 30)
    assert f"{long}/report.html" in shown.summary(metrics, out=long)


def test_no_control_or_format_character_reaches_the_terminal(metrics):
    text = shown.summary(hostile(metrics), out="o\x1b]0;evil\x07ut")
    assert not set(text) & set("\x1b\x07\x00\u202e\u2066\u200b\ud800\r")
    assert "[U+001B]" in text


def test_a_real_run_says_what_its_metrics_hold(metrics):
    metrics["cost"] |= {
        "wall_s": 71.4,
        "cpu_s": 131.8,
        "work_bytes": 2_310_000_000,
        "stages": [{"stage": "signals", "cpu_s": 48.4}],
    }
    metrics["totals"]["bytes_read"] = 4_210_000_000
    duplicates, selected, quality = metrics["duplicates"], metrics["selection"], metrics["models"][0]
    (failed,) = (check for check in metrics["checks"] if check["failed"])
    assert min(duplicates["exact"], duplicates["near"], selected["selected"], selected["unscored"], quality["scored"]) > 10
    not_covered = sum(n for _, n in quality["not_covered"])
    text = " ".join(shown.summary(metrics, out="curated").split())
    for said in (
        f"kept {metrics['totals']['kept']} ",
        "gopher_quality.too_few_words",
        f"{duplicates['exact']} exact, {duplicates['near']} near",
        f"quality, toxicity scored {quality['scored']}; not covered {not_covered}:",
        f"{selected['selected']} by quality_score, {selected['not_selected']} not ({selected['unscored']} without a score)",
        "2 invalid_json",
        "59.0 MB/s",
        "signals 48.4 s",
        "work directory 2.31 GB",
        f"CHECK FAILED {failed['check']}",
        f"generation {metrics['generation']} was published nevertheless (--accept was given);",
        "note no longer there",
    ):
        assert said in text, said


def test_a_failed_check_that_only_warns_says_that_it_published(metrics):
    metrics["notes"] = []
    text = " ".join(shown.summary(metrics, out="curated").split())
    said = f"generation {metrics['generation']} was published nevertheless (the plan's checks.on_fail is warn, not stop)"
    assert said in text


def test_thousands_are_told_apart(metrics):
    metrics["totals"]["kept"] = 736_064
    metrics["duplicates"] |= {"exact": 71_225, "near": 101_988}
    text = shown.summary(metrics, out="curated")
    assert "736,064" in text and "71,225 exact, 101,988 near" in text


def test_dedup_off_and_unknown_costs_are_said_and_not_guessed(nothing):
    unknown = nothing.metrics
    unknown["checks"] = []
    unknown["cost"] |= {"wall_s": 0.0, "peak_memory_bytes": 0, "work_bytes": 0, "mb_per_cpu_s": 0.0}
    text = shown.summary(unknown, out="curated")
    assert "not looked for" in text
    assert "– MB/s" in text
    assert "CHECK FAILED" not in text


def test_many_failed_checks_are_counted_and_not_listed(metrics):
    failed = next(check for check in metrics["checks"] if check["failed"])
    metrics["checks"] = [dict(failed, detail=f"of source {i}") for i in range(1000)]
    text = shown.summary(metrics, out="curated")
    assert "and 992 more" in text
    assert text.count("CHECK FAILED") == 8
