"""From finished shards in the staging folder to a committed generation, and the files that are remade from its manifest.

Order of the commit: shards and index in place, then the manifest is created. What a person reads (README.md,
metrics.json, report.html, plan.resolved.yaml) is remade from the manifest afterwards, manifest.json last: where it equals
the newest manifest, the others are of that generation too; where not, the next run repairs them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePosixPath

from pydantic import ValidationError
from ruamel.yaml import YAML

from pipeline import report
from pipeline.errors import Damaged
from pipeline.output import manifest, numbering, reviews
from pipeline.output.manifest import Manifest
from pipeline.output.releases import PACKAGE, refuse_newer
from pipeline.plan.load import part_of_output
from pipeline.plan.paths import with_names_only
from pipeline.records.base import FileRecord, Json, Record, Totals
from pipeline.records.counts import SCHEMA_VERSION as METRICS_SCHEMA
from pipeline.records.counts import Counts
from pipeline.records.ledger import Ledger
from pipeline.records.metrics_json import Metrics
from pipeline.records.samples import SCHEMA_VERSION, Samples
from pipeline.records.savings_json import SCHEMA, Savings
from pipeline.report import card
from pipeline.report.compute import ledger
from pipeline.report.page.page import Pictures
from pipeline.stages.shards.parquet import Shard
from pipeline.store.store import Store

SAVINGS = "savings.json"
_DERIVED = ("README.md", "metrics.json", "report.html", "plan.resolved.yaml")


def place(out: Store, work: Store, staging: str, *, shards: Sequence[Shard], index: Sequence[FileRecord]) -> None:
    """Put finished shards and index parts in place; what a killed run placed already is passed over."""
    for folder in manifest.PRIVATE:
        out.private(folder)
    for path in [f"{s.folder}/{s.name}" for s in shards] + [record.path for record in index]:
        if work.has(f"{staging}/{path}"):
            out.place(work, f"{staging}/{path}", path)


def quote(out: Store, samples: Samples) -> None:
    """Write what the report quotes of a generation, before the commit: the page is remade from it."""
    out.private(manifest.SAMPLES)
    out.write_bytes(manifest.samples(samples.generation), _pretty(samples), durable=True)


def drawn(out: Store, counts: Counts) -> Pictures:
    """The charts of the page, before the cost of the run, drawing included, is known."""
    return report.draw(counts, savings_of(out))


def _counts_sources(newest: Manifest) -> bool:
    dedup = newest.plan.get("dedup")
    return isinstance(dedup, dict) and dedup.get("source_count") is True


_ITEMS = {"drop": "documents that hold one were dropped", "annotate": "documents that hold one were marked"}


def _items(newest: Manifest) -> list[str]:
    """What became of items of evaluation sets that were found."""
    filters, edits = (part if isinstance(part, dict) else {} for part in map(newest.plan.get, ("filters", "edits")))
    asked = filters.get("decontaminate")
    found = [_ITEMS[asked["action"]]] if isinstance(asked, dict) and asked.get("action") in _ITEMS else []
    return ["their passages were cut", *found] if isinstance(edits.get("decontaminate"), dict) else found


def rendered(out: Store, manifests: Sequence[Manifest], *, pictures: Pictures | None = None) -> dict[str, bytes]:
    """What a person reads, made from the newest manifest: name → content, manifest.json last. `pictures`: its charts, where they
    are drawn already.

    Made before the commit, so that what cannot be shown is never published.
    """
    newest = manifests[-1]
    live = manifest.live(list(manifests))
    found = {**dict(newest.metrics), "compute": _ledger(newest, live)}
    metrics = Metrics(**found, all_generations=_sum([m.totals for m in live]))
    savings = savings_of(out)
    samples = _samples(out, newest.generation)
    judged = [label for label in reviews.labels(out) if label.recipe == newest.recipe_hash]
    files = [record.path for m in live for record in m.files]
    by_folder = {f: [p for p in files if p.startswith(f"{f}/")] for f in manifest.FOLDERS}
    languages = sorted({line.language for m in live for line in m.metrics.by_language if line.kept and line.language})
    plan = yaml(newest.plan)
    named = with_names_only(newest.plan)  # paths of this machine stay here
    shareable = yaml({key: value for key, value in named.items() if key != "source"})
    readme = card.render(
        metrics,
        files_by_folder=by_folder,
        languages=languages,
        name=PurePosixPath(out.root).name,
        plan_yaml=shareable,
        savings=savings,
        licence=part_of_output(newest.plan, "output", where=out.root).output.licence,
        counts_sources=_counts_sources(newest),
        items=_items(newest),
    )
    judgements = reviews.of_labels(judged)
    page = report.render(
        metrics,
        savings,
        samples=samples,
        reviews=judgements,
        plan=shareable,
        out=out.root,
        inputs=newest.inputs,
        pictures=pictures,
    )
    return {
        "plan.resolved.yaml": plan.encode("utf-8", "backslashreplace"),
        "metrics.json": _pretty(metrics),
        "report.html": page.encode("utf-8", "backslashreplace"),
        "README.md": readme.encode("utf-8", "backslashreplace"),
        "manifest.json": manifest.encode(newest),
    }


def _ledger(newest: Manifest, live: Sequence[Manifest]) -> Ledger:
    """Of all live generations; as it stands there where an earlier release made the newest, which took a plan for granted."""
    own = newest.metrics.compute
    if list(live) == [newest] or own.prospect is None:
        return own
    plan = part_of_output(newest.plan, "compute", where=numbering.name(newest.generation))
    return ledger.of_generations([made.metrics for made in live], plan.compute)


def metrics_of(out: Store) -> Metrics:
    """What metrics.json says."""
    found = out.read_json("metrics.json")
    if isinstance(found, dict):
        by = found["versions"].get(PACKAGE) if isinstance(found.get("versions"), dict) else None
        refuse_newer(out.path("metrics.json"), found.get("schema_version", 1), known=METRICS_SCHEMA, made_by=by)
    return Metrics.model_validate(found)


def savings_of(out: Store) -> Savings | None:
    """What savings.json says; None before it was measured. Where an earlier release did, only its schema's version."""
    found = out.read_json(SAVINGS) if out.has(SAVINGS) else None
    if found is None:
        return None
    try:
        version = found.get("schema", 0) if isinstance(found, dict) else SCHEMA
        refuse_newer(out.path(SAVINGS), version, known=SCHEMA)
        if version != SCHEMA:
            return Savings(schema_version=version)
        return Savings.model_validate(found)
    except ValidationError as error:
        raise Damaged(f"{out.path(SAVINGS)}: not a measurement of this release; remove it and measure again: {error}") from error


