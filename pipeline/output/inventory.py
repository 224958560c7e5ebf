"""What lies in an output beside what its manifests name: files that are missing, that have another size, that nobody can name.

One listing a folder says so for all generations. Invariant: what a listing finds wrong is asked for by name before it counts,
since listings of object stores may lag behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.output import manifest, numbering, tombstones
from pipeline.output.faults import Fault, damaged
from pipeline.output.manifest import FOLDERS, Manifest
from pipeline.records.base import FileRecord
from pipeline.store.store import Store

ANEW = "restore it from a copy of the output, or make the output anew with --replace"
TOMBSTONES = "restore it from a copy of the output: without it what was taken down would come back"
_TRIES = 3
"""Times that a reader looks again where runs commit meanwhile."""


@dataclass(frozen=True)
class Inventory:
    """`sizes`: bytes of the files of FOLDERS, index/ and the tombstones, by path, as listed."""

    out: Store
    manifests: Sequence[Manifest]
    sizes: dict[str, int]

    def faults(self, *, replacing: bool = False) -> list[Fault]:
        """What is wrong; `replacing`: for a run that makes all live files anew, and keeps what was taken down away."""
        return [*self.of_takedowns(), *self.unknown(), *(() if replacing else self.of_files())]

    def of_files(self) -> Iterator[Fault]:
        """Live shards and parts of the index."""
        for made in manifest.live(list(self.manifests)):
            for record in (*made.files, *made.index):
                yield from self.of_record(record, ANEW)

    def of_takedowns(self) -> Iterator[Fault]:
        """Tombstones and their key."""
        taken = [made for made in self.manifests if made.takedown is not None]
        for made in taken:
            record = made.takedown.tombstones if made.takedown else None
            path = tombstones.name(made.generation)
            if record is not None:
                yield from self.of_record(record, TOMBSTONES)
            elif self._size(path) is None:  # an earlier release, which did not tell its size
                yield Fault(path, f"is missing, though {numbering.name(made.generation)} is a take-down", TOMBSTONES)
        if taken:
            yield from self._of_key([made.takedown.key for made in taken if made.takedown])

    def _of_key(self, fingerprints: Sequence[str]) -> Iterator[Fault]:
        if self._size(tombstones.KEY) is None:
            yield Fault(tombstones.KEY, "is missing, though documents were taken down", TOMBSTONES)
            return
        found = tombstones.fingerprint(self.out.read_bytes(tombstones.KEY))
        if any(known not in ("", found) for known in fingerprints):
            yield Fault(tombstones.KEY, "is not the key that the tombstones were made with", TOMBSTONES)

    def unknown(self) -> Iterator[Fault]:
        """Files of a number beyond the one that is given next: a manifest has named them, and it is lost."""
        following = manifest.next_number(self.manifests)
        for path in sorted(self.sizes):
            number = max(manifest.written_by(path) or (tombstones.number_of(path) or 0,))
            if number > following:
                what = f"is of manifest {number}, which is missing, as are those from {following} on"
                yield Fault(path, what, "restore manifests/ from a copy of the output")

    def of_record(self, record: FileRecord, todo: str) -> Iterator[Fault]:
        """Whether a file is there and as long as its manifest says."""
        size = self.sizes.get(record.path)
        if size != record.bytes:
            size = self._by_name(record.path)
        if size is None:
            yield Fault(record.path, "is missing, though a manifest names it", todo)
        elif size != record.bytes:
            yield Fault(record.path, f"has {size:,} bytes, where its manifest says {record.bytes:,}", todo)

    def _size(self, path: str) -> int | None:
        return self.sizes[path] if path in self.sizes else self._by_name(path)

    def _by_name(self, path: str) -> int | None:
        try:
            return self.out.size(path)
        except FileNotFoundError:
            return None


def take(out: Store, manifests: Sequence[Manifest]) -> Inventory:
    """List the output."""
    folders = (*FOLDERS, "index", tombstones.FOLDER)
    return Inventory(out, manifests, {f"{f}/{file}": size for f in folders for file, size in out.sizes(f).items()})


def load_whole(out: Store, *, replacing: bool = False) -> list[Manifest]:
    """All manifests, oldest first, of an output that has every live file in its length. Damaged where it has not.

    Nobody holds the output meanwhile: a run that replaces generations removes files, so what is missing is looked for again where
    another manifest is the newest by then.
    """
    manifests = manifest.load_all(out)
    for _ in range(_TRIES):
        found = take(out, manifests).faults(replacing=replacing)
        if not found:
            break
        before, manifests = manifests, manifest.load_all(out)
        if manifests == before:
            raise damaged(out, found)
    return manifests


def notes(out: Store, strays: Sequence[str]) -> list[str]:
    """What is to be told of files in manifests/ that are no manifests."""
    return [
        f"{out.path(f'{numbering.MANIFESTS}/{file}')} is no manifest by its name and is passed over; move it elsewhere"
        for file in strays
    ]
