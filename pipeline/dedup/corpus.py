"""The dedup stage over everything a run reads: gathers documents in priority order, decides, and stores fates and evidence.

A judgement: its key holds the dedup keys of the plan, the names of the units' tables and the index of earlier generations.
All in memory for now; what crosses to other stages is one `FATES` table a unit and the index part of this generation.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import final
from pipeline.annotate import Annotated, Meter
from pipeline.dedup import bands, decide, gather, index, selftest, signatures, similarity
from pipeline.dedup.decide import Fates
from pipeline.dedup.gather import Gathered
from pipeline.dedup.index import Index
from pipeline.dedup.similarity import Shingles
from pipeline.ledger import FATES
from pipeline.manifest import FileRecord, Manifest
from pipeline.plan import Dedup
from pipeline.recipe import DECIDE_VERSION, Recipe
from pipeline.spans import Workers
from pipeline.stages import key
from pipeline.store import HashingFile, Store

_PARTS = ("documents", "texts", "places", "shingles")
_CURVE = [round(0.5 + 0.05 * step, 2) for step in range(11)]


@dataclass(frozen=True)
class Decided:
    """Names of the units' fates (None without dedup), what metrics.json says of dedup, and where the index part lies."""

    fates: tuple[str | None, ...]
    summary: dict[str, Any] | None = None
    folder: str | None = None
    costs: dict[str, float] = field(default_factory=dict)


def run(
    work: Store,
    out: Store,
    recipe: Recipe,
    units: Sequence[Annotated],
    live: Sequence[Manifest],
    *,
    generation: int,
    pool: Workers,
) -> Decided:
    """Exact and near duplicates among the documents that the filters kept, against all live generations."""
    dedup = recipe.plan.dedup
    if dedup is None:
        return Decided(fates=tuple(None for _ in units))
    parts = [record for manifest in live for record in manifest.index]
    inputs = [[u.path, u.first_row, u.priority, u.names.sign, u.names.verdicts, u.names.signals] for u in units]
    made = key(
        "dedup",
        DECIDE_VERSION,
        dedup.model_dump(mode="json"),
        recipe.plan.checks.plants,
        generation,
        inputs,
        [r.sha256 for r in parts],
    )
    folder = f"judgements/dedup/{made}"
    names = tuple(f"{folder}/{number:06d}.parquet" for number in range(len(units)))
    meter = Meter(pool.clock())
    if not work.has(f"{folder}/summary.json"):
        with meter.measure("dedup"):
            summary = _decide(work, out, recipe, dedup, units, live, generation, names, folder, pool)
            work.write_bytes(f"{folder}/summary.json", json.dumps(summary, sort_keys=True).encode())
    return Decided(names, work.read_json(f"{folder}/summary.json"), folder, meter.seconds)


def _decide(
    work: Store,
    out: Store,
    recipe: Recipe,
    dedup: Dedup,
    units: Sequence[Annotated],
    live: Sequence[Manifest],
    generation: int,
    names: Sequence[str],
    folder: str,
    pool: Workers,
) -> dict[str, Any]:
    gathered = gather.gather(work, recipe, dedup, units)
    known, evidence = load_index(out, live)
    people = gathered.participants
    found = decide.candidates(people, known, bucket_cap=dedup.bucket_cap)
    asked = found.documents()
    new = _shingles(work, units, gathered.places, asked[asked >= len(known)] - len(known), dedup.ngram, pool)
    measure = partial(similarity.similarities, indexed=known.shingle_sets(), new=new, kind=dedup.similarity)
    fates = decide.judge(people, known, found, threshold=dedup.threshold, similarities=measure)
    evidence = pl.concat([evidence, gathered.places.select("id", "source_ref", pl.lit(generation, pl.Int32).alias("generation"))])
    _write_fates(work, gathered, fates, evidence, names)
    measured = _selftest(work, recipe, dedup, units, gathered, fates)
    none = Shingles(np.zeros(len(people) + 1, np.int64), np.zeros(0, np.uint64))
    part = decide.extend(people, known, fates, none)
    _write_index(work, folder, part, units, gathered, fates, dedup.ngram)
    shape = bands.choose(dedup.threshold, dedup.permutations, dedup.bands)
    return {
        "threshold": dedup.threshold,
        "ngram": dedup.ngram,
        "bucket_cap": dedup.bucket_cap,
        "bands": shape[0],
        "rows": shape[1],
        "candidate_pairs": fates.candidate_pairs,
        "verified_pairs": fates.verified_pairs,
        "refused_pairs": fates.refused_pairs,
        "documents_in_full_buckets": fates.documents_in_full_buckets,
        "measured": measured,
        "detection": [[s, bands.detection_probability(s, *shape)] for s in sorted({*_CURVE, dedup.threshold})],
    }


