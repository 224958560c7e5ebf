"""Which tables of the work directory hold a generation's facts: what `flows.inspect` reads them by.

Convenience, not a promise: the file is gone with the work directory, and nothing of a run depends on it. It names the recipe:
outputs may share a work directory, and the later run's file takes the place of the earlier one's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from pipeline.errors import Damaged
from pipeline.records.base import Json
from pipeline.records.inputs import Damage, PackedFile
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.tables import Names
from pipeline.store.store import Store


def name(generation: int) -> str:
    return f"generations/{generation:06d}.json"


def encode(units: Sequence[Annotated], recipe_hash: str) -> bytes:
    made = {"recipe": recipe_hash, "units": [_plain(unit) for unit in units]}
    return json.dumps(made).encode("utf-8", "surrogatepass")


def _plain(unit: Annotated) -> Json:
    files = [file.model_dump(mode="json", exclude_defaults=True) for file in unit.files]
    return asdict(unit) | {"damage": unit.damage.model_dump(mode="json"), "files": files}


def load_generation(work: Store, generation: int, *, recipe_hash: str | None = None) -> list[Annotated] | None:
    """The units of a generation in order; None where the work directory does not know them (any more), or knows those of another
    recipe than `recipe_hash`."""
    if not work.has(name(generation)):
        return None
    try:
        read = json.loads(work.read_bytes(name(generation)).decode("utf-8", "surrogatepass"))
        made = {"recipe": "", "units": read} if isinstance(read, list) else read  # as earlier releases wrote it
        if recipe_hash not in (None, made["recipe"]):
            return None
        return [_unit(fields) for fields in made["units"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged(
            f"{work.path(name(generation))}: not what was written ({type(error).__name__}: {error}); remove it: what it lists is"
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
