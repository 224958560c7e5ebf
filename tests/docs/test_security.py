"""SECURITY.md: each threat names a test that is there, and each test of it is named once."""

import ast

import pytest

from tests.docs import pages
from tests.support import ROOT

PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
LINES = [row for found in pages.tables(PAGE, "threat") for row in found]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0][:40])
def test_a_threat_names_a_test_that_is_there(line: list[str]) -> None:
    file, _, name = pages.code(line[-1])[0].partition("::")
    defined = ast.walk(ast.parse((ROOT / file).read_text("utf-8")))
    assert any(isinstance(node, ast.FunctionDef) and node.name == name for node in defined)


def test_no_threat_is_told_twice() -> None:
    assert len({line[0] for line in LINES}) == len({line[-1] for line in LINES}) == len(LINES) > 15
