"""The hostile files through the real command, in a process with limits: nothing crashes, hangs or outgrows its budget, and
every row of every file is accounted for.

    WINNOW_EVAL_DATA=... python -m tests.hostile

Each file is an input under a name that the reader knows: JSON, CSV, HTML and text files as JSONL, compressed ones as
.jsonl.gz, Parquet as Parquet; texts in every encoding also as values of Parquet columns. The oracle of how many rows there
are is plain Python: lines that are not blank, where rows are lines, values of a column, members of an archive.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tests.hostile import kinds
from tests.soak.common import Report, command, gone
from tests.support import ROOT, table

MEMORY_BYTES = 2_000_000_000
"""The run's budget, which is the command's default: the peak of the process tree must stay within it."""
LIMIT_BYTES = 6_000_000_000
"""Private memory of each process: far above the budget, so that going beyond is seen and not hidden."""
CPU_S, WALL_S = 600, 900
TEXTS = "texts.parquet"


@dataclass(frozen=True)
class Case:
    """A hostile file, the name that it is read under, and its rows if plain Python can tell them."""

    origin: str
    name: str
    rows: frozenset[int] | None


def cases(hostile: Path, folder: Path, only: Sequence[str] | None = None) -> list[Case]:
    """Copy the hostile files (`only`: of these folders) into `folder` under names that can be read."""
    made = []
    texts: list[bytes] = []
    files = sorted(path for path in hostile.rglob("*") if path.is_file())
    for number, path in enumerate(files):
        origin = path.relative_to(hostile).as_posix()
        kind = origin.partition("/")[0]
        if only is not None and kind not in only:
            continue
        ending = _ending(path, kind)
        name = f"{kind}/{number:03d}-{path.name.partition('.')[0][:40]}{ending}"
        (folder / kind).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
        made.append(Case(origin, f"{folder.name}/{name}", _lines(path.read_bytes()) if ending == ".jsonl" else None))
        if kind in ("encoding", "strings", "html", "csv") or path.suffix == ".txt":
            texts.append(path.read_bytes())
    if texts:
        pq.write_table(pa.table({"text": pa.array(texts, pa.large_binary())}), folder / TEXTS)
        made.append(Case("every text as a value", f"{folder.name}/{TEXTS}", frozenset(range(1, len(texts) + 1))))
    return made


def _ending(path: Path, kind: str) -> str:
    if kind == "parquet":
        return ".parquet"
    return ".jsonl.gz" if kind == "compression" or path.name.endswith(".gz") else ".jsonl"


def _lines(data: bytes) -> frozenset[int] | None:
    """Numbers of the lines that are not blank; white space is what bytes.strip() takes, and a BOM begins no line. None where rows
    are not lines: of arrays, objects over several lines, and texts in UTF-16 and UTF-32."""
    begin = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if begin[:1] == b"[" or data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
        return None
    first, _, others = begin.partition(b"\n")
    if begin[:1] == b"{" and others.strip() and not _is_json(first):
        return None
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return frozenset(number for number, line in enumerate(lines, 1) if line.strip())


def limited(*arguments: str | Path, wall_s: float = WALL_S) -> subprocess.CompletedProcess[str]:
    """The command with limits on memory, CPU time and wall time of each of its processes."""

    limits = ["prlimit", f"--data={LIMIT_BYTES}", f"--cpu={CPU_S}", "--core=0"]
    process = subprocess.Popen(
        [*limits, *command(*arguments, "--inline", "--workers", "2", "--json")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=wall_s)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        return subprocess.CompletedProcess(process.args, -999, "", f"no end within {wall_s} s")
    assert gone(process.pid), "processes of the run outlived it"
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def check(out: Path, all_cases: Sequence[Case], report: Report) -> int:
    """Hold ledger, quarantine and manifest to the cases; how many are accounted for."""
    ledger = table(out, "ledger").with_columns(
        pl.col("source_ref").str.extract(r"^(.*)#\d+$").alias("file"),
        pl.col("source_ref").str.extract(r"#(\d+)$").cast(pl.Int64).alias("row"),
    )
    quarantine = table(out, "quarantine")
    bad_causes = quarantine.filter((pl.col("cause") == "") | (pl.col("detail") == ""))
    if bad_causes.height:
        report.fail(f"{bad_causes.height} quarantined rows without cause or detail")
    if set(quarantine["source_ref"]) != set(ledger.filter(pl.col("verdict") == "quarantined")["source_ref"]):
        report.fail("ledger and quarantine name other rows")
    texts = table(out, "data").height + table(out, "rejected").height
    if texts + quarantine.height != ledger.height or ledger["source_ref"].n_unique() != ledger.height:
        report.fail("data, rejected and quarantine do not make up the ledger")
    made = json.loads((out / "manifest.json").read_text())
    inputs = {record["path"]: (record["rows"], record["bad_rows"]) for record in made["inputs"]}
    by_file = {file: group for (file,), group in ledger.partition_by("file", as_dict=True).items()}
    good = 0
    for case in all_cases:
        rows = by_file.get(case.name)
        numbers = set() if rows is None else set(rows["row"])
        lost = 0 if rows is None else rows.filter(pl.col("verdict") == "quarantined").height
        if inputs.get(case.name) != (len(numbers) - lost, lost):
            report.fail(
                f"{case.origin}: the manifest says {inputs.get(case.name)}, the ledger has {len(numbers)}, {lost} of them bad"
            )
        elif case.rows is not None and numbers != case.rows:
            report.fail(f"{case.origin}: rows {sorted(numbers ^ case.rows)[:5]} are not those of the file")
        else:
            good += 1
    return good


def check_mixed(out: Path, hostile: Path, name: str, report: Report) -> tuple[int, int]:
    """`mixed_bad_rows.expected.json`, line by line; how many lines are as it says, and how many there are."""
    expected = json.loads((hostile / "derived/mixed_bad_rows.expected.json").read_bytes())
    lines = (hostile / "derived/mixed_bad_rows.jsonl").read_bytes().split(b"\n")
    causes = dict(table(out, "quarantine").select("source_ref", "cause").iter_rows())
    documents = pl.concat([table(out, folder).select("source_ref", "id") for folder in ("data", "rejected")])
    ids = dict(documents.iter_rows())
    good = 0
    for item in expected:
        ref = f"{name}#{item['line']}"
        fate = causes.get(ref, "document" if ref in ids else "blank")
        if fate not in kinds.expected(item["kind"]):
            report.fail(f"mixed_bad_rows line {item['line']} ({item['kind']}): {fate}")
        elif item["kind"] == "valid_row" and ids[ref] != json.loads(lines[item["line"] - 1])["id"]:
            report.fail(f"mixed_bad_rows line {item['line']}: another id")
        else:
            good += 1
    return good, len(expected)


def go(*, only: Sequence[str] | None = None, plan: str = "default@1", log: Callable[[str], None] = lambda _: None) -> Report:
    """The whole suite, or some folders of it."""
    report = Report("Hostile files")
    where = os.environ.get("WINNOW_EVAL_DATA")
    if not where:
        report.say("skipped: WINNOW_EVAL_DATA is not set")
        return report
    hostile = Path(where) / "hostile"
    with tempfile.TemporaryDirectory(prefix="winnow-hostile-") as name:
        folder, out = Path(name) / "in", Path(name) / "out"
        folder.mkdir()
        all_cases = cases(hostile, folder, only)
        done = limited(
            plan,
            "--input",
            folder,
            "--output",
            out,
            "--set",
            "source.max_bad_fraction=1",
            "--set",
            "source.on_truncated=accept",
            "--set",
            "edits.c4_lines={}",
            "--accept",  # the few good documents need not pass the plan's filters
        )
        if done.returncode != 0:
            report.fail(f"the command ended with {done.returncode}: {done.stderr.strip()[-500:]}")
            return report
        good = check(out, all_cases, report)
        metrics = json.loads(done.stdout)["metrics"]
        totals, cost = metrics["totals"], metrics["cost"]
        if cost["peak_memory_bytes"] > MEMORY_BYTES:
            report.fail(
                f"peak of the process tree {cost['peak_memory_bytes'] / 1e6:,.0f} MB; the budget is {MEMORY_BYTES / 1e6:,.0f}"
            )
        mixed = next((case for case in all_cases if case.origin == "derived/mixed_bad_rows.jsonl"), None)
        if mixed is not None:
            right, lines = check_mixed(out, hostile, mixed.name, report)
            report.say(f"mixed_bad_rows: {right} of {lines} lines as expected.json says")
        causes = table(out, "quarantine").group_by("cause").len().sort("len", descending=True)
        parts = ", ".join(f"{totals[name]:,} {name}" for name in ("kept", "dropped", "quarantined"))
        report.say(
            f"{totals['read']:,} rows read = {parts}; causes: {', '.join(f'{n} {cause}' for cause, n in causes.iter_rows())}"
        )
        report.say(f"peak of the process tree {cost['peak_memory_bytes'] / 1e6:,.0f} MB, {cost['wall_s']:.1f} s")
        report.say(f"hostile suite: {len(all_cases)} files, {100 * good // len(all_cases)} % accounted for")
    return report
