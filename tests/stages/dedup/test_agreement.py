"""`source_count`: how many sources hold a document, against a plain count over the ledger, however the run is cut."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import PlanError
from pipeline.stages import select
from tests.support import curate, digests, prose, table, winnow, write_rows

PLAN = ["minimal", "--set=checks.plants=0", "--set=dedup.source_count=true", "--set=source.from=site"]


def varied(number: int, change: int) -> str:
    """A near copy of a document: one word of some two hundred is another."""
    words = prose(number).split()
    words[3 * change] = f"other{change}"
    return " ".join(words)


def rows(seed: int) -> list[dict[str, str]]:
    """Copies of eight documents on five sites, exact and near ones; some have their URL alone in common."""
    dice = random.Random(seed)
    made = []
    for n in range(60):
        number = dice.randrange(8)
        text = prose(number) if dice.random() < 0.5 else varied(number, dice.randrange(5))
        made.append({"id": f"{seed}-{n}", "text": text, "site": f"site{dice.randrange(5)}"})
    made.append({"id": f"{seed}-alone", "text": prose(100 + seed), "site": "site9"})
    return made


def counted(out: Path, *, generation: int | None = None) -> dict[str, int]:
    """By source_ref of kept documents, the sources of them and of what names them in the ledger, some generations of it."""
    ledger = table(out, "ledger")
    copies = ledger.filter(pl.col("reason").is_in(["exact_duplicate", "near_duplicate"]) & (pl.col("similarity") >= 0.8))
    if generation is not None:
        copies = copies.filter((pl.col("generation") == generation) & (pl.col("duplicate_generation") == generation))
    kept = ledger.filter(pl.col("verdict") == "kept").select("source_ref", "source")
    held = pl.concat([kept, copies.select(pl.col("duplicate_ref").alias("source_ref"), "source")])
    return dict(held.group_by("source_ref").agg(pl.col("source").n_unique()).iter_rows())


def shown(out: Path) -> dict[str, int]:
    return dict(table(out, "data").select("source_ref", "source_count").iter_rows())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("agreement")
    for seed in (1, 2):
        write_rows(folder / f"in/{seed}.jsonl", rows(seed))
    curate(*PLAN, "--input", folder / "in", "--set=source.unit_bytes=8KB", "--output", folder / "out")
    return folder


def test_the_count_is_that_of_the_ledger(made: Path) -> None:
    found = shown(made / "out")
    assert found == counted(made / "out") and len(found) == 10 and set(found.values()) >= {1, 5}


def test_the_count_does_not_depend_on_units_and_memory_and_workers(made: Path) -> None:
    curate(*PLAN, "--input", made / "in", "--output", made / "whole", workers=1)
    assert digests(made / "whole") == digests(made / "out")


def test_a_count_is_as_of_its_generation_and_the_ledger_has_the_whole_one(made: Path) -> None:
    for file in ("1", "2"):
        curate(*PLAN, "--input", made / f"in/{file}.jsonl", "--output", made / "nights")
    found, whole = shown(made / "nights"), counted(made / "nights")
    first = counted(made / "nights", generation=1)
    assert found == {ref: first[ref] if "/1.jsonl#" in ref else counted(made / "nights", generation=2)[ref] for ref in whole}
    assert all(found[ref] <= whole[ref] for ref in whole) and any(found[ref] < whole[ref] for ref in whole)


def test_a_url_in_common_is_no_copy(tmp_path: Path) -> None:
    same = [{"text": prose(n), "url": "http://a.org/x", "site": f"site{n}"} for n in range(3)]
    write_rows(tmp_path / "a.jsonl", [*same, {**same[1], "url": None, "site": "site7"}])
    curate(*PLAN, "--set=dedup.exact_url=true", "--input", tmp_path / "a.jsonl", "--output", tmp_path / "out")
    assert sorted(shown(tmp_path / "out").values()) == [1]


def test_the_card_says_what_the_column_is(made: Path) -> None:
    assert "| `source_count` | int32 | Sources that hold a copy of this document" in (made / "out/README.md").read_text()


def test_selection_by_agreement_keeps_what_most_sources_hold(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["--set=select.score=source_count", "--set=select.keep_top={share: 0.5}"]
    curate(*PLAN, *chosen, "--input", made / "in", "--output", made / "chosen")
    everything, best = shown(made / "out"), shown(made / "chosen")
    assert len(best) == 5 and sorted(best.values()) == sorted(everything.values())[5:]
    ended = winnow(capsys, "minimal", *chosen, "--input", made / "in", "--output", made / "no")
    assert ended.code == 2 and "no filter of the plan gives source_count; " in ended.err and "dedup.source_count" in ended.err


def test_a_plan_without_the_count_cannot_select_by_it() -> None:
    from pipeline.plan.load import load_plan

    plan = load_plan("minimal", assignments=["select.score=source_count", "select.token_budget=5", "dedup=false"]).plan
    with pytest.raises(PlanError, match=r"set dedup\.source_count"):
        select.check(plan)
