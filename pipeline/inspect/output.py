"""An output, opened to look at: its live generations, its plan and recipe, its tables as lazy frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from pipeline.errors import InputError
from pipeline.output import inventory, manifest
from pipeline.output.manifest import Manifest
from pipeline.output.work import id_of, refuse_other
from pipeline.plan import recipe
from pipeline.plan.load import of_output
from pipeline.plan.model import Plan
from pipeline.plan.recipe import Recipe
from pipeline.records.base import FileRecord
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.generations import load_generation
from pipeline.store.store import Store, open_output, open_store


@dataclass(frozen=True)
class Output:
    """What `flows.curate` published in a folder."""

    store: Store
    live: tuple[Manifest, ...]
    work_at: str | None = None  # None: .work in the output
    trusted: bool = False  # its plan's plugins may be imported, and its models fetched

    @cached_property
    def work(self) -> Store:
        """The work directory of the run that made it, there or gone. Raises OutputError for another output's."""
        found = open_store(self.work_at or self.store.path(".work"), create=False)
        refuse_other(found, self.store, id_of(self.store, self.live), reading=True)
        return found

    @cached_property
    def units(self) -> dict[int, list[Annotated]]:
        """The units of each live generation that the work directory still knows."""
        found = {made.generation: load_generation(self.work, made) for made in self.live}
        return {generation: units for generation, units in found.items() if units is not None}

    @property
    def newest(self) -> Manifest:
        return self.live[-1]

    @cached_property
    def plan(self) -> Plan:
        """The plan that it was made with, as the newest manifest holds it. Raises Untrusted."""
        return of_output(self.newest.plan, where=self.store.root, trusted=self.trusted)

    @cached_property
    def recipe(self) -> Recipe:
        """Raises PlanError where a model or a plugin of the plan is not there any more."""
        return recipe.resolve(self.plan)

    def shards(self, folder: str) -> list[FileRecord]:
        """The shards of a folder, in order."""
        return [record for made in self.live for record in made.files if record.path.startswith(f"{folder}/")]

    def scan(self, folder: str) -> pl.LazyFrame | None:
        """All rows of a folder; None where the plan writes none."""
        files = [record.path for record in self.shards(folder)]
        return self.store.scan(files) if files else None


def open_output_of(folder: str, *, work: str | None = None, trust: bool = False) -> Output:
    """`work`: the work directory, if it is not in the output; `trust`: its maker is trusted. Raises InputError where there is no
    output, Damaged where it is not as its manifests say."""
    store = open_output(folder, create=False)
    found = manifest.live(inventory.load_whole(store))
    if not found:
        raise InputError(f"{folder}: no output of `winnow curate` (no manifests); name the folder of one")
    return Output(store, tuple(found), work, trust)


def value_of(output: Output, key: str) -> Any:
    """What the output's plan has at a dotted key; None where a part of it is off."""
    found: Any = output.newest.plan
    for name in key.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
