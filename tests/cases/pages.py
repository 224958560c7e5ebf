"""What a page of HTML says, read plainly: the oracle for extraction. Every character of it has to be in the text, in order."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

from tests.cases.expect import Expect
from tests.cases.runs import Ran

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
OUTSIDE = {"head", "title", "script", "style", "nav", "footer", "aside", "rt", "rp", "annotation"}
"""Not part of what a page says, or said a second time, or a matter of taste (readings of ruby, notes at the side)."""
ALSO_OUTSIDE = {"linenos", "katex-html"}


class Words(HTMLParser):
    """Text of elements, by what they are: of all that is said, of code, of items, and of cells by row."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, bool]] = []
        self.said: list[str] = []
        self.code: list[str] = []
        self.items: list[str] = []
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        classes = set((dict(attrs).get("class") or "").split())
        hidden = tag in OUTSIDE or bool(classes & ALSO_OUTSIDE)
        self.open.append((tag, hidden))
        if any(hidden for _, hidden in self.open):
            return
        if tag == "pre":
            self.code.append("")
        elif tag in ("li", "dt", "dd"):
            self.items.append("")
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self.open and any(name == tag for name, _ in self.open):
            name, _ = self.open.pop()
            if name == tag:
                break

    def handle_data(self, data: str) -> None:
        if any(hidden for _, hidden in self.open):
            return
        self.said.append(data)
        within = [name for name, _ in self.open]
        if "pre" in within:
            self.code[-1] += data
        elif "li" in within or "dt" in within or "dd" in within:
            self.items[-1] += data
        elif ("td" in within or "th" in within) and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def read(page: Path) -> Words:
    words = Words()
    words.feed(page.read_text("utf-8"))
    words.close()
    return words


def visible(text: str) -> str:
    """Without white space and characters that nobody sees (soft hyphens, joiners), composed."""
    text = unicodedata.normalize("NFC", text)
    return "".join(c for c in text if not c.isspace() and unicodedata.category(c) != "Cf")


def lost(page: Path, text: str) -> str:
    """The first characters of a page that are not in the text in their order; empty where all are."""
    wanted, at = visible("".join(read(page).said)), 0
    found = visible(text)
    for k, character in enumerate(wanted):
        at = found.find(character, at) + 1
        if not at:
            return wanted[k : k + 8]
    return ""


def _of_page(name: str, holds: Callable[[Words, str], bool]) -> Expect:
    def of(ran: Ran) -> bool:
        return ran.code == 0 and len(ran.texts) == 1 and holds(read(ran.given), ran.texts[0])

    return Expect(name, of)


def every_character() -> Expect:
    return Expect(
        "every character, in order", lambda ran: ran.code == 0 and len(ran.texts) == 1 and not lost(ran.given, ran.texts[0])
    )


def code_lines() -> Expect:
    """Each line of code is a line of the text, with its indentation."""

    def holds(words: Words, text: str) -> bool:
        lines = text.split("\n")
        wanted = [line for code in words.code for line in code.split("\n") if line.strip()]
        return bool(wanted) and all(line in lines for line in wanted)

    return _of_page("code keeps its lines", holds)


def items_apart() -> Expect:
    """Each item of a list stands in a line of its own."""

    def holds(words: Words, text: str) -> bool:
        lines = [visible(line) for line in text.split("\n")]
        at = [[k for k, line in enumerate(lines) if visible(item) in line] for item in words.items]
        return bool(at) and all(at) and len({found[0] for found in at}) == len(at)

    return _of_page("a line for each item", holds)


def rows_together() -> Expect:
    """The cells of a row stand in one line, in order; each row in a line of its own."""

    def holds(words: Words, text: str) -> bool:
        lines = text.split("\n")
        found = [next((k for k, line in enumerate(lines) if _in_order(cells, line)), -1) for cells in words.rows]
        return bool(found) and min(found) >= 0 and len(set(found)) == len(found)

    return _of_page("a line for each row", holds)


def _in_order(cells: list[str], line: str) -> bool:
    at = 0
    for cell in cells:
        at = line.find(cell.strip(), at) + 1
        if not at:
            return False
    return True


def lines(count: int) -> Expect:
    """The text has at least so many lines: breaks are kept."""
    return _of_page(f"{count} lines or more", lambda _, text: len([line for line in text.split("\n") if line.strip()]) >= count)
