"""Law 2: the same bytes in data/, rejected/ and ledger/, whatever the workers, units, listing order, or compression."""

import random
import shutil

import pytest

from tests.support import SAMPLE, curate, digests


@pytest.mark.parametrize(
    ("arguments", "workers"),
    [
        pytest.param([], 1, id="one worker"),
        pytest.param(["--set", "source.unit_bytes=40000", "--clean"], 3, id="units of 40 kB, three workers"),
    ],
)
def test_workers_and_unit_sizes_change_no_byte(curated, tmp_path, arguments, workers):
    out = tmp_path / "out"
    curate(SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", out, *arguments, workers=workers)
    assert digests(out) == digests(curated)


def test_many_units_and_a_folder_of_signals_change_no_byte(curated, measured, cut_small):
    assert digests(measured) == digests(cut_small) == digests(curated)


def test_the_order_in_which_files_are_named_changes_no_byte(curated, tmp_path):
    files = sorted((SAMPLE / "input").iterdir())
    random.Random(3).shuffle(files)
    curate(SAMPLE / "plan.yaml", "--input", *files, "--output", tmp_path / "out")
    assert digests(tmp_path / "out") == digests(curated)


def test_another_work_directory_and_a_second_replace_give_the_same_rows(curated, tmp_path):
    import json

    out = tmp_path / "out"
    arguments = (SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", out, "--work", tmp_path / "work")
    curate(*arguments)
    assert digests(out) == digests(curated)
    first = json.loads((out / "manifest.json").read_text())
    shutil.rmtree(tmp_path / "work")
    curate(*arguments, "--replace", "--set", "output.keep_replaced=false")
    second = json.loads((out / "manifest.json").read_text())
    assert (first["generation"], second["generation"], second["live"]) == (1, 2, [2])
    assert first["content_sha256"]["data"] == second["content_sha256"]["data"]
    assert not list((out / "data").glob("*-g0001.parquet"))