def _samples(out: Store, generation: int) -> Samples | None:
    """None where they are gone, of another release, or cannot be read: a page without quotes is better than none."""
    try:
        found = Samples.model_validate(out.read_json(manifest.samples(generation)))
    except (FileNotFoundError, Damaged, ValidationError):
        return None
    return found if found.schema_version == SCHEMA_VERSION else None


def repaint(out: Store) -> None:
    """Make report.html and the card anew from what lies beside them. The output must be held."""
    manifests = manifest.load_all(out)
    if manifests:
        made = rendered(out, manifests)
        write(out, {name: made[name] for name in ("report.html", "README.md")})


def write(out: Store, files: dict[str, bytes]) -> None:
    """Put rendered files in place, in their order."""
    for name, content in files.items():
        out.write_bytes(name, content, durable=True)


def is_current(out: Store, newest: Manifest) -> bool:
    """Whether the derived files are there, and of this manifest."""
    whole = {*_DERIVED, "manifest.json"} <= set(out.names(""))
    return whole and out.read_bytes("manifest.json") == manifest.encode(newest)


def repair(out: Store, manifests: Sequence[Manifest]) -> bool:
    """Remake the derived files if a kill fell between the commit and them. True if something was remade."""
    if not manifests or is_current(out, manifests[-1]):
        return False
    write(out, rendered(out, manifests))
    return True


def _sum(totals: Sequence[Totals]) -> Totals:
    return Totals(**{name: sum(getattr(one, name) for one in totals) for name in Totals.model_fields})


def _pretty(value: Record) -> bytes:
    return json.dumps(value.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode(
        "utf-8", "backslashreplace"
    )


def yaml(data: Json) -> str:
    """Plain data as YAML 1.2, key after key: a page and its plan hold much the same ones, and ruamel.yaml is slow."""
    return "".join(_yaml(json.dumps({key: value})) for key, value in data.items()) or "{}\n"


@lru_cache(256)
def _yaml(data: str) -> str:
    stream = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.dump(json.loads(data), stream)
    return stream.getvalue()
