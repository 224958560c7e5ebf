"""The walls: who imports whom, and who may import what. Walks the code's own imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGES = ("filters", "pipeline", "flows")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

ONLY_IN = {
    "numba": ("filters/kernels/",),
    "prefect": ("flows/",),
    "prefect_dask": ("flows/serving/cluster_flow.py",),
    "prefect_ray": ("flows/serving/cluster_flow.py",),
    "dask": ("pipeline/run/cluster/on_dask.py",),
    "distributed": ("pipeline/run/cluster/on_dask.py",),
    "ray": ("pipeline/run/cluster/on_ray.py",),
    "datasets": ("pipeline/read/formats/huggingface.py",),
    "datasketch": ("pipeline/stages/dedup/",),
    "fasttext": ("pipeline/training/worker.py",),
    "huggingface_hub": ("filters/models/places.py",),
    "torch": ("pipeline/savings/tiers/neural/",),
    "matplotlib": ("pipeline/report/page/charts.py", "pipeline/report/page/curves.py", "pipeline/report/page/svg.py"),
    "fastapi": ("pipeline/inspect/page/",),
    "uvicorn": ("flows/",),
    "fastwarc": ("pipeline/read/child/web.py",),  # decoders of what comes from outside run in the child alone
    "resiliparse": ("pipeline/read/child/html.py",),
    "argparse": ("flows/", "filters/models/", "filters/models.py"),
}
"""Package → places that may import it. fasttext trains, and is the oracle of tests."""


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_point_down_only(path):
    package = path.relative_to(ROOT).parts[0]
    below = {"filters": {"filters"}, "pipeline": {"filters", "pipeline"}, "flows": set(PACKAGES)}[package]
    ours = {module.split(".")[0] for module in imports(path)} & set(PACKAGES)
    assert ours <= below


@pytest.mark.parametrize("path", FILES, ids=name)
def test_libraries_stay_where_they_belong(path):
    for module in imports(path):
        places = ONLY_IN.get(module.split(".")[0])
        if places is not None:
            assert name(path).startswith(places) if places else False, f"{name(path)} imports {module}"


def test_filters_do_not_import_each_other():
    files = [path for path in (ROOT / "filters").glob("*.py") if path.stem not in ("__init__", "contract")]
    filters = {f"filters.{path.stem}" for path in files if "FILTER = " in path.read_text("utf-8")}
    assert len(filters) >= 2
    for path in files:
        own = f"filters.{path.stem}"
        assert not (imports(path) & (filters - {own})), own


def test_only_edits_and_normalise_change_text():
    """`FINAL` is written by pipeline/text/final.py (and masks.py beside it) alone, from the steps of filters/edits."""
    writers = [name(path) for path in FILES if "steps" in path.read_text("utf-8") and "apply(" in path.read_text("utf-8")]
    outside = {writer for writer in writers if not writer.startswith("filters/edits/")}
    assert outside <= {"pipeline/text/final.py", "pipeline/text/masks.py"}


def test_one_module_puts_final_texts_together():
    """Where a text is the source text and where an edit changed it: only pipeline/text/final.py reads the column that says it."""
    assert {name(path) for path in FILES if "final_text" in path.read_text("utf-8")} == {
        "pipeline/text/final.py",
        "pipeline/schema.py",
    }


def test_no_module_unpickles_or_calls_a_shell():
    for path in FILES:
        found = imports(path) & {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
        assert not found, (name(path), found)
        assert "shell=True" not in path.read_text("utf-8")


def test_modules_stay_short():
    long = {name(path): n for path in FILES if (n := len(path.read_text("utf-8").splitlines())) > 420}
    assert not long
