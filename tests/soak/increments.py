"""Files that arrive, change and vanish over many runs into one output: no document is lost, none is there twice.

A seeded corpus with planted exact and near duplicates (`tests.bench.synthetic`) and unreadable rows is dealt out at random. Each
increment brings one file (JSONL, gzip or Parquet) to one of a few sources; some files change in place, under `on_changed: append`
or `ignore`, some vanish. What a run must read follows from a model of a dozen lines, `Folder.unread`, and not from the product.

After each run: read = kept + dropped + quarantined, and the ledgers of all generations together hold each row once for each time
that its file was due. At the end (law 4): one run over everything that was read, each increment's files with a larger priority
than those before, keeps the same documents, row by row.
"""

from __future__ import annotations

import gzip
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.machine.schedule import in_process
from pipeline.plan import load
from pipeline.run import execute
from pipeline.run.options import Result, RunOptions
from tests.bench import synthetic
from tests.soak.common import Report
from tests.support import table

SOURCES = ("books", "news", "web")
KINDS = ("jsonl", "jsonl.gz", "parquet")
BAD = (b"not JSON", b'{"text": null}', b'{"text": 5}', b'{"text": "\xff"}')
"""Lines that go to quarantine; a Parquet file has a null in their place."""
CHANGES, VANISHES, APPENDS = 0.35, 0.15, 0.6
"""Chances of an increment: that earlier files change, that one vanishes, that changed files are read again."""
Row = tuple[int, str, int]
"""(increment, `source/file`, row): a row as it was read; a file that changed has its rows again."""


@dataclass(frozen=True)
class Version:
    """A file as it is at one time: its rows in order (None: unreadable)."""

    name: str
    texts: tuple[str | None, ...]

    def rows(self, increment: int) -> list[Row]:
        return [(increment, self.name, number) for number in range(1, len(self.texts) + 1)]


@dataclass
class Folder:
    """What lies in the input folder, and what a run has read of it."""

    root: Path
    there: dict[str, Version] = field(default_factory=dict)
    read: dict[str, set[Version]] = field(default_factory=dict)

    def put(self, version: Version) -> None:
        self.there[version.name] = version
        write(self.root / version.name, version.texts)

    def remove(self, name: str) -> None:
        del self.there[name]
        (self.root / name).unlink()

    def unread(self, *, append: bool) -> list[Version]:
        """What a run is due to read: files never read, and under `append` those that are none of what was read of them."""
        new = [version for name, version in self.there.items() if name not in self.read]
        changed = [version for name, version in self.there.items() if name in self.read and version not in self.read[name]]
        return new + changed if append else new

    def mark(self, versions: Sequence[Version]) -> None:
        for version in versions:
            self.read.setdefault(version.name, set()).add(version)


