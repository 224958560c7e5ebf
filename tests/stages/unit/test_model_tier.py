"""The model tier: it scores what the cheap tier left, once, and what another plan had scored changes no byte."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tests.support import PROSE, prose, table, winnow, write_rows

CODE = """
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from filters.contract import Filter, NoParams, Rule, Settings, Tier

SEEN = []  # texts that were scored, in this process

def make(name, column, needs=()):
    class Thresholds(Settings):
        max_score: float = Field(1e9, description="most")

    def annotate(batch, needed, params, loaded):
        texts = batch.text.to_pylist()
        SEEN.extend((name, text) for text in texts)
        added = [0.0 if v is None else v for v in needed[needs[0]].to_pylist()] if needs else [0.0] * len(texts)
        scores = [None if "unknown" in t else float(t.count("ferry")) + a for t, a in zip(texts, added)]
        return pa.RecordBatch.from_arrays([pa.array(scores, pa.float32())], names=[column])

    def rules(params, thresholds):
        return [Rule(reason="much", signal=column, fails=">", limit=thresholds.max_score, keys=("max_score",))]

    return Filter(
        name=name, version=1, tier=Tier.MODEL, reads="final", needs=needs, signals=pa.schema([pa.field(column, pa.float32())]),
        thresholds=Thresholds, annotate=annotate, rules=rules,
    )

FILTERS = (make("first_model", "first_score"), make("second_model", "second_score", ("first_score",)))
"""


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Texts that the two models of the plugin scored, as `(filter, text)`."""
    import sys

    from pipeline.plan import plugins
    from pipeline.plan.model import with_plugins

    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "two_models.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    for forget in (plugins.load_plugins.cache_clear, with_plugins.cache_clear):
        forget()
    sys.modules.pop("two_models", None)
    import two_models

    yield two_models.SEEN
    for forget in (plugins.load_plugins.cache_clear, with_plugins.cache_clear):
        forget()
    sys.modules.pop("two_models", None)


def plan(tmp_path: Path, *sets: str, out: str = "out") -> list[str | Path]:
    texts = [PROSE + f" {'ferry ' * k}{prose(k)}" for k in range(8)] + ["short ferry", "   ", PROSE + " unknown"]
    rows = [{"id": f"d{k}", "text": text} for k, text in enumerate(texts)]
    path = write_rows(tmp_path / "in" / "a.jsonl", rows)
    keys = ("plugins=[two_models]", "filters.first_model={}", "filters.second_model={}", "output.signals=true", *sets)
    command: list[str | Path] = ["minimal", "--accept", "--input", path, "--output", tmp_path / out]
    for item in (*keys, "filters.gopher_quality={}", "dedup=false"):
        command += ["--set", item]
    return command


def run(capsys, tmp_path: Path, *sets: str, out: str = "out", more: tuple[str, ...] = ()) -> Path:
    ran = winnow(capsys, *plan(tmp_path, *sets, out=out), *more)
    assert ran.code == 0, ran.err
    return tmp_path / out


def test_survivors_are_scored_and_nobody_else(capsys, tmp_path, seen):
    out = run(capsys, tmp_path)
    scored = [text for name, text in seen if name == "first_model" and "…" not in text and "The end." not in text]
    assert len(scored) == 9 and "short ferry" not in scored
    signals = table(out, "signals").sort("id")
    assert signals.filter(pl.col("id") == "d8")["first_score"].to_list() == [None]
    assert signals.filter(pl.col("id") == "d3")["second_score"].to_list() == [8.0]  # its own 4 and the first model's 4
    models = json.loads((out / "metrics.json").read_text())["models"]
    assert [(m["filter"], m["scored"], m["not_covered"]) for m in models] == [
        ("first_model", 8, [["unknown", 1]]), ("second_model", 8, [["unknown", 1]]),
    ]  # fmt: skip


def test_a_models_verdict_is_of_its_own_stage_and_comes_after_the_cheap_ones(capsys, tmp_path, seen):
    out = run(capsys, tmp_path, "filters.first_model.max_score=4", "filters.second_model.max_score=9")
    ledger = table(out, "ledger").sort("id")
    found = {row["id"]: (row["stage"], row["reason"], row["failed"]) for row in ledger.to_dicts()}
    assert found["d3"] == (None, None, [])
    assert found["d4"] == ("model", "first_model.much", ["first_model.much", "second_model.much"])
    assert found["d8"] == ("filter", "gopher_quality.too_few_words", found["d8"][2])
    assert not any("model" in name for name in found["d8"][2])


def test_a_loosened_threshold_scores_only_what_it_lets_in_and_gives_the_bytes_of_a_fresh_run(capsys, tmp_path, seen):
    strict, loose = "filters.gopher_quality.min_words=308", "filters.gopher_quality.min_words=50"
    out = run(capsys, tmp_path, strict)
    first = {text for name, text in seen if name == "first_model"}
    seen.clear()
    run(capsys, tmp_path, loose, more=("--replace",))
    again = {text for name, text in seen if name == "first_model" and len(text) > 20}
    assert again and not first & again
    fresh = run(capsys, tmp_path, loose, out="fresh")
    assert _same_rows(out, fresh)
    seen.clear()
    run(capsys, tmp_path, strict, more=("--replace",))
    assert not [text for name, text in seen if len(text) > 20]
    tight = run(capsys, tmp_path, strict, out="tight")
    assert _same_rows(out, tight)


FOLDERS = ("data", "rejected", "ledger", "signals")


def _same_rows(one: Path, other: Path) -> bool:
    """All columns but the generation."""
    return all(
        table(one, f).drop("generation", strict=False).equals(table(other, f).drop("generation", strict=False)) for f in FOLDERS
    )


def test_an_audit_scores_a_chosen_share_of_everything_and_drops_nobody_more(capsys, tmp_path, seen):
    out = run(capsys, tmp_path, "audit_fraction=1", "filters.first_model.max_score=4")
    ledger = {row["id"]: row for row in table(out, "ledger").to_dicts()}
    signals = {row["id"]: row for row in table(out, "signals").to_dicts()}
    assert signals["d8"]["first_score"] == 1.0  # dropped for its words, scored all the same
    assert signals["d9"]["first_score"] is None  # no text, no score
    assert ledger["d8"]["reason"] == "gopher_quality.too_few_words"
    none = run(capsys, tmp_path, "filters.first_model.max_score=4", out="none")
    assert table(none, "ledger")["reason"].to_list() == table(out, "ledger")["reason"].to_list()


def test_the_audited_share_follows_the_seed_and_not_the_units(capsys, tmp_path, seen):
    strict = "filters.gopher_quality.min_words=100000"
    audited = []
    for k, more in enumerate([(), ("source.unit_bytes=1000",), ("seed=1",)]):
        out = run(capsys, tmp_path, "audit_fraction=0.5", strict, *more, out=f"out{k}")
        audited.append(table(out, "signals")["first_score"].is_not_null().to_list())
    assert audited[0] == audited[1] != audited[2]
    assert 0 < sum(audited[0]) < len(audited[0])
