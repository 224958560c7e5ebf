"""The table of the package eldc: what is made of it, where it is kept; packages and caches that hold something else."""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from pathlib import Path

import numpy as np
import pytest

from filters import language
from filters.kernels.models import eldc as kernel
from filters.models import ModelError, eldc, eldc_package, places
from pipeline.errors import PlanError
from pipeline.plan import recipe
from pipeline.plan.model import Plan

CARD = eldc._card()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "winnow"


@pytest.fixture(scope="module")
def ngrams() -> eldc.Ngrams:
    return eldc.load_ngrams()


def package(folder: Path, monkeypatch: pytest.MonkeyPatch, module: bytes | None) -> None:
    """A package eldc of ours before the installed one; importing it ends the test."""
    (folder / "eldc").mkdir(parents=True)
    (folder / "eldc" / "__init__.py").write_text("raise SystemExit('imported')")
    if module is not None:
        (folder / "eldc" / "_eldc.abi3.so").write_bytes(module)
    monkeypatch.syspath_prepend(folder)
    importlib.invalidate_caches()


def test_the_table_is_made_once_and_mapped(home: Path) -> None:
    path = eldc_package.table(CARD.table_sha256)
    made = path.stat()
    assert path.parent == home and eldc_package.table(CARD.table_sha256) == path
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (made.st_ino, made.st_mtime_ns)
    assert [one.name for one in home.iterdir()] == [path.name]
    table, averages = eldc_package.mapped(path, CARD.table_sha256)
    assert not table.entries.flags.owndata and not table.entries.flags.writeable
    assert len(averages) == len(CARD.languages) == 60 and (averages > 0).all() and np.isfinite(table.values).all()
    assert (np.diff(table.starts.astype(np.int64)) >= 0).all() and table.starts[-1] == len(table.entries) == 1_607_839
    assert (table.entries >> np.uint32(8) & np.uint32(0x3F)).max() < 60


def test_the_table_has_what_the_package_says_of_an_ngram(ngrams: eldc.Ngrams) -> None:
    """Slots drawn from the package's table: each language of each, and its score but for the rounding."""
    found, table = eldc_package._read(), ngrams.table
    slots = found["ELD_hashtable"].reshape(-1, 2)
    for key, place in slots[slots[:, 1] > 0][::9973].tolist():
        first, count = place & 0xFFFFFF, place >> 24
        scored = found["ELD_blob"][first : first + count]
        scores = (scored & np.uint32(0xFFFFFF00)).view(np.float32)
        entries = table.entries[table.starts[key >> 14] : table.starts[(key >> 14) + 1]]
        entries = entries[entries >> np.uint32(18) == key & 0x3FFF]
        said = {int(one >> 8 & 0x3F): float(table.values[one & 0xFF]) for one in entries.tolist()}
        assert said == pytest.approx(dict(zip((scored & np.uint32(0xFF)).tolist(), scores.tolist(), strict=True)), rel=0.008)


def test_letters_and_small_letters_are_those_of_unicode(ngrams: eldc.Ngrams) -> None:
    kinds = ngrams.table.kinds
    for text, kind in (("aZéßжΩا", kernel.LETTER), ("漢あカ한", kernel.WIDE), ("'`’", kernel.JOINT), ("0 .-_", 0)):
        assert {int(kinds[ord(char)]) for char in text} == {kind}
    for char in "ÀÉÖĀŁΑΩЖЯԱéжא":
        low = ngrams.table.small[ord(char) - 0x80].tobytes().decode()
        assert low == char.lower()


def test_a_cache_that_holds_something_else_is_made_again(home: Path) -> None:
    path = eldc_package.table(CARD.table_sha256)
    whole = path.read_bytes()
    for content in (b"", b"x", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="remove it"):
            eldc_package.mapped(path, CARD.table_sha256)
    assert eldc_package.table(CARD.table_sha256).read_bytes() == whole


def test_a_table_that_is_damaged_after_it_was_looked_for_is_made_again(home: Path) -> None:
    path = eldc_package.table(CARD.table_sha256)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert eldc.load_ngrams().table.entries.tobytes() == whole[-4 * 1_607_839 :]


def test_many_make_the_table_at_once(home: Path) -> None:
    """Each has a whole one, and nothing is left beside it."""
    found: list[str] = []

    def use() -> None:
        path = eldc_package.table(CARD.table_sha256)
        eldc_package.mapped(path, CARD.table_sha256)
        found.append(path.name)

    users = [threading.Thread(target=use) for _ in range(3)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert len(found) == 3 and [one.name for one in home.iterdir()] == found[:1]


def test_without_the_package_it_says_what_to_install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"not installed; .*`pip install eldc==0\.4\.0`.*`--set filters\.language\.model=null`"):
        language.files(language.Params(model="eldc"))
    assert not home.exists()


def test_the_recipe_names_the_table_by_its_sha256_wherever_it_lies(home: Path, tmp_path: Path, monkeypatch) -> None:
    chosen = Plan(filters={"language": {"model": "eldc"}})
    here = recipe.resolve(chosen).document
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert recipe.resolve(chosen).document == here and here.files["language"][0] == CARD.table_sha256
    assert str(tmp_path) not in here.model_dump_json() and here.plan["filters"]["language"]["model"] == "eldc"


def test_a_plan_without_the_package_says_what_to_install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PlanError, match=r"`pip install eldc==0\.4\.0`"):
        recipe.resolve(Plan(filters={"language": {"model": "eldc"}}))


MARKS = b"".join(bytes.fromhex(one.mark) for one in eldc_package._ARRAYS.values())
OTHER = b"".join((bytes(one.at) + bytes.fromhex(one.mark)).ljust(one.size, b"\1") for one in eldc_package._ARRAYS.values())
"""Arrays that begin as those of the package do."""


@pytest.mark.parametrize("module", [None, b"", b"MZ" * 999, MARKS, MARKS * 2000, OTHER])
def test_another_package_of_that_name_is_refused_and_not_imported(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, module: bytes | None
) -> None:
    package(tmp_path / "lib", monkeypatch, module)
    with pytest.raises(ModelError, match=r"`pip install eldc==0\.4\.0`"):
        eldc_package.table(CARD.table_sha256)
    assert not home.exists()


def test_the_arrays_are_found_wherever_a_platform_puts_them(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another order, with other bytes between, and with marks that begin nothing."""
    found = eldc_package._read()
    module = b"MZ" + MARKS + b"\1".join(one.tobytes() for one in reversed(found.values())) + b"end"
    package(tmp_path / "lib", monkeypatch, module)
    assert eldc_package.table(CARD.table_sha256).is_file()


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="set XDG_CACHE_HOME"):
        eldc_package.table(CARD.table_sha256)


def test_what_is_put_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(places.os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        places.put(b"new", tmp_path / "there")
    assert list(tmp_path.iterdir()) == []


def test_the_weights_are_for_this_table(home: Path) -> None:
    assert hashlib.sha256(eldc_package._packed(eldc_package._read())).hexdigest() == CARD.table_sha256
