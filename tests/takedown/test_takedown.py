"""`inspect takedown` by the real commands: what goes, that nothing of it is left, and that it does not come back."""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.inspect import main
from pipeline.output import reviews
from pipeline.output.reviews import Label
from pipeline.output.tombstones import Text
from pipeline.store.store import open_output
from pipeline.takedown import exports
from pipeline.takedown.find import Found, Gone
from tests.once import made_once
from tests.support import curate, digests, prose, table, write_rows

SECRET = "Zanzibarquokka"


def secret(number: int = 0, *, changed: int = 0) -> str:
    """A good text of some 150 words in which the mark stands often; `changed` words at its end are others."""
    words = f"{SECRET} wrote: {prose(40 + number)} And then {SECRET} left.".split()
    return " ".join(words[: len(words) - changed] + [f"other{k}" for k in range(changed)])


def rows() -> list[Any]:
    made: list[Any] = [{"id": f"d{k}", "text": prose(k), "url": f"https://good.example/{k}"} for k in range(6)]
    made += [
        {"id": "s", "text": secret(), "url": f"https://www.bad.example/{SECRET}", "note": f"by {SECRET}"},
        {"id": "same", "text": secret().replace(" ", "  ", 3), "url": "https://mirror.example/1"},
        {"id": "near", "text": secret(changed=4), "url": "https://mirror.example/2", "by": SECRET},
        {"id": "far", "text": prose(77), "url": "https://bad.example/x"},
        {"id": "notbad", "text": prose(78), "url": "https://notbad.example/x"},
        {"id": "mail", "text": f"{prose(60)} {SECRET} writes from x@mail.example.net."},
    ]
    return made


def bad_row() -> bytes:
    return b'{"id": "torn", "text": "' + secret().encode()[:300]


@pytest.fixture(scope="session")
def curated(tmp_path_factory) -> Path:
    def make(folder: Path) -> None:
        write_rows(folder / "in" / "a.jsonl", [*rows(), bad_row()])
        write_rows(folder / "in" / "b.jsonl", [{"id": f"e{k}", "text": prose(100 + k)} for k in range(4)])
        run(folder)

    return made_once(tmp_path_factory, "takedown", make)


@pytest.fixture
def folder(curated, tmp_path) -> Path:
    import shutil

    shutil.copytree(curated, tmp_path / "t", dirs_exist_ok=True)
    return tmp_path / "t"


def run(folder: Path, *more: str) -> None:
    curate(
        "--input", folder / "in", "--output", folder / "out", "--set", "source.max_bad_fraction=0.5",
        "--set", "output.signals=true", "--set", "dedup.keep=[n_bytes desc]", *more,
    )  # fmt: skip


