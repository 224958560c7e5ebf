"""The dedup stage over everything a run reads: decides in priority order, and stores fates, evidence and the index part.

A judgement: its key holds the dedup keys of the plan, the names of the units' tables and the index of earlier generations.
What crosses to other stages is one `FATES` table a unit and this generation's part of the index; everything else lies in a
scratch folder, in arrays on disk, so that memory does not grow with the corpus (one bit a document for each of five sets does).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from pydantic import ValidationError

from filters.kernels.dedup import bits
from pipeline.errors import Damaged
from pipeline.machine import resources, scratch
from pipeline.machine.scratch import Scratch
from pipeline.machine.workers import Workers
from pipeline.output.manifest import Manifest
from pipeline.plan.model import Dedup
from pipeline.plan.recipe import DECIDE_VERSION, Recipe
from pipeline.records.base import Record
from pipeline.records.counts import Planted, Search
from pipeline.stages.dedup import fates, index, part, selftest
from pipeline.stages.dedup.agreement import source_counts
from pipeline.stages.dedup.decide import CHUNK, REASONS, decide
from pipeline.stages.dedup.decision import Decision
from pipeline.stages.dedup.driver import Site
from pipeline.stages.dedup.fate_columns import Fates
from pipeline.stages.dedup.handover import Files
from pipeline.stages.dedup.index import Index
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.tables import marked_at
from pipeline.store.hashing import has_content
from pipeline.store.keys import key
from pipeline.store.store import Store
from pipeline.text import bands

JOBS = "jobs"
"""Folder below a judgement's own for what jobs hand on; it goes when the judgement is done."""
RunStep = Callable[..., None]
"""`run(folder=, index=, units=, stage=, jobs=)`: as `driver.Site.run`, for documents of these units and this index."""
_CURVE = [round(0.5 + 0.05 * step, 2) for step in range(11)]


def dedup_corpus(
    work: Store,
    out: Store,
    recipe: Recipe,
    *,
    units: Sequence[Annotated],
    live: Sequence[Manifest],
    generation: int,
    memory: int,
    pool: Workers,
    tasks: RunStep | None = None,
) -> Decision:
    """Duplicates among the documents that the filters kept, against all live generations. `memory`: the process's budget.

    `tasks`: distributes the corpus-wide steps; None: they are done here.
    """
    dedup = recipe.plan.dedup
    if dedup is None:
        return Decision(fates=tuple(None for _ in units))
    records = [record for manifest in live for record in manifest.index]
    inputs = [[u.path, u.first_row, u.priority, u.names.sign, u.names.verdicts, u.names.signals] for u in units]
    made = key(
        "dedup",
        DECIDE_VERSION,
        dedup.model_dump(mode="json"),
        recipe.plan.checks.plants,
        recipe.plan.seed,
        generation,
        inputs,
        [record.sha256 for record in records],
    )
    folder = f"judgements/dedup/{made}"
    names = tuple(f"{folder}/{number:06d}.parquet" for number in range(len(units)))
    known = index.load_index(out, live, work=work)
    done = _finished(work, folder, names)
    if done is None:
        with scratch.open_scratch(work.scratch(f"{folder}/scratch"), _room(memory)) as space:
            if not live:  # what comes later may lack a column: null is a value, as in one run over everything
                part.check_columns(work, recipe, dedup, units=units)
            parts = [part.of_unit(work, recipe, dedup, unit=unit) for unit in units]
            shape = bands.choose(dedup.threshold, dedup.permutations, dedup.bands)
            site = None if tasks is None else _site(tasks, work, f"{folder}/{JOBS}", units=units, known=known, memory=memory)
            found = decide(parts, known, work, dedup=dedup, bands=shape[0], scratch=space, pool=pool, site=site)
            counts = _counts(work, dedup, found, units=units, old=len(known), space=space, pool=pool)
            write = partial(fates.write_fates, work, parts, [partial(_positions, work, unit) for unit in units])
            write(fates=found, index=known, names=names, generation=generation, scratch=space, pool=pool, counts=counts)
            tables = fates.write_index(work, folder, found, index=known, exact_url=dedup.exact_url, scratch=space)
            measured = _selftest(work, recipe, dedup, units=units, parts=parts, found=found, space=space, old=len(known))
            summary = _search(dedup, shape, found, measured=measured)
            done = _Done(summary=summary, index=tables, dropped=_dropped(found.columns.fate))
            work.write_bytes(f"{folder}/summary.json", json.dumps(done.model_dump(mode="json"), sort_keys=True).encode())
        for judged in work.entries("judgements/dedup"):  # also what a run that was given up left
            work.remove(f"judgements/dedup/{judged}/{JOBS}")
    return Decision(names, done.summary, folder, done.dropped)


