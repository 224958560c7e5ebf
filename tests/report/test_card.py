"""README.md of the output: what `datasets` loads, what the Hub reads, and that nothing in it is markup."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline import schema
from pipeline.records.metrics_json import Metrics
from pipeline.report import card
from tests.report import fixture_metrics


def _card(metrics: dict | None = None, **changes) -> str:
    given = {
        "files_by_folder": {"data": ["data/train-00000-of-00001-g0001.parquet"], "rejected": [], "ledger": [], "quarantine": []},
        "languages": ["en", "no", "und", "zh-min-nan", "deu", ""],
        "name": "curated",
        "plan_yaml": "source:\n  paths: [crawl/*.jsonl.gz]\n",
        "licence": None,
    }
    return card.render(Metrics.model_validate(metrics or fixture_metrics.metrics()), **{**given, **changes})


def _front(text: str) -> dict:
    _, front, _ = text.split("---\n", 2)
    return yaml.safe_load(front)


def _write(folder, name: str, ids: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    columns = {
        f.name: pa.array([1] * len(ids) if pa.types.is_integer(f.type) else [None] * len(ids), f.type) for f in schema.DATA
    }
    columns |= {name: pa.array(ids) for name in ("id", "text", "source", "source_ref")} | {
        "metadata": pa.array(["{}"] * len(ids))
    }
    pq.write_table(pa.table(columns, schema=schema.DATA), folder / name)


def _load(folder, cache, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(cache))
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return datasets.load_dataset(str(folder), cache_dir=str(cache))


def test_load_dataset_sees_committed_rows_only(tmp_path, monkeypatch):
    out, committed = tmp_path / "out", ["data/train-00000-of-00001-g0001.parquet", "data/train-00000-of-00001-g0002.parquet"]
    _write(out / "data", "train-00000-of-00001-g0001.parquet", ["a", "b"])
    _write(out / "data", "train-00000-of-00001-g0002.parquet", ["c"])
    _write(out / "data", "train-00000-of-00001-g0003.parquet", ["uncommitted"])
    _write(out / "rejected", "train-00000-of-00001-g0001.parquet", ["rejected"])
    (out / "metrics.json").write_text("{}")
    files = {"data": committed, "rejected": ["rejected/train-00000-of-00001-g0001.parquet"], "ledger": [], "quarantine": []}
    (out / "README.md").write_text(_card(files_by_folder=files, languages=["no"]))
    loaded = _load(out, tmp_path / "cache", monkeypatch)
    assert list(loaded) == ["train"]
    assert loaded["train"]["id"][:] == ["a", "b", "c"]
    assert loaded["train"].column_names == schema.DATA.names


def test_a_card_without_shards_loads_nothing_rather_than_the_rejected(tmp_path, monkeypatch):
    out = tmp_path / "out"
    _write(out / "rejected", "train-00000-of-00001-g0001.parquet", ["rejected"])
    (out / "README.md").write_text(_card(files_by_folder={"data": []}))
    with pytest.raises(Exception) as error:
        _load(out, tmp_path / "cache", monkeypatch)
    assert "rejected" not in str(error.value)


def test_front_matter_is_what_the_hub_reads_with_yaml_1_1():
    front = _front(_card(licence="odc-by"))
    assert front["language"] == ["deu", "en", "no"]
    assert front["license"] == "odc-by"
    assert front["size_categories"] == ["1M<n<10M"]
    assert front["pretty_name"] == "curated"
    assert front["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": ["data/train-00000-of-00001-g0001.parquet"]}]}
    ]


def test_no_licence_and_no_language_are_left_out_and_not_guessed():
    assert not {"license", "language"} & set(_front(_card(languages=["und"])))


@pytest.mark.parametrize(
    ("documents", "word"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (10**6 - 1, "100K<n<1M"),
        (10**9, "1B<n<10B"),
        (10**12 - 1, "100B<n<1T"),
        (10**12, "n>1T"),
    ],
)
def test_size_category(documents, word):
    assert card.size_category(documents) == word


def test_every_column_of_the_schema_has_a_sentence_and_no_other():
    assert list(card.COLUMNS) == schema.DATA.names


def test_hostile_text_is_neither_markup_nor_front_matter():
    evil = 'x"\n---\nlicense: mit\n# heading <script> [a](http://e.example) @mention `b` | c \x1b\u202e\ud800'
    metrics = fixture_metrics.hostile()
    for line in metrics["funnel"]:
        line["label"] = evil
    text = _card(metrics, name=evil, licence=evil, plan_yaml=f"a: 1\n```\n# {evil}\n````\n")
    assert not set(text) & set("\x1b\u202e\ud800")
    assert _front(text)["pretty_name"] == card.visible(evil)
    head, _, fenced = text.partition("`````yaml\n")
    assert "\n`````\n" in fenced
    for line in head.split("---\n", 2)[2].splitlines():
        outside = "".join(line.split("`")[::2])
        assert "<script" not in outside.replace("\\<", "")
        assert "](" not in outside
    title = next(line for line in text.splitlines() if line.startswith("# "))
    assert "\\<script\\>" in title
    assert "\\@mention" in title
    text.encode("utf-8")


def test_every_row_of_the_funnel_has_four_cells_whatever_its_label():
    rows = [line for line in _card(fixture_metrics.hostile()).splitlines() if line.startswith("| `<")]
    assert rows
    assert all(line.count("|") == 5 for line in rows)


def test_says_to_shuffle_and_what_null_means():
    text = _card()
    assert "not shuffled" in text
    assert "null where its filter was off" in text
