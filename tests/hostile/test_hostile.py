"""Hostile files, bombs, names and secrets through the real command, each in a process with limits."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.hostile import bombs, suite
from tests.support import eval_data, prose, table, winnow, write_rows


@pytest.fixture
def hostile() -> Path:
    return eval_data() / "hostile"


def test_every_row_of_json_archives_and_parquet_is_accounted_for(hostile: Path) -> None:
    report = suite.go(only=("json", "compression", "parquet", "derived"), plan="none")
    assert not report.failures, report.failures
    assert any("100 % accounted for" in line for line in report.lines), report.lines


@pytest.mark.slow
def test_every_row_of_every_hostile_file_is_accounted_for_with_all_filters(hostile: Path) -> None:
    report = suite.go()
    assert not report.failures, report.failures


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", [b"\0" * 100_000, b"\n" * 100_000, b'{"text":"x"}\n' * 8_000], ids=["zeros", "newlines", "rows"]
)
@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_an_archive_that_decodes_to_gigabytes_ends_as_one_row_within_the_budget(
    tmp_path: Path, piece: bytes, ending: str
) -> None:
    path = tmp_path / "in" / f"bomb.jsonl.{ending}"
    path.parent.mkdir()
    (bombs.gzip_of if ending == "gz" else bombs.zstd_of)(path, piece, 13 * bombs.GIGABYTE // 10)
    assert path.stat().st_size < 15_000_000
    done = suite.limited("none", "--input", path, "--output", tmp_path / "out", "--set", "source.max_bad_fraction=1", "--accept")
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)["metrics"]
    assert table(tmp_path / "out", "quarantine")["cause"].to_list()[-1] == "decompression_bomb"
    assert metrics["cost"]["peak_memory_bytes"] < suite.MEMORY_BYTES


@pytest.mark.parametrize(
    ("make", "causes"),
    [
        pytest.param(lambda path: bombs.parquet_of(path, 3_000, 1_000_000), ["decompression_bomb"], id="a dictionary"),
        pytest.param(lambda path: bombs.one_page(path, 1_500_000_000), ["row_too_large", "decoder_died"], id="one value"),
    ],
)
@pytest.mark.slow
def test_parquet_that_decodes_to_gigabytes_costs_no_more_than_its_row_group(tmp_path: Path, make, causes: list[str]) -> None:
    (tmp_path / "in").mkdir()
    make(tmp_path / "in" / "bomb.parquet")
    write_rows(tmp_path / "in" / "good.jsonl", [{"text": prose(k)} for k in range(5)])
    done = suite.limited("none", "--input", tmp_path / "in", "--output", tmp_path / "out", "--set", "source.max_bad_fraction=1")
    assert done.returncode == 0, done.stderr
    assert table(tmp_path / "out", "quarantine")["cause"].to_list()[-1] in causes
    assert {f"in/good.jsonl#{k}" for k in range(1, 6)} <= set(table(tmp_path / "out", "data")["source_ref"])


def test_names_and_values_of_the_input_lead_nowhere(tmp_path: Path, capsys) -> None:
    """Nothing is written beside the output and nothing outside of it changes, whatever rows, files and links are called."""
    victim = tmp_path / "victim.txt"
    victim.write_text("untouched")
    evil = "../../victim.txt"
    names = ["a b;rm -rf ~", "$(touch x)", "x..", "line\nbreak", "\u202egpj", "%2e%2e%2fup", "-rf", "'\"`|&"]
    rows = [
        {"text": prose(k), "id": evil, "source": name, "url": f"file:///{evil}", "date": evil} for k, name in enumerate(names)
    ]
    for k, name in enumerate(names):
        write_rows(tmp_path / "in" / f"{name}{k}" / f"{name}.jsonl", rows[k : k + 1])
    (tmp_path / "in" / "up").symlink_to(tmp_path)  # a link to a folder is not followed
    (tmp_path / "in" / "linked.jsonl").symlink_to(write_rows(tmp_path / "elsewhere.jsonl", [{"text": prose(99)}]))
    before = sorted(path.name for path in tmp_path.iterdir())
    for flags in ([], ["--fresh", "--clean"]):
        named = ("--set", "source.from=source")
        ran = winnow(capsys, "minimal", "--input", tmp_path / "in", "--output", tmp_path / "out", *named, *flags)
        assert ran.code == 0, ran.err
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "out"])
    assert victim.read_text() == "untouched"
    assert len(table(tmp_path / "out", "data")) == len(names) + 1
    root = (tmp_path / "out").resolve()
    assert all(path.resolve().is_relative_to(root) for path in root.rglob("*"))
    contract = {"README.md", "manifest.json", "metrics.json", "report.html", "plan.resolved.yaml", ".lock", ".work"}
    contract |= {".winnow-output", "data", "rejected", "ledger", "quarantine", "manifests", "index", "samples"}
    assert {path.name for path in (tmp_path / "out").iterdir()} <= contract


SECRET = "hunter2SECRET"
URLS = [
    f"https://user:{SECRET}@example.org/a.jsonl",
    f"https://example.org/a.jsonl?X-Amz-Signature={SECRET}",
    f"s3://key:{SECRET}@bucket/a.jsonl",
    f"s3://bucket/a.jsonl?sig={SECRET}&x=1",
    f"gs://bucket/*.jsonl?X-Goog-Signature={SECRET}",
    f"https://example.org/a.jsonl?access_token={SECRET}",
]


@pytest.mark.parametrize("how", ["--input", "--set", "plan"])
def test_secrets_in_urls_are_said_nowhere(tmp_path: Path, capsys, how: str) -> None:
    for number, url in enumerate(URLS):
        out = tmp_path / f"out{number}"
        if how == "--input":
            arguments = ["--input", url]
        elif how == "--set":
            arguments = ["minimal", "--set", f"source.paths=[{json.dumps(url)}]"]
        else:
            plan = tmp_path / f"plan{number}.yaml"
            plan.write_text(json.dumps({"extends": "minimal@1", "source": {"paths": [url], "unit_bytes": 64_000_000}}))
            arguments = [str(plan)]
        ran = winnow(capsys, *arguments, "--output", out, "--log-json")
        assert ran.code == 2, url
        assert SECRET not in ran.out + ran.err, url
        for path in out.rglob("*"):
            assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_secrets_in_the_addresses_of_rows_stay_with_the_rows(tmp_path: Path, capsys) -> None:
    """A crawled URL may hold somebody's signature: it is in the row's own column and in nothing that is shown or shared."""
    url = f"https://example.org/a?X-Amz-Signature={SECRET}"
    rows: list = [{"text": prose(k // 2), "url": url, "id": str(k)} for k in range(6)] + [b'{"url": "%s"}' % url.encode()]
    path = write_rows(tmp_path / "in" / "a.jsonl", rows)
    ran = winnow(capsys, "--input", path, "--output", tmp_path / "out", "--log-json", "--set", "source.max_bad_fraction=1")
    assert ran.code == 0, ran.err
    assert SECRET not in ran.out + ran.err
    for name in ("README.md", "manifest.json", "metrics.json", "report.html", "plan.resolved.yaml", "manifests/000001.json"):
        assert SECRET not in (tmp_path / "out" / name).read_text(), name
    assert os.stat(tmp_path / "out" / "quarantine").st_mode & 0o077 == 0
