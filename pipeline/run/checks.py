"""All that would stop a run before its first stage, found at once. Nothing is written.

What is found wrong is left out, and the rest is looked at without it: a plan whose tokenizer is missing has its inputs, folders
and models checked all the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from filters import FILTERS
from pipeline.errors import OutputError, WinnowError
from pipeline.machine import workers
from pipeline.output import inventory
from pipeline.output import work as work_
from pipeline.output.manifest import Manifest
from pipeline.plan import recipe
from pipeline.plan.model import Plan
from pipeline.plan.recipe import Recipe
from pipeline.read import layouts
from pipeline.read.expansion import expand
from pipeline.read.files import InputFile, Inputs
from pipeline.report.compute import gpus
from pipeline.run import prepare
from pipeline.run.options import RunOptions
from pipeline.stages import select
from pipeline.store.store import Store, open_output, open_store
from pipeline.text.visible import visible

Made = TypeVar("Made")


@dataclass
class Faults:
    """What would stop the run, each once, in the order of its finding."""

    found: list[str] = field(default_factory=list)

    def add(self, message: str) -> None:
        if message not in self.found:
            self.found.append(message)

    def tried(self, function: Callable[[], Made]) -> Made | None:
        """What the function gives; None where it says what is wrong."""
        try:
            return function()
        except WinnowError as error:
            self.add(str(error))
        except OSError as error:
            self.add(f"{visible(os.fsdecode(error.filename))}: {error.strerror}" if error.filename else str(error))
        return None


@dataclass(frozen=True)
class Places:
    """Where a run would write. `manifests`: of the generations that the output has."""

    out: Store
    work: Store
    manifests: list[Manifest]


def of_plan(plan: Plan, faults: Faults) -> Recipe | None:
    """The recipe with its models read; None where something is wrong with it."""
    faults.tried(lambda: gpus.find_gpu(plan.compute.gpu))
    faults.tried(lambda: select.check(plan))
    before = len(faults.found)
    filters = [*FILTERS, *(faults.tried(plan.added_filters) or ())]
    each = [faults.tried(lambda one=one: list(recipe.active(plan, [one]))) for one in filters]  # type: ignore[misc]
    on = [item for items in each for item in items or ()]
    for item in on:
        faults.tried(lambda item=item: recipe.load_model(plan, on, item=item))  # type: ignore[misc]
    faults.tried(lambda: recipe.tokenizer_of(plan))
    return faults.tried(lambda: recipe.resolve(plan)) if len(faults.found) == before else None


def of_memory(plan: Plan, options: RunOptions, faults: Faults) -> None:
    """Whether `--memory` has room for a unit of the largest."""
    largest = max((int(source.unit_bytes) for source in plan.source), default=0)
    if largest:  # a plan without a source has another fault
        faults.tried(lambda: workers.budget(options.memory, largest, threads=options.workers))


def of_inputs(plan: Plan, faults: Faults) -> Inputs | None:
    """The files of the sources; without those of paths at which something is wrong."""
    if not plan.source:
        faults.add("no input: give --input PATH, or source.paths in the plan")
        return None
    apart = [source.model_copy(update={"paths": (path,)}) for source in plan.source for path in source.paths]
    each = [faults.tried(lambda one=one: expand([one])) for one in apart]  # type: ignore[misc]
    fit = [one for one, found in zip(apart, each, strict=True) if found]
    lists = {made.key: made for found in each if found for made in found.listed}
    if len(fit) == len(apart):
        return faults.tried(lambda: layouts.known(expand(plan.source, pinned=lists)))
    return Faults().tried(lambda: layouts.known(expand(fit, pinned=lists))) if fit else None


def of_places(options: RunOptions, files: Sequence[InputFile], faults: Faults) -> Places | None:
    """The output and its work directory; None where the output is none, or is damaged."""
    out = faults.tried(lambda: open_output(options.output, create=False, unlocked=options.unlocked))
    if out is None:
        return None
    before = len(faults.found)
    work = faults.tried(lambda: open_store(options.work or out.path(".work"), create=False, unlocked=options.unlocked))
    faults.tried(lambda: prepare.refuse_inside(out, files))
    foreign = len(faults.found)
    faults.tried(lambda: work_.refuse_no_output(out))
    sound = len(faults.found) == foreign
    faults.tried(lambda: _refuse_read_only(out, "--output"))
    if work is not None:
        _of_work(out, work, faults)
    whole = faults.tried(lambda: inventory.load_whole(out, replacing=options.replace or options.fresh)) if sound else None
    if work is not None and whole is not None:
        faults.tried(lambda: work_.refuse_other(work, out, work_.id_of(out, whole), reading=True))
    return Places(out, work, whole) if work is not None and whole is not None and len(faults.found) == before else None


def _of_work(out: Store, work: Store, faults: Faults) -> None:
    faults.tried(lambda: work_.refuse_within(out, work))
    faults.tried(lambda: work_.refuse_foreign(work))
    if work.root != out.path(".work") or os.path.isdir(work.root):
        faults.tried(lambda: _refuse_read_only(work, "--work"))


def _refuse_read_only(store: Store, option: str) -> None:
    """Raise OutputError for a local folder in which nothing can be made: itself, or the nearest one that is there."""
    if store.remote:
        return
    there = store.root
    while not os.path.lexists(there) and os.path.dirname(there) != there:
        there = os.path.dirname(there)
    if not os.path.isdir(there):
        raise OutputError(f"{there} is no folder, so {store.root} cannot be made; choose another {option}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{there} cannot be written to; allow it, or choose another {option}")
    if hasattr(os, "statvfs") and os.statvfs(there).f_flag & os.ST_RDONLY:
        raise OutputError(f"{there} is on a read-only file system; choose another {option}")
