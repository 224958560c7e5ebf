"""The page of `inspect browse`: who may ask, what a page holds, and that the slider's numbers are those of a run."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from fastapi.testclient import TestClient

from pipeline.inspect import output as opened
from pipeline.inspect.page import app, guard
from pipeline.inspect.thresholds import sweep
from pipeline.plan import load, recipe
from tests.support import ROOT, SAMPLE, curate, prose, table, winnow, write_rows

TOKEN, PORT = "a-token", 8765
HOSTILE = (
    '<script>alert(1)</script><img src=x onerror="alert(2)"> \u202eevil\x1b[31m\x00 </textarea>{{7*7}}\n'
    "javascript:alert(3) ' \" ` --> ]]> <svg/onload=alert(4)>"
)


def client(out: Path, **more) -> TestClient:
    made = app.application(opened.open_output_of(str(out)), token=TOKEN, port=PORT, **more)
    return TestClient(made, base_url=f"http://127.0.0.1:{PORT}/{TOKEN}/", raise_server_exceptions=False)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page") / "out"
    curate("default@1", "--input", SAMPLE / "input", "--output", made, "--set", "source.max_bad_fraction=0.05")
    return made


@pytest.fixture(scope="module")
def page(out: Path) -> Iterator[TestClient]:
    with client(out) as made:
        yield made


class _Tags(HTMLParser):
    """What a browser would make of a page: names of its elements and attributes, and where scripts come from."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.scripts: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))


def refs(html: str) -> list[str]:
    return re.findall(r'class="open" href="[^"]*"><bdi>([^<]*)<', html)


