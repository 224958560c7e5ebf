"""Presets of published recipes: each runs on the sample, offline, and reads and edits the texts in its published order."""

from __future__ import annotations

import io
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest

from filters.rules import rule_columns
from pipeline.plan import recipe
from pipeline.plan.load import load_plan
from pipeline.plan.presets import presets
from tests.inspect.evidence import check
from tests.support import PROSE, SAMPLE, eval_data, table, winnow, write_rows

PUBLISHED = ("fineweb", "gopher", "c4", "dclm", "dolma")
SENTENCES = PROSE.split(". ")


def test_every_published_recipe_is_here_with_a_version() -> None:
    assert {f"{name}@1" for name in PUBLISHED} < set(presets())


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_curates_the_sample_and_keeps_some_of_it(capsys, tmp_path, name):
    """Every value that is shown of the dropped documents is the run's."""
    bad_rows = ("--set", "source.max_bad_fraction=0.05")  # the sample has a few on purpose
    ran = winnow(capsys, name, "--input", SAMPLE / "input", "--output", tmp_path / "out", *bad_rows)
    assert ran.code == 0, ran.err
    ledger = table(tmp_path / "out", "ledger")
    kept = ledger.filter(ledger["verdict"] == "kept")
    assert 0 < len(kept) < len(ledger) == 555
    names = {reason.partition(".")[0] for reasons in ledger["failed"] for reason in reasons}
    assert names <= {"language", "gopher_quality", "gopher_repetition", "refinedweb", "c4", "fineweb"}
    assert ("gopher_quality" in names) is (name != "c4")
    every, least = (1, 300) if name in ("fineweb", "dclm") else (8, 50)
    assert check(tmp_path / "out", every=every) > least


def fate(capsys, tmp_path: Path, name: str, text: str) -> tuple[str | None, list[str], str | None]:
    """`(reason, edits, final text)` of a document among good ones, under a preset."""
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"id": "it", "text": text}])
    out = tmp_path / "out"
    ran = winnow(capsys, name, "--input", path, "--output", out, "--set", "checks.plants=0", "--accept")
    assert ran.code == 0, ran.err
    row = table(out, "ledger").row(0, named=True)
    folder = "data" if row["verdict"] == "kept" else "rejected"
    return row["reason"], row["edits"], table(out, folder)["text"][0]


LOST = "JavaScript must be on to see this and that of the page, which is long enough to be a sentence with many words of its own."


def test_fineweb_judges_by_gopher_what_came_and_by_its_own_rules_what_is_left(capsys, tmp_path):
    """The text is long enough for Gopher with the line that C4's rules take away, and too short without it."""
    text = "\n".join([f"{SENTENCES[0]}. And it goes on.", LOST, "Yes, it is so. Indeed it is. So it goes."])
    assert len(text.split()) >= 50 > len(text.replace(LOST, "").split())
    reason, edits, final = fate(capsys, tmp_path, "fineweb", text)
    assert (reason, edits) == (None, ["c4_lines.javascript"])
    assert LOST not in final


def test_c4_takes_lines_without_an_end_and_documents_with_a_bracket(capsys, tmp_path):
    text = "\n".join([*(f"{sentence.removesuffix('.')}." for sentence in SENTENCES * 2), "Home | About | Contact us"])
    reason, edits, final = fate(capsys, tmp_path, "c4", text)
    assert (reason, edits) == (None, ["c4_lines.punctuation"])
    assert final.split("\n") == text.split("\n")[:-1]
    (tmp_path / "b").mkdir()
    assert fate(capsys, tmp_path / "b", "c4", f"{text}\nThe sign was a {{ of brass.")[0] == "c4.curly_bracket"


@pytest.mark.parametrize(
    ("line", "reason"),
    [("SHOUTED LINE OF IT", None), ("SHOUTED LINE OF THE PAGE", "refinedweb.too_many_words_removed")],
    ids=["4 of 88 words", "5 of 89 words"],
)
def test_dclm_drops_what_lost_more_than_five_words_in_a_hundred(capsys, tmp_path, line, reason):
    assert len(PROSE.split()) == 84
    found, edits, final = fate(capsys, tmp_path, "dclm", f"{PROSE}\n{line}\n")
    assert (found, final) == (reason, PROSE)
    assert edits == ["refinedweb_lines.capitals", "refinedweb_lines.ends"]


