"""README, the pages of docs/, --help, CONTRIBUTING and code say the same."""

import re
import subprocess
import sys

import pytest

from pipeline.records.metrics_json import Metrics
from tests.docs import pages, reference
from tests.support import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def test_the_first_page_is_one_screen_and_a_half():
    assert len(README.splitlines()) <= 150


def test_the_plan_reference_is_what_the_models_say():
    """Mend with `python -m tests.docs.reference --write`."""
    section = pages.text("plan.md").partition(reference.BEGIN)[2].partition(reference.END)[0].strip()
    assert section == reference.markdown()


def test_every_flag_is_on_its_page_and_every_flag_there_exists():
    from flows.curate import parser

    flags = {option for action in parser()._actions for option in action.option_strings if option.startswith("--")} - {"--help"}
    usage = pages.text("running.md").partition("```")[2].partition("```")[0]
    assert set(re.findall(r"--[a-z-]+", usage)) == flags


def test_every_flag_of_the_measurement_is_on_its_page_and_every_flag_there_exists():
    from flows import savings

    section = pages.text("savings.md").partition("```\nwinnow savings")[2].partition("```")[0]
    measure, rest = section.split("winnow savings export-arms")
    flags = {option for action in savings.parser()._actions for option in action.option_strings if option.startswith("--")}
    assert set(re.findall(r"--[a-z-]+", measure)) == flags - {"--help"}
    exported = {option for action in savings.export_parser()._actions for option in action.option_strings}
    assert set(re.findall(r"--[a-z-]+", rest)) <= exported


def test_every_flag_of_the_doctor_is_on_its_page_and_every_flag_there_exists():
    from flows.doctor import parser

    section = pages.text("damage.md")
    flags = {option for action in parser()._actions for option in action.option_strings if option.startswith("--")}
    assert set(re.findall(r"--[a-z-]+", section.replace("`--replace`", ""))) == flags - {"--help"}


def test_help_works_and_is_quick_to_import():
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "flows.curate", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "PLAN" in shown.stdout
    for heavy in ("polars", "pyarrow", "prefect", "numba", "datasketch", "fasttext", "scipy"):
        assert not re.search(rf"\| +{heavy}$", shown.stderr, re.MULTILINE), heavy


def test_the_page_of_presets_names_each():
    from pipeline.plan.presets import presets

    assert {name.split("@")[0] for name in presets()} == {
        "default",
        "eval-safe",
        "minimal",
        "none",
        "fineweb",
        "gopher",
        "c4",
        "dclm",
        "dolma",
        "chat",
    }
    for name in presets():
        assert f"`{name.split('@')[0]}`" in pages.text("presets.md")


def test_the_example_filter_keeps_the_contract(tmp_path):
    import pyarrow as pa

    from filters.contract import TextBatch, check, check_rules, judge

    code = next(
        block
        for block in re.findall(r"```python\n(.*?)```", pages.text("own-filter.md"), re.DOTALL)
        if "FILTER = Filter(" in block
    )
    made: dict = {}
    exec(compile(code, "own-filter.md", "exec"), made)
    example = made["FILTER"]
    batch = TextBatch(pa.array(["LOUD WORDS", "quiet words", ""], pa.large_string()))
    needed = pa.RecordBatch.from_arrays([], names=[])
    signals = example.annotate(batch, needed, example.params(), None)
    check(example, rows=3, signals=signals)
    rules = example.rules(example.params(), example.thresholds())
    check_rules(example, rules)
    import polars as pl

    assert judge(example, rules, pl.from_arrow(signals)).to_series().to_list() == [True, False, False]


@pytest.mark.parametrize(("page", "plans"), [("plan.md", 1), ("coming-from.md", 3)])
def test_the_plans_on_a_page_are_valid(page, plans, tmp_path):
    from pipeline.plan.load import load_plan

    blocks = [block for block in re.findall(r"```yaml\n(.*?)```", pages.text(page), re.DOTALL) if block.startswith("extends:")]
    assert len(blocks) == plans
    for block in blocks:
        path = tmp_path / "plan.yaml"
        path.write_text(block)
        assert load_plan(str(path)).plan.dedup is not None


def test_scripts_of_others_beside_our_plans_are_python():
    scripts = re.findall(r"```python\n(.*?)```", pages.text("coming-from.md"), re.DOTALL)
    assert len([compile(script, "coming-from.md", "exec") for script in scripts]) == 2


def test_columns_on_the_page_of_outputs_are_the_schema():
    from pipeline.schema import DATA

    section = pages.text("output.md").partition("| column of `data/`")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+)`", "\n".join(line.split("|")[1] for line in section.splitlines()[2:]))) == set(DATA.names)


def test_the_training_example_runs(curated, monkeypatch):
    pytest.importorskip("torch", reason="torch is not installed: it is part of the savings extra")
    monkeypatch.chdir(curated.parent)
    code = next(
        block for block in re.findall(r"```python\n(.*?)```", pages.text("first-steps.md"), re.DOTALL) if "DataLoader" in block
    )
    exec(compile(code.replace('"curated"', repr(str(curated))), "first-steps.md", "exec"), {})


def test_nothing_in_the_tree_names_a_machine():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        if name.endswith((".py", ".md", ".yaml", ".toml", ".txt")):
            text = (ROOT / name).read_text("utf-8")
            words = [word for word in ("/" + "home/", "index-" + "url", "/" + "work/main") if word in text]
            assert not words, (name, words)


def test_the_output_shown_is_what_the_sample_gives(curated):
    """Counts, reasons and duplicates; times and sizes differ by machine."""

    from pipeline import report
    from pipeline.report import table

    shown = (
        pages.text("first-steps.md")
        .partition("<!-- output of make run: begin -->")[2]
        .partition("<!-- output of make run: end -->")[0]
    )
    metrics = Metrics.model_validate_json((curated / "metrics.json").read_bytes())
    summary = table.text(report.summary(metrics, out="curated"))
    times = summary[summary.index("took ") : summary.index("compute ")]
    stable = [line for line in summary.replace(times, "").splitlines() if line.strip()]
    assert len(stable) > 10
    for line in stable:
        assert line in shown, line
