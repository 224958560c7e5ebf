"""report.html: inert, self-contained, and complete for every shape of metrics."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from pipeline.output.reviews import ReviewCounts
from pipeline.records.metrics_json import Metrics
from pipeline.report.page.page import MOST_STEPS, funnel
from tests.real_run import EVIL, Reported, hostile, hostile_samples
from tests.report import shown

pytestmark = pytest.mark.charts

LEVELS = ("rows read", "kept", "kept, final text")
VOID = {"meta", "link", "br", "wbr", "img", "input", "hr"}


class Page(HTMLParser):
    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture
def metrics(everything: Reported) -> dict[str, Any]:
    return everything.metrics


@pytest.fixture
def samples(everything: Reported) -> dict[str, Any]:
    return everything.samples


@pytest.fixture(params=["real", "empty", "hostile"])
def page(request, metrics, samples, nothing) -> Page:
    cases = {
        "real": (metrics, samples),
        "empty": (nothing.metrics, None),
        "hostile": (hostile(metrics), hostile_samples(samples)),
    }
    made, quoted = cases[request.param]
    reviews = [ReviewCounts("near_duplicate", 190, 10)]
    return Page(shown.render(made, None, samples=quoted, reviews=reviews))


def test_policy_forbids_everything_but_inline_style_and_stands_before_any_content(page):
    policies = [a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert {"default-src 'none'", "style-src 'unsafe-inline'", "img-src data:"} <= set(policies[0].split("; "))
    assert [tag for tag, _ in page.tags][:4] == ["html", "head", "meta", "meta"]


def test_nothing_runs_and_nothing_is_fetched(page):
    for tag, attributes in page.tags:
        assert tag not in {"script", "img", "iframe", "object", "embed", "form", "base", "use", "image", "video", "audio"}
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset", "action", "background")]
        assert tag == "a" or attributes.get("href", "data:,") == "data:,"
        assert tag != "a" or re.fullmatch("#[a-z]+", attributes["href"])


def test_charts_are_paths_and_text_of_the_page_s_colours(metrics):
    text = shown.render(hostile(metrics), None)
    charts = re.findall("<svg.*?</svg>", text, re.S)
    scored = [signal for signal in metrics["signals"] if any(signal["counts"])]
    assert len(charts) == len(scored) + 2 < len(metrics["signals"]) + 2  # and pairs found, cluster sizes
    for chart in charts:
        assert set(re.findall("<([a-z]+)", chart)) == {"svg", "path", "text"}
        assert "#" not in re.sub("#[0-9]", "", chart)  # neither a colour of its own nor a link
        assert re.search("documents|pairs found, %", chart)  # the axis says what it counts


def test_the_same_metrics_give_the_same_page(everything):
    pages = {shown.render(everything.metrics, None, samples=everything.samples) for _ in range(2)}
    assert len(pages) == 1


def test_links_within_the_page_lead_somewhere(page):
    places = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {attributes["href"][1:] for tag, attributes in page.tags if tag == "a"} <= places


def test_a_dropped_document_stands_beside_a_near_miss_with_both_numbers(metrics, samples):
    (near,) = (line for line in samples["near"]["gopher_quality.too_few_words"] if line["id"] == "at the limit")
    assert (near["value"], near["limit"]) == (50.0, 50.0)
    line = {**samples["dropped"]["gopher_quality.too_few_words"][0], "value": 37.0, "text": "Buy now.\n\nBuy  cheap.\t" * 9}
    samples["dropped"]["gopher_quality.too_few_words"] = [{**line, "failed": ["a", "b"]}]
    (copy,) = (one for one in samples["dropped"]["near_duplicate"] if one["id"] == "twin")
    samples["dropped"]["near_duplicate"] = [{**copy, "value": 0.8125, "survivor": "Buy later."}]
    samples["dropped"]["empty"] = [{**line, "text": None}]
    words = Page(shown.render(metrics, None, samples=samples)).words()
    for said in ("37 < 50", "50 = 50", "Buy now.↵ Buy cheap.", "similarity 0.8125", "failed 2 rules", "Not quoted", "Buy later."):
        assert said in words, said


def test_reviewed_precision_stands_beside_its_reason(metrics):
    reviews = [ReviewCounts("near_duplicate", 190, 10)]
    words = Page(shown.render(metrics, None, reviews=reviews)).words()
    assert "95.0 % of 200; 91.0 % to 97.3 %" in words
    assert "as reviewed" not in Page(shown.render(metrics, None)).words()


def test_the_plan_is_shown_line_by_line(metrics):
    page = Page(shown.render(metrics, None, plan=f"filters:\n  c4: {EVIL}\n"))
    assert "filters: c4: </td><script>" in page.words()
    assert "pre" in [tag for tag, _ in page.tags]


def test_metrics_of_an_earlier_release_still_make_a_page(metrics):
    old = {**metrics, "schema_version": 1}
    del old["overlap"], old["crossed"]
    for signal in old["signals"]:
        del signal["whole"], signal["limits"]
    assert "137 of 609 documents kept" in Page(shown.render(old, None)).words()


def test_without_samples_the_page_says_so(metrics):
    assert "samples of this generation are not there" in Page(shown.render(metrics, None)).words()


def test_style_has_no_import_and_no_url(metrics):
    style = re.search("<style>(.*?)</style>", shown.render(metrics, None), re.S).group(1)
    assert "url(" not in style
    assert "@import" not in style


def test_hostile_strings_are_shown_as_text_with_what_they_hide(metrics, samples):
    text = shown.render(hostile(metrics), None, samples=hostile_samples(samples))
    assert not set(text) & set("\x1b\x07\x00\u202e\u2066\u200b\ud800")
    words = Page(text).words()
    assert "<script>alert(1)</script>" in words
    assert "[U+202E]gpj.exe" in words
    text.encode("utf-8")


def test_a_hostile_saving_is_text_too(metrics):
    page = Page(shown.render(metrics, {**_saving(), "sets": [], "headline": EVIL}))
    assert "script" not in [tag for tag, _ in page.tags]
    assert "[U+202E]gpj.exe" in page.words()
    assert "Not measured yet" not in page.words()


def test_first_screen_says_what_was_kept_what_suffices_and_that_no_saving_was_measured(metrics):
    metrics["totals"] |= {"read": 1_234_567, "kept": 736_064}
    metrics["cost"] |= {"cpu_s": 131.8, "peak_memory_bytes": 812_000_000}
    epochs = metrics["compute"]["sufficiency"]["epochs"]["value"]
    words = Page(shown.render(metrics, None)).words()
    head = words[: words.index("Why documents were dropped")]
    for said in (
        "736,064 of 1,234,567 documents kept",
        f"{epochs:,.0f} epochs",
        "Not measured yet",
        "python -m flows.proxy",
        "2 min 12 s",
        "812 MB",
    ):
        assert said in head


def test_failed_checks_come_before_the_headline_and_passed_ones_do_not(metrics, nothing):
    (failed,) = (check for check in metrics["checks"] if check["failed"])
    words = Page(shown.render(metrics, None)).words()
    assert words.index("1 check failed") < words.index("documents kept", words.index("curation report"))
    assert failed["detail"] in words[: words.index("Where the documents went")]
    assert "alert" not in [a.get("role") for _, a in Page(shown.render(nothing.metrics, None)).tags]


def test_dedup_off_is_said(nothing):
    assert "dedup was off" in Page(shown.render(nothing.metrics, None)).words()


def test_a_thousand_sources_and_notes_do_not_flood_the_page(metrics):
    metrics["by_source"] = [dict(metrics["by_source"][0], source=f"source-{i}") for i in range(1000)]
    failed = next(check for check in metrics["checks"] if check["failed"])
    metrics["checks"] = [dict(failed, detail=f"of source-{i}") for i in range(1000)]
    metrics["notes"] = [f"gone: {i}" for i in range(1000)]
    words = Page(shown.render(metrics, None)).words()
    assert "1,000 checks failed" in words
    assert "and 992 more notes in metrics.json" in words
    assert "950 more sources in metrics.json" in words
    assert len(words) < 30_000


def test_folding_the_funnel_loses_no_document_and_no_byte(metrics):
    lines = funnel(Metrics.model_validate(metrics))
    steps = [line for line in lines if not line.level]
    assert len(steps) == MOST_STEPS
    for what in ("documents", "bytes"):
        assert sum(getattr(s, what) for s in steps) == sum(s[what] for s in metrics["funnel"] if s["label"] not in LEVELS)
    assert lines[-1].left == pytest.approx(100 * metrics["totals"]["kept"] / metrics["totals"]["read"])


def test_each_step_of_the_funnel_ends_where_the_next_begins(metrics):
    lines = funnel(Metrics.model_validate(metrics))
    for before, after in pairwise(lines):
        assert after.left + after.lost == pytest.approx(before.left)


def _saving() -> dict:
    """What savings.json holds after a measurement with two arms and two sets, the first a saving, the second a cost."""
    interval = [1.6, 2.4]
    line = {
        "arm": "curated", "multiplier": 2.0, "interval": interval, "interval_t": interval, "interval_bootstrap": [1.8, 2.2],
        "bound": None, "status": "ok", "status_in_words": "reached the baseline's final loss", "reached_in_seeds": 3,
        "verdict": "saves", "clears_noise": True, "distinguishable": 1.2, "gap": -0.12, "gap_interval": [-0.2, -0.1],
        "best_gap": -0.12, "yield": 0.8, "trend": {"budgets": [1.0, 2.0], "multipliers": [1.8, 2.0], "direction": "rising"},
        "per_seed": [],
    }  # fmt: skip
    cost = {
        **line,
        "multiplier": 0.4,
        "interval": [0.2, 0.7],
        "verdict": "costs",
        "clears_noise": True,
        "status_in_words": "never",
    }
    curves = {"curated": [[1e12, 3.0, 0.01], [2e12, 2.5, 0.02]], "raw": [[1e12, 3.1, 0.01], [2e12, 2.7, 0.02]]}
    held = {
        "about": "declared by you", "role": "target", "bytes": 9, "documents": 3, "sha256": "0", "baseline": "raw",
        "decontaminated": {"lines": 3, "removed": 0}, "noise_floor": [0.9, 1.1], "curves": curves,
    }  # fmt: skip
    spent = {"cpu_hours": 0.1, "dollars": 0.004, "kwh": 0.001}
    return {
        "schema": 1,
        "tier": "cpu",
        "generation": 2,
        "primary": "web",
        "targets": "0",
        "arms": [],
        "ranking": None,
        "attempt": 3,
        "headline": "At least 37 % less training compute for the same loss on web (…).",
        "model": {"what": "a model of 0.16 M parameters", "unit_of_compute": "FLOPs (6 x N x D)", "seeds": 3},
        "sets": [
            {**held, "name": EVIL, "arms": [line]},
            {**held, "name": "dropped:spam", "arms": [cost]},
        ],
        "regimes": [
            {"regime": "a third of the learning rate", "unique_tokens": None, "sets": [{**held, "name": "web", "arms": [line]}]}
        ],
        "notes": ["the planned run reads curated 83.1 times"],
        "costs": {
            "proxy": {name: {"value": n, "unit": "", "tag": "measured", "source": ""} for name, n in spent.items()},
            "curation_dollars": 0.1,
            "break_even": {
                "dollars": 0.1,
                "flops": 1e15,
                "gpu_hours": 1.0,
                "sentence": "It pays for itself from 1e+15 FLOPs on.",
            },
            "extrapolation": {"suppressed": "the planned run is 10.0 orders of magnitude larger"},
        },
    }


def test_a_measured_saving_is_shown_with_what_it_costs_elsewhere_and_nothing_on_the_page_fetches(metrics):
    page = Page(shown.render(metrics, _saving()))
    words = page.words()
    for said in ("At least 37 %", "costs", "at least 37 %", "0.400", "Attempt 3", "10.0 orders", "rising", "83.1 times"):
        assert said in words, said
    assert "[U+202E]gpj.exe" in words
    for tag, attributes in page.tags:
        assert tag not in {"script", "iframe", "object", "embed", "form", "base"}
        assert attributes.get("src", "data:image/svg+xml;base64,").startswith("data:image/svg+xml;base64,")


def test_a_saving_of_an_older_generation_is_called_stale(metrics):
    old = {**_saving(), "generation": 1}
    assert "Measure again" in Page(shown.render(metrics, old)).words()
    assert "Measure again" not in Page(shown.render(metrics, _saving())).words()


def test_curves_of_a_saving_are_charts_of_the_page(metrics):
    text = shown.render(metrics, _saving())
    charts = [chart for chart in re.findall("<svg.*?</svg>", text, re.S) if "bits per byte" in chart]
    assert len(charts) == 2
    for chart in charts:
        assert set(re.findall("<([a-z]+)", chart)) == {"svg", "path", "text"}
        assert "raw" in chart and "curated" in chart
        assert "10¹²" in chart and "FLOPs" in chart
        assert chart.count("stroke-dasharray") >= 2  # arms differ in line, not in colour alone
