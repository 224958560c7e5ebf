"""Links and anchors between pages of the tree lead somewhere, and every page of docs/ can be found.

As GitHub and MkDocs read them: what `make docs` holds with MkDocs, this holds without it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs import site
from tests.support import ROOT

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))


def names(found: list[Path]) -> list[str]:
    return [page.relative_to(ROOT).as_posix() for page in found]


@pytest.mark.parametrize("page", PAGES, ids=names([*PAGES]))
def test_a_relative_link_names_a_file_and_a_heading_of_it(page: Path):
    wrong = []
    for link in site.links(page.read_text("utf-8")):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in site.anchors(target.read_text("utf-8"))):
            wrong.append(link)
    assert not wrong


def test_every_page_is_in_the_navigation_once_and_on_the_page_of_all():
    named = re.findall(r": ([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    there = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert sorted(named) == sorted(there | set(site.FROM_ROOT.values()))
    listed = {link.partition("#")[0] for link in site.links((ROOT / "docs/pages.md").read_text("utf-8"))}
    assert there - {"pages.md"} <= listed


def test_anchors_are_those_of_github_and_mkdocs():
    page = "# The `plan`: every key\n\n```\n# no heading\n```\n\n## Every key\n## Every key\n"
    assert site.anchors(page) == {"the-plan-every-key", "every-key"}
    assert site.links("[a](b.md#c) ![p](q.svg) [out](https://example.org) `[no](link.md)`") == ["b.md#c", "q.svg"]


def test_the_site_gets_pages_of_the_root_and_no_link_that_leaves_it():
    text = "See [a test](../tests/x.py), [the threats](../SECURITY.md) and [a page](plan.md).\n- one\n  more\n- two"
    expected = "See a test, [the threats](security.md) and [a page](plan.md).\n\n- one\n  more\n- two"
    assert site.for_site(text, "page.md") == expected
    assert site.for_site("[x](docs/plan.md#every-key)", "security.md") == "[x](plan.md#every-key)"
    first = '<img src="docs/p.png">\n[![a](docs/results/a.svg)](docs/results/a.md) [b](Makefile)'
    assert site.for_site(first, "index.md") == '<img src="p.png">\n[![a](results/a.svg)](results/a.md) b'
    assert site.for_site("```\nword\n- not a list\n```", "page.md") == "```\nword\n- not a list\n```"


def test_the_pictures_of_the_first_page_are_small():
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs/pictures").iterdir()}
    assert set(sizes) == {"report-light.png", "report-dark.png"}
    assert max(sizes.values()) < 150_000
