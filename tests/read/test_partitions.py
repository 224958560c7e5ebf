"""Folders `column=value` as columns of rows: texts, decoded, behind what the rows say themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline import read
from pipeline.read.expansion import expand
from pipeline.read.source import Source
from tests.support import write_rows


@pytest.mark.parametrize(
    ("folders", "row", "metadata"),
    [
        ("lang=de", {}, {"lang": "de"}),
        ("lang=de/year=2024", {}, {"lang": "de", "year": "2024"}),  # a text, as it is written
        ("year=2024/other/lang=de", {}, {"lang": "de"}),  # those next to the file
        ("site=a%3Ab%2Fc%20%C3%A9", {}, {"site": "a:b/c é"}),
        ("site=%FF%zz", {}, {"site": "\ufffd%zz"}),
        ("lang=de", {"lang": "en"}, {"lang": "en"}),  # the row's own counts
        ("lang=de", {"lang": None}, {"lang": None}),
        ("text=no/id=7/lang=de", {}, {"lang": "de"}),
        ("lang=__HIVE_DEFAULT_PARTITION__", {}, {}),
        ("lang=", {}, {"lang": ""}),
        ("=de", {}, {}),
        ("a b=de", {}, {}),
        ("lang=de=at", {}, {"lang": "de=at"}),
        ("lang=%00%0A", {}, {"lang": "\x00\n"}),
        ("lang=de/lang=en", {}, {"lang": "de"}),  # the outer one
    ],
)
def test_columns_that_folders_name(tmp_path: Path, folders: str, row: dict[str, object], metadata: dict[str, object]) -> None:
    write_rows(tmp_path / folders / "a.jsonl", [{"text": "a text", "id": "own", **row}])
    (file,) = expand([Source(paths=(str(tmp_path),))]).files
    (part,) = read.rows_of(file)
    (made,) = part.documents.to_pylist()
    assert (made["text"], made["id"], json.loads(made["metadata"])) == ("a text", "own", metadata)


def test_a_folder_may_name_the_source(tmp_path: Path) -> None:
    for site in ("a", "b"):
        write_rows(tmp_path / f"site={site}/x.jsonl", [{"text": "a text"}])
    files = expand([Source.model_validate({"paths": [str(tmp_path)], "from": "site"})]).files
    rows = [row for file in files for part in read.rows_of(file) for row in part.documents.to_pylist()]
    assert [(row["source"], row["metadata"]) for row in rows] == [("a", "{}"), ("b", "{}")]
