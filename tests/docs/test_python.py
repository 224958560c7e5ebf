"""docs/python.md and docs/notebook.ipynb: what stands there runs, cell after cell, in one namespace."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT, prose

PAGE = (ROOT / "docs" / "python.md").read_text("utf-8")
BLOCKS = re.findall(r"^(<!-- slow -->\n)?```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
NOTEBOOK = json.loads((ROOT / "docs" / "notebook.ipynb").read_text("utf-8"))
CELLS = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def executed(blocks: list[str]) -> list[Any]:
    """The value of each block's last line, where it is an expression, shown as a notebook shows it."""
    space: dict[str, Any] = {"__name__": "__main__"}
    values = []
    for block in blocks:
        tree = ast.parse(block)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "<cell>", "exec"), space)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), space)
            values.append(value._repr_html_() if hasattr(value, "_repr_html_") else repr(value))
    return values


def test_every_block_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    executed([block for slow, block in BLOCKS if not slow])
    printed = capsys.readouterr().out
    assert "generation 1: 1 of 3 documents kept, 1 not readable" in printed and "gopher_quality.too_few_words" in printed


@pytest.mark.slow
def test_every_block_of_the_page_runs_in_a_fresh_process(tmp_path: Path):
    done = fresh(tmp_path, "\n".join(block for _, block in BLOCKS))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("generation 1: 1 of 3 documents kept") == 2, "also in a flow, on a server that Prefect starts"


def test_the_notebook_runs_and_holds_no_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert (NOTEBOOK["nbformat"], len({cell["id"] for cell in NOTEBOOK["cells"]})) == (4, len(NOTEBOOK["cells"]))
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in NOTEBOOK["cells"])
    monkeypatch.chdir(tmp_path)
    verdicts, failing, _, result, ledger = executed(CELLS)
    assert "exact_duplicate of 0" in verdicts and "gopher_" in failing and "generation 1: 1 of 5" in result and "<table" in ledger


@pytest.mark.slow
def test_the_lines_in_readme_run(tmp_path: Path):
    (block,) = re.findall(r"^## From Python\n\n```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    page = "\n".join(map(prose, range(3)))
    done = fresh(tmp_path, f"import polars\nframe = polars.DataFrame({{'text': [{page!r}, 'Two.']}})\n{block}")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_notebook_runs_in_a_fresh_process(tmp_path: Path):
    done = fresh(tmp_path, "\n".join(CELLS))
    assert done.returncode == 0, done.stderr


def fresh(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300"}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False)
