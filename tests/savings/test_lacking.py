"""What a measurement lacks is said at once, before anything is imported that takes long, and says what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import NotInstalled, UsageError
from pipeline.savings import lacking
from tests.support import ROOT


def output(folder: Path, *, kept: int = 10**9, live: tuple[int, ...] = (1,)) -> Path:
    """What is looked at of an output."""
    (folder / "manifests").mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"generation": 1, "live": live, "final_bytes": {"kept": kept}}))
    return folder


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Any:
    def installed(there: bool) -> None:
        monkeypatch.setattr(lacking.importlib.util, "find_spec", lambda name: object() if there else None)

    return installed


def refuse(out: Path | str, tier: str = "cpu", **asked: Any) -> None:
    lacking.refuse(lacking.Asked(str(out), tier, **asked))


def test_no_torch_is_said_first_with_what_to_install_and_the_tier_that_needs_none(tmp_path, torch):
    torch(False)
    with pytest.raises(NotInstalled, match=r"pip install 'winnow-curation\[savings\]', or --tier ngram"):
        refuse(tmp_path / "not there")
    refuse(output(tmp_path / "out"), "ngram")


@pytest.mark.parametrize("tier", ["ngram", "cpu"])
def test_no_output_and_no_target_are_named(tmp_path, torch, tier):
    torch(True)
    with pytest.raises(UsageError, match="curate into it first"):
        refuse(tmp_path / "nosuch", tier)
    out = output(tmp_path / "out")
    with pytest.raises(UsageError, match=r"--target gone\.jsonl: no such file; name held-out text"):
        refuse(out, tier, targets=("gone.jsonl",))
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(UsageError, match=r"empty\.jsonl: the file is empty; name held-out text"):
        refuse(out, tier, targets=(str(tmp_path / "empty.jsonl"),))
    refuse(out, tier, targets=(str(out / "metrics.json"), "s3://bucket/target.jsonl", str(tmp_path / "held/*.jsonl")))


@pytest.mark.parametrize(
    ("tier", "kept", "said"),
    [
        ("cpu", 699_999, "699,999 bytes of kept text are too little for --tier cpu (700,000); --tier ngram does with less"),
        ("cpu", 700_000, None),
        ("cpu", 99_999, "too little for --tier cpu (700,000)"),
        ("ngram", 99_999, "too little for --tier ngram (100,000)"),
        ("ngram", 100_000, None),
        ("own trainer", 1, None),
    ],
)
def test_too_little_text_is_told_from_metrics_json(tmp_path, torch, tier, kept, said):
    torch(True)
    out = output(tmp_path / "out", kept=kept)
    if said is None:
        refuse(out, tier)
        return
    with pytest.raises(UsageError) as error:
        refuse(out, tier)
    assert said in str(error.value)
    assert ("ngram does" in str(error.value)) == (tier == "cpu" and kept >= 100_000)


def test_draws_that_were_asked_for_are_what_text_is_needed_for(tmp_path):
    out = output(tmp_path / "out", kept=60_000)
    refuse(out, "ngram", draws=3)
    with pytest.raises(UsageError, match=r"--tier ngram \(80,000\)"):
        refuse(out, "ngram", draws=4)


@pytest.mark.parametrize("option", ["--sweep", "--by-reason"])
def test_a_choice_of_plans_needs_a_target_and_a_plan_that_cannot_be_read_is_left_to_the_measurement(tmp_path, option):
    out = output(tmp_path / "out")
    refuse(out, "ngram", choice=option)
    for named, refused in (([], True), (["web.jsonl"], False)):
        (out / "manifest.json").write_text(json.dumps({"plan": {"compute": {"targets": named}}}))
        if refused:
            with pytest.raises(UsageError, match=f"{option}: name a target"):
                refuse(out, "ngram", choice=option)
        else:
            refuse(out, "ngram", choice=option)
    refuse(out, "ngram", choice=option, targets=(str(out / "manifest.json"),))


def test_what_metrics_json_cannot_tell_is_left_to_the_measurement(tmp_path, torch):
    torch(True)
    refuse(output(tmp_path / "several", kept=1, live=(1, 2)))
    refuse("s3://bucket/out")
    refuse(tmp_path / "nosuch", files_alone=True)
    broken = output(tmp_path / "broken")
    (broken / "metrics.json").write_text("{")
    refuse(broken)


def test_the_command_refuses_without_loading_what_it_would_need(tmp_path):
    """Before: 10 s until an output was missed, 15 s until torch was."""
    out = output(tmp_path / "out")
    (out / "manifest.json").write_text(json.dumps({"plan": {"compute": {"targets": []}}}))
    for name, arguments in (("flows.savings", [out, "--sweep", "a=1,2"]), ("flows.proxy", [tmp_path / "nosuch"])):
        shown = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", name, *map(str, arguments)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert shown.returncode == 2 and ("name a target" if out in arguments else "no output of Winnow") in shown.stderr
        assert ("this name goes with the next release" in shown.stderr) == (name == "flows.proxy")
        for heavy in ("polars", "pyarrow", "prefect", "numba", "numpy", "pydantic", "matplotlib"):
            assert f"| {heavy}\n" not in shown.stderr.replace("  ", " ").replace("  ", " "), heavy