def test_nothing_is_answered_without_the_token_and_a_name_of_this_machine(page):
    assert page.get("documents").status_code == 200
    assert page.get(f"http://localhost:{PORT}/{TOKEN}/").status_code == 200
    assert page.get(f"http://127.0.0.1:{PORT}/").status_code == 403
    assert page.get(f"http://127.0.0.1:{PORT}/a-tokem/documents").status_code == 403
    assert page.get(f"http://127.0.0.1:{PORT}/static/page.js").status_code == 403
    for host in ("rebound.example", f"rebound.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}"):
        assert page.get("documents", headers={"host": host}).status_code == 421, host
    for origin in ("http://rebound.example", "null", f"http://127.0.0.1:{PORT + 1}"):
        assert page.get("documents", headers={"origin": origin}).status_code == 403, origin
    assert page.post("score", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert page.get("documents", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status_code == 200
    assert page.get("documents", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}).status_code == 403
    assert page.post("score", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status_code == 403
    assert page.get("documents", headers={"sec-fetch-site": "same-site"}).status_code == 403
    hosts = [("host", f"127.0.0.1:{PORT}"), ("host", "rebound.example")]
    assert page.get("documents", headers=hosts).status_code == 421
    assert page.delete("documents").status_code == 405
    assert page.get("static/page.js").status_code == 200
    assert page.get("static/%2e%2e/app.py").status_code == 404 and page.get("static/..%2fapp.py").status_code == 404


def test_every_answer_forbids_what_the_page_does_not_need(page):
    for address in ("documents", "static/page.js", "effect", "nowhere", "document?name=nobody", f"http://127.0.0.1:{PORT}/"):
        headers = page.get(address).headers
        assert headers["content-security-policy"] == guard.POLICY and "unsafe" not in guard.POLICY
        assert headers["x-frame-options"] == "DENY" and headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer" and headers["cache-control"] == "no-store"


def test_the_policy_is_this_one():
    assert guard.POLICY.split("; ") == [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]


def test_tokens_are_random():
    assert len({guard.new_token() for _ in range(100)}) == 100
    assert all(len(guard.new_token()) >= 22 for _ in range(10))


@pytest.mark.parametrize(("view", "folder"), [("kept", "data"), ("dropped", "rejected"), ("quarantined", "quarantine")])
def test_pages_of_a_view_hold_every_row_once_in_order_forwards_and_backwards(page, out, view, folder):
    expected = table(out, folder)["source_ref"].to_list()
    address, seen = f"documents?view={view}", []
    while True:
        html = page.get(address).text
        seen.append(refs(html))
        later = re.search(r'rel="next" href="([^"]*)"', html)
        if later is None:
            break
        address = later[1].replace("&amp;", "&")
    assert [ref for one in seen for ref in one] == expected
    for before in reversed(seen[:-1]):
        html = page.get(re.search(r'rel="prev" href="([^"]*)"', html)[1].replace("&amp;", "&")).text
        assert refs(html) == before


def test_filters_choose_what_the_tables_hold(page, out):
    data, rejected = table(out, "data"), table(out, "rejected")

    def found(**keys) -> list[str]:
        return refs(page.get("documents?" + urlencode(keys)).text)

    some = rejected.filter(rejected["reason"].str.starts_with("gopher_quality."))["source_ref"].to_list()
    assert found(view="dropped", reason="gopher_quality") == some[:25] and len(some) > 25
    one = rejected.filter(rejected["reason"] == "toxicity.toxic")["source_ref"].to_list()
    assert found(view="dropped", reason="toxicity.toxic") == one and one
    assert found(view="dropped", reason="toxicity.tox") == []
    assert found(language="ja") == data.filter(data["language"] == "ja")["source_ref"].to_list()[:25]
    assert found(source="press-agency") == data.filter(data["source"] == "press-agency")["source_ref"].to_list()[:25]
    scored = data.filter((data["quality_score"] >= 0.5) & (data["quality_score"] <= 0.9))["source_ref"].to_list()
    assert found(score="quality_score", low="0.5", high="0.9") == scored[:25] and scored
    word = data["text"][0].split()[3]
    wanted = [ref for ref, text in data.select("source_ref", "text").iter_rows() if word.lower() in text.lower()]
    assert found(text=word.upper()) == wanted[:25]
    assert found(text=".*") == [ref for ref, text in data.select("source_ref", "text").iter_rows() if ".*" in text]
    copied = data.filter(data["minhash_cluster_size"] > 1)["source_ref"][0]
    assert (
        found(view="dropped", copies=copied) == rejected.filter(rejected["duplicate_ref"] == copied)["source_ref"].to_list()[:25]
    )
    assert len(found(view="quarantined", reason="invalid_json")) == 1
    assert len(found(view="quarantined", text="cut off")) == 1


def test_a_search_says_how_many_there_are(page, out):
    data, rejected = table(out, "data"), table(out, "rejected")
    word = data["text"][0].split()[3].lower()
    n = sum(word in text.lower() for text in data["text"])
    assert (
        f"<b>{n} document{'s' if n != 1 else ''}</b>, {min(n, 25)} on this page"
        in page.get("documents", params={"text": word}).text
    )
    copies = int((rejected["reason"] == "near_duplicate").sum())
    for address in ("documents?view=dropped&reason=near_duplicate", "documents?view=dropped&reason=near_duplicate&after=0.40"):
        assert f"<b>{copies} documents</b>" in page.get(address).text
    assert f"<b>{len(data)} documents</b>, 25 on this page" in page.get("documents").text


def test_reasons_and_thresholds_stand_by_what_they_dropped(page, out):
    html = page.get("documents").text
    reasons = table(out, "rejected")["reason"].value_counts().rows()
    told = [int(n) for n in re.findall(r"</meter> <span>(\d+)</span>", html)]
    assert told == sorted((n for _, n in reasons), reverse=True)[:8]
    html = page.get("thresholds").text
    (part,) = (one for one in html.split("<section>") if "<h2><code>gopher_quality</code>" in one)
    first = [int(n) for n in re.findall(r'<td class="n">(\d+)</td><td class="n">\d+</td><td class="n">', part)]
    assert first == sorted(first, reverse=True) and "that no document fails</summary>" in part


def test_a_document_s_page_starts_with_why(page, out):
    ledger = table(out, "ledger")

    def beginning(ref: str) -> str:
        html = page.get("document", params={"name": ref}).text
        return " ".join(re.sub("<[^>]*>", "", html.partition('<p class="verdict">')[2].partition("</p>")[0]).split())

    short = ledger.filter(ledger["reason"] == "gopher_quality.too_few_words")["source_ref"][0]
    assert re.match(
        r"✕ dropped Its first failed rule is gopher_quality.too_few_words: gopher_words is \d+, and at least 50", beginning(short)
    )
    copy = ledger.filter(ledger["reason"] == "near_duplicate").row(0, named=True)
    assert beginning(copy["source_ref"]).startswith(
        f"✕ dropped It nearly repeats {copy['duplicate_ref']} of generation 1, similarity 0."
    )
    assert beginning(ledger.filter(ledger["verdict"] == "kept")["source_ref"][0]).startswith("✓ kept No rule failed it")
    assert beginning(ledger.filter(ledger["verdict"] == "quarantined")["source_ref"][0]).startswith(
        "⚠ quarantined It could not be read: "
    )


def test_a_search_looks_at_a_bounded_part_and_goes_on_from_there(page, monkeypatch):
    from pipeline.inspect import listing

    monkeypatch.setattr(listing, "MOST_BYTES", 1)
    html = page.get("documents?view=kept&text=no+document+says+this").text
    assert refs(html) == [] and "<b>0 documents</b>" in html
    monkeypatch.setattr(listing, "MOST_ROWS", 0)
    html = page.get("documents?view=kept&text=nor+this").text
    assert re.search(r"<b>at least 0 documents</b> in the first 0 of [\d,]+ rows", html)


def test_a_document_shows_what_why_prints_and_a_duplicate_stands_beside_its_survivor(page, out):
    row = table(out, "ledger").filter(table(out, "ledger")["reason"] == "near_duplicate").sort("similarity").to_dicts()[0]
    html = page.get("document?" + urlencode({"name": row["source_ref"]})).text
    assert f"similarity {row['similarity']:.2f}" in html and quote(row["duplicate_ref"], safe="") in html
    assert "Beside its survivor" in html and ("<ins>" in html or "<del>" in html)
    assert "≥ 50" in html and "≤ 100,000" in html
    short = table(out, "ledger").filter(table(out, "ledger")["reason"] == "gopher_quality.too_few_words")["source_ref"][0]
    assert "✕ fails" in page.get("document?" + urlencode({"name": short})).text


def test_the_sliders_numbers_are_those_of_sweep_and_of_a_run(page, out, capsys, tmp_path):
    """For cheap rules, whose numbers are exact; what models have not scored is counted, and exact once they have."""
    output = opened.open_output_of(str(out))
    for key, values in (
        ("filters.gopher_quality.min_words", ["10", "90", "120"]),
        ("filters.gopher_repetition.max_top_2gram", ["0.02", "0.3"]),
        ("filters.toxicity.max_score", ["0.1", "0.9"]),
        ("filters.quality.min_score", ["0", "0.99"]),
    ):
        for line in sweep.sweep(output, key, values, by_language=False):
            made = page.get("effect", params={"set": f"{key}={line.value}"}).json()
            assert [made[k] for k in ("documents", "n_bytes", "enter", "leave", "unscored")] == [
                line.documents, line.n_bytes, line.enter, line.leave, line.unscored,
            ], line  # fmt: skip
    asked = {"set": ["filters.gopher_quality.min_words=10", "filters.toxicity.max_score=0.3"]}
    before = page.get("effect", params=asked).json()
    assert before["unscored"] > 0
    assert page.post("score", params=asked).json() == {"scored": before["unscored"]}
    after = page.get("effect", params=asked).json()
    assert after["unscored"] == 0 and after["documents"] <= before["documents"]
    sets = [part for one in asked["set"] for part in ("--set", one)]
    plan = ("default@1", "--input", SAMPLE / "input", "--output", tmp_path / "again", "--set", "source.max_bad_fraction=0.05")
    assert winnow(capsys, *plan, *sets).code == 0
    ledger = table(tmp_path / "again", "ledger")
    kept = ledger.filter((ledger["verdict"] == "kept") | (ledger["stage"] == "dedup"))
    assert (after["documents"], after["n_bytes"]) == (len(kept), kept["n_bytes"].sum())


def test_samples_are_documents_that_cross(page, out):
    found = page.get(
        "samples", params={"key": "filters.gopher_quality.min_words", "set": "filters.gopher_quality.min_words=130"}
    ).json()
    assert found["enter"] == [] and len(found["leave"]) == 5
    assert all(50 <= int(one["values"][0]) < 130 for one in found["leave"])
    refs_ = set(table(out, "ledger")["source_ref"])
    assert all(one["ref"] in refs_ for one in found["leave"])


def test_histograms_count_every_document_and_stops_hold_the_line(page, out):
    for key in ("gopher_quality.min_words", "gopher_quality.max_words", "gopher_repetition.max_top_2gram", "toxicity.max_score"):
        found = page.get("range", params={"key": f"filters.{key}"}).json()
        assert found["line"] in found["stops"] and found["stops"] == sorted(found["stops"])
        for one in found["histograms"].values():
            documents = len(table(out, "ledger")) - len(table(out, "quarantine"))
            assert sum(one["counts"]) + one["nulls"] == documents
            assert all(left <= n for left, n in zip(one["left"], one["counts"], strict=True))


def test_the_plan_that_is_saved_is_accepted_and_has_the_values(out, tmp_path):
    file = tmp_path / "chosen.yaml"
    with client(out, save_plan=file) as page:
        asked = {"set": ["filters.gopher_quality.min_words=77", "filters.quality.min_score=0.4"]}
        assert page.post("save", params=asked).status_code == 200
        assert page.get("plan.yaml", params=asked).content == file.read_bytes()
        loaded = load.load_plan(str(file)).plan
        expected = load.overridden(opened.open_output_of(str(out)).newest.plan, asked["set"])
        assert loaded == expected and recipe.resolve(loaded).hash == recipe.resolve(expected).hash
        assert page.post("save", params=asked).status_code == 200  # its own file may be written again
        file.write_text("mine: 1\n")
        assert page.post("save", params=asked, headers={"accept": "application/json"}).status_code == 400
        assert file.read_text() == "mine: 1\n"
    with client(out) as page:
        assert page.post("save", params=asked).status_code == 400


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("effect?set=filters.nothing.min_x=3", "not a threshold"),
        ("effect?set=filters.gopher_quality.min_words=many", "min_words"),
        ("range?key=dedup.threshold", "not a threshold"),
        ("document?name=nobody", "no document has"),
        ("document", "name"),
        ("documents?view=everything", "expected one of"),
        ("documents?low=abc", "expected a number"),
        ("documents?score=n_bytes", "expected one of"),
        ("review?reason=nothing", "nothing was dropped for"),
        ("label", ""),
    ],
)
def test_mistakes_are_told_in_the_page(page, address, words):
    answer = page.get(address)
    assert 400 <= answer.status_code < 500 and words in answer.text


