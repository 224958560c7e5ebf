"""What an export writes is what readers written from the specifications read: each document once, whole, in one order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator

from flows import export as command
from pipeline.export import pieces, shards
from pipeline.export.formats import FORMATS
from tests.export import corpus, readers
from tests.support import ROOT

TOKENS = ("megatron", "datatrove", "npy", "packed")
SEQUENCE = 64
Export = Callable[..., Path]


def read(folder: Path, what: str, split: str = "train") -> list[Any]:
    """Documents of all shards of a split."""
    made = corpus.card(folder)
    dtype = made["tokenizer"]["dtype"] if made["tokenizer"] else ""
    more = {"sequence": SEQUENCE} if what == "packed" else {}
    found: list[Any] = []
    for one in made["shards"]:
        if one["split"] == split:
            found += (part := getattr(readers, what)(folder / one["path"], dtype, **more))
            assert len(part) == one["documents"]
    return found


@pytest.fixture(scope="module")
def exports(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An export in each format, into two shards and one of validation."""
    folder = tmp_path_factory.mktemp("exports")
    for what in FORMATS:
        more = ["--sequence", str(SEQUENCE)] if what == "packed" else []
        more += [] if what == "jsonl" else ["--tokenizer", str(made / "tokenizer.json")]
        assert corpus.run(what, made / "out", "--to", folder / what, "--shards", 2, "--validation", "0.1", *more) == 0
    return {what: folder / what for what in FORMATS}


@pytest.mark.parametrize("what", TOKENS)
def test_each_document_is_there_once_whole_and_ends_with_the_token(exports: dict[str, Path], made: Path, what: str):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(made / "tokenizer.json"))
    end = tokenizer.token_to_id(corpus.EOS)
    rows = [*corpus.documents(exports[what]), *corpus.documents(exports[what], "validation")]
    found = [*read(exports[what], what), *read(exports[what], what, "validation")]
    assert [row["last"] - row["first"] + 1 for row in rows] == [len(document) for document in found]
    assert all(document[-1] == end and end not in document[:-1] for document in found), "what a text says makes no such token"
    texts = {row["source_ref"]: tokenizer.decode(document[:-1]) for row, document in zip(rows, found, strict=True)}
    assert texts == dict(corpus.expected())


def test_every_format_of_tokens_has_the_same_tokens_in_the_same_order(exports: dict[str, Path]):
    first, *others = (read(exports[what], what) for what in TOKENS)
    assert all(one == first for one in others)
    assert [row["id"] for row in corpus.documents(exports["npy"])] == [row["id"] for row in corpus.documents(exports["megatron"])]


def test_lines_are_the_rows_of_data(exports: dict[str, Path]):
    found = [*read(exports["jsonl"], "jsonl"), *read(exports["jsonl"], "jsonl", "validation")]
    assert {row["source_ref"]: row["text"] for row in found} == dict(corpus.expected())
    assert {row["metadata"]["big"] for row in found} == {10**30}
    rows = [*corpus.documents(exports["jsonl"]), *corpus.documents(exports["jsonl"], "validation")]
    assert [row["id"] for row in rows] == [row["id"] for row in found]
    whole = (exports["jsonl"] / "train-00000-of-00002.jsonl").read_bytes()
    assert json.loads(whole[rows[3]["first"] : rows[3]["last"] + 1])["id"] == rows[3]["id"]


def test_an_index_of_megatron_is_these_bytes(tmp_path: Path):
    """Two documents of 3 and 1 tokens of two bytes, by hand."""
    from pipeline.export.content import Content
    from pipeline.export.folder import Folder
    from pipeline.export.shards import Split, Writing
    from pipeline.export.tokenizer import ExportTokenizer
    from pipeline.store.store import open_store

    content = Content(ExportTokenizer("", "", 9, "", 0, None), lines=False)
    values = pieces.packed(np.array([1, 2, 0, 0], "<u2"), np.array([3, 1]))
    rows = pa.table({"id": ["a", "b"], "source": ["s", "s"], "source_ref": ["r#1", "r#2"]})
    rows = rows.append_column("generation", pa.array([1, 1], pa.int32()))
    rows = rows.append_column("text_hash", pa.array([b"h" * 16] * 2, pa.binary(16))).append_column("size", pa.array([3, 1]))
    rows = rows.append_column("values", values).append_column("epoch", pa.array([0, 0], pa.int32()))
    rows = rows.append_column("group", pa.array([0, 0], pa.int32()))
    writing = Writing(Folder(open_store(str(tmp_path))), FORMATS["megatron"], content, 1)
    shards.write(writing, Split("train", 1), [rows], groups=["*"], on_table=lambda _: None)
    assert (tmp_path / "train-00000-of-00001.bin").read_bytes() == bytes.fromhex("010002000000 0000")
    assert (tmp_path / "train-00000-of-00001.idx").read_bytes() == bytes.fromhex(
        "4d4d49444944580000 0100000000000000 08 0200000000000000 0300000000000000"
        "03000000 01000000 0000000000000000 0600000000000000"
        "0000000000000000 0100000000000000 0200000000000000"
    )


