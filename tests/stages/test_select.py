"""Selection: the best by score, per group and within a token budget; what the first generation fitted holds for later ones."""

from __future__ import annotations

import json
import math
import signal
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from flows.curate import main
from pipeline.stages import select
from pipeline.text import final
from tests.killed import ready
from tests.support import ROOT, digests, examples, prose, table, winnow, write_rows


def corpus(tmp_path: Path, scores: list[float | None], *, groups: list[str | None] | None = None, name: str = "a") -> Path:
    """Documents d0, d1, … with these scores in scores.parquet."""
    rows: list[dict[str, Any]] = [{"id": f"{name}{k}", "text": prose(k + 100 * ord(name[0]))} for k in range(len(scores))]
    for row, group in zip(rows, groups or [], strict=False):
        row["dump"] = group
    write_rows(tmp_path / "in" / f"{name}.jsonl", rows)
    made = pl.DataFrame({"id": [row["id"] for row in rows], "edu": scores}, schema={"id": pl.String, "edu": pl.Float32})
    old = tmp_path / "scores.parquet"
    (pl.concat([pl.read_parquet(old), made]) if old.exists() else made).write_parquet(old)
    return tmp_path / "in" / f"{name}.jsonl"


def plan(tmp_path: Path, *inputs: Path, out: str = "out", **keys: str) -> list[str | Path]:
    entry = f"annotations=[{{path: {tmp_path / 'scores.parquet'}, on: [id], columns: {{edu: float32}}}}]"
    sets = [entry, "select.score=edu", *(f"{name.replace('__', '.')}={value}" for name, value in keys.items())]
    command: list[str | Path] = ["minimal", "--accept", "--output", tmp_path / out]  # where the budget is full, nothing is kept
    for path in inputs:
        command += ["--input", path]
    for item in sets:
        command += ["--set", item]
    return command


def kept(tmp_path: Path, out: str = "out") -> list[str]:
    return sorted(table(tmp_path / out, "data")["id"].to_list())


