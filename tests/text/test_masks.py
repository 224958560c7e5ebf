"""Masks reach every column that a row fills: an address may stand in any of them."""

from __future__ import annotations

import json

from tests.support import curate, prose, table, write_rows

MAIL, HOST = "jane.doe@corp.example.com", "81.2.69.142"


def test_no_column_of_any_folder_holds_an_address_that_the_masks_find(tmp_path):
    rows = [
        {
            "id": f"d{k}",
            "text": text,
            "url": f"https://x.org/?u={MAIL}",
            "date": f"2024, by {MAIL} from {HOST}",
            "source": f"blog of {MAIL} number {k % 2}",
            "extra": {"who": [MAIL, HOST]},
        }
        for k, text in enumerate([prose(1), prose(2), "Too short.", f"{prose(3)} Ask {MAIL}."])
    ]
    path = write_rows(tmp_path / "in" / "a.jsonl", [*rows, {"id": "bad", "text": 1, "source": f"by {MAIL}"}])
    source = tmp_path / "plan.json"
    source.write_text(json.dumps({"source": {"paths": [str(path)], "max_bad_fraction": 0.9}, "output": {"signals": True}}))
    curate(source, "--output", tmp_path / "out")
    for folder in ("data", "rejected", "ledger", "signals", "quarantine"):
        rows_ = table(tmp_path / "out", folder).drop("excerpt", strict=False)
        assert len(rows_) and MAIL not in (said := str(rows_.to_dicts())) and HOST not in said, folder
    data = table(tmp_path / "out", "data")
    assert data["date"].unique().to_list() == ["2024, by email@example.com from 22.214.171.124"]
    for name in ("metrics.json", "manifests/000001.json", "README.md", "report.html"):
        assert MAIL not in (tmp_path / "out" / name).read_text(), name


def test_without_masks_the_columns_stay_as_they_were_read(tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"id": "a", "text": prose(1), "date": MAIL}])
    curate("none", "--input", path, "--output", tmp_path / "out")
    assert table(tmp_path / "out", "data")["date"].to_list() == [MAIL]
