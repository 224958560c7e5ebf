"""An output that somebody else made runs nothing: plugins and models of its plan need `--trust`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from filters.models import places
from flows import savings
from flows.inspect import main
from pipeline.errors import Untrusted
from pipeline.plan import load
from tests.support import curate, prose, write_rows

PLUGIN = """
import pathlib
pathlib.Path(__file__).with_name("ran").touch()
from filters import fineweb
from dataclasses import replace
FILTER = replace(fineweb.FILTER, name="evil")
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output whose manifest says that its plan has a plugin."""
    folder = tmp_path_factory.mktemp("foreign")
    rows = write_rows(folder / "in" / "a.jsonl", [{"id": f"d{k}", "text": prose(k)} for k in range(3)])
    curate("none", "--input", rows, "--output", folder / "out")
    (folder / "evil_plug.py").write_text(PLUGIN)
    changed(folder / "out", plugins=["evil_plug"])
    return folder / "out"


def changed(out: Path, **keys: Any) -> None:
    made = json.loads((out / "manifests" / "000001.json").read_text())
    made["plan"] |= keys
    for name in ("manifests/000001.json", "manifest.json"):
        (out / name).write_text(json.dumps(made))


@pytest.mark.parametrize(
    "command",
    [
        ["browse"],
        ["why", "--text", "Buy now"],
        ["sweep", "filters.gopher_quality.min_words=20:40:10"],
        ["compare", "--set", "filters.gopher_quality.min_words=20"],
        ["takedown", "--domain", "bad.example", "--dry-run"],
    ],
    ids=lambda command: command[0],
)
def test_no_command_imports_the_plugins_of_an_output_that_is_not_trusted(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.syspath_prepend(str(out.parent))
    assert main([*command, "--output", str(out)]) == 2
    said = capsys.readouterr().err
    assert "evil_plug" in said and "--trust" in said
    assert "evil_plug" not in sys.modules and not (out.parent / "ran").exists()


def test_nor_does_a_measurement_of_variants(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for asked in (["--sweep", "dedup=true,false"], ["--by-reason"]):
        target = ["--target", str(out.parent / "in" / "a.jsonl"), "--inline"]
        from pipeline.savings import lacking

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(lacking, "LEAST_BYTES", {"ngram": 0})
            assert savings.main([str(out), *asked, *target]) == 2
        assert "--trust" in capsys.readouterr().err and "evil_plug" not in sys.modules


def test_what_needs_no_plugin_works_without_and_with_trust_it_is_imported(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(out.parent))
    assert main(["--output", str(out), "compare", str(out)]) == 0
    assert not (out.parent / "ran").exists()
    main(["--output", str(out), "why", "--text", "Buy now", "--trust"])
    assert (out.parent / "ran").exists()
    sys.modules.pop("evil_plug", None)


@pytest.mark.parametrize(
    "filters", [{"quality": {"model": "hf://org/name/model.ftz"}}, {"quality": {"min_score": 1, "other": "hf://org/name@x/f"}}]
)
def test_a_model_of_the_hub_is_not_fetched(monkeypatch: pytest.MonkeyPatch, filters: dict[str, Any]) -> None:
    monkeypatch.setattr(places, "_fetch", lambda *_, **__: pytest.fail("fetched"))
    with pytest.raises(Untrusted, match=r"hf://org/name.*would fetch.*--trust"):
        load.of_output({"filters": filters}, where="out", trusted=False)


@pytest.mark.parametrize("plan", [{}, {"filters": None}, {"filters": {"quality": {"model": "readers"}}}, {"plugins": []}])
def test_a_plan_that_names_neither_needs_no_trust(plan: dict[str, Any]) -> None:
    load.refuse_untrusted(plan, where="out")
