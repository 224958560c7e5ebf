"""The page in a real browser: nothing is asked of anyone else, nothing from a document runs, the slider's numbers are a run's.

Needs playwright and Chromium (CHROMIUM names one; tests never install system packages): `make test-all`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import SIZES, watched
from tests.support import ROOT, SAMPLE, curate, eval_data, prose, table, winnow, write_rows

pytestmark = pytest.mark.slow
ATTACKS = (
    "<script>window.hit=1;alert(1)</script>",
    "<img src=http://127.0.0.1:9/x onerror='window.hit=1;alert(1)'>",
    "<svg onload=alert(1)>",
    "</textarea></select><iframe srcdoc='<script>parent.hit=1</script>'>",
    "' onfocus=alert(1) autofocus x='",
    '" onmouseover="window.hit=1" style="position:fixed;inset:0',
    "<style>@import url(http://127.0.0.1:9/);</style>",
    "<base href=http://127.0.0.1:9/><link rel=prefetch href=http://127.0.0.1:9/>",
    "{{constructor.constructor('alert(1)')()}} ${alert(1)}",
    "\u202e\u2066evil\x1b]0;title\x07\x9b31m",
)


@contextmanager
def served(out: Path, *arguments: str) -> Iterator[str]:
    """The address that the real command prints."""
    command = [sys.executable, "-m", "flows.inspect", "--output", str(out), "browse", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


@contextmanager
def tab(browser: Any, address: str, size: str = "desktop", scheme: str = "light") -> Iterator[Any]:
    """A page that fails the test if it asks anyone else, logs an error, or lets a document open a dialog."""
    context = browser.new_context(viewport=SIZES[size], color_scheme=scheme)
    page, faults = watched(context, allowed=lambda url: url.startswith((address, "data:")), kinds=("error", "warning"))
    yield page
    assert page.evaluate("window.hit") is None
    context.close()
    assert not faults


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("browser") / "out"
    curate("default@1", "--input", SAMPLE / "input", "--output", made, "--set", "source.max_bad_fraction=0.05")
    return made


def settled(page: Any) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_their_width_and_stay_by_themselves(browser, out, size, scheme):
    near = table(out, "ledger").filter(table(out, "ledger")["reason"] == "near_duplicate")["id"][0]
    pages = [
        "",
        "documents?view=dropped",
        "documents?view=quarantined",
        f"document?name={near}",
        "thresholds",
        "review?reason=kept",
    ]
    pages += ["threshold?key=filters.gopher_quality.min_words", "threshold?key=filters.toxicity.max_score", "review"]
    with served(out) as address, tab(browser, address, size, scheme) as page:
        for name in pages:
            assert page.goto(address + name).status == 200
            settled(page)
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
            small = page.evaluate(
                "[...document.querySelectorAll('input, select, button')].filter(e => e.offsetParent && !e.labels?.length"
                " && !e.ariaLabel && !e.textContent.trim()).map(e => e.outerHTML)"
            )
            assert small == [], name


def test_the_sliders_numbers_are_those_of_a_run_also_after_scoring(browser, out, capsys, tmp_path):
    key = "filters.gopher_quality.min_words"
    with served(out, "--save-plan", str(tmp_path / "chosen.yaml")) as address, tab(browser, address) as page:
        page.goto(f"{address}threshold?key={key}")
        settled(page)
        page.fill("#value", "10")
        settled(page)
        unscored = int(page.inner_text("#unscored"))
        assert unscored > 0
        page.click("#score")
        page.wait_for_selector("#unscored-line", state="hidden")
        settled(page)
        shown = {name: int(re.sub(r"\D", "", page.inner_text(f"#{name}"))) for name in ("documents", "tokens", "enter", "leave")}
        page.click("#save")
        page.wait_for_selector("#saved:has-text('saved to')")
        page.focus("#slider")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        settled(page)
        assert float(page.input_value("#value")) > 10
        page.click("#reset")
        settled(page)
        assert page.input_value("#value") == "50" and page.inner_text("#enter") == "0"
    assert winnow(capsys, tmp_path / "chosen.yaml", "--output", tmp_path / "again").code == 0
    ledgers = [table(folder, "ledger") for folder in (out, tmp_path / "again")]
    before, after = (one.filter((one["verdict"] == "kept") | (one["stage"] == "dedup")) for one in ledgers)
    assert shown["documents"] == len(after) and shown["tokens"] == round(after["n_bytes"].sum() / 4)
    both = before.join(after, on="source_ref", how="inner")
    assert (shown["enter"], shown["leave"]) == (len(after) - len(both), len(before) - len(both))


def test_keys_go_through_the_list(browser, out):
    with served(out) as address, tab(browser, address) as page:
        page.goto(address)
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        first = page.evaluate("document.activeElement.textContent")
        assert first == table(out, "data")["source_ref"][0]
        page.keyboard.press("n")
        page.wait_for_url("**after=*")
        assert page.inner_text(".documents li:first-child a.open") == table(out, "data")["source_ref"][25]
        page.keyboard.press("p")
        page.wait_for_url("**before=*")
        assert page.inner_text(".documents li:first-child a.open") == first
        page.keyboard.press("/")
        page.keyboard.type("j")
        assert page.input_value("#search") == "j"
        page.keyboard.press("Escape")
        page.goto(address)
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**document?name=*")


def test_a_review_in_the_page_keeps_its_labels(browser, capsys, tmp_path):
    rows = [{"text": f"Short number {k} has few words."} for k in range(3)] + [{"text": prose(1)}]
    path = write_rows(tmp_path / "in" / "a\u202e&'\".jsonl", rows)
    assert winnow(capsys, "--input", path, "--output", tmp_path / "out").code == 0
    with served(tmp_path / "out") as address, tab(browser, address) as page:
        page.goto(f"{address}review?reason=gopher_quality")
        for key in "rwbrs":
            page.wait_for_selector("#judge")
            with page.expect_navigation():
                page.keyboard.press(key)
        settled(page)
        assert "1" in page.inner_text("main") and "judged or skipped" in page.inner_text("main")
    labels = (tmp_path / "out" / "reviews.jsonl").read_text().splitlines()
    assert [re.search('"label": "([a-z]+)"', line)[1] for line in labels] == ["right", "wrong", "right"]  # type: ignore[index]


def corpus() -> list[str]:
    """Our own attacks, and the evaluation data's where it is given: naughty strings, and texts of html5lib's tests."""
    texts = list(ATTACKS)
    if os.environ.get("WINNOW_EVAL_DATA"):
        hostile = eval_data() / "hostile"
        for file in sorted((hostile / "strings").rglob("*.txt")):
            texts += [line for line in file.read_text("utf-8", "replace").split("\n") if line and not line.startswith("#")]
        for file in sorted((hostile / "html").rglob("*.dat"))[:40]:
            texts += file.read_text("utf-8", "replace").split("#data\n")[:60]
    return texts


def test_no_text_id_or_name_runs_or_asks(browser, capsys, tmp_path):
    texts = [text.encode("utf-8", "replace").decode() for text in corpus()]
    rows: list[dict[str, Any] | bytes] = [{"id": text[:200], "source": text[:50], "text": text} for text in texts]
    rows += [{"id": f"long {k}", "text": f"{prose(k)} {text}"} for k, text in enumerate(texts[:40])]
    rows += [{"id": "copy", "text": f"{prose(0)} {texts[0]} {texts[1]}"}, {"id": "line", "text": "<b>" * 3_000_000}]
    path = write_rows(tmp_path / "in" / "<img src=x onerror=alert(1)>.jsonl", rows)
    sets = ("--set", "source.max_bad_fraction=1", "--set", "checks.max_drop_share=1", "--set", "source.from=source")
    assert winnow(capsys, "--input", path, "--output", tmp_path / "out", *sets).code == 0
    with served(tmp_path / "out") as address, tab(browser, address) as page:
        for start in ("", "documents?view=dropped", "documents?view=quarantined"):
            page.goto(address + start)
            links = []
            for _ in range(40):
                links += page.evaluate("[...document.querySelectorAll('a.open')].map(a => a.href)")
                following = page.query_selector("a[rel=next]")
                if following is None:
                    break
                with page.expect_navigation():
                    following.click()
            for link in links[:: max(1, len(links) // 60)]:
                page.goto(link)
        page.goto(f"{address}threshold?key=filters.gopher_quality.min_words")
        settled(page)
        page.fill("#value", "0")
        settled(page)
        assert page.query_selector_all("#sample-enter li a.open")
        page.goto(f"{address}review?reason=kept")
        settled(page)
