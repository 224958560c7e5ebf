"""--sample: an early look at whole units that publishes nothing and whose facts the run uses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.run import estimate
from pipeline.stages import sampling
from tests.support import prose, winnow, write_rows

pytestmark = pytest.mark.usefixtures("blank_charts")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    rows = [{"text": prose(k) if k % 4 else "too short"} for k in range(400)]
    return write_rows(tmp_path / "in" / "a.jsonl", [*rows, rows[1], rows[2]])


def look(capsys, tmp_path: Path, text: Path, share: str, *more: str) -> dict:
    command = ("none", "--input", text, "--output", tmp_path / "out", "--set", "filters.gopher_quality={}")
    ran = winnow(capsys, *command, "--set", "source.unit_bytes=20000", "--sample", share, "--json", *more)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_nothing_is_published_and_the_run_reads_nothing_again(capsys, tmp_path, text):
    found = look(capsys, tmp_path, text, "1")
    assert found["units"][0] == found["units"][1] > 5
    assert found["rows"] == 402
    assert found["kept"][0] == 302 / 402 and found["reasons"]["gopher_quality.too_few_words"][0] == 100 / 402
    assert found["exact_duplicates"] == 2 / 402
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".lock", ".work"]
    again = look(capsys, tmp_path, text, "1")
    assert again["seconds"] is None and again["kept"] == found["kept"]
    text.write_bytes(text.read_bytes())
    plan = ("none", "--input", text, "--output", tmp_path / "out", "--set", "filters.gopher_quality={}")
    ran = winnow(capsys, *plan, "--set", "source.unit_bytes=20000", "--explain")
    units = found["units"][1]
    assert f"{units} of {units} units have verdicts" in ran.out


def test_a_share_is_of_whole_units_and_its_interval_holds_the_truth(capsys, tmp_path, text):
    found = look(capsys, tmp_path, text, "0.5")
    assert 1 <= found["units"][0] < found["units"][1]
    share, low, high = found["kept"]
    assert low <= share <= high and low <= 302 / 402 <= high


def test_a_larger_share_takes_in_a_smaller_one_and_other_seeds_choose_others():
    names = [f"in/a.jsonl unit {k}" for k in range(200)]
    small, large, other = (
        sampling.chosen(names, share=s, seed=seed, purpose="sample") for s, seed in ((0.1, 0), (0.3, 0), (0.1, 1))
    )
    assert small.sum() and not (small & ~large).any() and (small != other).any()


def test_the_interval_is_as_wide_as_units_differ():
    same = [estimate._Counts(10, 5, {})] * 20
    apart = [estimate._Counts(10, k, {}) for k in (0, 10)] * 10
    assert estimate._share([c.kept for c in same], same) == (0.5, 0.5, 0.5)
    value, low, high = estimate._share([c.kept for c in apart], apart)
    assert value == 0.5 and low is not None and high is not None
    # The bootstrap of a mean of 20 units of standard deviation 0.5: 1.96 x 0.5 / sqrt(20) on each side.
    assert np.allclose([0.5 - low, high - 0.5], 0.22, atol=0.04)


@pytest.mark.parametrize("share", ["0", "-1", "1.01"])
def test_a_share_is_more_than_nothing_and_at_most_all(capsys, tmp_path, text, share):
    ran = winnow(capsys, "none", "--input", text, "--output", tmp_path / "out", "--sample", share)
    assert ran.code == 2 and "--sample" in ran.err
