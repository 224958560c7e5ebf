"""Everything in an output and its work directory that can be checked, against what the manifests say.

Invariant: nothing is changed. What a run or a reader refuses is `damaged`; what the next run makes again by itself, or `--repair`
now, is `mendable`; all else that is to be told is a `note`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pipeline.errors import WinnowError
from pipeline.output import inventory, manifest, numbering, replaced, reviews, tombstones
from pipeline.output import work as work_
from pipeline.output.faults import Fault
from pipeline.output.folders import MARKER, RECEIPTS
from pipeline.output.manifest import Manifest, Manifests
from pipeline.records.base import FileRecord
from pipeline.records.receipt import Receipt
from pipeline.records.samples import Samples
from pipeline.report import publish
from pipeline.store.hashing import has_content
from pipeline.store.store import Store

Kind = Literal["damaged", "mendable", "note"]
STAYS = "the next run removes it, or a later one, as output.keep_replaced says"
KILLED = ("no live generation names it: a run was killed, or replaced it", "the next run removes it")
MEND = "the next run makes it again, or `--repair` now"


@dataclass(frozen=True)
class Finding:
    """A file, by its path in the output, what is to be said of it, and what to do."""

    kind: Kind
    path: str
    what: str
    todo: str


@dataclass(frozen=True)
class Examination:
    """`manifests`: those that can be read; `files`, `n_bytes`: live shards and parts of the index that are whole, by their
    length, or with `deep` by their content."""

    root: str
    manifests: tuple[Manifest, ...]
    files: int
    n_bytes: int
    deep: bool
    findings: tuple[Finding, ...]

    @property
    def damaged(self) -> bool:
        return any(finding.kind == "damaged" for finding in self.findings)


def examine(out: Store, work: Store, *, deep: bool = False) -> Examination:
    """Look at everything; once more where a run has committed meanwhile. `deep`: files are read, and their sha256 compared."""
    while True:
        read = manifest.read_all(out)
        found = _examined(out, work, read, deep=deep)
        if not found.damaged or manifest.read_all(out) == read:
            return found


def _examined(out: Store, work: Store, read: Manifests, *, deep: bool) -> Examination:
    listed = inventory.take(out, read.found)
    findings = [_damaged(fault) for fault in read.faults]
    findings += [_damaged(fault) for fault in listed.of_takedowns()]
    findings += [] if read.faults else [_damaged(fault) for fault in listed.unknown()]
    live = [record for made in manifest.live(list(read.found)) for record in (*made.files, *made.index)]
    taken = [one.takedown.tombstones for one in read.found if one.takedown and one.takedown.tombstones]
    whole: list[FileRecord] = []
    for record in live:
        faults = list(listed.of_record(record, inventory.ANEW)) or list(_changed(out, record, inventory.ANEW, deep=deep))
        findings += [_damaged(fault) for fault in faults]
        whole += [] if faults else [record]
    for record in taken:
        findings += [_damaged(fault) for fault in _changed(out, record, inventory.TOMBSTONES, deep=deep)]
    if not read.faults:
        known = {finding.path for finding in findings}
        findings += [finding for finding in _of_readers(out, read.found) if finding.path not in known]
    findings += [
        Finding("note", f"{numbering.MANIFESTS}/{file}", "is no manifest by its name", "move it") for file in read.strays
    ]
    findings += _of_work(out, work, work_.id_of(out, read.found))
    return Examination(out.root, read.found, len(whole), sum(r.bytes for r in whole), deep, tuple(dict.fromkeys(findings)))


def _damaged(fault: Fault) -> Finding:
    return Finding("damaged", fault.path, fault.what, fault.todo)


def _changed(out: Store, record: FileRecord, todo: str, *, deep: bool) -> Iterator[Fault]:
    if deep and out.has(record.path) and not has_content(out, record.path, record.sha256):
        yield Fault(record.path, "its sha256 is not the one in its manifest", todo)


def _of_readers(out: Store, manifests: tuple[Manifest, ...]) -> Iterator[Finding]:
    """Files that are made from the manifests or beside them, and what killed runs left."""
    if manifests:
        yield from _of_newest(out, manifests[-1])
    for made in manifest.live(list(manifests)):
        path = manifest.samples(made.generation)
        yield from _tried(out, path, partial(_read, out, path, Samples), kind="mendable")
    for number in manifest.takedowns(list(manifests)):
        path = f"{RECEIPTS}/{number:06d}.json"
        yield from _tried(out, path, partial(_read, out, path, Receipt), kind="note")
        yield from _tried(out, tombstones.name(number), partial(out.read_table, tombstones.name(number)), kind="damaged")
    given = {record.path for made in manifests for record in made.files}
    for path in manifest.orphans(out, list(manifests)):
        if path.startswith(replaced.READ) and path in given:
            yield Finding("note", path, "was replaced, and stays for readers that opened it", STAYS)
        else:
            yield Finding("note", path, *KILLED)
    for path in tombstones.uncommitted(out, manifest.next_number(manifests)):
        yield Finding("note", path, *KILLED)


def _of_newest(out: Store, newest: Manifest) -> Iterator[Finding]:
    """Files that are made from the newest manifest, and what is written beside them."""
    if newest.takedown is not None and newest.takedown.pending:
        yield Finding("mendable", numbering.name(newest.generation), "a take-down was killed before it was done", MEND)
    if not publish.is_current(out, newest):
        yield Finding("mendable", numbering.COPY, "is not the newest manifest, or a file that is made from it is missing", MEND)
    yield from _tried(out, numbering.METRICS, partial(publish.metrics_of, out), kind="mendable")
    yield from _tried(out, publish.SAVINGS, partial(publish.savings_of, out), kind="damaged")
    yield from _tried(out, reviews.FILE, partial(reviews.labels, out), kind="damaged")


def _read(out: Store, path: str, kind: type[Samples] | type[Receipt]) -> object:
    return kind.model_validate(out.read_json(path))


def _tried(out: Store, path: str, check: Callable[[], object], *, kind: Kind) -> Iterator[Finding]:
    """What a reader of the file says of it; nothing where it is not there, which was told already or is no matter."""
    try:
        check()
    except FileNotFoundError:
        return
    except (WinnowError, ValueError) as error:
        what = str(error).removeprefix(f"{out.path(path)}: ").splitlines()[0]
        todo = MEND if kind == "mendable" else "restore it from a copy of the output, or remove it"
        yield Finding(kind, path, what, todo)


def _of_work(out: Store, work: Store, identity: str) -> Iterator[Finding]:
    if not work.entries(""):
        yield Finding("note", work.root, "there is no work directory", "the next run makes one; what is lost is time")
    elif not work.has(MARKER):
        yield Finding("note", work.root, f"is no work directory of Winnow ({MARKER} is missing)", "name another with --work")
    elif not work_.belongs(work, out, identity):
        yield Finding("note", work.root, "belongs to another output", "name another with --work")
