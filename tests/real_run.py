"""Outputs of real runs whose reports have everything that a report can have, or next to nothing: metrics.json and samples.

Tests change copies of them where they need what no small run has. `hostile` puts EVIL wherever an input, a plan or a file name
chooses a string; `full` makes every list as long as it can get, or far longer than a page shows.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.once import made_once
from tests.support import SAMPLE, curate, prose, write_rows

EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(1)> \x1b[31m\x07\u202egpj.exe\u2066\u200b\x00\ud800 `|[a](http://e.example)"
"""Markup, an escape sequence, bidi overrides, a zero-width space, NUL, a lone surrogate, Markdown."""


@dataclass(frozen=True)
class Reported:
    """What a report is made of. Each access gives a copy that may be changed."""

    folder: Path

    @property
    def metrics(self) -> dict[str, Any]:
        return json.loads((self.folder / "metrics.json").read_text("utf-8"))

    @property
    def samples(self) -> dict[str, Any]:
        return json.loads(next(iter(sorted((self.folder / "samples").iterdir(), reverse=True))).read_text("utf-8"))


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """A second generation that selects, loses a source (a check fails), misses a file, and finds duplicates and bad rows."""
    return Reported(made_once(tmp_path_factory, "everything", _everything) / "out")


@pytest.fixture(scope="session")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """A run over no rows, with dedup and every filter off."""
    return Reported(made_once(tmp_path_factory, "nothing", _nothing) / "out")


def _everything(folder: Path) -> None:
    crawl, menus = folder / "crawl", folder / "menus"
    write_rows(crawl / "gone.jsonl", [{"id": f"old{k}", "text": prose(300 + k)} for k in range(20)])
    _curate(folder, {"name": "crawl", "paths": [str(crawl)], "from": "source"})
    (crawl / "gone.jsonl").unlink()
    words = prose(500).split()
    rows: list[Any] = [{"id": f"d{k}", "text": prose(k)} for k in range(40)]
    rows += [
        {"id": "at the limit", "text": " ".join(words[:50])},
        {"id": "just under", "text": "Buy now.\n\n" + " ".join(words[:46])},
    ]
    rows += [{"id": "twin", "text": prose(3) + " Buy later."}, {"id": "copy", "text": prose(4)}]
    write_rows(crawl / "new.jsonl", [*rows, b'{"id": "torn", "text": "'])
    write_rows(menus / "menu.jsonl", [{"id": f"m{k}", "text": f"Soup {k}."} for k in range(9)])
    sources = ("crawl", crawl), ("menus", menus), ("sample", SAMPLE / "input")
    _curate(folder, *({"name": name, "paths": [str(path)], "max_bad_fraction": 0.05, "from": "source"} for name, path in sources))


def _curate(folder: Path, *sources: dict[str, Any]) -> None:
    plan = folder / "plan.json"
    select = {"keep_top": {"share": 0.9, "by": ["language"]}, "score": "quality_score"}
    plan.write_text(json.dumps({"source": list(sources), "select": select, "checks": {"on_fail": "stop"}}))
    curate(plan, "--output", folder / "out", "--accept")


def _nothing(folder: Path) -> None:
    curate("none", "--input", write_rows(folder / "in" / "a.jsonl", []), "--output", folder / "out")


def hostile(made: dict[str, Any]) -> dict[str, Any]:
    """These metrics with EVIL for every string that an input, a plan or a file name can choose."""
    made = copy.deepcopy(made)
    places = [
        (made["funnel"], "label"),
        (made["reasons"], "reason"),
        (made["by_source"], "source"),
        (made["by_language"], "language"),
        (made["edits"], "edit"),
        (made["signals"], "signal"),
        (made["signals"], "filter"),
        (made["quarantine"], "cause"),
        (made["models"], "filter"),
        (made["changes"]["reasons"], "reason"),
        (made["changes"]["sources"], "source"),
        (made["changes"]["languages"], "language"),
        (made["changes"]["signals"], "signal"),
        (made["selection"]["groups"], "group"),
        (made["duplicates"]["largest"], "id"),
        (made["duplicates"]["largest"], "source_ref"),
        (made["checks"], "detail"),
        (made["cost"]["stages"], "stage"),
        (made["files"], "path"),
    ]
    for rows, key in places:
        assert rows, key
        for row in rows:
            row[key] = EVIL
    for signal in made["signals"]:
        signal["limits"] = [{**limit, "reason": EVIL} for limit in signal["limits"]]
    made["overlap"]["reasons"] = [EVIL] * len(made["overlap"]["reasons"])
    made["crossed"]["reasons"] = [EVIL] * len(made["crossed"]["reasons"])
    made["crossed"]["cells"] = [{**c, "language": EVIL, "source": EVIL, "reason": EVIL} for c in made["crossed"]["cells"]]
    for model in made["models"]:
        model["not_covered"] = [[EVIL, 12]] * 70
    made["selection"]["score"] = EVIL
    return made | {"plan_name": EVIL, "notes": [EVIL], "versions": {EVIL: EVIL}, "architecture": EVIL, "recipe_hash": EVIL}


def hostile_samples(made: dict[str, Any]) -> dict[str, Any]:
    """These samples with EVIL for every string that the input chooses."""
    made = copy.deepcopy(made)
    kinds = [made["largest"], *(found for kind in ("dropped", "near", "quarantine") for found in made[kind].values())]
    for found in kinds:
        for line in found:
            line.update(dict.fromkeys(("id", "source_ref", "other", "text", "survivor", "signal"), EVIL), failed=[EVIL, EVIL])
    made["dropped"] = dict.fromkeys([EVIL, *made["dropped"]], made["dropped"]["near_duplicate"])
    made["quarantine"][EVIL] = made["quarantine"]["invalid_json"]
    return made


LONG = [f"plugin_{i:02}.a_rule_with_quite_a_long_name_{i:02}" for i in range(90)]
"""Reasons of `full`."""


def full(made: dict[str, Any]) -> dict[str, Any]:
    """Metrics of ten million documents with every list as long as it can get, or far longer than the page shows."""
    made = copy.deepcopy(made)
    scale = 10_000_000 / made["totals"]["read"]
    made["totals"] = {name: int(n * scale) for name, n in made["totals"].items()}
    rule = next(reason for reason in made["reasons"] if reason["stage"] == "filter")
    made["reasons"] = [dict(rule, reason=name, first=i * 999, any=i * 1_999 + 1) for i, name in enumerate(LONG)]
    made["overlap"] = {"reasons": LONG, "counts": [[1 + i * j * 97 for j in range(90)] for i in range(90)]}
    made["crossed"] = {
        "reasons": LONG[:12],
        "cells": [
            {"language": language, "source": source, "reason": reason, "documents": 9_999}
            for language in (*(f"language-{i}" for i in range(10)), "other")
            for source in (*(f"https://source-{i}.example.org" for i in range(10)), "other")
            for reason in (None, *LONG[:12], "other")
        ],
    }
    shares = {"edges": [i / 40 for i in range(41)], "counts": [(i * 7919) % 99_991 for i in range(40)], "whole": False}
    limited = next(signal for signal in made["signals"] if signal["limits"])
    made["signals"] = [{**limited, **shares, "signal": f"signal_{i}", "filter": f"plugin_{i // 6}"} for i in range(90)]
    made["by_source"] = [dict(made["by_source"][0], source=f"https://source-{i}.example.org/") for i in range(5_000)]
    made["by_language"] = [dict(made["by_language"][0], language=f"l{i}") for i in range(180)]
    made["duplicates"]["cluster_sizes"] = [[size, 5_000 - size] for size in range(1, 4_472)]
    largest = {"source_ref": "crawl/2024-10/part-0001.jsonl.gz#812", "size": 60_000}
    made["duplicates"]["largest"] = [{"id": "4c1b0f2e9d774f0f8e2b" * 5, **largest}] * 10
    failed = next(check for check in made["checks"] if check["failed"])
    made["checks"] = [dict(failed, detail=f"of source-{i}") for i in range(5_000)]
    made["files"] = made["files"] * 200
    return made


def full_samples(made: dict[str, Any]) -> dict[str, Any]:
    """Three dropped and three kept documents of each of those reasons, all as long as they can get."""
    text = ("The quick brown fox jumps over the lazy dog. " * 9)[:300]
    line = {**made["dropped"]["gopher_quality.too_few_words"][0], "text": text, "source_ref": "crawl/" * 49, "failed": ["a"] * 90}
    return {**made, "dropped": {name: [line] * 3 for name in LONG}, "near": {name: [line] * 3 for name in LONG}}
