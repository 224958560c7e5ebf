"""docs/design.md, the contract, names what exists."""

from __future__ import annotations

import re

import pytest

from pipeline.plan import load
from tests.support import ROOT

DESIGN = (ROOT / "docs" / "design.md").read_text("utf-8")
WALK = DESIGN.partition("### A text's way from bytes to shard")[2].partition("\n|")[0]


def paths(text: str) -> list[str]:
    return re.findall(r"`((?:flows|pipeline|filters|tests)/[\w/]+\.py)`", text)


def test_every_module_that_the_contract_names_exists():
    named = paths(DESIGN.partition("Examples to follow")[0])
    assert len(named) >= 15
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_the_walk_has_ten_steps_and_each_names_a_module():
    steps = re.findall(r"^(\d+)\. (.+)$", WALK, flags=re.M)
    assert [int(number) for number, _ in steps] == list(range(1, 11))
    assert all(paths(step) for _, step in steps)


def test_the_drawn_rooms_are_the_rooms_there_are():
    drawn = DESIGN.partition("## 3. Layout and direction")[2].partition("```\n")[2].partition("```")[0]
    within = drawn.partition("pipeline/ ")[2].partition("filters/ ")[0]
    rooms = set(re.findall(r"^  (\w+)/ ", within, flags=re.M))
    assert rooms == {path.name for path in (ROOT / "pipeline").iterdir() if (path / "__init__.py").exists()}


@pytest.mark.parametrize("package", ["flows", "filters", "tests", "docs", "sample_data"])
def test_other_folders_it_draws_exist(package):
    assert f"\n{package}/" in DESIGN and (ROOT / package).is_dir()


def test_the_plan_it_shows_is_one_that_loads(tmp_path):
    shown = DESIGN.partition("```yaml\n")[2].partition("```")[0].replace("crawl/*.jsonl.gz", str(tmp_path / "*.jsonl"))
    path = tmp_path / "plan.yaml"
    path.write_text(shown, "utf-8")
    loaded = load.load_plan(str(path))
    assert loaded.plan.dedup and loaded.plan.dedup.threshold == 0.8
    assert loaded.plan.checks.max_drop_share == 0.95 and loaded.plan.output.licence is None
