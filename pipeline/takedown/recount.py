"""Manifests of generations that lost documents: metrics tallied again, from ledger/, data/ and rejected/ as they are now.

Signals are not in the ledger: histograms and models, checks, changes, selection, costs and how dedup searched stay those of the
run, and a note says so. So do languages of dropped documents where rejected/ does not hold them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from pipeline import schema
from pipeline.output.manifest import Manifest
from pipeline.plan.load import validate
from pipeline.plan.recipe import Recipe
from pipeline.records.base import FileRecord
from pipeline.records.counts import Counts, Search
from pipeline.records.metrics_json import RunMetrics
from pipeline.report.metrics import collect
from pipeline.report.metrics.collect import About
from pipeline.report.metrics.tally import Tally, of_rows
from pipeline.store.store import Store
from pipeline.takedown.rewrite import NewFiles

_NOTE = "documents were taken down since this run"
_FATES = ["source", "source_ref", "verdict", "stage", "reason", "failed", "edits", "n_bytes_read", "n_bytes", "token_count"]
_DOCUMENTS = ["source_ref", "language", "minhash_cluster_size"]


def manifest(out: Store, made: Manifest, rewritten: NewFiles, *, recipe: Recipe, refs: set[str], number: int) -> Manifest:
    """The generation's manifest since. `recipe`: of the output; `refs`: of all rows that went; `number`: of the take-down."""
    run = without(made.metrics, refs)
    own = replace(recipe, plan=validate(made.plan, where="the manifest"))
    counts = _counts(tallied(out, rewritten.files, recipe=recipe), own, run, number=number)
    compute = collect.ledger(counts, own.plan.compute, run.cost)
    metrics = run.model_copy(update={**dict(counts), "compute": compute, "files": rewritten.files})
    return made.model_copy(
        update={
            "files": rewritten.files,
            "index": rewritten.index,
            "content_sha256": rewritten.content_sha256,
            "totals": metrics.totals,
            "metrics": metrics,
        }
    )


def without(metrics: RunMetrics, refs: set[str]) -> RunMetrics:
    """Metrics whose largest clusters, all that they name of documents, name none of `refs`."""
    if metrics.duplicates is None:
        return metrics
    largest = tuple(cluster for cluster in metrics.duplicates.largest if cluster.source_ref not in refs)
    return metrics.model_copy(update={"duplicates": metrics.duplicates.model_copy(update={"largest": largest})})


def _counts(tally: Tally, recipe: Recipe, run: RunMetrics, *, number: int) -> Counts:
    """The tally's counts, with what the ledger cannot say as the run had it."""
    about = About(
        run.generation,
        run.live,
        run.plan_name,
        notes=(),
        passed_over=run.passed_over,
        versions=run.versions,
        architecture=run.architecture,
    )
    found = run.duplicates
    search = None if found is None else Search(**{name: getattr(found, name) for name in Search.model_fields})
    counts = collect.collect(recipe, tally, about, search=search, selection=run.selection)
    carried = "histograms of signals, models, checks, changes, selection and costs"
    names = ["recipe_hash", "signals", "models", "replaced"]
    duplicates = counts.duplicates
    if duplicates is not None and run.duplicates is not None:
        duplicates = duplicates.model_copy(update={"largest": run.duplicates.largest})
    languages = counts.by_language
    if recipe.plan.output.rejected != "full":
        carried += ", and languages of dropped documents, which rejected/ does not all hold,"
        kept = {line.language: {"kept": line.kept, "bytes_kept": line.bytes_kept} for line in languages}
        none = {"kept": 0, "bytes_kept": 0}
        languages = tuple(line.model_copy(update=kept.get(line.language, none)) for line in run.by_language)
        names.append("crossed")
    said = f"{_NOTE} (manifest {number}): {carried} are still those of the run; the page quotes no document until a run adds some"
    notes = (*(note for note in run.notes if not note.startswith(_NOTE)), said)
    return counts.model_copy(
        update={
            **{name: getattr(run, name) for name in names},
            "duplicates": duplicates,
            "by_language": languages,
            "notes": notes,
        }
    )


def tallied(out: Store, files: Sequence[FileRecord], *, recipe: Recipe) -> Tally:
    """The counts of a generation's rows, as far as ledger/, data/ and rejected/ say them."""
    languages = any("language" in item.filter.signals.names for item in recipe.filters)
    summed = Tally()
    for rows, documents in _rows(out, files):
        summed.add(of_rows(rows, documents, documents["language"] if languages else None))
    return summed


def _rows(out: Store, files: Sequence[FileRecord]) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """All rows and those that were not quarantined, a row group of ledger/ at a time; the latter with language and cluster size,
    null where data/ and rejected/, whose rows stand in the same order, have no such document."""
    shards = [_tables(out, files, f"{folder}/", columns=_DOCUMENTS) for folder in ("data", "rejected")]
    waiting = [pl.DataFrame(schema.DATA.empty_table().select(_DOCUMENTS)) for _ in shards]
    for rows in _tables(out, files, "ledger/", columns=_FATES):
        refs = rows["source_ref"].implode()
        found = []
        for place, tables in enumerate(shards):
            while waiting[place]["source_ref"].is_in(refs).all() and (more := next(tables, None)) is not None:
                waiting[place] = pl.concat([waiting[place], more])
            here = waiting[place]["source_ref"].is_in(refs)
            found.append(waiting[place].filter(here))
            waiting[place] = waiting[place].filter(~here)
        documents = rows.filter(pl.col("verdict") != "quarantined")
        documents = documents.join(pl.concat(found), on="source_ref", how="left", maintain_order="left")
        yield rows, documents.rename({"minhash_cluster_size": "cluster_size"})


def _tables(out: Store, files: Sequence[FileRecord], folder: str, *, columns: list[str]) -> Iterator[pl.DataFrame]:
    for record in files:
        if record.path.startswith(folder):
            for table in out.batches(record.path, columns):
                yield pl.DataFrame(table)
