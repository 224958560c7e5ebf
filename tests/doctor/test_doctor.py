"""`flows.doctor`: what it finds, what it says, what it brings back, and what it does not dare to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.doctor import main
from tests.doctor.outputs import SHARD, arguments, content, folder
from tests.support import winnow

__all__ = ["folder"]


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str], folder: Path) -> Callable[..., tuple[int, Any]]:
    """Runs the command on the output; gives its exit code and its JSON."""

    def run(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        code = main([str(folder / "out"), "--json", *arguments])
        said = capsys.readouterr()
        return code, json.loads(said.out) if said.out else said.err

    return run


def found(made: Any) -> list[tuple[str, str]]:
    return [(one["kind"], one["path"]) for one in made["findings"]]


def test_a_whole_output_is_said_to_be_whole_and_nothing_is_changed(capsys, doctor, folder):
    before = content(folder / "out")
    for more in ((), ("--deep",), ("--repair",)):
        code, made = doctor(*more)
        assert (code, made["damaged"], made["findings"], made["live"]) == (0, False, [], [1, 2, 4])
        assert (
            made["files"] == 21
            and (made["least_memory"], made["enough_memory"]) == (588_000_000, 1_988_000_000)
            and made["deep"] is ("--deep" in more)
        )
        assert made["bytes"] == sum(len(data) for name, data in before.items() if name.endswith("t") and "-g000" in name)
        assert content(folder / "out") == before
    assert main([str(folder / "out")]) == 0
    said = capsys.readouterr().out
    assert "nothing is damaged" in said and "--memory" in said and "588MB" in said


def test_where_there_is_no_output_the_command_is_wrong(capsys, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("Dear reader")
    for name in ("none", "letters"):
        assert main([str(tmp_path / name), "--repair"]) == 2
        assert "no output" in capsys.readouterr().err
    assert not (tmp_path / "none").exists() and len(list((tmp_path / "letters").iterdir())) == 1


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", [SHARD, "index/places-g0002.parquet", "index/tombstones/000003.parquet"])
def test_a_bit_that_changed_is_found_by_content_alone(doctor, folder, name):
    flipped(folder / "out" / name)
    code, made = doctor("--deep")
    assert code == 1 and ("damaged", name) in found(made)
    assert any("sha256" in one["what"] for one in made["findings"])


def test_everything_that_is_wrong_is_named_at_once(doctor, folder):
    out = folder / "out"
    (out / SHARD).write_bytes(b"")
    (out / "ledger/train-00000-of-00001-g0001-t0003.parquet").unlink()
    (out / "index/tombstones/key").unlink()
    (out / "index/tombstones/000003.parquet").unlink()
    (out / "manifests/000002.json.bak").write_bytes(b"{}")
    (out / "reviews.jsonl").write_bytes(b"no label\n")
    (out / "takedowns/000003.json").write_bytes(b"{}")
    (out / ".work/.winnow-work").unlink()
    code, made = doctor()
    assert code == 1
    assert set(found(made)) == {
        ("damaged", SHARD),
        ("damaged", "ledger/train-00000-of-00001-g0001-t0003.parquet"),
        ("damaged", "index/tombstones/key"),
        ("damaged", "index/tombstones/000003.parquet"),
        ("damaged", "reviews.jsonl"),
        ("note", "manifests/000002.json.bak"),
        ("note", "takedowns/000003.json"),
        ("note", f"{out}/.work"),
    }
    assert len(made["findings"]) == 8 and all(one["todo"] for one in made["findings"])


def test_what_is_made_from_the_manifests_is_made_again(doctor, folder):
    out = folder / "out"
    whole = content(out)
    (out / "report.html").unlink()
    (out / "metrics.json").write_bytes(b"{")
    (out / "samples/000004.json").write_bytes(b"{")
    left = "data/train-00000-of-00001-g0005.parquet"  # of a killed run: the next one removes it
    (out / left).write_bytes(b"left")
    code, made = doctor()
    assert code == 0 and sorted(kind for kind, _ in found(made)) == ["mendable"] * 3 + ["note"]
    code, made = doctor("--repair")
    assert (code, found(made)) == (0, [("note", left)]) and len(made["done"]) == 2
    differ = {name for name, data in whole.items() if content(out).get(name) != data}
    assert differ == {"samples/000004.json", "report.html"}  # the page quotes nothing of it any more


@pytest.mark.parametrize(
    ("lost", "copy"), [("000004.json", None), ("000002.json", "000002.json.bak"), ("000003.json", "000003 (conflict).json")]
)
def test_a_manifest_is_put_back_from_a_copy_byte_for_byte(doctor, folder, lost, copy):
    out = folder / "out"
    whole = content(out)
    if copy:
        (out / "manifests" / copy).write_bytes(whole[f"manifests/{lost}"])
    (out / "manifests" / lost).unlink()
    assert doctor()[0] == 1
    code, made = doctor("--repair")
    assert code == 0 and lost in made["done"][0]
    assert {name: content(out)[name] for name in whole} == whole


def test_a_copy_whose_files_are_gone_is_not_put_back(doctor, folder):
    out = folder / "out"
    (out / "manifests/000002.json").rename(out / "manifests/old.json")
    (out / SHARD).unlink()
    code, said = doctor("--repair")
    assert code == 1 and "manifests/000002.json: is missing" in said


def moved(*names: tuple[str, str]) -> Callable[[Path], None]:
    """Manifests under each other's names."""

    def harm(out: Path) -> None:
        data = {new: (out / "manifests" / old).read_bytes() for old, new in names}
        for old, _ in names:
            (out / "manifests" / old).unlink()
        for new, held in data.items():
            (out / "manifests" / new).write_bytes(held)

    return harm


