"""The contract with training jobs: what the shards hold, and that the usual readers open them."""

import json
import os

import numpy as np
import polars as pl
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from pipeline.schema import DATA, LEDGER, QUARANTINE, REJECTED
from pipeline.stages.shards.layout import Piece, Segment, shards
from tests.support import SAMPLE, curate, prose, table, write_rows


def test_datasets_loads_exactly_the_committed_rows(curated, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    from datasets import load_dataset

    loaded = load_dataset(str(curated), split="train", cache_dir=str(tmp_path))
    assert loaded.num_rows == len(table(curated, "data"))
    assert set(loaded.column_names) == set(DATA.names)
    streamed = load_dataset(str(curated), split="train", streaming=True)
    assert next(iter(streamed))["text"] == table(curated, "data")["text"][0]


def test_polars_opens_it(curated):
    assert pl.read_parquet(f"{curated}/data/*.parquet").columns == DATA.names


def test_pyarrow_opens_it_with_the_promised_schemas(curated):
    for folder, schema in {"data": DATA, "rejected": REJECTED, "ledger": LEDGER, "quarantine": QUARANTINE}.items():
        found = pyarrow.dataset.dataset(curated / folder, format="parquet")
        assert found.schema.equals(schema, check_metadata=False), folder
        assert found.to_table().num_rows == len(table(curated, folder))


def test_rows_stand_in_order_of_source_then_path_then_row_number(curated):
    for folder in ("data", "ledger", "rejected"):
        keys = [
            (row["source"].encode(), row["source_ref"].rpartition("#")[0].encode(), int(row["source_ref"].rpartition("#")[2]))
            for row in table(curated, folder).select("source", "source_ref").iter_rows(named=True)
        ]
        assert keys == sorted(keys), folder


def test_shards_are_closed_at_their_size_and_named_with_their_generation(tmp_path):
    out = tmp_path / "out"
    curate(SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", out, "--set", "output.shard_bytes=50000")
    names = sorted(path.name for path in (out / "data").iterdir())
    assert names == [f"train-{i:05d}-of-{len(names):05d}-g0001.parquet" for i in range(len(names))]
    sizes = [pl.read_parquet(path)["n_bytes"].sum() for path in sorted((out / "data").iterdir())]
    assert len(sizes) == 4
    assert all(50_000 <= size < 60_000 for size in sizes[:-1])


def test_a_shard_that_is_full_to_the_byte_is_closed():
    pieces = [Piece(n, "web", {"data": 2}, {"data": 100}, lambda *_: np.array([60, 40])) for n in range(3)]
    assert shards(pieces, "data", 100) == [[Segment(n, "web", 0, 2)] for n in range(3)]
    assert shards(pieces, "data", 101) == [
        [Segment(0, "web", 0, 2), Segment(1, "web", 0, 1)],
        [Segment(1, "web", 1, 2), Segment(2, "web", 0, 2)],
    ]


def test_rejected_can_be_switched_off_or_sampled(tmp_path):
    for value, low, high in [("none", 0, 0), ("0.5", 100, 220)]:
        out = tmp_path / value
        curate(SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", out, "--set", f"output.rejected={value}")
        rows = [pl.read_parquet(path).height for path in (out / "rejected").glob("*.parquet")]
        assert low <= sum(rows) <= high
        assert len(table(out, "ledger")) == 555


def test_scores_are_null_where_no_model_covers_the_language_and_language_is_there(curated):
    data = table(curated, "data")
    for score in ("quality_score", "toxicity_score"):
        assert data[score].is_not_null().to_list() == (data["language"] == "en").to_list()
    assert data["language"].null_count() == 0
    assert {"en", "zh", "ja", "ar", "hi", "ru", "th"} <= set(data["language"])
    assert data["token_count"].null_count() == len(data)


def test_languages_of_the_sample_are_found(curated):
    intended = {row["ref"]: row for row in json.loads((SAMPLE / "fates.json").read_text())["rows"]}
    data = table(curated, "data").filter(pl.col("n_bytes") > 300)
    right = [row["language"] == intended[row["source_ref"]]["lang"] for row in data.iter_rows(named=True)]
    assert sum(right) / len(right) > 0.97


def test_tokens_are_counted_with_the_plans_tokenizer(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    texts = [prose(i) for i in range(20)]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": t} for t in texts])
    out = tmp_path / "out"
    curate("--input", path, "--output", out, "--set", f"output.tokenizer={tmp_path / 'tokenizer.json'}")
    data = table(out, "data")
    assert data["token_count"].to_list() == [len(tokenizer.encode(text).ids) for text in data["text"]]
    tokens = json.loads((out / "metrics.json").read_text())["tokens"]
    assert (tokens["kind"], tokens["kept"]) == ("counted", data["token_count"].sum())


def test_tokens_read_are_those_of_the_text_before_edits(tmp_path):
    texts = [f"{prose(i)}\nThis line speaks of javascript and of nothing else at all.\n" for i in range(20)]
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": text} for text in texts])
    curate("--input", path, "--output", tmp_path / "out", "--set", "edits.c4_lines={}", "--set", "compute.bytes_per_token=1")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["tokens"]["read"] == sum(len(text.encode()) for text in texts)
    assert metrics["tokens"]["kept"] == sum(table(tmp_path / "out", "data")["n_bytes"]) < metrics["tokens"]["read"]


def test_metadata_is_a_json_object_with_sorted_keys(curated):
    for text in table(curated, "data")["metadata"]:
        found = json.loads(text)
        assert list(found) == sorted(found)
    assert any(json.loads(text) for text in table(curated, "data")["metadata"])


def test_no_shard_holds_a_time_a_host_or_a_path_of_this_machine(curated):
    names = {os.uname().nodename, str(curated), str(SAMPLE.parent)}
    for folder in ("data", "ledger", "rejected", "quarantine"):
        for path in (curated / folder).glob("*.parquet"):
            raw = path.read_bytes() + json.dumps({k.decode(): v.decode() for k, v in _metadata(path).items()}).encode()
            assert not [name for name in names if len(name) > 6 and name.encode() in raw], path


def _metadata(path):
    return {k: v for k, v in (pq.read_schema(path).metadata or {}).items() if not k.startswith(b"ARROW")}


def test_the_manifest_names_every_file_with_its_sha256(curated):
    import hashlib

    manifest = json.loads((curated / "manifests/000001.json").read_text())
    assert (curated / "manifest.json").read_bytes() == (curated / "manifests/000001.json").read_bytes()
    named = {record["path"] for record in [*manifest["files"], *manifest["index"]]}
    there = {
        f"{folder}/{path.name}"
        for folder in ("data", "rejected", "ledger", "quarantine", "index")
        for path in (curated / folder).iterdir()
    }
    assert named == there
    for record in [*manifest["files"], *manifest["index"]]:
        data = (curated / record["path"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (record["sha256"], record["bytes"])


def test_content_sha256_does_not_depend_on_how_rows_are_chunked():
    import pyarrow as pa

    from pipeline.stages.shards.content_hash import ContentHash

    rows = {"generation": [1, 1, 1, 1], "id": ["a", "", "ccc", "é"], "similarity": [None, 0.5, None, 1.0]}
    full = pa.table(rows | {"failed": [["x"], [], ["y", "zz"], []]})
    whole, parts = ContentHash(full.schema), ContentHash(full.schema)
    whole.update(full)
    for start, length in [(0, 1), (1, 2), (3, 1)]:
        parts.update(full.slice(start, length))
    assert whole.hexdigest() == parts.hexdigest()
    other = ContentHash(full.schema)
    other.update(full.set_column(1, "id", pa.array(["ac", "", "cc", "é"])))
    assert other.hexdigest() != whole.hexdigest()


@pytest.mark.parametrize("name", ["README.md", "metrics.json", "report.html", "plan.resolved.yaml"])
def test_what_a_person_reads_is_remade_if_it_is_missing(tmp_path, name):
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(i)} for i in range(10)])
    curate("--input", path, "--output", tmp_path / "out")
    before = (tmp_path / "out" / name).read_bytes()
    (tmp_path / "out" / name).unlink()
    curate("--input", path, "--output", tmp_path / "out")
    assert (tmp_path / "out" / name).read_bytes() == before
