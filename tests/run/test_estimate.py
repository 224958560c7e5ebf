"""--sample: an early look at whole units that publishes nothing and whose facts the run uses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.machine.meter import Phases
from pipeline.machine.resources import Cpu
from pipeline.run import forecast, scaling
from pipeline.run.forecast import Figure, Piece
from pipeline.run.scaling import Costs, Measured
from pipeline.stages import sampling
from tests.support import SAMPLE, examples, prose, winnow, write_rows

SETTINGS = ("filters.gopher_quality={}", "source.unit_bytes=20000", "checks.plants=0")
PLAN = tuple(part for setting in SETTINGS for part in ("--set", setting))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    rows = [{"text": prose(k) if k % 4 else "too short"} for k in range(400)]
    return write_rows(tmp_path / "in" / "a.jsonl", [*rows, rows[1], rows[2]])


def look(capsys, tmp_path: Path, text: Path, share: str, *more: str) -> dict:
    command = ("none", "--input", text, "--output", tmp_path / "out", *PLAN)
    ran = winnow(capsys, *command, "--sample", share, "--json", *more)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: Path, *more: str) -> Any:
    """metrics.json of the run that follows."""
    ran = winnow(capsys, "none", "--input", text, "--output", tmp_path / "out", *PLAN, *more)
    assert ran.code == 0, ran.err
    return json.loads((tmp_path / "out" / "metrics.json").read_text())


def test_nothing_is_published_and_the_run_reads_nothing_again(capsys, tmp_path, text):
    found = look(capsys, tmp_path, text, "1")
    assert found["units"][0] == found["units"][1] > 5
    assert found["rows"] == 402
    assert found["kept"]["value"] == 302 / 402
    assert found["reasons"]["gopher_quality.too_few_words"]["value"] == 100 / 402
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".lock", ".winnow-output", ".work"]
    assert not [path for path in (tmp_path / "out" / ".work" / "staging").rglob("*") if path.is_file()]
    again = look(capsys, tmp_path, text, "1")
    assert again["kept"] == found["kept"] and again["disk_bytes"] == found["disk_bytes"]
    ran = winnow(capsys, "none", "--input", text, "--output", tmp_path / "out", *PLAN, "--explain")
    units = found["units"][1]
    assert f"{units} of {units} units were read before and scored" in ran.out and "new to it" not in ran.out


@pytest.mark.parametrize(
    ("share", "dedup"), [("0.6", "dedup=false"), ("0.6", "dedup.threshold=0.8"), ("1", "dedup.threshold=0.8")]
)
def test_counts_and_bytes_are_those_of_the_run_that_follows(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: Path, share: str, dedup: str
) -> None:
    found = look(capsys, tmp_path, text, share, "--set", dedup)
    made = run(capsys, tmp_path, text, "--set", dedup)
    out = tmp_path / "out"
    files, every = sum(file["bytes"] for file in made["files"]), made["cost"]["output_bytes"]
    written, work = (sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) for folder in (out, out / ".work"))
    truths = {
        ("documents", "read"): 402,
        ("documents", "kept by the filters"): 302,
        ("documents", "kept"): made["totals"]["kept"],
        ("disk_bytes", "shards"): files,
        ("disk_bytes", "index"): every - files,
        ("disk_bytes", "report"): written - work - every,
        ("disk_bytes", "output"): written - work,
        ("disk_bytes", "work directory"): work,
        ("disk_bytes", "both"): written,
    }
    figures = {place: figure for place in truths if (figure := found[place[0]][place[1]]) is not None}
    told = {place: figure["value"] for place, figure in figures.items() if Figure(**figure).sure}
    ranges = figures.keys() - told.keys()
    assert [place for place in ranges if not figures[place]["low"] <= truths[place] <= figures[place]["high"]] == []
    assert {place: value for place, value in told.items() if abs(value - truths[place]) > 0.2 * truths[place]} == {}
    part = share != "1" and dedup != "dedup=false"
    assert truths.keys() - figures.keys() == ({("documents", "kept")} if part else set()), (
        "what depends on copies in units that were not judged is not told"
    )
    assert (("disk_bytes", "index") in ranges) is part
    if share == "1":
        assert told[("documents", "kept")] == truths[("documents", "kept")] == 300
        assert told[("disk_bytes", "shards")] == files


@pytest.mark.slow
def test_sizes_of_the_sample_are_told_within_a_fifth(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = (SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", tmp_path / "out")
    ran = winnow(capsys, *command, "--sample", "1", "--json")
    assert ran.code == 0, ran.err
    told = {name: figure["value"] for name, figure in json.loads(ran.out)["disk_bytes"].items()}
    assert winnow(capsys, *command).code == 0
    out = tmp_path / "out"
    written, work = (sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) for folder in (out, out / ".work"))
    assert told["output"] == pytest.approx(written - work, rel=0.2)
    assert told["work directory"] == pytest.approx(work, rel=0.2)
    assert told["both"] == pytest.approx(written, rel=0.2) and told["peak"] > told["both"]


def test_an_empty_file_is_no_unit_that_is_never_judged(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: Path) -> None:
    (text.parent / "empty.jsonl").touch()
    found = look(capsys, tmp_path, text.parent, "1")
    assert found["units"][0] == found["units"][1] and found["documents"]["kept"] is not None
    ran = winnow(capsys, "none", "--input", text.parent, "--output", tmp_path / "out", *PLAN, "--sample", "1")
    assert "take a larger share" not in ran.out


def test_a_share_is_of_whole_units_and_its_interval_holds_the_truth(capsys, tmp_path, text):
    found = look(capsys, tmp_path, text, "0.6")
    assert 1 <= found["units"][0] < found["units"][1]
    assert found["kept"]["low"] <= 302 / 402 <= found["kept"]["high"]


def test_too_few_units_say_nothing_of_the_whole_and_what_is_not_known_is_named(capsys, tmp_path, text):
    found = look(capsys, tmp_path, text, "0.01")
    assert found["units"][0] == 1 and found["rows"] > 10
    assert found["disk_bytes"].pop("report")["high"] < 2e6, "what is written about a run depends little on how much it reads"
    nothing = {found["kept"], found["cpu_s"], *found["documents"].values(), *found["disk_bytes"].values()}
    assert nothing == {None}
    ran = winnow(capsys, "none", "--input", text, "--output", tmp_path / "out", *PLAN, "--sample", "0.01")
    assert ran.code == 0 and "read not known" in ran.out and "take a larger share" in ran.out


def test_a_larger_share_takes_in_a_smaller_one_and_other_seeds_choose_others():
    names = [f"in/a.jsonl unit {k}" for k in range(200)]
    small, large, other = (
        sampling.chosen(names, share=s, seed=seed, purpose="sample") for s, seed in ((0.1, 0), (0.3, 0), (0.1, 1))
    )
    assert small.sum() and not (small & ~large).any() and (small != other).any()


def _pieces(*seen: float | None, sizes: list[int] | None = None, strata: str = "") -> list[Piece]:
    sizes = sizes or [10] * len(seen)
    names = strata or "a" * len(seen)
    parts = zip(names, sizes, seen, strict=True)
    return [Piece(name, size, None if value is None else {"rows": 10.0, "kept": value}) for name, size, value in parts]


def test_what_was_judged_whole_is_known_exactly():
    pieces = _pieces(3.0, 9.0, sizes=[10, 50])
    assert forecast.total(pieces, "kept") == Figure(12, 12, 12)
    assert forecast.share(pieces, "kept") == Figure(0.6, 0.6, 0.6)


def test_the_interval_is_as_wide_as_units_differ():
    same = _pieces(*[5.0] * 20, *[None] * 20)
    apart = _pieces(*[0.0, 10.0] * 10, *[None] * 20)
    assert forecast.share(same, "kept") == Figure(0.5, 0.5, 0.5) and forecast.total(same, "kept") == Figure(200, 200, 200)
    found = forecast.share(apart, "kept")
    # A mean of 20 of 40 units of standard deviation 0.513: Student's 2.093 x 0.513 / sqrt(20) x sqrt(1 - 20 / 40) to each side.
    assert found is not None and found.value == 0.5 and np.allclose([0.5 - found.low, found.high - 0.5], 0.1698, atol=2e-4)
    assert forecast.told(found) is None and forecast.told(forecast.share(same, "kept")) is not None


def test_a_compressed_stratum_says_nothing_of_a_plain_one():
    sizes, strata = [10] * 12 + [40] * 12, "z" * 12 + "p" * 12
    seen = [*[20.0] * 6, *[None] * 6, *[10.0] * 6, *[None] * 6]
    found = forecast.total(_pieces(*seen, sizes=sizes, strata=strata), "kept")
    assert found == Figure(360, 360, 360)


@examples(0.1)
@given(st.integers(0, 2**32 - 1))
def test_nine_of_ten_intervals_hold_the_truth(seed: int) -> None:
    """Of 200 draws of 12 of 60 unlike pieces; hypothesis chooses the pieces."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, 50, 60)
    kept = sizes * rng.uniform(0.2, 1.0, 60)
    hits = 0
    for _ in range(200):
        judged = set(rng.choice(60, 12, replace=False).tolist())
        seen = [float(kept[k]) if k in judged else None for k in range(60)]
        found = forecast.total(_pieces(*seen, sizes=sizes.tolist()), "kept")
        assert found is not None
        hits += found.low <= kept.sum() <= found.high
    assert hits >= 0.87 * 200


