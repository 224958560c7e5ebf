"""Pieces of what a notebook shows. Invariant: whatever a cell or a line holds is text: escaped, what is hidden in it visible."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from pipeline.text.visible import visible


def table_of(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """A table for a notebook; a head that begins with `>` stands over numbers. Empty where there are no rows."""
    if not rows:
        return Markup("")
    right = [Markup(' style="text-align:right"') if name.startswith(">") else Markup("") for name in head]
    cells = Markup("").join(Markup("<th>{}</th>").format(visible(name.removeprefix(">"))) for name in head)
    made = [Markup("<thead><tr>{}</tr></thead><tbody>").format(cells)]
    for row in rows:
        joined = (Markup("<td{}>{}</td>").format(style, visible(cell)) for style, cell in zip(right, row, strict=True))
        made.append(Markup("<tr>{}</tr>").format(Markup("").join(joined)))
    return Markup("<table>{}</tbody></table>").format(Markup("").join(made))


def paragraphs(said: Sequence[str]) -> Markup:
    """Lines for a notebook."""
    return Markup("").join(Markup("<p>{}</p>").format(visible(line)) for line in said)
