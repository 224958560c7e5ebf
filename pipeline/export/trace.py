"""From a token of an export to the document that it is of.

Invariant: only the footer of a table of documents is read, and the one row group that holds the place, so the time does not grow
with the export.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import Damaged, InputError, UsageError
from pipeline.export import target
from pipeline.export.formats.contract import DOCUMENTS
from pipeline.output import manifest, tombstones
from pipeline.records.exports_json import ExportedShard, Exports
from pipeline.store.store import Store, open_store
from pipeline.text import numbers

_AGAIN = "export again into an empty folder"
_PLACE = re.compile(r"(.+):([0-9_]{1,19})")


@dataclass(frozen=True)
class Traced:
    """A place in a shard, and the document that it is of. `first` to `last`: the document's values there; `taken`: its text was
    taken down since; `unit`: what places count."""

    shard: str
    place: int
    unit: str
    first: int
    last: int
    epoch: int
    group: str
    id: str
    source_ref: str
    generation: int
    taken: bool
    same_output: bool

    def __str__(self) -> str:
        what, within, size = self.unit.removesuffix("s"), self.place - self.first, self.last - self.first + 1
        said = f"{self.shard}, {what} {self.place:,}: {what} {within:,} of the {size:,} of a document"
        said += f" (places {self.first:,} to {self.last:,}, epoch {self.epoch}, group {self.group})"
        said += "; taken down since" if self.taken else ""
        return said if self.same_output else f"{said}; the export is of another output"


def trace(name: str, out: Store) -> Traced:
    """`name`: FILE:PLACE, a shard of an export and the place of a token in it, counted from 0 over the file; of JSON Lines a
    byte. Raises UsageError, InputError where there is no such shard or place, Damaged where its table cannot be read."""
    found = _PLACE.fullmatch(name)
    if found is None:
        raise UsageError(f"--tokens {name}: expected FILE:PLACE, such as tokens/train-00000-of-00004.bin:1234")
    folder, file = _shard_file(found[1])
    made = target.read(folder)
    shard = _shard(made, file, given=found[1])
    place = int(found[2].replace("_", "") or 0)
    unit = "bytes" if made.recipe.format == "jsonl" else "tokens"
    if place >= shard.size:
        last = f"places are 0 to {shard.size - 1:,}" if shard.size else "it is empty"
        raise InputError(f"--tokens {name}: the shard has {numbers.count(shard.size)} {unit}; {last}")
    row = _row(folder, shard, place)
    text_hash = row.pop("text_hash")
    manifests = manifest.load_all(out)
    known = tombstones.load_tombstones(out, manifest.takedowns(manifests))
    ids = {one.output for one in manifests if one.output}
    return Traced(
        shard=shard.path,
        place=place,
        unit=unit,
        taken=known is not None and bool(known.known(pa.array([text_hash], pa.binary(16)))[0]),
        same_output=not ids or made.output.id in ids,
        **row,
    )


def _shard_file(given: str) -> tuple[Store, str]:
    """The folder of an export, and the name of a file in it."""
    parent, slash, file = given.rpartition("/")
    folder = open_store(parent if slash else ".", create=False)
    if not folder.has(target.NAME):
        raise InputError(f"--tokens {given}: {parent or '.'} holds no finished export (no {target.NAME}); name a shard of one")
    return folder, file


def _shard(made: Exports, file: str, *, given: str) -> ExportedShard:
    """The shard of that name; its suffix, and those of files beside it, do not count, since trainers name shards without."""
    for shard in made.shards:
        if file == shard.path or file.partition(".")[0] == shard.path.partition(".")[0]:
            return shard
    raise InputError(f"--tokens {given}: no shard of the export; it has {', '.join(one.path for one in made.shards[:8])}")


def _row(folder: Store, shard: ExportedShard, place: int) -> dict[str, Any]:
    columns = ["first", "last", "epoch", "group", "id", "source_ref", "generation", "text_hash"]
    try:
        with folder.open(shard.documents_path) as file, pq.ParquetFile(file) as table:
            at = DOCUMENTS.names.index("last")
            for number in range(table.num_row_groups):
                statistics = table.metadata.row_group(number).column(at).statistics
                if statistics is None or statistics.max >= place:
                    rows = table.read_row_group(number, columns)
                    row = int(pc.sum(pc.less(rows["last"], place)).as_py())
                    if row < rows.num_rows:
                        return rows.slice(row, 1).to_pylist()[0]
    except (OSError, pa.ArrowException, ValueError) as error:
        raise Damaged(f"{folder.path(shard.documents_path)}: cannot be read ({error}); {_AGAIN}") from error
    raise Damaged(f"{folder.path(shard.documents_path)}: names no document of place {place:,}; {_AGAIN}")
