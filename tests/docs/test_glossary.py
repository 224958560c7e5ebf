"""docs/glossary.md: few terms, in order, each with a module that exists."""

from __future__ import annotations

import re

import pytest

from tests.docs import pages

PAGE = pages.text("glossary.md")
(ROWS,) = pages.tables(PAGE, "term")
TERMS = [row[0] for row in ROWS]


def test_there_are_at_most_forty_terms():
    assert 0 < len(TERMS) <= 40


def test_terms_are_sorted_and_each_stands_once():
    assert sorted(set(TERMS)) == TERMS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_term_has_a_meaning_of_one_or_two_sentences_a_module_and_names_to_avoid(row):
    _, meaning, where, avoided = row
    sentences = re.findall(r"[^.]+\.(?:\s|$)", re.sub(r"`[^`]*`", "x", meaning))
    assert 1 <= len(sentences) <= 2
    (module,) = pages.code(where)
    assert pages.exists(module), module
    assert avoided


def test_no_term_is_a_name_to_avoid():
    """A remark in brackets says what such a word is kept for."""
    avoided = {name.partition("(")[0].strip(): row[0] for row in ROWS for name in row[3].split(",")}
    plain = {name for row in ROWS for name in map(str.strip, row[3].split(",")) if "(" not in name}
    own = {name for name in plain if name in TERMS}
    assert not own, {name: avoided[name] for name in own}


@pytest.mark.parametrize("name", pages.named(PAGE))
def test_every_module_that_the_page_names_exists(name):
    assert pages.exists(name)