@pytest.mark.parametrize(
    "harm",
    [
        moved(("000002.json", "000004.json"), ("000004.json", "000002.json")),
        moved(("000001.json", "000002.json"), ("000002.json", "000001.json")),
        moved(("000004.json", "000009.json")),
    ],
)
@pytest.mark.parametrize("copy", [True, False])
def test_manifests_under_other_numbers_go_back_and_none_is_lost(doctor, folder, harm, copy):
    out = folder / "out"
    whole = content(out)
    harm(out)
    if not copy:
        (out / "manifest.json").unlink()
    code, made = doctor("--repair")
    assert (code, made["damaged"]) == (0, False), made
    after = content(out)
    assert after["report.html"] if copy else str(out).encode() in after.pop("report.html"), "its commands name where it lies now"
    assert {name: after[name] for name in whole if name in after} == {name: whole[name] for name in whole if name in after}
    assert whole.keys() - after.keys() <= {"report.html"}
    assert all(".aside-" in name for name in after.keys() - whole.keys())


def test_what_stands_in_the_place_of_a_manifest_is_set_aside(doctor, folder):
    out = folder / "out"
    (out / "manifests/000002.json").write_bytes(b"torn")
    code, made = doctor("--rebuild-manifest")
    assert (code, made["damaged"]) == (0, False)
    assert (out / "manifests/000002.json.aside-1").read_bytes() == b"torn"


def test_a_copy_is_better_than_what_shards_say(doctor, folder):
    out = folder / "out"
    whole = content(out)
    (out / "manifests/000004.json").unlink()
    (out / "manifests/000002.json").unlink()
    code, made = doctor("--rebuild-manifest")
    assert code == 0 and [told[:21] for told in made["done"]] == ["manifests/000004.json", "manifests/000002.json"]
    assert content(out)["manifests/000004.json"] == content(out)["manifest.json"] == whole["manifest.json"]


def test_of_a_number_that_nobody_misses_no_copy_is_put_back(doctor, folder):
    out = folder / "out"
    later = json.loads((out / "manifests/000003.json").read_text()) | {"generation": 5, "live": [1, 2, 4]}
    later["takedown"]["tombstones"]["path"] = "index/tombstones/000005.parquet"
    (out / "manifests/000005 (copy).json").write_text(json.dumps(later))
    before = content(out)
    assert doctor("--repair")[0] == 0
    assert content(out) == before


def test_a_witness_of_an_absurd_number_is_no_work_for_the_doctor(doctor, folder):
    (folder / "out/manifest.json").write_text(json.dumps({"generation": 10**12}))
    before = content(folder / "out")
    code, said = doctor("--rebuild-manifest")
    assert code == 1 and "cannot be made again" in said
    assert content(folder / "out") == before


RUN = ("metrics", "plan", "versions", "failed_checks")
"""What the shards do not say, or other manifests say otherwise; `metrics` is looked at by itself."""


@pytest.mark.parametrize(("lost", "also"), [(1, ()), (2, ()), (4, ("manifest.json",))])
def test_a_lost_manifest_is_made_again_from_shards_and_ledger(capsys, doctor, folder, lost, also):
    out = folder / "out"
    path = out / f"manifests/{lost:06d}.json"
    before = json.loads(path.read_text())
    for name in (path, *(out / name for name in also)):
        name.unlink()
    code, made = doctor("--rebuild-manifest", "--deep")
    assert (code, made["damaged"]) == (0, False), made
    after = json.loads(path.read_text())
    assert {k: v for k, v in after.items() if k not in RUN} == {k: v for k, v in before.items() if k not in RUN}
    for key in ("totals", "funnel", "reasons", "by_source", "quarantine", "final_bytes", "tokens", "files", "live", "edits"):
        assert after["metrics"][key] == before["metrics"][key], key
    assert after["metrics"]["duplicates"]["cluster_sizes"] == before["metrics"]["duplicates"]["cluster_sizes"]
    ran = winnow(capsys, *arguments(folder, 1, 2, 4, 5))
    assert ran.code == 0, ran.err
    assert json.loads((out / "manifest.json").read_text())["live"] == [1, 2, 4, 5]