def takedown(capsys, folder: Path, *arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["takedown", "--output", str(folder / "out"), *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def keys(folder: Path, *names: str) -> str:
    path = folder / "keys.txt"
    path.write_text("\n".join(names) + "\n")
    return str(path)


def traces(root: Path, mark: str = SECRET) -> list[str]:
    """Files below `root` with the mark in their bytes, in what they decompress to, or in a column."""
    found = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        raw = path.read_bytes()
        seen = raw.lower().count(mark.lower().encode())
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            seen += str(file.schema_arrow.metadata).lower().count(mark.lower())
            for batch in file.iter_batches():
                seen += str(batch.to_pydict()).lower().count(mark.lower())
        for unpack in (gzip.decompress, zlib.decompress):
            with contextlib.suppress(OSError, zlib.error, EOFError):
                seen += unpack(raw).lower().count(mark.lower().encode())
        if seen:
            found.append(str(path.relative_to(root)))
    return found


def conserved(out: Path, *, languages: bool = True) -> None:
    """Law 1, in the manifests and the page's numbers: as the ledger has it, generation by generation. `languages`: rejected/ has
    those of dropped documents."""
    ledger = table(out, "ledger")
    for number in json.loads((out / "manifest.json").read_text())["live"]:
        made = json.loads((out / f"manifests/{number:06d}.json").read_text())
        own = ledger.filter(pl.col("generation") == number)
        for verdict in ("kept", "dropped", "quarantined"):
            line = own.filter(pl.col("verdict") == verdict)
            assert made["totals"][verdict] == len(line)
            assert made["totals"][f"bytes_{verdict}"] == line["n_bytes_read"].sum()
        reasons = {r["reason"]: r["first"] for r in made["metrics"]["reasons"] if r["first"]}
        dropped = own.filter(pl.col("verdict") == "dropped")["reason"].value_counts()
        assert reasons == dict(dropped.iter_rows())
        assert sum(line["documents"] for line in made["metrics"]["funnel"][:-3]) == made["totals"]["kept"]
        for source in made["metrics"]["by_source"]:
            line = own.filter((pl.col("source") == source["source"]) & (pl.col("verdict") == "kept"))
            assert source["kept"] == len(line) and source["bytes_kept"] == line["n_bytes_read"].sum()
        cells = pl.DataFrame(made["metrics"]["crossed"]["cells"])
        for reason, n in own.filter(pl.col("verdict") != "quarantined")["reason"].value_counts().iter_rows() if languages else ():
            assert cells.filter(pl.col("reason").eq_missing(reason))["documents"].sum() == n
        if made["metrics"]["by_language"]:
            assert sum(line["kept"] for line in made["metrics"]["by_language"]) == made["totals"]["kept"]
        overlap = made["metrics"]["overlap"]
        for place, name in enumerate(overlap["reasons"]):
            assert overlap["counts"][place][place] == own["failed"].list.contains(name).sum()
        for record in made["files"]:
            assert pq.ParquetFile(out / record["path"]).metadata.num_rows == record["rows"]
    data = table(out, "data")
    assert len(data) == len(ledger.filter(pl.col("verdict") == "kept"))


def test_the_search_finds_what_is_there(curated):
    found = traces(curated / "out")
    output = ("data/", "rejected/", "quarantine/", "samples/", "report.html")
    for place in (*output, ".work/documents", ".work/facts/final"):
        assert any(name.startswith(place) for name in found), (place, found)
    assert not any(name.startswith("index/") for name in found)


def test_nothing_is_left_of_a_document_and_its_copies(capsys, folder):
    before = table(folder / "out", "data")
    for place in ("judgements/dedup/x", "judgements/select/x", "staging/x", "savings/arms"):  # of runs that were killed
        write_rows(folder / "out/.work" / place / "left.jsonl", [{"text": secret()}])
    recipe = json.loads((folder / "out/manifest.json").read_text())["recipe_hash"]
    reviews.add(open_output(str(folder / "out")), Label(1, "in/a.jsonl#8", "kept", "wrong", recipe))
    code, said, _ = takedown(capsys, folder, "--keys", keys(folder, "s", "mail"), "--request", "R-7", "--yes")
    assert code == 0 and "request R-7: 4 documents taken down (2 asked for, 2 like them)" in said, said
    assert traces(folder / "out") == []
    ledger = {row["id"]: row for row in table(folder / "out", "ledger").to_dicts()}
    for name in ("s", "same", "near", "mail"):
        assert (ledger[name]["verdict"], ledger[name]["stage"], ledger[name]["reason"]) == ("dropped", "takedown", "taken_down")
        assert ledger[name]["duplicate_ref"] is None and ledger[name]["n_bytes"] is None and not ledger[name]["failed"]
    conserved(folder / "out")
    left = table(folder / "out", "data")
    gone = ("s", "same", "near", "mail")
    assert left.equals(before.filter(~pl.col("id").is_in(gone)))
    receipt = json.loads((folder / "out/takedowns/000002.json").read_text())
    assert receipt["request"] == "R-7" and (receipt["before"], receipt["manifest"]) == (1, 2)
    assert {tuple(file["rows"]) for file in receipt["inputs"]["files"]} == {(7, 8, 9, 12)}
    for file in receipt["files"]:
        assert not (folder / "out" / file["path"]).exists() and (folder / "out" / file["replaced_by"]).exists()
    assert "b.jsonl" not in str(receipt["inputs"])


def test_chains_end_at_the_copies_of_what_was_asked_for():
    """What is only like a copy is not like what was asked for: it stays, and may come."""
    line = {"verdict": "kept", "generation": 1, "source_ref": "in/a.jsonl#1"}
    torn = {**line, "verdict": "quarantined", "source_ref": "in/a.jsonl#9"}
    rows = {
        (1, "in/a.jsonl#1"): Gone(line, "asked", text="Asked."),
        (1, "in/a.jsonl#2"): Gone(line, "survivor", text="Survivor."),
        (1, "in/a.jsonl#3"): Gone(line, "copy", text="Copy."),
        (1, "in/a.jsonl#9"): Gone(torn, "asked", text="{"),
    }
    assert Found(rows, 0, ()).contents() == [
        Text("Asked.", near=True),
        Text("Survivor.", near=True),
        Text("Copy.", near=False),
        Text("{", near=False, place="in/a.jsonl#9"),
    ]


def test_tombstones_are_private(capsys, folder):
    takedown(capsys, folder, "--keys", keys(folder, "s"), "--yes")
    place = folder / "out/index/tombstones"
    assert place.stat().st_mode & 0o777 == 0o700 and (place / "key").stat().st_mode & 0o777 == 0o600


TALLIED = (
    "totals", "final_bytes", "funnel", "reasons", "by_source", "by_language", "edits", "overlap", "crossed", "quarantine",
    "tokens",
)  # fmt: skip
"""Keys of metrics.json that the ledger, data/ and rejected/ say everything of."""


def metrics(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "out/metrics.json").read_text())


def test_a_run_after_it_has_nothing_new_and_made_anew_it_is_the_same(capsys, folder):
    takedown(capsys, folder, "--keys", keys(folder, "s", "mail"), "--yes")
    recounted = metrics(folder)
    assert any(line["language"] == "unknown" and line["documents"] == 4 for line in recounted["by_language"])
    kept = table(folder / "out", "data").drop("minhash_cluster_size")
    ledger = table(folder / "out", "ledger").drop("generation")
    run(folder)
    assert "nothing new" in capsys.readouterr().out
    for more in (["--replace"], ["--fresh"]):
        run(folder, *more)
        assert traces(folder / "out") == []
        assert table(folder / "out", "data").drop("minhash_cluster_size").equals(kept)
        assert table(folder / "out", "ledger").drop("generation").equals(ledger)
        conserved(folder / "out")
        made = metrics(folder)
        assert {name: made[name] for name in TALLIED} == {name: recounted[name] for name in TALLIED}
        assert (made["duplicates"]["exact"], made["duplicates"]["near"]) == (0, 0)


def test_what_comes_again_is_taken_down_and_what_is_less_alike_is_not(capsys, folder):
    takedown(capsys, folder, "--keys", keys(folder, "s"), "--yes")
    write_rows(
        folder / "in" / "c.jsonl",
        [
            {"id": "again", "text": secret().replace(" ", "\n")},
            {"id": "nearly", "text": secret(changed=8)},
            {"id": "other", "text": secret(changed=90)},
            {"id": "short", "text": f"{secret()[:120]}"},
        ],
    )
    run(folder)
    ledger = {row["id"]: row for row in table(folder / "out", "ledger").to_dicts()}
    assert ledger["again"]["reason"] == ledger["nearly"]["reason"] == "taken_down"
    assert ledger["other"]["reason"] != "taken_down" and ledger["short"]["reason"] != "taken_down"
    assert ledger["again"]["generation"] == 3
    conserved(folder / "out")
    assert "again" not in table(folder / "out", "rejected")["id"].to_list()


def test_keys_of_no_row_are_named_beside_what_others_take_down(capsys, folder):
    code, said, _ = takedown(capsys, folder, "--keys", keys(folder, "far", "typo", "in/a.jsonl#999"), "--dry-run")
    assert code == 0 and "1 document would be taken down" in said
    assert [line for line in said.splitlines() if line.startswith("not reached: ")] == [
        "not reached: no row of the output has the id or source_ref typo",
        "not reached: no row of the output has the id or source_ref in/a.jsonl#999",
    ]
    assert "in/a.jsonl, row 10" in said


def test_a_domain_and_those_below_it(capsys, folder):
    code, said, _ = takedown(capsys, folder, "--domain", "bad.example", "--yes")
    assert code == 0, said
    ledger = {row["id"]: row["reason"] for row in table(folder / "out", "ledger").to_dicts()}
    assert {name for name, reason in ledger.items() if reason == "taken_down"} == {"s", "same", "near", "far"}
    conserved(folder / "out")


def test_a_text(capsys, folder):
    (folder / "text.txt").write_text(secret(changed=2))
    code, _, _ = takedown(capsys, folder, "--like", f"@{folder}/text.txt", "--yes")
    assert code == 0
    taken = table(folder / "out", "ledger").filter(pl.col("reason") == "taken_down")["id"].to_list()
    assert set(taken) == {"s", "same", "near"}
    code, said, _ = takedown(capsys, folder, "--like", f"@{folder}/text.txt", "--yes")
    assert code == 0 and "taken down before, by request" in said


def test_increments_go_on(capsys, folder):
    """What a later generation holds is judged as if what went had never been there."""
    takedown(capsys, folder, "--keys", keys(folder, "s", "d3"), "--yes")
    later = [{"id": "copy1", "text": prose(1)}, {"id": "new", "text": prose(200)}, {"id": "d3 again", "text": prose(3)}]
    write_rows(folder / "in" / "c.jsonl", later)
    run(folder)
    grown = table(folder / "out", "ledger")
    run(folder, "--replace")
    anew = table(folder / "out", "ledger")
    assert (
        grown.select("source_ref", "verdict", "reason", "duplicate_ref")
        .sort("source_ref")
        .equals(anew.select("source_ref", "verdict", "reason", "duplicate_ref").sort("source_ref"))
    )
    second = takedown(capsys, folder, "--keys", keys(folder, "new"), "--yes")
    assert second[0] == 0 and traces(folder / "out", prose(200)[:40]) == []
    conserved(folder / "out")


def test_a_quarantined_row_loses_its_excerpt(capsys, folder):
    code, said, _ = takedown(capsys, folder, "--keys", keys(folder, "in/a.jsonl#13"), "--yes")
    assert code == 0, said
    row = table(folder / "out", "quarantine").to_dicts()[0]
    assert row["excerpt"] is None and table(folder / "out", "ledger").filter(pl.col("verdict") == "quarantined").height == 1
    run(folder, "--fresh")
    assert table(folder / "out", "quarantine")["excerpt"].to_list() == [None]
    assert takedown(capsys, folder, "--keys", keys(folder, "in/a.jsonl#13"), "--yes")[0] == 0


def test_a_dry_run_changes_nothing(capsys, folder):
    before = {path: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file() and path.name != ".lock"}
    code, said, _ = takedown(capsys, folder, "--keys", keys(folder, "s"), "--dry-run")
    assert code == 0 and "would be taken down" in said and "in/a.jsonl#8" in said
    after = {path: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file() and path.name != ".lock"}
    assert before == after


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--keys", "nobody"], "nothing in the output is of these keys"),
        (["--domain", "nowhere.example", "--yes"], "nothing in the output is of the domain"),
        (["--like", "Nobody has ever written this sentence.", "--yes"], "nothing in the output is of this text"),
        (["--domain", "https://bad.example/", "--yes"], "expected a domain alone"),
        (["--keys", "s"], "--yes"),
        (["--like", "  ", "--yes"], "empty"),
        (["--like", "@/nowhere/at/all", "--yes"], "cannot be read"),
    ],
)
def test_mistakes_exit_2(capsys, folder, arguments, words):
    if arguments[0] == "--keys":
        arguments = ["--keys", keys(folder, arguments[1]), *arguments[2:]]
    code, _, error = takedown(capsys, folder, *arguments)
    assert code == 2 and words in error


