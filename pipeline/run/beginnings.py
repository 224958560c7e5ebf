"""How the inputs of a plan begin: their columns, the text's among them, and its first words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.plan.proposal import text_of
from pipeline.read import peek
from pipeline.read.files import ANY, InputFile
from pipeline.read.peek import LOOK_BYTES, Look
from pipeline.run.checks import Faults
from pipeline.text import numbers, turns
from pipeline.text.conversations import LAYOUTS
from pipeline.text.visible import folded, visible

MOST_COLUMNS = 6
MOST_NAMED = 20
_NAME, _FIRST, _PATH = 40, 100, 120
"""Characters of a name, of a text and of a path that are shown."""


@dataclass(frozen=True)
class Beginning:
    """What a file begins with. `columns`: none where a file, or a page, is the text; `text`: of the first row that has one;
    `rows`: those that were read, `whole`: which are all; `likely`: the column that looks like the text; `fault`: what is
    wrong with the first bad row."""

    file: InputFile
    columns: tuple[str, ...]
    text: str
    rows: int
    whole: bool
    likely: str | None
    fault: str = ""

    @property
    def lacks(self) -> bool:
        """Whether it has columns, and that of the text is none of them."""
        return bool(self.columns) and not set(self.wanted) <= set(self.columns)

    @property
    def wanted(self) -> tuple[str, ...]:
        """Columns that a row must have."""
        layout = LAYOUTS.get(self.file.turns)
        return (self.file.text,) if layout is None else layout.required

    def said(self) -> Iterator[str]:
        """Two lines."""
        file, packed = self.file, f" ({self.file.compression})" if self.file.compression else ""
        names = [visible(name, limit=_NAME) for name in self.columns[:MOST_COLUMNS]]
        more = f" and {len(self.columns) - MOST_COLUMNS} more" if len(self.columns) > MOST_COLUMNS else ""
        if file.turns in LAYOUTS:
            is_ = f"conversations: {', '.join(self.wanted)}"
        else:
            is_ = f"text: {visible(file.text, limit=_NAME)}{self._also()}"
        where = f"columns {', '.join(names)}{more}; {is_}" if names else "no columns"
        ids = f", id: {visible(file.id, limit=_NAME)}" if file.id in self.columns else ""
        fault = f": {folded(self.fault, limit=_FIRST)}" if self.fault else ""
        missing = " (no such column)" if self.lacks else ""
        head = f"{visible(file.path, limit=_PATH)}: {file.format}{packed}, {numbers.size(file.size)}"
        yield f"  {head}; {where}{missing}{ids}"
        yield (
            f"    begins: {folded(self.text, limit=_FIRST)}"
            if self.text
            else f"    no text in the rows that were looked at{fault}"
        )

    def _also(self) -> str:
        """What else its rows could be."""
        fits = [name for name, layout in LAYOUTS.items() if self.columns and set(layout.required) <= set(self.columns)]
        return f" (source.format: {fits[0]} makes conversations of these rows)" if fits and not self.lacks else ""


def beginnings(files: Sequence[InputFile], faults: Faults) -> list[Beginning]:
    """Of some files, spread over all; what cannot be read, and a source whose files lack the column of the text, are faults."""
    made = [one for file in peek.chosen(files) if (one := faults.tried(lambda file=file: _beginning(file)))]  # type: ignore[misc]
    for source in dict.fromkeys(one.file.source for one in made):
        own = [one for one in made if one.file.source == source and one.columns]  # a page is its own text
        if own and all(one.lacks for one in own):
            first = own[0].file
            columns = ", ".join(visible(name, limit=_NAME) for name in own[0].columns[:MOST_NAMED] if name != first.id)
            likely = next((f" (perhaps {visible(one.likely, limit=_NAME)})" for one in own if one.likely), "")
            wanted = " and ".join(repr(visible(name, limit=_NAME)) for name in own[0].wanted)
            faults.add(
                f"source {source}: no column {wanted} in {own[0].file.path}, there are: {columns}; name the"
                f" text's column with --text, or in source.text{likely}"
            )
    return made


def about(files: Sequence[InputFile], seen: Sequence[Beginning]) -> str:
    """How many rows there are, as far as beginnings tell."""
    size = sum(file.size for file in files)
    if len(seen) == len(files) and all(one.whole for one in seen):
        return f"{numbers.counted(sum(one.rows for one in seen), 'row')}, {numbers.size(size)}"
    plain = [one for one in seen if one.file.format == "jsonl" and not one.file.compression and one.file.size]
    if not plain or any(file.compression or file.format != "jsonl" for file in files):
        return f"{numbers.size(size)} as they lie there"
    rows = sum(one.rows for one in plain) / sum(min(one.file.size, LOOK_BYTES) for one in plain) * size
    return f"about {numbers.short(rows)} rows, by how they begin, {numbers.size(size)}"


def _beginning(file: InputFile) -> Beginning:
    found = peek.look_at(replace(file, text=ANY, id=ANY, turns=""))
    rows = peek.first_rows(file)
    texts = map(turns.without_marks, rows.documents["text"].slice(0, peek.MOST_ROWS).to_pylist())
    text = next(filter(None, texts), "")
    n = rows.documents.num_rows + rows.bad.num_rows
    return Beginning(file, tuple(column.name for column in found.columns), text, n, _whole(file), _likely(found), found.fault)


def _likely(found: Look) -> str | None:
    return text_of(found) if found.columns else None


def _whole(file: InputFile) -> bool:
    """Whether so small a file was read to its end."""
    return file.format == "jsonl" and not file.compression and file.size <= LOOK_BYTES
