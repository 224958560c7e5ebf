"""A lost manifest, made from the shards and the ledger of its generation, and what other manifests say of the output.

What the rows do not say stays empty, and the manifest's notes say so: histograms of signals, models, checks, costs. Invariants:
every shard that the names promise is there, the ledger's rows are those of data/, rejected/ and quarantine/, and the index holds
as many documents as dedup kept; else nothing is made. Of what was replaced or taken down, only the number has to be there again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.doctor import shards
from pipeline.doctor.repair import set_aside
from pipeline.errors import Damaged
from pipeline.output import manifest, numbering, tombstones
from pipeline.output.faults import RESTORE
from pipeline.output.folders import RECEIPTS
from pipeline.output.manifest import Manifest, Takedown
from pipeline.plan import recipe as recipes
from pipeline.plan.load import of_output
from pipeline.plan.recipe import Recipe
from pipeline.records.base import FileRecord, Totals
from pipeline.records.counts import Search
from pipeline.records.metrics_json import Cost, RunMetrics
from pipeline.records.receipt import Receipt
from pipeline.records.selection import NothingFitted
from pipeline.report import publish
from pipeline.report.metrics import collect
from pipeline.report.metrics.collect import About
from pipeline.store.store import Store
from pipeline.takedown import recount

_NOTE = (
    "this manifest was lost and made again from the shards and the ledger: histograms of signals, models, checks, changes, damage"
    " and costs of the run are not known any more"
)
_NO_COST = Cost(
    wall_s=0, cpu_s=0, lost_cpu_s=0, exact=False, workers=0, peak_memory_bytes=0, work_bytes=0, stages=(), mb_per_cpu_s=0,
    output_bytes=0,
)  # fmt: skip


@dataclass(frozen=True)
class _Place:
    """A manifest's place among those that are left: the one before it and the one behind it, where they are there."""

    out: Store
    number: int
    before: Manifest | None
    behind: Manifest | None
    found: tuple[Manifest, ...]
    trusted: bool

    @property
    def newest(self) -> Manifest:
        return self.found[-1]

    @property
    def beside(self) -> Manifest:
        """One of the same recipe."""
        return self.behind or self.before or self.newest


def rebuild(out: Store, *, trusted: bool) -> Iterator[str]:
    """Make every manifest again that is not there, or cannot be read, newest first; says which. `trusted`: the plan's plugins may
    be imported. The output must be held. Raises Damaged where one cannot be."""
    for number in reversed(_lost(out)):
        read = manifest.read_all(out)
        by_number = {made.generation: made for made in read.found}
        if not by_number:
            raise Damaged(f"{out.root}: no manifest is left that says the recipe; restore manifests/ from a copy of the output")
        place = _Place(out, number, by_number.get(number - 1), by_number.get(number + 1), read.found, trusted)
        made, how = _made(place)
        set_aside(out, numbering.name(number))
        out.create(numbering.name(number), manifest.encode(made))
        yield f"{numbering.name(number)} was made again: {how}"


def _lost(out: Store) -> list[int]:
    """Numbers of manifests that something is wrong with."""
    files = {fault.path.rpartition("/")[2] for fault in manifest.read_all(out).faults}
    return sorted(number for file in files if (number := numbering.number_of(file)) is not None)


def _made(place: _Place) -> tuple[Manifest, str]:
    """The manifest, and what it was made from."""
    out, number = place.out, place.number
    receipt = f"{RECEIPTS}/{number:06d}.json"
    if out.has(tombstones.name(number)) or out.has(receipt):
        return _takedown(place, receipt), f"a take-down, from its tombstones and {receipt}"
    if number in place.newest.live or number > place.newest.generation:
        return _generation(place), f"generation {number}, from its shards and its ledger"
    behind = place.behind
    if behind is None or not (number in behind.live or behind.live == (behind.generation,)):
        raise _cannot(place, "it was a take-down, and neither its tombstones nor its receipt are there")
    return _empty(behind, number), f"of generation {number}, which was replaced, the number alone"


def _cannot(place: _Place, why: str) -> Damaged:
    return Damaged(f"{place.out.path(numbering.name(place.number))}: cannot be made again: {why}; {RESTORE}")


def _empty(beside: Manifest, number: int) -> Manifest:
    """A manifest of the same recipe that adds nothing."""
    nothing: dict[str, object] = dict.fromkeys(("files", "index", "inputs", "annotation_inputs", "replaced"), ())
    none = Totals(**dict.fromkeys(Totals.model_fields, 0))
    metrics = beside.metrics.model_copy(
        update={"generation": number, "live": (number,), "totals": none, "files": (), "changes": None, "notes": (_NOTE,)}
    )
    update = {**nothing, "generation": number, "live": (number,), "takedown": None, "content_sha256": {}, "totals": none}
    return beside.model_copy(update={**update, "metrics": metrics, "failed_checks": (), "accepted": False})


