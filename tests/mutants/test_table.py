"""The table of mutants fits the tree: a line that moved must not leave its mutant behind unseen."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tests.mutants.table import AREAS, MUTANTS, Mutant
from tests.support import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_line_stands_once_and_the_broken_file_is_still_python(mutant: Mutant) -> None:
    sound = (ROOT / mutant.path).read_text("utf-8")
    assert sound.count(mutant.old) == 1 and mutant.old != mutant.new
    broken = sound.replace(mutant.old, mutant.new)
    assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(sound))


def test_there_are_enough_of_every_area_and_each_has_a_name() -> None:
    assert len(MUTANTS) >= 40
    assert {mutant.area for mutant in MUTANTS} == set(AREAS)
    assert min(Counter(mutant.area for mutant in MUTANTS).values()) >= 3
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_the_tests_that_are_tried_first_are_there() -> None:
    for mutant in MUTANTS:
        assert mutant.tests
        for test in mutant.tests:
            file, _, name = test.partition("::")
            assert (ROOT / file).is_file(), test
            functions = [
                node.name for node in ast.parse((ROOT / file).read_text("utf-8")).body if isinstance(node, ast.FunctionDef)
            ]
            assert not name or name in functions, test
