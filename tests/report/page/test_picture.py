"""The picture and the table of docs/results/: what a measurement found, whatever it is, drawn by the code of the page."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest

from pipeline.records.metrics_json import Metrics
from pipeline.report.page.svg import PAGE, standalone
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


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (measured(), "1.39 | 1.26 to 1.54 | saves | 0.33 (0.17 to 0.50)"),
        (measured(held(compared(1.0, (0.9, 1.1)))), "1.00 | 0.900 to 1.10 | no difference | 0.33 (0.17 to 0.50)"),
        (measured(held(compared(0.6, (0.5, 0.7), worth=None, worth_interval=None))), "0.600 | 0.500 to 0.700 | costs | –"),
        (measured(tier="ngram"), " |  | ahead | –"),
        (None, "– | – | not measured | –"),
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


def test_sites_are_held_out_whole_and_the_same_ones_every_time():
    draws = [results.draw(f"site{number}.example") for number in range(2000)]
    assert draws == [results.draw(f"site{number}.example") for number in range(2000)]
    assert 0.09 < sum(one < results.HELD_SHARE for one in draws) / 2000 < 0.15
