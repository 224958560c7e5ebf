"""Hugging Face datasets, through `datasets` streaming.

Forms: `hf://datasets/ORG/NAME`, optionally followed by `/CONFIG` or `/CONFIG/SPLIT`; without them all configs and splits are
read, each as one input file with the path `NAME/CONFIG/SPLIT`. Where `ORG/NAME` is a folder below the plan's folder, that
folder is the dataset. Any other folder is written as a path that begins with `/`, `./` or `../`, and config and split behind
a `#`: `hf://datasets//data/wiki#en/train`. NAME is then the folder's last name.

Invariant: rows are numbered in the order in which `datasets` gives them. Where it cannot go on, because a file is corrupt, the
rest is one bad row, which stands for as many as the dataset's card promises; where the network or a disk fails, the run stops
and can be resumed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.errors import InputError, NotInstalled
from pipeline.read import units
from pipeline.read.files import InputFile, input_file
from pipeline.read.lines import Loss, QuarantinedRow, most_rows
from pipeline.read.rows import Collector, UnitRows
from pipeline.read.tables import add_batch, pieces
from pipeline.read.units import Block, Unit, cannot_read

if TYPE_CHECKING:
    from pipeline.read.source import Source

PREFIX = "hf://datasets/"
_FOLDER = re.compile(rf"{PREFIX}((?:/|\./|\.\./)[^#]*)(?:#([^/]+)(?:/([^/]+))?)?")
_ON_HUB = re.compile(rf"{PREFIX}([^/#]+/[^/#]+)(?:(?:/|/*#)([^/#]+)(?:/([^/#]+))?)?/*")
"""Dataset, config and split of the two forms."""
BATCH_ROWS = 1_000
"""Rows asked of `datasets` in one go; a unit is a whole number of such batches."""


def expand(source: Source, path: str, *, base: Path | None = None) -> list[InputFile]:
    """One input file per config and split. Raises InputError if there is no such dataset, config or split."""
    dataset, config, split = _parsed(path, base or Path.cwd())
    datasets = _datasets()
    name = Path(dataset).name
    made = []
    try:
        for one in [config] if config else datasets.get_dataset_config_names(dataset):
            data_files = datasets.load_dataset_builder(dataset, one).config.data_files or {}
            splits = [str(key) for key in data_files] or datasets.get_dataset_split_names(dataset, one)
            if split and split not in splits:
                raise InputError(f"{path}: config {one} has no split {split}; it has {', '.join(splits)}")
            for part in [split] if split else splits:
                size = sum(os.path.getsize(file) for file in data_files.get(part, ()) if os.path.isfile(file))
                ref = f"{name}/{one}/{part}"
                url = f"{PREFIX}{dataset}#{one}/{part}"
                made.append(input_file(source, folder=name, url=url, path=ref, kind=("hf", None), size=size))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {_said(error)}") from error
    return made


def identify(file: InputFile) -> str:
    """Identity of a split: its files' names and content; of those on the Hub the URL, which holds the commit."""
    dataset, config, split = _located(file)
    builder = _datasets().load_dataset_builder(dataset, config)
    digest = hashlib.blake2b(f"{config}/{split} {builder.info.features}\n".encode(), digest_size=16)
    for name in (builder.config.data_files or {}).get(split, ()):
        local = os.path.isfile(name)
        below = os.path.relpath(name, dataset) if local else name
        content = units.identify(replace(file, url=name, size=0)) if local else ""
        digest.update(f"{below} {content}\n".encode())
    return f"hf:{digest.hexdigest()}"