def tokenizer(tmp_path: Path) -> Path:
    """Every white-space word is one token."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({"x": 0}, unk_token="x"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_the_best_share_is_kept_rounded_up_and_the_rest_has_a_reason(capsys, tmp_path):
    path = corpus(tmp_path, [0.1, 0.9, None, 0.5, 0.7, 0.3])
    assert winnow(capsys, *plan(tmp_path, path, select__keep_top="{share: 0.3}")).code == 0
    assert kept(tmp_path) == ["a1", "a4"]  # ceil(0.3 * 5)
    ledger = table(tmp_path / "out", "ledger")
    assert ledger.sort("id")["reason"].to_list() == ["not_selected", None, "not_selected", "not_selected", None, "not_selected"]
    assert set(ledger.filter(pl.col("reason").is_not_null())["stage"]) == {"select"}
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert {k: metrics["selection"][k] for k in ("selected", "not_selected", "unscored")} == {
        "selected": 2, "not_selected": 4, "unscored": 1,
    }  # fmt: skip
    assert metrics["totals"]["dropped"] == 4


def test_of_equal_scores_the_smallest_hashes_are_kept(capsys, tmp_path):
    path = corpus(tmp_path, [0.5] * 12)
    assert winnow(capsys, *plan(tmp_path, path, select__keep_top="{share: 0.5}")).code == 0
    hashes = {f"a{k}": final.text_hash(prose(k + 9700)) for k in range(12)}
    assert kept(tmp_path) == sorted(sorted(hashes, key=hashes.__getitem__)[:6])


@pytest.mark.parametrize(("share", "expected"), [("0.2", 1), ("0.20001", 2), ("0.6", 3), ("1", 5)])
def test_the_share_is_exact(capsys, tmp_path, share, expected):
    path = corpus(tmp_path, [0.1, 0.9, 0.5, 0.7, 0.3])
    assert winnow(capsys, *plan(tmp_path, path, select__keep_top=f"{{share: {share}}}")).code == 0
    assert len(kept(tmp_path)) == expected


def test_groups_are_cut_each_for_itself_and_null_is_a_group(capsys, tmp_path):
    path = corpus(tmp_path, [0.1, 0.2, 0.3, 0.9, 0.8, 0.7, 0.6], groups=["x", "x", "x", "y", "y", None, None])
    assert winnow(capsys, *plan(tmp_path, path, select__keep_top="{share: 0.5, by: [dump]}")).code == 0
    assert kept(tmp_path) == ["a1", "a2", "a3", "a5"]
    cuts = json.loads((tmp_path / "out/manifest.json").read_text())["selection"]["cuts"]["keep_top"]
    assert {group: (cut["scored"], cut["kept"]) for group, cut in cuts.items()} == {
        '["x"]': (3, 2), '["y"]': (2, 1), "[null]": (2, 1),
    }  # fmt: skip


def test_a_budget_keeps_the_best_documents_whose_tokens_fit(capsys, tmp_path):
    path = corpus(tmp_path, [0.1, 0.9, 0.5])
    words = {row["id"]: len(row["text"].split()) for row in map(json.loads, path.read_text().splitlines())}
    exact = words["a1"] + words["a2"]
    for budget, expected in ((exact, ["a1", "a2"]), (exact - 1, ["a1"]), (1, [])):
        command = plan(tmp_path, path, output__tokenizer=str(tokenizer(tmp_path)), select__token_budget=str(budget))
        assert winnow(capsys, *command, "--replace").code == 0
        assert kept(tmp_path) == expected


def test_later_generations_apply_the_first_cut_and_fit_only_new_groups(capsys, tmp_path):
    first = corpus(tmp_path, [0.1, 0.2, 0.3, 0.4], groups=["x"] * 4)
    second = corpus(tmp_path, [0.35, 0.2, 0.9, 0.5, 0.1], groups=["x", "x", "x", "z", "z"], name="b")
    keys = {"select__keep_top": "{share: 0.5, by: [dump]}"}
    assert winnow(capsys, *plan(tmp_path, first, **keys)).code == 0
    before = digests(tmp_path / "out")
    assert winnow(capsys, *plan(tmp_path, first, second, **keys)).code == 0
    assert kept(tmp_path) == ["a2", "a3", "b0", "b2", "b3"]
    assert before.items() <= digests(tmp_path / "out").items()


def test_a_later_generation_says_by_how_much_a_budget_is_exceeded(capsys, tmp_path):
    first = corpus(tmp_path, [0.5, 0.6])
    second = corpus(tmp_path, [0.7, 0.1], name="b")
    words = {row["id"]: len(row["text"].split()) for p in (first, second) for row in map(json.loads, p.read_text().splitlines())}
    keys = {"output__tokenizer": str(tokenizer(tmp_path)), "select__token_budget": str(words["a0"] + words["a1"])}
    assert winnow(capsys, *plan(tmp_path, first, **keys)).code == 0
    assert winnow(capsys, *plan(tmp_path, first, second, **keys)).code == 0
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())["selection"]
    assert metrics["over_budget"] == words["b0"] + words["b1"]  # all of the first generation fitted: nothing was cut


@pytest.mark.parametrize("rejected", ["full", "none", "0.5"])
def test_the_index_holds_what_selection_left_out(capsys, tmp_path, rejected):
    path = corpus(tmp_path, [0.1, 0.9, 0.2, 0.3])
    keys = {"select__keep_top": "{share: 0.25}", "output__rejected": rejected}
    assert winnow(capsys, *plan(tmp_path, path, **keys)).code == 0
    again = corpus(tmp_path, [0.99] * 4, name="b")
    rows = [json.loads(line) | {"id": f"b{k}"} for k, line in enumerate(path.read_text().splitlines())]
    write_rows(again, [{**row, "text": row["text"] + " Indeed."} for row in rows])
    assert winnow(capsys, *plan(tmp_path, path, again, **keys)).code == 0
    ledger = table(tmp_path / "out", "ledger").filter(pl.col("generation") == 2).sort("id")
    assert ledger["reason"].to_list() == ["near_duplicate"] * 4
    assert ledger["duplicate_of"].to_list() == ["a0", "a1", "a2", "a3"]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"select__token_budget": "10"}, ["select.token_budget", "output.tokenizer"]),
        ({"select__keep_top": "{share: 0.5}", "select__score": "quality_score"}, ["select.score", "quality_score"]),
        ({"select__keep_top": "{share: 0.5, by: [dumb]}"}, ["select.keep_top.by", "dumb", "did you mean dump"]),
    ],
)
def test_what_a_selection_lacks_is_an_error_of_the_plan(capsys, tmp_path, keys, words):
    path = corpus(tmp_path, [0.1], groups=["x"])
    ran = winnow(capsys, *plan(tmp_path, path, **keys))
    assert ran.code == 2
    assert all(word in ran.err for word in words), ran.err


def test_a_run_killed_in_its_selection_resumes_to_the_same_bytes(tmp_path):
    """Killed while what was not selected is written down, and while the index takes it: tests/killed.py counts the points."""
    path = corpus(tmp_path, [float(k % 5) for k in range(12)])

    def command(out: str) -> list[str]:
        keys = {"select__keep_top": "{share: 0.3}", "output__rejected": "none", "source__unit_bytes": "5000"}
        return [*map(str, plan(tmp_path, path, out=out, **keys)), "--inline", "--workers", "1"]

    events, folders = tmp_path / "events", ("data", "ledger", "index")
    with ready(ROOT) as run:
        assert run(0, events, command("whole"))[0] == 0
        points = events.read_text().splitlines()
        for what in ("judgements/select", "unselected"):
            at = [number for number, point in enumerate(points, start=1) if what in point]
            point, out = at[len(at) // 2], what.replace("/", "-")
            assert run(point, tmp_path / "unused", command(out))[0] == -signal.SIGKILL
            assert main(command(out)) == 0
            assert digests(tmp_path / out, folders) == digests(tmp_path / "whole", folders)


def expected(rows: list[dict[str, Any]], share: str, budget: int | None) -> set[str]:
    """Selection as the module defines it, in plain Python: rows of one generation with score, group, text, ref, tokens."""
    scored = [row for row in rows if row["score"] is not None]
    scored.sort(key=lambda row: (-row["score"], final.text_hash(row["text"]), row["path"].encode(), row["row"]))
    chosen = []
    for group in {row["group"] for row in scored}:
        own = [row for row in scored if row["group"] == group]
        chosen += own[: math.ceil(Fraction(share) * len(own))]
    chosen.sort(key=scored.index)
    total, fit = 0, []
    for row in chosen:
        total += row["tokens"]
        if budget is not None and total > budget:
            break
        fit.append(row["id"])
    return set(fit)


SCORES = st.lists(
    st.tuples(st.sampled_from([None, 0.0, 0.25, 0.5, 1.0]), st.sampled_from(["x", "y", None])), min_size=1, max_size=14
)


@examples(0.05, suppress_health_check=[HealthCheck.function_scoped_fixture])  # each is two whole runs
@given(
    rows=SCORES,
    share=st.sampled_from(["0.1", "0.34", "0.5", "1.0"]),
    budget=st.sampled_from([None, 0, 3, 6, 30]),
    wide=st.booleans(),
)
def test_selection_is_what_plain_python_says(capsys, tmp_path_factory, monkeypatch, rows, share, budget, wide):
    """`wide`: a row takes so much of the memory that each goes to a piece of its own on disk."""
    tmp_path = tmp_path_factory.mktemp("select")
    monkeypatch.setattr(select, "_ROW_BYTES", 10**9 if wide else 250)
    scores, groups = [score for score, _ in rows], [group for _, group in rows]
    groups[0] = "x"  # a column that no document has is an error
    path = corpus(tmp_path, scores, groups=groups)
    documents = [{"id": f"a{k}", "text": " ".join([f"w{k % 5}"] * (1 + k % 3)), "dump": group} for k, group in enumerate(groups)]
    write_rows(path, documents)
    keys = {"select__keep_top": f"{{share: {share}, by: [dump]}}", "dedup": "false", "source__unit_bytes": "1000"}
    if budget:
        keys |= {"output__tokenizer": str(tokenizer(tmp_path)), "select__token_budget": str(budget)}
    assert winnow(capsys, *plan(tmp_path, path, **keys)).code == 0
    shown = [
        row | {"score": score, "group": row["dump"], "path": "in/a.jsonl", "row": k + 1, "tokens": len(row["text"].split())}
        for k, (row, score) in enumerate(zip(documents, scores, strict=True))
    ]
    assert set(kept(tmp_path)) == expected(shown, share, budget or None)
