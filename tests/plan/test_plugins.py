"""A user's own filter: keys, reasons, resume keys and source hash come by themselves; a bad one stops the run with its name."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from pipeline.inspect import why
from pipeline.inspect.output import open_output_of
from pipeline.inspect.thresholds.slider import Dropped, Slider
from pipeline.inspect.verdict import judge_text
from pipeline.plan import plugins
from pipeline.plan.model import with_plugins
from pipeline.report.table import text as table_text
from pipeline.store.store import open_store
from tests.support import PROSE, ROOT, table, winnow, write_rows

EXAMPLE = next(
    block
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs/own-filter.md").read_text("utf-8"), re.DOTALL)
    if "FILTER = Fil" in block
)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a module that can be imported, and forgets it afterwards."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    written: list[str] = []

    def write(name: str, code: str) -> Path:
        (folder / f"{name}.py").write_text(code)
        written.append(name)
        forget()
        return folder / f"{name}.py"

    def forget() -> None:
        plugins.load_plugins.cache_clear()
        with_plugins.cache_clear()
        for name in written:
            sys.modules.pop(name, None)

    yield write
    forget()


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "in" / "a.jsonl", [{"text": PROSE}, {"text": PROSE.upper()}])


def test_a_plugins_filter_is_a_filter_like_ours(capsys, tmp_path, own, text):
    own("shouting_filter", EXAMPLE)
    out = tmp_path / "out"
    plan = ("minimal", "--input", text, "--output", out, "--set", "plugins=[shouting_filter]", "--set", "filters.shouting={}")
    assert winnow(capsys, *plan).code == 0
    assert table(out, "ledger")["reason"].to_list() == [None, "shouting.shouting"]
    made = json.loads((out / "manifest.json").read_text())
    assert made["recipe"]["versions"]["filters.shouting"] == 1
    assert made["recipe"]["files"]["shouting"] == [plugins.load_plugins(("shouting_filter",))[0].sha256]
    assert (tmp_path / "out" / "plan.resolved.yaml").read_text().count("max_capitals: 0.5") == 1
    ran = winnow(capsys, *plan, "--set", "filters.shouting.max_capitals=1", "--replace")
    assert ran.code == 0
    assert table(out, "ledger")["reason"].to_list() == [None, "near_duplicate"]


def test_a_changed_source_is_another_recipe(capsys, tmp_path, own, text):
    own("shouting_filter", EXAMPLE)
    out = tmp_path / "out"
    plan = ("minimal", "--input", text, "--output", out, "--set", "plugins=[shouting_filter]", "--set", "filters.shouting={}")
    assert winnow(capsys, *plan).code == 0
    own("shouting_filter", EXAMPLE + "\n# another comment\n")
    ran = winnow(capsys, *plan)
    assert (ran.code, "files.shouting" in ran.err, "--replace" in ran.err) == (2, True, True)
    explained = winnow(capsys, *plan, "--replace", "--explain").out
    assert explained.count("1 of 1 unit was read before; to be made anew: shouting, verdicts\n") == 1


def test_the_hash_of_a_package_covers_every_file_of_it(tmp_path, monkeypatch):
    package = tmp_path / "house_rules"
    (package / "deep").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    files = {"__init__.py": "from house_rules.shouting import FILTER\n", "shouting.py": EXAMPLE, "deep/helper.py": "LIMIT = 1\n"}

    def hashed(**changes: str) -> str:
        for name, code in (files | changes).items():
            (package / name).write_text(code)
        plugins.load_plugins.cache_clear()
        for name in [name for name in sys.modules if name.partition(".")[0] == "house_rules"]:
            del sys.modules[name]
        return plugins.load_plugins(("house_rules",))[0].sha256

    try:
        first = hashed()
        assert hashed() == first
        (package / "notes.txt").write_text("not code")
        assert hashed() == first
        changed = {hashed(**{name: code + "# more\n"}) for name, code in files.items()}
        assert len(changed | {first}) == 4
        (package / "deep" / "helper.py").rename(package / "helper.py")
        assert hashed() not in changed | {first}
    finally:
        plugins.load_plugins.cache_clear()


@pytest.mark.parametrize(
    ("code", "settings", "exit_code", "words"),
    [
        pytest.param(None, [], 2, ["no_such_module", "PYTHONPATH"], id="not there"),
        pytest.param("x = 1", [], 2, ["expected FILTER"], id="no filter"),
        pytest.param("1 / 0", [], 2, ["ZeroDivisionError"], id="import fails"),
        pytest.param("from filters.language import FILTER", [], 1, ["'language'", "another filter has it"], id="name taken"),
        pytest.param(EXAMPLE, ["filters.shouting.max_capital=1"], 2, ["did you mean max_capitals"], id="unknown key"),
        pytest.param(EXAMPLE, ["filters.shouting.max_capitals=2"], 2, ["filters.shouting.max_capitals"], id="out of range"),
        pytest.param(
            EXAMPLE.replace('signal="capital_share"', 'signal="capitals"'),
            ["filters.shouting={}"], 1, ["shouting", "unknown column capitals"], id="unknown column",
        ),
        pytest.param(
            EXAMPLE.replace("pa.array(shares", "pa.array(shares[1:]"),
            ["filters.shouting={}"], 1, ["shouting", "2 texts and returned 1"], id="row missing",
        ),
        pytest.param(
            EXAMPLE.replace("shares = [", "shares = [undefined_name for x in "),
            ["filters.shouting={}"], 1, ["shouting", "annotate raised NameError"], id="raises",
        ),
        pytest.param(
            EXAMPLE.replace('    reads="final",', '    reads="final",\n    needs=("nobody",),'),
            ["filters.shouting={}"], 1, ["shouting needs nobody"], id="needs what is not there",
        ),
    ],
)  # fmt: skip
def test_a_bad_plugin_stops_the_run_with_its_name(capsys, tmp_path, own, text, code, settings, exit_code, words):
    if code is not None:
        own("shouting_filter", code)
    module = "shouting_filter" if code is not None else "no_such_module"
    sets = [part for item in [f"plugins=[{module}]", *settings] for part in ("--set", item)]
    ran = winnow(capsys, "minimal", "--input", text, "--output", tmp_path / "out", *sets)
    assert ran.code == exit_code, ran.err
    assert all(word in ran.err for word in words), ran.err
    assert not (tmp_path / "out" / "manifests").exists()


def test_an_expression_drops_is_counted_under_its_threshold_and_shown_without_a_limit(capsys, tmp_path, own, text):
    rule = (
        'ExpressionRule(reason="shouting", drop=pl.col("capital_share") ** 2 > thresholds.max_capitals, keys=("max_capitals",))'
    )
    code = EXAMPLE.replace("import pyarrow as pa", "import polars as pl\nimport pyarrow as pa").replace(
        "Rule, ", "ExpressionRule, "
    )
    code = re.sub(r"    most = .*\n    return .*", f"    return [{rule}]", code).replace("list[Rule]", "list[ExpressionRule]")
    own("squared_filter", code)
    plan = ("minimal", "--input", text, "--output", tmp_path / "out", "--set", "plugins=[squared_filter]")
    assert winnow(capsys, *plan, "--set", "filters.shouting={}").code == 0
    assert table(tmp_path / "out", "ledger")["reason"].to_list() == [None, "shouting.shouting"]
    output = open_output_of(str(tmp_path / "out"), trust=True)
    slider = Slider(output, open_store(str(tmp_path / "out" / ".work"), create=False))
    (found,) = slider.thresholds.values()
    assert (found.line, found.signals, found.in_force) == (0.5, (), True)
    assert slider.dropped[found.key] == Dropped(1, 1, 1)
    assert slider.effect({found.key: "1"}).documents == 2
    said = table_text(why.explanation_of_text(judge_text(output.recipe, PROSE.upper()), every=True))
    (line,) = [one for one in said.splitlines() if one.startswith("shouting")]
    assert line.split() == ["shouting.shouting", "–", "–", "(expression)", "FAILS"]


def test_a_deployments_form_cannot_name_plugins(monkeypatch):
    from flows.serving import roots
    from pipeline.errors import PlanError

    roots.check_overrides({"filters.language.keep": ["en"]}, ("/data",))
    with pytest.raises(PlanError, match="plugins cannot be set"):
        roots.check_overrides({"plugins": ["x"]}, ("/data",))
