"""docs/data-format.md says what the code writes: files, columns, types, nullability, keys, causes, modes and modules."""

from __future__ import annotations

import ast
import json
import re
import stat
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters import FILTERS
from filters.contract import Tier
from pipeline import schema
from pipeline.export.formats import contract
from pipeline.output import manifest, tombstones
from pipeline.stages.dedup import index
from pipeline.text import exact_json
from tests.docs import pages
from tests.support import ROOT

PAGE = pages.text("data-format.md")
NAMES = {"float": "float32", "double": "float64"}
PLACES = {
    "NNNNN": "[0-9]{5}",
    "MMMMM": "[0-9]{5}",
    "UUUUUU": "[0-9]{6}",
    "GGGGGG": "[0-9]{6,}",
    "GGGG": "[0-9]{4,}",
    "TTTT": "[0-9]{4,}",
    "KEY": "[0-9a-f]{32}",
    "FILTER": "[a-z0-9_]+",
    "PID-TIME": "[0-9]+-[0-9]+",
    "…": ".+",
}
FILES = [row for found in pages.tables(PAGE, "file") for row in found if len(row) > 1 and "pipeline." not in row[1]]
Column = tuple[str, str, bool]

TABLES = {
    "### `data/`": schema.DATA,
    "### `ledger/`": schema.LEDGER,
    "### `signals/`": schema.SIGNALS_KEY,
    "### `quarantine/`": schema.QUARANTINE,
    "`index/texts-gGGGG.parquet`": index.KEYS,
    "`index/places-gGGGG.parquet`": index.PLACES,
    "`index/documents-NNNNN-gGGGG.parquet`": index.DOCUMENTS,
    "`index/tombstones/GGGGGG.parquet`": tombstones.SCHEMA,
    "`docs/SPLIT-NNNNN-of-MMMMM.parquet`": contract.DOCUMENTS,
    "`.work/documents/KEY.parquet`": schema.DOCUMENT,
    "`.work/documents/KEY.bad.parquet`": schema.BAD_ROW,
    "`.work/facts/final/KEY.parquet`": schema.FINAL,
    "`.work/judgements/dedup/KEY/UUUUUU.parquet`": schema.FATES,
}
"""Where a table of columns begins in the page → the schema that the code writes with."""


def columns_of(made: pa.Schema) -> list[Column]:
    return [(field.name, name_of(field.type), field.nullable) for field in made]


def name_of(type_: pa.DataType) -> str:
    if pa.types.is_list(type_):
        return f"list<{name_of(type_.value_type)}>"
    if pa.types.is_fixed_size_binary(type_):
        return f"binary[{type_.byte_width}]"
    return NAMES.get(str(type_), str(type_))


def told(marker: str) -> list[Column]:
    return [(pages.code(name)[0], type_, {"–": False, "yes": True}[null]) for name, type_, null, *_ in pages.table(PAGE, marker)]


def signals() -> dict[str, list[Column]]:
    """By filter."""
    found: dict[str, list[Column]] = {}
    for name, type_, null, owner, _ in pages.tables(PAGE, "signal")[0]:
        found.setdefault(owner.strip("`"), []).append((name.strip("`"), type_, {"–": False, "yes": True}[null]))
    return found


def pattern(name: str) -> re.Pattern[str]:
    """A name of the page as a regular expression; a take-down's files have an ending more."""
    made = re.escape(name)
    for place, what in PLACES.items():
        made = made.replace(re.escape(place), what)
    return re.compile(made.replace(r"\.parquet", r"(-t[0-9]{4,})?\.parquet") if name.endswith("-gGGGG.parquet") else made)