@pytest.mark.parametrize(("degrees", "wanted"), [(4, 2.776), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)])
def test_the_quantile_is_student_s(degrees: int, wanted: float) -> None:
    assert forecast._quantile(degrees) == pytest.approx(wanted, rel=0.02)


def _spent(**seconds: float) -> Phases:
    return Phases(Cpu(0, 0), seconds, dict.fromkeys(seconds, 0.0))


def test_what_a_run_takes_once_is_not_scaled_and_what_was_judged_is_not_judged_again():
    spent = _spent(imports=1.0, plan=0.5, scan=40.0, annotate=10.1, dedup=1.1, count=0.0, write=1.06, index=0.0, page=1.0)
    spent.own["count"] = 1.0 + scaling.FIRST_S["count"]
    costs = Costs(spent, compile_s=39.0, new=True, end_s=0.2)
    measured = Measured(False, {}, 0, 0, 0, duplicates=0, dedup=True, selects=False, rejected=True)
    pieces = [Piece("a", 10, {"rows": 10.0, "kept": 5.0, "text": 10.0} if k % 4 == 0 else None) for k in range(40)]
    found = scaling.processor(pieces, measured, costs)
    once = 1.0 + 0.5 + 1.0 + 0.3 + 1.0 + 0.2 + sum(scaling.FIRST_S.values())
    assert found is not None and found.value == pytest.approx(once + 10.0 * 3 + (1.0 + 1.0 + 1.0) * 4)
    assert scaling.processor(pieces, measured, replace(costs, new=False)) is None
    done = scaling.processor(pieces, replace(measured, whole=True), costs)
    assert done is not None and done.value == pytest.approx(once + 2.0)


@pytest.mark.parametrize("share", ["0", "-1", "1.01"])
def test_a_share_is_more_than_nothing_and_at_most_all(capsys, tmp_path, text, share):
    ran = winnow(capsys, "none", "--input", text, "--output", tmp_path / "out", "--sample", share)
    assert ran.code == 2 and "--sample" in ran.err
