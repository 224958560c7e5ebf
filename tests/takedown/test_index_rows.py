"""The dedup index says in which row of a shard a text stands: also where a take-down took rows away before it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from flows.inspect import main
from tests.support import curate, prose, table, write_rows
from tests.text import definition

SHORT = "filters.gopher_quality={min_words: 10}"
CUT = ("--set", "select.keep_top={share: 0.5}", "--set", "select.score=edu")


def more(text: str) -> str:
    return f"{text} And a few words more."


def indexed(out: Path) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(path, glob=False) for path in sorted((out / "index").glob("documents-*.parquet")))


def shard_texts(out: Path) -> dict[str, str]:
    """source_ref → text, as the index's rows say."""
    found = {}
    for path in (out / "index").glob("documents-*.parquet"):
        shard = pq.read_schema(path).metadata[b"shard"].decode()
        texts = pl.read_parquet(out / shard, glob=False)["text"].to_list() if shard else []
        for row in pl.read_parquet(path, glob=False).iter_rows(named=True):
            found[row["source_ref"]] = row["text"] if row["row"] is None else texts[row["row"]]
    return found


def taken_down(out: Path, *ids: str) -> None:
    keys = out.parent / "keys.txt"
    keys.write_text("\n".join(ids) + "\n")
    assert main(["takedown", "--output", str(out), "--keys", str(keys), "--yes"]) == 0


def near(folder: Path, ids: list[str]) -> pl.DataFrame:
    ledger = table(folder / "out", "ledger").filter(pl.col("id").is_in(ids)).sort("id")
    return ledger.select("id", "reason", "duplicate_of", "similarity")


def test_no_text_is_stored_again(tmp_path):
    write_rows(tmp_path / "in" / "a.jsonl", [{"id": f"d{k}", "text": prose(k)} for k in range(9)])
    curate("minimal", "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert indexed(tmp_path / "out")["text"].null_count() == 9
    assert shard_texts(tmp_path / "out") == {f"in/a.jsonl#{k + 1}": prose(k) for k in range(9)}


def test_texts_of_conversations_are_held_with_their_marks(tmp_path):
    turns = [[{"role": "user", "content": prose(k)}, {"role": "assistant", "content": prose(50 + k)}] for k in range(3)]
    write_rows(tmp_path / "in" / "a.jsonl", [{"id": f"c{k}", "messages": said} for k, said in enumerate(turns)])
    curate("minimal", "--input", tmp_path / "in", "--output", tmp_path / "out")
    held = indexed(tmp_path / "out")
    assert held["row"].null_count() == 3 and held["text"].null_count() == 0
    assert all(text != bare for text, bare in zip(held["text"], table(tmp_path / "out", "data")["text"], strict=True))


def test_rows_behind_what_was_taken_down_are_still_found(tmp_path):
    write_rows(tmp_path / "in" / "a.jsonl", [{"id": f"d{k}", "text": prose(k)} for k in range(9)])
    curate("minimal", "--input", tmp_path / "in", "--output", tmp_path / "out")
    taken_down(tmp_path / "out", "d2", "d5")
    taken_down(tmp_path / "out", "d3")
    expected = {f"in/a.jsonl#{k + 1}": "" if k in (2, 3, 5) else prose(k) for k in range(9)}
    assert shard_texts(tmp_path / "out") == expected
    write_rows(tmp_path / "in" / "b.jsonl", [{"id": f"n{k}", "text": more(prose(k))} for k in (1, 4, 8)])
    curate("minimal", "--input", tmp_path / "in", "--output", tmp_path / "out")
    same = [definition.jaccard(prose(k), more(prose(k))) for k in (1, 4, 8)]
    expected = [("n1", "near_duplicate", "d1", same[0]), ("n4", "near_duplicate", "d4", same[1])]
    assert near(tmp_path, ["n1", "n4", "n8"]).rows() == [*expected, ("n8", "near_duplicate", "d8", same[2])]


def test_rows_of_rejected_move_with_what_is_no_document_of_the_index(tmp_path):
    """rejected/ holds what selection left out, which the index has, beside what filters dropped."""
    rows = [{"id": f"d{k}", "text": prose(k), "edu": k / 10} for k in range(8)]
    rows[1:1] = [{"id": "short", "text": "A few words.", "edu": 0.9}]
    write_rows(tmp_path / "in" / "a.jsonl", rows)
    scores = tmp_path / "scores.parquet"
    pl.DataFrame(
        {"id": [r["id"] for r in rows], "edu": [r["edu"] for r in rows]}, schema_overrides={"edu": pl.Float32}
    ).write_parquet(scores)
    joined = f"annotations=[{{path: {scores}, on: [id], columns: {{edu: float32}}}}]"
    plan = ("minimal", "--input", tmp_path / "in", "--output", tmp_path / "out", "--set", joined, "--set", SHORT, *CUT)
    curate(*plan)
    left = table(tmp_path / "out", "rejected")["id"].to_list()
    assert left[:2] == ["d0", "short"] and len(left) > 4
    before = shard_texts(tmp_path / "out")
    taken_down(tmp_path / "out", "short")
    assert "short" not in table(tmp_path / "out", "rejected")["id"].to_list()
    assert shard_texts(tmp_path / "out") == before == {f"in/a.jsonl#{k + 1 + (k > 0)}": prose(k) for k in range(8)}