def files_below(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def matching(file: str) -> list[str]:
    names = [pages.code(row[0])[0] for row in FILES]
    return [name for name in names if pattern(name).fullmatch(file)]


def expected(name: str) -> list[Column] | None:
    """Columns of the files that a pattern of the page names; None where they depend on the plan."""
    if name.startswith("rejected/"):
        return [*told("### `data/`"), *told("### `rejected/`")]
    if name.startswith("signals/"):
        return None
    if name.startswith("index/urls") or name.endswith(("/texts.parquet", "/urls.parquet")):
        return told("`index/texts-gGGGG.parquet`")
    if name.endswith("/places.parquet"):
        return told("`index/places-gGGGG.parquet`")
    if name.startswith(("data/", "ledger/", "quarantine/")):
        return told(f"### `{name.partition('/')[0]}/`")
    return told(f"`{name}`")


def of_filter(file: str) -> list[Column]:
    """Columns of a filter's table in the work directory."""
    name = file.split("/")[2]
    if next(f for f in FILTERS if f.name == name).tier is Tier.CHEAP:
        return signals()[name]
    return [*((column, type_, True) for column, type_, _ in signals()[name]), *told("`.work/facts/FILTER/KEY.parquet`")]


@pytest.mark.parametrize("marker", TABLES)
def test_a_table_of_columns_is_the_schema_that_the_code_writes_with(marker):
    assert told(marker) == columns_of(TABLES[marker])


def test_rejected_is_the_columns_of_data_and_those_of_its_own():
    assert [*told("### `data/`"), *told("### `rejected/`")] == columns_of(schema.REJECTED)


def test_the_signals_are_those_of_the_filters():
    assert signals() == {f.name: columns_of(f.signals) for f in FILTERS}


def test_every_file_that_a_run_makes_is_named_once(curated):
    """`.work/facts/final/` is also a folder of facts, and is named by itself."""
    general = {".work/facts/FILTER/KEY.parquet"}
    for file in files_below(curated):
        found = matching(file)
        own = [name for name in found if name not in general] or found
        assert len(own) == 1, (file, found)


def test_every_parquet_file_has_the_columns_that_the_page_says(curated):
    looked_at = set()
    for file in (name for name in files_below(curated) if name.endswith(".parquet")):
        name = min(matching(file), key=lambda found: "FILTER" in found)
        own = columns_of(pq.read_schema(curated / file))
        looked_at.add(name)
        if name == ".work/facts/FILTER/KEY.parquet":
            assert own == of_filter(file), file
        elif name == ".work/facts/minhash/KEY.parquet":
            first = told(f"`{name}`")
            more = [(f"band_{number:03d}", "uint64", False) for number in range(1, len(own) - len(first) + 1)]
            assert own == [*first, *more], file
        elif name.startswith("signals/"):
            made = json.loads((curated / "manifest.json").read_text())["recipe"]["plan"]["filters"]
            wanted = [(column, type_, True) for f in FILTERS if f.name in made for column, type_, _ in signals()[f.name]]
            assert own == [*told("### `signals/`"), *wanted], file
        else:
            assert own == expected(name), file
    assert {name.partition("/")[0] for name in looked_at} >= {"data", "rejected", "ledger", "quarantine", "index", ".work"}


def test_private_folders_have_the_modes_that_the_page_says(curated):
    told_modes: dict[str, set[str]] = {}
    for row in FILES:
        name = pages.code(row[0])[0]
        if "/" in name and not name.startswith(".work"):
            told_modes.setdefault(name.partition("/")[0], set()).add(row[1])
    for folder in (path for path in curated.iterdir() if path.is_dir() and path.name != ".work"):
        private = stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert private == ("folder 0700" in told_modes[folder.name]), folder.name
    assert stat.S_IMODE((curated / ".work").stat().st_mode) == 0o700


def test_stages_reasons_and_causes_of_a_run_are_in_the_page(curated):
    told_reasons = {pages.code(stage)[0]: set(pages.code(reasons)) for stage, reasons in pages.tables(PAGE, "stage")[0]}
    causes = {pages.code(row[0])[0] for row in pages.tables(PAGE, "cause")[0]}
    ledger = pl.read_parquet(curated / "ledger" / "*.parquet").filter(pl.col("verdict") != "kept")
    for stage, reason in ledger.select("stage", "reason").unique().iter_rows():
        rule = any(reason.startswith(f"{f.name}.") for f in FILTERS)
        assert reason in (causes if stage == "read" else told_reasons[stage]) or (stage in ("filter", "model") and rule)


def test_the_causes_are_those_that_readers_give():
    """What stands as an argument of `Refused` and `Unreadable` is told; what is told stands somewhere in `read`."""
    told_causes = {pages.code(row[0])[0] for row in pages.tables(PAGE, "cause")[0]}
    refused: set[str] = set()
    literals: set[str] = set()
    for path in (*(ROOT / "pipeline" / "read").rglob("*.py"), ROOT / "pipeline" / "text" / "exact_json.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Refused", "Unreadable"):
                refused |= {a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                literals.add(node.value)
    assert {cause for cause in refused if re.fullmatch("[a-z0-9_]+", cause)} <= told_causes
    assert told_causes <= literals


def test_the_kinds_of_replaced_values_are_those_of_the_code():
    assert {pages.code(row[0])[0] for row in pages.tables(PAGE, "kind")[0]} == set(exact_json.KINDS)


def test_the_keys_of_the_json_files_are_those_of_a_run(curated):
    def keys(marker: str) -> set[str]:
        return {pages.code(row[0])[0] for row in pages.table(PAGE, marker)}

    assert keys("### `manifests/GGGGGG.json`") == set(manifest.Manifest.model_fields)
    assert keys("### `metrics.json`") == set(json.loads((curated / "metrics.json").read_text()))
    assert keys("### `samples/GGGGGG.json`") == set(json.loads((curated / "samples" / "000001.json").read_text()))
    takedown = next(row[1] for row in pages.table(PAGE, "### `manifests/GGGGGG.json`") if row[0] == "`takedown`")
    assert set(pages.code(takedown)) == set(manifest.Takedown.model_fields)


def test_the_versions_of_the_json_files_are_those_of_a_run(curated):
    for marker, file in (
        ("### `manifests/GGGGGG.json`", "manifest.json"),
        ("### `metrics.json`", "metrics.json"),
        ("### `samples/GGGGGG.json`", "samples/000001.json"),
    ):
        said = next(row[1] for row in pages.table(PAGE, marker) if row[0] == "`schema_version`")
        version = json.loads((curated / file).read_text())["schema_version"]
        assert re.search(rf"; {version}\b", said), (marker, said)


@pytest.mark.parametrize("name", pages.named(PAGE))
def test_every_module_and_function_that_the_page_names_exists(name):
    assert pages.exists(name)


def test_every_folder_and_file_has_a_writer():
    """The last list of the page covers the first ones."""
    said = " ".join(row[0] for row in pages.tables(PAGE, "file")[-1])
    written = set(pages.code(said))
    for row in FILES:
        name = pages.code(row[0])[0]
        assert any(name == own or name.startswith(own) for own in written), name
