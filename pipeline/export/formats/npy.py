"""OLMo-core's memory-mapped tokens: NAME.npy, tokens end to end **without** the header of numpy's own .npy, and NAME.csv.gz, a
line for each document: first token, the one behind its last, id, source_ref, and 1-based number of the document.

Source: OLMo-core, `data/utils.py` (`iter_document_indices` reads the first two columns), and dolma's tokenizer, which writes the
files that it reads. nanoGPT's `train.bin` is the same file by another name.
"""

from __future__ import annotations

import csv
import gzip
import io
from typing import IO, cast

from pipeline.export.formats.contract import Format, Raw, WholeShard


def _boundaries(shard: WholeShard) -> None:
    shard.check_size()
    number = 0
    # No time and no name in the header: the same documents, the same bytes.
    with shard.folder.open(f"{shard.name}.csv.gz") as file, gzip.GzipFile("", "wb", 6, cast(IO[bytes], file), mtime=0) as packed:
        for first, last, name, ref in shard.table("first", "last", "id", "source_ref"):
            lines = io.StringIO(newline="")
            numbered = range(number + 1, number + len(first) + 1)
            rows = zip(first.tolist(), (last + 1).tolist(), map(_line, name), map(_line, ref), numbered, strict=True)
            csv.writer(lines, lineterminator="\n").writerows(rows)
            number += len(first)
            packed.write(lines.getvalue().encode("utf-8", "surrogatepass"))


def _line(name: str) -> str:
    """A name without ends of lines: readers take a line for a document, quotes or not."""
    return name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r") if "\n" in name or "\r" in name else name


FORMAT = Format("npy", ".npy", "OLMo-core, nanoGPT: raw tokens for np.memmap, and .csv.gz", Raw, _boundaries)
