"""Manifests: one a generation, created after every file it names. Its creation is the commit.

The newest manifest says which generations are live, so it alone tells a reader what the output holds. Orphans (files of a
generation that was never committed, or that `--replace` retired) are removed by the next run.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from pipeline import schema
from pipeline.errors import Damaged, OutputLocked, RecipeDiffers
from pipeline.output import numbering
from pipeline.output.faults import Fault, damaged
from pipeline.output.folders import TOMBSTONES
from pipeline.output.numbering import Witness
from pipeline.output.releases import PACKAGE, installed, refuse_newer
from pipeline.plan.recipe import Recipe, decisive, differences
from pipeline.records import counts
from pipeline.records.base import FileRecord, Json, Record, Totals
from pipeline.records.inputs import RecipeDocument, SourceSettings
from pipeline.records.metrics_json import RunMetrics
from pipeline.records.receipt import Receipt
from pipeline.records.selection import Fitted, NothingFitted
from pipeline.store.store import Store

SCHEMA_VERSION = 1
"""Of a manifest and of the tables that it names; it rises when a key or a column changes its meaning, not when one is added."""
FOLDERS = ("data", "rejected", "ledger", "signals", "quarantine")
SAMPLES = "samples"
"""Folder with what each generation's report quotes; it is no shard, and no manifest names its files."""
PRIVATE = ("rejected", "quarantine", "index", SAMPLES)
"""Folders of the output with mode 0700."""

_WRITER = r"-g(?P<generation>[0-9]{4,})(-t(?P<takedown>[0-9]{4,}))?\.parquet"
_SHARD = re.compile(r"train-[0-9]{5}-of-[0-9]{5}" + _WRITER)
_INDEX = re.compile(r"[a-z]+(-[0-9]{5})?" + _WRITER)
_REWRITTEN = re.compile(r"(-t[0-9]{4,})?\.parquet$")
"""Names that only Winnow gives: nothing else is ever removed from an output."""
_RENAMED = "remove it, if it is a copy; else restore the one that belongs there from a copy of the output"


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
    output: str = ""  # the id of the output, which `pipeline.output.work` knows it by
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
    `tombstones` and the fingerprint of their `key`: an earlier release did not tell them.
    """

    request: str
    selection: str  # keyed hash of what was asked for
    receipt: Receipt
    work: str | None = None  # where the work directory is; only while something is pending
    pending: tuple[Manifest, ...] = ()
    tombstones: FileRecord | None = None
    key: str = ""


def rewritten(path: str, number: int) -> str:
    """Name of the file that replaces `path` in the take-down with this number: beside it in order, and never given before."""
    return _REWRITTEN.sub(f"-t{number:04d}.parquet", path)


def takedowns(manifests: list[Manifest]) -> list[int]:
    """Numbers of the take-downs."""
    return [m.generation for m in manifests if m.takedown is not None]


def samples(generation: int) -> str:
    return f"{SAMPLES}/{generation:06d}.json"


@dataclass(frozen=True)
class Manifests:
    """What manifests/ holds: `found`, oldest first, each as the newest take-down says while something of it is pending; `strays`:
    names of files that are no manifests; `faults`: what is missing, cannot be read, or says what it cannot."""

    found: tuple[Manifest, ...]
    strays: tuple[str, ...]
    faults: tuple[Fault, ...]


def read_all(out: Store) -> Manifests:
    """The manifests that there are, and what is wrong with them."""
    listing = numbering.numbers(out)
    made: dict[int, Manifest] = {}
    faults: list[Fault] = []
    for number in listing.listed:
        _read(out, number, made, faults=faults)
    seen = numbering.witness(out, max(made, default=0))
    last = numbering.newer(out, seen.number)
    if last > seen.number:  # a listing may lag behind
        seen = Witness(last, numbering.name(last))
    gone = 0
    for number in range(1, last + 1):
        if number not in listing.listed and not _read(out, number, made, faults=faults):
            faults.append(Fault(numbering.name(number), f"is missing, though {seen.path} tells of manifest {last}"))
            gone += 1
            if gone == numbering.MOST_MISSING:
                break
    found = [made[number] for number in sorted(made)]
    faults += () if faults else _contradictions(found)
    pending = found[-1].takedown.pending if found and found[-1].takedown else ()
    amended = {one.generation: one for one in pending}
    return Manifests(tuple(amended.get(one.generation, one) for one in found), listing.strays, tuple(faults))


def _read(out: Store, number: int, made: dict[int, Manifest], *, faults: list[Fault]) -> bool:
    """Read the manifest with this number into `made`, or what is wrong with it into `faults`; False where there is none."""
    path = numbering.name(number)
    try:
        found = parsed(out.read_json(path), out.path(path))
    except FileNotFoundError:
        return False
    except Damaged as error:
        faults.append(Fault(path, str(error).removeprefix(f"{out.path(path)}: ")))
    else:
        if found.generation == number:
            made[number] = found
        else:
            faults.append(Fault(path, f"holds manifest {found.generation}, not {number}", _RENAMED))
    return True


def _contradictions(found: list[Manifest]) -> Iterator[Fault]:
    """Manifests that name as live what cannot be."""
    gone = set(takedowns(found))
    for made in found:
        wrong = {n for n in made.live if n in gone or not 0 < n <= made.generation}
        if wrong or (made.takedown is None and made.generation not in made.live):
            yield Fault(numbering.name(made.generation), f"names generations {list(made.live)} as live, which cannot be")


def read_whole(out: Store) -> Manifests:
    """What manifests/ holds. Damaged where a manifest is missing, or is not what was written."""
    read = read_all(out)
    if read.faults:
        raise damaged(out, read.faults)
    return read


def load_all(out: Store) -> list[Manifest]:
    """All manifests, oldest first. Damaged as above."""
    return list(read_whole(out).found)


def parsed(found: object, where: str) -> Manifest:
    """A manifest from JSON. Raises NewerRelease, and Damaged for what is none or names a file elsewhere."""
    if isinstance(found, dict):
        _refuse_newer(found, where)
    try:
        made = Manifest.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        by = f"; Winnow {_made_by(found)} made it, this is {installed(PACKAGE)}"
        raise Damaged(f"{where}: not a manifest of this release ({what}{by}): restore it, or upgrade Winnow") from error
    for path in _elsewhere(made):
        raise Damaged(f"{where}: names {path[:200]!r}, which is no file of an output; restore it")
    return made


def _elsewhere(made: Manifest) -> Iterator[str]:
    """Paths that a manifest names and that are none of an output's."""
    taken = made.takedown
    for manifest in (made, *(taken.pending if taken else ())):
        for record in (*manifest.files, *manifest.index):
            if written_by(record.path) is None or record.path.partition("/")[0] not in (*FOLDERS, "index"):
                yield record.path
    if taken and taken.tombstones and taken.tombstones.path != f"{TOMBSTONES}/{made.generation:06d}.parquet":
        yield taken.tombstones.path


