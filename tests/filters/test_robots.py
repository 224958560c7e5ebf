"""Documents of sites that reserve their rights are dropped, with the rule or the line that says so."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import robots, robots_txt
from filters.contract import TextBatch, check
from filters.models import ModelError
from flows.serving import roots
from pipeline.plan import load
from tests.support import curate, examples, prose, table, write_rows

TEXT = """
# a comment
User-agent: GPTBot
User-agent: ccbot
Disallow: /private/
Allow: /private/open*.html$

user-agent: *
Disallow: /search?*q=
Disallow: /%7Ejoe/
Disallow: /ä
Sitemap: https://example.org/sitemap.xml
"""


@pytest.mark.parametrize(
    ("agent", "path", "allowed"),
    [
        ("CCBot", "/private/a", False),
        ("GPTBot", "/private/open-door.html", True),
        ("GPTBot", "/private/open-door.html?x", False),
        ("CCBot", "/search?q=1", True),  # its own group counts alone
        ("Other", "/private/a", True),
        ("Other", "/search?page=2&q=1", False),
        ("Other", "/search", True),
        ("Other", "/~joe/x", False),
        ("Other", "/%c3%a4", False),
        ("Other", "/robots.txt", True),
    ],
)
def test_what_a_robots_txt_says(agent, path, allowed):
    assert robots_txt.parse(TEXT).allows(agent, path) is allowed


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", True),
        ("User-agent: *\nDisallow:\n", True),
        ("\ufeffUser-agent:*\r\nDisallow:/\r\n", False),
        ("User-agent: *\rDisallow: /\r", False),
        ("Disallow: /\nUser-agent: *\n", True),  # of no agent
        ("User-agent: *\nDisallow: /a\nAllow: /a\n", True),  # as long: the one that allows
        ("User-agent: X\nDisallow: /\nUser-agent: *\nDisallow: /b\n\nUser-agent: *\nDisallow: /a\n", False),
        ("\0\1<html>User-agent: *", True),
        ("User-agent: *\nDisallow:\nUser-agent: *\nDisallow: /a\n", False),  # an empty group, then one with a rule
        ("User-agent: *\nUser-agent: x\nUser-agent: *\nDisallow: /a\n", False),
    ],
)
def test_odd_files(text, allowed):
    assert robots_txt.parse(text).allows("CCBot", "/a") is allowed


LINES = st.sampled_from(["User-agent: a", "User-agent: b", "User-agent: *", "", "Crawl-delay: 2"])
PATHS = st.text("/ab*$?=.", min_size=1, max_size=8).map("/{}".format)
RULES = st.builds("{}: {}".format, st.sampled_from(["Allow", "Disallow"]), PATHS)


@examples(0.5)
@given(st.lists(LINES | RULES, max_size=12), st.text("/ab?=.", max_size=8).map("/{}".format), st.sampled_from("abc"))
def test_it_is_read_as_protego_reads_it(lines, path, agent):
    protego = pytest.importorskip("protego", reason="protego is not installed: it is part of the extra dev")
    text = "\n".join(lines)
    if any("$" in line.rstrip("$") for line in lines):
        return  # protego takes a sign for the end within a pattern for none
    assert robots_txt.parse(text).allows(agent, path) is protego.Protego.parse(text).can_fetch(f"http://h{path}", agent)


def test_time_is_linear_whatever_the_pattern_is():
    start = time.process_time()
    made = robots_txt.parse(
        "User-agent: a\n" * 3_000 + "".join(f"User-agent: a{n}\n" for n in range(3_000)) + "Allow: /\n" * 3_000
    )
    assert len(made.groups) == 3_001
    assert sum(map(len, {id(group): group for groups in made.groups.values() for group in groups}.values())) == 3_000
    made = robots_txt.parse("User-agent: *\n" + f"Disallow: /{'*a' * 2_000}b\n" * 50)
    assert made.allows("x", "/" + "a" * 8_000)
    assert time.process_time() - start < 2


def batch(*urls: str | None) -> TextBatch:
    return TextBatch(pa.array(["text"] * len(urls), pa.large_string()), urls=lambda: pa.array(urls, pa.string()))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("robots")
    rows = [{"host": "News.example", "robots_txt": TEXT, "fetched": 1}, {"host": "open.example:80", "robots_txt": ""}]
    (folder / "snapshots.jsonl.gz").write_bytes(gzip.compress(b"\n".join(json.dumps(row).encode() for row in rows)))
    (folder / "domains.txt").write_text("# reserved\n\nquiet.example\n*.press.example # all of it\nmünchen.example\n", "utf-8")
    return folder


def params(folder: Path, **more: Any) -> robots.Params:
    lists = {"snapshots": [{"path": f"{folder}/snapshots.jsonl.gz"}], "domains": [{"path": f"{folder}/domains.txt"}]}
    return robots.Params.model_validate(lists | more)


CASES: list[tuple[str | None, bool | None, bool, str | None]] = [
    ("https://news.example/private/a", True, False, "robots.txt of news.example: CCBot, GPTBot"),
    ("http://user@NEWS.example.:8080/private/a", True, False, "robots.txt of news.example: CCBot, GPTBot"),
    ("https://news.example/", False, False, None),
    ("https://open.example/x", False, False, None),
    ("https://www.press.example/x", None, True, "domains.txt, line 4"),
    ("https://press.example/x", None, True, "domains.txt, line 4"),
    ("https://express.example/x", None, False, None),
    ("https://xn--mnchen-3ya.example/", None, True, "domains.txt, line 5"),
    ("ftp://quiet.example/", None, False, None),
    ("no address", None, False, None),
    ("https://quiet.example/" + "x" * 9_000, None, False, None),
    (None, None, False, None),
]


def test_signals_and_evidence(files):
    given_params = params(files)
    made = robots.annotate(
        batch(*[case[0] for case in CASES]), pa.RecordBatch.from_arrays([], []), given_params, robots.load(given_params)
    )
    check(robots.FILTER, rows=len(CASES), signals=made)
    assert [tuple(row.values()) for row in made.to_pylist()] == [case[1:] for case in CASES]


def test_of_parquet_and_of_other_agents(files, tmp_path):
    pq.write_table(pa.table({"host": ["news.example"], "robots_txt": [TEXT]}), tmp_path / "s.parquet")
    given_params = robots.Params(snapshots=({"path": f"{tmp_path}/s.parquet"},), agents=("Other",))  # type: ignore[arg-type]
    made = robots.annotate(
        batch("https://news.example/search?q=", "https://news.example/private/a"),
        pa.RecordBatch.from_arrays([], []),
        given_params,
        robots.load(given_params),
    )
    assert made["robots_disallowed"].to_pylist() == [True, False]


@pytest.mark.parametrize(
    ("key", "content", "words"),
    [
        ("snapshots", b'{"host": "a.example"}\n', "row 1: expected a host and its robots.txt as texts"),
        ("snapshots", b'{"host": "a b", "robots_txt": ""}\n', "row 1: expected a host"),
        ("snapshots", b"User-agent: *\n", "line 1: expected a JSON object in UTF-8"),
        ("snapshots", b"[]\n", "expected a JSON array of objects"),
        ("snapshots", b"7\n", "line 1: expected a JSON object, got int"),
        ("snapshots", b"PAR1 no more", "is damaged"),
        ("domains", b"a.example\nhttp://b.example/\n", "line 2: expected a domain, got 'http://b.example/'"),
        ("domains", b"\x1f\x8b broken", "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(tmp_path, key, content, words):
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(ModelError, match=words):
        robots.load(robots.Params.model_validate({key: [{"path": str(tmp_path / "list")}]}))
    with pytest.raises(ModelError, match="no such file"):
        robots.files(robots.Params.model_validate({key: [{"path": str(tmp_path / "nowhere")}]}))


@pytest.mark.parametrize("name", ["CCBot/2.0", "archive.org_bot", "a b", "", "**"])
def test_a_name_that_no_file_can_hold_is_refused(name):
    with pytest.raises(ValueError, match="pattern"):
        robots.Params(agents=(name,))


def test_without_a_list_it_is_refused():
    with pytest.raises(ModelError, match="names no file"):
        robots.load(robots.Params())


def test_a_run_drops_them_with_evidence(files, tmp_path):
    urls = ["https://news.example/private/a", "https://news.example/b", "https://press.example/", None]
    write_rows(tmp_path / "in.jsonl", [{"id": str(n), "text": prose(n), "url": url} for n, url in enumerate(urls)])
    (tmp_path / "plan.yaml").write_text(
        "extends: none@1\nedits: {pii: {email: true}}\nfilters:\n  robots:\n"
        f"    snapshots: [{{path: {files}/snapshots.jsonl.gz}}]\n    domains: [{{path: {files}/domains.txt}}]\n"
    )
    curate(tmp_path / "plan.yaml", "--input", tmp_path / "in.jsonl", "--output", tmp_path / "out")
    rows = table(tmp_path / "out", "ledger").sort("id")
    assert rows["reason"].to_list() == ["robots.disallowed", None, "robots.opted_out", None]
    assert rows["robots_evidence"].to_list() == [CASES[0][3], None, "domains.txt, line 4", None]
    assert table(tmp_path / "out", "data")["id"].to_list() == ["1", "3"]
    assert table(tmp_path / "out", "rejected")["robots_evidence"].null_count() == 0
    named = roots.read_by(load.load_plan(str(tmp_path / "plan.yaml")))
    assert {f"{files}/snapshots.jsonl.gz", f"{files}/domains.txt"} <= set(named)