def test_shards_of_a_world_size_differ_by_a_document_and_hold_all(export: Export):
    made = corpus.card(folder := export("megatron", "--shards", "5"))
    sizes = [one["size"] for one in made["shards"]]
    longest = max(row["last"] - row["first"] + 1 for row in corpus.documents(folder))
    assert max(sizes) - min(sizes) <= longest
    assert sorted(row["source_ref"] for row in corpus.documents(folder)) == sorted(ref for ref, _ in corpus.expected())


def test_a_seed_is_an_order_and_another_one_another(export: Export):
    first, other = (
        [row["source_ref"] for row in corpus.documents(export("npy", "--seed", seed, to=seed))] for seed in ("0", "1")
    )
    assert first != other and sorted(first) == sorted(other)
    assert first not in (sorted(first), [ref for ref, _ in corpus.expected()])


def test_the_same_documents_are_held_out_whatever_the_format(exports: dict[str, Path]):
    held_out = {what: {row["source_ref"] for row in corpus.documents(folder, "validation")} for what, folder in exports.items()}
    assert len(set(map(frozenset, held_out.values()))) == 1 and 3 <= len(held_out["npy"]) <= 25


@pytest.mark.parametrize("what", FORMATS)
def test_exports_json_has_its_schema_and_names_every_file(exports: dict[str, Path], what: str):
    schema = json.loads((ROOT / "docs/schemas/exports.schema.json").read_text("utf-8"))
    made = corpus.card(exports[what])
    Draft202012Validator(schema).validate(made)
    there = corpus.digests(exports[what])
    there.pop("exports.json")
    assert {file["path"]: file["sha256"] for file in made["files"]} == there
    assert sum(group["written_documents"] for group in made["groups"]) == len(corpus.documents(exports[what]))
    for one in made["shards"]:
        rows = [row for row in corpus.documents(exports[what], one["split"]) if row["shard"] == one["path"]]
        assert one["documents"] == len(rows) and one["size"] == rows[-1]["last"] + 1


def test_help_names_the_formats_that_there_are():
    assert {name: made.about for name, made in FORMATS.items()} == command.FORMATS


class Killed(BaseException):
    """What ends a process ends the command too."""


def test_the_same_bytes_whatever_the_workers_and_kills(export: Export, monkeypatch: pytest.MonkeyPatch):
    what = "packed"
    options = (
        "--sequence", "50", "--shards", "2", "--by", "source", "--weight", "web=2", "--weight", "*=1", "--epochs", "3",
        "--tokens", "20000",
    )  # fmt: skip
    monkeypatch.setattr(pieces, "BUCKET_BYTES", 20_000)
    calm = export(what, *options, "--workers", "1", to="calm")
    done, real, real_write = [], pieces.sort, shards._Open.write

    def sort(*given: Any, **more: Any) -> Any:
        if len(done) >= 2:
            raise Killed
        done.append(real(*given, **more))
        return done[-1]

    def write(self: Any, *given: Any) -> None:
        real_write(self, *given)
        raise Killed

    for module, name, dying in ((pieces, "sort", sort), (shards._Open, "write", write)):
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(module, name, dying)
            export(what, *options, to="killed")
        folder = calm.parent / "killed"
        assert not (folder / "exports.json").exists() and len(list((folder / ".winnow-export").glob("*.json"))) >= 2
    again = []
    monkeypatch.setattr(pieces, "sort", lambda *given, **more: again.append(1) or real(*given, **more))
    export(what, *options, to="killed")
    assert not again, "what was tokenised is not tokenised again"
    assert corpus.digests(calm.parent / "killed") == corpus.digests(calm)


def test_the_first_epoch_has_one_order_however_it_was_cut(export: Export, monkeypatch: pytest.MonkeyPatch):
    whole = corpus.digests(export("npy", to="whole"))
    monkeypatch.setattr(pieces, "BUCKET_BYTES", 4000)
    cut = export("npy", to="cut")
    assert corpus.card(cut)["recipe"]["pieces"] == 16
    assert {name: found for name, found in corpus.digests(cut).items() if name != "exports.json"} == {
        name: found for name, found in whole.items() if name != "exports.json"
    }
