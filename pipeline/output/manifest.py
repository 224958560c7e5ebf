"""Manifests: one a generation, created after every file it names. Its creation is the commit.

The newest manifest says which generations are live, so it alone tells a reader what the output holds. Orphans (files of a
generation that was never committed, or that `--replace` retired) are removed by the next run.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Collection
from functools import cache
from importlib import metadata

from pipeline.errors import Damaged, OutputLocked, RecipeDiffers
from pipeline.plan.recipe import Recipe, decisive, differences
from pipeline.records.base import FileRecord, Json, Record, Totals
from pipeline.records.inputs import RecipeDocument, SourceSettings
from pipeline.records.metrics_json import RunMetrics
from pipeline.records.receipt import Receipt
from pipeline.records.selection import Fitted, NothingFitted
from pipeline.store.store import Store

FOLDERS = ("data", "rejected", "ledger", "signals", "quarantine")
SAMPLES = "samples"
"""Folder with what each generation's report quotes; it is no shard, and no manifest names its files."""
PRIVATE = ("rejected", "quarantine", "index", SAMPLES)
"""Folders of the output with mode 0700."""

_SHARD = re.compile(r"train-[0-9]{5}-of-[0-9]{5}-g[0-9]{4,}(-t[0-9]{4,})?\.parquet")
_INDEX = re.compile(r"[a-z]+(-[0-9]{5})?-g[0-9]{4,}(-t[0-9]{4,})?\.parquet")
_REWRITTEN = re.compile(r"(-t[0-9]{4,})?\.parquet$")
_QUOTED = re.compile(r"[0-9]{6}\.json")
"""Names that only Winnow gives: nothing else is ever removed from an output."""


MOST_GONE = 1_000
"""Source_refs that a manifest lists of one file's documents: chosen so that it stays small."""


class InputRecord(Record):
    """One input file as it was read. Its identity is path, size and content, never a time.

    `unpacked`: of a packed file, the size and hash of what it unpacks to, where it was read to its end.
    """

    source: str
    path: str
    size: int
    content: str
    rows: int
    bad_rows: int
    n_bytes: int
    unpacked: str = ""


class ReplacedInput(Record):
    """A file whose rows gave way to what it holds now, under `on_changed: replace`.

    `before`: as it was read; `kept`: its documents that the output held; `same`: those whose text it still has; `gone`:
    source_refs of the others, at most `MOST_GONE`.
    """

    before: InputRecord
    kept: int
    same: int
    gone: tuple[str, ...]


class AnnotationRecord(Record):
    """One file of scores that was joined: the last part of its path, and what it held."""

    name: str
    sha256: str
    bytes: int


class Manifest(Record):
    """What one generation added, and which generations the output holds since."""

    schema_version: int
    generation: int
    live: tuple[int, ...]
    recipe_hash: str
    recipe: RecipeDocument
    sources: dict[str, SourceSettings]
    inputs: tuple[InputRecord, ...]
    annotation_inputs: tuple[AnnotationRecord, ...] = ()
    replaced: tuple[ReplacedInput, ...] = ()
    files: tuple[FileRecord, ...]
    index: tuple[FileRecord, ...]
    content_sha256: dict[str, str]
    selection: Fitted | NothingFitted = NothingFitted()  # the cuts that this generation fitted, and the tokens that it selected
    totals: Totals
    failed_checks: tuple[str, ...]
    accepted: bool
    plan_name: str
    plan: Json  # resolved, defaults included
    metrics: RunMetrics
    versions: dict[str, str]
    architecture: str
    takedown: Takedown | None = None


class Takedown(Record):
    """This manifest adds nothing: it removed documents from the generations that it lists as live.

    `pending`: what other manifests say since, until they say so themselves; empty once everything that was replaced is gone.
    """

    request: str
    selection: str  # keyed hash of what was asked for
    receipt: Receipt
    work: str | None = None  # where the work directory is; only while something is pending
    pending: tuple[Manifest, ...] = ()


def rewritten(path: str, number: int) -> str:
    """Name of the file that replaces `path` in the take-down with this number: beside it in order, and never given before."""
    return _REWRITTEN.sub(f"-t{number:04d}.parquet", path)


def takedowns(manifests: list[Manifest]) -> list[int]:
    """Numbers of the take-downs."""
    return [m.generation for m in manifests if m.takedown is not None]


def name(generation: int) -> str:
    return f"manifests/{generation:06d}.json"


def samples(generation: int) -> str:
    return f"{SAMPLES}/{generation:06d}.json"


