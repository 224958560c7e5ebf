"""The documents of `tests.bench.dedup_scale` are what their ids say: fates that are compared with them can be trusted."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.bench import synthetic
from tests.text import definition


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp("synthetic")
    synthetic.write(folder, 6_000, seed=3)
    return [json.loads(line) for file in sorted(folder.iterdir()) for line in file.open()]


def test_every_kind_is_there_and_plants_are_as_similar_as_their_ids_say(rows):
    seen: Counter[str] = Counter()
    for number, row in enumerate(rows):
        kind, document, original, changed = row["id"].split("-")
        base, words = rows[int(original)]["text"], len(row["text"].split())
        assert int(document) == number and len(row["text"].encode()) == len(base.encode())
        found = definition.jaccard(row["text"], base)
        if kind == "copy":
            assert row["text"] == base and int(original) < number
        elif kind in ("near", "chna"):
            assert found == pytest.approx(synthetic.similarity(np.array(words), np.array(int(changed))), abs=1e-12)
        elif kind == "chnb":
            middle = rows[number - 1]
            assert middle["id"].startswith("chna") and definition.jaccard(row["text"], middle["text"]) >= 0.8 > found
        seen[kind if kind != "near" else f"near {found >= 0.8}"] += 1
    assert set(seen) == {"orig", "copy", "near True", "near False", "chna", "chnb"} and min(seen.values()) > 30


def test_originals_share_no_shingle_with_anything_but_their_plants(rows):
    seen: dict[tuple[str, ...], set[str]] = {}
    for row in rows:
        for shingle in definition.shingles(row["text"], 5):
            seen.setdefault(shingle, set()).add(row["id"].split("-")[2])
    assert all(len(originals) == 1 for originals in seen.values())


def test_a_document_does_not_depend_on_how_many_there_are_or_where_files_are_cut(rows, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(synthetic, "_CHUNK", 700)
    synthetic.write(tmp_path, 2_000, seed=3)
    assert [json.loads(line) for file in sorted(tmp_path.iterdir()) for line in file.open()] == rows[:2_000]
