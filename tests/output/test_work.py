"""A work directory belongs to one output; moving, copying and restoring outputs stays free."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows.inspect import main as inspect
from pipeline.errors import Damaged, NewerRelease, OutputError
from pipeline.inspect.output import open_output_of
from pipeline.output import work
from pipeline.store.store import Store, open_output, open_store
from tests.support import curate, prose, table, winnow, write_rows


class Place:
    """Folders of a test; outputs that a run has opened once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def out(self, name: str) -> Store:
        made = open_output(str(self.folder / name))
        work.identify(made, [])
        return made

    def work(self, name: str) -> Store:
        return open_store(str(self.folder / name))

    def use(self, out: str, directory: str = "w", manifests: Any = ()) -> None:
        """What a run does with the two."""
        opened, kept = self.out(out), self.work(directory)
        work.refuse_within(opened, kept)
        work.mark(kept)
        work.bind(kept, opened, work.id_of(opened, manifests))

    def at(self, directory: str = "w") -> str:
        return Path(json.loads((self.folder / directory / ".winnow-work").read_text())["at"]).name


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def copied(folder: Path, old: str, new: str) -> None:
    shutil.copytree(folder / old, folder / new, symlinks=True)


def test_the_output_that_it_was_made_for_uses_it_again_and_no_other(place: Place) -> None:
    place.use("one")
    place.use("one")
    with pytest.raises(OutputError, match=r"/w is the work directory of another output, .*/one: choose another --work"):
        place.use("two")
    assert place.at() == "one"
    shutil.rmtree(place.folder / "one")
    with pytest.raises(OutputError, match="or remove it if that output is gone"):  # or it was moved, who knows
        place.use("two")


def test_a_path_that_is_not_utf_8_is_known_again(place: Place) -> None:
    place.use(os.fsdecode(b"caf\xe9"))
    place.use(os.fsdecode(b"caf\xe9"))
    with pytest.raises(OutputError, match="is the work directory of another output"):
        place.use("two")


def test_a_moved_output_takes_it_along(place: Place) -> None:
    place.use("one")
    os.rename(place.folder / "one", place.folder / "moved")
    place.use("moved")
    assert place.at() == "moved"


def test_a_copy_has_its_own_and_not_that_of_the_original(place: Place) -> None:
    place.use("one")
    copied(place.folder, "one", "copy")
    with pytest.raises(OutputError, match="this one is a copy of it"):
        place.use("copy")
    place.use("one")
    place.use("copy", "w2")
    shutil.rmtree(place.folder / "one")
    shutil.rmtree(place.folder / "w2")
    place.use("copy")  # now it is the only one


def test_a_copy_with_its_work_directory_inside_goes_on_by_itself(place: Place) -> None:
    place.use("one", "one/.work")
    copied(place.folder, "one", "copy")
    place.use("copy", "copy/.work")
    place.use("one", "one/.work")
    assert place.at("copy/.work") == "copy" and place.at("one/.work") == "one"


def test_a_copy_whose_work_directory_is_a_link_to_the_originals_is_refused(place: Place) -> None:
    (place.folder / "scratch").mkdir()
    (place.folder / "one").mkdir()
    (place.folder / "one" / ".work").symlink_to(place.folder / "scratch")
    place.use("one", "one/.work")
    copied(place.folder, "one", "copy")
    with pytest.raises(OutputError, match="this one is a copy of it"):
        place.use("copy", "copy/.work")


def test_an_output_that_was_made_anew_or_restored_at_its_place_uses_it(place: Place) -> None:
    place.use("one")
    shutil.rmtree(place.folder / "one")
    place.use("one")  # another id, at the same place
    copied(place.folder, "one", "backup")
    shutil.rmtree(place.folder / "one")
    os.rename(place.folder / "backup", place.folder / "one")
    place.use("one")


def test_an_output_that_was_copied_without_hidden_files_is_known_by_its_manifests(place: Place) -> None:
    place.use("one")
    identity = json.loads((place.folder / "one" / ".winnow-output").read_text())["output"]
    shutil.rmtree(place.folder / "one")
    place.use("restored", manifests=[SimpleNamespace(output=""), SimpleNamespace(output=identity)])
    assert place.at() == "restored"


