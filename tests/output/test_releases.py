"""Files of other releases: a newer one's are refused by name, those of Winnow 0.1 are read.

`made_by_0_1.tar.xz` is what release 0.1.0 wrote: two generations of ten rows of ours, a document taken down (`d1-3`), its work
directory. Plan: `{extends: minimal, filters: {gopher_quality: {min_words: 30}}, output: {signals: true}, checks: {plants: 0}}`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.inspect import main as inspect
from pipeline.errors import Damaged, NewerRelease
from pipeline.output import manifest, tombstones
from pipeline.output.releases import refuse_newer
from pipeline.report import publish
from pipeline.stages.dedup.index import load_index
from pipeline.stages.unit import generations
from pipeline.store.store import open_output, open_store
from tests.support import PROSE, table, winnow, write_rows

MADE = Path(__file__).parent / "made_by_0_1.tar.xz"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(MADE) as file:
        file.extractall(folder, filter="data")
    return folder / "out"


@pytest.fixture
def out(old: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(old, tmp_path / "out"))


def test_an_output_of_0_1_is_read(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = open_output(str(old))
    made = manifest.load_all(store)
    assert [(m.schema_version, m.generation, m.live, m.output) for m in made] == [
        (1, 1, (1,), ""),
        (1, 2, (1, 2), ""),
        (1, 3, (1, 2), ""),
    ]
    known = tombstones.load_tombstones(store, manifest.takedowns(made))
    assert known is not None and len(known.contents) == 1 and not known.earlier
    assert [part.count for part in load_index(store, manifest.live(made)).parts] == [8, 8]  # numbers stay
    assert publish.metrics_of(store).all_generations.kept == 15
    assert len(generations.load(open_store(str(old / ".work")), "generations/000001.json")) == 1
    assert inspect(["--output", str(old), "why", "d2-short"]) == 0
    assert "gopher_quality.too_few_words" in capsys.readouterr().out


def test_a_run_over_it_says_what_differs_and_with_replace_keeps_out_what_was_taken_down(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = "".join(line for line in (out / "takedowns" / "000003.json").read_text().splitlines() if "d1-3" in line)
    assert taken
    rows = [{"id": "mine", "text": PROSE}]
    given = ["minimal", "--input", write_rows(out.parent / "in" / "b.jsonl", rows), "--output", out, "--set", "checks.plants=0"]
    refused = winnow(capsys, *given)
    assert refused.code == 2 and "made with another recipe" in refused.err and "use --replace" in refused.err
    ran = winnow(capsys, *given, "--replace")
    assert ran.code == 0, ran.err
    newest = manifest.load_all(open_output(str(out)))[-1]
    assert (newest.schema_version, newest.generation) == (manifest.SCHEMA_VERSION, 4) and newest.output
    assert table(out, "data")["id"].to_list() == ["mine"]
    assert json.loads((out / ".work" / ".winnow-work").read_text())["output"] == newest.output


def change(file: Path, **keys: Any) -> None:
    """Other values at dotted keys (`__` for the dot)."""
    made = json.loads(file.read_text())
    for dotted, value in keys.items():
        *outer, last = dotted.split("__")
        inner = made
        for key in outer:
            inner = inner[key]
        inner[last] = value
    file.write_text(json.dumps(made))


def newer_table(file: Path) -> None:
    found = pq.read_table(file)
    pq.write_table(found.replace_schema_metadata({**(found.schema.metadata or {}), "schema_version": "99"}), file)


@pytest.mark.parametrize(
    ("file", "keys"),
    [
        ("manifests/000003.json", {"schema_version": 99, "versions": {"winnow-curation": "9.1"}}),
        ("manifests/000001.json", {"recipe__versions__schema": 99}),
        ("manifests/000002.json", {"metrics__schema_version": 99}),
    ],
)
def test_a_manifest_of_a_newer_release_is_refused_before_anything_is_changed(
    out: Path, capsys: pytest.CaptureFixture[str], file: str, keys: dict[str, Any]
) -> None:
    change(out / file, **keys)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.name != ".lock"}
    rows = write_rows(out.parent / "in" / "b.jsonl", [{"text": PROSE}])
    ran = winnow(capsys, "minimal", "--input", rows, "--output", out, "--replace")
    assert ran.code == 2 and "made by a newer Winnow" in ran.err and "schema version 99; this is " in ran.err
    assert "upgrade Winnow" in ran.err and ("versions" not in keys or "newer Winnow 9.1 (" in ran.err)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.name != ".lock"} == before
    assert inspect(["--output", str(out), "why", "d2-short"]) == 2


def test_so_is_every_other_file_that_is_read_back(out: Path) -> None:
    store = open_output(str(out))
    made = manifest.load_all(store)
    (out / "savings.json").write_text('{"schema": 99, "measured": [{"new": 1}]}')
    change(out / "metrics.json", schema_version=99)
    newer_table(out / "index" / "tombstones" / "000003.parquet")
    listed = json.loads((out / ".work" / "generations" / "000001.json").read_text())
    (out / ".work" / "generations" / "000001.json").write_text(json.dumps({"schema_version": 99, "rooms": listed}))
    texts = next((out / "index").glob("texts-g0002*"))
    newer_table(texts)
    record = next(r for r in made[1].index if r.path.endswith(texts.name))

    digest = hashlib.sha256(texts.read_bytes()).hexdigest()
    index = tuple(r if r is not record else r.model_copy(update={"sha256": digest}) for r in made[1].index)
    for read in (
        lambda: publish.savings_of(store),
        lambda: publish.metrics_of(store),
        lambda: tombstones.load_tombstones(store, [3]),
        lambda: generations.load(open_store(str(out / ".work")), "generations/000001.json"),
        lambda: load_index(store, [made[0], made[1].model_copy(update={"index": index})]),
    ):
        with pytest.raises(NewerRelease, match=r"made by a newer Winnow.*schema version 99"):
            read()


def test_savings_of_an_earlier_release_say_that_they_are(out: Path) -> None:
    (out / "savings.json").write_text('{"schema": 1, "tier": "cpu"}')
    found = publish.savings_of(open_output(str(out)))
    assert found is not None and (found.schema_version, found.measured) == (1, ())


@pytest.mark.parametrize("version", [None, -1, 1.5, True, "one", "1" * 30, [1]])
def test_what_is_no_version_is_damage(version: object) -> None:
    with pytest.raises(Damaged, match="no version of a schema"):
        refuse_newer("file", version, known=3)


@pytest.mark.parametrize("version", [0, 3, "0", "3"])
def test_known_versions_are_read(version: object) -> None:
    refuse_newer("file", version, known=3)


@pytest.mark.parametrize(
    "path", ["../elsewhere.parquet", "data/../../x-g0001.parquet", "/etc/passwd", "manifests/000001.json", "index/key", "data/x"]
)
def test_a_manifest_that_names_a_file_elsewhere_is_damaged(old: Path, path: str) -> None:
    found = json.loads((old / "manifests" / "000001.json").read_text())
    found["files"][0]["path"] = path
    with pytest.raises(Damaged, match="no file of an output"):
        manifest.parsed(found, "manifests/000001.json")


def test_so_is_a_take_down_whose_tombstones_are_elsewhere(old: Path) -> None:
    found = json.loads((old / "manifests" / "000003.json").read_text())
    record = json.loads((old / "manifests" / "000001.json").read_text())["files"][0]
    found["takedown"]["tombstones"] = record | {"path": "index/tombstones/000003.parquet"}
    assert manifest.parsed(found, "manifests/000003.json").takedown is not None
    found["takedown"]["tombstones"] = record | {"path": "index/tombstones/../../../../etc/passwd"}
    with pytest.raises(Damaged, match="no file of an output"):
        manifest.parsed(found, "manifests/000003.json")


def test_a_key_that_is_not_known_is_named_in_a_line(old: Path) -> None:
    found = json.loads((old / "manifests" / "000001.json").read_text()) | {"rooms": 1}
    with pytest.raises(Damaged, match=r"\(rooms: Extra inputs are not permitted; Winnow 0\.1\.0 made it"):
        manifest.parsed(found, "manifests/000001.json")
