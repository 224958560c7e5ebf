"""What the C4, FineWeb and RefinedWeb rules and the line edits give for fixed texts, version by version.

golden_rules.json has a table for each version; a new version adds one, and an old one is never edited. After raising a version,
`python -m tests.filters.test_golden` adds its table; look at what changed before it goes in.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from filters import c4, fineweb, refinedweb
from filters.contract import TextBatch
from filters.edits import c4_lines, refinedweb_lines, repetition_within
from filters.edits.contract import apply

GOLDEN = Path(__file__).parent / "golden_rules.json"
TEXTS = [
    "",
    " \n\n ",
    "One sentence. And two! Three? Four… Five.",
    "A line that ends well.\nA line without an end\nToo short.\nWe use cookies to know our guests better.\nIt goes on, and ends.",
    "It was said[1] in the town[citation needed] that the mill[edit] stood still.\nTurn Javascript on to see it.",
    "\n".join(["The same line comes twice, to be cut out of it.", "Something else in between."] * 2),
    "A paragraph that comes back word for word.\n\nThe one between.\n\nA paragraph that comes back word for word.",
    "Lorem ipsum dolor sit amet. function() { return 1; }",
    "HOME ABOUT CONTACT US\n1234 5678 90\n3 likes\nRead more...\nItems in cart: 2\nWord\n"
    "A usual line of prose stands here.\n\n\n\nEnd.",
    "Straße um Straße wurde „gekehrt“.\nDer Wagen kam um 7.30 Uhr… und fuhr weiter!\nEnde",
    "春になると桜が咲く。\n川沿いの道を歩く。\n短い。",
    "مرحبا بكم في المدينة القديمة.\nהשוק נפתח בשעה שבע.",
    "cafe\u0301 cre\u0300me, s'il vous plai\u0302t.\n👩\u200d💻 🇫🇷 !\nNUL \0 stands here.",
    "- don't\n- e.g. this\n- well-known: 10km, $5 (see a.b.org/x) :-)",
    "\n\n".join(
        ["One more block, and this one is long enough to be cut by the default figure of a hundred characters, or so."] * 2
    ),
    f"{'x' * 1001} is a long word in this line.\n" + "no end " * 30,
]
FILTERS = (c4.FILTER, fineweb.FILTER, refinedweb.FILTER)
EDITS = {
    "c4_lines datatrove": (c4_lines.EDIT, {}),
    "c4_lines dolma": (c4_lines.EDIT, {"profile": "dolma"}),
    "refinedweb_lines": (refinedweb_lines.EDIT, {}),
    "repetition_within": (repetition_within.EDIT, {}),
    "repetition_within short": (repetition_within.EDIT, {"min_chars": 40}),
}


def polars_table(*parts: pa.RecordBatch) -> pl.DataFrame:
    """The columns of the parts side by side, nulls included."""
    return pl.concat([pl.DataFrame(pl.from_arrow(part)) for part in parts], how="horizontal")


def signals(filter_: Any) -> list[list[Any]]:
    """The signals of each text, of the text after RefinedWeb's edits where the filter asks what they took."""
    text = pa.array(TEXTS, pa.large_string())
    batch = TextBatch(text)
    if filter_ is refinedweb.FILTER:
        edited, _ = apply(refinedweb_lines.EDIT.steps(refinedweb_lines.RefinedWebLinesParams()), text)
        batch = TextBatch(edited, source=batch)
    needed = pa.record_batch({name: pa.nulls(len(text), pa.string()) for name in filter_.needs}) if filter_.needs else None
    made = filter_.annotate(batch, needed or pa.RecordBatch.from_arrays([], names=[]), filter_.params(), None)
    rows = zip(*(column.to_pylist() for column in made.columns), strict=True)
    return [[round(value, 6) if isinstance(value, float) else value for value in row] for row in rows]


def edited(name: str) -> list[list[Any]]:
    """Each text after an edit, and the steps that changed it."""
    edit, params = EDITS[name]
    text, changed = apply(edit.steps(edit.params(**params)), pa.array(TEXTS, pa.large_string()))
    steps = [[step for step, rows in changed if rows[i]] for i in range(len(TEXTS))]
    return [list(pair) for pair in zip(text.to_pylist(), steps, strict=True)]


def found() -> dict[str, tuple[int, list[list[Any]]]]:
    """`(version, rows)` by name."""
    made = {filter_.name: (filter_.version, signals(filter_)) for filter_ in FILTERS}
    return made | {name: (edit.version, edited(name)) for name, (edit, _) in EDITS.items()}


@pytest.mark.parametrize("name", [*(filter_.name for filter_ in FILTERS), *EDITS])
def test_values_change_only_with_a_new_version(name: str) -> None:
    version, rows = found()[name]
    expected = json.loads(GOLDEN.read_text("utf-8"))[name][str(version)]
    for text, row, golden in zip(TEXTS, rows, expected, strict=True):
        assert row == (golden if name in EDITS else pytest.approx(golden, abs=2e-6)), (
            f"{text!r}: values changed; raise the version"
        )


def main() -> None:
    golden = json.loads(GOLDEN.read_text("utf-8")) if GOLDEN.exists() else {}
    for name, (version, rows) in found().items():
        golden.setdefault(name, {}).setdefault(str(version), rows)
    dumped = (
        f'  "{name}": {{\n'
        + ",\n".join(
            f'    "{version}": [\n' + ",\n".join(f"      {json.dumps(row, ensure_ascii=True)}" for row in rows) + "\n    ]"
            for version, rows in versions.items()
        )
        + "\n  }"
        for name, versions in golden.items()
    )
    GOLDEN.write_text("{\n" + ",\n".join(dumped) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
