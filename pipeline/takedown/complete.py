"""What follows the commit of a take-down: what was replaced goes at once, and everything that is made from it is made anew.

May be done again at any time, and is: by the next command of any kind, where a kill fell in between. Invariant: as long as the
newest manifest has something pending, this is not done; every step says the same when it is repeated.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

from pipeline import manifest, publish, tombstones
from pipeline.errors import OutputLocked
from pipeline.manifest import Manifest, Takedown
from pipeline.store import Store, open_output, open_store
from pipeline.takedown import clean

LOCK = ".lock"
RECEIPTS = "takedowns"


def settle(out: Store) -> None:
    """Complete what a killed take-down left, if there is something and no run holds the output."""
    manifests = manifest.load_all(out)
    if not _unsettled(out, manifests):
        return
    try:
        with ExitStack() as held:
            out = held.enter_context(out.lock(LOCK))
            manifests = manifest.load_all(out)
            taken = manifests[-1].takedown if manifests else None
            work = None if taken is None else _work_of(out, taken)
            if work is not None:
                work = held.enter_context(work.lock(LOCK))
            complete(out, manifests, work=work)
    except OutputLocked:
        return


def settle_folder(folder: str) -> None:
    """`settle` for an output that may not be there."""
    settle(open_output(folder, create=False))


def _unsettled(out: Store, manifests: list[Manifest]) -> bool:
    newest = manifests[-1] if manifests else None
    if newest is not None and newest.takedown is not None and newest.takedown.pending:
        return True
    committed = manifest.takedowns(manifests)
    if [n for n in tombstones.numbers(out) if n not in committed] or manifest.orphans(out, manifests, of_takedowns=True):
        return True
    if newest is None or newest.takedown is None:
        return False
    return not out.has("manifest.json") or out.read_bytes("manifest.json") != manifest.encode(newest)


def complete(out: Store, manifests: list[Manifest], *, work: Store | None = None) -> dict[str, int] | None:
    """Do what is not done yet; `manifests` are replaced in place by what they say afterwards. The output must be held.

    Returns what was cleaned of the work directory; None where there is none, or nothing was pending.
    """
    committed = manifest.takedowns(manifests)
    for number in tombstones.numbers(out):
        if number not in committed:
            out.remove(tombstones.name(number))
    if left := manifest.orphans(out, manifests, of_takedowns=True):
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
            out.write_bytes(manifest.name(made.generation), manifest.encode(made), durable=True)
        for folder in ("", "manifests", "index", *manifest.FOLDERS):
            out.sweep(folder)
        manifest.remove_orphans(out, manifests)
        stones = tombstones.load(out, committed)
        assert stones is not None
        where = work or _work_of(out, newest.takedown)
        cleaned = None if where is None else clean.clean(where, stones)
        receipt = {**newest.takedown.receipt, "work": "not there: nothing to clean" if cleaned is None else cleaned}
        out.private(RECEIPTS)
        out.write_bytes(receipt_name(newest.generation), _encoded(receipt), durable=True)
        done = newest.takedown.model_copy(update={"pending": (), "work": None, "receipt": receipt})
        manifests[-1] = newest.model_copy(update={"takedown": done})
        out.write_bytes(manifest.name(newest.generation), manifest.encode(manifests[-1]), durable=True)
    out.sweep("")
    publish.repair(out, manifests)
    return cleaned


def receipt_name(number: int) -> str:
    return f"{RECEIPTS}/{number:06d}.json"


def _encoded(receipt: dict[str, Any]) -> bytes:
    return json.dumps(receipt, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _work_of(out: Store, made: Takedown) -> Store | None:
    """The work directory, if it is there: no command makes one for this."""
    store = open_store(made.work or out.path(".work"), create=False)
    return store if store.has(".winnow-work") else None
