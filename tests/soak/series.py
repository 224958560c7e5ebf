"""Runs into one output, night after night, and what must be in it: `inputs.Book` says what each run is due to read.

After each run: read = kept + dropped + quarantined, the newest manifest lists the generations that the book has, and the ledgers
of all of them together hold each row once for each time that its file was due. `checkpoint` looks at texts, and asks the doctor.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import resource
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from flows import doctor
from pipeline.errors import InputError
from pipeline.machine.schedule import in_process
from pipeline.output.folders import MARKER
from pipeline.plan import load
from pipeline.run import execute
from pipeline.run.options import Result, RunOptions
from pipeline.takedown.find import TakedownRequest
from pipeline.takedown.run import take_down
from tests.soak.common import Report, leftovers, newest
from tests.soak.inputs import KINDS, SOURCES, Book, Due, Folder, Row, Version, write

WORKERS = 2
EXPECTED = ("is no manifest by its name", "was replaced, and stays for readers that opened it", "there is no work directory")
"""What the doctor may note of an output that is whole."""


def plan(path: Path, sources: Sequence[tuple[str, str, int]], *, on_changed: str) -> Path:
    """`sources`: (name, folder, priority). Rows below 40 words are dropped, so that reasons are of more than one stage."""
    made = {
        "extends": "none@1",
        "source": [
            {"paths": [folder], "name": name, "priority": priority, "max_bad_fraction": 1.0} for name, folder, priority in sources
        ],
        "filters": {"gopher_quality": {"min_words": 40, "min_stop_words": 0}},
        "dedup": {},
        "on_changed": on_changed,
    }
    path.write_text(json.dumps(made))
    return path


def curate(made: Path, options: RunOptions) -> Result:
    return execute.execute(load.load_plan(str(made)), options, mapper=in_process(options.workers))


class Series:
    """The input folder, the output, and the book of what the output must hold. `work`: None for `.work`."""

    def __init__(self, folder: Path, chosen: random.Random, report: Report, kinds: Sequence[str] = KINDS) -> None:
        self.base, self.chosen, self.report, self.kinds = folder, chosen, report, kinds
        self.folder, self.out = Folder(folder / "in"), folder / "out"
        self.work: Path | None = None
        self.book = Book()
        self.on_changed = "ignore"
        self.strays: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.costs: list[float] = []
        self.saved = (Book(), set[str]())
        self.rows_read = self.wrong = 0
        self.forgot = False

    def fail(self, line: str) -> None:
        self.report.fail(f"night {len(self.costs) + 1}: {line}")

    def arrive(self, number: int, texts: Sequence[str | None]) -> None:
        """A new file of these rows."""
        self.folder.put(Version(f"{self.chosen.choice(SOURCES)}/{number:03d}.{self.chosen.choice(self.kinds)}", tuple(texts)))

    def plan(self) -> Path:
        there = {name.split("/")[0] for name in self.folder.there}
        sources = [(name, str(self.folder.root / name), place) for place, name in enumerate(SOURCES) if name in there]
        return plan(self.base / "plan.yaml", sources, on_changed=self.on_changed)

    def options(self, *, replace: bool = False, clean: bool = False) -> RunOptions:
        work = None if self.work is None else str(self.work)
        return RunOptions(output=str(self.out), work=work, workers=WORKERS, replace=replace, clean=clean)

    def night(self, *, replace: bool = False, clean: bool = False, begun: bool = False) -> None:
        """One run, which reads what is due, and is judged. `begun`: another process was killed at it, maybe behind its commit."""
        options, there = self.options(replace=replace, clean=clean), self.folder.there
        due = Due(tuple(there.values()), anew=True) if replace else self.book.due(there, self.on_changed)
        before = _spent()
        try:
            result = curate(self.plan(), options)
        except InputError as error:
            if not (due.anew and self.forgot and "its facts are not in the work directory" in str(error)):
                raise
            self.counts["anew refused: facts are gone"] += 1
            self.on_changed = "append"
            due = self.book.due(there, self.on_changed)
            result = curate(self.plan(), options)
        spent = _spent() - before
        self.forgot |= clean
        if due.versions:
            self.book.mark(due)
        expected = self.book.number if due.versions else None
        if result.generation != expected and not (begun and result.generation is None):
            self.fail(f"generation {result.generation} was made, and {expected} was due")
        self._check(due)
        self.costs.append(spent)

    def again(self) -> None:
        """The same command over the same files makes nothing, unless what it did not read before is due."""
        if not self.book.due(self.folder.there, self.on_changed).versions:
            made = curate(self.plan(), self.options())
            if made.generation is not None:
                self.fail(f"the same command made generation {made.generation}")

    def _check(self, due: Due) -> None:
        made = newest(self.out)
        rows = sum(len(version.texts) for version in due.versions)
        bad = sum(version.texts.count(None) for version in due.versions)
        totals = made["totals"]
        self.rows_read += rows
        if due.versions and (totals["read"], totals["quarantined"]) != (rows, bad):
            self.fail(f"{rows} rows, {bad} of them unreadable: totals {totals}")
        if totals["read"] != totals["kept"] + totals["dropped"] + totals["quarantined"]:
            self.fail(f"read is not kept + dropped + quarantined: {totals}")
        live = sorted({number for number, _ in self.book.arrived})
        if (made["generation"], made["live"]) != (self.book.number, live):
            self.fail(f"manifest {made['generation']} has live {made['live']}; the book has {self.book.number} and {live}")
        found = [row for row, _ in self.ledger()]
        expected = self.book.texts()
        lost, more = expected.keys() - set(found), len(found) - len(set(found)) + len(set(found) - expected.keys())
        if lost or more:
            self.wrong += len(lost) + more
            self.fail(f"{len(lost)} rows lost {sorted(lost)[:3]}, {more} rows too many")
        if missing := {name for name in self.strays if not (self.out / "manifests" / name).exists()}:
            self.fail(f"a run removed {sorted(missing)} from manifests/")
        if left := leftovers(self.out):
            self.fail(f"left behind: {left[:3]}")

    def ledger(self) -> list[tuple[Row, str]]:
        """Each row of the ledgers, and what became of it."""
        files = [path for _, path in shards(self.out, "ledger")]
        columns = ["generation", "source_ref", "verdict"]
        found = pl.read_parquet(files, columns=columns, glob=False)
        return list(zip(_rows(found), found["verdict"], strict=True))

    def kept(self) -> set[Row]:
        return {row for row, verdict in self.ledger() if verdict == "kept"}

    def documents(self) -> Iterator[tuple[Row, str]]:
        """Rows of data/, with their texts."""
        for generation, path in shards(self.out, "data"):
            found = pl.read_parquet(path, columns=["source_ref", "text"], glob=False)
            yield from zip(_rows(found.with_columns(generation=pl.lit(generation))), found["text"], strict=True)

    def take_down(self) -> None:
        """A document that is kept goes; what goes with it is like it."""
        before, texts = self.kept(), self.book.texts()
        row = self.chosen.choice(sorted(before))
        asked = {text for other, text in texts.items() if other[1:] == row[1:] and text is not None}
        work = str(self.work) if self.work is not None and (self.work / MARKER).exists() else None
        done = take_down(
            str(self.out),
            TakedownRequest(keys=(f"{row[1]}#{row[2]}",)),
            request=None, work=work, unlocked=False, dry_run=False, confirm=lambda _: True,
        )  # fmt: skip
        self.book.number += 1
        self.book.taken |= asked
        after = self.kept()
        if not done.done or row in after or not after <= before:
            self.fail(f"the take-down of {row}: done {done.done}, {len(before)} documents before, {len(after)} after it")
        for gone in before - after:
            if max(similarity(str(texts[gone]), text) for text in asked) < 0.8:
                self.fail(f"{gone} was taken down with {row}, and is not like it")

    def checkpoint(self) -> None:
        """Each kept row has its text, no text that was taken down is left, texts are distinct, and the doctor finds nothing."""
        texts, found = self.book.texts(), list(self.documents())
        if other := [row for row, text in found if texts.get(row) != text]:
            self.fail(f"{len(other)} documents have another text than their rows: {other[:3]}")
        if {row for row, _ in found} != self.kept() or len({text for _, text in found}) != len(found):
            self.fail(f"data/ holds {len(found)} rows of {len({t for _, t in found})} texts; the ledgers keep {len(self.kept())}")
        places = [path for folder in ("data", "rejected") for _, path in shards(self.out, folder)]
        places += (self.work or self.out / ".work").glob("documents/[!.]*.parquet")
        for path in (path for path in places if not path.name.endswith(".bad.parquet")):
            if self.book.taken.intersection(pl.read_parquet(path, columns=["text"], glob=False)["text"]):
                self.fail(f"{path.relative_to(self.base)} holds a text that was taken down")
        self._ask_doctor()

    def _ask_doctor(self) -> None:
        work = [] if self.work is None else ["--work", str(self.work)]
        with contextlib.redirect_stdout(io.StringIO()) as said:
            code = doctor.main([str(self.out), "--deep", "--json", *work])
        findings = json.loads(said.getvalue())["findings"]
        if code or (wrong := [f for f in findings if f["kind"] != "note" or f["what"] not in EXPECTED]):
            self.fail(f"doctor: status {code}, {wrong if not code else findings}")
        noted = {Path(f["path"]).name for f in findings if f["what"] == EXPECTED[0]}
        if noted != self.strays:
            self.fail(f"doctor names {sorted(noted)} in manifests/, where {sorted(self.strays)} lie")

    def against_one_run(self) -> None:
        """Law 4, row by row: one run over all that was read, into a copy of the output, which knows what was taken down."""
        sources = []
        names: dict[str, tuple[int, str]] = {}
        everything, full = self.base / "all", self.base / "full"
        for number, version in self.book.arrived:
            source, file = version.name.split("/")
            folder = f"{number:03d}-{source}"
            write(everything / folder / file, version.texts)
            if folder not in names:
                names[folder] = (number, source)
                priority = number * len(SOURCES) + SOURCES.index(source)
                sources.append((folder, str(everything / folder), priority))
        shutil.copytree(self.out, full, ignore=shutil.ignore_patterns(".work"))
        curate(plan(self.base / "all.yaml", sources, on_changed="ignore"), RunOptions(output=str(full), replace=True))
        ledger = pl.read_parquet([path for _, path in shards(full, "ledger")], glob=False)
        once = set()
        for _, path, row in _rows(ledger.filter(pl.col("verdict") == "kept")):
            number, source = names[path.split("/")[0]]
            once.add((number, f"{source}/{path.split('/')[1]}", row))
        grown = self.kept()
        if once != grown:
            self.report.fail(f"one run keeps {len(once - grown)} others, and not {len(grown - once)} that increments keep")
        reasons = ledger["reason"].drop_nulls().value_counts(sort=True).rows()
        self.report.say("dropped: " + ", ".join(f"{count} {reason}" for reason, count in reasons))
        self.report.say(f"{len(grown)} documents kept, row by row those of one run over all {len(self.book.texts())} rows")
        shutil.rmtree(full)
        shutil.rmtree(everything)


def shards(out: Path, folder: str) -> list[tuple[int, Path]]:
    """Files of a folder that live generations name, each with its generation."""
    found = []
    for number in newest(out)["live"]:
        made = json.loads((out / f"manifests/{number:06d}.json").read_text())
        found += [(number, out / record["path"]) for record in made["files"] if record["path"].startswith(f"{folder}/")]
    return found


def similarity(one: str, other: str) -> float:
    """Of two texts, as design.md has it."""
    a, b = ({tuple(words[k : k + 5]) for k in range(len(words) - 4)} for words in map(_words, (one, other)))
    return float(one == other) if not a | b else len(a & b) / len(a | b)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _rows(table: pl.DataFrame) -> list[Row]:
    refs = table["source_ref"].str.split_exact("#", 1).struct.unnest()
    return list(zip(table["generation"], refs["field_0"], refs["field_1"].cast(pl.Int64), strict=True))


def _spent() -> float:
    """CPU seconds of this process, and of children that ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)
