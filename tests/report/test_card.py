"""README.md of the output: what `datasets` loads, what the Hub reads, and that nothing in it is markup."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline import schema
from pipeline.errors import PlanError
from pipeline.plan.load import validate
from pipeline.plan.recipe import decisive, differences
from pipeline.records.metrics_json import Metrics
from pipeline.report import card
from tests.real_run import hostile
from tests.support import curate, digests, prose, write_rows


def _card(metrics: dict, **changes) -> str:
    given = {
        "files_by_folder": {"data": ["data/train-00000-of-00001-g0001.parquet"], "rejected": [], "ledger": [], "quarantine": []},
        "languages": ["en", "no", "und", "zh-min-nan", "deu", ""],
        "name": "curated",
        "plan_yaml": "source:\n  paths: [crawl/*.jsonl.gz]\n",
        "licence": None,
    }
    return card.render(Metrics.model_validate(metrics), **{**given, **changes})


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


def test_load_dataset_sees_committed_rows_only(tmp_path, monkeypatch, everything):
    out, committed = tmp_path / "out", ["data/train-00000-of-00001-g0001.parquet", "data/train-00000-of-00001-g0002.parquet"]
    _write(out / "data", "train-00000-of-00001-g0001.parquet", ["a", "b"])
    _write(out / "data", "train-00000-of-00001-g0002.parquet", ["c"])
    _write(out / "data", "train-00000-of-00001-g0003.parquet", ["uncommitted"])
    _write(out / "rejected", "train-00000-of-00001-g0001.parquet", ["rejected"])
    (out / "metrics.json").write_text("{}")
    files = {"data": committed, "rejected": ["rejected/train-00000-of-00001-g0001.parquet"], "ledger": [], "quarantine": []}
    (out / "README.md").write_text(_card(everything.metrics, files_by_folder=files, languages=["no"]))
    loaded = _load(out, tmp_path / "cache", monkeypatch)
    assert list(loaded) == ["train"]
    assert loaded["train"]["id"][:] == ["a", "b", "c"]
    assert loaded["train"].column_names == schema.DATA.names


def test_a_card_without_shards_loads_nothing_rather_than_the_rejected(tmp_path, monkeypatch, everything):
    out = tmp_path / "out"
    _write(out / "rejected", "train-00000-of-00001-g0001.parquet", ["rejected"])
    (out / "README.md").write_text(_card(everything.metrics, files_by_folder={"data": []}))
    with pytest.raises(Exception) as error:
        _load(out, tmp_path / "cache", monkeypatch)
    assert "rejected" not in str(error.value)


def test_front_matter_is_what_the_hub_reads_with_yaml_1_1(everything):
    metrics = everything.metrics
    metrics["all_generations"]["kept"] = 1_472_128
    front = _front(_card(metrics, licence="odc-by"))
    assert front["language"] == ["deu", "en", "no"]
    assert front["license"] == "odc-by"
    assert front["size_categories"] == ["1M<n<10M"]
    assert front["pretty_name"] == "curated"
    assert front["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": ["data/train-00000-of-00001-g0001.parquet"]}]}
    ]


def test_no_licence_and_no_language_are_left_out_and_not_guessed(everything):
    assert not {"license", "language"} & set(_front(_card(everything.metrics, languages=["und"])))


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


def test_hostile_text_is_neither_markup_nor_front_matter(everything):
    evil = 'x"\n---\nlicense: mit\n# heading <script> [a](http://e.example) @mention `b` | c \x1b\u202e\ud800'
    metrics = hostile(everything.metrics)
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


def test_every_row_of_the_funnel_has_four_cells_whatever_its_label(everything):
    rows = [line for line in _card(hostile(everything.metrics)).splitlines() if line.startswith("| `<")]
    assert rows
    assert all(line.count("|") == 5 for line in rows)


def test_says_to_shuffle_and_what_null_means(everything):
    text = _card(everything.metrics)
    assert "not shuffled" in text
    assert "null where its filter was off" in text


@pytest.mark.parametrize("licence", ["odc-by", "Apache-2.0", "LicenseRef-my.own", "GPL-2.0+", "0bsd", "no", "a" * 100])
def test_the_plan_s_licence_is_read_back_from_the_front_matter(everything, licence):
    plan = validate({"output": {"licence": licence}}, where="test")
    assert _front(_card(everything.metrics, licence=plan.output.licence))["license"] == licence


@pytest.mark.parametrize(
    "licence",
    ["", " mit", "mit ", "MIT OR Apache-2.0", "-mit", "mit\n", 'm"it', "m\u0456t", "mit\x1b", "mit: x", "[mit]", "a" * 101, 7],
)
def test_what_is_no_identifier_is_refused_as_a_licence(licence):
    with pytest.raises(PlanError, match=r"output\.licence"):
        validate({"output": {"licence": licence}}, where="test")


def test_the_licence_of_the_plan_stands_in_the_output_s_card_alone(tmp_path):
    rows = write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(i)} for i in range(5)])
    for name, sets in (("with", ("--set", "output.licence=cc-by-4.0")), ("without", ())):
        curate("none@1", "--input", rows, "--output", tmp_path / name, *sets)
    assert _front((tmp_path / "with" / "README.md").read_text())["license"] == "cc-by-4.0"
    assert "license" not in _front((tmp_path / "without" / "README.md").read_text())
    assert digests(tmp_path / "with") == digests(tmp_path / "without")


def test_a_manifest_of_a_release_without_the_key_names_no_licence_and_still_has_its_recipe(tmp_path):
    rows = write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(i)} for i in range(5)])
    out, command = tmp_path / "out", ("none@1", "--input", rows, "--output", tmp_path / "out")
    curate(*command)
    for name in ("manifest.json", "manifests/000001.json"):
        made = json.loads((out / name).read_text())
        del made["plan"]["output"]["licence"]
        assert "licence" not in json.dumps(made["recipe"])
        (out / name).write_text(json.dumps(made))
    (out / "README.md").unlink()
    curate(*command)
    assert "license" not in _front((out / "README.md").read_text())
    old = json.loads((out / "manifest.json").read_text())["plan"]
    new = validate({"seed": 1, "output": {"signals": True}}, where="test").model_dump(mode="json")
    assert differences(decisive(old), decisive(new)) == ["output.signals: false → true", "seed: 0 → 1"]


def test_differences_are_told_in_the_words_of_a_plan():
    old = {"a": None, "b": False, "c": "text", "d": "1e3", "e": (1, 0.5), "f": "same"}
    new = {"a": 0.75, "b": {"x": True, "y": None}, "c": "two words", "d": "null", "e": [], "f": "same", "g": "é"}
    assert differences(old, new) == [
        "a: null → 0.75",
        "b: false → {x: true, y: null}",
        'c: text → "two words"',
        'd: "1e3" → "null"',
        "e: [1, 0.5] → []",
        "g: default → é",
    ]