def test_without_the_work_directory_documents_stay_and_the_command_that_makes_it_is_shown(capsys, tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"id": f"d{k}", "text": prose(k)} for k in range(3)])
    assert winnow(capsys, "--input", path, "--output", tmp_path / "out", "--clean").code == 0
    with client(tmp_path / "out") as page:
        assert len(refs(page.get("documents").text)) == 3
        assert page.get("document?name=d1").status_code == 200
        html = page.get("thresholds").text
        assert f"winnow curate {tmp_path}/out/plan.resolved.yaml --output {tmp_path}/out --replace" in html
    assert winnow(capsys, tmp_path / "out" / "plan.resolved.yaml", "--output", tmp_path / "out", "--replace").code == 0
    with client(tmp_path / "out") as page:
        assert page.get("effect").json()["documents"] == 3


def test_dropped_text_that_was_not_kept_is_told_and_the_ledger_shown(capsys, tmp_path):
    rows = [{"text": prose(1)}, {"text": "Too few words."}]
    path = write_rows(tmp_path / "in" / "a.jsonl", rows)
    assert winnow(capsys, "--input", path, "--output", tmp_path / "out", "--set", "output.rejected=none").code == 0
    with client(tmp_path / "out") as page:
        html = page.get("documents?view=dropped").text
        assert refs(html) == ["in/a.jsonl#2"] and "keeps no text of dropped documents" in html
        assert "its text was not kept" in page.get("document?name=in/a.jsonl%232").text


