"""`python -m filters.evaluations FOLDER`: makes the index of the evaluation sets that Winnow ships, with its card.

FOLDER holds `*.jsonl`, plain or compressed: a row is an item with `benchmark` (its set), `id` (`<set>/<section>/<number>`),
`question`, `options`, `answer`, `source` (repository@commit:path) and `licence`. A set is shipped where the licence of all of its
rows is one of PERMITTED; the card says which were left out, and why. Same rows, same bytes.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from filters.evaluations import index, own
from filters.evaluations.index import Card, LeftOut, Section, ShippedSet
from filters.evaluations.items import Compiled, Item, compiled
from filters.evaluations.own import OwnSet
from filters.kernels.items import tables
from filters.models import ModelError, places

PERMITTED = re.compile(r"(MIT|Apache-2\.0|AFL-3\.0|CC-BY(-SA)?-[34]\.0)( \([^()]*\))?", re.IGNORECASE)
"""Licences under which hashes are shipped; what stands in brackets tells where it was read."""
COLUMNS = OwnSet(path="set", question="question", options="options", answer="answer")
_NAMES = {
    name.lower(): name for name in ("MIT", "Apache-2.0", "AFL-3.0", *(f"CC-BY{sa}-{n}.0" for sa in ("", "-SA") for n in (3, 4)))
}
"""Licences as SPDX writes them."""


def main(arguments: list[str] | None = None) -> int:
    """0: the index was written; 1: it was not, and the message says why."""
    parser = argparse.ArgumentParser(prog="python -m filters.evaluations", description="Index of the shipped evaluation sets.")
    parser.add_argument("folder", type=Path, help="a folder of *.jsonl, plain or compressed, one evaluation item a row")
    parser.add_argument("--dest", type=Path, default=index.SHIPPED, help="default: %(default)s; the card goes beside it")
    chosen = parser.parse_args(arguments)
    try:
        card = build(chosen.folder, chosen.dest)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    for one in card.sets:
        print(f"{one.name}: {one.items} of {one.given} items, {one.findable} findable; {one.licence}")
    for left in card.left_out:
        print(f"{left.name}: left out: {left.why}")
    return 0


def build(folder: Path, dest: Path) -> Card:
    """Write the index and its card. Raises ModelError."""
    sets: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.jsonl*")):
        for row in own.rows(path):
            sets.setdefault(str(row["benchmark"]), []).append(row)
    if not sets:
        raise ModelError(f"{folder}: no *.jsonl; give a folder of evaluation sets")
    left = tuple(LeftOut(name=name, why=why) for name, rows in sets.items() if (why := _refused(rows)))
    shipped = {name: rows for name, rows in sets.items() if not _refused(rows)}
    flat = [row for rows in shipped.values() for row in rows]
    made, rarity = compiled([_item(row) for row in flat])
    stream = io.BytesIO()
    numbers = np.array([_place(flat[i])[1] for i in made.kept], np.int32)
    np.savez_compressed(stream, **made.items._asdict(), numbers=numbers, rarity_codes=rarity.codes, rarity_weights=rarity.weights)
    data = stream.getvalue()
    card = Card(format=1, sha256=index.digest(data), sets=tuple(_described(shipped, made)), left_out=left)
    places.put(data, dest)
    places.put((json.dumps(card.model_dump(mode="json"), indent=1) + "\n").encode(), index.card_path(dest))
    return card


def _refused(rows: Sequence[dict[str, Any]]) -> str:
    """Why a set is not shipped; empty where it is."""
    odd = sorted({str(row.get("licence")) for row in rows if not PERMITTED.fullmatch(str(row.get("licence")))})
    return f"licence: {'; '.join(odd)}" if odd else ""


def _item(row: dict[str, Any]) -> Item:
    return own.item(row, COLUMNS)


def _place(row: dict[str, Any]) -> tuple[str, int]:
    """Section and number of an item, of its id."""
    section, _, number = str(row["id"]).removeprefix(f"{row['benchmark']}/").rpartition("/")
    if not section or not number.isdecimal():
        raise ModelError(f"{row['id']}: expected an id such as gsm8k/test/17")
    return section, int(number)


def _folder(source: str) -> str:
    """The repository, its commit, and the folder there."""
    repository, _, path = source.partition(":")
    folder = path.partition(" ")[0].rpartition("/")[0]
    return f"{repository}:{folder}" if folder else repository


def _described(shipped: dict[str, list[dict[str, Any]]], made: Compiled) -> list[ShippedSet]:
    flat = [row for rows in shipped.values() for row in rows]
    found = index.findable([_item(flat[i]) for i in made.kept], made.items, tables.seeds(made.items))
    described, first = [], 0
    for name, rows in shipped.items():
        inside = (made.kept >= first) & (made.kept < first + len(rows))
        sections: dict[str, int] = {}
        for i in made.kept[inside] - first:
            section = _place(rows[i])[0]
            if section in sections and section != next(reversed(sections)):
                raise ModelError(f"{rows[i]['id']}: items of a section must stand together")
            sections[section] = sections.get(section, 0) + 1
        sources = sorted({_folder(str(row["source"])) for row in rows})
        described.append(
            ShippedSet(
                name=name,
                licence=" and ".join(sorted({_NAMES[str(row["licence"]).partition(" ")[0].lower()] for row in rows})),
                sources=tuple(sources if len(sources) <= 3 else sorted({str(row["source"]).partition(":")[0] for row in rows})),
                given=len(rows),
                findable=int(found[inside].sum()),
                sections=tuple(Section(name=section, items=n) for section, n in sections.items()),
            )
        )
        first += len(rows)
    return described


if __name__ == "__main__":
    sys.exit(main())
