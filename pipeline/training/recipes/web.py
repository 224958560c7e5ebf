"""Pages of the public web for recipes: what was read and judged, and pages that nobody read.

Labels are those of `pipeline/training/judgements`; a page's site is its group, so that no site is in two parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from pipeline.training import examples
from pipeline.training.examples import Columns, Document, InputRecord

JUDGEMENTS = Path(__file__).parents[1] / "judgements"
LICENCE = (
    "pages of the public web (Common Crawl by way of WebOrganizer, C4, FineWeb 2, Turku's registers; fixtures of open projects):"
    " their authors' own; weights are counts and hashes of words, and no text of theirs is shipped"
)


def judged(*names: str) -> dict[str, dict[str, str]]:
    """Rows of judgement files by id, as they stand."""
    rows = (orjson.loads(line) for name in names for line in (JUDGEMENTS / f"{name}.jsonl").read_bytes().splitlines())
    return {row["id"]: row for row in rows}


def pages(folder: Path, names: Sequence[str]) -> tuple[list[Document], list[InputRecord]]:
    """All pages of `web/NAME.jsonl.zst`, as negative examples: source = the file's name, group = the site, else the page."""
    made: list[Document] = []
    records: list[InputRecord] = []
    for name in names:
        path = str(folder / "web" / f"{name}.jsonl.zst")
        found, read = examples.load_examples([path], positive=False, columns=Columns(keep_others=True))
        made += [replace(page, source=name, group=urlsplit(page.url).hostname or page.id) for page in found]
        records += read
    return made, records


def value(document: Document, key: str) -> str | None:
    """A column of the page's row that is a string."""
    found = orjson.loads(document.others).get(key)
    return found if isinstance(found, str) else None
