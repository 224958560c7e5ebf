"""signals/: a row for every ledger row, shard by shard, with what the filters measured; committed and deterministic."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest

from tests.support import ROOT, curate, digests, table, write_rows

KEY = ["generation", "id", "source", "source_ref"]


def test_rows_are_the_ledgers_shard_by_shard(measured: Path) -> None:
    names = sorted(path.name for path in (measured / "ledger").glob("*.parquet"))
    assert sorted(path.name for path in (measured / "signals").glob("*.parquet")) == names
    for name in names:
        ledger = pl.read_parquet(measured / "ledger" / name)
        signals = pl.read_parquet(measured / "signals" / name)
        assert signals.select(KEY).equals(ledger.select(KEY))


def test_quarantined_rows_have_no_signals_and_all_others_have(measured: Path) -> None:
    verdicts = table(measured, "ledger")["verdict"]
    words = table(measured, "signals")["gopher_words"]
    assert (words.is_null() == (verdicts == "quarantined")).all()
    assert (verdicts == "quarantined").sum() == 6


def test_signals_are_narrow_and_hold_no_text(measured: Path) -> None:
    frame = table(measured, "signals")
    assert set(KEY) < set(frame.columns)
    assert not {"text", "metadata", "url"} & set(frame.columns)
    shown = table(measured, "data").select("source_ref", "language", "language_score")
    both = shown.join(frame, on="source_ref", how="left", suffix="_signal")
    assert (both["language"] == both["language_signal"]).all()


def test_shards_are_in_the_manifest_and_in_no_dataset_config(measured: Path) -> None:
    made = json.loads((measured / "manifest.json").read_text())
    listed = [record["path"] for record in made["files"] if record["path"].startswith("signals/")]
    assert listed
    assert made["content_sha256"]["signals"]
    assert "signals/" not in (measured / "README.md").read_text().partition("\n---\n")[0]


def test_bytes_do_not_depend_on_workers_or_units(measured: Path, cut_small: Path) -> None:
    assert digests(cut_small, ("signals",)) == digests(measured, ("signals",))


def test_without_the_key_there_is_no_folder(curated: Path) -> None:
    assert not (curated / "signals").exists()
    assert "signals" not in json.loads((curated / "manifest.json").read_text())["content_sha256"]


def test_a_replaced_output_without_signals_has_none(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": "one two three"}])
    out = tmp_path / "out"
    curate("--input", path, "--output", out, "--set", "output.signals=true")
    assert list((out / "signals").iterdir())
    curate("--input", path, "--output", out, "--replace", "--set", "output.keep_replaced=false")
    assert not list((out / "signals").iterdir())


def test_the_recipe_on_the_page_of_scores_runs(
    measured: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(measured.parent)
    page = (ROOT / "docs/scores.md").read_text("utf-8")
    code = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "signals/" in block)
    made: dict[str, object] = {}
    exec(compile(code, "scores.md", "exec"), made)
    assert "too_few_words" in capsys.readouterr().out
