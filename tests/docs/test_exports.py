"""docs/exports.md is a walk that works: its commands, run as they stand on the page, print what it shows."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import export, inspect
from pipeline.export.formats import FORMATS
from tests.export import corpus
from tests.support import ROOT

PAGE = (ROOT / "docs/exports.md").read_text("utf-8")
COMMANDS = re.findall(r"^winnow export (?!hub)(\w+ .*)$", PAGE, re.MULTILINE)
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
SHOWN = [text for language, text in BLOCKS if not language and not re.match(r"winnow (export|inspect) ", text)]
TRACED = re.search(r"^winnow inspect (.* --tokens .*)$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(curated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("exports")
    shutil.copytree(curated, made / "curated", ignore=shutil.ignore_patterns(".work"))
    corpus.of_bytes().save(str(made / "tokenizer.json"))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(made)
        yield made


def test_the_page_shows_what_its_commands_print(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert len(COMMANDS) == 3 and len(SHOWN) == 5
    tokens, mixed, refused, traced, checked = (" ".join(one.split()) for one in SHOWN)
    for command, shown in zip(COMMANDS, (tokens, mixed, checked), strict=True):
        assert export.main(shlex.split(command)) == 0
        assert " ".join(capsys.readouterr().out.split()) == shown
    assert TRACED and inspect.main(shlex.split(TRACED[1])) == 0
    assert " ".join(capsys.readouterr().out.split()).startswith(traced)
    assert export.main(shlex.split(COMMANDS[1].replace("100_000", "200_000"))) == 2
    assert " ".join(capsys.readouterr().err.split()) == refused
    assert export.main(["hub", "ORG/NAME", "curated", "--explain"]) == 0 and "data/train-00000" in capsys.readouterr().out


def test_the_query_of_the_page_names_a_document(folder: Path, capsys: pytest.CaptureFixture[str]):
    (query,) = (text for language, text in BLOCKS if language == "python")
    exec(query, {})
    assert capsys.readouterr().out.startswith("shape: (1, 2)")


def test_the_page_has_a_row_for_each_format():
    named = re.findall(r"^\| `(\w+)` \| `NAME", PAGE, re.MULTILINE)
    assert named == list(FORMATS)
