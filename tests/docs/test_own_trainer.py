"""docs/own-trainer.md is a walk that works: its commands and its code, run as they stand on the page, print what it shows."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from flows import savings
from pipeline.savings import exchange
from tests.support import ROOT

PAGE = (ROOT / "docs/own-trainer.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(?:python)?\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
COMMAND = "winnow savings "


def block(start: str) -> str:
    """The block of the page that begins so."""
    (found,) = (made for made in BLOCKS if made.startswith(start))
    return found


def command(name: str) -> list[str]:
    """The arguments of a command of `flows.savings` on the page."""
    (found,) = re.findall(rf"^{COMMAND}({name} .*)$", PAGE, re.MULTILINE)
    return found.split()


@pytest.fixture(scope="module")
def walked(curated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the page was followed up to the results."""
    folder = tmp_path_factory.mktemp("own-trainer")
    shutil.copytree(curated, folder / "curated")  # an export is recorded in its output
    (folder / "trainer.py").write_text(block("import json"))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert savings.main(command("export-arms")) == 0
        patched.setattr(sys, "argv", block("python trainer.py").split()[1:])
        runpy.run_path("trainer.py", run_name="__main__")
    return folder


@pytest.fixture
def in_walk(walked: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(walked)
    return walked


def test_the_page_shows_what_its_commands_print(in_walk: Path, capsys: pytest.CaptureFixture[str]):
    assert savings.main(command("score")) == 0
    shown = block("No verdict").split()
    assert capsys.readouterr().out.split()[: len(shown)] == shown
    assert savings.main(command("export-arms")) == 0
    assert block("arms/arms/raw") in capsys.readouterr().out


def first(**changes: Any) -> Any:
    return lambda rows: [{name: value for name, value in {**rows[0], **changes}.items() if value != "gone"}, *rows[1:]]


def without(**values: Any) -> Any:
    return lambda rows: [row for row in rows if any(row[name] != value for name, value in values.items())]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (first(metric="nats"), "line 1: metric: Input should be 'bpb'"),
        (first(draw="gone", seed=0), "line 1: draw: Field required"),
        (first(value=float("nan")), "line 1: value: Input should be a finite number"),
        (first(value=float("-inf")), "line 1: value: Input should be a finite number"),
        (first(value=-0.1), "line 1: value: Input should be greater than or equal to 0"),
        (first(value=None), "line 1: value: Input should be a valid number"),
        (first(tokens=0), "line 1: tokens: Input should be greater than 0"),
        (first(params=float("inf")), "line 1: params: Input should be a finite number"),
        (first(arm="curatde"), "line 1: arm curatde was not exported; expected raw, curated, same mix"),
        (first(draw=4), "line 1: draw 4 was not exported; expected 0, 1, 2, 3"),
        (first(set="web"), "line 1: set web was not exported; expected raw_heldout, curated_heldout"),
        (lambda rows: ["[1]"], "line 1: Input should be an object"),
        (lambda rows: ["{"], "line 1: Invalid JSON"),
        (lambda rows: [], "no results; expected a line of JSON"),
        (without(arm="curated"), "no results of arm curated; expected the first two arms"),
        (without(set="raw_heldout"), "no results of set raw_heldout"),
        (without(arm="same mix", draw=2), "arm same mix, draw 2, set raw_heldout"),
        (without(arm="raw", draw=1, set="raw_heldout", document=3), "arm raw, draw 1, set raw_heldout"),
    ],
)
def test_results_that_are_not_what_was_asked_for_are_refused_by_name(
    in_walk: Path, capsys: pytest.CaptureFixture[str], change: Any, said: str
):
    rows = [json.loads(line) for line in (in_walk / "results.jsonl").read_text().splitlines()]
    (in_walk / "wrong.jsonl").write_text("".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in change(rows)))
    assert savings.main(["score", "arms", "wrong.jsonl"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("winnow: wrong.jsonl") and said in error
    if "nats" in (in_walk / "wrong.jsonl").read_text()[:400]:
        assert error.replace("wrong", "results").split() == block("winnow: results.jsonl").split(), "as the page quotes it"


def test_arms_after_the_second_may_be_left_out(in_walk: Path, capsys: pytest.CaptureFixture[str]):
    lines = (in_walk / "results.jsonl").read_text().splitlines(keepends=True)
    (in_walk / "two.jsonl").write_text("".join(line for line in lines if "same mix" not in line))
    assert savings.main(["score", "arms", "two.jsonl"]) == 0
    assert "same mix" not in capsys.readouterr().out


def test_help_names_the_fields_of_a_line():
    assert ", ".join(exchange.FIELDS).replace("metric", "metric (bpb)") in " ".join(savings.score_parser().format_help().split())
