"""The report in a real browser: asks nobody, runs nothing of a document, fits a phone, opens at once at ten million documents.

Needs playwright and Chromium (CHROMIUM names one; tests never install system packages): `make test-all`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import SIZES, watched
from tests.real_run import Reported, full, full_samples, hostile, hostile_samples
from tests.report.shown import render
from tests.support import SAMPLE, curate, eval_data, write_rows

pytestmark = pytest.mark.slow
OPENED = "document.querySelectorAll('details').forEach(one => { one.open = true })"
OVERLAPPING = """() => [...document.querySelectorAll('svg.chart')].flatMap(chart => {
  const boxes = [...chart.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
  return boxes.flatMap(([said, a], i) => boxes.slice(i + 1)
    .filter(([, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
                    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
    .map(([other]) => `${said} / ${other}`));
})"""
"""Pairs of labels of a chart that lie on each other."""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("browser") / "curated"
    curate(SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", out)
    return out / "report.html"


@contextmanager
def shown(browser: Any, path: Path, size: str = "desktop", scheme: str = "light") -> Iterator[Any]:
    """The opened page; fails on any request but the page's own, any message, any dialog, and if a document ran."""
    context = browser.new_context(viewport=SIZES[size], color_scheme=scheme)
    page, faults = watched(context, allowed=lambda url: url in (path.as_uri(), "data:,"))
    page.goto(path.as_uri())
    yield page
    assert page.evaluate("window.hit") is None
    context.close()
    assert not faults


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_fits_the_screen_with_everything_unfolded(browser: Any, sample: Path, size: str, scheme: str) -> None:
    with shown(browser, sample, size, scheme) as page:
        page.evaluate(OPENED)
        assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size]["width"]
        assert page.evaluate(OVERLAPPING) == []
        assert page.locator("svg.chart").count() > 25


def test_text_of_charts_can_be_read_on_a_phone(browser: Any, sample: Path) -> None:
    with shown(browser, sample, "phone") as page:
        page.evaluate(OPENED)
        scale = "Math.hypot(t.getCTM().a, t.getCTM().b)"
        heights = page.evaluate(f"[...document.querySelectorAll('svg.chart text')].map(t => t.getBBox().height * {scale})")
        assert len(heights) > 100
        assert min(heights) > 8.5


def test_the_first_screen_holds_the_verdict_the_funnel_and_three_documents(browser: Any, sample: Path) -> None:
    told = ("documents kept", "of the compute of training on", "has not been measured", "Nobody has looked yet", "checks passed")
    with shown(browser, sample) as page:
        assert page.locator(".telling blockquote").count() == 3
        for said in (*told, "near_duplicate", "at least 50 passes"):
            box = page.get_by_text(said).locator("visible=true").first.bounding_box()
            assert box["y"] + box["height"] <= SIZES["desktop"]["height"], said


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Any, sample: Path, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5, for every text colour of the page's on both grounds."""
    with shown(browser, sample, scheme=scheme) as page:
        style = "getComputedStyle(document.documentElement).getPropertyValue"
        colours = {
            name: page.evaluate(f"{style}('--{name}')") for name in ("ink", "quiet", "bad", "good", "warn", "sheet", "ground")
        }
    for text in ("ink", "quiet", "bad", "good", "warn"):
        for ground in ("sheet", "ground"):
            light, dark = sorted((_luminance(colours[text]), _luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def _luminance(colour: str) -> float:
    digits = colour.strip().removeprefix("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_hostile_metrics_and_samples_are_text(browser: Any, everything: Reported, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    text = render(hostile(everything.metrics), None, samples=hostile_samples(everything.samples))
    path.write_bytes(text.encode("utf-8", "backslashreplace"))
    for size in SIZES:
        with shown(browser, path, size) as page:
            page.evaluate(OPENED)
            assert page.evaluate("document.querySelectorAll('script, img, iframe').length") == 0
            assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size]["width"]


def test_naughty_strings_as_documents_ids_and_sources_do_nothing(browser: Any, tmp_path: Path) -> None:
    strings = json.loads((eval_data() / "hostile/strings/blns/blns.json").read_text("utf-8"))
    strings += ["<script>window.hit=1</script>", "<img src=http://127.0.0.1:9/ onerror='window.hit=1'>", "x" * 10_000_000]
    lines = [
        {"text": f"{said} {n} {said}", "id": said[:2_000] or "-", "source": said[:2_000] or "-"} for n, said in enumerate(strings)
    ]
    path = write_rows(tmp_path / "in" / "<b onmouseover=alert(1)>.jsonl", lines)
    out = tmp_path / "out"
    curate("--input", path, "--output", out, "--set", "source.max_bad_fraction=1", "--set", "source.from=source")
    for size in ("desktop", "phone"):
        with shown(browser, out / "report.html", size) as page:
            page.evaluate(OPENED)
            assert page.evaluate("document.querySelectorAll('script, img, iframe').length") == 0
            assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size]["width"]


def test_opens_within_two_seconds_at_ten_million_documents(browser: Any, everything: Reported, tmp_path: Path) -> None:
    """The largest page that the bounds allow: every table, list and sample full."""
    path = tmp_path / "report.html"
    page = render(full(everything.metrics), None, samples=full_samples(everything.samples))
    path.write_text(page, "utf-8")
    print(f"{path.stat().st_size:,} bytes")
    for size in ("desktop", "phone"):
        started = time.monotonic()
        with shown(browser, path, size) as page:
            page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            seconds = time.monotonic() - started
            print(f"{size}: {seconds:.2f} s")
            assert seconds < 2
            page.evaluate(OPENED)
            assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size]["width"]
