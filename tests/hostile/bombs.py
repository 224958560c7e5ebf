"""Small files that decode to gigabytes, made on the spot."""

from __future__ import annotations

import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

GIGABYTE = 1_000_000_000


def gzip_of(path: Path, piece: bytes, n_bytes: int) -> Path:
    """A gzip file of `piece` repeated up to `n_bytes`."""
    packer = zlib.compressobj(9, wbits=31)
    with path.open("wb") as file:
        for _ in range(n_bytes // len(piece)):
            file.write(packer.compress(piece))
        file.write(packer.flush())
    return path


def zstd_of(path: Path, piece: bytes, n_bytes: int) -> Path:
    with path.open("wb") as raw, zstandard.ZstdCompressor(level=3).stream_writer(raw) as file:
        for _ in range(n_bytes // len(piece)):
            file.write(piece)
    return path


def parquet_of(path: Path, rows: int, text_bytes: int) -> Path:
    """One text, named by a dictionary in every row: `rows * text_bytes` in memory, some bytes on disk."""
    same = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array(["x" * text_bytes]))
    pq.write_table(pa.table({"text": same}), path, row_group_size=rows, compression="zstd")
    return path


def one_page(path: Path, n_bytes: int) -> Path:
    """A single value of `n_bytes` zeros, in one page of zstd."""
    pq.write_table(
        pa.table({"text": pa.array([b"\0" * n_bytes], pa.large_binary())}), path, compression="zstd", use_dictionary=False
    )
    return path
