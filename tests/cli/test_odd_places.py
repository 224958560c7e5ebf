"""Every command works on every output, whatever its path holds: a path is a name, never a pattern, a URL, a format or markup."""

from __future__ import annotations

import html
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient

from flows import curate, deploy, inspect, savings, train
from flows.serving import roots
from pipeline.inspect import output as opened
from pipeline.inspect.page.app import application
from pipeline.plan.paths import with_absolute_paths, with_names_only
from pipeline.read.expansion import expand
from pipeline.read.source import Source
from pipeline.store.places import absolute
from pipeline.store.store import open_store
from tests.support import prose, table, write_rows

PLACE = "a[b][/bold]{c}{0}*?%20%s #é~"
"""Wildcards of polars, fsspec and the shell, markup of rich, formats of Python, escapes of URLs."""
NAMES = (
    "a[b]{c}{0}*?%20%s #é~",
    "[x]",
    "year=2024",
    "-dash",
    "~tilde",
    "trail ",
    "new\nline",
    "emoji😀",
    "s3:",
    "<b>&amp;",
    "dots..dir",
)
TEXTS = [{"id": f"d{i}", "text": prose(i), "url": f"https://a.example/{i}"} for i in range(40)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with an odd place in it: a plan that names it by relative paths, and an output that was made from there."""
    root = tmp_path_factory.mktemp("odd")
    write_rows(root / PLACE / "in/f[1].jsonl", [*TEXTS, {"id": "short", "text": "too short"}, {"id": "copy", "text": prose(3)}])
    write_rows(root / PLACE / "held.jsonl", [{"text": prose(i)} for i in range(900, 930)])
    frame = pl.DataFrame({"id": [f"d{i}" for i in range(40)], "liked": [float(i) for i in range(40)]})
    frame.write_parquet(root / PLACE / "scores.parquet")
    plan = {
        "source": {"paths": [f"{PLACE}/in/f[[]*.jsonl"], "name": "odd"},
        "annotations": [{"path": f"{PLACE}/scores.parquet", "on": ["id"], "columns": {"liked": "float32"}}],
        "compute": {"targets": [f"{PLACE}/held.jsonl"]},
        "checks": {"plants": 0},
    }
    (root / PLACE / "plan.yaml").write_text(json.dumps(plan))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert curate.main([f"{PLACE}/plan.yaml", "--output", f"{PLACE}/out/", "--inline"]) == 0
    yield root


@pytest.fixture
def out(made: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The output, named by its absolute path, in another current folder."""
    monkeypatch.chdir("/")
    return str(made / PLACE / "out")


COMMANDS: dict[str, tuple[Any, list[str]]] = {
    "why": (inspect, ["why", "d1"]),
    "why of a text": (inspect, ["why", "--text", prose(1)]),
    "review": (inspect, ["review", "--reason", "kept", "-n", "2"]),
    "sweep": (inspect, ["sweep", "filters.gopher_quality.min_words=20:80:20"]),
    "compare thresholds": (inspect, ["compare", "--set", "filters.gopher_quality.min_words=60"]),
    "compare outputs": (inspect, ["compare", "OUT"]),
    "savings": (savings, ["OUT", "--inline", "--workers", "1", "--draws", "2"]),
    "export": (savings, ["export-arms", "OUT", "--tokens", "20000", "--workers", "1", "--to", "OUT/../arms"]),
    "explain": (curate, ["OUT/plan.resolved.yaml", "--explain"]),
    "sample": (curate, ["OUT/plan.resolved.yaml", "--sample", "1"]),
    "again": (curate, ["OUT/plan.resolved.yaml", "--inline"]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_works_on_an_output_in_an_odd_place(
    name: str, out: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command, given = COMMANDS[name]
    monkeypatch.setattr("sys.stdin", io.StringIO("gb"))
    place = [] if command is savings else ["--output", out]
    code = command.main([*place, *(word.replace("OUT", out) for word in given)])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    if name == "again":
        assert f"nothing new: {out} stays" in shown.out  # the very inputs, found again from another folder


def test_what_was_taken_down_in_an_odd_place_is_gone(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = shutil.copytree(made / PLACE, tmp_path / PLACE) / "out"
    keys = write_rows(tmp_path / PLACE / "keys", [b"d7"])
    assert inspect.main(["--output", f"{out}/", "takedown", "--keys", str(keys), "--yes"]) == 0
    assert "d7" not in table(out, "data")["id"].to_list() and "taken_down" in table(out, "ledger")["reason"].to_list()
    assert inspect.main(["--output", str(out), "takedown", "--domain", "a.example", "--dry-run"]) == 0
    assert "40 documents would be taken down" in capsys.readouterr().out


def test_the_page_and_the_report_of_an_odd_place_escape_it(out: str) -> None:
    app = application(opened.open_output_of(out), token="t", port=8765)
    with TestClient(app, base_url="http://127.0.0.1:8765/t/") as page:
        for address in ("", "documents", "thresholds"):
            assert page.get(address).status_code == 200
    assert "pretty_name" in (Path(out) / "README.md").read_text("utf-8")


def test_the_resolved_plan_is_absolute_and_what_is_shown_to_others_names_no_folder(out: str, made: Path) -> None:
    resolved = (Path(out) / "plan.resolved.yaml").read_text("utf-8")
    assert resolved.count(str(made)) == 3  # source, scores, target
    for page in ("README.md", "metrics.json"):
        assert str(made) not in (Path(out) / page).read_text("utf-8"), page
    report = html.unescape((Path(out) / "report.html").read_text("utf-8"))
    assert out in report and str(made) not in report.replace(out, ""), "its commands name the output, and no input's folder"


def test_a_deployment_of_an_odd_place_has_that_place_as_its_root(out: str, made: Path) -> None:
    given = ["--plan", f"{out}/plan.resolved.yaml", "--input", str(made / PLACE / "in/*.jsonl"), "--output", out]
    prepared = deploy.prepare(deploy.parser().parse_args(given))
    assert str(made / PLACE / "in") in prepared.roots and str(made) not in prepared.roots


def test_a_classifier_is_trained_from_an_odd_place_into_one(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = made / PLACE
    examples = ["--positive", str(place / "held.jsonl"), "--negative", "corpus", "--corpus", str(place / "out")]
    assert train.main(["quality", *examples, "--output", str(place / "models")]) == 2
    assert "too few positive examples: 30; about 260" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_a_table_and_an_input_in_any_folder_are_found_by_their_name(name: str, tmp_path: Path) -> None:
    write_rows(tmp_path / name / "f.jsonl", [{"text": "x"}])
    write_rows(tmp_path / "b/f.jsonl", [{"text": "not asked for"}])  # what `[x]` and `*` would be patterns of
    for path in (name, f"{name}/", f"{name}/f.jsonl", f"{name}/*.jsonl", f"./{name}/**/f.jsonl"):
        assert [file.path for file in expand([Source(paths=(path,))], base=tmp_path).files] == [f"{name}/f.jsonl"], path
    store = open_store(str(tmp_path / name))
    store.write_table("t.parquet", pl.DataFrame({"a": [1]}).to_arrow())
    assert store.scan(["t.parquet"]).collect().to_dict(as_series=False) == {"a": [1]}
    assert roots.fixed_part(f"{tmp_path}/{name}/*.jsonl") == f"{tmp_path}/{name}"


def test_a_folder_that_is_called_as_a_wildcard_alone_stays_a_wildcard(tmp_path: Path) -> None:
    for folder in ("*", "b"):
        write_rows(tmp_path / folder / "f.jsonl", [{"text": "x"}])
    assert len(expand([Source(paths=("*/*.jsonl",))], base=tmp_path).files) == 2


@pytest.mark.parametrize(
    ("path", "full"),
    [
        ("x/y", "/base/x/y"),
        ("./x/", "/base/x"),
        ("~/x", "/me/x"),
        ("~nobody-has-this-name/x", "/base/~nobody-has-this-name/x"),
        ("/a/[b]/*.jsonl", "/a/[b]/*.jsonl"),
        ("file:///a/b", "/a/b"),
        ("s3://bucket/~/x", "s3://bucket/~/x"),
        ("hf://ORG/NAME/model.bin", "hf://ORG/NAME/model.bin"),
    ],
)
def test_a_path_starts_at_the_current_folder_or_at_home(path: str, full: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/me")
    assert absolute(path, Path("/base")) == full


def test_every_path_of_a_plan_is_made_absolute_and_named() -> None:
    plan: dict[str, Any] = {
        "source": [{"paths": ["in/*.gz", "s3://b/k"], "name": None}],
        "filters": {"quality": {"model": "m/q.ftz", "min_score": 0.2}, "language": None, "toxicity": {"model": "hf://O/N/t.bin"}},
        "output": {"tokenizer": "t/tokenizer.json"},
        "annotations": [{"path": "s.parquet", "on": ["id"]}],
        "compute": {"targets": ["held.jsonl"]},
        "seed": 0,
    }
    here = Path.cwd()
    assert with_absolute_paths(plan) == {
        "source": [{"paths": [f"{here}/in/*.gz", "s3://b/k"], "name": None}],
        "filters": plan["filters"] | {"quality": {"model": f"{here}/m/q.ftz", "min_score": 0.2}},
        "output": {"tokenizer": f"{here}/t/tokenizer.json"},
        "annotations": [{"path": f"{here}/s.parquet", "on": ["id"]}],
        "compute": {"targets": [f"{here}/held.jsonl"]},
        "seed": 0,
    }
    assert with_names_only(with_absolute_paths(plan)) == with_names_only(plan)
    assert with_names_only(plan)["filters"]["quality"]["model"] == "q.ftz"


@pytest.mark.parametrize(
    ("model", "full"),
    [
        ("readers", "readers"),
        ("toxicity@2", "toxicity@2"),
        ("eldc", "eldc"),
        ("readers.ftz", "{here}/readers.ftz"),
        ("./readers", "{here}/readers"),
    ],
)
def test_the_name_of_a_model_is_no_path(model: str, full: str) -> None:
    plan = {"filters": {"quality": {"model": model}}}
    assert with_absolute_paths(plan) == {"filters": {"quality": {"model": full.format(here=Path.cwd())}}}


def test_an_argument_that_looks_like_an_option_is_told_how_to_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        curate.main(["--output", "-dash"])
    assert "a name that begins with - is written ./-name" in capsys.readouterr().err