def _selftest(
    work: Store, recipe: Recipe, dedup: Dedup, units: Sequence[Annotated], gathered: Gathered, fates: Fates
) -> list[list[float]]:
    """Candidate recall on planted copies of documents that entered near dedup."""
    people = gathered.participants
    entered = np.flatnonzero(people.has_keys & (fates.fate != decide.EXACT))
    chosen = entered[selftest.choose(len(entered), plants=recipe.plan.checks.plants, seed=recipe.plan.seed)]
    texts: dict[int, str] = {}
    for group in gathered.places[chosen].with_columns(row=pl.Series(chosen)).partition_by("unit"):
        found = _texts(work, units[group["unit"][0]], group["position"].to_arrow())
        texts |= dict(zip(group["row"].to_list(), found.to_pylist(), strict=True))
    return selftest.measure(
        selftest.Originals([texts[row] for row in chosen.tolist()], people.band_keys[chosen], fates.took[chosen]), dedup
    )


def _shingles(
    work: Store, units: Sequence[Annotated], places: pl.DataFrame, wanted: np.ndarray, ngram: int, pool: Workers
) -> Shingles:
    """Shingle sets of the participants `wanted` (ascending); the others have none."""
    rows = places[wanted].select("unit", "position").with_columns(participant=pl.Series(wanted, dtype=pl.Int64))
    groups = rows.sort("unit", "position").partition_by("unit", maintain_order=True)

    def one(group: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        text = _texts(work, units[group["unit"][0]], group["position"].to_arrow())
        offsets, hashes = signatures.shingles(text, ngram=ngram)
        return group["participant"].to_numpy(), np.diff(offsets), hashes

    made = pool.map(one, groups)
    if not made:
        return Shingles(np.zeros(len(places) + 1, np.int64), np.zeros(0, np.uint64))
    participants, sizes, hashes = (np.concatenate([part[i] for part in made]) for i in range(3))
    together = Shingles(np.append(0, np.cumsum(sizes)), hashes)
    return together.take(np.argsort(participants)).spread(wanted, len(places))


def _texts(work: Store, unit: Annotated, positions: pa.Array) -> pa.LargeStringArray:
    source = work.read_table(unit.names.documents, ["text"])["text"].take(positions)
    return final.final_of(source, work.read_table(unit.names.final, ["final_text"])["final_text"].take(positions))


def _write_fates(work: Store, gathered: Gathered, fates: Fates, evidence: pl.DataFrame, names: Sequence[str]) -> None:
    """One `FATES` table a unit. `evidence`: id, source_ref and generation of every number."""
    dropped = fates.fate != decide.KEPT
    survivor = evidence[np.where(dropped, fates.duplicate_of, 0)] if len(evidence) else evidence
    gone = pl.Series(dropped)

    def shown(column: pl.Series) -> pl.Series:
        return column.zip_with(gone, pl.Series([None] * len(column), dtype=column.dtype))

    reasons = pl.Series(np.where(fates.fate == decide.EXACT, "exact_duplicate", "near_duplicate"), dtype=pl.String)
    frame = gathered.places.select("unit", "position").with_columns(
        reason=shown(reasons),
        duplicate_of=shown(survivor["id"]),
        duplicate_ref=shown(survivor["source_ref"]),
        duplicate_generation=shown(survivor["generation"]),
        similarity=shown(pl.Series(fates.similarity)),
        cluster_size=pl.Series(np.maximum(fates.cluster_size, 1)),
    )
    by_unit = {part["unit"][0]: part for part in frame.sort("unit", "position").partition_by("unit", maintain_order=True)}
    for number, name in enumerate(names):
        part = by_unit.get(number)
        table = FATES.empty_table() if part is None else part.select(FATES.names).to_arrow().cast(FATES)
        work.write_table(name, table)


def _write_index(
    work: Store, folder: str, part: Index, units: Sequence[Annotated], gathered: Gathered, fates: Fates, ngram: int
) -> None:
    """This generation's part of the index. Shingles are written unit by unit, with the number of the document they belong to."""
    kept = np.flatnonzero(fates.fate == decide.KEPT)
    names = gathered.places[kept]
    documents = part.documents.append_column("id", names["id"].to_arrow()).append_column(
        "source_ref", names["source_ref"].to_arrow()
    )
    work.write_table(f"{folder}/documents.parquet", documents, metadata={"first": str(part.first)})
    work.write_table(f"{folder}/texts.parquet", part.texts)
    work.write_table(f"{folder}/places.parquet", part.places)
    rows = names.with_columns(document=pl.Series(part.first + np.arange(len(kept)), dtype=pl.Int64)).sort("unit", "position")
    with (
        work.writer(f"{folder}/shingles.parquet") as file,
        pq.ParquetWriter(file, _SHINGLES, compression="none", use_dictionary=False, write_page_checksum=True) as writer,
    ):
        for group in rows.partition_by("unit", maintain_order=True):
            text = _texts(work, units[group["unit"][0]], group["position"].to_arrow())
            offsets, hashes = signatures.shingles(text, ngram=ngram)
            columns = [group["document"].to_arrow(), Shingles(offsets, hashes).column()]
            writer.write_table(pa.Table.from_arrays([pa.array(columns[0]), columns[1]], schema=_SHINGLES))


_SHINGLES = pa.schema([pa.field("document", pa.int64(), nullable=False), *index.SHINGLES])


def stage_index(work: Store, staging: str, decided: Decided, generation: int) -> list[FileRecord]:
    """Copy this generation's index part into the staging folder, named as it will be in the output."""
    records: list[FileRecord] = []
    for part in _PARTS if decided.folder is not None else ():
        name = f"index/{part}-g{generation:04d}.parquet"
        with work.open(f"{decided.folder}/{part}.parquet") as source, work.writer(f"{staging}/{name}") as raw:
            target = HashingFile(raw)
            shutil.copyfileobj(source, target, 1 << 20)
        with work.open(f"{staging}/{name}") as file:
            rows = pq.read_metadata(file).num_rows
        digest = target.digest.hexdigest()
        records.append(FileRecord(path=name, rows=rows, bytes=work.size(f"{staging}/{name}"), sha256=digest))
    return records


def load_index(out: Store, live: Sequence[Manifest]) -> tuple[Index, pl.DataFrame]:
    """The union of the live generations' parts, and id, source_ref and generation of each of its documents."""
    parts = []
    evidence = [pl.DataFrame(schema={"id": pl.String, "source_ref": pl.String, "generation": pl.Int32})]
    for manifest in live:
        tables = {r.path.split("/")[1].partition("-")[0]: out.read_table(r.path) for r in manifest.index}
        if not tables:
            continue
        name = next(r.path for r in manifest.index if r.path.startswith("index/documents"))
        shingles = tables["shingles"].sort_by("document").select(["hashes"])
        documents = tables["documents"]
        parts.append(
            Index(
                int(out.metadata(name)["first"]),
                documents.select(["scope", "text_hash"]),
                tables["texts"],
                tables["places"],
                shingles,
            )
        )
        frame = out.read_frame(name, ["id", "source_ref"])
        evidence.append(frame.with_columns(generation=pl.lit(manifest.generation, pl.Int32)))
    return index.union(parts) if parts else index.empty(), pl.concat(evidence)
