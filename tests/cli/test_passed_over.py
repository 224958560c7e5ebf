"""What a run did not read is said wherever a run speaks, and the next run says it again."""

import bz2
import json

import pytest

from tests.support import prose, winnow, write_rows

LINE = "passed over: 2 files, hidden, or a marker (the name begins with . or _): crawl/.part-0.crc, crawl/_SUCCESS"
OTHER = "passed over: 1 file, text of no format that its content tells"


@pytest.fixture
def crawl(tmp_path):
    folder = tmp_path / "crawl"
    write_rows(folder / "part-0.json", [{"text": prose(i)} for i in range(3)])
    rows = [{"text": prose(i)} for i in range(3, 6)]
    (folder / "part-1").write_text(json.dumps({"data": rows}, indent=2))
    (folder / "part-2.jsonl.bz2").write_bytes(bz2.compress(json.dumps(rows).encode()))
    for name in ("_SUCCESS", ".part-0.crc", "notes.org"):
        (folder / name).write_text("by hand\n")
    return folder


def test_the_summary_the_explanation_the_report_the_metrics_and_the_manifest_name_what_was_passed_over(capsys, tmp_path, crawl):
    out = tmp_path / "out"
    explained = winnow(capsys, "--input", crawl, "--output", out, "--explain")
    assert LINE in explained.out and OTHER in explained.out and "3 inputs, 3 new" in explained.out
    ran = winnow(capsys, "minimal", "--input", crawl, "--output", out)
    assert ran.code == 0 and (ran.out + ran.err).count("crawl/_SUCCESS") == 1, "once, though progress has notes too"
    expected = [
        {"reason": LINE.partition(", ")[2].partition(": ")[0], "files": 2, "paths": ["crawl/.part-0.crc", "crawl/_SUCCESS"]},
        {
            "reason": OTHER.partition(", ")[2] + "; rename it to .txt, .csv or .jsonl to have it read as that",
            "files": 1,
            "paths": ["crawl/notes.org"],
        },
    ]
    metrics = json.loads((out / "metrics.json").read_bytes())
    assert metrics["passed_over"] == expected and LINE in metrics["notes"]
    assert (metrics["totals"]["read"], metrics["totals"]["kept"]) == (9, 6)
    manifest = json.loads((out / "manifests" / "000001.json").read_bytes())
    assert manifest["metrics"]["passed_over"] == expected
    assert [record["rows"] for record in manifest["inputs"]] == [3, 3, 3]
    assert "crawl/_SUCCESS" in (out / "report.html").read_text()
    again = winnow(capsys, "minimal", "--input", crawl, "--output", out)
    assert again.code == 0 and (again.out + again.err).count("nothing new") == 1 and again.err.count(LINE) == 1
    assert "loading kernels: done in " in again.err and "compiling" not in again.err, "the first run compiled them"


def test_the_same_file_gives_the_same_bytes_however_it_is_named(capsys, tmp_path, crawl):
    found = set()
    for number, path in enumerate((crawl / "part-1", f"{crawl}/part-1*", f"{tmp_path}/**/part-1", f"file://{crawl}/part-1")):
        out = tmp_path / f"out{number}"
        assert winnow(capsys, "none", "--input", path, "--output", out).code == 0
        made = json.loads((out / "manifests" / "000001.json").read_bytes())
        refs = "crawl/part-1" if number != 2 else f"{tmp_path.name}/crawl/part-1"
        assert [record["path"] for record in made["inputs"]] == [refs]
        found.add((made["inputs"][0]["content"], made["inputs"][0]["rows"]))
    assert found == {(made["inputs"][0]["content"], 3)}


def test_a_path_that_begins_with_a_dash_is_a_path(capsys, tmp_path, monkeypatch):
    write_rows(tmp_path / "-crawl" / "-a.jsonl", [{"text": prose(0)}])
    monkeypatch.chdir(tmp_path)
    assert winnow(capsys, "none", "--input", "-crawl/-a.jsonl", "--output", tmp_path / "out").code == 0
    ran = winnow(capsys, "none", "--input", "-nothing", "--output", tmp_path / "out2")
    assert (ran.code, "-nothing" in ran.err or "expected at least one argument" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.json", b'{\n "step": 3\n}', ["'step'", "source.text"]),
        ("a.jsonl", b'{"text": "a"}\n' * 20 + b'["b", "c"]\n', ["an array of 2"]),
        ("a.jsonl", b"{'text': 'a'}\n", ["single quotes", "json.dumps"]),
        ("a.jsonl", '{"text": "café"}\n'.encode("latin-1"), ["0xe9", "Latin-1"]),
        ("a.jsonl", b"# by hand\n{}", ["a comment"]),
        ("a.csv", b'text\n"a \\"b\\" c"\n', ["behind a backslash"]),
        ("a.jsonl", b"PK\x03\x04" + bytes(40), ["zip archive"]),
        ("a.parquet", b"PARE" + bytes(40) + b"\x08\0\0\0PARE", ["encrypted", "decrypt it first"]),
        ("a.csv", b"text,n,n\na,1,2\n", ["two columns", "'n'"]),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_cause(capsys, tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    ran = winnow(capsys, "none", "--input", tmp_path / name, "--output", tmp_path / "out")
    assert ran.code in (1, 2) and all(word in ran.err for word in words), ran.err
    any_loss = ("--set", "source.max_bad_fraction=1", "--accept")
    ran = winnow(capsys, "none", "--input", tmp_path / name, "--output", tmp_path / "out", *any_loss)
    assert ran.code == (2 if name == "a.json" else 0), ran.err


def test_what_a_run_would_do_is_json_where_that_is_asked_for(capsys, tmp_path):
    path = write_rows(tmp_path / "a.jsonl", [{"text": "a"}])
    ran = winnow(capsys, "minimal", "--input", path, "--output", tmp_path / "out", "--explain", "--json")
    assert ran.code == 0 and any(
        line.startswith("1 input, 1 new; would become generation 1") for line in json.loads(ran.out)["explain"]
    )
