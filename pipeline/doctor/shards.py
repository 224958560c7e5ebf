"""The shards and index parts of one generation as they lie there, and whether they belong together.

Invariant: names say how many shards a folder has, the ledger says how many rows each folder has and which; where one of both is
not so, `fault` says it, and nothing is to be made from them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl
import pyarrow.compute as pc

from pipeline.errors import InputError, WinnowError
from pipeline.output import manifest
from pipeline.output.manifest import InputRecord, Manifest
from pipeline.plan.load import part_of_output
from pipeline.plan.model import Output, Plan
from pipeline.read import close, rows_of, units_of
from pipeline.read.expansion import expand
from pipeline.read.files import InputFile, own_path
from pipeline.read.source import Source
from pipeline.records.base import FileRecord
from pipeline.stages.dedup import index
from pipeline.store.keys import key
from pipeline.store.store import Store
from pipeline.takedown import rewrite

_LEDGER = ["generation", "source", "source_ref", "verdict", "stage", "reason", "n_bytes_read"]


@dataclass
class _Ledger:
    """What the ledger of a generation says: rows by fate, a digest of the source_refs of each folder's rows, and inputs."""

    rows: Counter[str] = field(default_factory=Counter)
    digests: dict[str, hashlib._Hash] = field(default_factory=dict)
    inputs: dict[tuple[str, str], list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Shards:
    """What a manifest says of its generation's files. `fault`: why they are not all of them; empty where they are."""

    files: tuple[FileRecord, ...] = ()
    index: tuple[FileRecord, ...] = ()
    content_sha256: dict[str, str] = field(default_factory=dict)
    inputs: tuple[InputRecord, ...] = ()
    fault: str = ""


def shards_of(out: Store, number: int, beside: Manifest, *, plan: Plan) -> Shards:
    """The files of generation `number`. `beside`: a manifest of the same output, which knows where inputs lie, of this `plan`."""
    found: dict[str, list[FileRecord]] = {}
    for folder in (*manifest.FOLDERS, "index"):
        paths = [f"{folder}/{file}" for file in out.names(folder)]
        mine = [path for path in paths if (manifest.written_by(path) or (0,))[0] == number]
        if folder != "index" and (fault := _gap(mine, folder, plan.output)):
            return Shards(fault=fault)
        found[folder] = [record(out, path, rows=sum(out.group_rows(path))) for path in mine]
    files = tuple(one for folder in manifest.FOLDERS for one in found[folder])
    parts = tuple(sorted(found["index"], key=_place_in_index))
    ledger = _ledger(out, found["ledger"], number)
    if fault := _contradiction(out, found, ledger, plan=plan):
        return Shards(fault=fault)
    content = {f: key([rewrite.content_of(out, one.path) for one in found[f]]) for f in manifest.FOLDERS if found[f]}
    return Shards(files, parts, content, tuple(_inputs(ledger, beside)))


def record(out: Store, path: str, *, rows: int) -> FileRecord:
    """A file as it is now."""
    with out.open(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # both kinds of file have readinto
    return FileRecord(path=path, rows=rows, bytes=out.size(path), sha256=digest)


def _gap(paths: Sequence[str], folder: str, output: Output) -> str:
    """Why these are not all shards of a folder. After a take-down a shard has another ending, and only one of both is there."""
    said = sorted(path.rpartition("/")[2].split("-g")[0] for path in paths)
    if not said and ((folder == "rejected" and output.rejected == "none") or (folder == "signals" and not output.signals)):
        return ""
    count = int(said[0].rpartition("-of-")[2]) if said else 1
    if said != [f"train-{number:05d}-of-{count:05d}" for number in range(count)]:
        return f"{folder}/ does not hold all of its shards, each once (there are {len(said)})"
    return ""


def _place_in_index(one: FileRecord) -> tuple[int, str]:
    table = one.path.split("/")[1].partition("-")[0]
    return index.SORTED.index(table) if table in index.SORTED else len(index.SORTED), one.path


def _ledger(out: Store, shards: Sequence[FileRecord], number: int) -> _Ledger:
    said = _Ledger()
    for shard in shards:
        for table in out.batches(shard.path, _LEDGER):
            rows = pl.DataFrame(table)
            said.rows["other"] += int((rows["generation"] != number).sum())
            taken = (pl.col("stage") == "takedown").fill_null(False)
            chosen = {"data": pl.col("verdict") == "kept", "quarantine": pl.col("verdict") == "quarantined"}
            chosen |= {"rejected": (pl.col("verdict") == "dropped") & ~taken, "taken": taken}
            chosen |= {"indexed": (pl.col("verdict") == "kept") | (pl.col("reason") == "not_selected").fill_null(False)}
            for name, condition in chosen.items():
                refs = rows.filter(condition)["source_ref"]
                said.rows[name] += len(refs)
                _add(said.digests, name, refs)
            path = pl.col("source_ref").str.replace("#[0-9]+$", "").alias("path")
            bad = (pl.col("verdict") == "quarantined").sum().alias("bad")
            for source, name, n, n_bad, n_bytes in (
                rows.group_by("source", path).agg(pl.len(), bad, pl.col("n_bytes_read").sum()).iter_rows()
            ):
                sums = said.inputs.setdefault((name, source), [0, 0, 0])
                for place, value in enumerate((n - n_bad, n_bad, n_bytes)):
                    sums[place] += value
    return said


def _add(digests: dict[str, hashlib._Hash], name: str, refs: pl.Series) -> None:
    digest = digests.setdefault(name, hashlib.sha256())
    for ref in refs:
        digest.update(f"{ref}\n".encode("utf-8", "surrogatepass"))


def _contradiction(out: Store, found: dict[str, list[FileRecord]], ledger: _Ledger, *, plan: Plan) -> str:
    """What the shards and the ledger do not say alike; empty where there is nothing."""
    if ledger.rows["other"]:
        return f"ledger/ holds {ledger.rows['other']:,} rows of other generations"
    for folder in ("data", "rejected", "quarantine"):
        if folder == "rejected" and plan.output.rejected != "full":
            continue
        digests = {folder: hashlib.sha256()}
        for one in found[folder]:
            for table in out.batches(one.path, ["source_ref"]):
                _add(digests, folder, pl.Series(table["source_ref"]))
        if digests[folder].digest() != ledger.digests.get(folder, hashlib.sha256()).digest():
            return f"{folder}/ does not hold the rows that ledger/ names ({ledger.rows[folder]:,})"
    documents = sum(one.rows for one in found["index"] if one.path.startswith("index/documents"))
    texts = any(one.path.startswith("index/texts") for one in found["index"])
    least = ledger.rows["indexed"]
    if plan.dedup and not (texts and least <= documents <= least + ledger.rows["taken"]):
        return f"index/ holds {documents:,} documents, where ledger/ names {least:,} that dedup kept"
    return ""


def _inputs(ledger: _Ledger, beside: Manifest) -> Iterator[InputRecord]:
    """The files that were read. What they hold now stands for what they held, where that is as many rows and bytes as the ledger
    has of them; else nothing is known of that, and a run that names them again takes them for changed."""
    there = _files(beside, {own_path(path) for path, _ in ledger.inputs})
    sums: dict[str, tuple[str, list[int]]] = {}
    for (path, source), counted in ledger.inputs.items():
        before = sums.get(path, ("", [0, 0, 0]))[1]
        own = there[own_path(path)].source if own_path(path) in there else _source(source, beside)
        sums[path] = (own, [a + b for a, b in zip(before, counted, strict=True)])
    for path in sorted(sums, key=lambda name: name.encode("utf-8", "surrogatepass")):
        source, (rows, bad_rows, n_bytes) = sums[path]
        file = there.get(own_path(path))
        same = file is not None and _holds(file) == (rows, bad_rows, n_bytes)
        size, content = (file.size, units_of(file).content) if file is not None and same else (0, "")
        yield InputRecord(
            source=source, path=path, size=size, content=content, rows=rows, bad_rows=bad_rows, n_bytes=n_bytes
        )  # fmt: skip


def _holds(file: InputFile) -> tuple[int, int, int] | None:
    """Rows, bad rows and bytes of a file as it is now; None where it cannot be read."""
    held = [0, 0, 0]
    try:
        for unit in rows_of(file):
            n_bytes = sum(pc.sum(table["n_bytes_read"]).as_py() or 0 for table in (unit.documents, unit.bad))
            held = [a + b for a, b in zip(held, (unit.documents.num_rows, unit.bad.num_rows, n_bytes), strict=True)]
    except (WinnowError, OSError):
        return None
    finally:
        close()
    return held[0], held[1], held[2]


def _source(source: str, beside: Manifest) -> str:
    """The plan's name of a source, whose rows may name others."""
    named = [name for name, settings in beside.sources.items() if settings.named_by]
    return named[0] if source not in beside.sources and len(named) == 1 else source


def _files(beside: Manifest, paths: Iterable[str]) -> dict[str, InputFile]:
    """Files of these paths that are still there: those of the plan's sources, and others that lie beside them."""
    found: dict[str, InputFile] = {}
    for source in part_of_output(beside.plan, "source", where="the manifest").source:
        there = _expanded(source)
        roots = {file.url.removesuffix(path): file.source for path, file in there.items() if file.url.endswith(path)}
        for path in sorted(set(paths) - set(there)):
            for root, name in roots.items():
                there |= _expanded(source.model_copy(update={"paths": (root + path,), "name": name}))
        found |= there
    return found


def _expanded(source: Source) -> dict[str, InputFile]:
    try:
        return {own_path(file.path): file for file in expand((source,)).files}
    except InputError:
        return {}
