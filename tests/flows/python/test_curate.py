"""`flows.curate.curate`: the command's run over data in memory, and what it gives back."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import polars as pl
import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.curate import curate
from flows.python.curated import Curated
from flows.serving.server import Temporary
from pipeline.errors import InputError, PlanError, UsageError
from tests.support import PROSE, digests, prose, write_rows

TEXTS = [PROSE, None, PROSE, "half a character \ud800", prose(1)]
FATES = ["kept", "quarantined", "dropped", "quarantined", "kept"]
HOSTILE = "<img src=x onerror=alert(1)>\u202e"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Curated:
    out = tmp_path_factory.mktemp("python") / HOSTILE
    return curate(TEXTS, "minimal", output=out, name=HOSTILE, progress=False)


def test_texts_become_rows_whose_names_say_which_they_are(ran: Curated):
    ledger = ran.ledger.collect()
    assert ledger["verdict"].to_list() == FATES and set(ledger["source"]) == {HOSTILE}
    name = re.fullmatch(r"(in_memory/rows-[0-9a-f]{32}\.parquet)#1", ledger["source_ref"][0])
    assert name and ledger["source_ref"].to_list() == [f"{name[1]}#{row}" for row in range(1, 6)]


def test_the_result_knows_its_tables(ran: Curated):
    assert ran.kept.select("text").collect()["text"].to_list() == [PROSE, prose(1)]
    assert ran.dropped.select("reason", "similarity").collect().rows() == [("exact_duplicate", 1.0)]
    assert ran.quarantine.select("cause").collect()["cause"].to_list() == ["text_null", "invalid_utf8"]
    assert ran.generation == 1 and Path(ran.report).is_file()
    assert [check.check for check in ran.checks] == ["max_drop_share"]
    assert ran.summary.startswith("minimal@1, generation 1") and "exact_duplicate" in ran.why(ran.dropped.collect()["id"][0])
    with pytest.raises(InputError, match=r"writes no signals/; run with overrides=\{'output.signals': True\}"):
        _ = ran.signals


def test_what_a_notebook_shows_is_escaped(ran: Curated):
    shown = ran._repr_html_()
    assert "<img" not in shown and "\u202e" not in shown and "&lt;img src=x onerror=alert(1)&gt;[U+202E]" in shown
    assert "generation 1: 2 of 5 documents kept, 2 not readable" in shown and "\u202e" not in repr(ran)
    assert "<td>exact_duplicate</td>" in shown and repr(ran).endswith("generation 1: 2 of 5 documents kept, 2 not readable>")


def test_the_same_rows_are_nothing_new_and_others_the_next_generation(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    frame = pl.DataFrame({"body": [PROSE, prose(1)], "n": [1, 2]})
    given = {"output": tmp_path / "out", "text": "body"}
    curate(frame, "minimal", **given, progress=False)
    assert capsys.readouterr() == ("", "")
    again = curate(frame.lazy(), "minimal", **given)
    assert again.generation is None and "nothing new" in repr(again) and again.summary.startswith("nothing new: ")
    assert "hashing inputs" in capsys.readouterr().err
    more = curate(pl.DataFrame({"body": [prose(1), prose(2)]}), "minimal", **given, progress=False)
    assert (more.generation, more.notes) == (2, ()), "rows of an earlier call are not missed"
    assert sorted(more.kept.collect()["text"]) == sorted([PROSE, prose(1), prose(2)])
    assert more.kept.collect()["metadata"].to_list()[:2] == ['{"n":1}', '{"n":2}']


def test_paths_give_the_bytes_of_the_command(tmp_path: Path):
    from tests.support import curate as command

    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": text} for text in (PROSE, PROSE, prose(1))])
    command("minimal", "--input", path, "--output", tmp_path / "one", "--set", "dedup.threshold=0.7")
    made = curate([path], "minimal", output=tmp_path / "two", overrides={"dedup": {"threshold": 0.7}}, progress=False)
    assert made.generation == 1 and digests(tmp_path / "one") == digests(tmp_path / "two")


def test_mistakes_are_those_of_a_command(tmp_path: Path):
    with pytest.raises(PlanError, match="did you mean dedup"):
        curate(TEXTS, "minimal", output=tmp_path / "o", overrides={"dedpu": False})
    with pytest.raises(PlanError, match=r"overrides: .*; give numbers, texts"):
        curate(TEXTS, "minimal", output=tmp_path / "o", overrides={"seed": object()})
    with pytest.raises(InputError, match="no input: give data, or a plan"):
        curate(output=tmp_path / "o")
    with pytest.raises(InputError, match="data in memory lie on this machine alone"):
        curate(TEXTS, output=tmp_path / "o", runner="dask", runner_address="tcp://10.0.0.1:8786")
    with pytest.raises(PlanError, match=r"plan: expected a YAML file or the name of a preset, got dict; .*overrides="):
        curate(TEXTS, {"dedup": False}, output=tmp_path / "o")
    for mistake, said in {"workers": r"workers=0: expected at least 1", "retries": "retries=-1: expected 0 or more"}.items():
        with pytest.raises(UsageError, match=said):
            curate(TEXTS, output=tmp_path / "o", **{mistake: 0 if mistake == "workers" else -1})
    with pytest.raises(UsageError, match="runner='spark': expected local, dask, ray"):
        curate(TEXTS, output=tmp_path / "o", runner="spark")
    assert not (tmp_path / "o").exists()


def test_in_a_flow_of_ones_own_it_is_a_part_of_that_flow(tmp_path: Path, prefect_server: Temporary):
    @flow
    def nightly() -> str:
        return repr(curate([PROSE], "minimal", output=tmp_path / "out", progress=False))

    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        assert "generation 1: 1 of 1 document kept" in nightly()
    sort = {"sort": "START_TIME_DESC", "limit": 2}
    part, whole = httpx.post(f"{prefect_server.url}/flow_runs/filter", json=sort).json()
    assert part["parent_task_run_id"] and (whole["parent_task_run_id"], whole["state"]["type"]) == (None, "COMPLETED")
