"""Folders of the user's that have the names of our packages, in the folder where a command starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows import __version__
from tests.support import ROOT

FINDER = f"""
import importlib.machinery, sys
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        parent = name.rpartition(".")[0]
        if path is not None and parent != "flows":
            return None
        return importlib.machinery.PathFinder.find_spec(name, [{str(ROOT)!r} + ("/flows" if parent else "")])
places = [getattr(one, "__name__", "") for one in sys.meta_path]
sys.meta_path.insert(places.index("PathFinder") + 1, Finder)
"""
"""As an editable install does: packages are found behind all that `sys.path` has, folders without `__init__.py` too,
and modules of a package there wherever the package itself was found."""


def beside(folder: Path, package: str, *, empty: bool) -> dict[str, str]:
    """The environment of a Python that finds our packages behind the user's `package` in `own/`; empty: no `__init__.py`."""
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(FINDER)
    (folder / "own" / package).mkdir(parents=True)
    if not empty:
        (folder / "own" / package / "__init__.py").touch()
    return {**os.environ, "PYTHONPATH": str(folder / "site")}


@pytest.mark.parametrize(("package", "empty"), [("filters", True), ("pipeline", False)])
def test_a_folder_that_hides_a_package_is_named_in_one_sentence(tmp_path: Path, package: str, empty: bool):
    environment = beside(tmp_path, package, empty=empty)
    command = [sys.executable, "-m", "flows.inspect", "--help"]
    done = subprocess.run(command, cwd=tmp_path / "own", env=environment, capture_output=True, text=True, check=False)
    hides = f"winnow: {str(tmp_path / 'own' / package)!r} hides Winnow's own package {package}"
    said = [f"{hides}; rename it, or start Python in another folder"]
    assert (done.returncode, done.stdout, done.stderr.splitlines()) == (2, "", said)
    program = [sys.executable, "-c", "import flows"]
    done = subprocess.run(program, cwd=tmp_path / "own", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith("ImportError: ")


@pytest.mark.parametrize("empty", [True, False])
def test_the_command_names_a_folder_flows_that_hides_ours(tmp_path: Path, empty: bool):
    environment = beside(tmp_path, "flows", empty=empty)
    command = [sys.executable, "-m", "winnow", "--version"]
    done = subprocess.run(command, cwd=tmp_path / "own", env=environment, capture_output=True, text=True, check=False)
    hides = f"winnow: {str(tmp_path / 'own' / 'flows')!r} hides Winnow's own package flows"
    said = f"{hides}; rename it, or take its folder out of PYTHONPATH"
    assert (done.returncode, done.stdout, done.stderr.splitlines()) == (2, "", [said])


@pytest.mark.parametrize("empty", [True, False])
def test_a_module_of_ours_names_the_folder_flows_that_hides_its_package(tmp_path: Path, empty: bool):
    environment = beside(tmp_path, "flows", empty=empty)
    hides = f"{str(tmp_path / 'own' / 'flows')!r} hides Winnow's own package flows"
    for given, code, said in (("-m flows.curate", 2, "winnow: "), ("-cimport flows.curate", 1, "ImportError: ")):
        command = [sys.executable, *(given.split() if code == 2 else [given])]
        done = subprocess.run(command, cwd=tmp_path / "own", env=environment, capture_output=True, text=True, check=False)
        last = done.stderr.splitlines()[-1]
        assert (done.returncode, done.stdout, last.startswith(f"{said}{hides}")) == (code, "", True), done.stderr
        assert code == 1 or len(done.stderr.splitlines()) == 1


def test_python_runs_the_command_as_a_module(tmp_path: Path):
    command = [sys.executable, "-m", "winnow", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"winnow {__version__}\n"), done.stderr
