"""What follows the commit of a take-down: what was replaced goes at once, and everything that is made from it is made anew.

May be done again at any time, and is: by the next command of any kind, where a kill fell in between. Invariant: as long as the
newest manifest has something pending, this is not done; every step says the same when it is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pipeline.errors import OutputError, OutputLocked
from pipeline.output import inventory, manifest, numbering, tombstones
from pipeline.output import work as work_
from pipeline.output.folders import LOCK, MARKER, RECEIPTS
from pipeline.output.manifest import Manifest, Takedown
from pipeline.output.tombstones import Tombstones
from pipeline.report import publish
from pipeline.store.store import Store, open_output, open_store
from pipeline.takedown import clean


def settle(folder: str) -> list[str]:
    """Complete what a killed take-down left of an output that may not be there, if there is something to complete.

    Where it cannot be (a run holds the output, nothing may be written here), readers go on: the manifests name what is right.
    Returns what to tell the user of that, and of files that are no manifests. Raises Damaged before anything is removed.
    """
    out = open_output(folder, create=False)
    told, manifests = noted(out)
    if not _unsettled(out, manifests):
        return told
    try:
        with ExitStack() as held:
            out = held.enter_context(out.writable().lock(LOCK))
            complete(out, inventory.load_whole(out))
    except OutputLocked:
        pass  # the run that holds it completes it, or has
    except (OutputError, OSError) as error:
        told.append(
            f"{out.root}: an earlier take-down was killed and could not be completed now ({error}); what it replaced is still"
            " there: run `winnow inspect takedown` again where the output can be written"
        )
    return told


def noted(out: Store) -> tuple[list[str], list[Manifest]]:
    """The manifests, and what to tell the user of files beside them. Raises Damaged."""
    read = manifest.read_whole(out)
    return inventory.notes(out, read.strays), list(read.found)


def _unsettled(out: Store, manifests: list[Manifest]) -> bool:
    newest = manifests[-1] if manifests else None
    if newest is not None and newest.takedown is not None and newest.takedown.pending:
        return True
    left = tombstones.uncommitted(out, manifest.next_number(manifests))
    if left or manifest.orphans(out, manifests, of_takedowns=True):
        return True
    if newest is None or newest.takedown is None:
        return False
    return not out.has("manifest.json") or out.read_bytes("manifest.json") != manifest.encode(newest)


def complete(out: Store, manifests: list[Manifest], *, work: Store | None = None, orphans: bool = True) -> dict[str, int] | None:
    """Do what is not done yet; `manifests` are replaced in place by what they say afterwards. The output must be held.

    `work`: a work directory that is held. Another one, which the take-down names, is held meanwhile: OutputLocked if a run
    uses it. `orphans`: remove files that no commit names; who removes all orphans anyway need not have them listed twice. Returns
    what was cleaned of the work directory; None where there is none, or nothing was pending.
    """
    committed = manifest.takedowns(manifests)
    for path in tombstones.uncommitted(out, manifest.next_number(manifests)):
        out.remove(path)
    if orphans and (left := manifest.orphans(out, manifests, of_takedowns=True)):
        for folder in manifest.FOLDERS:
            out.sweep(folder)
        for path in left:
            out.remove(path)
    newest = manifests[-1] if manifests else None
    if newest is None or newest.takedown is None:
        return None
    cleaned = None
    if newest.takedown.pending:
        for made in newest.takedown.pending:
            out.write_bytes(numbering.name(made.generation), manifest.encode(made), durable=True)
        for folder in ("", "manifests", "index", tombstones.FOLDER, RECEIPTS, *manifest.FOLDERS):
            out.sweep(folder)
        manifest.remove_orphans(out, manifests)
        known = tombstones.load_tombstones(out, committed)
        assert known is not None
        cleaned = _cleaned(out, newest, known, held=work)
        said = "not there: nothing to clean" if cleaned is None else cleaned
        receipt = newest.takedown.receipt.model_copy(update={"work": said})
        out.private(RECEIPTS)
        out.write_bytes(receipt_name(newest.generation), manifest.encode(receipt), durable=True)
        done = newest.takedown.model_copy(update={"pending": (), "work": None, "receipt": receipt})
        manifests[-1] = newest.model_copy(update={"takedown": done})
        out.write_bytes(numbering.name(newest.generation), manifest.encode(manifests[-1]), durable=True)
    out.sweep("")
    publish.repair(out, manifests)
    return cleaned


def _cleaned(out: Store, newest: Manifest, known: Tombstones, *, held: Store | None) -> dict[str, int] | None:
    """Clean the work directory that the take-down names; what another one holds goes when a run opens that."""
    assert newest.takedown is not None
    where = _work_of(out, newest.takedown, work_.id_of(out, [newest]))
    if where is None or (held is not None and held.root == where.root):
        return None if where is None else clean.clean(held or where, known)
    with held_work(where, unlocked=not out.conditional) as where:
        return clean.clean(where, known)


@contextmanager
def held_work(work: Store, *, unlocked: bool) -> Iterator[Store]:
    """A work directory that no run and no measurement uses meanwhile. Raises OutputLocked where one does."""
    with ExitStack() as held:
        work = held.enter_context(work.writable(unlocked=unlocked).lock(LOCK))
        if work.entries("savings"):
            held.enter_context(work.lock("savings/.lock"))
        yield work


def receipt_name(number: int) -> str:
    return f"{RECEIPTS}/{number:06d}.json"


def _work_of(out: Store, made: Takedown, made_by: str) -> Store | None:
    """The work directory of the output with this id, if it is there: no command makes one for this."""
    store = open_store(made.work or out.path(".work"), create=False)
    return store if store.has(MARKER) and work_.belongs(store, out, made_by) else None
