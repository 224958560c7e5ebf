"""The walls: import-linter's contracts (pyproject.toml) hold, and what they cannot say is held here."""

from __future__ import annotations

import ast
import tomllib

from importlinter import cli

from filters import FILTERS
from tests import sizes
from tests.sizes import ROOT, files, name

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]


def test_every_contract_on_imports_is_kept(monkeypatch, capfd):
    """Entry points, rooms and stages import downwards only; no circle; each library stays where it belongs."""
    monkeypatch.chdir(ROOT)
    code = cli.lint_imports(config_filename="pyproject.toml", no_cache=True)
    assert code == 0, capfd.readouterr().out


def test_a_contract_keeps_each_filter_from_the_others():
    (contract,) = (made for made in CONTRACTS if made["type"] == "independence")
    assert sorted(contract["modules"]) == sorted(f"filters.{each.name}" for each in FILTERS)


def test_every_room_of_the_pipeline_stands_on_a_floor():
    (contract,) = (made for made in CONTRACTS if made.get("containers") == ["pipeline"])
    floors = {room.strip() for layer in contract["layers"] for room in layer.replace("|", ":").split(":")}
    rooms = {path.name for path in (ROOT / "pipeline").iterdir() if (path / "__init__.py").exists()}
    assert floors == rooms | {"errors", "schema", "settings"}


def test_only_edits_and_normalise_change_text():
    """`FINAL` is written by pipeline/text/final.py (and masks.py beside it) alone, from the steps of filters/edits."""
    writers = [name(path) for path in files() if "steps" in path.read_text("utf-8") and "apply(" in path.read_text("utf-8")]
    outside = {writer for writer in writers if not writer.startswith("filters/edits/")}
    assert outside <= {"pipeline/text/final.py", "pipeline/text/masks.py"}


def test_one_module_puts_final_texts_together():
    """Where a text is the source text and where an edit changed it: only pipeline/text/final.py reads the column that says it."""
    assert {name(path) for path in files() if "final_text" in path.read_text("utf-8")} == {
        "pipeline/text/final.py",
        "pipeline/schema.py",
    }


def test_no_module_unpickles_or_calls_a_shell():
    for path in files():
        source = path.read_text("utf-8")
        imported = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module)
        assert not imported & {"pickle", "cloudpickle", "dill", "marshal", "shelve"}, name(path)
        assert "shell=True" not in source


def test_figures_and_tables_for_people_are_laid_out_in_one_place():
    """Percentages, sizes and columns: `pipeline.text.numbers` and `pipeline.report.table`. Tables on disk are not for people."""
    own = {"pipeline/text/numbers.py", "pipeline/read/child/html.py"}
    for path in files():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr) and name(path) not in own:
                spec = ast.unparse(node.format_spec)
                assert not set("<>^%") & set(spec), (name(path), spec)
            assert not (isinstance(node, ast.Attribute) and node.attr in ("ljust", "rjust", "center")), name(path)


def test_no_module_of_the_pipeline_stands_outside_a_room():
    assert sizes.loose_modules() == ["errors", "schema", "settings"]


def test_every_module_of_ours_that_is_imported_exists():
    """Also where the import stands in a function that no test calls."""
    for path in [*files(), *(ROOT / "tests").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in (*sizes.PACKAGES, "tests"):
                place = ROOT / node.module.replace(".", "/")
                assert place.with_suffix(".py").exists() or place.is_dir(), f"{name(path)} imports {node.module}"


def test_modules_and_functions_stay_short():
    assert not sizes.long_modules()
    assert not sizes.long_functions()
