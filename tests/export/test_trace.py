"""`winnow inspect why --tokens`: from a token of an export to the document that it is of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows import inspect
from pipeline.errors import Damaged, InputError, UsageError
from pipeline.export import trace as module
from pipeline.export.trace import trace
from pipeline.store.store import open_store
from tests.export import corpus


@pytest.fixture(scope="module", params=["megatron", "datatrove", "npy", "packed", "jsonl"])
def folder(request: pytest.FixtureRequest, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("trace") / "to"
    more = ("--sequence", 32) if request.param == "packed" else ()
    tokenizer = () if request.param == "jsonl" else ("--tokenizer", made / "tokenizer.json")
    assert corpus.run(request.param, made / "out", "--to", to, *tokenizer, "--shards", 2, *more) == 0
    for path in (to / "docs").iterdir():  # several row groups, as large exports have
        pq.write_table(pq.read_table(path), path, row_group_size=7)
    return to


def test_every_place_leads_to_its_document(folder: Path, made: Path) -> None:
    out = open_store(str(made / "out"))
    for row in corpus.documents(folder):
        for place in (row["first"], (row["first"] + row["last"]) // 2, row["last"]):
            found = trace(f"{folder}/{row['shard']}:{place}", out)
            assert (found.source_ref, found.first, found.last, found.place) == (
                row["source_ref"],
                row["first"],
                row["last"],
                place,
            )
            assert (found.taken, found.same_output) == (False, True)


def test_the_command_says_place_and_fate(folder: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = corpus.documents(folder)[3]
    name = f"{folder}/{row['shard'].partition('.')[0]}:{row['first'] + 1:_}"  # as trainers name it, without a suffix
    assert inspect.main(["--output", str(made / "out"), "why", "--tokens", name]) == 0
    said = capsys.readouterr().out
    assert (
        f": {'byte' if folder_format(folder) == 'jsonl' else 'token'} 1 of the {row['last'] - row['first'] + 1:,} of a document"
        in said
    )
    assert f"{row['source_ref']}, generation 1\nkept\n" in said


def folder_format(folder: Path) -> str:
    return corpus.card(folder)["recipe"]["format"]


def test_what_is_no_place_of_an_export_is_said(folder: Path, made: Path, tmp_path: Path) -> None:
    out = open_store(str(made / "out"))
    shard = corpus.card(folder)["shards"][0]
    for name, error, words in [
        (f"{folder}/{shard['path']}", UsageError, "expected FILE:PLACE"),
        (f"{folder}/{shard['path']}:-1", UsageError, "expected FILE:PLACE"),
        (f"{folder}/{shard['path']}:{shard['size']}", InputError, f"places are 0 to {shard['size'] - 1:,}"),
        (f"{folder}/train-00009-of-00002.bin:0", InputError, "no shard of the export; it has train-00000-of-00002"),
        (f"{tmp_path}/train-00000-of-00002.bin:0", InputError, "holds no finished export"),
    ]:
        with pytest.raises(error, match=words):
            trace(name, out)
    shutil.copytree(folder, tmp_path / "to")
    (tmp_path / "to" / shard["documents_path"]).write_bytes(b"PAR1 and no more")
    with pytest.raises(Damaged, match=r"cannot be read .*export again into an empty folder"):
        trace(f"{tmp_path}/to/{shard['path']}:0", out)


def test_one_row_group_is_read(folder: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    class Counted(pq.ParquetFile):
        def read_row_group(self, i: int, *given: object, **more: object) -> object:
            read.append(i)
            return super().read_row_group(i, *given, **more)

    monkeypatch.setattr(module.pq, "ParquetFile", Counted)
    row = corpus.documents(folder)[-1]
    trace(f"{folder}/{row['shard']}:{row['last']}", open_store(str(made / "out")))
    assert len(read) == 1 and read[0] > 3


def test_a_document_that_was_taken_down_is_said_to_be(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus.copied(made, tmp_path / "out")
    assert corpus.run("npy", tmp_path / "out", "--to", tmp_path / "to", "--tokenizer", made / "tokenizer.json") == 0
    row = corpus.documents(tmp_path / "to")[2]
    (tmp_path / "keys.txt").write_text(row["source_ref"])
    output = ["--output", str(tmp_path / "out")]
    assert inspect.main([*output, "takedown", "--keys", str(tmp_path / "keys.txt"), "--yes"]) == 0
    capsys.readouterr()
    assert inspect.main([*output, "why", "--tokens", f"{tmp_path}/to/{row['shard']}:{row['last']}"]) == 0
    said = capsys.readouterr().out
    assert "; taken down since" in said and "taken_down" in said