def stream(file: InputFile, *, content: str) -> Generator[Block, None, str]:
    """Units of about `unit_bytes` of Arrow memory, or of `most_rows`, in order."""
    tables: list[pa.Table] = []
    start = stop = index = held = 0
    rest = None
    try:
        for table in _tables(file):
            tables.append(table)
            stop += table.num_rows
            held += table.nbytes
            if held >= file.unit_bytes or stop - start >= most_rows(file.unit_bytes):
                yield Block(Unit(file, content, index, start, stop, start + 1), pa.concat_tables(tables))
                tables, start, index, held = [], stop, index + 1, 0
    except _Corrupt as error:
        promised = _promised(file)
        lost = Loss(promised - stop) if promised > stop else Loss(cut=True)
        rest = QuarantinedRow(stop + 1, "archive_corrupt", str(error), lost=lost)
    if tables or rest:
        data = pa.concat_tables(tables) if tables else pa.table({})
        yield Block(Unit(file, content, index, start, stop, start + 1), data, rest)
    return ""


def _promised(file: InputFile) -> int:
    """Rows of the split as the dataset's card says; 0 where it does not."""
    dataset, config, split = _located(file)
    try:
        splits = _datasets().load_dataset_builder(dataset, config).info.splits or {}
    except (OSError, ValueError):
        return 0
    return int(getattr(splits.get(split), "num_examples", 0) or 0)


def read_block(block: Block) -> UnitRows:
    """Rows of a block that `stream` gave; on any thread."""
    collector = Collector(block.unit.file)
    row = block.unit.first_row
    assert isinstance(block.data, pa.Table)
    for batch in block.data.to_batches(max_chunksize=BATCH_ROWS):
        for piece in pieces(batch):
            add_batch(collector, piece, row)
            collector.flush()
            row += piece.num_rows
    if block.rest:
        collector.refuse(block.rest)
    return collector.finish()


class _Corrupt(Exception):
    """`datasets` cannot decode what follows."""


def _tables(file: InputFile) -> Iterator[pa.Table]:
    dataset, config, split = _located(file)
    done = 0
    # Rows of a batch that was being filled when the error came are lost with it: from there on they are asked for singly.
    for batch_rows in (BATCH_ROWS, 1):
        try:
            rows = _datasets().load_dataset(dataset, config, split=split, streaming=True).skip(done)
            for table in rows.with_format("arrow").iter(batch_size=batch_rows):
                done += table.num_rows
                yield table
            return
        except MemoryError:  # an ArrowException too, and no fault of the rows
            raise
        except (pa.ArrowException, UnicodeDecodeError, EOFError, ValueError) as error:
            fault: Exception = error
        except OSError as error:
            if error.errno is not None or not os.path.isdir(dataset):  # pyarrow's decoders raise OSError too
                raise cannot_read(file, error) from error
            fault = error
    raise _Corrupt(f"datasets: {_said(fault)}") from fault


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300] if lines else ''}"


def _located(file: InputFile) -> tuple[str, str, str]:
    """(dataset, config, split) of a URL that `expand` made; config and split never hold a slash."""
    dataset, _, names = file.url.removeprefix(PREFIX).rpartition("#")
    config, split = names.split("/")
    return dataset, config, split


def _parsed(path: str, base: Path) -> tuple[str, str | None, str | None]:
    """(dataset: folder or ORG/NAME, config, split) of a path in a plan."""
    found = _FOLDER.fullmatch(path) or _ON_HUB.fullmatch(path)
    if found is None:
        forms = f"{PREFIX}ORG/NAME, {PREFIX}ORG/NAME/CONFIG/SPLIT or {PREFIX}/FOLDER#CONFIG/SPLIT"
        raise InputError(f"{path}: expected {forms}")
    dataset, config, split = found.groups()
    folder = (base / dataset).resolve()
    if folder.is_dir():
        return str(folder), config, split
    if found.re is _FOLDER:
        raise InputError(f"{path}: no such folder")
    return dataset, config, split


def _datasets() -> Any:
    """The library, quiet: it takes seconds to import, reports to its makers and prints bars unless told not to. Raises
    NotInstalled."""
    if importlib.util.find_spec("datasets") is None:
        raise NotInstalled(f"{PREFIX}… needs datasets, which is not installed: pip install 'winnow-curation[huggingface]'")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    return datasets