class _Done(Record):
    """What the judgement's folder says when everything in it is there; `index`: digests of the tables for the index; `dropped`:
    documents by reason."""

    summary: Search
    index: dict[str, str]
    dropped: dict[str, int]


def _finished(work: Store, folder: str, names: Sequence[str]) -> _Done | None:
    """What an earlier run decided, unless a file of it is damaged or gone: then it is decided anew."""
    if not work.has(f"{folder}/summary.json"):
        return None
    try:
        found = _Done.model_validate(work.read_json(f"{folder}/summary.json"))
    except (Damaged, ValidationError):
        return None
    whole = all(has_content(work, f"{folder}/{table}.parquet", sha256) for table, sha256 in found.index.items())
    return found if whole and all(map(work.has, names)) else None


def _site(tasks: RunStep, work: Store, folder: str, *, units: Sequence[Annotated], known: Index, memory: int) -> Site:
    documents = sum(unit.kept for unit in units)
    return Site(
        partial(tasks, folder=folder, index=known, units=units),
        Files(work, folder),
        max(scratch.SMALLEST, memory // 2),
        text_bytes=1 + sum(unit.n_bytes for unit in units) // max(1, documents),
    )


def _room(memory: int) -> int:
    """Bytes for the stage: half of what the process does not hold yet; the rest is for what libraries allocate meanwhile."""
    return (memory - resources.tree_rss()) // 2


def _counts(
    work: Store, dedup: Dedup, found: Fates, *, units: Sequence[Annotated], old: int, space: Scratch, pool: Workers
) -> np.ndarray | None:
    """Sources that hold each document, where the plan asks for them."""
    if not dedup.source_count:
        return None
    named = [partial(part.sources, work, unit) for unit in units]
    return source_counts(found, named, old=old, threshold=dedup.threshold, scratch=space, pool=pool)


def _positions(work: Store, unit: Annotated) -> np.ndarray:
    return part.kept_rows(work, unit)


def _dropped(fate: np.ndarray) -> dict[str, int]:
    blocks = (fate[start : start + CHUNK] for start in range(0, len(fate), CHUNK))
    counted = sum((np.bincount(block, minlength=max(REASONS) + 1) for block in blocks), np.zeros(max(REASONS) + 1, np.int64))
    return {reason: int(counted[code]) for code, reason in REASONS.items()}


def _search(dedup: Dedup, shape: tuple[int, int], found: Fates, *, measured: Sequence[Planted]) -> Search:
    similarities = sorted({*_CURVE, dedup.threshold, min(1.0, round(dedup.threshold + 0.05, 6))})
    return Search(
        threshold=dedup.threshold,
        similarity=dedup.similarity,
        ngram=dedup.ngram,
        bucket_cap=dedup.bucket_cap,
        bands=shape[0],
        rows=shape[1],
        verified_pairs=found.survivors.verified,
        refused_pairs=found.survivors.refused,
        documents_in_full_buckets=bits.count(found.links.full),
        measured=tuple(measured),
        detection=tuple((s, bands.detection_probability(s, *shape)) for s in similarities),
    )


def _selftest(
    work: Store,
    recipe: Recipe,
    dedup: Dedup,
    *,
    units: Sequence[Annotated],
    parts: Sequence[part.Part],
    found: Fates,
    space: Scratch,
    old: int,
) -> list[Planted]:
    """Candidate recall on planted copies of documents that entered near dedup."""
    shape, _ = bands.choose(dedup.threshold, dedup.permutations, dedup.bands)
    entered = bits.count(found.links.eligible)
    places = selftest.choose(entered, plants=recipe.plan.checks.plants, seed=recipe.plan.seed)
    ranks = bits.nth(found.links.eligible, places)
    unit = np.searchsorted(found.order.first, found.order.rows[ranks], side="right") - 1
    originals = []
    for number in np.unique(unit):
        here = np.sort(found.order.rows[ranks[unit == number]] - found.order.first[number])
        rows = part.kept_rows(work, units[number])[here]
        short = work.read_table(units[number].names.final, ["n_bytes"])["n_bytes"].to_numpy()[rows] <= selftest.MAX_BYTES
        here, rows = here[short], rows[short]
        keys = np.stack([band[here] for band in parts[number].bands(range(shape))], axis=1)
        scope = parts[number].scope()
        originals.append(
            selftest.Originals(
                marked_at(work, units[number].names, rows).to_pylist(),
                keys,
                None if scope is None else scope[here],
                found.order.of_part(number)[here],
            )
        )
        space.relieve()
    return selftest.measure(originals, found.links.places, dedup, old=old)
