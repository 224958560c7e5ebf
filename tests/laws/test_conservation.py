"""Law 1: rows read = kept + dropped + quarantined, in documents and bytes, in every run."""

import json
from types import SimpleNamespace

import polars as pl
import pytest

from pipeline.errors import BrokenContract
from pipeline.report.metrics.tally import Tally
from pipeline.run import accounts
from tests.support import FOLDERS, SAMPLE, curate, prose, table, write_rows


def lines_of_sample() -> int:
    import gzip

    import pyarrow.parquet as pq

    rows = sum(pq.read_metadata(path).num_rows for path in (SAMPLE / "input").glob("*.parquet"))
    for path in (SAMPLE / "input").glob("*.jsonl.gz"):
        rows += sum(1 for line in gzip.decompress(path.read_bytes()).split(b"\n") if line.strip())
    return rows


def test_every_row_of_the_sample_has_exactly_one_fate(curated):
    ledger = table(curated, "ledger")
    assert len(ledger) == lines_of_sample()
    assert ledger["source_ref"].n_unique() == len(ledger)
    sizes = {folder: len(table(curated, folder)) for folder in FOLDERS}
    assert sizes["data"] + sizes["rejected"] + sizes["quarantine"] == sizes["ledger"]
    verdicts = dict(ledger["verdict"].value_counts().iter_rows())
    assert verdicts == {"kept": sizes["data"], "dropped": sizes["rejected"], "quarantined": sizes["quarantine"]}


def test_manifest_totals_are_the_sums_of_the_ledger_in_documents_and_bytes(curated):
    totals = json.loads((curated / "manifest.json").read_text())["totals"]
    ledger = table(curated, "ledger")
    assert totals["read"] == len(ledger)
    assert totals["bytes_read"] == ledger["n_bytes_read"].sum()
    for verdict in ("kept", "dropped", "quarantined"):
        rows = ledger.filter(pl.col("verdict") == verdict)
        assert (totals[verdict], totals[f"bytes_{verdict}"]) == (len(rows), rows["n_bytes_read"].sum())
    assert totals["read"] == totals["kept"] + totals["dropped"] + totals["quarantined"]
    assert totals["bytes_read"] == totals["bytes_kept"] + totals["bytes_dropped"] + totals["bytes_quarantined"]


def test_the_funnel_adds_up(curated):
    metrics = json.loads((curated / "metrics.json").read_text())
    lines = metrics["funnel"]
    kept = next(i for i, line in enumerate(lines) if line["label"] == "kept")
    assert sum(line["documents"] for line in lines[:kept]) == lines[kept]["documents"] == metrics["totals"]["kept"]
    assert sum(line["bytes"] for line in lines[:kept]) == lines[kept]["bytes"] == metrics["totals"]["bytes_kept"]
    assert (
        sum(line["bytes"] for line in lines[kept : kept + 2])
        == lines[kept + 2]["bytes"]
        == table(curated, "data")["n_bytes"].sum()
    )


def test_conservation_holds_across_generations(tmp_path):
    out = tmp_path / "out"
    files = sorted((SAMPLE / "input").iterdir())
    for file in files:
        curate(SAMPLE / "plan.yaml", "--input", file, "--output", out)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["all_generations"]["read"] == lines_of_sample() == len(table(out, "ledger"))
    assert metrics["live"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("documents", "n_bytes", "said"),
    [
        (7, 300, None),
        (6, 300, "7 rows and 300 bytes were read, but fates sum to 6 and 300"),
        (7, 299, "7 rows and 300 bytes were read, but fates sum to 7 and 299"),
    ],
)
def test_a_run_whose_fates_do_not_sum_to_what_was_read_ends(documents, n_bytes, said):
    fates = Tally()
    fates.counts["verdict", "kept", "documents"] = documents - 2
    fates.counts["verdict", "quarantined", "documents"] = 2
    fates.counts["verdict", "kept", "bytes"] = n_bytes - 30
    fates.counts["verdict", "quarantined", "bytes"] = 30
    units = [SimpleNamespace(rows=4, bad_rows=0, n_bytes=210), SimpleNamespace(rows=1, bad_rows=2, n_bytes=90)]
    if said is None:
        accounts.check_conserved(fates, units)
    else:
        with pytest.raises(BrokenContract, match=said):
            accounts.check_conserved(fates, units)


def test_sums_of_all_generations_are_of_those_that_the_output_holds(tmp_path):
    command = ("minimal", "--input", tmp_path / "in", "--output", tmp_path / "out")
    found = []
    for number, more in enumerate([(), (), ("--replace",)]):
        write_rows(tmp_path / f"in/{number}.jsonl", [{"text": prose(10 * number + k)} for k in range(2)])
        curate(*command, *more)
        metrics = json.loads((tmp_path / "out/metrics.json").read_text())
        found.append((metrics["totals"]["read"], metrics["all_generations"]["read"]))
    assert found == [(2, 2), (2, 4), (6, 6)]