def _made_by(found: object) -> str:
    versions = found.get("versions") if isinstance(found, dict) else None
    return str(versions.get(PACKAGE))[:40] if isinstance(versions, dict) else "?"


def _refuse_newer(found: Json, where: str) -> None:
    by = _made_by(found)
    refuse_newer(where, found.get("schema_version", 1), known=SCHEMA_VERSION, made_by=by)
    for path, known in (
        (("recipe", "versions", "schema"), schema.VERSION),
        (("metrics", "schema_version"), counts.SCHEMA_VERSION),
    ):
        inner: object = found
        for key in path:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if inner is not None:
            refuse_newer(f"{where}: {'.'.join(path)}", inner, known=known, made_by=by)


def live(manifests: list[Manifest]) -> list[Manifest]:
    """The manifests of the generations that the output holds, oldest first."""
    return [m for m in manifests if m.generation in manifests[-1].live] if manifests else []


def commit(out: Store, generation: int, encoded: bytes) -> None:
    """Create the manifest: from here on the generation is part of the output. Raises OutputLocked if another run was first."""
    try:
        out.create(numbering.name(generation), encoded)
    except FileExistsError as error:
        raise OutputLocked(
            f"{out.path(numbering.name(generation))}: another run committed this generation meanwhile; nothing of this run was"
            " published, and the same command goes on from there"
        ) from error


def encode(record: Record) -> bytes:
    """A manifest or receipt as its file holds it."""
    return json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False).encode(
        "utf-8", "backslashreplace"
    )


def remove_orphans(out: Store, manifests: list[Manifest], *, keep: Collection[str] = ()) -> None:
    """Remove shards and index parts that no live generation names, and quotes of others; after a take-down all quotes, since
    nobody knows which of them are like what was taken down. What is of a number that nobody has given yet stays, and so do the
    paths in `keep` (`pipeline.output.replaced`)."""
    for path in orphans(out, manifests):
        if path not in keep:
            out.remove(path)
    quoted = set() if manifests and manifests[-1].takedown else {m.generation for m in live(manifests)}
    for file in out.names(SAMPLES):
        number = numbering.number_of(file)
        if number is not None and number <= next_number(manifests) and number not in quoted:
            out.remove(f"{SAMPLES}/{file}")


def next_number(manifests: Sequence[Manifest]) -> int:
    """The number that the next generation or take-down has: what a killed run left is of this one at most."""
    return manifests[-1].generation + 1 if manifests else 1


def orphans(out: Store, manifests: list[Manifest], *, of_takedowns: bool = False) -> list[str]:
    """Shards and index parts that no live generation names; `of_takedowns`: those of take-downs that no generation names."""
    naming = manifests if of_takedowns else live(manifests)
    named = {record.path for m in naming for record in (*m.files, *m.index)}
    files = [f"{folder}/{file}" for folder in (*FOLDERS, "index") for file in out.names(folder)]
    given = {path: found for path in files if (found := written_by(path))}
    chosen = [p for p, (_, takedown) in given.items() if takedown] if of_takedowns else list(given)
    return [path for path in chosen if path not in named and max(given[path]) <= next_number(manifests)]


def written_by(path: str) -> tuple[int, int] | None:
    """Generation and take-down (0: none) of a shard or index part; None where Winnow gives no file such a name."""
    folder, _, file = path.partition("/")
    match = (_INDEX if folder == "index" else _SHARD).fullmatch(file)
    return (int(match["generation"]), int(match["takedown"] or 0)) if match else None


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
    names = (PACKAGE, "pyarrow", "polars", "numba", "numpy", "orjson", "tokenizers")
    return {"python": platform.python_version()} | {package: installed(package) for package in names}