def test_an_input_that_changed_since_is_not_taken_for_read(doctor, folder):
    out, day = folder / "out", folder / "in/day4.jsonl"
    record = json.loads((out / "manifests/000004.json").read_text())["inputs"][0]
    lines, made = day.read_bytes(), str((folder / "in").readlink())
    for path in (out / "manifests").iterdir():
        path.write_text(path.read_text().replace(made, str(day.parent)))
    (folder / "in").unlink()
    shutil.copytree(made, day.parent)
    day.write_bytes(lines + b'{"text": "one more"}\n')
    for name in ("manifests/000004.json", "manifest.json"):
        (out / name).unlink()
    assert doctor("--rebuild-manifest")[0] == 0
    again = json.loads((out / "manifests/000004.json").read_text())["inputs"]
    assert again == [record | {"size": 0, "content": ""}]


@pytest.mark.parametrize("replaced", [False, True])
def test_whether_a_lost_generation_replaced_the_others_is_not_guessed(capsys, doctor, folder, replaced):
    out = folder / "out"
    ran = winnow(capsys, *arguments(folder, 1, 2, 4, 5), *(["--replace"] if replaced else []))
    assert ran.code == 0, ran.err
    live = json.loads((out / "manifest.json").read_text())["live"]
    metrics = json.loads((out / "metrics.json").read_text()) | {"generation": 4}
    (out / "metrics.json").write_text(json.dumps(metrics))
    (out / "manifest.json").write_text('{"generation": 5}')
    (out / "manifests/000005.json").unlink()
    code, made = doctor("--rebuild-manifest")
    assert code == 0, made
    assert json.loads((out / "manifests/000005.json").read_text())["live"] == live == ([5] if replaced else [1, 2, 4, 5])


def test_a_lost_take_down_is_made_again_from_its_tombstones_and_its_receipt(capsys, doctor, folder):
    out = folder / "out"
    before = json.loads((out / "manifests/000003.json").read_text())
    (out / "manifests/000003.json").unlink()
    code, made = doctor("--rebuild-manifest")
    assert code == 0, made
    after = json.loads((out / "manifests/000003.json").read_text())
    assert {k: v for k, v in after["takedown"].items() if k != "selection"} == {
        k: v for k, v in before["takedown"].items() if k != "selection"
    }
    assert (after["live"], after["files"], after["index"]) == (before["live"], [], [])
    assert winnow(capsys, *arguments(folder, 1, 2, 4, 5), "--replace").code == 0
    assert b"d1-1" not in (out / "data/train-00000-of-00001-g0005.parquet").read_bytes()
    kept = ("note", "data/train-00000-of-00001-g0001-t0003.parquet")
    for _ in range(2):  # shards that stay for readers are no sign of a take-down that was cut short
        code, made = doctor("--rebuild-manifest")
        assert (code, kept in found(made)) == (0, True)
        assert all("stays for readers" in one["what"] for one in made["findings"])
        (out / "manifests/000003.json").unlink(missing_ok=True)


def test_of_a_replaced_generation_the_number_is_enough(capsys, doctor, folder):
    out = folder / "out"
    assert winnow(capsys, *arguments(folder, 1, 2), "--replace").code == 0
    for number in (2, 4):
        (out / f"manifests/{number:06d}.json").unlink()
    code, made = doctor("--rebuild-manifest")
    assert code == 0 and len(made["done"]) == 2 and all("which was replaced, the number alone" in told for told in made["done"])
    again = [json.loads((out / f"manifests/{number:06d}.json").read_text()) for number in (2, 4)]
    assert [(one["generation"], one["files"], one["totals"]["read"]) for one in again] == [(2, [], 0), (4, [], 0)]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda out: (out / SHARD).unlink(), "data/ does not hold all of its shards"),
        (lambda out: (out / SHARD).write_bytes((out / SHARD.replace("g0002", "g0004")).read_bytes()), "does not hold the rows"),
        (lambda out: (out / "index/documents-00000-g0002.parquet").unlink(), "index/ holds 0 documents"),
    ],
)
def test_shards_that_do_not_belong_together_make_no_manifest(doctor, folder, harm, words):
    out = folder / "out"
    (out / "manifests/000002.json").unlink()
    harm(out)
    before = content(out)
    code, said = doctor("--rebuild-manifest")
    assert code == 1 and words in said and "restore it" in said
    assert content(out) == before
