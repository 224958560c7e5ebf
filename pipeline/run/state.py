"""What a run holds and knows from its first stage on: the output and its history, the work directory, and the new inputs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from pipeline.machine.workers import Workers
from pipeline.output import manifest
from pipeline.output.manifest import AnnotationRecord, InputRecord, Manifest
from pipeline.output.tombstones import Tombstones
from pipeline.plan import scores
from pipeline.plan.recipe import Recipe
from pipeline.records.inputs import PassedOver, SourceSettings
from pipeline.records.metrics_json import StoreTraffic
from pipeline.run.spans import Input
from pipeline.stages.unit.annotate import Annotated
from pipeline.store.store import Store
from pipeline.store.traffic import Traffic


@dataclass(frozen=True)
class History:
    """The generations committed to an output before this run, and whether the run replaces them or adds to them."""

    manifests: tuple[Manifest, ...]
    tombstones: Tombstones | None
    replacing: bool

    @property
    def continued(self) -> tuple[Manifest, ...]:
        """The manifests that the run goes on from: none where it replaces them."""
        return () if self.replacing else self.manifests

    @property
    def live(self) -> list[Manifest]:
        """Generations that the run's rows compete with and are added to."""
        return manifest.live(list(self.continued))


@dataclass(frozen=True)
class Run:
    """An output that is held for one run, and what the run has to do."""

    out: Store
    work: Store
    pool: Workers
    recipe: Recipe
    history: History
    sources: dict[str, SourceSettings]
    inputs: tuple[Input, ...]  # new ones only
    notes: tuple[str, ...]
    warmed: Future[float]  # CPU seconds that compiling took
    read: Traffic  # of the inputs
    passed_over: tuple[PassedOver, ...]

    @property
    def live(self) -> list[Manifest]:
        """Generations that this run's rows compete with and are added to."""
        return self.history.live

    @property
    def generation(self) -> int:
        manifests = self.history.manifests
        return manifests[-1].generation + 1 if manifests else 1

    @property
    def next_live(self) -> tuple[int, ...]:
        return (*(m.generation for m in self.live), self.generation)

    def traffic(self) -> dict[str, StoreTraffic]:
        """Bytes and requests so far of input, work directory and output (see `pipeline.store.traffic`)."""
        remote = {
            "input": any("://" in item.file.url for item in self.inputs),
            "work": self.work.remote,
            "output": self.out.remote,
        }
        counts = {"input": self.read, "work": self.work.traffic, "output": self.out.traffic}
        return {name: StoreTraffic(remote=remote[name], **counted.counts()) for name, counted in counts.items()}

    def records(self, units: Sequence[Annotated]) -> list[InputRecord]:
        """The manifest's lines about the inputs that this run read."""
        by_path: dict[str, list[Annotated]] = {item.file.path: [] for item in self.inputs}
        for unit in units:
            by_path[unit.path].append(unit)
        return [
            InputRecord(
                source=item.file.source,
                path=item.file.path,
                size=item.file.size,
                content=item.content,
                rows=sum(unit.rows for unit in by_path[item.file.path]),
                bad_rows=sum(unit.bad_rows for unit in by_path[item.file.path]),
                n_bytes=sum(unit.n_bytes for unit in by_path[item.file.path]),
            )
            for item in self.inputs
        ]

    def annotation_records(self) -> list[AnnotationRecord]:
        """The manifest's lines about the files of scores, in the plan's order."""
        hashes = [sha256 for active in self.recipe.filters if active.filter.name == scores.NAME for sha256 in active.files]
        files = [Path(entry.path) for entry in self.recipe.plan.annotations] if hashes else []
        return [
            AnnotationRecord(name=path.name, sha256=sha256, bytes=path.stat().st_size)
            for path, sha256 in zip(files, hashes, strict=True)
        ]