def write(path: Path, texts: Sequence[str | None]) -> None:
    """The rows in the format that the name says; the same rows give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"text": pa.array(texts, pa.string())}), path)
        return
    lines = [BAD[k % len(BAD)] if t is None else json.dumps({"text": t}).encode() for k, t in enumerate(texts)]
    data = b"\n".join(lines) + b"\n"
    path.write_bytes(gzip.compress(data, 1, mtime=0) if path.suffix == ".gz" else data)


def corpus(documents: int, chosen: random.Random, folder: Path) -> list[str | None]:
    """Texts with planted duplicates in any order, and some unreadable rows."""
    synthetic.write(folder, documents, seed=chosen.randrange(1000))
    lines = [line for file in sorted(folder.iterdir()) for line in file.read_bytes().splitlines()]
    texts: list[str | None] = [json.loads(line)["text"] for line in lines]
    texts += [None] * (documents // 100)
    chosen.shuffle(texts)
    return texts


def _plan(path: Path, sources: Sequence[tuple[str, str, int]], *, append: bool) -> load.LoadedPlan:
    """`sources`: (name, folder, priority). Rows below 40 words are dropped, so that reasons are of more than one stage."""
    made = {
        "extends": "none@1",
        "source": [
            {"paths": [folder], "name": name, "priority": priority, "max_bad_fraction": 1.0} for name, folder, priority in sources
        ],
        "filters": {"gopher_quality": {"min_words": 40, "min_stop_words": 0}},
        "dedup": {},
        "on_changed": "append" if append else "ignore",
    }
    path.write_text(json.dumps(made))
    return load.load_plan(str(path))


def _run(loaded: load.LoadedPlan, out: Path) -> Result:
    return execute.execute(loaded, RunOptions(output=str(out), accept=True), mapper=in_process(2))


class Series:
    """Increments into one output, and what must be in it."""

    def __init__(self, folder: Path, chosen: random.Random, report: Report, kinds: Sequence[str] = KINDS) -> None:
        self.base, self.chosen, self.report, self.kinds = folder, chosen, report, kinds
        self.folder, self.out = Folder(folder / "in"), folder / "out"
        self.expected: list[Row] = []
        self.arrived: list[tuple[int, Version]] = []
        self.changed = self.vanished = self.wrong = 0

    def arrive(self, number: int, texts: Sequence[str | None]) -> None:
        """One increment: a file comes, others change or vanish, one run reads what it is due to read."""
        draw = self.chosen
        self.folder.put(Version(f"{draw.choice(SOURCES)}/{number:03d}.{draw.choice(self.kinds)}", tuple(texts)))
        earlier = sorted(name for name in self.folder.there if name in self.folder.read)
        if earlier and draw.random() < CHANGES:
            for name in draw.sample(earlier, min(len(earlier), draw.randint(1, 2))):
                self._change(self.folder.there[name])
        if len(earlier) > 3 and draw.random() < VANISHES:
            self.folder.remove(draw.choice(earlier))
            self.vanished += 1
        append = draw.random() < APPENDS
        due = self.folder.unread(append=append)
        self.folder.mark(due)
        result = self._curate(append)
        self.arrived += [(number, version) for version in due]
        self.expected += [row for version in due for row in version.rows(number)]
        if result.generation != number:
            self.report.fail(f"increment {number} became generation {result.generation}")
        self._check(number, sum(len(version.texts) for version in due))
        if number % 10 == 0 and (again := self._curate(append)).generation is not None:
            self.report.fail(f"after increment {number} the same command made generation {again.generation}")

    def _change(self, version: Version) -> None:
        """New rows, rows without one of them, another order, or an earlier state: a file may change in any way."""
        texts = list(version.texts)
        how = self.chosen.choice(["more", "fewer", "order", "back"])
        if how == "more":
            texts += [f"{text} and {self.chosen.random()} more" for text in texts[:3] if text is not None]
        elif how == "fewer":
            texts = texts[1:] or texts
        elif how == "order":
            texts = texts[::-1]
        else:
            earlier = sorted(self.folder.read[version.name], key=lambda known: (len(known.texts), str(known.texts)))
            texts = list(self.chosen.choice(earlier).texts)
        now = Version(version.name, tuple(texts))
        self.changed += now != version
        self.folder.put(now)

    def _curate(self, append: bool) -> Result:
        there = {name.split("/")[0] for name in self.folder.there}
        sources = [(name, str(self.folder.root / name), place) for place, name in enumerate(SOURCES) if name in there]
        return _run(_plan(self.base / "plan.yaml", sources, append=append), self.out)

    def _check(self, number: int, rows: int) -> None:
        totals = json.loads((self.out / "manifest.json").read_text())["totals"]
        if totals["read"] != rows or totals["read"] != totals["kept"] + totals["dropped"] + totals["quarantined"]:
            self.report.fail(f"increment {number} of {rows} rows: totals {totals}")
        found = _rows(table(self.out, "ledger"))
        lost, more = set(self.expected) - set(found), len(found) - len(set(found)) + len(set(found) - set(self.expected))
        if lost or more:
            self.wrong += len(lost) + more
            self.report.fail(f"increment {number}: {len(lost)} rows lost {sorted(lost)[:3]}, {more} rows too many")

    def against_one_run(self) -> None:
        """Law 4, row by row; and texts of kept documents are distinct."""
        sources = []
        names: dict[str, tuple[int, str]] = {}
        for number, version in self.arrived:
            source, file = version.name.split("/")
            folder = f"{number:03d}-{source}"
            write(self.base / "all" / folder / file, version.texts)
            if folder not in names:
                names[folder] = (number, source)
                priority = number * len(SOURCES) + SOURCES.index(source)
                sources.append((folder, str(self.base / "all" / folder), priority))
        _run(_plan(self.base / "all.yaml", sources, append=False), self.base / "full")
        full = set()
        for _, ref, row in _rows(table(self.base / "full", "ledger").filter(pl.col("verdict") == "kept")):
            number, source = names[ref.split("/")[0]]
            full.add((number, f"{source}/{ref.split('/')[1]}", row))
        grown = set(_rows(table(self.out, "ledger").filter(pl.col("verdict") == "kept")))
        if full != grown:
            self.report.fail(f"one run keeps {len(full - grown)} others, and not {len(grown - full)} that increments keep")
        data = table(self.out, "data")
        if len(data) != len(grown) or data["text"].n_unique() != len(data):
            self.report.fail(f"data/ holds {len(data)} rows of {data['text'].n_unique()} texts; the ledgers keep {len(grown)}")
        reasons = table(self.out, "ledger")["reason"].drop_nulls().value_counts(sort=True).rows()
        self.report.say("dropped: " + ", ".join(f"{count} {reason}" for reason, count in reasons))
        self.report.say(f"{len(grown)} documents kept, row by row those of one run over all {len(self.expected)} rows")


def _rows(ledger: pl.DataFrame) -> list[Row]:
    refs = ledger["source_ref"].str.split_exact("#", 1).struct.unnest()
    return list(zip(ledger["generation"], refs["field_0"], refs["field_1"].cast(pl.Int64), strict=True))


def go(
    *,
    seed: int,
    increments: int = 50,
    documents: int = 4000,
    kinds: Sequence[str] = KINDS,
    log: Callable[[str], None] = lambda _: None,
) -> Report:
    """`documents` dealt out over so many increments, each one run, of files of these kinds."""
    report = Report(f"Increments (seed {seed})")
    chosen = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="winnow-increments-") as name:
        folder = Path(name)
        texts = corpus(documents, chosen, folder / "corpus")
        cuts = [0, *sorted(chosen.sample(range(1, len(texts)), increments - 1)), len(texts)]
        series = Series(folder, chosen, report, kinds)
        for number in range(1, increments + 1):
            series.arrive(number, texts[cuts[number - 1] : cuts[number]])
            if number % 10 == 0:
                log(f"{number} increments, {len(series.expected)} rows")
        series.against_one_run()
    report.say(f"{series.changed} files changed in place, {series.vanished} vanished")
    report.say(f"{series.wrong} documents lost or doubled over {increments} increments ({len(series.expected)} documents)")
    return report
