"""The picture and the table of docs/results/: what a measurement found, whatever it is, drawn by the code of the page."""

from __future__ import annotations

import gzip
import json
import re
from xml.etree import ElementTree

import pytest
import zstandard

from pipeline.records.metrics_json import Metrics
from pipeline.report.page.svg import PAGE, standalone
from pipeline.training import judged
from tests.bench import results
from tests.real_run import EVIL, Reported
from tests.report.measured import compared, held, measured, savings
from tests.support import ROOT

HTML = (ROOT / "pipeline/report/page/report.html").read_text("utf-8")


@pytest.fixture
def metrics(everything: Reported) -> Metrics:
    return Metrics.model_validate(everything.metrics)


def test_a_picture_of_its_own_has_the_page_s_colours_for_light_and_dark():
    blocks = dict(zip(("light", "dark"), re.findall(r":root \{\n(.*?)\n *\}", HTML, re.DOTALL), strict=True))
    for scheme, colours in PAGE.items():
        for name, value in colours.items():
            assert f"--{name}: {value};" in blocks[scheme], (scheme, name)


def test_the_picture_is_one_well_formed_file_that_asks_for_nothing(metrics):
    made = measured(held(compared(), compared(arm="same mix"), name=EVIL), primary=EVIL)
    drawn = results.picture(results.Row("default@2", metrics, made))
    assert drawn is not None
    root = ElementTree.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.attrib["viewBox"]
    assert "prefers-color-scheme:dark" in drawn
    assert {element.tag.partition("}")[2] for element in root.iter()} == {"svg", "title", "style", "rect", "path", "text"}
    assert {name for element in root.iter() for name in element.attrib} <= {
        "viewBox", "role", "width", "height", "rx", "fill", "d", "style", "x", "y", "transform",
    }  # fmt: skip
    assert "url(" not in drawn and "@import" not in drawn
    said = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "raw" in said and "curated" in said and "same mix" not in said
    assert "loss, bits per byte" in said and "training compute, FLOPs (log)" in said
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None and "28 % less training compute" in (title.text or "")


def test_text_of_the_picture_can_be_read_at_390_pixels(metrics):
    drawn = results.picture(results.Row("default@2", metrics, measured())) or ""
    width = float(ElementTree.fromstring(drawn).attrib["viewBox"].split()[2])
    sizes = [float(size) for size in re.findall(r"font-size:([\d.]+)px", drawn)]
    assert sizes and min(sizes) * 390 / width > 8.5


def test_nothing_measured_gives_no_picture(metrics):
    assert results.picture(results.Row("default@2", metrics, None)) is None
    with pytest.raises(AssertionError):
        standalone(results.curves.Markup("<p>"), title="")


FIRST = next(iter(results.TARGETS))


def on_first(*lines, **changes):
    return measured(held(*(lines or (compared(),)), name=FIRST), primary=FIRST, **changes)


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (on_first(), "1.39 × (1.26 to 1.54) | – | – | saves | 0.33 (0.17 to 0.50)"),
        (on_first(compared(1.0, (0.9, 1.1))), "1.00 × (0.900 to 1.10) | – | – | no difference | 0.33 (0.17 to 0.50)"),
        (on_first(compared(0.6, (0.5, 0.7), worth=None, worth_interval=None)), "0.600 × (0.500 to 0.700) | – | – | costs | –"),
        (on_first(tier="ngram"), "ahead | – | – | ahead | –"),
        (None, "– | – | – | not measured | –"),
    ],
)
def test_the_table_has_a_line_a_plan_whatever_was_found(metrics, made, line):
    (*_, row) = results.table([results.Row("default@2", metrics, made)])
    assert line in row and row.startswith("| default@2 |")


def test_only_the_asked_tier_of_a_file_of_this_release_is_taken(tmp_path):
    file = tmp_path / "savings.json"
    assert results.measured_of(tmp_path, "cpu") is None
    file.write_text(json.dumps({"schema": 1, "tier": "cpu"}))
    assert results.measured_of(tmp_path, "cpu") is None
    file.write_text(json.dumps(savings(measured(tier="ngram")).plain()))
    assert results.measured_of(tmp_path, "cpu") is None
    assert results.measured_of(tmp_path, "ngram") is not None


def test_sites_of_the_test_part_are_in_no_arm(tmp_path):
    def write(name, rows):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
        whole = gzip.compress(lines) if name.endswith(".gz") else zstandard.compress(lines)
        (tmp_path / name).write_bytes(whole)

    pages = [
        {
            "id": f"{site}-{number}",
            "url": f"https://www.site{site}.example/{number}",
            "text": f"Page {number} of site {site}. " * 12,
        }
        for site in range(60)
        for number in range(3)
    ]
    write("web/pages.jsonl.zst", pages)
    write("junk_and_good/junk.jsonl.zst", [{"id": f"j{number}", "text": f"buy {number} now " * 20} for number in range(200)])
    write("quality/quality.jsonl.gz", [{"text": "A good book. " * 30, "hq": 1}, {"text": "Menu. " * 60, "hq": 0}])
    results.make_mix(tmp_path, tmp_path, share=1.0)
    files = {name: (tmp_path / f"{name}.jsonl").read_text("utf-8") for name in ("raw", *results.TARGETS)}
    found = {name: list(map(json.loads, lines.splitlines())) for name, lines in files.items()}
    sites = {name: {judged.site(row["id"], row["url"]) for row in rows if row["url"]} for name, rows in found.items()}
    assert {judged.part_of(site) for site in sites["raw"]} == {"train", "calibrate"}
    assert {judged.part_of(site) for site in sites["all_pages"]} == {"test"}
    sizes = [sum(len(row["text"]) for row in found["raw"] if bool(row["url"]) is web) for web in (True, False)]
    assert results.JUNK_SHARE < sizes[1] / sum(sizes) < results.JUNK_SHARE + 0.02
    assert [row["text"] for row in found["tidy_text"]] == ["A good book. " * 30]


def test_the_first_page_says_what_the_results_say():
    readme, page = (path.read_text("utf-8") for path in (results.README_MD, results.RESULTS / "compute.md"))
    shown = readme.partition(results.BEGIN)[2].partition(results.END)[0]
    plan, _, found = shown.strip().partition("\n")[0].partition(": ")
    (row,) = (line for line in page.splitlines() if line.startswith(f"{plan} ("))
    assert found and found in row
    assert f"docs/results/{results.PICTURE}" in shown and (results.RESULTS / results.PICTURE).is_file()
