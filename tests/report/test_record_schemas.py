"""manifest.json and metrics.json have the schemas in docs/, and read back as they were written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from pipeline.output.manifest import Manifest
from pipeline.records.metrics_json import Metrics
from tests.docs import schemas
from tests.support import ROOT, curate, prose, write_rows

RECORDS = {"manifest": Manifest, "metrics": Metrics}


@pytest.fixture(scope="module")
def outputs(curated: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The sample's output, and one with a selection, a second generation, and a changed input."""
    folder = tmp_path_factory.mktemp("schemas")
    for first in (0, 500):
        write_rows(folder / "in" / f"{first}.jsonl", [{"text": prose(first + i)} for i in range(20)])
        chosen = ("--set", "select.keep_top.share=0.5", "--set", "select.score=language_score")
        curate("default", "--input", folder / "in", "--output", folder / "small", *chosen)
    return [curated, folder / "small"]


def _schema(name: str) -> dict:
    return json.loads((ROOT / schemas.FOLDER / f"{name}.schema.json").read_text("utf-8"))


@pytest.mark.parametrize("name", schemas.SCHEMAS)
def test_the_committed_schemas_are_those_of_the_records(name):
    committed = (ROOT / schemas.FOLDER / name).read_text("utf-8")
    assert committed == schemas.text(schemas.SCHEMAS[name]), "make them: python -m tests.docs.schemas"


@pytest.mark.parametrize("name", RECORDS)
def test_what_a_run_writes_has_the_schema_and_every_key_of_it_is_known(name, outputs):
    schema = _schema(name)
    Draft202012Validator.check_schema(schema)
    for out in outputs:
        made = json.loads((out / f"{name}.json").read_text("utf-8"))
        Draft202012Validator(schema).validate(made)
        with pytest.raises(ValidationError):
            Draft202012Validator(schema).validate({**made, "unheard_of": 1})
        for key in made:
            with pytest.raises(ValidationError):
                Draft202012Validator(schema).validate({k: v for k, v in made.items() if k != key})


@pytest.mark.parametrize("name", RECORDS)
def test_what_is_read_back_is_written_again_as_it_was(name, outputs):
    for out in outputs:
        text = (out / f"{name}.json").read_text("utf-8")
        again = RECORDS[name].model_validate_json(text).model_dump(mode="json")
        order = {"indent": 1, "ensure_ascii": False, "sort_keys": name == "metrics"}
        assert json.dumps(again, **order) == text


def test_metrics_of_an_earlier_release_are_read_without_what_it_did_not_count(outputs):
    made = json.loads((outputs[0] / "metrics.json").read_text("utf-8"))
    del made["overlap"], made["crossed"], made["cost"]["stores"]
    for signal in made["signals"]:
        del signal["whole"], signal["limits"]
    read = Metrics.model_validate({**made, "schema_version": 1})
    assert (read.signals, read.overlap.reasons, read.crossed.cells, read.cost.stores) == ((), (), (), {})
    assert read.totals.model_dump() == made["totals"]


def test_an_earlier_releases_count_of_scratch_is_passed_over(outputs):
    made = json.loads((outputs[0] / "metrics.json").read_text("utf-8"))
    made["duplicates"]["scratch_bytes"] = 49152
    assert Metrics.model_validate(made) == Metrics.model_validate(
        {**made, "duplicates": {**made["duplicates"], "scratch_bytes": 1}}
    )
    assert "scratch_bytes" not in Metrics.model_validate(made).model_dump_json()