def test_a_directory_of_an_earlier_release_is_taken_one_of_a_newer_refused(place: Place) -> None:
    marker = place.folder / "w" / ".winnow-work"
    marker.parent.mkdir()
    marker.write_text("a work directory of Winnow: may be removed while no run goes on\n")
    place.use("one")
    assert place.at() == "one"
    marker.write_text('{"what": "", "schema_version": 2, "rooms": []}')
    with pytest.raises(NewerRelease, match="made by a newer Winnow"):
        place.use("one")
    for damaged in ("", "[", "[" * 100_000, "{}", "null"):
        marker.write_text(damaged)
        with pytest.raises(Damaged, match="remove it"):
            place.use("one")


@pytest.mark.parametrize("directory", ["out", "out/data", "out/index", "out/.work/facts", "link", "."])
def test_output_and_work_directory_do_not_lie_in_each_other(place: Place, directory: str) -> None:
    (place.folder / "out" / "data").mkdir(parents=True)
    (place.folder / "link").symlink_to(place.folder / "out" / "data")
    with pytest.raises(OutputError, match=r"choose another --work"):
        work.refuse_within(place.out("out"), open_store(str(place.folder / directory), create=False))


def test_but_for_its_usual_place_and_variants_of_a_measurement(place: Place) -> None:
    place.use("out", "out/.work")
    place.use("out/.work/savings/sweep/x", "out/.work")
    assert place.at("out/.work") == "out"


@pytest.mark.parametrize(
    ("entries", "taken"),
    [
        ([], True), ([".work"], True), ([".lock"], True), ([".lock", ".work"], True), ([".winnow-output", "data"], True),
        ([".lock", "data"], False), ([".lock", "thesis.tex"], False), ([".work", "notes"], False), (["data"], False),
    ],
)  # fmt: skip
def test_a_folder_of_something_else_is_no_output(tmp_path: Path, entries: list[str], taken: bool) -> None:
    assert work.is_output(open_output(str(tmp_path)), entries) is taken


@pytest.fixture(scope="module")
def taken_down(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output of which a document was taken down, its work directory, and a backup from before."""
    folder = tmp_path_factory.mktemp("work")
    write_rows(folder / "in" / "a.jsonl", [{"id": f"d{k}", "text": prose(k)} for k in range(4)])
    run(folder)
    shutil.copytree(folder / "out", folder / "backup")
    arguments = ["--output", folder / "out", "takedown", "--keys", write(folder / "keys", "d2"), "--work", folder / "w", "--yes"]
    assert inspect([*map(str, arguments)]) == 0
    return folder


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def run(folder: Path, *more: str) -> None:
    curate("none", "--input", folder / "in", "--output", folder / "out", "--work", folder / "w", *more)


def test_what_was_taken_down_of_another_output_is_not_missing_here(taken_down: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither of a second output, nor of a backup from before the take-down."""
    assert table(taken_down / "out", "data")["id"].to_list() == ["d0", "d1", "d3"]
    given = ["none", "--input", taken_down / "in", "--work", taken_down / "w"]
    refused = winnow(capsys, *given, "--output", taken_down / "other")
    assert refused.code == 2 and "is the work directory of another output" in refused.err
    assert winnow(capsys, *given, "--output", taken_down / "backup", "--replace").code == 2
    assert open_output_of(str(taken_down / "backup"), work=str(taken_down / "w")).work  # to look into
    shutil.rmtree(taken_down / "out")
    os.rename(taken_down / "backup", taken_down / "out")
    restored = winnow(capsys, *given, "--output", taken_down / "out", "--replace")
    assert restored.code == 0 and "whose take-down" in " ".join(restored.out.split())
    assert table(taken_down / "out", "data")["id"].to_list() == ["d0", "d1", "d2", "d3"]
    again = winnow(capsys, *given, "--output", taken_down / "out", "--replace")
    assert again.code == 0 and "whose take-down" not in again.err
