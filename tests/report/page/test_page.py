"""report.html: inert, self-contained, and complete for every shape of metrics."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from pipeline.output.manifest import InputRecord
from pipeline.output.reviews import ReviewCounts
from pipeline.records.metrics_json import Metrics
from pipeline.records.samples import Samples
from pipeline.records.savings_json import Families, Family
from pipeline.report.compute import statement
from pipeline.report.page import front, tables
from pipeline.report.page.page import MOST_STEPS, funnel
from tests.real_run import EVIL, Reported, hostile, hostile_samples
from tests.report import shown
from tests.report.measured import compared, held, measured, savings

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
    for said in ("37 < 50", "50 = 50", "Buy now.↵ Buy cheap.", "similarity 0.81", "failed 2 rules", "Not quoted", "Buy later."):
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
    page = Page(shown.render(metrics, _saving()))
    assert "script" not in [tag for tag, _ in page.tags]
    assert "[U+202E]gpj.exe" in page.words()
    assert "has not been measured" not in page.words()


def test_first_screen_says_what_was_kept_what_it_costs_and_that_nothing_was_measured_or_reviewed(metrics, samples):
    metrics["totals"] |= {"read": 1_234_567, "kept": 736_064}
    metrics["cost"] |= {"cpu_s": 131.8, "peak_memory_bytes": 812_000_000}
    words = Page(shown.render(metrics, None, samples=samples)).words()
    head = words[: words.index("Why documents were dropped")]
    for said in (
        "736,064 of 1,234,567 documents kept",
        "of the compute of training on everything that was read",
        "has not been measured",
        "Nobody has looked yet at what was dropped",
        "Three documents that were dropped",
        "checks failed",
    ):
        assert said in head, said
    for said in (
        "if nothing that was dropped was of use",
        "Too little text to plan a run",
        "winnow savings",
        "2 min 12 s",
        "812 MB",
    ):
        assert said in words, said


def test_failed_checks_come_before_the_headline_and_passed_ones_do_not(metrics, nothing):
    (failed,) = (check for check in metrics["checks"] if check["failed"])
    words = Page(shown.render(metrics, None)).words()
    assert words.index("1 check failed") < words.index("documents kept", words.index("curation report"))
    assert failed["detail"] in words[: words.index("Where the documents went")]
    passed = nothing.metrics | {"checks": []}
    assert "alert" not in [a.get("role") for _, a in Page(shown.render(passed, None)).tags]


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


def test_the_first_screen_quotes_three_documents_of_different_filters_and_nothing_toxic(metrics, samples):
    quoted = [
        {**samples["dropped"]["gopher_quality.too_few_words"][0], "text": text} for text in ("<b>Menu</b>", "Sale", "Vile.")
    ]
    samples["dropped"]["gopher_quality.too_few_words"] = [
        {**quoted[0], "signal": "gopher_words", "value": 49.0, "limit": 50.0},
        {**quoted[1], "signal": "gopher_words", "value": 2.0, "limit": 50.0},
    ]
    samples["dropped"]["toxicity.toxic"] = [{**quoted[2], "signal": "toxicity_score", "value": 0.9, "limit": 0.6}]
    reasons = {line["reason"]: line for line in metrics["reasons"]}
    reasons["toxicity.toxic"]["first"] = 10**9
    told = front.telling(Metrics.model_validate(metrics), Samples.model_validate(samples))
    assert [one.line.stage == "dedup" or one.line.reason for one in told][:2] == [True, "gopher_quality.too_few_words"]
    assert (told[1].sample.text, told[1].why) == ("Sale", "words: 2, at least 50 passes")
    assert len({one.line.reason.partition(".")[0] for one in told}) == len(told) == 3
    assert front.telling(Metrics.model_validate(metrics), None) == ()
    first = Page(shown.render(metrics, None, samples=samples)).words().partition("Why documents were dropped")[0]
    assert "Sale" in first and "Vile." not in first


@pytest.mark.parametrize(
    ("reviews", "said"),
    [
        ([], "Nobody has looked yet at what was dropped."),
        ([ReviewCounts("kept", 9, 0)], "Nobody has looked yet at what was dropped."),
        ([ReviewCounts("near_duplicate", 1, 0)], "Of 1 dropped document that people looked at, 1 was rightly dropped."),
        (
            [ReviewCounts("a.b", 7, 2), ReviewCounts("c", 3, 0)],
            "Of 12 dropped documents that people looked at, 10 were rightly dropped.",
        ),
    ],
)
def test_the_verdict_counts_what_people_said(metrics, reviews, said):
    made = Metrics.model_validate(metrics)
    assert front.verdict(made, statement.of(made, None, out="out"), reviews).agreement == said


def test_reasons_stand_by_size_and_those_that_dropped_nothing_are_folded(metrics):
    shown_, folded = tables.by_size(Metrics.model_validate(metrics).reasons)
    assert [line.first for line in shown_] == sorted(
        (line["first"] for line in metrics["reasons"] if line["first"]), reverse=True
    )[:15]
    assert len(shown_) + len(folded) == len(metrics["reasons"]) and all(line.first for line in shown_)
    text = shown.render(metrics, None)
    assert f"{sum(not line['first'] for line in metrics['reasons'])} rules that dropped nothing first</summary>" in text


def test_what_differs_between_near_duplicates_is_marked_on_both_sides(metrics, samples):
    (copy,) = (one for one in samples["dropped"]["near_duplicate"] if one["id"] == "twin")
    pair = {"text": "Peel <b> the potatoes\nand slice them.", "survivor": "Peel <b> the turnips\nand slice them."}
    samples["dropped"]["near_duplicate"] = [{**copy, **pair}]
    text = shown.render(metrics, None, samples=samples)
    assert "Peel &lt;b&gt; the <del>potatoes</del> and slice them." in text
    assert "Peel &lt;b&gt; the <ins>turnips</ins> and slice them." in text
    assert text.count("struck out where the kept one differs") == 1
    samples["dropped"]["near_duplicate"] = [{**copy, **pair, "text": "Peel and slice.", "survivor": "Peel and slice. Thinly."}]
    assert "struck out where" not in shown.render(metrics, None, samples=samples)  # only the kept one has more


def test_commands_name_the_output_and_a_document_as_one_word_each(metrics, samples):
    page = Page(shown.render(metrics, None, samples=samples, out="/data/it's mine"))
    commands = [line for line in page.words().split("winnow ") if line.startswith("inspect ")]
    assert len(commands) == 4
    assert all(command.split("--output ")[1].startswith("'/data/it'\"'\"'s mine'") for command in commands)


def test_the_date_and_the_inputs_are_those_of_the_manifest(metrics):
    read = InputRecord(source="crawl", path=f"in/{EVIL}", size=1_500, content="", rows=2, bad_rows=0, n_bytes=1_400)
    metrics["cost"]["ended"] = "2026-01-02T03:04:05+00:00"
    words = Page(shown.render(metrics, None, inputs=[read])).words()
    assert "2026-01-02 03:04" in words and "1 file, 1.50 kB: in/</td><script>" in words
    metrics["cost"]["ended"] = ""
    assert "2026-01-02" not in Page(shown.render(metrics, None)).words()


def _saving(**changes: Any) -> dict[str, Any]:
    """What savings.json holds after a measurement: a target of an evil name, on which curation saves, and what was given up."""
    lines = compared(2.0, (1.6, 2.4)), compared(0.4, (0.2, 0.7), statuses=("not_reached",) * 3)
    sets = held(lines[0], name=EVIL), held(lines[1], name="dropped", role="dropped", documents=214)
    return savings(measured(*sets, primary=EVIL), **changes).model_dump(mode="json")


def test_a_measured_saving_is_shown_with_what_it_costs_elsewhere_and_nothing_on_the_page_fetches(metrics):
    page = Page(shown.render(metrics, _saving()))
    words = page.words()
    for said in (
        "took 50 % less training compute (37 % to 59 %)",
        "1.60 to 2.40",
        "0.400",
        "214",
        "A dropped token was worth 0.33",
    ):
        assert said in words, said
    assert "[U+202E]gpj.exe" in words
    for tag, attributes in page.tags:
        assert tag not in {"script", "iframe", "object", "embed", "form", "base"}
        assert attributes.get("src", "data:image/svg+xml;base64,").startswith("data:image/svg+xml;base64,")


@pytest.mark.parametrize(
    ("interval", "tier", "word", "tone"),
    [
        ((1.1, 1.4), "cpu", "saves", "good"),
        ((0.5, 0.9), "cpu", "costs", "bad"),
        ((0.9, 1.1), "cpu", "no difference", "even"),
        ((1.1, 1.4), "ngram", "ahead", "good"),
        ((0.5, 0.9), "ngram", "behind", "bad"),
    ],
)
def test_the_first_screen_has_the_finding_as_a_word_and_a_colour(metrics, interval, tier, word, tone):
    """Before, a saving had no number there, and what costs stood in grey."""
    made = savings(measured(held(compared(1.0, interval)), tier=tier)).model_dump(mode="json")
    text = shown.render(metrics, made)
    first = text[: text.index("Why documents were dropped")]
    assert re.findall(r'<b class="word ([a-z]+)">([A-Z][a-z ]+)\.</', first) == [(tone, word.capitalize())]
    assert f"--{tone}" in text or tone == "even"


def test_counts_have_no_multiplier_on_the_page(metrics):
    families = Families(set="web", families=(Family(family="dedup", multiplier=7.55, interval=(6.42, 8.88), cpu_s=0.1),))
    counted = savings(measured(tier="ngram", costs=None), by_reason=families).model_dump(mode="json")
    words = Page(shown.render(metrics, counted)).words()
    part = words.partition("Compute saved, at equal quality")[2].partition("Compute for one pass")[0]
    assert "1.39" not in part and "7.55" not in part and "An order, no size" in part
    assert "dedup ahead 0.10 s" in part


def test_a_measurement_of_an_earlier_release_is_not_quoted_and_the_command_is_there(metrics):
    words = Page(shown.render(metrics, {"schema": 1})).words()
    assert "An earlier release measured this, by another method: measure again." in words
    assert "winnow savings" in words


def test_a_saving_of_an_older_generation_is_called_stale(metrics):
    old = _saving(generation=1)
    assert "measure again" in Page(shown.render(metrics, old)).words()
    assert "measure again" not in Page(shown.render(metrics, _saving())).words()


def test_curves_of_a_saving_are_charts_of_the_page(metrics):
    text = shown.render(metrics, _saving())
    charts = [chart for chart in re.findall("<svg.*?</svg>", text, re.S) if "bits per byte" in chart]
    assert len(charts) == 2
    for chart in charts:
        assert set(re.findall("<([a-z]+)", chart)) == {"svg", "path", "text"}
        assert "raw" in chart and "curated" in chart
        assert "10¹²" in chart and "FLOPs" in chart
        assert chart.count("stroke-dasharray") >= 2  # arms differ in line, not in colour alone


def test_a_failed_check_says_that_the_generation_was_published_why_and_what_to_do(metrics):
    metrics["notes"] = []
    metrics["checks"] = [
        {"check": "max_drop_share", "limit": 0.1, "value": 0.6, "failed": True, "detail": "of 555 rows read"},
    ]
    words = Page(shown.render(metrics, None, out="my out")).words()
    alarm = words[words.index("look before training") : words.index("That is")]
    told = ("was published nevertheless", "checks.on_fail is warn", "--replace takes it back", "winnow inspect --output 'my out'")
    assert [said for said in told if said not in alarm] == []
