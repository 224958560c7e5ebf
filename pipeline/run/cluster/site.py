"""Where a run takes place, as a worker elsewhere sees it: its stores and its recipe, opened once in each process.

Invariant: `at` gives a recipe only where this process has the driver's code, models, library versions and architecture, and
sees the driver's work directory. So a cluster of mixed versions never mixes bytes.
"""

from __future__ import annotations

import hashlib
import json
import platform
import secrets
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import filters
import pipeline
from filters.kernels import warm
from pipeline.errors import RunFailed, WinnowError
from pipeline.machine import resources
from pipeline.output import manifest, tombstones
from pipeline.plan import load, recipe
from pipeline.plan.model import Plan
from pipeline.plan.recipe import Recipe
from pipeline.stages.unit import signals
from pipeline.store.store import Store, open_output, open_store

FOLDER = "cluster"
"""Folder of the work directory with one file for each run that goes on: workers check there that they see the same folder."""


@dataclass(frozen=True)
class Site:
    """All that a worker needs to know of a run: small, and plain data. `memory`: bytes that a task may hold."""

    work: str
    out: str
    plan: str  # the resolved plan as JSON
    recipe: str  # its hash
    code: str  # `code_sha256` of the driver
    versions: tuple[tuple[str, str], ...]
    architecture: str
    marker: str  # a file of the work directory
    takedowns: tuple[int, ...]  # what was taken down stays out of what workers write
    tombstones: str | None  # their hash
    threads: int
    memory: int


@dataclass(frozen=True)
class Here:
    """A site that is opened on this worker."""

    work: Store
    out: Store
    recipe: Recipe


@contextmanager
def of_run(work: Store, out: Store, made: Recipe, *, takedowns: Sequence[int] = (), threads: int, memory: int) -> Iterator[Site]:
    """The site of the run that goes on, while the block lasts. `takedowns`: numbers of the output's take-downs."""
    marker = f"{FOLDER}/{secrets.token_hex(8)}"
    work.write_bytes(marker, b"a run on a cluster goes on\n")
    try:
        yield Site(
            work=work.root,
            out=out.root,
            plan=json.dumps(load.dump(made.plan)),
            recipe=made.hash,
            code=code_sha256(),
            versions=tuple(sorted(manifest.versions().items())),
            architecture=platform.machine(),
            marker=marker,
            takedowns=tuple(takedowns),
            tombstones=None if made.tombstones is None else made.tombstones.hash,
            threads=threads,
            memory=memory,
        )
    finally:
        work.remove(marker)


_one_at_a_time = threading.Lock()


def at(site: Site) -> Here:
    """The stores and the recipe, with kernels compiled. Raises RunFailed where this worker does not fit the driver."""
    with _one_at_a_time:
        return _at(site)


@lru_cache(maxsize=4)
def _at(site: Site) -> Here:
    who = f"worker on {socket.gethostname()}"
    _refuse_others(site, who)
    resources.use_system_allocator()
    work = _visible(site, who)
    try:
        resolved = recipe.resolve(_plan(site.plan))
    except WinnowError as error:
        raise RunFailed(f"{who}: the plan that the driver resolved does not resolve there: {error}") from error
    if resolved.hash != site.recipe:
        raise RunFailed(
            f"{who} has other models or filters than the driver: the same plan makes recipe {resolved.hash[:8]} there and"
            f" {site.recipe[:8]} here; install the same version of winnow, plugins and model files on every worker"
        )
    out = open_output(site.out, create=False)
    try:
        known = tombstones.load_tombstones(out, site.takedowns)
    except (WinnowError, OSError) as error:
        raise RunFailed(f"{who} cannot read the output {site.out}: {error}; work and output must be shared") from error
    if (None if known is None else known.hash) != site.tombstones:
        raise RunFailed(f"{who} sees other take-downs in {site.out} than the driver; work and output must be shared")
    recipe.load_models(resolved)
    warm.warm_stages()
    signals.try_out(resolved)
    return Here(work, out, replace(resolved, tombstones=known))


def _refuse_others(site: Site, who: str) -> None:
    own = dict(manifest.versions())
    other = dict(site.versions)
    found = [f"{name} {own.get(name, 'none')} (driver: {other[name]})" for name in other if own.get(name) != other[name]]
    if platform.machine() != site.architecture:
        found.append(f"architecture {platform.machine()} (driver: {site.architecture})")
    if not found and code_sha256() != site.code:
        found.append("winnow's own code differs")
    if found:
        raise RunFailed(
            f"{who} has another version of winnow than the driver: {', '.join(found)}; install the same one everywhere"
        )


def _visible(site: Site, who: str) -> Store:
    try:
        work = open_store(site.work, create=False)
        seen = work.has(site.marker)
    except (WinnowError, OSError) as error:
        raise RunFailed(f"{who} cannot open {site.work}: {error}; it takes its credentials from its own environment") from error
    if not seen:
        raise RunFailed(
            f"{who} does not see the work directory {site.work} of this run; work and output must be on storage that all"
            " workers share (--work, --output)"
        )
    return work


def _plan(text: str) -> Plan:
    return load.overridden(json.loads(text), ())


@lru_cache(maxsize=1)
def code_sha256() -> str:
    """The sha256 of our own source, as it lay on disk when first asked: every .py file of filters/ and pipeline/."""
    return _sha256([Path(filters.__path__[0]), Path(pipeline.__path__[0])])


def _sha256(folders: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*.py")):
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
