"""What Prefect shows: the whole of it, bounded, and nothing of paths or texts as markup."""

from __future__ import annotations

from typing import Any

import pytest

from flows.prefect_flow import run_in_flow
from flows.serving import artifacts, results
from pipeline.errors import CheckFailed, InputError
from pipeline.output import inputs
from pipeline.plan.compute import Compute
from pipeline.plan.load import load_plan
from pipeline.records.metrics_json import Metrics
from pipeline.report.compute.ledger import ledger
from pipeline.run.options import Result, RunOptions
from tests.report.measured import compared, held, measured, savings
from tests.support import curate, prose, write_rows

HOSTILE = "a`b](javascript:1)<img src=x onerror=1>\u202e\x1b[31m\n# x"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Two generations of a small output; the second one's result."""
    folder = tmp_path_factory.mktemp("shown")
    for name, first in (("a", 0), ("b", 500)):
        write_rows(
            folder / "in" / f"{name}.jsonl", [{"text": prose(first + i)} for i in range(20)] + [{"text": prose(first)}] * 5
        )
        curate("default", "--input", folder / "in", "--output", folder / "out", "--set", "dedup.exact_url=false")
    metrics = Metrics.model_validate_json((folder / "out" / "metrics.json").read_bytes())
    enough = ledger(Compute(), tokens_read=50_000, tokens_kept=40_000, tokens_kind="counted", curation_cpu_s=1.0)
    metrics = metrics.model_copy(update={"compute": enough})  # the text itself is too little to measure
    return Result(str(folder / "out"), 2, metrics, ("skipped: x",))


def test_the_summary_has_counts_reasons_shards_notes_and_how_to_measure_the_saving(made: Result) -> None:
    text = artifacts.summary(made)
    assert text.startswith("# Winnow: generation 2\n")
    for part in (
        "| read | 25 | 100.0 % |",
        "| exact\\_duplicate | 5 | 20.0 % |",
        "## New shards",
        "g0002\\.parquet",
        "- skipped\\: x",
    ):
        assert part in text, part
    assert "has not been measured" in text and "winnow savings " in text


def test_nothing_new_is_said_and_no_shard_is_called_new(made: Result) -> None:
    text = artifacts.summary(Result(made.out, None, made.metrics, ()))
    assert text.startswith("# Winnow: nothing new\n")
    assert "stays as generation 2 left it" in text
    assert "New shards" not in text and "by the first reason" not in text


def test_a_measured_saving_is_shown_and_said_to_be_old_where_it_is(made: Result) -> None:
    now, old = (savings(measured(held(compared(), name="`x`"), primary="`x`"), generation=g) for g in (2, 1))
    shown = artifacts.compute(made.metrics, now, "out")
    assert "\\`x\\` took 28 \\% less training compute" in shown and "flows.savings" not in shown
    stale = artifacts.compute(made.metrics, old, "out")
    assert "This is of generation 1\\: measure again\\." in stale and "winnow savings out" in stale


def test_the_funnel_begins_with_what_was_read_and_every_figure_is_the_metrics(made: Result) -> None:
    lines = artifacts.funnel(made.metrics).splitlines()[2:]
    assert lines[0].startswith("| rows read | read | 25 | 100.0 % |")
    assert [line.split(" | ")[0] for line in lines] == [f"| {artifacts.escaped(line.label)}" for line in made.metrics.funnel]


def test_changes_show_counts_shares_by_reason_and_source_and_drift(made: Result) -> None:
    text = artifacts.changes(made.metrics)
    assert text is not None
    for part in ("since generation 1", "| rows read | 25 | 25 |", "| source (share kept) | then | now |", "drift"):
        assert part in text, part


def test_inputs_that_moved_are_named_and_the_list_is_bounded() -> None:
    notes = (
        f"{inputs.CHANGED}, ignored: in/a.jsonl",
        f"{inputs.GONE} (its rows stay in the output): in/{HOSTILE}",
        "other: x",
    )
    _, _, first, second = str(artifacts.inputs(notes)).splitlines()
    assert first == r"| in\/a\.jsonl | changed since it was read\, ignored |"
    assert "\u202e" not in second and r"\<img" in second and "](" not in second and r"\]\(javascript\:1\)" in second
    many = str(artifacts.inputs(tuple(f"{inputs.GONE}: {i}" for i in range(5000)))).splitlines()
    assert len(many) == 2 + artifacts.MOST_INPUTS + 1
    assert many[-1].startswith("| and 4,000 more |")
    assert artifacts.inputs(("other: x",)) is None


def test_no_artifact_links_to_what_a_browser_refuses(made: Result) -> None:
    shown = [artifacts.summary(made), artifacts.funnel(made.metrics), artifacts.compute(made.metrics, None, made.out)]
    assert not [text for text in shown if "file:" in text or "](" in text]
    assert f"Report: `{made.out}/report.html`" in shown[0]


def test_a_failure_is_shown_as_it_is_in_a_block_that_it_cannot_close() -> None:
    text = artifacts.failure(CheckFailed(f"no:\n  max_drop_share   100 %\n```\n{HOSTILE}\n</code>"))
    assert "  max_drop_share   100 %" in text
    assert text.splitlines()[4] == "````text" and text.splitlines()[-1] == "````"
    assert "\x1b" not in text and "\u202e" not in text
    assert max(map(len, artifacts.failure(InputError("  word" * 100)).splitlines())) <= artifacts.WIDTH


def test_asset_keys_are_urls_without_markup_and_without_secrets() -> None:
    assert results.asset_key("/a b/c#d") == "file:///a-b/c-d"
    assert results.asset_key("s3://bucket/out") == "s3://bucket/out"
    for place in ("s3://u:p@bucket/out", "https://host/x?sig=1"):
        with pytest.raises(InputError):
            results.asset_key(place)


@pytest.mark.parametrize("place", [{"output": "s3://u:p@b/o"}, {"output": "out", "work": "s3://b/w?token=1"}])
def test_a_run_of_the_command_line_with_a_secret_does_not_reach_prefect(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.serving.server.temporary", lambda: pytest.fail("a server was started"))
    with pytest.raises(InputError, match="credentials come from the environment"):
        run_in_flow(load_plan(None, inputs=["in"]), RunOptions(**place))
