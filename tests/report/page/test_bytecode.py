"""Compiled templates are kept: what is read back is what was written, for that source, and anything else is made anew."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from pipeline.report.page.bytecode import Templates

COMPILED = "a template was compiled"


def rendered(folder: Path, kept: Path) -> str:
    """The page of `folder`, by an environment of its own, as a process of its own has it."""
    made = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=True, bytecode_cache=Templates(kept))
    return made.get_template("a.html").render(x="<b>")


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.html").write_text("one {{ x }}")
    assert rendered(tmp_path / "pages", tmp_path / "kept") == "one &lt;b&gt;"
    return tmp_path


@pytest.fixture
def no_compiling(monkeypatch):
    def refuse(*_):
        raise AssertionError(COMPILED)

    monkeypatch.setattr(jinja2.Environment, "_compile", refuse)


def test_a_kept_template_is_not_compiled_again(folder, no_compiling):
    assert rendered(folder / "pages", folder / "kept") == "one &lt;b&gt;"


def test_another_source_is_another_template(folder):
    (folder / "pages" / "a.html").write_text("two {{ x }}")
    assert rendered(folder / "pages", folder / "kept") == "two &lt;b&gt;"


@pytest.mark.parametrize("at", [0, 40, -1])
def test_a_file_that_is_damaged_is_made_anew(folder, at):
    (kept,) = (folder / "kept").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at:][1:])
    assert rendered(folder / "pages", folder / "kept") == "one &lt;b&gt;"
    assert kept.read_bytes() == whole


@pytest.mark.parametrize("left", [0, 5, 32, 60])
def test_a_file_that_was_cut_short_is_made_anew(folder, left):
    (kept,) = (folder / "kept").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:left])
    assert rendered(folder / "pages", folder / "kept") == "one &lt;b&gt;"
    assert kept.read_bytes() == whole


def test_where_nothing_can_be_kept_a_page_is_made_all_the_same(folder):
    (folder / "file").write_text("no folder")
    assert rendered(folder / "pages", folder / "file" / "kept") == "one &lt;b&gt;"


def test_nothing_unfinished_is_left(folder):
    assert [path.name.startswith(".") for path in (folder / "kept").iterdir()] == [False]
