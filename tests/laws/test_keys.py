"""Law 3, the keys: a table's name changes with everything that the table depends on, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pipeline.plan import load, recipe
from pipeline.plan.recipe import ActiveFilter, Recipe
from pipeline.read.files import InputFile
from pipeline.read.units import Unit
from pipeline.stages.unit import tables as unit
from pipeline.stages.unit.tables import Names
from pipeline.store import keys
from pipeline.text import normalise

MODELS = {"quality", "toxicity", "adult"}
ALL_SIGNALS = {"language", "gopher_quality", "gopher_repetition", *MODELS}
OF_TEXT = {"final", *ALL_SIGNALS, "verdicts", "sign", "tokens"}


def planned(*assignments: str) -> Recipe:
    made = recipe.resolve(load.load_plan("default", assignments=assignments).plan)
    return replace(made, tokenizer="11" * 32)


def piece(**changes: object) -> Unit:
    settings = {
        "source": "crawl",
        "priority": 0,
        "url": "/in/a.jsonl",
        "path": "in/a.jsonl",
        "format": "jsonl",
        "compression": None,
        "size": 100,
        "text": "text",
        "id": "id",
        "unit_bytes": 64_000_000,
        "max_row_bytes": 64_000_000,
        "max_bad_fraction": 0.01,
    }
    file = InputFile(**{**settings, **changes})  # type: ignore[arg-type]
    return Unit(file, "blake2b:00", 0, 0, 100, 1)


def of(made: Names, known: Recipe) -> dict[str, str | None]:
    signals = {item.filter.name: name for item, name in zip(known.filters, made.signals, strict=True)}
    return {name: getattr(made, name) for name in ("documents", "bad", "final", "verdicts", "sign", "tokens")} | signals


def changed(before: Recipe, after: Recipe) -> set[str]:
    """Which tables of one unit have other names under the other recipe."""
    one, other = of(unit.names(piece(), before), before), of(unit.names(piece(), after), after)
    assert one.keys() == other.keys()
    return {name for name in one if one[name] != other[name]}


def altered(made: Recipe, name: str, alter: Callable[[ActiveFilter], ActiveFilter]) -> Recipe:
    return replace(made, filters=tuple(alter(item) if item.filter.name == name else item for item in made.filters))


@pytest.fixture(scope="module")
def default() -> Recipe:
    return planned()


def test_the_default_plan_has_a_table_for_each_of_its_filters(default):
    assert {item.filter.name for item in default.filters} == ALL_SIGNALS
    assert changed(default, planned()) == set()


@pytest.mark.parametrize(
    ("assignments", "tables"),
    [
        (["edits.pii.email=false"], OF_TEXT - {"language"}),
        (["filters.gopher_quality.min_words=49"], {"verdicts"}),
        (["filters.quality.action=annotate"], {"verdicts"}),
        (["filters.gopher_quality.profile=datatrove"], {"gopher_quality", "verdicts"}),
        (["audit_fraction=0.5"], {"verdicts"}),
        (["audit_fraction=0", "seed=5"], set()),
        (["dedup.hash=datasketch"], {"sign"}),
        (["dedup.ngram=7"], {"sign"}),
        (["dedup.bands=[2, 3]"], {"sign"}),
        (["dedup.bucket_cap=7"], set()),
        (["dedup.similarity=containment"], set()),
        (["output.shard_bytes=1MB", "compute.mfu=0.3", "checks.max_change=0.9"], set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_key_of_the_plan_renames_what_depends_on_it_alone(default, assignments: Sequence[str], tables: set[str]):
    assert changed(default, planned(*assignments)) == tables


def test_another_model_renames_its_signals_and_those_that_need_them(default):
    def other(item: ActiveFilter) -> ActiveFilter:
        return replace(item, files=(*item.files[:-1], "22" * 32))

    assert changed(default, altered(default, "quality", other)) == {"quality", "verdicts"}
    needing = {item.filter.name for item in default.filters if "language" in item.filter.needs}
    assert needing >= {"gopher_quality", *MODELS}
    assert changed(default, altered(default, "language", other)) == {"language", "verdicts", *needing}


def test_a_new_version_of_a_filter_renames_its_signals(default):
    def newer(item: ActiveFilter) -> ActiveFilter:
        return replace(item, filter=replace(item.filter, version=item.filter.version + 1))

    assert changed(default, altered(default, "gopher_repetition", newer)) == {"gopher_repetition", "verdicts"}


def test_another_tokenizer_renames_token_counts(default):
    assert changed(default, replace(default, tokenizer="33" * 32)) == {"tokens"}


def test_tombstones_rename_verdicts(default):
    stones = [replace(default, tombstones=SimpleNamespace(hash=name)) for name in ("44" * 16, "55" * 16)]
    assert changed(default, stones[0]) == {"verdicts"}
    assert changed(*stones) == {"verdicts"}


def test_a_new_version_of_normalise_renames_everything_and_is_another_recipe(default, monkeypatch):
    before = of(unit.names(piece(), default), default)
    monkeypatch.setattr(normalise, "VERSION", normalise.VERSION + 1)
    after = of(unit.names(piece(), default), default)
    assert {name for name in before if before[name] != after[name]} == {"documents", "bad", *OF_TEXT}
    assert planned().hash != default.hash


@pytest.mark.parametrize("package", ["schema", "normalise", "final", "units", "DECIDE_VERSION"])
def test_a_recipe_names_the_version_of_each_step(default, monkeypatch, package):
    owner, name = (recipe, package) if package == "DECIDE_VERSION" else (getattr(recipe, package), "VERSION")
    monkeypatch.setattr(owner, name, getattr(owner, name) + 1)
    assert planned().hash != default.hash


def test_the_size_of_units_is_part_of_what_a_stream_is_read_as_and_of_no_split_file(default):
    def documents(**changes: object) -> str:
        return unit.names(piece(**changes), default).documents

    assert documents(unit_bytes=5) == documents(unit_bytes=6)
    for streamed in ({"compression": "gzip"}, {"format": "csv"}, {"format": "warc"}):
        assert documents(unit_bytes=5, **streamed) != documents(unit_bytes=6, **streamed), streamed


def test_a_key_is_the_hash_of_canonical_json():
    assert keys.key("a", {"b": 1, "c": [2.5, None, "é"]}) == "8a92eb0240aceb8d1e460844725ec2b2"
    assert keys.key({"c": 2, "b": 1}) == keys.key({"b": 1, "c": 2})
    assert len({keys.key(), keys.key("a"), keys.key(["a"]), keys.key("a", None)}) == 4