def test_exports_that_hold_it_are_named(capsys, folder):
    out = open_output(str(folder / "out"))
    for name in ("arms", "clean", "moved"):
        (folder / name).mkdir()
        exports.record(out, str(folder / name), what=f"{name} of a test")
    pq.write_table(pa.table({"text": [prose(1), secret(), secret(changed=3), None]}), folder / "arms/a.parquet")
    pq.write_table(pa.table({"text": [prose(1)]}), folder / "clean/a.parquet")
    (folder / "arms/torn.parquet").write_bytes(b"PAR1")
    (folder / "moved").rmdir()
    code, said, _ = takedown(capsys, folder, "--keys", keys(folder, "s"), "--yes")
    receipt = json.loads((folder / "out/takedowns/000002.json").read_text())
    assert code == 0 and receipt["exports"] == [
        f"{folder}/arms/a.parquet (arms of a test): 2 rows",
        f"{folder}/arms/torn.parquet (arms of a test): cannot be read",
        f"{folder}/moved (moved of a test): not there, not looked at",
    ]
    assert f"an export holds it: {folder}/arms/a.parquet" in said
    assert pq.read_table(folder / "arms/a.parquet").num_rows == 4  # looked at, never changed


@pytest.mark.slow
def test_a_work_directory_that_was_elsewhere_is_cleaned_when_a_run_uses_it(capsys, folder):
    run(folder, "--replace", "--work", str(folder / "elsewhere"))
    takedown(capsys, folder, "--keys", keys(folder, "s", "mail"), "--yes")
    assert traces(folder / "out") == [] and traces(folder / "elsewhere")
    run(folder, "--replace", "--work", str(folder / "elsewhere"))
    assert traces(folder / "out") == traces(folder / "elsewhere") == []


