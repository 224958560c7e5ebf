"""Hugging Face datasets from local folders, offline."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import read
from pipeline.errors import InputError
from pipeline.read.expansion import expand
from pipeline.read.files import InputFile
from pipeline.read.source import Source
from pipeline.read.units import unit_key_parts

CARD = """---
configs:
- config_name: en
  data_files:
  - {split: train, path: en/train*.parquet}
  - {split: test, path: en/test*.parquet}
- config_name: de
  data_files:
  - {split: train, path: de/*.parquet}
---
"""


@pytest.fixture(autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("hf"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "org" / "wiki"
    (root / "en").mkdir(parents=True)
    (root / "de").mkdir()
    for i in range(2):
        table = pa.table({"text": [f"en {i} {k}" for k in range(1500)], "id": list(range(1500)), "n": [1.5] * 1500})
        pq.write_table(table, root / "en" / f"train-{i}.parquet")
    pq.write_table(pa.table({"text": ["test", None]}), root / "en" / "test.parquet")
    pq.write_table(pa.table({"text": ["eins", "zwei\r\n"], "id": ["x", "y"]}), root / "de" / "a.parquet")
    (root / "README.md").write_text(CARD)
    return root


def files(path: object, base: Path | None = None) -> list[InputFile]:
    return expand([Source(paths=(f"hf://datasets/{path}",))], base=base).files


def read_all(file: InputFile) -> list[read.UnitRows]:
    made = read.units_of(file)
    assert made.units is None
    return [read.read_block(block) for block in read.stream(file, made.content)]


def test_all_configs_and_splits_unless_named(folder: Path) -> None:
    everything = ["wiki/de/train", "wiki/en/test", "wiki/en/train"]
    for path, expected in (
        (folder, everything),
        (f"{folder}/../wiki/", everything),
        ("org/wiki", everything),
        ("./org/wiki", everything),
        ("org/wiki/en", everything[1:]),
        ("org/wiki/en/test", everything[1:2]),
        ("org/wiki#en/test", everything[1:2]),
        (f"{folder}#en", everything[1:]),
        (f"{folder}#de/train", everything[:1]),
    ):
        made = files(path, folder.parents[1])
        assert [file.path for file in made] == expected, path
        assert {(file.source, file.format) for file in made} == {("wiki", "hf")}


def test_rows_are_numbered_through_the_split(folder: Path) -> None:
    (file,) = files("org/wiki/en/train", folder.parents[1])
    (whole,) = read_all(file)
    rows = whole.documents.to_pylist()
    assert [row["row"] for row in rows] == list(range(1, 3001))
    assert (rows[1500]["text"], rows[1500]["id"], rows[1500]["metadata"]) == ("en 1 0", "0", '{"n":1.5}')
    content = read.units_of(file).content
    small = expand([Source(paths=(file.url,), unit_bytes=20_000)]).files[0]
    blocks = list(read.stream(small, content))
    assert [(b.unit.start, b.unit.stop, b.unit.first_row) for b in blocks] == [
        (0, 1000, 1),
        (1000, 2000, 1001),
        (2000, 3000, 2001),
    ]
    assert len({unit_key_parts(b.unit) for b in blocks}) == 3
    assert [row for b in blocks for row in read.read_block(b).documents.to_pylist()] == rows


def test_bad_rows_and_jsonl_files(folder: Path, tmp_path: Path) -> None:
    (part,) = read_all(files(f"{folder}#en/test")[0])
    assert part.documents["text"].to_pylist() == ["test"]
    assert [(row["row"], row["cause"]) for row in part.bad.to_pylist()] == [(2, "text_null")]
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines" / "a.jsonl").write_text('{"text":"eins","id":"x"}\n{"text":"zwei\\r\\n","id":"y"}\n')
    (file,) = files(tmp_path / "lines")
    assert file.path == "lines/default/train"
    (part,) = read_all(file)
    assert [(r["id"], r["text"]) for r in part.documents.to_pylist()] == [("x", "eins"), ("y", "zwei\n")]


def test_identity_follows_the_files(folder: Path) -> None:
    base = folder.parents[1]
    before = {file.path: read.units_of(file).content for file in files("org/wiki", base)}
    pq.write_table(pa.table({"text": ["drei"], "id": ["x"]}), folder / "de" / "a.parquet")
    after = {file.path: read.units_of(file).content for file in files("org/wiki", base)}
    assert len(set(before.values())) == 3
    assert {path for path in before if before[path] != after[path]} == {"wiki/de/train"}


def test_what_cannot_be_decoded_is_one_row(folder: Path) -> None:
    (folder / "de" / "b.parquet").write_bytes((folder / "de" / "a.parquet").read_bytes()[:-9])
    (part,) = read_all(files("org/wiki/de", folder.parents[1])[0])
    assert part.documents.num_rows == 2
    assert [(row["row"], row["cause"]) for row in part.bad.to_pylist()] == [(3, "archive_corrupt")]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("org/none", "Couldn't reach|Offline"),
        ("org/wiki/fr", "'fr' not found"),
        ("org/wiki/en/dev", "no split dev; it has train, test"),
        ("/no/such/folder/here", "no such folder"),
        ("org/wiki/a/b/c", "expected"),
    ],
)
def test_what_is_not_there(folder: Path, path: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        files(path, folder.parents[1])


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="data file"):
        files(tmp_path / "empty")
