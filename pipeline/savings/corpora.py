"""Corpora as frames of texts, batch after batch: an output's kept text, the source text of the same rows, or any files.

Columns of every frame (`TEXTS`): `key` is a hash of the document's name; `group` is what must not be torn apart: documents of
one duplicate cluster have one group, so that a sample by group keeps duplication as it is, and a held-out document has no copy
among the arms. A group has one number in every corpus: it is named by its survivor, and a document of files that an output read
too is found by its text (`Known`). `site`, `source` and `language` are null where they are not known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import read
from pipeline.errors import InputError, UsageError
from pipeline.output import inventory, manifest
from pipeline.output.inputs import owners
from pipeline.output.manifest import Manifest
from pipeline.plan.load import part_of_output
from pipeline.read import layouts
from pipeline.read.expansion import expand, told_apart
from pipeline.read.source import Source
from pipeline.stages.unit import generations
from pipeline.stages.unit.refs import refs
from pipeline.store.store import Store, open_store
from pipeline.text import turns
from pipeline.text.final import text_hash

TEXTS = {
    "key": pl.UInt64,
    "group": pl.UInt64,
    "text": pl.String,
    "source": pl.String,
    "language": pl.String,
    "site": pl.String,
}
BATCH_ROWS = 4096
HOST = r"^[a-zA-Z]+://(?:www\.)?([^/:?#]+)"

SURVIVOR = pl.coalesce("duplicate_ref", "source_ref")
"""In the ledger: a copy is of its survivor's group."""

Frames = Iterator[pl.DataFrame]


def is_output(path: str) -> bool:
    """Whether the folder is an output of Winnow."""
    if "://" in path:
        return bool(open_store(path, create=False).names("manifests"))
    return (Path(path).expanduser() / "manifests").is_dir()


def open_finished(path: str) -> tuple[Store, list[Manifest]]:
    """An output and its live generations. Raises UsageError where there are none, Damaged where one is not as
    its manifest says."""
    out = open_store(path, create=False)
    live = manifest.live(inventory.load_whole(out))
    if not live:
        raise UsageError(f"{path}: no output of Winnow (it has no manifests/); curate into it first, or name corpora with --arm")
    return out, live


@dataclass(frozen=True)
class Known:
    """Groups of documents that an output read. `names`: sorted hashes of their source_refs, or of their source texts."""

    names: np.ndarray
    groups: np.ndarray

    def groups_of(self, names: np.ndarray) -> np.ndarray:
        """The group of each document; of one that is not known its own hash."""
        if not len(self.names):
            return names
        at = np.minimum(np.searchsorted(self.names, names), len(self.names) - 1)
        return np.where(self.names[at] == names, self.groups[at], names)


NOTHING_KNOWN = Known(np.empty(0, np.uint64), np.empty(0, np.uint64))


def known_texts(frames: Frames) -> Known:
    """Of the source texts of an output."""
    return _known([(_hashes(frame["text"]), frame["group"].to_numpy()) for frame in frames])


def known_refs(out: Store, live: Sequence[Manifest]) -> Known:
    """Of the source_refs of an output."""
    parts = [_columns(out, made, ["ledger"], ref=pl.col("source_ref"), survivor=SURVIVOR) for made in live]
    return _known([(_numbers(part["ref"]).to_numpy(), _numbers(part["survivor"]).to_numpy()) for part in parts])


