"""Which tables of the work directory hold a generation's facts: what `flows.inspect` reads them by.

Convenience, not a promise: the file is gone with the work directory, and nothing of a run depends on it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from pipeline.errors import Damaged
from pipeline.records.base import Json
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.tables import Names
from pipeline.store.store import Store


def name(generation: int) -> str:
    return f"generations/{generation:06d}.json"


def encode(units: Sequence[Annotated]) -> bytes:
    return json.dumps([asdict(unit) for unit in units]).encode("utf-8", "surrogatepass")


def load_generation(work: Store, generation: int) -> list[Annotated] | None:
    """The units of a generation in order; None where the work directory does not know them (any more)."""
    if not work.has(name(generation)):
        return None
    try:
        read = json.loads(work.read_bytes(name(generation)).decode("utf-8", "surrogatepass"))
        return [_unit(fields) for fields in read]
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
    where = Names(**{**names, "signals": tuple(names["signals"])})
    return Annotated(**fields, names=where, replaced=replaced, costs=costs)
