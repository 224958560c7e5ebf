"""`winnow plan init`: which column is proposed, and a plan that loads whatever columns and files are called."""

from __future__ import annotations

import json
import re
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from flows import command as front
from flows import plan as command
from pipeline import read
from pipeline.errors import InputError
from pipeline.plan import bounds, draft, proposal
from pipeline.plan.load import load_plan
from pipeline.plan.proposal import propose
from pipeline.read import peek
from tests.support import PROSE, examples, prose, write_rows

LONG, SHORT = PROSE[:200], "A title of five words"
URL = "https://a.example/" + "x" * 400
EVIL = 'text: "x"\nplugins: [evil]\n# \u2028\x85\ufeff\x1b[31m\'"\\{}[]&*!|>%@`\U0001f600'


LANGUAGES = proposal._languages


@pytest.fixture(autouse=True)
def no_languages(monkeypatch):
    """Their model is loaded where a test is about them."""
    monkeypatch.setattr(proposal, "_languages", lambda files: ())
    yield
    read.close()


COLUMNS = [
    # columns of a row; text, id
    ({"text": LONG, "id": 1}, ("text", "id")),
    ({"content": LONG, "title": SHORT, "doc_id": "a"}, ("content", "doc_id")),
    ({"body": LONG, "summary": LONG * 3}, ("body", "id")),  # a usual name before a longer one
    ({"text": "spam", "message": LONG}, ("message", "id")),  # a label is called text
    ({"story": LONG, "link": URL, "title": SHORT}, ("story", "id")),  # a URL is longer, and no text
    ({"Text": LONG, "n": 5}, ("Text", "id")),
    ({"passage": LONG, "meta": {"text": LONG * 2}}, ("passage", "id")),
    ({"日本": "吾輩は猫である" * 40, "url": "https://a.example/1"}, ("日本", "id")),
]


@pytest.mark.parametrize(("row", "expected"), COLUMNS, ids=lambda value: str(list(value))[:40])
def test_the_column_that_holds_the_text_is_proposed(tmp_path, row, expected):
    path = write_rows(tmp_path / "in.jsonl", [row | {k: f"{v}{i}" for k, v in row.items() if k == expected[1]} for i in range(4)])
    (found,) = propose([str(path)])
    assert (found.text, found.id) == expected


