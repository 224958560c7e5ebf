"""What a run holds and knows from its first stage on: the output and its history, the work directory, and the new inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from pipeline.machine.workers import Workers
from pipeline.output import manifest
from pipeline.output import work as work_
from pipeline.output.manifest import AnnotationRecord, InputRecord, Manifest, ReplacedInput
from pipeline.output.tombstones import Tombstones
from pipeline.plan import scores
from pipeline.plan.recipe import Recipe
from pipeline.read.packs import sort_key
from pipeline.records.inputs import PackedFile, PassedOver, SourceSettings
from pipeline.records.metrics_json import StoreTraffic
from pipeline.run.replacement import Replacement
from pipeline.run.spans import Input, unpacks_to
from pipeline.stages.unit.annotate import Annotated
from pipeline.store.places import absolute
from pipeline.store.store import Store
from pipeline.store.traffic import Traffic


@dataclass(frozen=True)
class Compiled:
    """What kernels took, compiled or loaded: CPU seconds here and in the helper, and seconds from when the
    inputs were found until they were there: else the run would have begun to read."""

    cpu_s: float
    helper_cpu_s: float = 0.0
    waited_s: float = 0.0


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
    identity: str  # the output's id
    work: Store
    pool: Workers
    recipe: Recipe
    history: History
    sources: dict[str, SourceSettings]
    inputs: tuple[Input, ...]  # new ones only
    notes: tuple[str, ...]
    warmed: Future[Compiled]
    read: Traffic  # of the inputs
    passed_over: tuple[PassedOver, ...]
    replacement: Replacement | None = None  # what the run replaces because inputs changed
    replaced: tuple[ReplacedInput, ...] = ()

    @property
    def live(self) -> list[Manifest]:
        """Generations that this run's rows compete with and are added to."""
        return self.history.live

    @property
    def before(self) -> Manifest | None:
        """The last generation, where the run goes on from it or replaces what changed of it."""
        return self.replacement.live[-1] if self.replacement else self.live[-1] if self.live else None

    @property
    def generation(self) -> int:
        return manifest.next_number(self.history.manifests)

    @property
    def next_live(self) -> tuple[int, ...]:
        return (*(m.generation for m in self.live), self.generation)

    @property
    def owns_work(self) -> bool:
        """Whether the work directory is its output's; a variant that a measurement curates has that of another."""
        return not work_.is_variant(self.out, self.work)

    @property
    def staying(self) -> list[str]:
        """Paths, in order, of files whose rows stay though the run does not read them."""
        return sorted((r.path for r in self.replacement.records), key=sort_key) if self.replacement else []

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
        """The manifest's lines about the inputs that this run read, and about those whose rows stay."""
        by_path: dict[str, list[PackedFile]] = {}
        for unit in units:
            for path, part in unit.by_file():
                by_path.setdefault(path, []).append(part)
        stay = self.replacement.records if self.replacement else ()
        return sorted([*stay, *self._read(by_path)], key=lambda record: sort_key(record.path))

    def _read(self, by_path: dict[str, list[PackedFile]]) -> Iterator[InputRecord]:
        for item in self.inputs:
            parts = by_path.get(item.file.path, ())
            yield InputRecord(
                source=item.file.source,
                path=item.file.path,
                size=item.file.size,
                content=item.content,
                rows=sum(part.rows for part in parts),
                bad_rows=sum(part.bad_rows for part in parts),
                n_bytes=sum(part.n_bytes for part in parts),
                unpacked="".join(part.unpacked for part in parts) or unpacks_to(self.work, item),
            )

    def annotation_records(self) -> list[AnnotationRecord]:
        """The manifest's lines about the files of scores, in the plan's order."""
        hashes = [sha256 for active in self.recipe.filters if active.filter.name == scores.NAME for sha256 in active.files]
        files = [Path(absolute(entry.path)) for entry in self.recipe.plan.annotations] if hashes else []
        return [
            AnnotationRecord(name=path.name, sha256=sha256, bytes=path.stat().st_size)
            for path, sha256 in zip(files, hashes, strict=True)
        ]
