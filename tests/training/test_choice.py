"""The table of docs/results/readers.md is what `tests.bench.choice` prints, and each set of labels means what it says."""

from __future__ import annotations

import os

import numpy as np
import pytest

from pipeline.plan.presets import presets
from pipeline.text import markdown
from tests.bench import choice
from tests.support import PROSE, ROOT

TABLE = choice.PAGE.read_text("utf-8").partition(choice.BEGIN)[2].partition(choice.END)[0].strip()


def test_the_table_has_a_line_for_every_preset_with_filters():
    """`eval-safe` judges quality as the default does, `chat` drops nothing for it."""
    filtering = {name for name in presets() if name.split("@")[0] not in ("none", "minimal", "eval-safe", "chat")}
    assert {preset for preset, _, _ in choice.PLANS} - {"none@1"} == filtering
    named = [f"{preset} {called}".strip() if preset != "none@1" else called for preset, called, _ in choice.PLANS]
    assert [line.split(" | ")[0].removeprefix("| ") for line in TABLE.splitlines()[2:]] == named


def test_the_first_page_quotes_the_table():
    """What it says of the default plan, in words."""
    (row,) = (line for line in TABLE.splitlines() if line.startswith("| default@2 balanced |"))
    kept, dropped = row.split(" | ")[2:4]
    said = " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert f"keeps {kept} of what readers keep and drops {dropped} of what they drop" in said


@pytest.mark.slow
@pytest.mark.skipif("WINNOW_EVAL_DATA" not in os.environ, reason="needs WINNOW_EVAL_DATA")
def test_the_table_is_what_the_bench_prints():
    """Mend with `python -m tests.bench.choice --write`."""
    labelled = choice.readers(choice.Path(os.environ["WINNOW_EVAL_DATA"]), "test")
    rows = [
        choice.row(name, choice.choose(plan, labelled.texts), labelled, labelled.groups["all"])
        for name, plan in choice.plans([]).items()
    ]
    assert "\n".join(markdown.table(choice.HEAD, rows)) == TABLE


@pytest.mark.parametrize(
    ("name", "row", "good"),
    [
        ("read_sample", {"keep": "y"}, True),
        ("read_sample", {}, None),
        ("turku_line_quality", {"label": "0.5"}, True),
        ("turku_line_quality", {"label": "0.4"}, False),
        ("core_raw_accept_reject", {"label": "reject"}, False),
        ("fineweb_c_danish", {"label": "['Minimal', 'Basic', 'None']"}, True),
        ("fineweb_c_danish", {"label": "['None', 'Minimal']"}, False),
        ("fineweb_c_danish", {"label": "['Minimal', None]"}, None),
        ("ftd_web_genres_en", {"label": "A12"}, False),
        ("quality", {"hq": 1}, True),
    ],
)
def test_labels_of_other_sets(name, row, good):
    assert choice.GOOD[name](row) is good


def test_a_line_counts_what_is_kept_and_dropped():
    labelled = choice.Labelled("x", ["a"] * 4, np.array([True, True, False, False]), {})
    chosen = choice.Chosen(np.array([True, False, False, False]), np.array([0.9, 0.2, 0.1, np.nan]), np.array(["en"] * 4))
    name, auc, kept, dropped, n = choice.row("plan", chosen, labelled, np.ones(4, bool))
    assert (name, n) == ("plan", "4") and kept.startswith("50 % (") and dropped.startswith("100 % (") and auc == ""


def test_a_plan_is_applied_as_a_run_applies_it():
    plan = choice.plans(["default@1"])["default@1"]
    chosen = choice.choose(plan, ["Too few words.", PROSE])
    assert chosen.kept.tolist() == [False, True]