def test_dolma_takes_lines_without_an_end_before_gopher_counts(capsys, tmp_path):
    short = "\n".join([f"{sentence} and so on" for sentence in SENTENCES[:3]] + [f"{SENTENCES[0]}."])
    reason, edits, final = fate(capsys, tmp_path, "dolma", short)
    assert (reason, edits, final) == ("gopher_quality.too_few_words", ["c4_lines.punctuation"], f"{SENTENCES[0]}.")


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_resolve_to_plans_that_say_every_threshold(name: str) -> None:
    loaded = load_plan(name)
    assert loaded.extends == f"{name}@1"
    assert loaded.plan.dedup is not None


CHINESE = [
    "港口的早晨很安静，只听得见船的声音。守灯塔的人每天早上都到这里来，先看看海的颜色，然后开始一天的工作。",
    "其他人在厨房里等着早餐，因为星期天天气很好，谁也不想出海，孩子们在岸边捡贝壳。",
]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_page_in_another_language_is_dropped_for_that_also_where_the_edits_leave_nothing_of_it(capsys, tmp_path, name):
    reason, edits, final = fate(capsys, tmp_path, name, "\n".join(CHINESE * 3))
    assert reason == "language.other_language"
    assert name not in ("c4", "dolma") or (final == "" and edits)


def test_a_page_of_which_edits_leave_nothing_is_not_said_to_have_been_empty(capsys, tmp_path):
    menu = "\n".join(f"The {word} soup of the house and bread" for word in ("red", "green", "yellow", "white", "black") * 9)
    assert fate(capsys, tmp_path, "c4", menu)[0] == "emptied_by_edits"
    row = table(tmp_path / "out", "ledger").row(0, named=True)
    assert (row["stage"], row["failed"], row["n_bytes"]) == ("edit", [], 0)
    assert check(tmp_path / "out") == 1
    assert fate(capsys, tmp_path / "b", "c4", " \n\u3000\n")[0] == "empty"


@pytest.mark.slow
def test_every_value_shown_of_every_dropped_page_is_the_runs(capsys, tmp_path):
    """All presets, all dropped documents of the sample and of 2,000 pages of the web."""
    pages = web_pages(eval_data(), tmp_path / "web" / "pages.jsonl", most=2000)
    for name in (*PUBLISHED, "default", "minimal"):
        out = tmp_path / name
        bad_rows = ("--set", "source.max_bad_fraction=0.05")
        ran = winnow(capsys, name, "--input", SAMPLE / "input", "--input", pages, "--output", out, *bad_rows)
        assert ran.code == 0, ran.err
        assert check(out) > 300


def web_pages(folder: Path, into: Path, *, most: int) -> Path:
    """The first rows of each of the web's corpora in the evaluation data."""
    corpora = sorted((folder / "web").glob("*.jsonl.zst"))
    into.parent.mkdir(parents=True)
    with into.open("wb") as out:
        for path in corpora:
            with pa.input_stream(str(path), compression="zstd") as rows:
                out.writelines(islice(io.BufferedReader(rows), -(-most // len(corpora))))
    return into


@pytest.mark.parametrize("name", presets())
def test_with_a_filter_switched_off_the_rules_of_the_others_ask_nothing_of_it(name: str) -> None:
    def active(*assignments: str) -> tuple[recipe.ActiveFilter, ...]:
        return recipe.resolve(load_plan(name, inputs=["x.jsonl"], assignments=assignments).plan).filters

    on = [item.filter.name for item in active()]
    for off in on:
        left = active(f"filters.{off}=false")
        assert [item.filter.name for item in left] == [one for one in on if one != off]
        given = {column for item in left for column in item.filter.signals.names}
        for item in left:
            assert all(rule_columns(rule) <= given for rule in item.rules if rule.on), item.filter.name
