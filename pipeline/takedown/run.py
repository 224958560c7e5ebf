"""A take-down from the request to the receipt. Order: new files, tombstones, the manifest (THE COMMIT), then `complete`.

A kill before the commit leaves the output as it was, and files that the next command removes; after it, the next command does the
rest. The output and its work directory are held meanwhile.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b, sha256
from uuid import uuid4

from pipeline.errors import InputError
from pipeline.output import inventory, manifest, tombstones
from pipeline.output import work as work_
from pipeline.output.folders import LOCK, MARKER, RECEIPTS
from pipeline.output.manifest import Manifest, Takedown
from pipeline.output.tombstones import Tombstones
from pipeline.plan import recipe
from pipeline.plan.load import refuse_untrusted, validate
from pipeline.records.base import FileRecord
from pipeline.records.receipt import Inputs, Receipt, Replaced, StillThere, TakenDocument
from pipeline.report import publish
from pipeline.report.table import Part, Said, table
from pipeline.store.store import Store, open_output, open_store
from pipeline.takedown import exports, recount, rewrite
from pipeline.takedown.complete import complete, held_work, receipt_name
from pipeline.takedown.find import Found, Place, TakedownRequest, find_documents, host_of
from pipeline.text import numbers

SHOWN = 20
_ROLES = {"asked": "asked for", "copy": "like them", "survivor": "kept in place of one asked for"}


@dataclass(frozen=True)
class Outcome:
    """`receipt`: what was done, or would be; `done`: whether this command did it."""

    receipt: Receipt
    done: bool
    note: str


def take_down(
    folder: str,
    asked: TakedownRequest,
    *,
    request: str | None,
    work: str | None,
    unlocked: bool,
    dry_run: bool,
    trust: bool = False,
    confirm: Callable[[Receipt], bool],
) -> Outcome:
    """Take down what is asked for. Raises InputError where there is nothing, OutputLocked where a run goes on.

    `confirm` gets what would be done, and says whether to. `trust`: the plugins of its plans may be imported, models fetched.
    """
    with _held(folder, work, unlocked=unlocked) as (out, store):
        manifests = inventory.load_whole(out)
        complete(out, manifests, work=store)
        if not dry_run:
            manifest.remove_orphans(out, manifests)  # replaced shards may hold what is asked for
        live = manifest.live(manifests)
        for generation in () if trust else live:
            refuse_untrusted(generation.plan, where=out.root)
        key = out.read_bytes(tombstones.KEY) if out.has(tombstones.KEY) else b""
        before = tombstones.load_tombstones(out, manifest.takedowns(manifests))
        resolved = recipe.resolve(validate(live[-1].plan, where=out.root))
        parameters = tombstones.parameters_of(resolved.plan.dedup)
        place = Place(out, store, tuple(live), resolved, tombstones.of_tables(key or bytes(tombstones.KEY_BYTES), []), parameters)
        found = find_documents(place, asked)
        if not found.rows:
            return _nothing(manifests, found, asked, before=before, key=key)
        made = _receipt(manifests, found, asked, request=request, place=place)
        if dry_run or not confirm(made):
            return Outcome(made, False, "nothing was changed")
        key = tombstones.key_for(out)
        receipt = _carry_out(
            replace(place, tombstones=tombstones.of_tables(key, [])), manifests, found, asked=asked, receipt=made
        )
        return Outcome(receipt, True, f"receipt: {out.path(receipt_name(receipt.manifest))}")


@contextmanager
def _held(folder: str, work: str | None, *, unlocked: bool) -> Iterator[tuple[Store, Store | None]]:
    out = open_output(folder, create=False)
    if not out.names("manifests"):
        raise InputError(f"{folder}: no output of `winnow curate` (no manifests); name the folder of one")
    named = open_store(work or out.path(".work"), create=False)
    store = named if named.has(MARKER) else None
    if store is not None:
        work_.refuse_other(store, out, work_.id_of(out, manifest.load_all(out)))
    if store is None and work is not None:
        raise InputError(f"{work}: no work directory of Winnow; leave --work out if there is none any more")
    with ExitStack() as held:
        out = held.enter_context(out.writable(unlocked=unlocked).lock(LOCK))
        if store is not None:
            store = held.enter_context(held_work(store, unlocked=unlocked))
        yield out, store


def selection_of(asked: TakedownRequest, key: bytes) -> str:
    """Names a request without telling what it asked for."""
    said = [sorted(asked.keys), None if asked.domain is None else host_of(asked.domain), asked.like]
    data = json.dumps(said, ensure_ascii=True).encode()
    return blake2b(data, key=key, digest_size=16, person=b"selection").hexdigest()


def _nothing(
    manifests: Sequence[Manifest], found: Found, asked: TakedownRequest, *, before: Tombstones | None, key: bytes
) -> Outcome:
    """The receipt of the request that took it down; InputError where there is none."""
    made = [m.takedown for m in manifests if m.takedown is not None]
    same = [done for done in made if key and done.selection == selection_of(asked, key)]
    known = before is not None and any(before.knows(text) for text in found.like)
    if made and (same or found.already or known):
        earlier = (same or made)[-1]
        which = f"by request {earlier.request}" if same else "by an earlier request"
        return Outcome(earlier.receipt, False, f"taken down before, {which}; nothing was changed")
    what = "these keys" if asked.keys else f"the domain {asked.domain}" if asked.domain is not None else "this text"
    raise InputError(
        f"takedown: nothing in the output is of {what}. Keys are ids or source_refs as ledger/ has them, a domain is that of url;"
        " text is compared as a whole (a passage is not similar to its document): search data/ for it and give the id"
    )


def _receipt(
    manifests: Sequence[Manifest], found: Found, asked: TakedownRequest, *, request: str | None, place: Place
) -> Receipt:
    """The receipt as far as it is known before anything is done."""
    lines = sorted(found.rows.values(), key=lambda gone: (gone.role, *gone.row))
    documents = tuple(
        TakenDocument(
            generation=gone.line["generation"],
            source_ref=gone.line["source_ref"],
            id=gone.line["id"],
            was=gone.line["verdict"] + (f": {gone.line['reason']}" if gone.line["reason"] else ""),
            role=gone.role,
        )
        for gone in lines
    )
    missing = []
    if place.work is None:
        missing.append(
            "no work directory was found: if one lies elsewhere, name it with --work; a run that opens it cleans it first"
        )
    for generation, ref in sorted(found.without_text):
        missing.append(
            f"{ref} (generation {generation}): its text is nowhere in output or work directory, so that no tombstone knows it"
        )
    missing += [f"no row of the output has the id or source_ref {key}" for key in found.unknown]
    by_file: dict[str, set[int]] = {}
    for gone in lines:
        path, _, row = gone.line["source_ref"].rpartition("#")
        by_file.setdefault(path, set()).add(int(row))
    what = "keys" if asked.keys else f"domain {host_of(asked.domain)}" if asked.domain is not None else "text"
    return Receipt(
        request=request or uuid4().hex[:12],
        date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        asked_by=what,
        before=manifests[-1].generation,
        manifest=manifest.next_number(manifests),
        counts=dict(sorted(Counter(line.role for line in documents).items())),
        documents=documents,
        files=(),
        work=None,
        exports=(),
        not_reached=tuple(missing),
        inputs=Inputs(
            note="the source files are yours and still hold the text; a run that reads them again drops it as taken_down",
            files=tuple(StillThere(path=path, rows=tuple(sorted(rows))) for path, rows in sorted(by_file.items())),
        ),
    )


def _carry_out(place: Place, manifests: list[Manifest], found: Found, *, asked: TakedownRequest, receipt: Receipt) -> Receipt:
    out, number = place.out, receipt.manifest
    publish.repair(out, manifests)  # the copy of the newest manifest says that tombstones behind it are of no commit yet
    table = place.tombstones.table(found.contents(), place.parameters)
    committed = manifest.takedowns(manifests)
    tables = [out.read_table(tombstones.name(n)) for n in committed]
    known = tombstones.of_tables(place.tombstones.key, [*tables, table])
    new = tombstones.of_tables(place.tombstones.key, [table])
    rows = set(found.rows)
    refs = {ref for _, ref in rows}
    numbers = rewrite.index_numbers(out, place.live, rows)
    after: list[Manifest] = []
    replaced: list[tuple[FileRecord, FileRecord]] = []
    generations = {made.generation for made in place.live}
    for made in manifests:
        if made.generation in generations:
            files = rewrite.generation(out, made, rows, tombstones=known, numbers=numbers, number=number)
            replaced += files.replaced
            after.append(recount.manifest(out, made, files, recipe=place.recipe, refs=refs, number=number))
        else:
            after.append(made.model_copy(update={"metrics": recount.without(made.metrics, refs)}))
    receipt = receipt.model_copy(update={"files": _told(replaced), "exports": tuple(exports.holding(out, new))})
    pending = tuple(b for a, b in zip(manifests, after, strict=True) if a != b)
    last = next(made for made in reversed(after) if made.generation == place.live[-1].generation)
    encoded = tombstones.encode(table)
    path = tombstones.name(number)
    taken = Takedown(
        request=receipt.request,
        selection=selection_of(asked, place.tombstones.key),
        receipt=receipt,
        work=None if place.work is None else place.work.root,
        pending=pending or (last,),
        tombstones=FileRecord(path=path, rows=len(table), bytes=len(encoded), sha256=sha256(encoded).hexdigest()),
        key=tombstones.fingerprint(place.tombstones.key),
    )
    nothing: dict[str, object] = dict.fromkeys(("files", "index", "inputs", "annotation_inputs", "replaced"), ())
    live = tuple(made.generation for made in place.live)
    made = last.model_copy(update={**nothing, "content_sha256": {}, "generation": number, "live": live, "takedown": taken})
    settled = made.model_copy(update={"takedown": taken.model_copy(update={"pending": ()})})
    publish.rendered(out, [*after, settled])  # what cannot be shown is never published
    out.private(RECEIPTS)
    out.write_bytes(path, encoded, durable=True)
    manifest.commit(out, made.generation, manifest.encode(made))
    manifests = [*after, made]
    complete(out, manifests, work=place.work)
    assert manifests[-1].takedown is not None
    return manifests[-1].takedown.receipt


def _told(replaced: Sequence[tuple[FileRecord, FileRecord]]) -> tuple[Replaced, ...]:
    """Old files and new ones, as the receipt names them."""
    return tuple(Replaced(path=a.path, replaced_by=b.path, rows_before=a.rows, rows_after=b.rows) for a, b in replaced)


def receipt_text(outcome: Outcome) -> Said:
    """The receipt as a person reads it."""
    made = outcome.receipt
    counts = ", ".join(f"{numbers.count(n)} {_ROLES[role]}" for role, n in made.counts.items())
    done = "taken down" if outcome.done or made.files else "would be taken down"
    total = len(made.documents)
    said: list[Part] = [f"request {made.request}: {numbers.counted(total, 'document')} {done} ({counts})"]
    documents = [(f"  {line.role}", line.source_ref, str(line.generation), line.id, line.was) for line in made.documents[:SHOWN]]
    said.append(table(("  role", "source_ref", ">generation", "id", "was"), documents))
    if len(made.documents) > SHOWN:
        said.append(f"  and {numbers.count(len(made.documents) - SHOWN)} more")
    if made.files:
        said.append(f"manifest {made.before} → {made.manifest}")
        rows = [(f"  {f.path}", f.replaced_by, numbers.count(f.rows_before), numbers.count(f.rows_after)) for f in made.files]
        said.append(table(("  file", "replaced by", ">rows before", ">after"), rows))
    if isinstance(made.work, dict):
        said.append(f"work directory: {made.work['rewritten']} tables rewritten, {made.work['removed']} removed")
    said += [f"an export holds it: {line}" for line in made.exports]
    said += [f"not reached: {line}" for line in made.not_reached]
    said.append(made.inputs.note + ":")
    for one in made.inputs.files[:SHOWN]:
        rows_there = ", ".join(map(numbers.count, one.rows[:10])) + (" …" if len(one.rows) > 10 else "")
        said.append(f"  {one.path}, {'row' if len(one.rows) == 1 else 'rows'} {rows_there}")
    if len(made.inputs.files) > SHOWN:
        said.append(f"  and {numbers.counted(len(made.inputs.files) - SHOWN, 'more file', 'more files')}")
    return [*said, outcome.note]