def test_every_format_is_looked_at_by_the_reader_that_a_run_has(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "in"
    write_rows(folder / "a.jsonl", [{"body": LONG}])
    (folder / "b.csv").write_text(f"name;body\nx;{LONG}\n")
    (folder / "c.json").write_text(json.dumps([{"body": LONG, "n": 1}]))
    pq.write_table(pa.table({"body": [LONG], "n": [1]}), folder / "d.parquet")
    (folder / "e.txt").write_text(LONG)
    (folder / "f.jsonl").write_bytes(b"")
    (folder / "g.bin").write_bytes(b"\0\1\2")
    (found,) = propose([str(folder)])
    assert (found.text, found.files, found.others) == ("body", 6, ())
    assert [look.rows for look in found.looks] == [1, 1, 1, 1, 1, 0]
    assert [passed.paths for passed in found.passed_over if "begins with" in passed.reason] == [("in/g.bin",)]


def test_inputs_with_other_columns_become_sources_of_their_own(tmp_path):
    one = write_rows(tmp_path / "a.jsonl", [{"body": LONG}])
    other = write_rows(tmp_path / "b.jsonl", [{"story": LONG}])
    text = draft.draft(propose([str(one), str(other)]), file="plan.yaml")
    sources = loaded(text, tmp_path).plan.source
    assert [(source.text, source.paths) for source in sources] == [("body", (str(one),)), ("story", (str(other),))]
    assert len({source.name for source in sources}) == 2


def test_a_file_of_a_folder_without_the_column_is_named(tmp_path):
    write_rows(tmp_path / "in" / "a.jsonl", [{"body": LONG}] * 3)
    write_rows(tmp_path / "in" / "b.jsonl", [{"story": LONG}])
    text = draft.draft(propose([str(tmp_path / "in")]), file="plan.yaml")
    assert "in/b.jsonl has no such column; its text may be story" in text


def loaded(text: str, folder: Path):
    path = folder / "made.yaml"
    path.write_text(text, "utf-8")
    return load_plan(str(path))


def test_what_is_commented_out_is_a_valid_plan_too(tmp_path):
    path = write_rows(tmp_path / "in.jsonl", [{"text": LONG}])
    text = draft.draft(propose([str(path)]), file="plan.yaml")
    without = loaded(text, tmp_path).plan
    switched_on = loaded(re.sub(r"(?m)^#(  )?(?=[a-z])", r"\1", text), tmp_path)
    assert without.filters == load_plan("default").plan.filters
    assert switched_on.plan.checks.on_fail == "stop"
    assert switched_on.plan.filters == without.filters, "what it shows is what the preset has"


def test_names_of_columns_and_files_cannot_write_keys(tmp_path):
    folder = tmp_path / "in\nplugins: [evil]\n#"
    path = write_rows(folder / "a: [b]\n.jsonl", [{EVIL: LONG, "source": "x", "id\nx: y": 1}])
    text = draft.draft(propose([str(path)]), file="plan.yaml")
    plan = loaded(text, tmp_path).plan
    assert (plan.source[0].text, plan.source[0].paths, plan.plugins) == (EVIL, (str(path),), ())
    assert all(line.isprintable() for line in text.split("\n"))
    keys = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [line.split(":")[0].strip() for line in keys] == ["extends", "source", "paths", "name", "text", "id", "from"]


@given(st.text(min_size=1))
@examples(2)
def test_a_quoted_name_is_read_as_what_it_is(name):
    assert bounds.load(f"a: [{draft.quoted(name)}]  # x", where="test") == {"a": [name]}
    assert draft.quoted(name).isprintable()


def test_without_a_column_of_text_the_columns_are_named(capsys, tmp_path):
    path = write_rows(tmp_path / "in.jsonl", [{"n": 1, "m\x1b": [2]}])
    assert command.main(["init", str(path), "--to", str(tmp_path / "p.yaml")]) == 2
    shown = capsys.readouterr().err
    assert (
        "no column looks like text; there are: m[U+001B] (list), n (number). Name the text's column with --text COLUMN" in shown
    )
    assert not (tmp_path / "p.yaml").exists()


NO_TEXT = [b"a,b\n1,2\n", b"when,code\n2024-01-01,A-7\n2024-01-02,B-1\n"]


@pytest.mark.parametrize("data", NO_TEXT)
def test_a_table_of_numbers_and_codes_has_no_text(tmp_path, data):
    (tmp_path / "in.csv").write_bytes(data)
    with pytest.raises(InputError, match=r"no column looks like text; there are: .*Name the text's column with --text"):
        propose([str(tmp_path / "in.csv")])


SHORT_TEXTS = [({"text": "word", "n": "1"}, "text"), ({"said": "two words", "n": "1"}, "said")]


@pytest.mark.parametrize(("row", "column"), SHORT_TEXTS)
def test_short_texts_are_texts_by_their_name_or_their_words(tmp_path, row, column):
    (found,) = propose([str(write_rows(tmp_path / "in.jsonl", [row, row]))])
    assert found.text == column


def test_the_commands_that_it_prints_run_beside_other_outputs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "my crawl" / "a.jsonl", [{"text": LONG}])
    (tmp_path / "curated").mkdir()
    (tmp_path / "curated" / "of_another_plan").touch()
    assert command.main(["init", "my crawl", "--to", "p.yaml"]) == 0
    explain, curate = (line.strip() for line in capsys.readouterr().out.splitlines()[1:3])
    assert curate == "winnow curate p.yaml --output curated-my-crawl"
    assert f"#   {explain}   what it would do\n" in (tmp_path / "p.yaml").read_text()
    assert front.main(explain.split()[1:]) == 0
    assert "generation 1 of" in capsys.readouterr().out