def load_all(out: Store) -> list[Manifest]:
    """All manifests, oldest first. Damaged names one that does not read back."""
    found = []
    for file in out.names("manifests"):
        try:
            found.append(Manifest.model_validate(out.read_json(f"manifests/{file}")))
        except ValueError as error:
            raise Damaged(f"{out.path('manifests/' + file)}: not a manifest of this release: {error}") from error
    pending = found[-1].takedown.pending if found and found[-1].takedown else ()
    amended = {made.generation: made for made in pending}
    return [amended.get(made.generation, made) for made in found]


def live(manifests: list[Manifest]) -> list[Manifest]:
    """The manifests of the generations that the output holds, oldest first."""
    return [m for m in manifests if m.generation in manifests[-1].live] if manifests else []


def commit(out: Store, generation: int, encoded: bytes) -> None:
    """Create the manifest: from here on the generation is part of the output. Raises OutputLocked if another run was first."""
    try:
        out.create(name(generation), encoded)
    except FileExistsError as error:
        raise OutputLocked(
            f"{out.path(name(generation))}: another run committed this generation meanwhile; nothing of this run was"
            " published, and the same command goes on from there"
        ) from error


def encode(record: Record) -> bytes:
    """A manifest or receipt as its file holds it."""
    return json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False).encode(
        "utf-8", "backslashreplace"
    )


def remove_orphans(out: Store, manifests: list[Manifest], *, keep: Collection[str] = ()) -> None:
    """Remove shards and index parts that no live generation names, and quotes of others; after a take-down all quotes, since
    nobody knows which of them are like what was taken down. `keep`: paths that stay (`pipeline.output.replaced`)."""
    for path in orphans(out, manifests):
        if path not in keep:
            out.remove(path)
    quoted = set() if manifests and manifests[-1].takedown else {samples(m.generation) for m in live(manifests)}
    for file in out.names(SAMPLES):
        if f"{SAMPLES}/{file}" not in quoted and _QUOTED.fullmatch(file):
            out.remove(f"{SAMPLES}/{file}")


def orphans(out: Store, manifests: list[Manifest], *, of_takedowns: bool = False) -> list[str]:
    """Shards and index parts that no live generation names; `of_takedowns`: those of take-downs that no generation names."""
    naming = manifests if of_takedowns else live(manifests)
    named = {record.path for m in naming for record in (*m.files, *m.index)}
    shards = [f"{folder}/{file}" for folder in FOLDERS for file in out.names(folder) if _SHARD.fullmatch(file)]
    index = [f"index/{file}" for file in out.names("index") if _INDEX.fullmatch(file)]
    found = [path for path in (*shards, *index) if path not in named]
    return [path for path in found if "-t" in path.rpartition("-g")[2]] if of_takedowns else found


def missing_files(out: Store, manifests: list[Manifest]) -> list[str]:
    """Paths that a live manifest names and that are not there."""
    there = {f"{folder}/{file}" for folder in (*FOLDERS, "index") for file in out.names(folder)} if manifests else set()
    return [r.path for m in live(manifests) for r in (*m.files, *m.index) if r.path not in there]


def check_recipe(out: Store, old: Manifest, recipe: Recipe, *, sources: dict[str, SourceSettings]) -> None:
    """Raise RecipeDiffers, with the differences, unless `recipe` is what the output was made with."""
    known = [name for name in sources if name in old.sources]
    lines = []
    if old.recipe_hash != recipe.hash:
        lines = differences(decisive(old.plan), decisive(recipe.plan.model_dump(mode="json")))
        beside = [document.model_dump(mode="json", exclude={"plan"}) for document in (old.recipe, recipe.document)]
        lines += differences(beside[0], beside[1])
    then, now = ({name: found[name].model_dump() for name in known} for found in (old.sources, sources))
    lines += differences(then, now, "source")
    if lines or old.recipe_hash != recipe.hash:
        shown = "\n  ".join(lines)
        raise RecipeDiffers(
            f"{out.root} was made with another recipe:\n  {shown}\n"
            "use --replace to make it anew with this one (facts that still hold are used), or another --output"
        )


def versions() -> dict[str, str]:
    """Versions of everything that can change a byte."""
    names = ("winnow-curation", "pyarrow", "polars", "numba", "numpy", "orjson", "tokenizers")
    found = {"python": platform.python_version()}
    return found | {package: _version(package) for package in names}


@cache
def _version(package: str) -> str:
    """Read once: the whole of a package's metadata is parsed for it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "source tree"
