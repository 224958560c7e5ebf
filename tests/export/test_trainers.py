"""Exports as Megatron's, datatrove's and torch's own code reads them, in an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.export import corpus, readers, trainers

pytestmark = pytest.mark.slow
WHERE = "WINNOW_TRAINERS"
MODULES = ("megatron/core/datasets/indexed_dataset.py", "datatrove/utils/dataset.py", "torch/__init__.py")


def libraries() -> str:
    """Folders of the libraries, as PYTHONPATH has them."""
    where = os.environ.get(WHERE, "")
    missing = [one for one in MODULES if not any((Path(part) / one).is_file() for part in where.split(os.pathsep) if part)]
    if missing:
        pytest.skip(
            f"{WHERE} names no folder with {', '.join(one.partition('/')[0] for one in missing)}: pip install --target DIR"
            " megatron-core datatrove torch, and name DIR (several with a colon between them)"
        )
    return where


@pytest.fixture(scope="module", params=[420, 66_000], ids=["two bytes", "four bytes"])
def folder(request: pytest.FixtureRequest, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export in each format of tokens, by a tokenizer of so many tokens."""
    libraries()
    to = tmp_path_factory.mktemp("trainers")
    tokenizer = corpus.train([corpus.text("web", n) for n in range(16)])
    tokenizer.add_tokens([f"<added{n}>" for n in range(request.param - tokenizer.get_vocab_size())])
    tokenizer.save(str(to / "tokenizer.json"))
    for what in ("megatron", "datatrove", "npy", "packed"):
        more = ("--sequence", "32") if what == "packed" else ()
        assert corpus.run(what, made / "out", "--to", to / what, "--tokenizer", to / "tokenizer.json", "--shards", 2, *more) == 0
    return to


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    environment = os.environ | {"PYTHONPATH": libraries(), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, trainers.__file__, str(folder)]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def shards(folder: Path, what: str, dtype: str) -> list[list[list[int]]]:
    return [getattr(readers, what)(folder / what / one["path"], dtype) for one in corpus.card(folder / what)["shards"]]


def test_every_library_reads_what_the_plain_readers_read(folder: Path, found: dict[str, Any]):
    dtype = corpus.card(folder / "npy")["tokenizer"]["dtype"]
    first, second = shards(folder, "megatron", dtype)
    flat = [token for document in first for token in document]
    assert found["megatron"] == first
    assert found["npy"] == flat
    assert [token for row in found["packed"] for token in row] == flat
    windows = [part[at : at + 32] for part in (flat, [t for d in second for t in d]) for at in range(0, len(part) - 31, 32)]
    assert found["datatrove"]["tokens"] == windows


def test_datatrove_finds_the_documents_in_its_windows(folder: Path, found: dict[str, Any]):
    """A token's position is its place in its document, or in the window where the document began before it."""
    dtype = corpus.card(folder / "npy")["tokenizer"]["dtype"]
    end = corpus.card(folder / "npy")["tokenizer"]["eos_id"]
    assert shards(folder, "datatrove", dtype)
    for tokens, positions in zip(found["datatrove"]["tokens"], found["datatrove"]["positions"], strict=True):
        assert positions[0] == 0
        steps = zip(tokens[:-1], positions[:-1], positions[1:], strict=True)
        assert all(later == (0 if token == end else before + 1) for token, before, later in steps)


def test_datasets_reads_packed_sequences_and_lines_of_two_ranks(folder: Path, made: Path, tmp_path: Path):
    datasets = pytest.importorskip("datasets")
    from datasets.distributed import split_dataset_by_node

    assert corpus.run("jsonl", made / "out", "--to", tmp_path / "jsonl", "--shards", 2) == 0
    rows = datasets.load_dataset("parquet", data_files=f"{folder}/packed/train-*.parquet", split="train", streaming=True)
    expected = [
        token for shard in shards(folder, "npy", corpus.card(folder / "npy")["tokenizer"]["dtype"]) for d in shard for token in d
    ]
    assert [token for row in rows for token in row["input_ids"]] == expected
    lines = datasets.load_dataset("json", data_files=f"{tmp_path}/jsonl/train-*.jsonl", split="train", streaming=True)
    ranks = [[row["source_ref"] for row in split_dataset_by_node(lines, rank, 2)] for rank in (0, 1)]
    by_shard = [
        [row["source_ref"] for row in corpus.documents(tmp_path / "jsonl") if f"-0000{n}-of" in row["shard"]] for n in (0, 1)
    ]
    assert ranks == by_shard, "a rank reads a shard"