def test_where_nothing_can_be_read_no_plan_is_written(capsys, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(b"no JSON\n" * 3)
    assert command.main(["init", str(tmp_path / "in.jsonl"), "--to", str(tmp_path / "p.yaml")]) == 2
    assert "no row that was looked at can be read" in capsys.readouterr().err
    assert not (tmp_path / "p.yaml").exists()


def test_a_file_that_is_there_is_written_over_by_force_alone(capsys, tmp_path):
    path = write_rows(tmp_path / "in.jsonl", [{"text": LONG}])
    to = tmp_path / "plan.yaml"
    to.write_text("mine")
    assert command.main(["init", str(path), "--to", str(to)]) == 2
    assert to.read_text() == "mine" and "--force" in capsys.readouterr().err
    assert command.main(["init", str(path), "--to", str(to), "--force"]) == 0
    assert f"winnow curate {to} --output curated-{tmp_path.name}\n" in capsys.readouterr().out
    assert loaded(to.read_text(), tmp_path).plan.source[0].paths == (str(path),)
    (tmp_path / "link.yaml").symlink_to(tmp_path / "nowhere.yaml")
    assert command.main(["init", str(path), "--to", str(tmp_path / "link.yaml")]) == 2
    assert not (tmp_path / "nowhere.yaml").exists()


def test_a_name_that_utf_8_cannot_hold_is_refused(capsys, tmp_path):
    assert command.main(["init", str(tmp_path / "a\udcff.jsonl")]) == 2
    assert "names that UTF-8 can hold" in capsys.readouterr().err


def test_languages_are_those_of_the_texts(tmp_path, monkeypatch):
    monkeypatch.setattr(proposal, "_languages", LANGUAGES)
    german = "Der Hund läuft über die Wiese und sucht seinen Knochen, den die Katze gestern Abend versteckt hat."
    path = write_rows(tmp_path / "in.jsonl", [{"text": prose(i)} for i in range(3)] + [{"text": german}])
    (found,) = propose([str(path)])
    assert found.languages == (("en", 3), ("de", 1))
    text = draft.draft([found], file="plan.yaml")
    assert "languages of 4 documents: en 75.0 %, de 25.0 %" in text and "to keep alone: [en, de]" in text


def test_no_more_than_the_beginning_of_a_file_is_read(tmp_path):
    path = tmp_path / "big.jsonl"
    line = json.dumps({"text": LONG}).encode() + b"\n"
    path.write_bytes(line * (3 * peek.LOOK_BYTES // len(line)))
    (found,) = propose([str(path)])
    assert found.looks[0].rows == peek.MOST_ROWS
    assert found.looks[0].file.traffic.bytes_read < 2.5 * peek.LOOK_BYTES


KEYS = [(["Threshold", "shingles"], ["dedup.threshold"]), (["on_fail"], ["checks.on_fail"])]


@pytest.mark.parametrize(("words", "found"), KEYS, ids=[" ".join(words) for words, _ in KEYS])
def test_keys_are_found_by_words_in_them_or_in_what_they_do(capsys, words, found):
    assert command.main(["keys", *words]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:] if line.strip()] == found


def test_presets_are_listed_each_with_a_sentence_and_shown_by_name(capsys):
    assert command.main(["presets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(re.match(r"fineweb@1 +FineWeb: Penedo et al\. 2024", line) for line in lines)
    assert command.main(["presets", "minimal"]) == 0
    assert capsys.readouterr().out.startswith("# Read, normalise, exact and near dedup, shards.")
    assert command.main(["presets", "fnieweb"]) == 2
    assert "did you mean fineweb?" in capsys.readouterr().err
