"""The page of speed and README's paragraph are what was measured."""

from __future__ import annotations

import json

import pytest

from tests.bench import peers_page, peers_speed


def measured():
    return json.loads(peers_page.RESULTS.read_text())


def test_the_page_is_made_of_the_measurement():
    assert peers_page.PAGE.read_text() == peers_page.page(measured())


def test_readme_says_what_was_measured():
    assert peers_page.paragraph(measured()) in peers_page.README_MD.read_text()


def line(tool: str, cpu: list[float], corpus: str = "web", job: str = peers_page.DEDUP) -> dict[str, object]:
    return {
        "tool": tool,
        "cpu": cpu,
        "corpus": corpus,
        "job": job,
        "megabytes": 80.0,
        "wall": cpu,
        "peak_mb": 1,
        "kept": 1,
        "command": "x",
    }


def test_a_peer_that_is_faster_stands_in_the_first_line():
    lines = [line("winnow", [3.0, 3.2, 9.0]), line("daft", [2.0]), line("rensa", [3.1]), line("gaoya", [3.3])]
    lines += [line("winnow", [1.0], "throughput"), line("daft", [2.0], "throughput")]
    said = peers_page.better({"lines": lines})
    where = "on raw web text in short documents, where Winnow takes 3.2"
    assert said == f"**A peer is faster**: daft (2.0 CPU-seconds) and rensa (3.1 CPU-seconds) {where}."
    slow = [line("winnow", [1.0], corpus) for corpus in peers_page.CORPORA]
    assert "No peer" in peers_page.better({"lines": slow})


def test_the_faster_setting_of_a_peer_counts():
    lines = [line("winnow", [2.0], c) for c in peers_page.CORPORA] + [line("rensa", [9.0]), line("rensa-rho", [3.0])]
    lines += [line(tool, [1.0], corpus, peers_page.WHOLE) for corpus, tool in peers_page.SPEEDS]
    found = {ratio.what: ratio for ratio in peers_page.ratios({"lines": lines, "signatures": {}})}
    ratio = found["near-dedup of web: CPU-s of rensa / winnow"]
    assert (ratio.value, ratio.target, ratio.met) == (1.5, 1.5, True)


def test_dollars_follow_from_the_stated_price():
    assert peers_page.dollars(line("winnow", [80.0])) == 1e6 / 3600 * peers_page.PRICE


def test_who_is_done_sooner_is_told():
    lines = [line("winnow", [3.0]), line("daft", [3.5]) | {"wall": [1.8]}, line("winnow", [9.0], "throughput")]
    said = peers_page._clock({"lines": lines})
    assert said.endswith("daft 1.8 s on raw web text in short documents (Winnow with one worker 3.0).")


@pytest.mark.parametrize(("seconds", "status"), [([1.0], 0), ([9.0], 1)])
def test_the_bench_ends_as_its_targets_say(monkeypatch, seconds, status):
    lines = [line(*taken, corpus) for corpus in peers_page.CORPORA for taken in (("winnow", seconds), ("daft", [2.0]))]
    lines += [line(tool, [1.0], corpus, peers_page.WHOLE) for corpus, tool in peers_page.SPEEDS]
    monkeypatch.setattr(peers_speed, "_measured", lambda *_: {"lines": lines, "signatures": {}})
    monkeypatch.setattr("sys.argv", ["peers_speed"])
    with pytest.raises(SystemExit) as ended:
        peers_speed.main()
    assert ended.value.code == status
