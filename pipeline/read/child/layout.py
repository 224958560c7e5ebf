"""The kept part of a page as plain text.

Invariant: every character of what is kept is in the text, white space folded as a browser folds it. A line of text is a line, a
block ends it; paragraphs, headings, lists and tables stand between blank lines; code keeps its lines and its indentation; a
table's row is a line with tabs between its cells, but for tables that only arrange a page.
"""

from __future__ import annotations

import re
from itertools import pairwise

from pipeline.read.child.formula import formula
from pipeline.read.child.markup import BLOCKS, HEADINGS, Page, words

_FOLDED = re.compile(r"[ \t\n\f\r]+")
_APART = HEADINGS | words("p pre listing plaintext blockquote ul ol dl table figure section article main center form")
"""Blocks with blank lines around them."""
ROW_LENGTH, CELL_LINES = 1_000, 3
"""Longest row, in characters, and tallest cell of a table that holds data; others are there for the layout of the page."""
_PREFORMATTED = frozenset(("pre", "listing", "plaintext"))


def lay_out(page: Page, core: int, dropped: bytearray) -> str:
    """Text of the element, without what is dropped of it."""
    layout = _Layout(page)
    layout.read(core, dropped)
    return "".join("\n" * (gap if i else 0) + line for i, (gap, line) in enumerate(layout.lines))


class _Layout:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.lines: list[tuple[int, str]] = []  # line breaks before it, the line
        self.run: list[str] = []
        self.gap = 0
        self.preformatted = 0
        self.rows: list[tuple[int, list[int]]] = []  # of each open row: line breaks before it, where its cells end in `lines`
        self.ruby: list[int] = []  # places in `run`: the start of a <ruby>, then where each reading starts and ends

    def read(self, core: int, dropped: bytearray) -> None:
        page, names, run, flow = self.page, self.page.names, self.run, self.page.flow
        at, end = page.first[core], page.last[core]
        while at <= end:
            piece = flow[at]
            at += 1
            if piece is None:
                if self.preformatted:
                    run.append("\n")
                else:
                    self.flush()
                    self.gap = max(self.gap, 1)
            elif isinstance(piece, str):
                run.append(piece)
            elif piece < 0:
                self.end(names[~piece], ~piece)
            elif dropped[piece]:
                if names[piece] in BLOCKS:
                    self.break_line(names[piece], piece)
                at = page.last[piece] + 1
            elif names[piece] == "math":
                run.append(formula(page, piece))
                at = page.last[piece] + 1
            else:
                self.start(names[piece], piece)
        self.flush()

    def start(self, name: str, element: int) -> None:
        if name in BLOCKS:
            self.break_line(name, element)
            if self.is_preformatted(name, element):
                self.preformatted += 1
            elif name == "tr":
                self.rows.append((max(self.gap, 1), [len(self.lines)]))
        elif name == "ruby":
            self.ruby = [len(self.run)]
        elif name == "rp":
            self.ruby = []  # the page says itself how a reading is written behind its word
        elif name in ("rt", "rtc") and self.ruby:
            self.ruby.append(len(self.run))

    def end(self, name: str, element: int) -> None:
        if name in BLOCKS:
            if self.preformatted and self.is_preformatted(name, element):
                if self.preformatted == 1:
                    self.flush()
                self.preformatted -= 1
            self.break_line(name, element)
            if name in ("td", "th") and self.rows:
                self.rows[-1][1].append(len(self.lines))
            elif name == "tr" and self.rows:
                self.join_cells(*self.rows.pop())
        elif name in ("rt", "rtc") and self.ruby:
            self.ruby.append(len(self.run))
        elif name == "ruby" and self.ruby:
            self.write_readings()

    def is_preformatted(self, name: str, element: int) -> bool:
        return name in _PREFORMATTED or "white-space:pre" in self.page.marks[element].style

    def break_line(self, name: str, element: int) -> None:
        if self.preformatted:
            if self.run and not self.run[-1].endswith("\n"):
                self.run.append("\n")
            return
        self.flush()
        nested = name in ("ul", "ol") and self.page.names[self.page.parents[element]] == "li"
        self.gap = max(self.gap, 2 if name in _APART and not nested else 1)

    def flush(self) -> None:
        """End the line."""
        text = "".join(self.run)
        self.run.clear()
        self.ruby = []
        text = text.rstrip("\t\n\f\r ").lstrip("\n") if self.preformatted else _FOLDED.sub(" ", text).strip(" ")
        if text:
            self.lines.append((self.gap, text))
            self.gap = 0

    def join_cells(self, before: int, bounds: list[int]) -> None:
        """Make a line of a row, where its cells are those of a table of data: short, without paragraphs or code."""
        cells = [self.lines[start:stop] for start, stop in pairwise([*bounds, len(self.lines)]) if stop - start <= CELL_LINES]
        lines = [line for cell in cells for _, line in cell]
        whole = len(lines) == len(self.lines) - bounds[0] and sum(map(bool, cells)) > 1
        apart = any(gap > 1 for cell in cells for gap, _ in cell[1:])
        if whole and not apart and sum(map(len, lines)) <= ROW_LENGTH and not any("\n" in line for line in lines):
            del self.lines[bounds[0] :]
            self.lines.append((before, "\t".join(" ".join(line for _, line in cell) for cell in cells).rstrip("\t")))
            self.gap = 1

    def write_readings(self) -> None:
        """Readings behind their word: in between they would cut it."""
        start, *bounds = self.ruby
        pieces = self.run[start:]
        reading = [False] * len(pieces)
        for first, last in zip(bounds[::2], bounds[1::2], strict=False):
            reading[first - start : last - start] = [True] * (last - first)
        word = [piece for piece, is_reading in zip(pieces, reading, strict=True) if not is_reading]
        readings = [piece for piece, is_reading in zip(pieces, reading, strict=True) if is_reading]
        self.run[start:] = [*word, "(", *readings, ")"] if readings else word
        self.ruby = []
