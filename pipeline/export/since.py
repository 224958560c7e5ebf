"""What was taken down since an export was made: an export knows its documents by the hashes of their texts, the output's
tombstones know those again. Sources, place and generation do not matter, so it is told after `--replace`, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import Damaged
from pipeline.output import manifest, tombstones
from pipeline.records.exports_json import Exports
from pipeline.store.store import Store


@dataclass(frozen=True)
class TakenSince:
    """A document that an export holds and the output does not any more: `first` to `last`, its values in the shard."""

    shard: str
    first: int
    last: int
    source_ref: str
    epoch: int


@dataclass(frozen=True)
class Standing:
    """An export beside the output that it was made of. `newest`: the output's newest manifest; `damaged`: files that are gone
    or have another length; `taken`: what was taken down since."""

    made: Exports
    newest: int
    same_output: bool
    damaged: tuple[str, ...]
    taken: tuple[TakenSince, ...]

    @property
    def behind(self) -> bool:
        """The output has changed since."""
        return self.newest != self.made.output.manifest


def standing(folder: Store, made: Exports, out: Store) -> Standing:
    """Looks at the names and lengths of files, and at tables of documents."""
    manifests = manifest.load_all(out)
    known = tombstones.load_tombstones(out, manifest.takedowns(manifests))
    damaged = tuple(file.path for file in made.files if not folder.has(file.path) or folder.size(file.path) != file.bytes)
    tables = [] if known is None else [one.documents_path for one in made.shards if one.documents_path not in damaged]
    taken = [one for path in tables for one in _taken(folder, path, known)]
    ids = {one.output for one in manifests if one.output}
    newest = manifests[-1].generation if manifests else 0
    return Standing(made, newest, not ids or made.output.id in ids, damaged, tuple(taken))


def _taken(folder: Store, path: str, known: tombstones.Tombstones | None) -> Iterator[TakenSince]:
    assert known is not None
    try:
        with folder.open(path) as file, pq.ParquetFile(file) as table:
            for batch in table.iter_batches(1 << 16, columns=["text_hash", "shard", "first", "last", "source_ref", "epoch"]):
                for row in batch.filter(pa.array(known.known(batch["text_hash"]))).drop_columns(["text_hash"]).to_pylist():
                    yield TakenSince(**row)
    except (pa.ArrowException, TypeError, KeyError) as error:
        raise Damaged(f"{folder.path(path)}: cannot be read ({error}); export again into an empty folder") from error
