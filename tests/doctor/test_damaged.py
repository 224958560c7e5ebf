"""Absence is never permission to delete: what lacks a file that it names stops before anything is changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.inspect import main as inspect
from pipeline.errors import Damaged
from pipeline.output import inventory, manifest, numbering
from pipeline.store.local import LocalFolder
from pipeline.store.store import open_output
from tests.doctor.outputs import SHARD, arguments, content, folder
from tests.support import winnow

__all__ = ["folder"]
Harm = Callable[[Path], None]


def gone(*names: str) -> Harm:
    def harm(out: Path) -> None:
        for name in names:
            (out / name).unlink()

    return harm


def copied(old: str, new: str) -> Harm:
    return lambda out: (out / new).write_bytes((out / old).read_bytes())


def written(name: str, data: bytes) -> Harm:
    return lambda out: (out / name).write_bytes(data)  # type: ignore[return-value]


def live(*numbers: int) -> Harm:
    def harm(out: Path) -> None:
        path = out / "manifests/000004.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"live": numbers}))

    return harm


LASTING = {
    "a manifest in the middle": (gone("manifests/000002.json"), "manifests/000002.json: is missing"),
    "the first manifest": (gone("manifests/000001.json"), "manifests/000001.json: is missing"),
    "the newest, of which there is a copy": (gone("manifests/000004.json"), "is missing, though manifest.json tells"),
    "the newest and its copy": (gone("manifests/000004.json", "manifest.json"), "is missing, though metrics.json tells"),
    "all of them": (lambda out: shutil.rmtree(out / "manifests"), "manifests/000001.json: is missing"),
    "the take-down": (gone("manifests/000003.json"), "manifests/000003.json: is missing"),
    "the take-down and all behind it": (
        gone("manifests/000003.json", "manifests/000004.json", "manifest.json", "metrics.json"), "takedowns/000003.json tells"
    ),
    "tombstones": (gone("index/tombstones/000003.parquet"), "tombstones/000003.parquet: is missing"),
    "half of the tombstones": (written("index/tombstones/000003.parquet", b"PAR1"), "has 4 bytes"),
    "the key of the tombstones": (gone("index/tombstones/key"), "tombstones/key: is missing"),
    "another key": (written("index/tombstones/key", bytes(32)), "is not the key"),
    "a copy under a number": (copied("manifests/000002.json", "manifests/000009.json"), "holds manifest 2, not 9"),
    "another manifest under the name": (copied("manifests/000001.json", "manifests/000002.json"), "holds manifest 1, not 2"),
    "no JSON": (written("manifests/000002.json", b"{"), "not valid JSON"),
    "a live take-down": (live(1, 2, 3, 4), "which cannot be"),
    "a live generation of the future": (live(1, 2, 4, 5), "which cannot be"),
    "a newest generation that is not live": (live(1, 2), "which cannot be"),
    "shards of a lost generation": (copied(SHARD, SHARD.replace("0002", "0006")), "is of manifest 6, which is missing"),
}  # fmt: skip
FILES = {
    "a shard": (gone(SHARD), f"{SHARD}: is missing"),
    "the content of a shard": (written(SHARD, b""), "has 0 bytes, where its manifest says"),
    "a part of the ledger": (gone("ledger/train-00000-of-00001-g0002.parquet"), "is missing"),
    "half of the index": (written("index/places-g0002.parquet", b"PAR1"), "has 4 bytes"),
}


@pytest.mark.parametrize("what", [*LASTING, *FILES])
def test_a_run_stops_as_damaged_before_it_removes_or_writes_anything(capsys, folder, what):
    out = folder / "out"
    harm, words = {**LASTING, **FILES}[what]
    harm(out)
    before = content(out)
    for more in ((), ("--replace",), ("--fresh",)) if what in LASTING else ((),):
        ran = winnow(capsys, *arguments(folder, 1, 2, 4, 5), *more)
        assert ran.code == 1 and words in ran.err and "winnow doctor" in ran.err, ran.err
        assert content(out) == before


def test_an_output_that_lost_shards_alone_is_made_anew_with_replace(capsys, folder):
    out = folder / "out"
    FILES["a shard"][0](out)
    assert winnow(capsys, *arguments(folder, 1, 2, 4), "--replace").code == 0
    assert json.loads((out / "manifest.json").read_text())["live"] == [5]
    assert b"d1-1" not in (out / "data/train-00000-of-00001-g0005.parquet").read_bytes()


@pytest.mark.parametrize(
    "command", [("why", "d2-1"), ("compare", "--set", "seed=1"), ("takedown", "--dry-run", "--domain", "a.b")]
)
@pytest.mark.parametrize("harm", ["manifests/000002.json", "ledger/train-00000-of-00001-g0002.parquet"])
def test_who_reads_a_damaged_output_is_told_so(capsys, folder, command, harm):
    (folder / "out" / harm).unlink()
    before = content(folder / "out")
    assert inspect([*command, "--output", str(folder / "out")]) == 1
    said = capsys.readouterr().err
    assert harm in said and "the output is damaged" in said
    assert content(folder / "out") == before


STRAYS = (
    "000002.json.bak",
    "000002 (copy).json",
    "old-000002.json",
    "0000002.json",
    "000000.json",
    "2.json",
    "zz.sync-conflict.json",
)


def test_files_beside_the_manifests_are_named_and_ignored(capsys, folder):
    out = folder / "out"
    expected = content(out)
    for stray in STRAYS:
        copied("manifests/000002.json", f"manifests/{stray}")(out)
    ran = winnow(capsys, *arguments(folder, 1, 2, 4))
    assert ran.code == 0 and all(f"manifests/{stray} is no manifest" in ran.err for stray in STRAYS), ran.err
    assert {name: data for name, data in content(out).items() if name in expected} == expected
    assert inspect(["why", "d2-1", "--output", str(out)]) == 0
    assert f"{STRAYS[0]} is no manifest" in capsys.readouterr().err
    assert inspect(["takedown", "--dry-run", "--domain", "a.b", "--output", str(out)]) == 2
    assert f"{STRAYS[0]} is no manifest" in capsys.readouterr().err


def test_a_listing_that_lags_behind_decides_nothing(monkeypatch, folder):
    out = open_output(str(folder / "out"))
    manifests, whole = manifest.load_all(out), inventory.take(out, manifest.load_all(out))
    names, sizes = LocalFolder.names, LocalFolder.sizes
    for lagging in ({"000002.json"}, {"000004.json"}, {"000003.json", "000004.json"}, {"000001.json", "000003.json"}):
        monkeypatch.setattr(
            LocalFolder, "names", lambda self, where, lag=lagging: [n for n in names(self, where) if n not in lag]
        )
        assert manifest.load_all(out) == manifests
        (folder / "out/manifest.json").unlink(missing_ok=True)  # no witness is needed: the next number is asked for by name
        assert manifest.load_all(out) == manifests
    monkeypatch.setattr(LocalFolder, "sizes", lambda self, where: dict.fromkeys(list(sizes(self, where))[1:], 7))
    assert whole.faults() == inventory.take(out, manifests).faults() == []


def test_only_files_of_numbers_that_were_given_or_come_next_are_removed(folder):
    out = open_output(str(folder / "out"))
    manifests = manifest.load_all(out)
    left = {number: f"data/train-00000-of-00003-g{number:04d}.parquet" for number in (2, 5, 6)}
    left |= {70 + number: f"data/train-00000-of-00001-g0002-t{number:04d}.parquet" for number in (5, 6)}
    for path in (*left.values(), *(manifest.samples(number) for number in (3, 5, 6))):
        out.write_bytes(path, b"")
    assert sorted(manifest.orphans(out, manifests)) == sorted([left[2], left[75], left[5]])
    assert manifest.orphans(out, manifests, of_takedowns=True) == [left[75]]
    manifest.remove_orphans(out, manifests)
    assert out.names("samples") == [f"{number:06d}.json" for number in (4, 6)]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("000001.json", 1), ("999999.json", 999_999), ("1000000.json", 1_000_000), ("000000.json", None), ("0000001.json", None),
        ("00001.json", None), ("000001.JSON", None), ("000001.json.bak", None), ("000001 (1).json", None), ("٠٠٠٠٠١.json", None),
    ],
)  # fmt: skip
def test_a_manifest_has_one_name(name, number):
    assert numbering.number_of(name) == number


def test_a_witness_of_an_absurd_number_costs_no_more_than_a_few_looks(folder):
    written("manifest.json", json.dumps({"generation": 10**30}).encode())(folder / "out")
    with pytest.raises(Damaged, match=r"000005\.json: is missing, though manifest\.json tells of manifest 1000"):
        manifest.load_all(open_output(str(folder / "out")))


def test_a_reader_looks_again_where_a_run_replaces_generations_meanwhile(monkeypatch, folder):
    out = open_output(str(folder / "out"))
    whole = manifest.load_all(out)
    older = [
        *whole[:-1],
        whole[-1].model_copy(update={"files": tuple(f.model_copy(update={"bytes": 1}) for f in whole[-1].files)}),
    ]
    found = iter([older, whole, whole])
    monkeypatch.setattr(manifest, "load_all", lambda _: next(found))
    assert inventory.load_whole(out) == whole
    monkeypatch.setattr(manifest, "load_all", lambda _: older)
    with pytest.raises(Damaged, match=r"has .* bytes"):
        inventory.load_whole(out)