def test_text_ids_and_names_from_outside_are_harmless_in_every_page(capsys, tmp_path):
    rows = [{"id": HOSTILE, "source": HOSTILE, "text": f"{prose(1)} {HOSTILE}"}, {"id": "<b>", "text": HOSTILE}]
    rows += [
        {"id": "line", "text": "x" * 10_000_000},
        {"id": "twin", "text": f"{prose(1)} {HOSTILE} indeed"},
        b'{"id": "<i>", "text": 5}',
    ]
    path = write_rows(tmp_path / "in" / "<img src=x onerror=alert(5)>.jsonl", rows)
    sets = ("--set", "source.max_bad_fraction=0.5", "--set", "source.id=id", "--set", "source.from=source")
    assert winnow(capsys, "--input", path, "--output", tmp_path / "out", *sets).code == 0
    with client(tmp_path / "out") as page:
        addresses = ["documents", "documents?view=dropped", "documents?view=quarantined", "review?reason=kept", "thresholds"]
        addresses += ["document?" + urlencode({"name": ref}) for ref in table(tmp_path / "out", "ledger")["source_ref"]]
        addresses += ["document?" + urlencode({"name": HOSTILE}), "documents?" + urlencode({"text": HOSTILE, "source": HOSTILE})]
        for address in addresses:
            answer = page.get(address)
            assert answer.status_code in (200, 400), (address, answer.text[:300])
            assert not set(answer.text) & set("\u202e\x1b\x00"), address
            found = _Tags()
            found.feed(answer.text)
            assert not found.names & {"img", "svg", "i", "iframe", "textarea", "style"}, address
            assert not any(name.startswith("on") or name == "style" for name in found.attributes), address
            assert found.scripts == ["static/page.js"], address
            assert len(answer.content) < 1_000_000, address
        said = json.dumps(page.get("samples?key=filters.gopher_quality.min_words&set=filters.gopher_quality.min_words=0").json())
        assert "\\u202e" not in said and "\\u001b" not in said