def _known(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> Known:
    names, first = np.unique(np.concatenate([name for name, _ in parts]), return_index=True)
    return Known(names, np.concatenate([group for _, group in parts])[first])


def _hashes(texts: pl.Series) -> np.ndarray:
    """uint64 of each text, spaces folded."""
    return np.array([int.from_bytes(text_hash(text)[:8], "big") for text in texts.to_list()], dtype=np.uint64)


def of_files(path: str, known: Known = NOTHING_KNOWN) -> Frames:
    """Documents of files that Winnow can read: a file, a folder, a glob, a URL. `site`: a column `cluster` or `group` of the
    files where there is one, else the host of `url`."""
    for file in expand([Source(paths=(path,))]).files:
        for found in read.rows_of(file):
            rows = pl.DataFrame(found.documents.select(["row", "text", "source", "url", "metadata"]))
            named = [pl.col("metadata").str.json_path_match(f"$.{name}") for name in ("cluster", "group")]
            yield rows.select(
                key=_numbers(_refs(file.path, rows["row"])),
                group=pl.Series(known.groups_of(_hashes(rows["text"])), dtype=pl.UInt64),
                text="text",
                source="source",
                language=pl.lit(None, pl.String),
                site=pl.coalesce(*named, pl.col("url").str.extract(HOST)),
            )


def _refs(path: str, rows: pl.Series) -> pl.Series:
    """source_ref of rows of a file."""
    return pl.select(pl.lit(f"{path}#") + rows.cast(pl.String)).to_series()


def _numbers(refs: pl.Series) -> pl.Series:
    return pl.Series([number_of(ref) for ref in refs.to_list()], dtype=pl.UInt64)


def kept(out: Store, live: Sequence[Manifest], known: Known = NOTHING_KNOWN) -> Frames:
    """Final text of the documents that the output holds. `known`: of the output whose groups they are put into."""
    for path in _shards(live, "data"):
        with out.open(path) as file, pq.ParquetFile(file) as shard:
            for batch in shard.iter_batches(BATCH_ROWS, columns=["source_ref", "text", "source", "language", "url"]):
                rows = pl.DataFrame(batch)
                numbers = _numbers(rows["source_ref"])
                yield rows.select(
                    key=numbers,
                    group=pl.Series(known.groups_of(numbers.to_numpy()), dtype=pl.UInt64),
                    text="text",
                    source="source",
                    language="language",
                    site=pl.col("url").str.extract(HOST),
                )


def source(out: Store, live: Sequence[Manifest], *, work: Store) -> Frames:
    """Source text (before edits) of every document that was read, dropped ones too: from the work directory, else read again.

    Raises InputError where an input is gone and the work directory does not hold its documents.
    """
    for made in live:
        ref = pl.col("source_ref")
        fates = _columns(out, made, ["ledger"], ref=ref, survivor=SURVIVOR)
        languages = _columns(out, made, ["data", "rejected"], ref=ref, language=pl.col("language"))
        for documents in _documents(work, made):
            rows = documents.join(fates, on="ref", how="left", maintain_order="left")
            rows = rows.join(languages, on="ref", how="left", maintain_order="left")
            yield rows.select(
                key=_numbers(rows["ref"]),
                group=_numbers(rows.select(pl.coalesce("survivor", "ref")).to_series()),
                text="text",
                source="source",
                language="language",
                site=pl.col("url").str.extract(HOST),
            )


def _shards(live: Sequence[Manifest], folder: str) -> list[str]:
    return [record.path for m in live for record in m.files if record.path.startswith(f"{folder}/") and record.rows]


def _columns(out: Store, made: Manifest, folders: Sequence[str], **columns: pl.Expr) -> pl.DataFrame:
    """Columns of all rows of a generation's shards in these folders."""
    scans = [out.scan([path]) for folder in folders for path in _shards([made], folder)]
    empty = pl.LazyFrame(schema=dict.fromkeys(columns, pl.String))
    return pl.concat([empty, *(rows.select(**columns) for rows in scans)]).collect()


def _documents(work: Store, made: Manifest) -> Iterator[pl.DataFrame]:
    """Documents of each unit of a generation as the curation read them, with `ref`, their source_ref."""
    units = generations.load_generation(work, made)
    if units is not None and all(work.has(unit.names.documents) for unit in units):
        for unit in units:
            documents = _bare(work.read_frame(unit.names.documents, ["row", "text", "source", "url"]))
            yield documents.with_columns(ref=refs(unit.names, documents["row"]))
        return
    inputs = expand(part_of_output(made.plan, "source", where="the plan of the output").source)
    listed = layouts.known(inputs).files
    files = {file.path: file for file in told_apart(listed, owners([made]))}
    for record in made.inputs:
        if record.path not in files:
            raise InputError(
                f"{record.path} is no longer among the inputs of the plan; restore it, run from the folder that the curation"
                " ran in, or name the raw text: --arm raw=PATH"
            )
        if read.units_of(files[record.path]).content != record.content:
            raise InputError(f"{record.path} changed since it was curated; curate again, or name the raw text: --arm raw=PATH")
        for found in read.rows_of(files[record.path]):
            documents = _bare(pl.DataFrame(found.documents.select(["row", "text", "source", "url"])))
            yield documents.with_columns(ref=_refs(record.path, documents["row"]))


def _bare(documents: pl.DataFrame) -> pl.DataFrame:
    """Conversations without the marks of their turns."""
    return documents.with_columns(text=pl.Series(turns.bare(documents["text"].to_arrow().cast(pa.large_string()))))


def number_of(name: str) -> int:
    """64 bits of a name's hash."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def upto(order: np.ndarray, sizes: np.ndarray, limit: float) -> np.ndarray:
    """The first positions of `order`, with the one at which the sizes there reach the limit together."""
    return order[: int(np.searchsorted(np.cumsum(sizes[order]), limit)) + 1]


def sizes_of(texts: Sequence[str]) -> np.ndarray:
    """float64: UTF-8 bytes of each text."""
    return np.array([len(text.encode()) for text in texts], dtype=np.float64)


def fractions(groups: np.ndarray, *, seed: int, purpose: str) -> np.ndarray:
    """A number in [0, 1) for each uint64: the same in every corpus, independent between purposes and seeds."""
    mixed = groups ^ np.uint64(number_of(f"{seed}:savings:{purpose}"))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64's finaliser
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) / 2.0**53


def gather(frames: Frames, *, share: float, held_out: float, seed: int) -> pl.DataFrame:
    """The rows of a corpus that an experiment needs: with a column `held` for those kept out of all arms.

    `share` and `held_out`: of the groups. No document without text.
    """
    parts = [pl.DataFrame(schema={**TEXTS, "held": pl.Boolean})]
    for frame in frames:
        groups = frame["group"].to_numpy()
        held = fractions(groups, seed=seed, purpose="held out") < held_out
        wanted = fractions(groups, seed=seed, purpose="arms") < share
        parts.append(
            frame.with_columns(held=pl.Series(held)).filter(pl.Series(held | wanted) & (pl.col("text").str.len_bytes() > 0))
        )
    return pl.concat(parts)
