"""Corpora as frames of texts, batch after batch: an output's kept text, the source text of the same rows, or any files.

Columns of every frame (`TEXTS`): `key` names the document; `group` is what must not be torn apart: documents of one duplicate
cluster have one group, so that a sample by group keeps duplication as it is, and a held-out document has no copy among the
arms; `reason` (why the curation dropped it) and `language` are null where they are not known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from pipeline import read
from pipeline.errors import InputError, UsageError
from pipeline.output import manifest
from pipeline.output.inputs import owners
from pipeline.output.manifest import Manifest
from pipeline.plan.load import validate
from pipeline.read.expansion import expand, told_apart
from pipeline.read.source import Source
from pipeline.stages.unit import generations
from pipeline.store.store import Store, open_store
from pipeline.text.final import text_hash

TEXTS = {"key": pl.String, "group": pl.String, "text": pl.String, "reason": pl.String, "language": pl.String}
BATCH_ROWS = 4096

Frames = Iterator[pl.DataFrame]


def is_output(path: str) -> bool:
    """Whether the folder is an output of Winnow."""
    if "://" in path:
        return bool(open_store(path, create=False).names("manifests"))
    return (Path(path).expanduser() / "manifests").is_dir()


def open_finished(path: str) -> tuple[Store, list[Manifest]]:
    """An output and its live generations. Raises UsageError where there are none."""
    out = open_store(path, create=False)
    live = manifest.live(manifest.load_all(out))
    if not live:
        raise UsageError(f"{path}: no output of Winnow (it has no manifests/); curate into it first, or name corpora with --arm")
    return out, live


def of_files(path: str) -> Frames:
    """Documents of files that Winnow can read: a file, a folder, a glob, a URL. A document's group is its text, spaces folded."""
    for file in expand([Source(paths=(path,))]).files:
        for found in read.rows_of(file):
            rows = pl.DataFrame(found.documents.select(["row", "text"]))
            groups = [text_hash(text).hex() for text in rows["text"].to_list()]
            none = pl.lit(None, pl.String)
            yield rows.select(
                key=_refs(file.path), group=pl.Series(groups, dtype=pl.String), text="text", reason=none, language=none
            )


def _refs(path: str) -> pl.Expr:
    """source_ref of rows of a file."""
    return pl.lit(f"{path}#") + pl.col("row").cast(pl.String)


def kept(out: Store, live: Sequence[Manifest]) -> Frames:
    """Final text of the documents that the output holds."""
    for path in _shards(live, "data"):
        with out.open(path) as file, pq.ParquetFile(file) as shard:
            for batch in shard.iter_batches(BATCH_ROWS, columns=["source_ref", "text", "language"]):
                rows = pl.DataFrame(batch)
                yield rows.select(
                    key="source_ref", group="source_ref", text="text", reason=pl.lit(None, pl.String), language="language"
                )


def source(out: Store, live: Sequence[Manifest], *, work: Store) -> Frames:
    """Source text (before edits) of every document that was read, dropped ones too: from the work directory, else read again.

    Raises InputError where an input is gone and the work directory does not hold its documents.
    """
    for made in live:
        key, group = pl.col("source_ref"), pl.coalesce("duplicate_ref", "source_ref")  # a copy is of its survivor's group
        fates = _columns(out, made, ["ledger"], key=key, group=group, reason=pl.col("reason"))
        languages = _columns(out, made, ["data", "rejected"], key=key, language=pl.col("language"))
        for path, documents in _documents(work, made):
            rows = documents.select(key=_refs(path), text="text")
            known = rows.join(fates, on="key", how="left", maintain_order="left")
            known = known.join(languages, on="key", how="left", maintain_order="left")
            yield known.with_columns(group=pl.coalesce("group", "key")).select(*TEXTS)


def _shards(live: Sequence[Manifest], folder: str) -> list[str]:
    return [record.path for m in live for record in m.files if record.path.startswith(f"{folder}/") and record.rows]


def _columns(out: Store, made: Manifest, folders: Sequence[str], **columns: pl.Expr) -> pl.DataFrame:
    """Columns of all rows of a generation's shards in these folders."""
    scans = [out.scan([path]) for folder in folders for path in _shards([made], folder)]
    empty = pl.LazyFrame(schema={name: TEXTS[name] for name in columns})
    return pl.concat([empty, *(rows.select(**columns) for rows in scans)]).collect()


def _documents(work: Store, made: Manifest) -> Iterator[tuple[str, pl.DataFrame]]:
    """Path, and documents of each unit of a generation as the curation read them."""
    units = generations.load_generation(work, made.generation)
    if units is not None and all(work.has(unit.names.documents) for unit in units):
        for unit in units:
            yield unit.path, work.read_frame(unit.names.documents, ["row", "text"])
        return
    listed = expand(validate(made.plan, where="the plan of the output").source).files
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
            yield record.path, pl.DataFrame(found.documents.select(["row", "text"]))


def number_of(name: str) -> int:
    """64 bits of a name's hash."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def by_seed(groups: np.ndarray, *, seed: int) -> np.ndarray:
    """Positions of documents in the order in which a seed chooses their groups: paired, as `groups` (uint64 hashes) are the same
    in every arm. Documents of one group stand together."""
    mixed = groups ^ np.uint64(number_of(f"order {seed}"))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64's finaliser
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.argsort(mixed ^ (mixed >> np.uint64(31)), kind="stable")


def upto(order: np.ndarray, sizes: np.ndarray, limit: float) -> np.ndarray:
    """The first positions of `order`, with the one at which the sizes there reach the limit together."""
    return order[: int(np.searchsorted(np.cumsum(sizes[order]), limit)) + 1]


def sizes_of(texts: Sequence[str]) -> np.ndarray:
    """float64: UTF-8 bytes of each text."""
    return np.array([len(text.encode()) for text in texts], dtype=np.float64)


def fractions(groups: pl.Series, *, seed: int, purpose: str) -> pl.Series:
    """A number in [0, 1) for each group: the same for a group in every corpus, independent between purposes and seeds."""
    salt = f"{seed}:savings:{purpose}:"
    return pl.Series([(number_of(salt + group) >> 8) / 2**56 for group in groups.to_list()], dtype=pl.Float64)


def gather(frames: Frames, *, share: float, held_out: float, seed: int) -> pl.DataFrame:
    """The rows of a corpus that an experiment needs: with a column `held` for those kept out of all arms.

    `share` and `held_out`: of the groups. No document without text.
    """
    parts = [pl.DataFrame(schema={**TEXTS, "held": pl.Boolean})]
    for frame in frames:
        held = fractions(frame["group"], seed=seed, purpose="held out") < held_out
        wanted = fractions(frame["group"], seed=seed, purpose="arms") < share
        parts.append(frame.with_columns(held=held).filter((held | wanted) & (pl.col("text").str.len_bytes() > 0)))
    return pl.concat(parts)
