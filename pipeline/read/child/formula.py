"""A formula (MathML) as text: the page's own TeX where it gives it, else the formula's characters in a row."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.read.child.markup import Page

_SIGNS = {"msup": "^", "msub": "_", "msubsup": "_^", "mfrac": "/", "munder": "_", "mover": "^", "munderover": "_^"}
"""What stands between the children of an element."""
_ANNOTATIONS = ("annotation", "annotation-xml")
_TEX = ("application/x-tex", "application/x-latex", "tex", "latex")


def formula(page: Page, element: int) -> str:
    """Text of the `math` element: TeX between dollar signs, or characters with signs for raised, lowered and divided."""
    if tex := page.marks[element].text.strip():
        return f"${tex}$"
    parts: list[str] = []
    opened: list[_Open] = []
    written = 0
    at = page.first[element]
    while at < page.last[element]:
        piece = page.flow[at]
        at += 1
        if isinstance(piece, str):
            parts.append(piece.strip())
            written += bool(parts[-1])
        elif piece is not None and piece < 0:
            ended = opened.pop()
            if written - ended.written > 1 and (page.names[~piece] == "msqrt" or (opened and opened[-1].signs)):
                parts[ended.begin] = "("
                parts.append(")")
        elif piece is not None and page.names[piece] in _ANNOTATIONS:
            at = page.last[piece] + 1
            if page.marks[piece].encoding in _TEX:
                return f"${_text(page, piece)}$"
        elif piece is not None:
            if opened:
                parts.append(opened[-1].sign())
            if page.names[piece] == "msqrt":
                parts.append("√")
            opened.append(_Open(_SIGNS.get(page.names[piece], ""), len(parts), written))
            parts.append("")
    return "".join(parts)


@dataclass(slots=True)
class _Open:
    """An open element. `signs`: between its children; `begin`: a bracket's place among the parts; `written`: parts before."""

    signs: str
    begin: int
    written: int
    children: int = 0

    def sign(self) -> str:
        """What stands before the next child."""
        self.children += 1
        return self.signs[self.children - 2 : self.children - 1] if self.children > 1 else ""


def _text(page: Page, element: int) -> str:
    return "".join(piece for piece in page.flow[page.first[element] : page.last[element]] if isinstance(piece, str)).strip()