@pytest.mark.slow
def test_without_a_work_directory_and_without_rejected_texts(capsys, folder):
    run(folder, "--replace", "--clean", "--set", "output.rejected=none")
    before = metrics(folder)
    code, said, _ = takedown(capsys, folder, "--keys", keys(folder, "s", "mail"), "--yes")
    assert code == 0 and "no work directory" in said and traces(folder / "out") == []
    conserved(folder / "out", languages=False)
    after = metrics(folder)
    assert after["crossed"] == before["crossed"] and "languages of dropped documents" in after["notes"][-1]
    documents = [[(line["language"], line["documents"]) for line in made["by_language"]] for made in (before, after)]
    assert documents[0] == documents[1]
    assert digests(folder / "out")


def test_clean_after_a_take_down_leaves_no_work_directory_and_the_next_run_makes_one(capsys, folder):
    takedown(capsys, folder, "--keys", keys(folder, "s", "mail"), "--yes")
    run(folder, "--replace", "--clean")
    assert not (folder / "out" / ".work").exists()
    run(folder, "--replace")
    assert (folder / "out" / ".work" / ".winnow-work").is_file() and traces(folder / "out") == []


def test_without_dedup_the_same_and_nearly_the_same_still_stay_away(capsys, folder):
    run(folder, "--fresh", "--set", "dedup=false")
    takedown(capsys, folder, "--keys", keys(folder, "s"), "--yes")
    assert table(folder / "out", "ledger").filter(pl.col("reason") == "taken_down")["id"].to_list() == ["s", "same", "near"]
    write_rows(folder / "in" / "c.jsonl", [{"id": "again", "text": secret(changed=3)}])
    run(folder, "--set", "dedup=false")
    assert table(folder / "out", "ledger").filter(pl.col("id") == "again")["reason"].to_list() == ["taken_down"]


def test_thresholds_can_still_be_looked_at(capsys, folder):
    """Signals stay: languages are strings, and say nothing of a text."""
    takedown(capsys, folder, "--keys", keys(folder, "s"), "--yes")
    out = str(folder / "out")
    for command in (
        ["sweep", "filters.gopher_quality.min_words=20:40:20", "--by", "language"],
        ["compare", "--set", "filters.gopher_quality.min_words=20"],
    ):
        capsys.readouterr()
        code = main(["--output", out, *command])
        assert code == 0, capsys.readouterr().err
    signals = next((folder / "out/.work/facts").glob("language/*.parquet"))
    assert set(pq.read_schema(signals).names) >= {"language_second", "language"}
    signals.unlink()  # as a take-down does with the strings of a plugin
    capsys.readouterr()
    assert main(["--output", out, "sweep", "filters.gopher_quality.min_words=20:40:20"]) == 2
    assert "a take-down those that hold strings" in capsys.readouterr().err