def test_the_page_writes_nothing_into_the_output(page, out):
    def state() -> dict[str, tuple[int, int]]:
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(out.rglob("*")) if p.is_file()}

    before = state()
    for address in (
        "documents",
        "thresholds",
        "threshold?key=filters.gopher_quality.min_words",
        "plan.yaml",
        "review?reason=kept",
    ):
        assert page.get(address).status_code == 200
    page.post("score", params={"set": "filters.gopher_quality.min_words=0"})
    assert state() == before


@pytest.mark.slow
def test_the_command_prints_the_address_answers_and_ends_with_an_interrupt(out):
    command = [sys.executable, "-m", "flows.inspect", "--output", str(out)]  # browse is the default
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/[\w-]{22}/", address)
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200 and b"input/" in answer.read()
        port = address.split(":")[2].split("/")[0]
        taken = subprocess.run([*command, "browse", "--port", port], cwd=ROOT, capture_output=True, text=True, check=False)
        assert taken.returncode == 2 and f"--port {port}" in taken.stderr and not taken.stdout
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--output", "nowhere"], "no output of"), (["browse", "--save-plan", __file__, "--output", "OUT"], "name a new file")],
)
def test_what_cannot_be_served_exits_2(capsys, out, arguments, words):
    from flows.inspect import main

    assert main([str(out) if one == "OUT" else one for one in arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_generation_that_is_committed_meanwhile_is_shown(capsys, tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(1)}])
    assert winnow(capsys, "--input", path, "--output", tmp_path / "out").code == 0
    with client(tmp_path / "out") as page:
        assert len(refs(page.get("documents").text)) == 1 and page.get("effect").json()["documents"] == 1
        more = write_rows(tmp_path / "in" / "b.jsonl", [{"text": prose(2)}])
        assert winnow(capsys, "--input", path, "--input", more, "--output", tmp_path / "out").code == 0
        assert len(refs(page.get("documents").text)) == 2 and page.get("effect").json()["documents"] == 2
        assert "generation 2" in page.get("documents").text


def test_a_label_from_the_page_is_kept_and_the_next_document_comes(capsys, tmp_path):
    rows = [{"text": f"Short number {k}."} for k in range(2)]
    path = write_rows(tmp_path / "in" / "a.jsonl", rows)
    sets = ("--set", "checks.max_drop_share=1", "--accept")
    assert winnow(capsys, "--input", path, "--output", tmp_path / "out", *sets).code == 0
    with client(tmp_path / "out") as page:
        asked = {"reason": "gopher_quality", "generation": 1, "ref": "in/a.jsonl#1", "answer": "wrong"}
        assert "in/a.jsonl#1" in page.get("review?reason=gopher_quality").text
        assert page.post("label", params=asked).json() == {"label": "wrong"}
        assert page.post("label", params={**asked, "ref": "in/a.jsonl#9"}).status_code == 400
        assert page.post("label", params={**asked, "answer": "maybe"}).status_code == 400
        html = page.get("review?reason=gopher_quality").text
        assert "1 of 2 judged" in html and 'data-ref="in/a.jsonl#2"' in html and "95 % interval" in html
        assert 'data-ref="in/a.jsonl#1"' in page.get("review?reason=gopher_quality&again=in/a.jsonl%231").text
    assert len((tmp_path / "out" / "reviews.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ("browse", "curated", 0)),
        (["--output", "D"], ("browse", "D", 0)),
        (["--output", "D", "--port", "8399"], ("browse", "D", 8399)),
        (["--port", "8399", "--output=D"], ("browse", "D", 8399)),
        (["--output", "why", "--port", "8399"], ("browse", "why", 8399)),
        (["--output", "D", "browse", "--port", "8399"], ("browse", "D", 8399)),
    ],
)
def test_options_of_browse_need_no_name_of_the_command(monkeypatch, given, expected):
    from flows import inspect

    seen = []
    monkeypatch.setattr("pipeline.takedown.complete.settle", lambda folder: [])
    monkeypatch.setattr(inspect, "_browse", lambda found: seen.append((found.command, found.output, found.port)) or "")
    assert inspect.main(given) == 0 and seen == [expected]


def test_options_of_browse_before_another_command_are_refused(capsys):
    from flows import inspect

    with pytest.raises(SystemExit) as refused:
        inspect.main(["--port", "8399", "why", "x"])
    assert refused.value.code == 2 and "no such argument: why x" in capsys.readouterr().err
