"""`inspect summary --to`: figures are the answers to their queries, blanks are marked, and nothing of the data is markup."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows import inspect
from pipeline.inspect import content
from tests.support import curate, prose, table, write_rows

URLS = {
    "https://Example.org/a?b=1": "example.org",
    "http://example.org:8080/": "example.org",
    "https://user:secret@example.org#x@y": "example.org",
    "https://[evil](javascript:1)|`x`": "[evil](javascript",
    "no address": "",
}
DATES = {"2024-02-29T10:00:00Z": "2024-02-29", "2019-01-05": "2019-01-05", "yesterday": None, None: None, "0024-01-01": None}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("summary")
    urls, dates = list(URLS), list(DATES)
    rows = [{"text": prose(n), "id": str(n), "url": urls[n % 5], "date": dates[n // 5 % 5]} for n in range(60)]
    write_rows(folder / "in" / "a.jsonl", [*rows, *rows[:4]])
    curate("minimal", "--input", folder / "in", "--output", folder / "out", "--set", "filters.language={}")
    return folder / "out"


@pytest.fixture(scope="module")
def made(out: Path) -> tuple[str, dict[str, Any], Path]:
    to = out.parent / "to"
    assert inspect.main(["--output", str(out), "summary", "--to", str(to)]) == 0
    return (to / "summary.md").read_text("utf-8"), json.loads((to / "summary.json").read_text("utf-8")), to


def test_each_figure_is_the_answer_to_its_query(out: Path, made: tuple[str, dict[str, Any], Path]) -> None:
    """Asked of the tables as a stranger reads them."""
    tables = pl.SQLContext(data=pl.scan_parquet(f"{out}/data/*.parquet"), ledger=pl.scan_parquet(f"{out}/ledger/*.parquet"))
    for figure in made[1]["figures"]:
        assert tables.execute(figure["query"]).collect().item() == figure["value"], figure["name"]
        assert f"{figure['query']}; -- {figure['name']}\n" in made[0]
    for one in made[1]["tables"]:
        found = tables.execute(one["query"]).collect()
        assert (found.columns, [list(row) for row in found.iter_rows()]) == (one["columns"], one["rows"]), one["name"]


def test_figures_are_those_of_the_rows(out: Path, made: tuple[str, dict[str, Any], Path]) -> None:
    data = table(out, "data")
    figures = {one["name"]: one["value"] for one in made[1]["figures"]}
    tables = {one["name"]: {row[0]: row[1:] for row in one["rows"]} for one in made[1]["tables"]}
    assert (figures["documents"], figures["rows read"], figures["rows dropped"]) == (60, 64, 4)
    assert figures["bytes"] == data["n_bytes"].sum()
    assert figures["documents with an address"] == 48
    assert (figures["documents with a date"], figures["first date"], figures["last date"]) == (30, "2019-01-05", "2024-02-29")
    hosts: Counter[str] = Counter()
    for url, size in data.select("url", "n_bytes").iter_rows():
        if URLS[url]:
            hosts[URLS[url]] += size
    assert {host: row[1] for host, row in tables["domains"].items()} == hosts
    assert tables["languages"] == {"en": [60, figures["bytes"]]}
    assert tables["reasons"] == {"exact_duplicate": [4]}
    assert tables["years"].keys() == {"2019", "2024"}


def test_what_a_program_cannot_know_is_marked_and_nothing_is_markup(made: tuple[str, dict[str, Any], Path]) -> None:
    text, values, _ = made
    blanks = [blank for section in values["blanks"].values() for blank in section]
    assert re.findall(r"^- `\[to fill in: (.*)\]`$", text, re.MULTILINE) == blanks and len(blanks) > 15
    assert "| `[evil](javascript` |" in text
    assert not re.search(r"(?<!`)\[evil\]\(", text)
    assert "less than 1 billion tokens" in text and "estimated" in text


def test_the_same_output_gives_the_same_bytes(out: Path, made: tuple[str, dict[str, Any], Path]) -> None:
    again = out.parent / "again"
    assert inspect.main(["--output", str(out), "summary", "--to", str(again)]) == 0
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {p.name: p.read_bytes() for p in made[2].iterdir()}


def test_the_largest_tenth_of_the_domains_is_in_a_table(made: tuple[str, dict[str, Any], Path]) -> None:
    assert pl.read_parquet(made[2] / "domains.parquet")["host"].to_list() == ["example.org"]
    assert [content.top(n) for n in (0, 1, 10, 11, 1000)] == [0, 1, 1, 2, 100]
    assert [content.band(n)[:4] for n in (0, 999_999_999, 1e9, 1e13, 1.1e13)] == ["less", "less", "1 bi", "1 bi", "more"]


def test_croissant_names_every_shard_and_column(out: Path, made: tuple[str, dict[str, Any], Path]) -> None:
    card = json.loads((made[2] / "croissant.json").read_text("utf-8"))
    files = {one["path"]: one["sha256"] for one in json.loads((out / "manifest.json").read_text("utf-8"))["files"]}
    objects = [one for one in card["distribution"] if one["@type"] == "cr:FileObject"]
    assert {one["@id"]: one["sha256"] for one in objects} == {path: sha for path, sha in files.items() if path[:5] == "data/"}
    assert [one["name"] for one in card["recordSet"][0]["field"]] == table(out, "data").columns


READ = """
import sys, mlcroissant
print(sum(1 for _ in mlcroissant.Dataset(sys.argv[1]).records("documents")))
"""


@pytest.mark.slow
def test_croissant_s_own_reader_reads_every_document(out: Path, made: tuple[str, dict[str, Any], Path], tmp_path: Path) -> None:
    where = os.environ.get("WINNOW_TRAINERS", "")
    if not any((Path(part) / "mlcroissant").is_dir() for part in where.split(os.pathsep) if part):
        pytest.skip("WINNOW_TRAINERS names no folder with mlcroissant: `make test-all` installs it")
    shutil.copytree(out / "data", tmp_path / "data")
    shutil.copy(made[2] / "croissant.json", tmp_path)
    command = [sys.executable, "-c", READ, str(tmp_path / "croissant.json")]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": where}, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["60"]
