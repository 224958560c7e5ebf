"""A mistake in a plan is one message that names the key, what was found and what was expected, before anything is read.

What the command makes of it (status 2, nothing started) is in `tests/cli/test_bad_input.py`, for one mistake of each kind.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.errors import UsageError
from pipeline.plan import load, recipe
from pipeline.plan.presets import presets
from pipeline.report import publish


@pytest.mark.parametrize(
    ("assignments", "words"),
    [
        pytest.param(["filters.gopher_quality.min_word=3"], ["min_word", "min_words"], id="unknown key, near miss"),
        pytest.param(["filter.x=3"], ["filter", "unknown key"], id="unknown section"),
        pytest.param(["dedup.threshold=high"], ["dedup.threshold", "high"], id="wrong type"),
        pytest.param(["dedup.threshold=7"], ["dedup.threshold", "7"], id="out of range"),
        pytest.param(["dedup.bucket_cap=18446744073709551616"], ["dedup.bucket_cap", "than or equal to 1000000"], id="too much"),
        pytest.param(["dedup.bucket_cap=0"], ["dedup.bucket_cap", "greater than or equal to 1"], id="too little"),
        pytest.param(["dedup.keep=[rank asc, rank desc]"], ["dedup.keep", "'rank' is named twice"], id="an order named twice"),
        pytest.param(["dedup.scope=[dump, dump]"], ["dedup.scope", "'dump' is named twice"], id="a column named twice"),
        pytest.param(["select.keep_top={share: 0}"], ["select.keep_top", "share"], id="a share of nothing"),
        pytest.param(["select.keep_top=0.5"], ["such as {share: ...}", "or false to switch it off (got 0.5)"], id="no mapping"),
        pytest.param(["dedup=off"], ["dedup: expected a mapping", "or false to switch it off (got 'off')"], id="off is no value"),
        pytest.param(["checks=5"], ["such as {max_drop_share: ...}", "on_fail) (got 5)"], id="no mapping of what is never off"),
        pytest.param(["gopher_quality.min_words=3"], ["unknown key; did you mean filters.gopher_quality?"], id="a filter alone"),
        pytest.param(["pii.email=true"], ["unknown key; did you mean edits.pii?"], id="an edit alone"),
        pytest.param(["nonsense"], ["KEY=VALUE"], id="no assignment"),
        pytest.param(["output.tokenizer=/no/such/tokenizer.json"], ["output.tokenizer", "does not exist"], id="no tokenizer"),
        pytest.param(["filters.language={model: /no/such.ftz}"], ["/no/such.ftz", "filters.language.model"], id="no model"),
    ],
)
def test_a_mistake_names_the_key_and_what_was_expected(assignments: list[str], words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        recipe.resolve(load.load_plan("minimal", inputs=["a.jsonl"], assignments=assignments).plan)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("filters:\n  gopher_quality: {max_wrds: 10}\n", ["mine.yaml", "filters.gopher_quality.max_wrds"]),
        ("a: [1, 2\nb: }", ["mine.yaml: not valid YAML", ", line 1, column 4"]),
        (None, ["mine.yaml"]),
    ],
    ids=["a key that is unknown", "no YAML", "not there"],
)
def test_a_plan_file_with_a_mistake_is_named(tmp_path: Path, content: str | None, words: list[str]) -> None:
    plan = tmp_path / "mine.yaml"
    if content is not None:
        plan.write_text(content)
    with pytest.raises(UsageError) as caught:
        load.load_plan(str(plan))
    assert all(word in str(caught.value) for word in words), caught.value


def test_yaml_1_2_values_are_what_they_look_like(tmp_path: Path) -> None:
    """`no` is a language and 1e12 a number; in YAML 1.1 the one would be false and the other a string."""
    plan = tmp_path / "p.yaml"
    plan.write_text("filters: {language: {keep: [no, en]}}\ncompute: {plan: {tokens: 1e12}}\n")
    loaded = load.load_plan(str(plan)).plan
    written = tmp_path / "plan.resolved.yaml"
    written.write_text(publish.yaml(load.dump(loaded)))
    for found in (loaded, load.load_plan(str(written)).plan):
        assert found.model_dump()["filters"]["language"]["keep"] == ("en", "no")
        assert found.compute.plan.tokens == 10**12


@pytest.mark.parametrize("name", presets())
def test_a_plan_that_is_written_key_after_key_reads_back_as_it_was(tmp_path: Path, name: str) -> None:
    data = load.dump(load.load_plan(name, inputs=[str(tmp_path)]).plan) | {
        "empty": {},
        "none": [],
        "no": "1e12",
        "": [{"x": "a: b"}],
    }
    assert YAML(typ="safe", pure=True).load(publish.yaml(data)) == data
    assert YAML(typ="safe", pure=True).load(publish.yaml({})) == {}


def test_a_plan_is_the_same_however_often_it_is_loaded(tmp_path: Path) -> None:
    plan = tmp_path / "p.yaml"
    plan.write_text("extends: minimal@1\n")
    assert [load.load_plan(str(plan), inputs=["x"]).extends for _ in range(2)] == ["minimal@1"] * 2