def _takedown(place: _Place, receipt: str) -> Manifest:
    """Of a take-down that was done: its files are in the other manifests."""
    out, number = place.out, place.number
    if not out.has(receipt) or not out.has(tombstones.name(number)):
        raise _cannot(place, f"{receipt} and {tombstones.name(number)} are needed")
    found = list(place.found)
    left = manifest.orphans(out, found, of_takedowns=True)
    if any((manifest.written_by(path) or (0, 0))[1] == number for path in left):
        raise _cannot(place, "it was not done yet, and what it would have named is nowhere else")
    table = out.read_table(tombstones.name(number))
    key = tombstones.fingerprint(out.read_bytes(tombstones.KEY))
    record = shards.record(out, tombstones.name(number), rows=len(table))
    said = Receipt.model_validate(out.read_json(receipt))
    taken = Takedown(request=said.request, selection="", receipt=said, tombstones=record, key=key)
    if place.before is None and place.newest.generation < number:
        raise _cannot(place, f"only {numbering.name(number - 1)} says which generations were live then")
    live = tuple(n for n in (place.before or place.newest).live if n < number)
    last = next((made for made in reversed(found) if made.generation in live), place.newest)
    update = {"live": live, "takedown": taken, "metrics": last.metrics, "totals": last.totals}
    return _empty(last, number).model_copy(update=update)


def _generation(place: _Place) -> Manifest:
    """Of a generation that is live, or was when the next one was published."""
    out, number, beside = place.out, place.number, place.beside
    resolved = recipes.resolve(of_output(beside.plan, where=out.root, trusted=place.trusted))
    if not isinstance(beside.selection, NothingFitted):
        raise _cannot(place, "the plan selects, and the cuts that it fitted are nowhere else")
    found = shards.shards_of(out, number, beside, plan=resolved.plan)
    if found.fault:
        raise _cannot(place, found.fault)
    live = _live(place, found.index)
    metrics = _metrics(place, resolved, found.files, live=live)
    return beside.model_copy(
        update={
            "generation": number,
            "live": live,
            "inputs": found.inputs,
            "annotation_inputs": beside.annotation_inputs,
            "replaced": (),
            "files": found.files,
            "index": found.index,
            "content_sha256": found.content_sha256,
            "totals": metrics.totals,
            "failed_checks": (),
            "accepted": False,
            "metrics": metrics,
            "takedown": None,
        }
    )


def _live(place: _Place, index: Sequence[FileRecord]) -> tuple[int, ...]:
    """The generations that were live from here on. `index`: the parts of this one, whose first document has a number behind those
    of all others, unless it replaced them."""
    if place.behind is not None:
        return tuple(n for n in place.behind.live if n <= place.number)
    told = publish.metrics_of(place.out) if place.out.has(numbering.METRICS) else None
    if told is not None and told.generation == place.number:
        return told.live
    earlier = place.before.live if place.before else ()
    if place.number == 1:
        return (1,)
    parts = [record for made in place.found if made.generation in earlier for record in made.index]
    texts = next((record.path for record in index if record.path.startswith("index/texts")), None)
    if texts is None or not any(record.rows for record in parts if record.path.startswith("index/documents")):
        raise _cannot(place, f"nothing says whether it replaced the generations before it ({numbering.METRICS} is of another)")
    return (*earlier, place.number) if int(place.out.metadata(texts)["first"]) else (place.number,)


def _metrics(place: _Place, recipe: Recipe, files: Sequence[FileRecord], *, live: tuple[int, ...]) -> RunMetrics:
    """As metrics.json has them, where it is of this generation; else tallied from the rows."""
    told = publish.metrics_of(place.out) if place.out.has(numbering.METRICS) else None
    if told is not None and told.generation == place.number and told.files == tuple(files):
        return RunMetrics(**{name: value for name, value in dict(told).items() if name != "all_generations"})
    before = place.beside.metrics.duplicates
    nothing = {"verified_pairs": 0, "refused_pairs": 0, "documents_in_full_buckets": 0, "measured": ()}
    search = None if before is None else Search(**{**{n: getattr(before, n) for n in Search.model_fields}, **nothing})
    about = About(
        place.number, live, place.beside.plan_name, notes=(_NOTE,), passed_over=(), versions=place.beside.versions,
        architecture=place.beside.architecture,
    )  # fmt: skip
    counts = collect.collect(recipe, recount.tallied(place.out, files, recipe=recipe), about, search=search, selection=None)
    counts = counts.model_copy(update={"recipe_hash": place.beside.recipe_hash, "signals": (), "models": (), "notes": (_NOTE,)})
    compute = collect.ledger(counts, recipe.plan.compute, _NO_COST)
    return RunMetrics(**dict(counts), changes=None, checks=(), cost=_NO_COST, compute=compute, files=tuple(files))
