"""Which tables of the work directory hold a generation's facts: what `flows.inspect` reads them by.

Convenience, not a promise: the file is gone with the work directory, and nothing of a run depends on it. Its name holds the
recipe and the inputs: another state of the output (restored, made anew, another plan) has files of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from pipeline.errors import Damaged
from pipeline.output.manifest import InputRecord, Manifest
from pipeline.output.releases import refuse_newer
from pipeline.records.base import Json
from pipeline.records.inputs import Damage, PackedFile
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.tables import Names
from pipeline.store.keys import key
from pipeline.store.store import Store

FOLDER = "generations"
SCHEMA_VERSION = 1


def name(generation: int, recipe_hash: str, inputs: Sequence[InputRecord]) -> str:
    """Of a generation's file, by what its manifest says."""
    read = [(record.source, record.path, record.content, record.rows, record.bad_rows) for record in inputs]
    return f"{FOLDER}/{generation:06d}-{key('generation', recipe_hash, read)}.json"


def encode(units: Sequence[Annotated]) -> bytes:
    made = {"schema_version": SCHEMA_VERSION, "units": [_plain(unit) for unit in units]}
    return json.dumps(made).encode("utf-8", "surrogatepass")


def _plain(unit: Annotated) -> Json:
    files = [file.model_dump(mode="json", exclude_defaults=True) for file in unit.files]
    return asdict(unit) | {"damage": unit.damage.model_dump(mode="json"), "files": files}


def load_generation(work: Store, made: Manifest) -> list[Annotated] | None:
    """The units of a generation in order; None where the work directory does not know them (any more)."""
    path = name(made.generation, made.recipe_hash, made.inputs)
    return load(work, path) if work.has(path) else None


def load(work: Store, path: str) -> list[Annotated]:
    """The units that a file of `FOLDER` lists."""
    try:
        read = json.loads(work.read_bytes(path).decode("utf-8", "surrogatepass"))
        made = {"units": read} if isinstance(read, list) else read  # as Winnow 0.1 wrote it
        refuse_newer(work.path(path), made.get("schema_version", 1), known=SCHEMA_VERSION)
        return [_unit(fields) for fields in made["units"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Damaged(
            f"{work.path(path)}: not what was written ({type(error).__name__}: {error}); remove it: what it lists is"
            " known again once the output is made anew with --replace"
        ) from error


def _unit(fields: Json) -> Annotated:
    names = fields.pop("names")
    fields.pop("sources", None)  # of generations that an earlier release wrote
    replaced = tuple((column, kind, n) for column, kind, n in fields.pop("replaced", ()))
    costs = tuple((stage, seconds) for stage, seconds in fields.pop("costs"))
    paths = tuple(names.pop("paths", ())) or (names.pop("path"),)  # an earlier release had one file to a unit
    where = Names(**{**names, "paths": paths, "signals": tuple(names["signals"])})
    passed = tuple((kind, n) for kind, n in fields.pop("passed", ()))
    damage = Damage.model_validate(fields.pop("damage", {}))
    files = tuple(PackedFile.model_validate(file) for file in fields.pop("files", ()))
    return Annotated(**fields, names=where, replaced=replaced, costs=costs, damage=damage, passed=passed, files=files)
