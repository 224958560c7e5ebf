"""Every command that a page shows is one that the parsers take; those of blocks run, as they stand there, where that is cheap."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from flows import command
from tests.docs import shown
from tests.export import corpus
from tests.support import SAMPLE, prose, write_rows

BLOCKS = {one: page.name for page in shown.PAGES for one in shown.in_blocks(page)}
SENTENCES = {one: page.name for page in shown.PAGES for one in shown.in_sentences(page)}
NOT_RUN = {
    r"winnow curate .*--runner": "starts a cluster, or needs one: tests/run/cluster",
    r"winnow curate plan.yaml --input s3:": "needs an object store: tests/store",
    r"winnow curate ": "a whole run: other tests make dozens",
    r".venv/bin/winnow deploy": "serves until it is stopped: tests/flows/test_nightly.py runs the page",
    r"winnow inspect$": "serves a page until it is stopped: tests/inspect/page",
    r"winnow inspect (--output OUT )?review": "asks at a terminal: tests/inspect",
    r"winnow doctor curated --re": "mends an output that is damaged: tests/doctor",
    r"winnow inspect compare curated-again": "compares with another run: tests/inspect",
    r"winnow inspect takedown .*--yes": "changes the output: tests/takedown",
    r"winnow train": "needs 200 reviews, or an endpoint: tests/training",
    r"winnow savings": "tests/docs/test_own_trainer.py runs the page",
    r"winnow export": "tests/docs/test_exports.py runs the page",
    r"winnow inspect .*why --tokens": "tests/docs/test_exports.py runs the page",
}
"""Commands of blocks that are not run here, and why."""


@pytest.mark.parametrize("one", [*BLOCKS, *(one for one in SENTENCES if not shown.is_a_name(one))])
def test_a_command_is_one_that_the_parsers_take(one: str, capsys: pytest.CaptureFixture[str]):
    if one.endswith(" --version"):
        assert command.main(["--version"]) == 0
        return
    try:
        shown.parsed(one)
    except SystemExit:
        pytest.fail(f"{ {**SENTENCES, **BLOCKS}[one] }: {one}: {capsys.readouterr().err}")


def test_the_pages_show_commands_and_all_by_the_front_door():
    assert len(BLOCKS) > 30 and len(SENTENCES) > 20
    by_module = [one for one in BLOCKS if not one.removeprefix(".venv/bin/").startswith("winnow ")]
    assert not by_module, "write `winnow NAME`"


def reason(one: str) -> str | None:
    return next((why for pattern, why in NOT_RUN.items() if re.match(pattern, one) and "--explain" not in one), None)


def test_no_reason_is_left_without_a_command():
    assert all(any(re.match(pattern, one) for one in BLOCKS) for pattern in NOT_RUN)


@pytest.fixture(scope="module")
def folder(curated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages presuppose: an output, texts of one's own, a list of ids, a tokenizer."""
    made = tmp_path_factory.mktemp("shown")
    shutil.copytree(curated, made / "curated")
    write_rows(made / "crawl" / "a.jsonl", [{"text": prose(number), "id": number} for number in range(20)])
    shutil.copy(SAMPLE / "plan.yaml", made / "plan.yaml")
    (made / "keys.txt").write_text("w-0256\n")
    corpus.of_bytes().save(str(made / "tokenizer.json"))
    return made


LOOK_UPS = [one for one in SENTENCES if re.fullmatch(r"winnow plan (keys|presets)[a-z_ ]*", one)]
"""Of sentences: those that need nothing."""


@pytest.mark.parametrize("one", dict.fromkeys([*(one for one in BLOCKS if reason(one) is None), *LOOK_UPS]))
def test_a_command_runs(one: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(folder)
    given = [str(folder / "crawl" / "a.jsonl") if word == "crawl/*.jsonl.gz" else word for word in shown.words(one)]
    if given[:2] == ["plan", "init"]:
        given.append("--force")
    assert command.main(given) == 0, capsys.readouterr().err
    assert capsys.readouterr().out
