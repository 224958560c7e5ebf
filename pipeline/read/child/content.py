"""Which part of a page is its main text: not navigation, comments and advertisements, nor what stands around an article.

A page's *core* is the element that holds its text: the smallest that has nearly all of the prose outside links, where what
calls itself a menu or a comment counts little; or one that calls itself the article, if it has enough of it. Of the core are
dropped elements of such names, and lists, tables and boxes that consist of links. Elements are dropped whole, and no rule
reads the words of a text.

Ideas: Kohlschütter et al., "Boilerplate Detection using Shallow Text Features", WSDM 2010 (density of text and of links);
Readability and trafilatura (what containers and boxes are called). Numbers were chosen on half of the pages of `make bench
B=extraction`; a quarter more or less of one moves F1 there by at most 0.005.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from pipeline.read.child.kinds import ARTICLE, COMMENTS, CORES, MAIN, NO_TEXT, NOTE, PLAIN, POST, SUSPECT, Kind, kind_of
from pipeline.read.child.markup import Marks, Page, words

LEAST_PROSE = 40
"""Bytes of an element's own text, links taken off, from which it is prose."""
LINKS_COUNT = 2
"""A byte in a link takes off so many."""
WEIGHTS = (1.0, 0.1, 0.1, 0.1)
"""How much of an element's prose counts for those around it, by what it is suspected to be."""
LEAST_OF_NAMED = 0.4
"""Share of a page's prose from which an element that calls itself the article is the core."""
PART = 0.15
"""Share of the longest element's prose from which another of its kind is a part of the same text."""
LEAST_OF_UNNAMED = 0.85
"""Share of an element's prose with which a child of it is the core in its place."""
SPARED = 0.5
"""Share of the core's prose from which an element is no menu, whatever it calls itself."""
PARAGRAPH = 0.5
"""Share of an element's prose in itself, not in its children, above which it is a paragraph and no core."""
LINKED = 0.7
"""Share of links above which a list, a table or a box consists of them."""
LEAST_UNLINKED, LONG_LINK = 20, 120
"""Bytes outside links, or in all, from which a paragraph does not."""
SHORT_CELL = 100
"""Bytes up to which a cell of links is data."""
LEAST_TEXT = 100
"""A page that keeps less, though it has more, is looked at again without suspicion."""

_SECTIONS = frozenset(("article", "main", "section"))
_BOXES = words("div ul ol dl menu table section form")


@dataclass(frozen=True, slots=True)
class MainText:
    """The core's number, and for each element whether it is dropped, with all that is in it."""

    core: int
    dropped: bytearray


def main_text(page: Page) -> MainText:
    """What of the page is main text."""
    dropped, kinds = _kinds(page)
    found, left = _found(page, dropped, kinds)
    if left < LEAST_TEXT:
        plain, more = _found(page, bytearray(name in NO_TEXT for name in page.names), [PLAIN] * len(kinds))
        if more >= LEAST_TEXT:
            return plain
    return found


def _kinds(page: Page) -> tuple[bytearray, list[Kind]]:
    """Which elements are not shown, and what the others call themselves."""
    names, parents = page.names, page.parents
    dropped, kinds = bytearray(len(names)), [PLAIN] * len(names)
    known: dict[tuple[str, Marks], Kind] = {}
    within = bytearray(len(names))  # a section: its header is not the page's
    for i in range(1, len(names)):
        name, marks = names[i], page.marks[i]
        within[i] = within[parents[i]] or name in _SECTIONS
        if dropped[parents[i]] or name in NO_TEXT or marks.hidden:
            dropped[i] = 1
        elif name == "header" and not within[i]:
            kinds[i] = Kind(SUSPECT)
        else:
            kind = known.get((name, marks))
            if kind is None:
                kind = known[name, marks] = kind_of(name, marks)
            kinds[i] = kind
    return dropped, kinds


def _found(page: Page, dropped: bytearray, kinds: list[Kind]) -> tuple[MainText, int]:
    """The main text, and how many bytes it has."""
    prose = [0.0] * len(kinds)
    for i in range(len(kinds) - 1, -1, -1):
        own = page.text[i] - LINKS_COUNT * page.linked[i]
        if own > LEAST_PROSE:
            prose[i] += own
        if i and not dropped[i]:
            prose[page.parents[i]] += prose[i] * WEIGHTS[kinds[i].suspect]
    core = _core(page, dropped, kinds=kinds, prose=prose)
    text, linked = page.text[:], page.linked[:]
    for i in range(_after(page, core) - 1, core, -1):
        if _is_beside(kinds[i], prose[i] / (prose[core] or 1), linked[i]) or _is_of_links(page.names[i], text[i], linked[i]):
            dropped[i] = 1
        if not dropped[i]:
            text[page.parents[i]] += text[i]
            linked[page.parents[i]] += linked[i]
    return MainText(core, dropped), text[core]


def _core(page: Page, dropped: bytearray, *, kinds: list[Kind], prose: list[float]) -> int:
    """The element that holds the page's text."""
    core = 0
    for holds in (ARTICLE, POST, MAIN):
        named = [i for i, kind in enumerate(kinds) if kind.holds == holds]
        most = max((prose[i] for i in named), default=0.0)
        whole = _around(page, [i for i in named if prose[i] >= PART * most])
        if whole and prose[whole] >= LEAST_OF_NAMED * prose[0]:
            core = whole
            break
    most_of = [0.0] * len(kinds)  # of each element, how much prose the child of most counts for
    child_of_most = [0] * len(kinds)
    for i in range(core + 1, len(kinds)):
        weighed = prose[i] * WEIGHTS[kinds[i].suspect]
        if not dropped[i] and weighed > most_of[parent := page.parents[i]]:
            most_of[parent], child_of_most[parent] = weighed, i
    while most_of[core] > LEAST_OF_UNNAMED * prose[core] and page.names[child_of_most[core]] in CORES:
        child = child_of_most[core]
        if page.text[child] - LINKS_COUNT * page.linked[child] > PARAGRAPH * prose[child]:
            break
        core = child
    return core


def _around(page: Page, elements: list[int]) -> int:
    """The element that holds all of these, which are in order."""
    around = elements[0] if elements else 0
    for i in elements[1:]:
        while page.last[around] < page.first[i]:
            around = page.parents[around]
    return around


def _after(page: Page, element: int) -> int:
    """The first element behind it that is not in it."""
    return bisect_left(page.first, page.last[element])


def _is_beside(kind: Kind, share: float, linked: int) -> bool:
    """Whether an element in the core with this share of its prose is beside the text, as it says."""
    if kind.suspect == SUSPECT:
        return share < SPARED
    return kind.suspect == COMMENTS or (kind.suspect == NOTE and linked > 0)


def _is_of_links(name: str, text: int, linked: int) -> bool:
    if linked <= LINKED * text:
        return False
    if name == "p":
        return text - linked < LEAST_UNLINKED and text < LONG_LINK
    return name in _BOXES or (name == "td" and text > SHORT_CELL)
